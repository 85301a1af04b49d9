//! Certificate of DTLS 1.3 (RFC 8446 §4.4.2).

use super::extension::Extensions;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

/// The peer's certificate comes first; what follows it proves nothing to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate13<'a> {
    /// Empty in a handshake.
    pub(crate) context: &'a [u8],
    /// In DER; none if the list is empty.
    pub(crate) leaf: Option<&'a [u8]>,
    /// Whether anything is said of one of the certificates. We ask for nothing.
    pub(crate) has_extensions: bool,
}

impl<'a> Certificate13<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let context = reader.vec8()?;
        let mut list = Reader::new(reader.vec24()?);
        reader.end()?;
        let (mut leaf, mut has_extensions) = (None, false);
        while !list.is_empty() {
            // opaque cert_data<1..2^24-1>; Extension extensions<0..2^16-1>;
            let der = Some(list.vec24()?).filter(|der| !der.is_empty()).ok_or(DecodeError)?;
            has_extensions |= Extensions::decode(&mut list)?.iter().next().is_some();
            leaf.get_or_insert(der);
        }
        Ok(Self { context, leaf, has_extensions })
    }

    /// Without extensions.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.context));
        put_vec(out, Length::U24, |out| {
            if let Some(leaf) = self.leaf {
                put_vec(out, Length::U24, |out| out.extend_from_slice(leaf));
                put_vec(out, Length::U16, |_| {});
            }
        });
    }
}
