//! EncryptedExtensions (RFC 8446 §4.3.1).

use super::extension::Extensions;
use crate::codec::Reader;
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EncryptedExtensions<'a> {
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> EncryptedExtensions<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let extensions = Extensions::decode(&mut reader)?;
        reader.end()?;
        Ok(Self { extensions })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.extensions.encode(out);
    }
}
