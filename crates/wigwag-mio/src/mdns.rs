//! Names that hide addresses of peers, and ours: asked and answered for on the links that our addresses are of (RFC 6762), by sockets that
//! are open as long as somebody wants to know, or has such a name.

use crate::driver::Driver;
use crate::offload::hear_own_groups_only;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Instant;
use wigwag::mdns::{self, Event, Host, Interface, Name};
use wigwag::{ConnectionId, Endpoint};
use wigwag_sansio::{Datagram, Seed};

/// Behind those of all other sockets.
pub(crate) const FIRST_LINK: usize = 1 << 30;
/// How much one link may say, and is told, in one turn before the others, the calls and the application have theirs.
const MESSAGES_PER_TURN: usize = 32;
/// One byte more than a message may have (RFC 6762 §17): what is longer is seen to be.
const RECEIVE_LEN: usize = 9001;
/// Of all connections together; each tells a few.
const QUERIES_MAX: usize = 1024;
/// Of all connections together, of ours: each hides the few addresses that there are, and all of a link hear of each name.
const OWN_NAMES_MAX: usize = 1024;
/// Of one connection, which tells no more between two restarts of ICE: those of before are asked for no longer.
const NAMES_PER_CONNECTION: usize = 16;

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// RFC 6762 §11: "All Multicast DNS responses (including responses sent via unicast) SHOULD be sent with IP TTL set to 255."
const HOPS: u32 = 255;

/// A link, and the socket that hears its group.
struct Link {
    local: SocketAddr,
    socket: UdpSocket,
    is_readable: bool,
}

