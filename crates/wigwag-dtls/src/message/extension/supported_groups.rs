//! supported_groups (RFC 8422 §5.1.1).

use super::put;
use crate::Group;
use crate::codec::{Numbers, Reader, put_numbers};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 10;

pub(crate) fn decode(data: &[u8]) -> Result<Numbers<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let groups = reader.numbers()?;
    reader.end()?;
    Ok(groups)
}

pub(crate) fn encode(groups: &[Group], out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_numbers(out, groups.iter().map(|group| group.wire())));
}
