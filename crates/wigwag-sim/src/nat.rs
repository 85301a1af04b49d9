//! A network address translator (RFC 4787): one external IPv4 address, and what it remembers of who sent what to whom.

use crate::Fate;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use wigwag_sansio::{Protocol, Rng};

// RFC 4787 §4.3: "A NAT UDP mapping timer MUST NOT expire in less than two minutes"
const UDP_LIFETIME: Duration = Duration::from_secs(2 * 60);
// RFC 5382 §8: "the value of the "established connection idle-timeout" MUST NOT be less than 2 hours 4 minutes."
const TCP_LIFETIME: Duration = Duration::from_secs(124 * 60);
/// As many as a small home router keeps.
const SESSIONS_MAX: usize = 4096;

/// How much of a remote address a NAT looks at: when it maps (RFC 4787 §4.1), and when it filters (§5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behavior {
    // RFC 4787 §4.1: "The NAT reuses the port mapping for subsequent packets sent from the same internal IP address
    // and port (X:x) to any external IP address and port."
    // RFC 4787 §5: "The NAT filters out only packets not destined to the internal address and port X:x, regardless of
    // the external IP address and port source (Z:z)."
    /// Nothing of it.
    EndpointIndependent,
    // RFC 4787 §4.1: "The NAT reuses the port mapping for subsequent packets sent from the same internal IP address
    // and port (X:x) to the same external IP address, regardless of the external port."
    // RFC 4787 §5: "for receiving packets from a specific external endpoint, it is necessary for the internal endpoint
    // to send packets first to that specific external endpoint's IP address."
    /// Its IP address.
    AddressDependent,
    // RFC 4787 §4.1: "The NAT reuses the port mapping for subsequent packets sent from the same internal IP address
    // and port (X:x) to the same external IP address and port while the mapping is still active."
    // RFC 4787 §5: "for receiving packets from a specific external endpoint, it is necessary for the internal endpoint
    // to send packets first to that external endpoint's IP address and port."
    /// IP address and port.
    AddressAndPortDependent,
}

impl Behavior {
    /// All of them, the friendliest first.
    pub const ALL: [Self; 3] = [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    const fn of(self, remote: SocketAddr) -> Remotes {
        match self {
            Self::EndpointIndependent => Remotes::All,
            Self::AddressDependent => Remotes::Address(remote.ip()),
            Self::AddressAndPortDependent => Remotes::Endpoint(remote),
        }
    }
}

/// Remotes that a NAT does not tell from one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Remotes {
    All,
    Address(IpAddr),
    Endpoint(SocketAddr),
}

/// Which external port a NAT gives to a new binding (RFC 4787 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortAssignment {
    /// The internal one, if it is free; else any.
    Preserving,
    /// Any.
    Random,
}

/// An external port, and whose it is.
#[derive(Debug)]
struct Binding {
    internal: SocketAddr,
    remotes: Remotes,
    /// Any remote refreshes it, so that it lives as long as its sessions.
    expires: Instant,
}

/// A NAT between two realms of a world.
///
/// A new one maps independently of endpoints, lets in whom was sent to by address and port, preserves ports, hairpins,
/// and forgets what was not used for two minutes.
#[derive(Debug)]
pub struct Nat {
    rng: Rng,
    external: Ipv4Addr,
    mapping: Behavior,
    filtering: Behavior,
    assignment: PortAssignment,
    lifetime: Duration,
    is_refreshed_inbound: bool,
    is_hairpinning: bool,
    sessions_max: usize,
    bindings: BTreeMap<(Protocol, u16), Binding>,
    ports: BTreeMap<(Protocol, SocketAddr, Remotes), u16>,
    /// Whom each external port lets in, and until when.
    sessions: BTreeMap<(Protocol, u16, Remotes), Instant>,
}

