//! key_share (RFC 8446 §4.2.8).

use super::put;
use crate::Group;
use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 51;

/// A group and what is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share<'a> {
    pub(crate) group: u16,
    pub(crate) key_exchange: &'a [u8],
}

impl<'a> Share<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let share = Self { group: reader.u16()?, key_exchange: reader.vec16()? };
        // opaque key_exchange<1..2^16-1>;
        if share.key_exchange.is_empty() { Err(DecodeError) } else { Ok(share) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_u16(out, self.group);
        put_vec(out, Length::U16, |out| out.extend_from_slice(self.key_exchange));
    }
}

/// As a client sends it: at most one of each group.
///
/// RFC 8446 §4.2.8: "Clients MUST NOT offer multiple KeyShareEntry values for the same group."
pub(crate) fn decode_client(data: &[u8]) -> Result<Vec<Share<'_>>, DecodeError> {
    let mut reader = Reader::new(data);
    let mut list = Reader::new(reader.vec16()?);
    reader.end()?;
    let mut shares = Vec::new();
    while !list.is_empty() {
        shares.push(Share::read(&mut list)?);
    }
    Ok(shares)
}

pub(crate) fn encode_client(shares: &[Share<'_>], out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U16, |out| shares.iter().for_each(|share| share.write(out))));
}

/// As a server sends it.
pub(crate) fn decode_server(data: &[u8]) -> Result<Share<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let share = Share::read(&mut reader)?;
    reader.end()?;
    Ok(share)
}

pub(crate) fn encode_server(share: &Share<'_>, out: &mut Vec<u8>) {
    put(out, NUMBER, |out| share.write(out));
}

/// As a server sends it that wants another group.
pub(crate) fn decode_retry(data: &[u8]) -> Result<u16, DecodeError> {
    let mut reader = Reader::new(data);
    let group = reader.u16()?;
    reader.end()?;
    Ok(group)
}

pub(crate) fn encode_retry(group: Group, out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_u16(out, group.wire()));
}
