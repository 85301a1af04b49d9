//! supported_versions (RFC 8446 §4.2.1).

use super::put;
use crate::Version;
use crate::codec::{Length, Numbers, Reader, put_u16, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 43;

/// As a client sends it.
pub(crate) fn decode(data: &[u8]) -> Result<Numbers<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let versions = reader.vec8()?;
    reader.end()?;
    Numbers::new(versions)
}

pub(crate) fn encode(versions: impl IntoIterator<Item = Version>, out: &mut Vec<u8>) {
    put(out, NUMBER, |out| {
        put_vec(out, Length::U8, |out| versions.into_iter().for_each(|version| put_u16(out, version.wire())));
    });
}

/// As a server sends it: what it chose.
pub(crate) fn decode_server(data: &[u8]) -> Result<u16, DecodeError> {
    let mut reader = Reader::new(data);
    let version = reader.u16()?;
    reader.end()?;
    Ok(version)
}

pub(crate) fn encode_server(version: Version, out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_u16(out, version.wire()));
}
