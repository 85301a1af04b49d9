//! Certificates of every kind, with their keys: those of the tests of wigwag-dtls.

use std::path::{Path, PathBuf};
use wigwag_dtls::{Certificate, CipherSuite};

/// ECDSA with P-256 and P-384, EdDSA, RSA.
pub(crate) const KINDS: [&str; 4] = ["p256", "p384", "ed25519", "rsa2048"];

/// Certificate and key of one kind, in one file of PEM.
pub(crate) fn path(kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wigwag-dtls/tests/dtls/certificates");
    folder.join(kind).with_extension("pem")
}

pub(crate) fn certificate(kind: &str) -> Certificate {
    let pem = std::fs::read_to_string(path(kind)).expect("a certificate");
    Certificate::from_pem(&pem, &pem).expect("a certificate and its key")
}

/// The kind that a server needs for a cipher suite of 1.2; any will do in 1.3.
pub(crate) fn kind_for(suite: CipherSuite) -> &'static str {
    if suite.to_string().contains("_RSA_") { "rsa2048" } else { "p256" }
}
