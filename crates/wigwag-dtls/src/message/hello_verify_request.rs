//! HelloVerifyRequest (RFC 6347 §4.2.1).

use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

/// The version in it says nothing: it is 1.0 whatever is negotiated later (RFC 6347 §4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelloVerifyRequest<'a> {
    pub(crate) cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        reader.u16()?;
        let cookie = reader.vec8()?;
        reader.end()?;
        Ok(Self { cookie })
    }

    // RFC 6347 §4.2.1: "DTLS 1.2 server implementations SHOULD use DTLS version 1.0 regardless of the version of TLS that is
    // expected to be negotiated."
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, 0xFEFF);
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.cookie));
    }
}
