//! Certificates: ours is written, the peer's is read; ASN.1 itself is left to others (RFC 5280, RFC 5480).

use super::random::Randomness;
use super::signature::{PrivateKey, SigningKey, VerifyingKey};
use crate::error::{DecodeError, Error};
use std::time::Duration;
use wigwag_sansio::Rng;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};
use x509_parser::nom::Parser;
use x509_parser::prelude::{X509Certificate, X509CertificateParser};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The same name for everybody tells nobody apart.
struct Anonymous(Name);

impl BuilderProfile for Anonymous {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        _spk: SubjectPublicKeyInfoRef<'_>,
        _issuer_spk: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints { ca: false, path_len_constraint: None };
        Ok(vec![constraints.to_extension(tbs.subject(), &[])?])
    }
}

/// A certificate for `key`, signed with it. Those are made for keys that we make: of P-256 and of RSA.
pub(crate) fn self_signed(key: &SigningKey, serial: [u8; 8], now: Duration, rng: &mut Rng) -> Result<Vec<u8>, Error> {
    let not_after = now.checked_add(30 * DAY).ok_or(Error::InvalidTime)?;
    let validity = Validity::new(time(now.saturating_sub(DAY))?, time(not_after)?);
    let builder = |public| {
        let name: Name = "CN=WebRTC".parse()?;
        CertificateBuilder::new(Anonymous(name), SerialNumber::new(&serial)?, validity, public)
    };
    let mut build = || {
        let SigningKey::Own { key, .. } = key else { return Ok(None) };
        let certificate = match key {
            PrivateKey::P256(key) => builder(SubjectPublicKeyInfoOwned::from_key(key.verifying_key())?)?
                .build::<_, p256::ecdsa::DerSignature>(key)?,
            PrivateKey::Rsa(key) => builder(SubjectPublicKeyInfoOwned::from_key(&key.to_public_key())?)?
                .build_with_rng::<_, rsa::pkcs1v15::Signature, _>(
                &rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new((**key).clone()),
                &mut Randomness(rng),
            )?,
            PrivateKey::P384(_) | PrivateKey::Ed25519(_) => return Ok(None),
        };
        x509_cert::builder::Result::Ok(Some(certificate.to_der()?))
    };
    build().ok().flatten().ok_or(Error::InvalidCertificate)
}

fn time(since_1970: Duration) -> Result<Time, Error> {
    DateTime::from_unix_duration(since_1970).map(Time::from).map_err(|_| Error::InvalidTime)
}

/// The public key of a certificate, if it is one that we verify with. Nothing else of it is looked at: who the peer is, its
/// fingerprint says.
pub(crate) fn public_key(der: &[u8]) -> Result<VerifyingKey, DecodeError> {
    let certificate = decode(der)?;
    let key = SubjectPublicKeyInfoRef::from_der(certificate.public_key().raw).map_err(|_| DecodeError)?;
    VerifyingKey::from_spki(&key).ok_or(DecodeError)
}

/// Whether it is a certificate, and nothing behind it.
pub(crate) fn check(der: &[u8]) -> Result<(), DecodeError> {
    decode(der).map(drop)
}

fn decode(der: &[u8]) -> Result<X509Certificate<'_>, DecodeError> {
    // What extensions say matters to nobody here.
    match X509CertificateParser::new().with_deep_parse_extensions(false).parse(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(DecodeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Certificate;

    const PEMS: [&str; 4] = [
        include_str!("../../tests/dtls/certificates/p256.pem"),
        include_str!("../../tests/dtls/certificates/p384.pem"),
        include_str!("../../tests/dtls/certificates/ed25519.pem"),
        include_str!("../../tests/dtls/certificates/rsa2048.pem"),
    ];

    #[test]
    fn what_is_cut_or_has_something_behind_it_is_no_certificate() {
        for pem in PEMS {
            let certificate = Certificate::from_pem(pem, pem).unwrap();
            let der = certificate.der();
            assert!(check(der).is_ok());
            assert!((0..der.len()).all(|len| check(&der[..len]).is_err()));
            assert!(check(&[der, &[0]].concat()).is_err());
        }
    }
}
