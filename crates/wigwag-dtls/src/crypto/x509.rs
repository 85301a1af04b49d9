//! Certificates: ours is written, the peer's is read; ASN.1 itself is left to others (RFC 5280, RFC 5480).

use super::signature::{PrivateKey, SignatureScheme, SigningKey, VerifyingKey};
use crate::error::{DecodeError, Error};
use ecdsa::hazmat::sign_prehashed_rfc6979;
use ecdsa::signature::Keypair;
use p256::NistP256;
use sha2::{Digest, Sha256};
use std::time::Duration;
use wigwag_sansio::Rng;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier};
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};
use x509_parser::nom::Parser;
use x509_parser::prelude::{X509Certificate, X509CertificateParser};

/// How they are signed (RFC 5758 §3.2, RFC 8017 §A.2.4).
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const SHA_256_WITH_RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

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

/// Who signs a certificate for their own public key, as they say.
struct Issuer<P> {
    public: P,
    algorithm: AlgorithmIdentifierOwned,
}

impl<P: Clone> Keypair for Issuer<P> {
    type VerifyingKey = P;

    fn verifying_key(&self) -> P {
        self.public.clone()
    }
}

impl<P> DynSignatureAlgorithmIdentifier for Issuer<P> {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.algorithm.clone())
    }
}

/// A certificate for `key`, signed with it. Those are made for keys that we make: of P-256 and of RSA.
pub(crate) fn self_signed(key: &SigningKey, serial: [u8; 8], now: Duration, rng: &mut Rng) -> Result<Vec<u8>, Error> {
    let not_after = now.checked_add(30 * DAY).ok_or(Error::InvalidTime)?;
    let validity = Validity::new(time(now.saturating_sub(DAY))?, time(not_after)?);
    let SigningKey::Own { key: secret, pair, .. } = key else { return Err(Error::InvalidKey) };
    let der = match secret {
        PrivateKey::P256(secret) => {
            let public = pair.point().and_then(|point| p256::PublicKey::from_sec1_bytes(&point).ok());
            let issuer =
                Issuer { public: public.ok_or(Error::InvalidKey)?, algorithm: algorithm(ECDSA_WITH_SHA_256, None) };
            build(&issuer, serial, validity, |tbs| sign_rfc6979(secret, tbs))
        }
        PrivateKey::Rsa(secret) => {
            let algorithm = algorithm(SHA_256_WITH_RSA_ENCRYPTION, Some(Any::null()));
            let sign = |tbs: &[u8]| key.sign(SignatureScheme::RsaPkcs1Sha256, tbs.into(), rng);
            build(&Issuer { public: secret.to_public_key(), algorithm }, serial, validity, sign)
        }
        PrivateKey::P384(_) | PrivateKey::Ed25519(_) => return Err(Error::InvalidKey),
    };
    der.ok().flatten().ok_or(Error::InvalidCertificate)
}

/// Not by the backend: what a seed makes has the same fingerprint with each of them. The key's own point is not needed for it.
fn sign_rfc6979(secret: &p256::SecretKey, message: &[u8]) -> Option<Vec<u8>> {
    let (hash, secret) = (Sha256::digest(message), secret.to_nonzero_scalar());
    let (signature, _) = sign_prehashed_rfc6979::<NistP256, Sha256>(&secret, &hash, &[]);
    Some(signature.to_der().as_bytes().to_vec())
}

const fn algorithm(oid: ObjectIdentifier, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters }
}

/// The certificate in DER; `None` if it could not be signed.
fn build<P: Clone + EncodePublicKey>(
    issuer: &Issuer<P>,
    serial: [u8; 8],
    validity: Validity,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> x509_cert::builder::Result<Option<Vec<u8>>> {
    let (name, serial) = ("CN=WebRTC".parse()?, SerialNumber::new(&serial)?);
    let public = SubjectPublicKeyInfoOwned::from_key(&issuer.public)?;
    let mut builder = CertificateBuilder::new(Anonymous(name), serial, validity, public)?;
    let Some(signature) = sign(&builder.finalize(issuer)?) else { return Ok(None) };
    let certificate = builder.assemble(BitString::from_bytes(&signature)?, issuer)?;
    Ok(Some(certificate.to_der()?))
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
