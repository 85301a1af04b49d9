//! Addresses at which an agent may be reached, and how much they are preferred (RFC 8445 §5.1).

use crate::Error;
use crate::tcp::{DISCARD_PORT, TcpType};
use std::net::{IpAddr, SocketAddr};
use wigwag_sansio::Protocol;

/// The one component there is: RTP and RTCP share it (RFC 5761), and so does all else (RFC 9143).
pub(crate) const COMPONENT: u16 = 1;

/// How an address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An address of an interface.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw.
    PeerReflexive,
    /// An address at a TURN server.
    Relayed,
}

impl Kind {
    /// RFC 8445 §5.1.2.2: "The RECOMMENDED values for type preferences are 126 for host candidates, 110 for
    /// peer-reflexive candidates, 100 for server-reflexive candidates, and 0 for relayed candidates."
    ///
    /// RFC 6544 §4.2 leaves it to the agent how much less those over TCP are preferred, so long as they are: by as much as in libwebrtc.
    const fn preference(self, protocol: Protocol) -> u32 {
        match (self, protocol) {
            (Self::Host, Protocol::Udp) => 126,
            (Self::PeerReflexive, Protocol::Udp) => 110,
            (Self::ServerReflexive, Protocol::Udp) => 100,
            (Self::Host, Protocol::Tcp | Protocol::Tls) => 90,
            (Self::PeerReflexive | Self::ServerReflexive, Protocol::Tcp | Protocol::Tls) => 80,
            (Self::Relayed, _) => 0,
        }
    }
}

/// RFC 8445 §5.1.2.1: "priority = (2^24)*(type preference) + (2^8)*(local preference) + (2^0)*(256 - component ID)"
pub(crate) const fn priority(kind: Kind, protocol: Protocol, local_preference: u16) -> u32 {
    (kind.preference(protocol) << 24) | ((local_preference as u32) << 8) | (256 - COMPONENT as u32)
}

/// The same priority as that of a peer-reflexive candidate with the same base.
pub(crate) const fn peer_reflexive_priority(protocol: Protocol, priority: u32) -> u32 {
    (Kind::PeerReflexive.preference(protocol) << 24) | (priority & 0x00FF_FFFF)
}

/// An address at which an agent may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Equal for candidates that probably work or fail together. One learned from a check has a name of our own.
    pub foundation: String,
    /// Always 1.
    pub component: u16,
    /// How packets travel.
    pub protocol: Protocol,
    /// Who opens the stream, over TCP.
    pub tcp_type: Option<TcpType>,
    /// Higher is better.
    pub priority: u32,
    /// Where the agent is reached; of an active one over TCP, with port 9.
    pub address: SocketAddr,
    /// How the address was found.
    pub kind: Kind,
    /// Of a local candidate, the address that its datagrams are sent from; of a remote one, `address`.
    pub base: SocketAddr,
    /// `raddr` and `rport` of the signalling: the base of a reflexive candidate, the mapped address of a relayed one, or what
    /// [`Config::hide_related`](crate::Config::hide_related) has in place of them.
    pub related: Option<SocketAddr>,
    /// The name that it is told by in place of its address: of a remote candidate by the peer, of a local one by us
    /// ([`Agent::hide_local_address`](crate::Agent::hide_local_address)). Others, a TURN server among them, are to learn that alone.
    pub name: Option<String>,
}

impl Candidate {
    /// Whether the peer may not want others to learn its address: of a remote candidate, one that it told by a name, or did not tell but
    /// has sent a check from, which may be what a name hides.
    pub fn may_be_hidden(&self) -> bool {
        self.name.is_some() || self.kind == Kind::PeerReflexive
    }
}

/// A local candidate as the agent is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalCandidate {
    /// How packets travel: by UDP, or by TCP.
    pub protocol: Protocol,
    /// Who opens the stream, over TCP.
    pub tcp_type: Option<TcpType>,
    /// Where the peer may reach us.
    pub address: SocketAddr,
    /// The address of ours that datagrams are sent from and arrive at; for host and relayed candidates, `address`.
    pub base: SocketAddr,
    /// How the address was found.
    pub kind: Kind,
    /// What the signalling tells as `raddr`.
    pub related: Option<SocketAddr>,
    /// The STUN or TURN server that told the address.
    pub server: Option<IpAddr>,
    /// How much this base is preferred over others of the same kind; if there is none, those that were told earlier
    /// are preferred. RFC 8421 says how to order families and interfaces.
    pub local_preference: Option<u16>,
}

