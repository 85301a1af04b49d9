//! Certificate (RFC 5246 §7.4.2).

use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

/// The peer's certificate comes first; what follows it proves nothing to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// In DER; none if the list is empty.
    pub(crate) leaf: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let mut list = Reader::new(reader.vec24()?);
        reader.end()?;
        let mut leaf = None;
        while !list.is_empty() {
            // opaque ASN.1Cert<1..2^24-1>;
            let der = Some(list.vec24()?).filter(|der| !der.is_empty()).ok_or(DecodeError)?;
            leaf.get_or_insert(der);
        }
        Ok(Self { leaf })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U24, |out| {
            if let Some(leaf) = self.leaf {
                put_vec(out, Length::U24, |out| out.extend_from_slice(leaf));
            }
        });
    }
}
