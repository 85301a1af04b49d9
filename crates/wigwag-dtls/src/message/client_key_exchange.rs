//! ClientKeyExchange of ECDHE (RFC 8422 §5.7).

use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientKeyExchange<'a> {
    pub(crate) public_key: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let public_key = reader.vec8()?;
        reader.end()?;
        Ok(Self { public_key })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.public_key));
    }
}
