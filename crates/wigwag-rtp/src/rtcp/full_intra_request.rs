//! FIR: a key frame, please (RFC 5104 §4.3.1).

use super::{HEADER_LEN, PAYLOAD_FEEDBACK, write_header};
use crate::DecodeError;
use crate::read::Reader;

pub(super) const FORMAT: u8 = 4;
const ENTRY_LEN: usize = 8;

/// Who shall send a key frame.
#[derive(Clone, Copy, Debug)]
pub struct FullIntraRequest<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    entries: &'a [u8],
}

impl<'a> FullIntraRequest<'a> {
    pub(super) fn parse(mut body: Reader<'a>) -> Result<Self, DecodeError> {
        let (sender_ssrc, _unused) = (body.u32()?, body.u32()?);
        if body.0.is_empty() || !body.0.len().is_multiple_of(ENTRY_LEN) {
            return Err(DecodeError::Malformed("FIR"));
        }
        Ok(Self { sender_ssrc, entries: body.0 })
    }

    /// The length for one source.
    pub(crate) const LEN: usize = HEADER_LEN + 8 + ENTRY_LEN;

    /// Appends the message that asks one source; a new number for each request that is no repetition.
    pub(crate) fn write(sender_ssrc: u32, media_ssrc: u32, number: u8, out: &mut Vec<u8>) {
        write_header(PAYLOAD_FEEDBACK, FORMAT, Self::LEN, out);
        out.extend_from_slice(&sender_ssrc.to_be_bytes());
        // RFC 5104 §4.3.1.2: the source is in the entry, and this field is 0.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&media_ssrc.to_be_bytes());
        out.extend_from_slice(&[number, 0, 0, 0]);
    }

    /// Each source that is asked, and the number of the request, which is the same when it is repeated.
    pub fn requests(&self) -> impl Iterator<Item = (u32, u8)> + 'a {
        self.entries
            .as_chunks::<ENTRY_LEN>()
            .0
            .iter()
            .map(|[s0, s1, s2, s3, number, ..]| (u32::from_be_bytes([*s0, *s1, *s2, *s3]), *number))
    }
}
