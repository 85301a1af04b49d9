//! SDES: names of sources (RFC 3550 §6.5).

use super::{HEADER_LEN, SOURCE_DESCRIPTION, write_header};
use crate::DecodeError;
use crate::read::Reader;

const END: u8 = 0;
const CNAME: u8 = 1;

/// Names of sources.
#[derive(Clone, Copy, Debug)]
pub struct SourceDescription<'a> {
    count: u8,
    chunks: Reader<'a>,
}

impl<'a> SourceDescription<'a> {
    pub(super) fn parse(count: u8, chunks: Reader<'a>) -> Result<Self, DecodeError> {
        let mut rest = chunks;
        for _ in 0..count {
            Self::chunk(&mut rest)?;
        }
        Ok(Self { count, chunks })
    }

    /// The canonical name of each source that has one.
    pub fn canonical_names(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut chunks = self.chunks;
        (0..self.count).map_while(move |_| Self::chunk(&mut chunks).ok()).filter_map(|(ssrc, name)| Some((ssrc, name?)))
    }

    /// A source and its canonical name.
    // RFC 3550 §6.5: the list of items is ended by one or more null octets, up to the next 32-bit boundary.
    fn chunk(reader: &mut Reader<'a>) -> Result<(u32, Option<&'a [u8]>), DecodeError> {
        let (start, ssrc) = (reader.0.len(), reader.u32()?);
        let mut name = None;
        loop {
            match reader.u8()? {
                END => break,
                item => {
                    let len = reader.u8()?;
                    let text = reader.take(usize::from(len))?;
                    if item == CNAME {
                        name = Some(text);
                    }
                }
            }
        }
        let used = start.saturating_sub(reader.0.len());
        reader.take(used.next_multiple_of(4).saturating_sub(used))?;
        Ok((ssrc, name))
    }

    /// The length of a description of one source.
    pub(crate) const fn len(name: &str) -> usize {
        // The source, type and length, the name, and at least one null octet.
        HEADER_LEN + (4 + 2 + name.len() + 1).next_multiple_of(4)
    }

    /// Appends the canonical name of one source, of at most 255 bytes.
    pub(crate) fn write(ssrc: u32, name: &str, out: &mut Vec<u8>) {
        let start = out.len();
        write_header(SOURCE_DESCRIPTION, 1, Self::len(name), out);
        out.extend_from_slice(&ssrc.to_be_bytes());
        out.extend_from_slice(&[CNAME, name.len() as u8]);
        out.extend_from_slice(name.as_bytes());
        out.resize(start + Self::len(name), END);
    }
}
