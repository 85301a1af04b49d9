//! ClientHello (RFC 5246 §7.4.1.2, RFC 6347 §4.2.1).

use super::extension::Extensions;
use crate::codec::{Length, Numbers, Reader, put_numbers, put_u16, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cookie: &'a [u8],
    pub(crate) cipher_suites: Numbers<'a>,
    pub(crate) compression_methods: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let hello = Self {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: reader.vec8()?,
            cookie: reader.vec8()?,
            cipher_suites: reader.numbers()?,
            compression_methods: reader.vec8()?,
            extensions: Extensions::decode_optional(&mut reader)?,
        };
        reader.end()?;
        // opaque SessionID<0..32>; CompressionMethod compression_methods<1..2^8-1>;
        if hello.session_id.len() > 32 || hello.compression_methods.is_empty() {
            return Err(DecodeError);
        }
        Ok(hello)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_parameters(out);
        self.extensions.encode(out);
    }

    /// All but the extensions.
    pub(crate) fn encode_parameters(&self, out: &mut Vec<u8>) {
        put_u16(out, self.version);
        out.extend_from_slice(&self.random);
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.session_id));
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.cookie));
        put_numbers(out, self.cipher_suites.iter());
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.compression_methods));
    }
}