impl Nat {
    pub(crate) const fn new(rng: Rng, external: Ipv4Addr) -> Self {
        Self {
            rng,
            external,
            mapping: Behavior::EndpointIndependent,
            filtering: Behavior::AddressAndPortDependent,
            assignment: PortAssignment::Preserving,
            lifetime: UDP_LIFETIME,
            is_refreshed_inbound: false,
            is_hairpinning: true,
            sessions_max: SESSIONS_MAX,
            bindings: BTreeMap::new(),
            ports: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    // RFC 4787 §4.1: "A NAT MUST have an "Endpoint-Independent Mapping" behavior."
    /// Which remotes see a host at one external port. Not all NATs do as they must.
    pub const fn mapping(&mut self, mapping: Behavior) -> &mut Self {
        self.mapping = mapping;
        self
    }

    /// Which remotes may answer when one was sent to.
    pub const fn filtering(&mut self, filtering: Behavior) -> &mut Self {
        self.filtering = filtering;
        self
    }

    /// Which external port a new binding gets.
    pub const fn ports(&mut self, assignment: PortAssignment) -> &mut Self {
        self.assignment = assignment;
        self
    }

    /// How long a session of UDP lives without use; of TCP it is 2 hours and 4 minutes.
    pub const fn lifetime(&mut self, lifetime: Duration) -> &mut Self {
        self.lifetime = lifetime;
        self
    }

    // RFC 4787 §4.3: "The NAT mapping Refresh Direction MAY have a "NAT Inbound refresh behavior" of "True"."
    /// Whether what comes in refreshes a session too; what goes out always does.
    pub const fn inbound_refresh(&mut self, is_refreshed_inbound: bool) -> &mut Self {
        self.is_refreshed_inbound = is_refreshed_inbound;
        self
    }

    // RFC 4787 §6: "A NAT MUST support "Hairpinning"."
    /// Whether those behind it reach one another at its external address.
    pub const fn hairpinning(&mut self, is_hairpinning: bool) -> &mut Self {
        self.is_hairpinning = is_hairpinning;
        self
    }

    /// How many sessions it remembers, a session being a binding and whom it lets in. When it is full, nothing new goes
    /// out.
    pub const fn sessions_max(&mut self, sessions_max: usize) -> &mut Self {
        self.sessions_max = sessions_max;
        self
    }

    /// Forgets all bindings, as if it was switched off and on.
    pub fn reboot(&mut self) {
        self.bindings.clear();
        self.ports.clear();
        self.sessions.clear();
    }

    pub(crate) const fn external(&self) -> Ipv4Addr {
        self.external
    }

    /// Something goes out: from where the outside sees it. `None` if it is full.
    pub(crate) fn outbound(
        &mut self,
        protocol: Protocol,
        internal: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) -> Option<SocketAddr> {
        let protocol = transport(protocol);
        let remotes = self.mapping.of(remote);
        if let Some(port) = self.ports.get(&(protocol, internal, remotes)).copied()
            && self.binding(protocol, port, now).is_none()
        {
            self.forget(protocol, port);
        }
        let known = self.ports.get(&(protocol, internal, remotes)).copied();
        let session = known.map(|port| (protocol, port, self.filtering.of(remote)));
        if session.is_none_or(|session| !self.sessions.contains_key(&session)) && !self.has_place(now) {
            return None;
        }
        let port = match known {
            Some(port) => port,
            None => self.bind(protocol, internal, remotes, now)?,
        };
        self.refresh(protocol, port, remote, now);
        Some(SocketAddr::from((self.external, port)))
    }

    /// Something comes in: for whom inside. A datagram from its own external address is a hairpin.
    pub(crate) fn inbound(
        &mut self,
        protocol: Protocol,
        port: u16,
        remote: SocketAddr,
        now: Instant,
    ) -> Result<SocketAddr, Fate> {
        let protocol = transport(protocol);
        let internal = self.internal(protocol, port, now).ok_or(Fate::NoBinding)?;
        let session = self.sessions.get(&(protocol, port, self.filtering.of(remote)));
        if session.is_none_or(|expires| *expires <= now) || (remote.ip() == self.external && !self.is_hairpinning) {
            return Err(Fate::Filtered);
        }
        if self.is_refreshed_inbound {
            self.refresh(protocol, port, remote, now);
        }
        Ok(internal)
    }

    /// Whose an external port is, whoever may use it.
    pub(crate) fn internal(&self, protocol: Protocol, port: u16, now: Instant) -> Option<SocketAddr> {
        self.binding(transport(protocol), port, now).map(|binding| binding.internal)
    }

    fn binding(&self, protocol: Protocol, port: u16, now: Instant) -> Option<&Binding> {
        self.bindings.get(&(protocol, port)).filter(|binding| binding.expires > now)
    }

    // RFC 4787 §4.2.1: "A NAT MUST NOT have a "Port assignment" behavior of "Port overloading"."
    /// Finds a port that nobody has.
    fn bind(&mut self, protocol: Protocol, internal: SocketAddr, remotes: Remotes, now: Instant) -> Option<u16> {
        let is_free = |port: &u16| self.binding(protocol, *port, now).is_none();
        let preserved = match self.assignment {
            PortAssignment::Preserving => Some(internal.port()).filter(is_free),
            PortAssignment::Random => None,
        };
        let port = match preserved {
            Some(port) => port,
            None => {
                let range = same_range(internal.port());
                let start = range.start() + self.rng.below(range.len() as u64) as u16;
                let is_free = |port: &u16| self.binding(protocol, *port, now).is_none();
                (start..=*range.end()).chain(*range.start()..start).find(is_free)?
            }
        };
        self.forget(protocol, port);
        self.ports.insert((protocol, internal, remotes), port);
        self.bindings.insert((protocol, port), Binding { internal, remotes, expires: now });
        Some(port)
    }

    fn refresh(&mut self, protocol: Protocol, port: u16, remote: SocketAddr, now: Instant) {
        let expires = now + if protocol == Protocol::Udp { self.lifetime } else { TCP_LIFETIME };
        self.sessions.insert((protocol, port, self.filtering.of(remote)), expires);
        if let Some(binding) = self.bindings.get_mut(&(protocol, port)) {
            binding.expires = expires;
        }
    }

    /// Whether there is place for one more session, perhaps after what has expired is swept out.
    fn has_place(&mut self, now: Instant) -> bool {
        if self.sessions.len() >= self.sessions_max {
            self.sessions.retain(|_, expires| *expires > now);
            self.bindings.retain(|_, binding| binding.expires > now);
            self.ports.retain(|(protocol, ..), port| self.bindings.contains_key(&(*protocol, *port)));
        }
        self.sessions.len() < self.sessions_max
    }

    /// Forgets who had a port before.
    fn forget(&mut self, protocol: Protocol, port: u16) {
        if let Some(Binding { internal, remotes, .. }) = self.bindings.remove(&(protocol, port)) {
            self.ports.remove(&(protocol, internal, remotes));
            self.sessions.retain(|(p, other, _), _| (*p, *other) != (protocol, port));
        }
    }
}

/// TLS is a stream of TCP to whoever translates it.
const fn transport(protocol: Protocol) -> Protocol {
    match protocol {
        Protocol::Udp => Protocol::Udp,
        Protocol::Tcp | Protocol::Tls => Protocol::Tcp,
    }
}

// RFC 4787 §4.2.1: "If the host's source port was in the range 0-1023, it is RECOMMENDED the NAT's source port be in
// the same range. If the host's source port was in the range 1024-65535, it is RECOMMENDED that the NAT's source port
// be in that range."
const fn same_range(port: u16) -> RangeInclusive<u16> {
    if port < 1024 { 1..=1023 } else { 1024..=u16::MAX }
}
