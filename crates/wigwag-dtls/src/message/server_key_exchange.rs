//! ServerKeyExchange of ECDHE (RFC 8422 §5.4).

use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

/// ECCurveType named_curve.
const NAMED_CURVE: u8 = 3;
/// As long as what is signed is with the longest point of our curves, that of P-384: randoms, curve, length, point.
const SIGNED_LEN: usize = 2 * 32 + 3 + 1 + 97;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerKeyExchange<'a> {
    pub(crate) group: u16,
    pub(crate) public_key: &'a [u8],
    pub(crate) scheme: u16,
    pub(crate) signature: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.u8()? != NAMED_CURVE {
            return Err(DecodeError);
        }
        let exchange = Self {
            group: reader.u16()?,
            public_key: reader.vec8()?,
            scheme: reader.u16()?,
            signature: reader.vec16()?,
        };
        reader.end()?;
        Ok(exchange)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        Self::encode_parameters(self.group, self.public_key, out);
        put_u16(out, self.scheme);
        put_vec(out, Length::U16, |out| out.extend_from_slice(self.signature));
    }

    fn encode_parameters(group: u16, public_key: &[u8], out: &mut Vec<u8>) {
        out.push(NAMED_CURVE);
        put_u16(out, group);
        put_vec(out, Length::U8, |out| out.extend_from_slice(public_key));
    }

    /// What is signed.
    ///
    /// RFC 8422 §5.4: both randoms, the client's first, and then the parameters.
    pub(crate) fn signed(client: &[u8; 32], server: &[u8; 32], group: u16, public_key: &[u8]) -> Vec<u8> {
        let mut signed = Vec::with_capacity(SIGNED_LEN);
        signed.extend_from_slice(client);
        signed.extend_from_slice(server);
        Self::encode_parameters(group, public_key, &mut signed);
        signed
    }
}
