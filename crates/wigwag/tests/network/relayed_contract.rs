//! The laws, kept by a connection that has nothing but a relay.

use crate::common::Peer;
use crate::contract::{EXCEPTED, by_channel, config, dropped, negotiate};
use crate::turn_server::{PASSWORD, Server, USERNAME};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{DataChannelInit, IceTransportPolicy, PeerConnection, TurnServer};
use wigwag_sim::contract::{self, Law, Network, Subject};
use wigwag_sim::{A, Host, Node, Z, address};

/// Where the far end is, which A cannot reach.
fn beyond() -> SocketAddr {
    ([192, 0, 2, 99], 5000).into()
}

/// Whoever has the relay.
struct End {
    peer: Peer,
    /// Of the other: the far end is behind it.
    server: Option<Box<Server>>,
    /// What the server has for whoever has the relay.
    owed: VecDeque<(Transmit, Vec<u8>)>,
    now: Instant,
    side: &'static str,
}

impl End {
    /// What the server and the far end have for each other takes no time.
    fn carry(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let (Some(server), mut out) = (&mut self.server, Vec::new()) else { return };
        loop {
            while let Some(transmit) = server.poll_transmit(&mut out) {
                if transmit.remote == beyond() {
                    self.peer.handle_input(Datagram::udp(transmit.remote, transmit.local, &mut out), self.now);
                } else {
                    self.owed.push_back((transmit, out.clone()));
                }
            }
            let Some(transmit) = self.peer.poll_transmit(self.now, &mut out) else { return };
            server.handle_input(Datagram::udp(transmit.remote, transmit.local, &mut out), self.now);
        }
    }
}

impl Node for End {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match &mut self.server {
            Some(server) => server.handle_input(datagram, self.now.max(now)),
            None => self.peer.handle_input(datagram, now),
        }
        self.carry(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
        self.carry(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if self.server.is_none() {
            return self.peer.poll_transmit(now, out);
        }
        self.carry(now);
        let (transmit, packet) = self.owed.pop_front()?;
        *out = packet;
        Some(transmit)
    }

    fn poll_event(&mut self) -> bool {
        let has_event = self.peer.poll_event();
        self.carry(self.now);
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.owed.is_empty() { self.peer.poll_timeout(now) } else { Some(now.max(self.now)) }
    }
}

fn end(host: Host, side: &'static str, seed: u64, now: Instant, is_over_stream: bool) -> End {
    let mut config = config(host, now);
    let (server, local) = if host == A {
        let server = TurnServer::new(address(Z), USERNAME, PASSWORD);
        config.turn_servers = vec![if is_over_stream { server.over_tcp() } else { server }];
        config.ice_transport_policy = IceTransportPolicy::Relay;
        (None, address(A))
    } else {
        let lent = [SocketAddr::new(address(Z).ip(), 50_000)];
        let mut server = Server::new(address(Z), &lent);
        server.piece_len = 1 + seed as usize * 37 % 500; // of streams
        (Some(Box::new(server)), beyond())
    };
    let mut connection = PeerConnection::new(config, Seed::for_test(2 * seed + u64::from(host == Z)));
    connection.add_local_address(local).unwrap();
    connection.set_max_segments(if host == A { 4 } else { 1 });
    connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
    End { peer: Peer::new(connection), server, owed: VecDeque::new(), now, side }
}

fn pair_of(seed: u64, now: Instant, is_over_stream: bool) -> [End; 2] {
    let mut pair = [(A, "A"), (Z, "Z")].map(|(host, side)| end(host, side, seed, now, is_over_stream));
    let [a, z] = &mut pair;
    negotiate([&mut a.peer.connection, &mut z.peer.connection]);
    pair
}

impl Subject for End {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (Law::PacketsAreOwed, "a transmit is written whole: there is no limit to keep to"),
        (Law::Bounded, "contract.rs shows it of what goes through any path"),
        (Law::CostFollowsWork, "contract.rs shows it of what goes through any path"),
    ];
    const COMMANDS: usize = 20;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        pair_of(seed, now, false)
    }

    fn command(&mut self, n: usize) -> bool {
        let Some(channel) = self.peer.channels.get("agreed").copied() else { return false };
        let data = Bytes::from(vec![n as u8; n * 97 % 3000]);
        self.peer.connection.send(channel, data, true).is_ok()
    }

    fn outcome(&self) -> String {
        format!("{} {:?} {:?}", self.side, self.peer.state, by_channel(&self.peer.messages))
    }

    fn retransmitted(&self) -> u64 {
        self.peer.connection.transport_stats().retransmissions
    }

    fn dropped(&self) -> Option<u64> {
        self.server.is_none().then(|| dropped(&self.peer.connection))
    }
}

#[test]
fn a_connection_through_a_relay_keeps_the_laws() {
    contract::check_but::<End>(EXCEPTED);
}

/// The same over a stream, which comes in pieces.
struct OverStream(End);

impl Node for OverStream {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.0.handle_input(datagram, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.0.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> bool {
        self.0.poll_event()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.0.poll_timeout(now)
    }
}

impl Subject for OverStream {
    const UNCHECKED: &'static [(Law, &'static str)] = End::UNCHECKED;
    const COMMANDS: usize = End::COMMANDS;
    const NETWORK: Network = End::NETWORK;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        pair_of(seed, now, true).map(Self)
    }

    fn command(&mut self, n: usize) -> bool {
        self.0.command(n)
    }

    fn outcome(&self) -> String {
        self.0.outcome()
    }

    fn retransmitted(&self) -> u64 {
        self.0.retransmitted()
    }

    fn dropped(&self) -> Option<u64> {
        self.0.dropped()
    }
}

#[test]
fn a_connection_through_a_stream_to_a_relay_keeps_the_laws() {
    contract::check_but::<OverStream>(EXCEPTED);
}
