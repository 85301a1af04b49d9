//! HTTPS with a certificate of our own, since browsers give cameras to secure pages only.

use crate::failure::Failure;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use wigwag_dtls::{Certificate, HashAlgorithm};

/// What serves TLS, and the fingerprint by which a person can recognise it.
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) fingerprint: String,
}

impl Tls {
    /// TLS with this certificate, which nobody vouches for.
    pub(crate) fn new(certificate: &Certificate) -> Result<Self, Failure> {
        let key =
            certificate.private_key().ok_or_else(|| Failure::new("the certificate has no key that can be had"))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.secret_bytes().to_vec()));
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| Failure::new(format!("cannot make a TLS certificate: {error}")))?;
        let fingerprint = certificate.fingerprint(HashAlgorithm::Sha256).to_string();
        Ok(Self { config: Arc::new(config), fingerprint })
    }
}