/// Who wants to know which name, and the links that are asked.
pub(crate) struct Names {
    host: Host,
    links: Vec<Link>,
    /// By name, who waits for it; and by connection, what it waits for, the oldest first.
    waiting: BTreeMap<Name, BTreeSet<ConnectionId>>,
    asked: BTreeMap<ConnectionId, VecDeque<Name>>,
    /// Whether the sockets are to be those of the addresses that there are now.
    is_stale: bool,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Names {
    pub(crate) fn new(seed: Seed) -> Self {
        let mut config = mdns::Config::default();
        config.queries_max = QUERIES_MAX;
        config.names_max = OWN_NAMES_MAX;
        let (host, waiting, asked) = (Host::new(config, seed), BTreeMap::new(), BTreeMap::new());
        Self { host, links: Vec::new(), waiting, asked, is_stale: false, buffer: Vec::new(), out: Vec::new() }
    }

    /// A connection wants to know a name; whether it is asked for.
    pub(crate) fn resolve(&mut self, endpoint: &Endpoint, id: ConnectionId, name: &str) -> bool {
        let mut result = self.host.resolve(name);
        if matches!(result, Err(mdns::Error::TooManyQueries(_))) {
            self.forget_gone(endpoint);
            result = self.host.resolve(name);
        }
        match result {
            Ok(name) => {
                self.wait(id, name);
                self.is_stale |= self.links.is_empty();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a name is not resolved");
                false
            }
        }
    }

    /// A connection hides an address by this name; whether it is answered for.
    pub(crate) fn register(&mut self, name: &str, address: IpAddr) -> bool {
        match name.parse().and_then(|name| self.host.register_name(name, address)) {
            Ok(()) => {
                self.is_stale |= self.links.is_empty();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can ask for an address of ours");
                false
            }
        }
    }

    /// It hides nothing any more.
    pub(crate) fn unregister(&mut self, name: &str) {
        if let Ok(name) = name.parse() {
            self.host.unregister(&name);
        }
    }

    fn wait(&mut self, id: ConnectionId, name: Name) {
        self.waiting.entry(name).or_default().insert(id);
        let asked = self.asked.entry(id).or_default();
        asked.retain(|other| *other != name); // one that is wanted again is not of before
        asked.push_back(name);
        if asked.len() > NAMES_PER_CONNECTION
            && let Some(oldest) = asked.pop_front()
        {
            self.give_up(id, oldest);
        }
    }

    /// A connection wants to know a name no longer. If nobody else does, it is not asked for.
    fn give_up(&mut self, id: ConnectionId, name: Name) {
        let Some(waiting) = self.waiting.get_mut(&name) else { return };
        waiting.remove(&id);
        if waiting.is_empty() {
            self.waiting.remove(&name);
            self.host.cancel(&name);
        }
    }

    /// A connection is no more.
    pub(crate) fn forget(&mut self, id: ConnectionId) {
        for name in self.asked.remove(&id).unwrap_or_default() {
            self.give_up(id, name);
        }
    }

    /// Those that were removed without a word.
    fn forget_gone(&mut self, endpoint: &Endpoint) {
        let gone: Vec<_> = self.asked.keys().filter(|id| endpoint.connection(**id).is_none()).copied().collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }

    /// What became of a name: who has waited for it.
    fn answered(&mut self, name: Name) -> BTreeSet<ConnectionId> {
        let waited = self.waiting.remove(&name).unwrap_or_default();
        for id in &waited {
            if let Some(asked) = self.asked.get_mut(id) {
                asked.retain(|other| *other != name);
                if asked.is_empty() {
                    self.asked.remove(id);
                }
            }
        }
        waited
    }

    /// The addresses of this machine have changed.
    pub(crate) fn addresses_changed(&mut self) {
        self.is_stale |= !self.links.is_empty() || !self.host.is_idle();
    }

    pub(crate) fn set_readable(&mut self, number: usize) {
        if let Some(link) = self.links.get_mut(number) {
            link.is_readable = true;
        }
    }

    pub(crate) fn may_be_readable(&self) -> bool {
        self.links.iter().any(|link| link.is_readable)
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_stale { Some(now) } else { self.host.poll_timeout(now) }
    }

    /// Opens the sockets of the links that these addresses are of.
    fn open(&mut self, addresses: &[IpAddr], registry: &Registry) {
        self.close(registry);
        let found = match if_addrs::get_if_addrs() {
            Ok(found) => links_of(addresses, &found),
            Err(error) => {
                return tracing::warn!(%error, "the interfaces cannot be read: no name is asked or answered for");
            }
        };
        for (interface, index) in found {
            let number = self.links.len();
            match open(interface.local, index, registry, number) {
                Ok(link) => {
                    tracing::debug!(local = %interface.local, "asks and answers for names");
                    if self.host.add_interface(interface).is_ok() {
                        self.links.push(link);
                    }
                }
                Err(error) => tracing::debug!(local = %interface.local, %error, "names are of no use there"),
            }
        }
    }

    fn close(&mut self, registry: &Registry) {
        for mut link in self.links.drain(..) {
            self.host.remove_interface(link.local);
            // It is closed next, which ends its registration too.
            let _ = registry.deregister(&mut link.socket);
        }
    }

    /// Sends what is owed, and tells connections what was found out.
    fn turn(&mut self, endpoint: &mut Endpoint, now: Instant) -> [u64; 2] {
        self.host.handle_timeout(now);
        for _ in 0..MESSAGES_PER_TURN {
            let Some(transmit) = self.host.poll_transmit(now, &mut self.out) else { break };
            let Some(link) = self.links.iter().find(|link| link.local == transmit.local) else { continue };
            if let Err(error) = link.socket.send_to(&self.out, transmit.remote) {
                tracing::debug!(local = %transmit.local, %error, "a message is lost");
            }
        }
        let mut counts = [0, 0];
        while let Some(event) = self.host.poll_event() {
            let (name, address) = match event {
                Event::Resolved { name, address } => (name, Some(address)),
                Event::Unresolved(name) => (name, None),
                _ => continue,
            };
            counts[usize::from(address.is_none())] += 1;
            for id in self.answered(name) {
                tell(endpoint, id, &name.to_string(), address);
            }
        }
        counts
    }

    /// Hands in what has arrived, a bounded amount for each link.
    pub(crate) fn receive(&mut self, now: Instant) {
        let Self { host, links, buffer, .. } = self;
        if links.is_empty() {
            return;
        }
        buffer.resize(RECEIVE_LEN, 0);
        for link in links {
            for _ in 0..MESSAGES_PER_TURN {
                if !link.is_readable {
                    break;
                }
                match link.socket.recv_from(buffer) {
                    Ok((len, from)) => host.handle_input(Datagram::udp(link.local, from, &mut buffer[..len]), now),
                    Err(error) => link.is_readable = error.kind() == ErrorKind::Interrupted,
                }
            }
        }
    }
}

pub(crate) fn tell(endpoint: &mut Endpoint, id: ConnectionId, name: &str, address: Option<IpAddr>) {
    // Whoever asked may have gone.
    if let Some(connection) = endpoint.connection_mut(id) {
        connection.set_address_of_name(name, address);
    }
}

impl Driver {
    /// What names are to be resolved, and were.
    pub(crate) fn resolve_names(&mut self, now: Instant) {
        let Some(names) = &mut self.names else { return };
        if names.host.is_idle() {
            names.close(self.poll.registry());
        }
        if std::mem::take(&mut names.is_stale) {
            let of_streams = self.surroundings.tcp.iter().map(|(address, _)| address);
            let ours = self.endpoint.local_addresses().iter().chain(of_streams);
            let ours = ours.map(|address| self.nat.inside(*address).ip());
            names.open(&ours.collect::<Vec<_>>(), self.poll.registry());
        }
        let [resolved, unresolved] = names.turn(&mut self.endpoint, now);
        self.sockets.stats.names_resolved += resolved;
        self.sockets.stats.names_unresolved += unresolved;
    }
}

/// The links of these addresses: of each, and of each family, one address of ours; and the number of its interface.
fn links_of(addresses: &[IpAddr], found: &[if_addrs::Interface]) -> Vec<(Interface, u32)> {
    let is_ours = |interface: &if_addrs::Interface| {
        // All of 127.0.0.0/8 is of the loopback interface, though it says one address.
        addresses.contains(&interface.ip()) || interface.is_loopback() && addresses.iter().any(IpAddr::is_loopback)
    };
    let mut links: Vec<(Interface, u32)> = Vec::new();
    let mut names: Vec<&str> = found.iter().filter(|it| is_ours(it)).map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of_link = || found.iter().filter(|it| it.name == name);
        let networks: Vec<_> = of_link().map(network).collect();
        let index = of_link().find_map(|it| it.index).unwrap_or_default();
        let v4 = of_link().map(if_addrs::Interface::ip).find(IpAddr::is_ipv4);
        let v6 = || of_link().map(if_addrs::Interface::ip).filter(IpAddr::is_ipv6);
        let v6 = v6().find(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())).or_else(|| v6().next());
        for address in [v4, v6].into_iter().flatten() {
            let mut interface = Interface::new(address, 128);
            interface.networks.clone_from(&networks);
            if let IpAddr::V6(ip) = address {
                interface.local = SocketAddrV6::new(ip, mdns::PORT, 0, index).into();
            }
            links.push((interface, index));
        }
    }
    links
}

