//! Machines on hosts of a world: clients of ours, the server with a driver, and peers.

use crate::bench::config;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Protocol, Seed, Transmit};
use wigwag_sim::Node;
use wigwag_turn::{Client, ClientConfig, ClientEvent, Credentials, Server, ServerEvent};

pub(crate) enum Machine {
    Client(Box<ClientNode>),
    Server(Box<ServerNode>),
    Peer(PeerNode),
}

pub(crate) struct ClientNode {
    pub(crate) client: Client,
    pub(crate) events: Vec<ClientEvent>,
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) to_send: Vec<(SocketAddr, Vec<u8>)>,
}

/// The server, and the sockets that it was opened.
pub(crate) struct ServerNode {
    pub(crate) server: Server,
    pub(crate) sockets: BTreeSet<SocketAddr>,
    pub(crate) requested: u64,
    /// What came where there is no socket.
    pub(crate) unreachable: u64,
    listening: SocketAddr,
}

/// Somebody who knows of no relay, and echoes.
#[derive(Default)]
pub(crate) struct PeerNode {
    owed: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
}

pub(crate) fn client(protocol: Protocol, seed: u64, local: SocketAddr, server: SocketAddr, name: &str) -> Machine {
    let config = ClientConfig::new(local, server, Credentials::new(name, "secret")).over(protocol);
    let client = Client::new(config, Seed::for_test(seed));
    Machine::Client(Box::new(ClientNode { client, events: vec![], received: vec![], to_send: vec![] }))
}

/// A server that has these ports.
pub(crate) fn server(seed: u64, listening: SocketAddr, ports: std::ops::RangeInclusive<u16>) -> Machine {
    let mut config = config();
    (config.listening, config.relay_addresses) = (vec![listening], vec![listening.ip()]);
    config.relay_ports = ports;
    let server = Server::new(config, Seed::for_test(seed));
    Machine::Server(Box::new(ServerNode { server, sockets: BTreeSet::new(), requested: 0, unreachable: 0, listening }))
}

impl ServerNode {
    fn obey(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::RelayRequested { relayed, .. } => {
                self.requested += 1;
                assert!(self.sockets.insert(*relayed));
                self.server.relay_opened(*relayed, true);
            }
            ServerEvent::RelayClosed { relayed, .. } => assert!(self.sockets.remove(relayed)),
            event => panic!("{event:?}"),
        }
    }
}

impl Node for Machine {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Client(node) => {
                let received = &mut node.received;
                node.client.handle_input(datagram, now, |inner| received.push((inner.remote, inner.payload.to_vec())));
            }
            Self::Server(node) if datagram.local != node.listening && !node.sockets.contains(&datagram.local) => {
                node.unreachable += 1;
            }
            Self::Server(node) => node.server.handle_input(datagram, now),
            Self::Peer(peer) => {
                peer.received.push((datagram.remote, datagram.payload.to_vec()));
                peer.owed.push((datagram.local, datagram.remote, datagram.payload.to_vec()));
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Client(node) => node.client.handle_timeout(now),
            Self::Server(node) => node.server.handle_timeout(now),
            Self::Peer(_) => {}
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Client(node) => {
                if let Some(transmit) = node.client.poll_transmit(now, out) {
                    return Some(transmit);
                }
                node.client.relayed()?;
                let (peer, data) = node.to_send.pop()?;
                *out = data;
                assert!(node.client.enclose(peer, out));
                let protocol = node.client.protocol();
                Some(Transmit { protocol, ..Transmit::udp(node.client.local(), node.client.server(), out.len()) })
            }
            Self::Server(node) => node.server.poll_transmit(now, out),
            Self::Peer(peer) => {
                let (from, to, data) = peer.owed.pop()?;
                *out = data;
                Some(Transmit::udp(from, to, out.len()))
            }
        }
    }

    fn poll_event(&mut self) -> bool {
        match self {
            Self::Client(node) => {
                let event = node.client.poll_event();
                let has_event = event.is_some();
                node.events.extend(event);
                has_event
            }
            Self::Server(node) => {
                let event = node.server.poll_event();
                event.iter().for_each(|event| node.obey(event));
                event.is_some()
            }
            Self::Peer(_) => false,
        }
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Client(node) if node.client.relayed().is_some() && !node.to_send.is_empty() => Some(now),
            Self::Client(node) => node.client.poll_timeout(now),
            Self::Server(node) => node.server.poll_timeout(now),
            Self::Peer(peer) => (!peer.owed.is_empty()).then_some(now),
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

    pub(crate) fn server(&mut self) -> &mut ServerNode {
        match self {
            Self::Server(node) => node,
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
