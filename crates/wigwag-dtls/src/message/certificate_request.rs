//! CertificateRequest (RFC 5246 §7.4.4).

use crate::codec::{Length, Numbers, Reader, put_numbers, put_vec};
use crate::error::DecodeError;

/// RFC 8422 §5.5: ClientCertificateType ecdsa_sign.
pub(crate) const ECDSA_SIGN: u8 = 64;
/// RFC 5246 §7.4.4: ClientCertificateType rsa_sign.
pub(crate) const RSA_SIGN: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRequest<'a> {
    pub(crate) certificate_types: &'a [u8],
    pub(crate) signature_algorithms: Numbers<'a>,
}

impl<'a> CertificateRequest<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        // ClientCertificateType certificate_types<1..2^8-1>;
        let certificate_types = Some(reader.vec8()?).filter(|types| !types.is_empty()).ok_or(DecodeError)?;
        let signature_algorithms = reader.numbers()?;
        // The authorities: nobody in WebRTC has one.
        let mut authorities = Reader::new(reader.vec16()?);
        while !authorities.is_empty() {
            authorities.vec16()?;
        }
        reader.end()?;
        Ok(Self { certificate_types, signature_algorithms })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.certificate_types));
        put_numbers(out, self.signature_algorithms.iter());
        put_vec(out, Length::U16, |_| {});
    }
}