fn network(interface: &if_addrs::Interface) -> (IpAddr, u8) {
    match &interface.addr {
        if_addrs::IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
    }
}

/// What hears what is sent to all of this link, and nothing else, where the system lets a socket be bound to a group: ours never ask to
/// be answered alone. RFC 6762 §6: "A Multicast DNS querier MUST silently ignore all other unicast responses." Of IPv6 the
/// zone keeps out what comes to the same group on other links, which Linux hands to whoever has joined it on any.
fn bound_to(group: IpAddr, index: u32) -> SocketAddr {
    let is_possible = cfg!(any(target_os = "linux", target_os = "android"));
    match group {
        IpAddr::V4(group) => (if is_possible { group } else { Ipv4Addr::UNSPECIFIED }, mdns::PORT).into(),
        IpAddr::V6(group) if is_possible => SocketAddrV6::new(group, mdns::PORT, 0, index).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, mdns::PORT).into(),
    }
}

/// A socket on the port that all programs share, which hears the group on this link, and sends there.
fn open(local: SocketAddr, index: u32, registry: &Registry, number: usize) -> io::Result<Link> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    // What the BSDs ask of those who share a port.
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    match local.ip() {
        IpAddr::V4(ip) => {
            hear_own_groups_only(&socket)?;
            socket.bind(&bound_to(GROUP_V4.into(), index).into())?;
            socket.join_multicast_v4(&GROUP_V4, &ip)?;
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_loop_v4(true)?;
            socket.set_multicast_ttl_v4(HOPS)?;
            socket.set_ttl_v4(HOPS)?;
        }
        IpAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.bind(&bound_to(GROUP_V6.into(), index).into())?;
            socket.join_multicast_v6(&GROUP_V6, index)?;
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_loop_v6(true)?;
            socket.set_multicast_hops_v6(HOPS)?;
            socket.set_unicast_hops_v6(HOPS)?;
        }
    }
    let mut socket = UdpSocket::from_std(socket.into());
    registry.register(&mut socket, Token(FIRST_LINK + number), Interest::READABLE)?;
    Ok(Link { local, socket, is_readable: true })
}

#[cfg(test)]
mod tests;
