//! What a client must know before it asks.

use std::fmt;
use std::net::SocketAddr;
use wigwag_sansio::Protocol;
use wigwag_stun::Retransmission;
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

    /// The name.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials::new("alice", "secret");
        assert_eq!(format!("{credentials:?}"), "Credentials(alice, …)");
        let server = "192.0.2.1:3478".parse().unwrap();
        assert!(!format!("{:?}", ClientConfig::new(server, server, credentials)).contains("secret"));
    }
}
