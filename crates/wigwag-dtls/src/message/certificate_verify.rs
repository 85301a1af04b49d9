//! CertificateVerify (RFC 5246 §7.4.8).

use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateVerify<'a> {
    pub(crate) scheme: u16,
    pub(crate) signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let verify = Self { scheme: reader.u16()?, signature: reader.vec16()? };
        reader.end()?;
        Ok(verify)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.scheme);
        put_vec(out, Length::U16, |out| out.extend_from_slice(self.signature));
    }
}
