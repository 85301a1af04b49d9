//! Certificate of DTLS 1.3 (RFC 8446 §4.4.2).

use super::certificate::CHAIN_LEN_MAX;
use super::extension::Extensions;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

/// The sender's certificate comes first; what follows it proves nothing to us, and something to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate13<'a> {
    /// Empty in a handshake.
    pub(crate) context: &'a [u8],
    /// In DER.
    pub(crate) chain: Vec<&'a [u8]>,
    /// Whether anything is said of one of the certificates. We ask for nothing.
    pub(crate) has_extensions: bool,
}

impl<'a> Certificate13<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let context = reader.vec8()?;
        let mut list = Reader::new(reader.vec24()?);
        reader.end()?;
        let (mut chain, mut has_extensions) = (Vec::new(), false);
        while !list.is_empty() {
            // opaque cert_data<1..2^24-1>; Extension extensions<0..2^16-1>;
            let der = list.vec24()?;
            if der.is_empty() || chain.len() == CHAIN_LEN_MAX {
                return Err(DecodeError);
            }
            chain.push(der);
            has_extensions |= Extensions::decode(&mut list)?.iter().next().is_some();
        }
        Ok(Self { context, chain, has_extensions })
    }

    /// Without extensions.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.context));
        put_vec(out, Length::U24, |out| {
            for der in &self.chain {
                put_vec(out, Length::U24, |out| out.extend_from_slice(der));
                put_vec(out, Length::U16, |_| {});
            }
        });
    }
}
