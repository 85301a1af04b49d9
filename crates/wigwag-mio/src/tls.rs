//! TLS of streams to TURN servers, by rustls: the server shows a certificate for its name, which somebody vouches for whom the user trusts.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Why there is no stream in TLS.
pub(crate) const MISSING: &str = "this driver has not been told whom to trust: set DriverConfig::tls";
/// What is taken out of a session at once; a record holds 16 KiB at most (RFC 8446 §5.1).
const READ_LEN: usize = 16 << 10;

/// Whom streams in TLS trust: cheap to clone. With the feature `tls`.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Trusts whoever shows a certificate that one of these has signed, or one of these itself: certificates in PEM, as in
    /// `/etc/ssl/certs/ca-certificates.crt` where the system has that file. One of several that nobody can read, as old ones in such files
    /// are, is passed over.
    ///
    /// # Errors
    /// There is no certificate among the text, or none that can be read ([`io::ErrorKind::InvalidInput`]).
    pub fn trusting_pem(pem: &[u8]) -> io::Result<Self> {
        let problem = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let (mut roots, mut reason) = (RootCertStore::empty(), None);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| problem(format!("the PEM cannot be read: {error}")))?;
            if let Err(error) = roots.add(certificate) {
                tracing::warn!(%error, "a certificate is not trusted");
                reason = Some(error);
            }
        }
        match reason {
            _ if !roots.is_empty() => {}
            Some(error) => return Err(problem(format!("a certificate cannot be trusted: {error}"))),
            None => {
                return Err(problem("no certificate in the PEM: `-----BEGIN CERTIFICATE-----` is expected".into()));
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(error.to_string()))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    /// As this configuration of rustls says: with other roots, another verifier, another provider of cryptography, or a certificate of ours.
    pub const fn of_rustls(config: Arc<ClientConfig>) -> Self {
        Self(config)
    }
}

/// What turns bytes into those of TLS and back.
pub(crate) struct Session {
    connection: ClientConnection,
    plain: Vec<u8>,
    /// What was written before the handshake has come to its end, in bytes.
    early: usize,
}

impl Session {
    pub(crate) fn new(tls: &Tls, server_name: &str) -> Result<Self, String> {
        let name = ServerName::try_from(server_name.to_owned());
        let name = name.map_err(|_| format!("no certificate is for the name {server_name:?}: see over_tls"))?;
        let mut connection = ClientConnection::new(Arc::clone(&tls.0), name).map_err(|error| words(&error))?;
        // Whoever writes keeps to a limit of their own, and a message is taken as a whole.
        connection.set_buffer_limit(None);
        Ok(Self { connection, plain: Vec::new(), early: 0 })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// How much waits for the end of the handshake.
    pub(crate) fn waiting(&self) -> usize {
        if self.is_handshaking() { self.early } else { 0 }
    }

    /// Appends what goes to the server, now or with the end of the handshake.
    pub(crate) fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.early = self.waiting().saturating_add(bytes.len());
        // Nothing is refused without a limit, and memory does not fail.
        let _ = self.connection.writer().write_all(bytes);
        self.emit(out);
    }

    /// Takes what has come from the server: hands in what is inside, and appends what is to be answered.
    ///
    /// # Errors
    /// The server is not believed, breaks the rules, or has ended it; in words for people.
    pub(crate) fn read(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        each: &mut impl FnMut(&mut [u8]),
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            let taken = self.connection.read_tls(&mut bytes).map_err(|error| error.to_string())?;
            let result = self.connection.process_new_packets();
            self.emit(out);
            let state = result.map_err(|error| words(&error))?;
            self.hand_in(each)?;
            if state.peer_has_closed() || taken == 0 {
                return Err("the server has closed it".into());
            }
        }
        Ok(())
    }

    fn hand_in(&mut self, each: &mut impl FnMut(&mut [u8])) -> Result<(), String> {
        self.plain.resize(READ_LEN, 0);
        loop {
            match self.connection.reader().read(&mut self.plain) {
                Ok(0) => return Ok(()),
                Ok(len) => each(self.plain.get_mut(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.emit(out);
    }

    fn emit(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() && self.connection.write_tls(out).is_ok_and(|len| len > 0) {}
    }
}

/// What helps, as far as an error tells.
fn words(error: &Error) -> String {
    let help = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody in DriverConfig::tls vouches for it: trust the one who has signed it there, if you do"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "give over_tls the name that it is for",
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "the server needs another one, or the clock of this machine is wrong",
        Error::InvalidCertificate(CertificateError::BadSignature) => "it was not signed by whom it names",
        Error::InvalidMessage(_) => "the server does not speak TLS at this port, or something between answers for it",
        _ => return format!("TLS: {error}"),
    };
    format!("TLS: {error}; {help}")
}
