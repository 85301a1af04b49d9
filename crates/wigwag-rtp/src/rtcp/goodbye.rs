//! BYE: sources that end (RFC 3550 §6.6).

use super::{GOODBYE, HEADER_LEN, write_header};
use crate::DecodeError;
use crate::read::Reader;

/// Sources that end.
#[derive(Clone, Copy, Debug)]
pub struct Goodbye<'a> {
    sources: &'a [u8],
    /// Why, if it is said.
    pub reason: Option<&'a [u8]>,
}

impl<'a> Goodbye<'a> {
    pub(super) fn parse(count: u8, mut body: Reader<'a>) -> Result<Self, DecodeError> {
        let sources = body.take(4 * usize::from(count))?;
        let reason = match body.u8() {
            Ok(len) => Some(body.take(usize::from(len))?),
            Err(_) => None,
        };
        Ok(Self { sources, reason })
    }

    /// The sources.
    pub fn sources(&self) -> impl Iterator<Item = u32> + 'a {
        self.sources.as_chunks().0.iter().map(|ssrc| u32::from_be_bytes(*ssrc))
    }

    /// The count has five bits.
    pub(crate) const COUNT_MAX: usize = 31;

    /// The length for so many sources.
    pub(crate) const fn len(count: usize) -> usize {
        HEADER_LEN + 4 * count
    }

    /// Appends the end of some sources.
    pub(crate) fn write(sources: impl ExactSizeIterator<Item = u32>, out: &mut Vec<u8>) {
        write_header(GOODBYE, sources.len() as u8, Self::len(sources.len()), out);
        sources.for_each(|ssrc| out.extend_from_slice(&ssrc.to_be_bytes()));
    }
}
