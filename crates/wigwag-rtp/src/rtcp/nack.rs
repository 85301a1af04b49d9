//! Generic NACK: packets that are missing (RFC 4585 §6.2.1).

use super::{HEADER_LEN, TRANSPORT_FEEDBACK, write_header};
use crate::DecodeError;
use crate::read::Reader;

pub(super) const FORMAT: u8 = 1;

/// A missing packet, and which of the 16 after it are missing too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NackPair {
    /// The sequence number.
    pub packet: u16,
    /// Bit `n`: `packet + n + 1` is missing.
    pub following: u16,
}

impl NackPair {
    pub(crate) const LEN: usize = 4;

    /// The sequence numbers that are missing.
    pub fn sequences(self) -> impl Iterator<Item = u16> {
        let following = (0..16).filter(move |n| self.following >> n & 1 == 1);
        std::iter::once(self.packet).chain(following.map(move |n| self.packet.wrapping_add(n + 1)))
    }
}

/// Packets that are missing.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    /// Who misses them.
    pub sender_ssrc: u32,
    /// Whose they are.
    pub media_ssrc: u32,
    pairs: &'a [u8],
}

impl<'a> Nack<'a> {
    /// Without pairs.
    pub(crate) const LEN: usize = HEADER_LEN + 8;

    pub(super) fn parse(mut body: Reader<'a>) -> Result<Self, DecodeError> {
        let (sender_ssrc, media_ssrc) = (body.u32()?, body.u32()?);
        if body.0.is_empty() || !body.0.len().is_multiple_of(NackPair::LEN) {
            return Err(DecodeError::Malformed("NACK"));
        }
        Ok(Self { sender_ssrc, media_ssrc, pairs: body.0 })
    }

    /// Which packets.
    pub fn pairs(&self) -> impl Iterator<Item = NackPair> + 'a {
        self.pairs.as_chunks().0.iter().map(|[p0, p1, f0, f1]| NackPair {
            packet: u16::from_be_bytes([*p0, *p1]),
            following: u16::from_be_bytes([*f0, *f1]),
        })
    }

    /// Appends the message with as many pairs as there are.
    pub(crate) fn write(
        sender_ssrc: u32,
        media_ssrc: u32,
        pairs: impl ExactSizeIterator<Item = NackPair>,
        out: &mut Vec<u8>,
    ) {
        write_header(TRANSPORT_FEEDBACK, FORMAT, Self::LEN + NackPair::LEN * pairs.len(), out);
        out.extend_from_slice(&sender_ssrc.to_be_bytes());
        out.extend_from_slice(&media_ssrc.to_be_bytes());
        for pair in pairs {
            out.extend_from_slice(&pair.packet.to_be_bytes());
            out.extend_from_slice(&pair.following.to_be_bytes());
        }
    }
}
