//! CertificateRequest of DTLS 1.3 (RFC 8446 §4.3.2).

use super::extension::Extensions;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRequest13<'a> {
    /// Empty in a handshake.
    pub(crate) context: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> CertificateRequest13<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let request = Self { context: reader.vec8()?, extensions: Extensions::decode(&mut reader)? };
        reader.end()?;
        Ok(request)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.context));
        self.extensions.encode(out);
    }
}
