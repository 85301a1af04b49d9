//! ServerHello (RFC 5246 §7.4.1.3).

use super::extension::Extensions;
use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cipher_suite: u16,
    pub(crate) compression_method: u8,
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let hello = Self {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: reader.vec8()?,
            cipher_suite: reader.u16()?,
            compression_method: reader.u8()?,
            extensions: Extensions::decode_optional(&mut reader)?,
        };
        reader.end()?;
        if hello.session_id.len() > 32 { Err(DecodeError) } else { Ok(hello) }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.version);
        out.extend_from_slice(&self.random);
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.session_id));
        put_u16(out, self.cipher_suite);
        out.push(self.compression_method);
        self.extensions.encode(out);
    }
}
