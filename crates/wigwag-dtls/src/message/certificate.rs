//! Certificate (RFC 5246 §7.4.2).

use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

/// How many certificates a list may have: as many as OpenSSL takes by default.
pub(crate) const CHAIN_LEN_MAX: usize = 100;

/// The sender's certificate comes first; what follows it proves nothing to us, and something to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// In DER.
    pub(crate) chain: Vec<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let mut list = Reader::new(reader.vec24()?);
        reader.end()?;
        let mut chain = Vec::new();
        while !list.is_empty() {
            // opaque ASN.1Cert<1..2^24-1>;
            let der = list.vec24()?;
            if der.is_empty() || chain.len() == CHAIN_LEN_MAX {
                return Err(DecodeError);
            }
            chain.push(der);
        }
        Ok(Self { chain })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U24, |out| {
            for der in &self.chain {
                put_vec(out, Length::U24, |out| out.extend_from_slice(der));
            }
        });
    }
}
