//! A TURN server as the application names it: by its address, or by a URL of W3C's `iceServers` (RFC 7065).

use crate::error::TurnUrlError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use wigwag_sansio::Protocol;
use wigwag_turn as turn;

/// RFC 7065 §3.2: "default to 3478 […] for turn and 5349 for turns".
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// How a TURN server is asked, and what it relays travels between it and us; to peers it sends datagrams in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TurnTransport {
    /// In datagrams: the best for a call, where it gets through.
    #[default]
    Udp,
    /// Over a stream of TCP.
    Tcp,
    /// Over a stream of TCP, in TLS, which few firewalls stop.
    Tls {
        /// The name, or the address, that the server's certificate must be for. The driver checks it
        /// ([`Endpoint::tls_server_name`](crate::Endpoint::tls_server_name)).
        server_name: String,
    },
}

impl TurnTransport {
    pub(crate) const fn protocol(&self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Tcp => Protocol::Tcp,
            Self::Tls { .. } => Protocol::Tls,
        }
    }

    /// webrtc-stats: `relayProtocol`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls { .. } => "tls",
        }
    }
}

/// A TURN server, which relays for whoever knows a password (one `turn:` or `turns:` URL of W3C's `RTCIceServer`).
///
/// ```
/// use wigwag::TurnServer;
/// let address = "192.0.2.1:3478".parse()?;
/// let servers = [
///     TurnServer::new(address, "alice", "secret"),
///     TurnServer::new(address, "alice", "secret").over_tcp(),
///     TurnServer::new("192.0.2.1:443".parse()?, "alice", "secret").over_tls("turn.example.org"),
/// ];
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TurnServer {
    /// Where it is; port 3478 is usual, and 5349 or 443 for TLS.
    pub address: SocketAddr,
    /// How it is asked; in datagrams unless said otherwise.
    pub transport: TurnTransport,
    /// Who we are there: W3C's `username` and `credential`. The password is never printed.
    pub credentials: turn::Credentials,
}

impl TurnServer {
    /// The server at this address, asked over UDP, where we are known by this name and password.
    pub fn new(address: SocketAddr, username: impl Into<String>, password: impl Into<String>) -> Self {
        let credentials = turn::Credentials::new(username, password);
        Self { address, transport: TurnTransport::Udp, credentials }
    }

    /// Asks it over TCP.
    #[must_use]
    pub fn over_tcp(self) -> Self {
        Self { transport: TurnTransport::Tcp, ..self }
    }

    /// Asks it over TLS. Its certificate must be for this name, or this address.
    #[must_use]
    pub fn over_tls(self, server_name: impl Into<String>) -> Self {
        Self { transport: TurnTransport::Tls { server_name: server_name.into() }, ..self }
    }

    /// Whether the two are one server, asked in one way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address == other.address && self.transport == other.transport
    }

    /// Whether a certificate can be for its name.
    pub(crate) fn has_possible_name(&self) -> bool {
        match &self.transport {
            TurnTransport::Udp | TurnTransport::Tcp => true,
            TurnTransport::Tls { server_name } => is_host(server_name),
        }
    }
}

/// The URL, by the address as far as no name is known.
impl fmt::Display for TurnServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            TurnTransport::Udp => write!(f, "turn:{}", self.address),
            TurnTransport::Tcp => write!(f, "turn:{}?transport=tcp", self.address),
            TurnTransport::Tls { server_name } => match server_name.parse::<IpAddr>() {
                Ok(ip) => write!(f, "turns:{}?transport=tcp", SocketAddr::new(ip, self.address.port())),
                Err(_) => write!(f, "turns:{server_name}:{}?transport=tcp", self.address.port()),
            },
        }
    }
}

/// What a URL of W3C's `iceServers` says of a TURN server (RFC 7065). Its name is for the application to look up: nothing here asks a
/// name server.
///
/// ```
/// use wigwag::TurnUrl;
/// let url: TurnUrl = "turns:turn.example.org?transport=tcp".parse()?;
/// assert_eq!((url.host.as_str(), url.port), ("turn.example.org", 5349));
/// let found = [192, 0, 2, 1].into(); // (url.host.as_str(), url.port).to_socket_addrs()
/// assert_eq!(url.at(found, "alice", "secret").to_string(), "turns:turn.example.org:5349?transport=tcp");
/// # Ok::<(), wigwag::TurnUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TurnUrl {
    /// A name, or an address (of IPv6 without its brackets).
    pub host: String,
    /// The port, also where the URL leaves it out.
    pub port: u16,
    /// How the server is asked; of `turns:`, with the host as the name that its certificate must be for.
    pub transport: TurnTransport,
}

impl TurnUrl {
    /// The server, which was found at this address.
    pub fn at(&self, ip: IpAddr, username: impl Into<String>, password: impl Into<String>) -> TurnServer {
        let server = TurnServer::new(SocketAddr::new(ip, self.port), username, password);
        TurnServer { transport: self.transport.clone(), ..server }
    }
}