impl LocalCandidate {
    /// An address of an interface, with a socket bound to it.
    pub const fn host(address: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            tcp_type: None,
            address,
            base: address,
            kind: Kind::Host,
            related: None,
            server: None,
            local_preference: None,
        }
    }

    /// An address of an interface at which streams are accepted (RFC 6544).
    pub const fn tcp_passive(address: SocketAddr) -> Self {
        let candidate = Self::host(address);
        Self { protocol: Protocol::Tcp, tcp_type: Some(TcpType::Passive), ..candidate }
    }

    /// An address of an interface that streams are opened from (RFC 6544).
    pub const fn tcp_active(address: IpAddr) -> Self {
        let candidate = Self::host(SocketAddr::new(address, DISCARD_PORT));
        Self { protocol: Protocol::Tcp, tcp_type: Some(TcpType::Active), ..candidate }
    }

    /// What `server` saw when `base` asked it.
    pub const fn server_reflexive(address: SocketAddr, base: SocketAddr, server: IpAddr) -> Self {
        let candidate = Self::host(address);
        Self { base, kind: Kind::ServerReflexive, related: Some(base), server: Some(server), ..candidate }
    }

    /// What `server` relays to us, whom it sees at `mapped`.
    pub const fn relayed(address: SocketAddr, mapped: SocketAddr, server: IpAddr) -> Self {
        let candidate = Self::host(address);
        Self { kind: Kind::Relayed, related: Some(mapped), server: Some(server), ..candidate }
    }

    /// # Errors
    /// [`Error::InvalidCandidate`] if it can be none.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let is_possible = match self.kind {
            Kind::Host | Kind::Relayed => self.base == self.address,
            Kind::ServerReflexive => true,
            Kind::PeerReflexive => false,
        };
        let is_valid = is_possible
            && match (self.protocol, self.tcp_type) {
                (Protocol::Udp, None) => is_usable(self.address) && is_usable(self.base),
                (Protocol::Tcp, Some(TcpType::Passive)) => self.kind == Kind::Host && is_usable(self.address),
                (Protocol::Tcp, Some(TcpType::Active)) => self.kind == Kind::Host && is_unicast(self.address.ip()),
                _ => false,
            }
            && self.address.is_ipv4() == self.base.is_ipv4();
        if is_valid { Ok(()) } else { Err(Error::InvalidCandidate) }
    }
}

/// Where the peer says it may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteAddress {
    /// An address and a port.
    Socket(SocketAddr),
    /// A name, such as one that ends in `.local`, and a port. The agent resolves none: whoever does adds the address
    /// as a candidate of its own.
    Name(String, u16),
    /// A name, and the address and port that it was found to stand for. No pair is formed of it and a relayed candidate of ours, or the
    /// server would learn what the name hides (draft-ietf-mmusic-mdns-ice-candidates §3.3.2).
    Resolved(String, SocketAddr),
}

impl From<SocketAddr> for RemoteAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

/// A remote candidate as it was signalled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteCandidate {
    /// Equal for candidates that probably work or fail together.
    pub foundation: String,
    /// Which component it is for; only 1 is used.
    pub component: u16,
    /// How packets travel; UDP and TCP are used.
    pub protocol: Protocol,
    /// Who opens the stream, over TCP: of the peer's, those are used at which it listens.
    pub tcp_type: Option<TcpType>,
    /// Higher is better.
    pub priority: u32,
    /// Where the peer may be reached.
    pub address: RemoteAddress,
    /// How the address was found.
    pub kind: Kind,
}

impl RemoteCandidate {
    /// A candidate for the only component, by UDP.
    pub fn udp(foundation: &str, priority: u32, address: impl Into<RemoteAddress>, kind: Kind) -> Self {
        Self {
            foundation: foundation.into(),
            component: COMPONENT,
            protocol: Protocol::Udp,
            tcp_type: None,
            priority,
            address: address.into(),
            kind,
        }
    }

    /// A candidate for the only component, by TCP.
    pub fn tcp(
        foundation: &str,
        priority: u32,
        address: impl Into<RemoteAddress>,
        kind: Kind,
        tcp_type: TcpType,
    ) -> Self {
        let candidate = Self::udp(foundation, priority, address, kind);
        Self { protocol: Protocol::Tcp, tcp_type: Some(tcp_type), ..candidate }
    }

    /// Where checks can be sent, if they can.
    pub(crate) fn usable_address(&self) -> Option<SocketAddr> {
        match self.address {
            RemoteAddress::Socket(address) | RemoteAddress::Resolved(_, address)
                if self.is_supported() && is_usable(address) =>
            {
                Some(zoneless(address))
            }
            RemoteAddress::Socket(_) | RemoteAddress::Resolved(..) | RemoteAddress::Name(..) => None,
        }
    }

