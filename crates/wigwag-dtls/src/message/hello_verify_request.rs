//! HelloVerifyRequest (RFC 6347 §4.2.1).

use crate::codec::Reader;
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
}