impl std::str::FromStr for TurnUrl {
    type Err = TurnUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').ok_or(TurnUrlError::Scheme)?;
        let is_tls = match () {
            () if scheme.eq_ignore_ascii_case("turn") => false,
            () if scheme.eq_ignore_ascii_case("turns") => true,
            () => return Err(TurnUrlError::Scheme),
        };
        let (authority, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (host, port) = split_host(authority)?;
        let port = match port {
            None if is_tls => TLS_PORT,
            None => PORT,
            Some(text) => {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                let port = text.parse().ok().filter(|port| *port != 0 && is_number);
                port.ok_or(TurnUrlError::Port)?
            }
        };
        // RFC 5234 §2.3, which RFC 7065 is written in: "ABNF strings are case insensitive".
        let is = |query: &str, text: &str| query.eq_ignore_ascii_case(text);
        let is_tcp = match query {
            None => None,
            Some(query) if is(query, "transport=tcp") => Some(true),
            Some(query) if is(query, "transport=udp") => Some(false),
            Some(_) => return Err(TurnUrlError::Query),
        };
        let transport = match (is_tls, is_tcp) {
            (true, Some(false)) => return Err(TurnUrlError::Dtls),
            (true, _) => TurnTransport::Tls { server_name: host.to_owned() },
            (false, Some(true)) => TurnTransport::Tcp,
            (false, _) => TurnTransport::Udp,
        };
        Ok(Self { host: host.to_owned(), port, transport })
    }
}

/// The host, and what stands behind its colon.
fn split_host(authority: &str) -> Result<(&str, Option<&str>), TurnUrlError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, behind) = bracketed.split_once(']').ok_or(TurnUrlError::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| TurnUrlError::Host)?;
        return match (behind, behind.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(TurnUrlError::Port),
        };
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    if is_host(host) { Ok((host, port)) } else { Err(TurnUrlError::Host) }
}

/// A name of the domain name system, or an address.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, u16, &'static str), TurnUrlError> {
        text.parse::<TurnUrl>().map(|url| (url.host, url.port, url.transport.name()))
    }

    /// RFC 7065 §A: the examples, and what defaults they have.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (text, port, transport) in [
            ("turn:example.org", 3478, "udp"),
            ("turns:example.org", 5349, "tls"),
            ("turn:example.org:8000", 8000, "udp"),
            ("turn:example.org?transport=udp", 3478, "udp"),
            ("turn:example.org?transport=tcp", 3478, "tcp"),
            ("turns:example.org?transport=tcp", 5349, "tls"),
            ("TURNS:example.org:443?transport=tcp", 443, "tls"),
            // RFC 5234 §2.3: "ABNF strings are case insensitive".
            ("turn:example.org?transport=TCP", 3478, "tcp"),
            ("turn:example.org?Transport=Udp", 3478, "udp"),
            ("turns:example.org?TRANSPORT=tcp", 5349, "tls"),
        ] {
            assert_eq!(parse(text), Ok(("example.org".into(), port, transport)), "{text}");
        }
        assert_eq!(parse("turn:[2001:db8::1]:5"), Ok(("2001:db8::1".into(), 5, "udp")));
        assert_eq!(parse("turns:[2001:db8::1]"), Ok(("2001:db8::1".into(), 5349, "tls")));
        assert_eq!(parse("turn:192.0.2.1"), Ok(("192.0.2.1".into(), 3478, "udp")));
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_for_what_is_wrong_with_it() {
        use TurnUrlError::{Dtls, Host, Port, Query, Scheme};
        for (text, error) in [
            ("", Scheme),
            ("stun:example.org", Scheme),
            ("example.org", Scheme),
            ("turn:", Host),
            ("turn://example.org", Host),
            ("turn:alice@example.org", Host),
            ("turn:exa mple.org", Host),
            ("turn:[2001:db8::1", Host),
            ("turn:[example.org]", Host),
            ("turn:2001:db8::1", Port),
            ("turn:example.org:", Port),
            ("turn:example.org:0", Port),
            ("turn:example.org:+5", Port),
            ("turn:example.org:65536", Port),
            ("turn:[::1]5", Port),
            ("turn:example.org?", Query),
            ("turn:example.org?transport=sctp", Query),
            ("turn:example.org?transport=tcp&x", Query),
            ("turns:example.org?transport=udp", Dtls),
            ("turns:example.org?transport=UDP", Dtls),
            ("turn:example.org?transporttcp", Query),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_server_is_told_by_its_url() {
        let server = |text: &str| TurnServer::new(text.parse().unwrap(), "alice", "secret");
        for (server, url) in [
            (server("192.0.2.1:3478"), "turn:192.0.2.1:3478"),
            (server("192.0.2.1:3478").over_tcp(), "turn:192.0.2.1:3478?transport=tcp"),
            (server("[2001:db8::1]:5").over_tcp(), "turn:[2001:db8::1]:5?transport=tcp"),
            (server("192.0.2.1:443").over_tls("turn.example.org"), "turns:turn.example.org:443?transport=tcp"),
            (server("[2001:db8::1]:5").over_tls("2001:db8::1"), "turns:[2001:db8::1]:5?transport=tcp"),
        ] {
            assert_eq!(server.to_string(), url);
            let read: TurnUrl = url.parse().unwrap();
            assert!(read.at(server.address.ip(), "alice", "secret").is_same(&server), "{url}");
        }
    }
}
