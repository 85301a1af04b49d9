//! What a client must know before it asks, and a server before it answers.

use crate::base64;
use crate::server::PeerPolicy;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use wigwag_sansio::{Protocol, WallClock};
use wigwag_stun::{IntegrityKey, Retransmission};
use zeroize::Zeroizing;

/// A long-term credential (RFC 8489 §9.2). Wiped when dropped; the password is never printed.
///
/// Name and password are taken as they are: whoever has others than ASCII prepares them with the OpaqueString profile
/// (RFC 8265 §4.2) before.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// Name and password, of a user for ever, or of an hour as a server of the application's makes them
    /// (draft-uberti-behave-turn-rest).
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Zeroizing::new(password.into()) }
    }

    /// Those of somebody whom an application has let in until then, for a server that shares a secret with it
    /// ([`ServerConfig::share_secret`], coturn's `use-auth-secret`): the name is the time in seconds since 1970, a colon and `name`, the
    /// password is a tag of that.
    pub fn ephemeral(secret: &[u8], until: Duration, name: &str) -> Self {
        let username = format!("{}:{name}", until.as_secs());
        let password = password_of(&IntegrityKey::from_bytes(secret), &username);
        Self { username, password }
    }

    /// The name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password, for whoever makes [ephemeral](Self::ephemeral) ones and hands them out.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
}

/// draft-uberti-behave-turn-rest-00 §2.2: "base64(hmac(<secret>, <username>))", with HMAC-SHA1.
pub(crate) fn password_of(secret: &IntegrityKey, username: &str) -> Zeroizing<String> {
    Zeroizing::new(base64::encode(&secret.tag(username.as_bytes()), true))
}

/// Which server a client asks, from where, as whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The address of ours that requests are sent from, and relayed datagrams arrive at. Of a stream its port is a name for it: the
    /// driver, who opens the stream, may have the system choose another.
    pub local: SocketAddr,
    /// The server's address; port 3478 is usual for UDP and TCP, 5349 for TLS.
    pub server: SocketAddr,
    /// How the server is asked, and what is relayed travels between it and us: in datagrams, or over a stream, inside TLS or not. To peers
    /// it sends datagrams in any case.
    pub protocol: Protocol,
    /// Who we are.
    pub credentials: Credentials,
    /// How often and how long a request is sent again.
    pub retransmission: Retransmission,
}

impl ClientConfig {
    /// Asks `server` from `local` over UDP, with the timers of RFC 8489.
    pub fn new(local: SocketAddr, server: SocketAddr, credentials: Credentials) -> Self {
        Self { local, server, protocol: Protocol::Udp, credentials, retransmission: Retransmission::default() }
    }

    /// Asks it over this protocol, with the timers that are right for it.
    #[must_use]
    pub fn over(self, protocol: Protocol) -> Self {
        let retransmission = match protocol {
            Protocol::Udp => Retransmission::default(),
            Protocol::Tcp | Protocol::Tls => Retransmission::over_stream(),
        };
        Self { protocol, retransmission, ..self }
    }
}

/// The longest realm, in bytes: with a longer one a server's first answer would be more than three times as long as the shortest
/// request, and a gift to whoever has others flooded.
pub const REALM_LEN_MAX: usize = 28;

/// A realm that is empty, or longer than [`REALM_LEN_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a realm is of 1 to {REALM_LEN_MAX} bytes, this one is of {0}")]
pub struct RealmError(usize);

/// What a server listens at, relays at, whom it serves, and how much.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The addresses that clients ask, for datagrams and for streams, each with its port: none of them is ever a peer, and what arrives
    /// elsewhere is none of a client's. An unspecified address (`0.0.0.0`) is none of them: the driver says at which one a datagram arrived.
    pub listening: Vec<SocketAddr>,
    /// Where peers reach clients. Those of IPv4 are for whoever asks for IPv4 or for nothing special, those of IPv6 for whoever asks for IPv6;
    /// without one of a family such requests are refused with 440.
    pub relay_addresses: Vec<IpAddr>,
    /// And at which ports. RFC 8656 §7.2: "the server SHOULD only allocate ports from the range 49152 - 65535"
    pub relay_ports: RangeInclusive<u16>,
    /// Which peers may be reached.
    pub peers: PeerPolicy,
    /// The longest lifetime of an allocation that is granted at once; never less than ten minutes.
    pub lifetime_max: Duration,
    /// How long a nonce is good; then a client is given another one (438), which costs it a round trip.
    pub nonce_lifetime: Duration,
    /// How many allocations there are at most; then others are refused with 508.
    pub allocations_max: usize,
    /// How many of them one user has at most; then more are refused with 486.
    pub allocations_per_user_max: usize,
    /// How many streams of clients are open at most; then others are closed at once.
    pub streams_max: usize,
    /// How many bytes wait to be sent at most, each datagram with 64 more; then relayed datagrams are dropped, and answers too.
    pub queue_max: usize,
    pub(crate) users: Users,
}

