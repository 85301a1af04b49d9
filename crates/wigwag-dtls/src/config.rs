//! What a connection is told when it is made.

use crate::handshake::fragment::MESSAGE_LEN_MAX;
use crate::{
    Certificate, CipherSuite, ClientAuthentication, CookieExchange, Error, Fingerprint, Group, SignatureScheme,
    SrtpProfile, Verifier, Version,
};
use std::sync::Arc;
use std::time::Duration;

/// Which side of the handshake this is: `a=setup:active` is the client, `a=setup:passive` the server (RFC 8842 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Awaits it.
    Server,
}

/// A timer of less would spin.
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// How long to wait for an answer, and how often.
///
/// RFC 6347 §4.2.4.1 recommends one second to begin with, and lets an implementation that knows better choose. A path
/// of which ICE has just measured the round trip is such a case (libwebrtc begins with 50 ms): 200 ms is more than most
/// round trips, so that little is sent twice, and little enough that one lost datagram is not felt as a slow call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retransmission {
    /// The first waiting time; it doubles with every retransmission. 200 ms by default; 1 ms at least, and no more than [`max`](field@Self::max).
    pub initial: Duration,
    /// The longest waiting time. RFC 6347 §4.2.4.1 wants no less than 60 seconds, the default.
    pub max: Duration,
    /// How often a flight is repeated before the peer is taken for dead. Every message of the peer starts it anew,
    /// and in DTLS 1.3 its application data and [media](crate::Connection::media_received). 10 by default: a peer that is not there is given up after 222 seconds.
    pub limit: u32,
    /// How long a peer that has acknowledged all that it was sent may take for its answer, before it is taken for dead
    /// (DTLS 1.3, where nothing is repeated then). 150 seconds by default: a peer may wait [60 seconds](Self::max) until it sends
    /// again what was lost, and that may be lost once more. 60 seconds or less would end handshakes whose next copy is due.
    /// What was acknowledged without protection is sent again after [`max`](Self::max), if that is less. With `Duration::MAX`,
    /// neither ever happens.
    pub patience: Duration,
}

impl Retransmission {
    /// How long what anybody can have acknowledged is not sent again.
    pub(crate) fn doubtful_patience(&self) -> Duration {
        if self.patience == Duration::MAX { self.patience } else { self.patience.min(self.max) }
    }
}

impl Default for Retransmission {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(200),
            max: Duration::from_secs(60),
            limit: 10,
            patience: Duration::from_secs(150),
        }
    }
}

/// A field, what is right for it, and whether it is so for a version.
type Need = (&'static str, &'static str, fn(&Config, Version) -> bool);

/// What a [`Connection`](crate::Connection) is made of.
///
/// One that contradicts itself ([`check`](Self::check)) makes a connection that is closed from the beginning, for that reason
/// ([`CloseReason::InvalidConfig`](crate::CloseReason::InvalidConfig)), and sends nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who begins.
    pub role: Role,
    /// Our certificate and its private key.
    pub certificate: Arc<Certificate>,
    /// The fingerprints of the session description: one of those with the strongest hash function must be that of the
    /// peer's certificate (RFC 8122 §5.1). If there is none, no peer is accepted (§6.2).
    pub remote_fingerprints: Vec<Fingerprint>,
    /// Who decides in place of the fingerprints, if anybody does. None by default.
    pub verifier: Option<Arc<dyn Verifier>>,
    /// Whether a server asks its client for a certificate. Required by default.
    pub client_authentication: ClientAuthentication,
    /// What the peer may sign with, the preferred one first.
    pub signature_schemes: Vec<SignatureScheme>,
    /// The oldest version to speak. DTLS 1.2 by default.
    pub min_version: Version,
    /// The newest version to speak, which is preferred. Not less than the oldest. DTLS 1.2 by default.
    pub max_version: Version,
    /// The SRTP protection profiles to offer, or to choose from, the preferred one first; none for no SRTP. By default
    /// [`SrtpProfile::DEFAULT`].
    pub srtp_profiles: Vec<SrtpProfile>,
    /// The cipher suites to offer, or to choose from, of all versions, the preferred one first. A version of which none is
    /// there is not spoken.
    pub cipher_suites: Vec<CipherSuite>,
    /// The groups of the key exchange to offer, or to choose from, the preferred one first. In DTLS 1.3, a client sends the
    /// share of the first at once, and that of the first which is not post-quantum.
    pub groups: Vec<Group>,
    /// Whether a server asks its client for a cookie (RFC 6347 §4.2.1, RFC 9147 §5.1), so that nothing is kept of a client before
    /// it has shown that it is where it says, and no more bytes are sent to it than came; in DTLS 1.3, to the smallest
    /// ClientHello that there can be, less than twice as many. None by default: ICE has shown it. Of a ClientHello in several
    /// datagrams, what has come is kept. A client answers every server that asks.
    pub cookie_exchange: Option<CookieExchange>,
    /// Whether a client of DTLS 1.3 says that it takes session tickets (RFC 8446 §4.2.9), as browsers do: to look as they do,
    /// or to try what a server sends after the handshake. They are thrown away: no session is resumed. Off by default.
    pub takes_tickets: bool,
    /// Whether a server of DTLS 1.3 sends two session tickets after the handshake, to a client that says it takes them
    /// (RFC 8446 §4.6.1): to look as other servers do, or to try what a client does with them. They open nothing: a client that
    /// brings one back within its lifetime of a second makes a handshake as any other. A client that acknowledges none of them
    /// is taken for dead, as after any flight. Off by default.
    pub sends_tickets: bool,
    /// The longest handshake message to take from the peer, in bytes; no more than 58,128 whatever it says. 32,768 by default,
    /// of which a chain of certificates needs the most.
    pub message_len_max: usize,
    /// When to send again.
    pub retransmission: Retransmission,
    /// Whether [`Connection::poll_key_log`](crate::Connection::poll_key_log) gives the secret away with which a packet
    /// analyser can read the connection. For debugging; off by default.
    pub key_log: bool,
}

