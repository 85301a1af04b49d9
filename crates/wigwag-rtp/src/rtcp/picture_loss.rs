//! PLI: a picture is lost (RFC 4585 §6.3.1).

use super::{HEADER_LEN, PAYLOAD_FEEDBACK, write_header};
use crate::DecodeError;
use crate::read::Reader;

pub(super) const FORMAT: u8 = 1;

/// A picture is lost: the next one should not refer to any before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLoss {
    /// Who lost it.
    pub sender_ssrc: u32,
    /// Whose it is.
    pub media_ssrc: u32,
}

impl PictureLoss {
    pub(crate) const LEN: usize = HEADER_LEN + 8;

    pub(super) fn parse(mut body: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { sender_ssrc: body.u32()?, media_ssrc: body.u32()? })
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        write_header(PAYLOAD_FEEDBACK, FORMAT, Self::LEN, out);
        out.extend_from_slice(&self.sender_ssrc.to_be_bytes());
        out.extend_from_slice(&self.media_ssrc.to_be_bytes());
    }
}
