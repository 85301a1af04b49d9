//! A client, a server, and peers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod allocation;
mod contract;
mod hostile;
mod peers;
mod server;
mod streams;
mod stubborn;

use server::{PASSWORD, Server, USERNAME};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol, Seed, Transmit};
use wigwag_sim::{A, Host, Node, World, Z, address};
use wigwag_turn::{Client, ClientConfig, ClientEvent, Credentials};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A client at A, a server at Z, and behind them peers.
pub(crate) enum Machine {
    Client(Box<ClientNode>),
    Server(Box<Server>),
    Peer(PeerNode),
}

/// A client, what it was told, and what it wants to send.
pub(crate) struct ClientNode {
    pub(crate) client: Client,
    pub(crate) events: Vec<ClientEvent>,
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) to_send: Vec<(SocketAddr, Vec<u8>)>,
}

/// Somebody who knows of no relay, and echoes.
pub(crate) struct PeerNode {
    pub(crate) local: SocketAddr,
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) to_send: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) echoes: bool,
}

impl Node for ClientNode {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let (client, received) = (&mut self.client, &mut self.received);
        let relayed = client.relayed();
        client.handle_input(datagram, now, |inner| {
            assert_eq!(Some(inner.local), relayed);
            received.push((inner.remote, inner.payload.to_vec()));
        });
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(transmit) = self.client.poll_transmit(now, out) {
            return Some(transmit);
        }
        self.client.relayed()?;
        let (peer, data) = self.to_send.pop()?;
        *out = data;
        assert!(self.client.enclose(peer, out));
        let protocol = self.client.protocol();
        Some(Transmit { protocol, ..Transmit::udp(self.client.local(), self.client.server(), out.len()) })
    }

    fn poll_event(&mut self) -> bool {
        let event = self.client.poll_event();
        let has_event = event.is_some();
        self.events.extend(event);
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_owed = self.client.relayed().is_some() && !self.to_send.is_empty();
        if is_owed { Some(now) } else { self.client.poll_timeout(now) }
    }
}

impl Node for Machine {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Client(node) => node.handle_input(datagram, now),
            Self::Server(server) => server.handle_input(datagram, now),
            Self::Peer(peer) => {
                if peer.echoes {
                    peer.to_send.push((datagram.remote, datagram.payload.to_vec()));
                }
                peer.received.push((datagram.remote, datagram.payload.to_vec()));
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Self::Client(node) = self {
            node.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Client(node) => node.poll_transmit(now, out),
            Self::Server(server) => server.poll_transmit(out),
            Self::Peer(peer) => {
                let (to, data) = peer.to_send.pop()?;
                *out = data;
                Some(Transmit::udp(peer.local, to, out.len()))
            }
        }
    }

    fn poll_event(&mut self) -> bool {
        match self {
            Self::Client(node) => node.poll_event(),
            Self::Server(_) | Self::Peer(_) => false,
        }
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Client(node) => node.poll_timeout(now),
            Self::Server(server) => server.poll_timeout(now),
            Self::Peer(peer) => (!peer.to_send.is_empty()).then_some(now),
        }
    }
}

impl Machine {
    pub(crate) fn client(&mut self) -> &mut ClientNode {
        match self {
            Self::Client(node) => node,
            Self::Server(_) | Self::Peer(_) => panic!("no client"),
        }
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        match self {
            Self::Server(server) => server,
            Self::Client(_) | Self::Peer(_) => panic!("no server"),
        }
    }

    pub(crate) fn peer(&mut self) -> &mut PeerNode {
        match self {
            Self::Peer(peer) => peer,
            Self::Client(_) | Self::Server(_) => panic!("no peer"),
        }
    }

    pub(crate) fn events(&self) -> &[ClientEvent] {
        match self {
            Self::Client(node) => &node.events,
            Self::Server(_) | Self::Peer(_) => &[],
        }
    }
}

pub(crate) fn relayed(port: u16) -> SocketAddr {
    SocketAddr::new(address(Z).ip(), port)
}

pub(crate) fn client(seed: u64, password: &str) -> Client {
    client_over(Protocol::Udp, seed, password)
}

pub(crate) fn client_over(protocol: Protocol, seed: u64, password: &str) -> Client {
    let credentials = Credentials::new(USERNAME, password);
    Client::new(ClientConfig::new(address(A), address(Z), credentials).over(protocol), Seed::for_test(seed))
}

pub(crate) fn node(client: Client) -> Machine {
    Machine::Client(Box::new(ClientNode { client, events: vec![], received: vec![], to_send: vec![] }))
}

pub(crate) fn peer_node(local: SocketAddr) -> Machine {
    Machine::Peer(PeerNode { local, received: vec![], to_send: vec![], echoes: true })
}

/// A client with this password, its server, and a peer.
pub(crate) fn world_with(seed: u64, password: &str) -> (World<Machine>, Host, SocketAddr) {
    world_of(seed, client(seed, password))
}

/// This client, its server, and a peer.
pub(crate) fn world_of(seed: u64, client: Client) -> (World<Machine>, Host, SocketAddr) {
    let mut world = World::new(seed);
    world.add("A", &[address(A)], node(client));
    let ports: Vec<_> = (5000..5004).map(relayed).collect();
    let server = Machine::Server(Box::new(Server::new(address(Z), &ports)));
    let addresses: Vec<_> = [address(Z)].into_iter().chain(ports).collect();
    world.add("Z", &addresses, server);
    let at: SocketAddr = "192.0.2.7:700".parse().unwrap();
    let peer = world.add("P", &[at], peer_node(at));
    world.dissector(dissect);
    (world, peer, at)
}

pub(crate) fn world(seed: u64) -> (World<Machine>, Host, SocketAddr) {
    world_with(seed, PASSWORD)
}

/// A world whose client has an address at the server.
pub(crate) fn allocated(seed: u64) -> (World<Machine>, Host, SocketAddr) {
    let (mut world, peer, at) = world(seed);
    world.run_until(|world| !world[A].events().is_empty(), 5 * SECOND);
    (world, peer, at)
}

pub(crate) fn dissect(payload: &[u8]) -> String {
    if payload.is_empty() {
        return "the end".into();
    }
    match wigwag_stun::Message::decode(payload) {
        Ok(message) => {
            let code = message.attributes.error_code.map_or(String::new(), |error| format!(" {}", error.code));
            let method = match message.method().number() {
                1 => "Binding",
                3 => "Allocate",
                4 => "Refresh",
                6 => "Send",
                7 => "Data",
                8 => "CreatePermission",
                9 => "ChannelBind",
                _ => "?",
            };
            format!("{method} {:?}{code}", message.class())
        }
        Err(_) => match wigwag_turn::channel_data::decode(payload) {
            Some((number, data)) => format!("{number:#x} {:?}", String::from_utf8_lossy(&payload[data])),
            None => format!("{:?}", String::from_utf8_lossy(payload)),
        },
    }
}