impl Config {
    /// A configuration that accepts no peer yet: it has no fingerprints.
    pub fn new(role: Role, certificate: Arc<Certificate>) -> Self {
        Self {
            role,
            certificate,
            remote_fingerprints: Vec::new(),
            verifier: None,
            client_authentication: ClientAuthentication::default(),
            signature_schemes: SignatureScheme::ALL.to_vec(),
            min_version: Version::Dtls12,
            max_version: Version::Dtls12,
            srtp_profiles: SrtpProfile::DEFAULT.to_vec(),
            cipher_suites: CipherSuite::ALL.to_vec(),
            groups: Group::ALL.to_vec(),
            cookie_exchange: None,
            takes_tickets: false,
            sends_tickets: false,
            message_len_max: MESSAGE_LEN_MAX,
            retransmission: Retransmission::default(),
            key_log: false,
        }
    }
}

impl Config {
    /// Whether some peer could be talked to: one version at least has all that a handshake of it needs. Without fingerprints and a
    /// verifier nobody is believed, which is not looked at here.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the field that leaves no version, or no time.
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |field, problem| Err(Error::InvalidConfig { field, problem });
        let mut versions = vec![Version::Dtls12, Version::Dtls13];
        let needs: [Need; 5] = [
            ("min_version", "choose none newer than max_version", Self::allows),
            ("cipher_suites", "name one of a version that is spoken", |of, version| {
                of.suites(version).next().is_some()
            }),
            ("groups", "name one for a version that is spoken", |of, version| of.groups(version).next().is_some()),
            (
                "signature_schemes",
                "name one for a version that is spoken and, in DTLS 1.2, for a cipher suite of its kind of key",
                Self::can_verify,
            ),
            ("certificate", "in DTLS 1.2, a server needs a cipher suite for its kind of key", Self::can_show),
        ];
        for (field, problem, has) in needs {
            versions.retain(|version| has(self, *version));
            if versions.is_empty() {
                return invalid(field, problem);
            }
        }
        let Retransmission { initial, max, patience, .. } = self.retransmission;
        if !(TIMEOUT_MIN..=max).contains(&initial) {
            return invalid("retransmission.initial", "choose 1 ms at least, and no more than retransmission.max");
        }
        if patience < TIMEOUT_MIN {
            return invalid("retransmission.patience", "choose 1 ms at least");
        }
        Ok(())
    }

    fn allows(&self, version: Version) -> bool {
        self.min_version <= version && version <= self.max_version
    }

    /// Whether a signature of the peer's can be verified, or none is asked for. In 1.2, the suite says what a server signs with.
    fn can_verify(&self, version: Version) -> bool {
        let mut schemes = self.signature_schemes.iter().filter(|scheme| scheme.is_for(version));
        match (self.role, version, self.client_authentication) {
            (Role::Server, _, ClientAuthentication::None) => true,
            (Role::Client, Version::Dtls12, _) => {
                schemes.any(|scheme| self.suites(version).any(|suite| suite.is_rsa() == scheme.is_rsa()))
            }
            (Role::Client, Version::Dtls13, _) | (Role::Server, ..) => schemes.next().is_some(),
        }
    }

    /// Whether a server's certificate has a suite; a client's needs none.
    fn can_show(&self, version: Version) -> bool {
        let is_rsa = self.certificate.key().is_rsa();
        match (self.role, version) {
            (Role::Server, Version::Dtls12) => self.suites(version).any(|suite| suite.is_rsa() == is_rsa),
            (Role::Client, _) | (Role::Server, Version::Dtls13) => true,
        }
    }

    /// Whether this version is spoken.
    pub(crate) fn speaks(&self, version: Version) -> bool {
        self.allows(version) && self.suites(version).next().is_some()
    }

    /// The versions that are spoken, the newest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version> {
        [Version::Dtls13, Version::Dtls12].into_iter().filter(|version| self.speaks(*version))
    }

    /// The cipher suites of a version.
    pub(crate) fn suites(&self, version: Version) -> impl Iterator<Item = CipherSuite> {
        self.cipher_suites.iter().copied().filter(move |suite| suite.version() == version)
    }

    /// The groups that a handshake of this version can use.
    pub(crate) fn groups(&self, version: Version) -> impl Iterator<Item = Group> {
        self.groups.iter().copied().filter(move |group| group.is_for(version))
    }
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