/// Who may use a server.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    pub(crate) realm: String,
    /// RFC 8656 §6: "the server MUST NOT store the password explicitly and MUST store the key value"
    pub(crate) named: BTreeMap<String, IntegrityKey>,
    pub(crate) secrets: Vec<IntegrityKey>,
    pub(crate) clock: Option<WallClock>,
}

impl ServerConfig {
    /// A server of this realm (a name such as `example.org`, which passwords are for), that listens and relays at these addresses, and
    /// serves nobody yet.
    ///
    /// # Errors
    /// [`RealmError`] if the realm is empty or longer than [`REALM_LEN_MAX`] bytes.
    pub fn new(
        realm: impl Into<String>,
        listening: impl Into<Vec<SocketAddr>>,
        relay_addresses: impl Into<Vec<IpAddr>>,
    ) -> Result<Self, RealmError> {
        let realm = realm.into();
        if !(1..=REALM_LEN_MAX).contains(&realm.len()) {
            return Err(RealmError(realm.len()));
        }
        Ok(Self {
            listening: listening.into(),
            relay_addresses: relay_addresses.into(),
            relay_ports: 49_152..=65_535,
            peers: PeerPolicy::default(),
            lifetime_max: Duration::from_secs(3600),
            nonce_lifetime: Duration::from_secs(3600),
            allocations_max: 1000,
            allocations_per_user_max: 100,
            streams_max: 2000,
            queue_max: 4 << 20,
            users: Users { realm, named: BTreeMap::new(), secrets: Vec::new(), clock: None },
        })
    }

    /// Serves somebody. Of the password a hash is kept.
    pub fn add_user(&mut self, user: &Credentials) {
        self.users.add(user);
    }

    /// Serves whoever has [credentials of this secret](Credentials::ephemeral), until the time that is in their name. Of several secrets each
    /// is good, so that one can follow another.
    pub fn share_secret(&mut self, secret: &[u8], clock: WallClock) {
        self.users.secrets.push(IntegrityKey::from_bytes(secret));
        self.users.clock = Some(clock);
    }
}

impl Users {
    pub(crate) fn add(&mut self, user: &Credentials) {
        let key = IntegrityKey::long_term(user.username(), &self.realm, user.password());
        self.named.insert(user.username().to_owned(), key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials::new("alice", "secret");
        assert_eq!(format!("{credentials:?}"), "Credentials(alice, …)");
        let server = "192.0.2.1:3478".parse().unwrap();
        assert!(!format!("{:?}", ClientConfig::new(server, server, credentials.clone())).contains("secret"));
        let mut config = ServerConfig::new("example.org", [], []).unwrap();
        config.add_user(&credentials);
        config.share_secret(b"shared", WallClock::new(wigwag_sim::origin(), Duration::ZERO));
        assert!(!format!("{config:?}").contains("secret(") && !format!("{config:?}").contains("shared"));
    }

    /// By `openssl dgst -sha1 -hmac`, as coturn's documentation has it.
    #[test]
    fn a_password_of_an_hour_is_a_tag_of_the_name() {
        let credentials = Credentials::ephemeral(b"north", Duration::from_secs(1_700_000_000), "ann");
        assert_eq!(credentials.username(), "1700000000:ann");
        assert_eq!(credentials.password(), "jeamH6dA5l2I9g3jmieza7CzEDo=");
    }

    #[test]
    fn a_realm_is_no_longer_than_an_answer_may_be() {
        for (len, is_realm) in [(0, false), (1, true), (REALM_LEN_MAX, true), (REALM_LEN_MAX + 1, false)] {
            assert_eq!(ServerConfig::new("r".repeat(len), [], []).is_ok(), is_realm, "{len}");
        }
    }
}