    /// Whether it is for the component and a protocol that are used: else its name need not be resolved. RFC 6544 §6.2: what the peer opens
    /// streams from is where nobody reaches it.
    pub fn is_supported(&self) -> bool {
        let is_reached = match (self.protocol, self.tcp_type) {
            (Protocol::Udp, _) | (Protocol::Tcp, Some(TcpType::Passive)) => true,
            (Protocol::Tcp | Protocol::Tls, _) => false,
        };
        self.component == COMPONENT && is_reached
    }

    pub(crate) fn name(&self) -> Option<&String> {
        match &self.address {
            RemoteAddress::Resolved(name, _) => Some(name),
            RemoteAddress::Socket(_) | RemoteAddress::Name(..) => None,
        }
    }
}

/// A candidate as a remote one is told to the other side.
impl From<&Candidate> for RemoteCandidate {
    fn from(candidate: &Candidate) -> Self {
        let Candidate { foundation, component, protocol, tcp_type, priority, address, kind, name, .. } =
            candidate.clone();
        let address = match name {
            Some(name) => RemoteAddress::Name(name, address.port()),
            None => RemoteAddress::Socket(address),
        };
        Self { foundation, component, protocol, tcp_type, priority, address, kind }
    }
}

/// Whether a datagram can be sent to this address and an answer expected. Port 9 discards what it gets.
pub(crate) fn is_usable(address: SocketAddr) -> bool {
    is_unicast(address.ip()) && !matches!(address.port(), 0 | DISCARD_PORT)
}

fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        // RFC 8445 §5.1.1.1 leaves out IPv4-mapped IPv6 addresses.
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none(),
    }
}

/// The address without what does not tell addresses apart: the flow, and the zone where there is but one.
pub(crate) fn normal(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => {
            v6.set_flowinfo(0);
            if !v6.ip().is_unicast_link_local() {
                v6.set_scope_id(0);
            }
            v6.into()
        }
    }
}

/// A remote address as it is kept: a zone means nothing to the other side.
pub(crate) fn zoneless(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

/// Whether it makes sense to try: a loopback address reaches others of its machine, and these are not told apart from
/// those of other machines until they show themselves by a request.
pub(crate) const fn is_worth_trying(local: SocketAddr, remote: SocketAddr) -> bool {
    local.ip().is_loopback() == remote.ip().is_loopback()
}

/// The remote address as it is reached from `local`, if it may be.
pub(crate) fn reachable(local: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
    match (local, remote) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => Some(remote),
        // RFC 8445 §6.1.2.2 pairs link-local addresses with each other only.
        (SocketAddr::V6(from), SocketAddr::V6(mut to))
            if from.ip().is_unicast_link_local() == to.ip().is_unicast_link_local() =>
        {
            // The zone is that of the interface we send from.
            to.set_scope_id(from.scope_id());
            Some(to.into())
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8445 §5.1.2.1, computed by hand; the host value is that of the examples in RFC 8839.
    #[test]
    fn priorities_are_those_of_the_rfc() {
        let priority = |kind, preference| priority(kind, Protocol::Udp, preference);
        assert_eq!(priority(Kind::Host, 65535), 2_130_706_431);
        assert_eq!(priority(Kind::PeerReflexive, 65535), 1_862_270_975);
        assert_eq!(priority(Kind::ServerReflexive, 65535), 1_694_498_815);
        assert_eq!(priority(Kind::Relayed, 65535), 16_777_215);
        assert_eq!(priority(Kind::Host, 0), 2_113_929_471);
        assert_eq!(peer_reflexive_priority(Protocol::Udp, 2_130_706_431), 1_862_270_975);
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_nobody_has_is_not_usable() {
        for text in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "[::]:1", "[ff02::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!is_usable(socket(text)), "{text}");
        }
        assert!(!is_usable(socket("10.0.0.1:0")) && !is_usable(socket("10.0.0.1:9")));
        assert!(is_usable(socket("10.0.0.1:10")) && is_usable(socket("[fe80::1]:10")));
    }

    #[test]
    fn only_like_addresses_reach_each_other() {
        assert!(reachable(socket("10.0.0.1:1"), socket("192.0.2.1:1")).is_some());
        assert!(reachable(socket("10.0.0.1:1"), socket("[2001:db8::1]:1")).is_none());
        assert!(reachable(socket("[2001:db8::2]:1"), socket("[fe80::1]:1")).is_none());
        assert!(reachable(socket("[2001:db8::2]:1"), socket("[2001:db8::1]:1")).is_some());
        assert!(!is_worth_trying(socket("10.0.0.1:1"), socket("127.0.0.1:1")));
        // But whoever sends from there has shown that it works.
        assert!(reachable(socket("10.0.0.1:1"), socket("127.0.0.1:1")).is_some());
        assert_eq!(reachable(socket("[fe80::1%7]:1"), socket("[fe80::2]:1")), Some(socket("[fe80::2%7]:1")));
    }
}
