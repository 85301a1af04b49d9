//! The client keeps the laws of all machines.

use crate::server::{PASSWORD, Server};
use crate::{Machine, client, client_over, node, relayed};
use std::time::Instant;
use wigwag_sansio::{Datagram, Protocol, Transmit};
use wigwag_sim::contract::{self, Law, Network, Subject};
use wigwag_sim::{Node, Z, address};
use wigwag_turn::{Client, ClientEvent};

/// The client and its server; [`Node`](wigwag_sim::Node) both are.
impl Subject for Machine {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (
            Law::PacketsAreOwed,
            "a request is written whole: there is no limit to keep to; hostile.rs shows what wrap does",
        ),
        (Law::Bounded, "peers.rs, there_is_room_for_so_many"),
        (Law::CostFollowsWork, "what is owed and when to wake is kept, and a poll looks at nothing else"),
    ];
    const COMMANDS: usize = 3;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let server = Server::new(address(Z), &[relayed(5000)]);
        [node(client(seed, PASSWORD)), Machine::Server(Box::new(server))]
    }

    fn command(&mut self, n: usize) -> bool {
        if let Machine::Client(node) = self {
            match n {
                0 => node.client.allow([192, 0, 2, 7].into()),
                1 => node.client.bind(([192, 0, 2, 7], 700).into()),
                _ => node.client.retain(|_| true),
            }
        }
        true
    }

    fn outcome(&self) -> String {
        match self {
            Machine::Client(node) => format!("{:?}", node.events),
            Machine::Server(server) => format!("{} allocations", server.allocations()),
            Machine::Peer(_) => String::new(),
        }
    }

    fn dropped(&self) -> Option<u64> {
        match self {
            Machine::Client(node) => Some(node.client.stats().dropped()),
            Machine::Server(_) | Machine::Peer(_) => None,
        }
    }
}

/// The same over a stream, which comes in pieces.
struct OverStream(Machine);

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
    const UNCHECKED: &'static [(Law, &'static str)] = Machine::UNCHECKED;
    const COMMANDS: usize = Machine::COMMANDS;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let mut server = Server::new(address(Z), &[relayed(5000)]);
        server.piece_len = 1 + seed as usize % 50;
        [node(client_over(Protocol::Tcp, seed, PASSWORD)), Machine::Server(Box::new(server))].map(Self)
    }

    fn command(&mut self, n: usize) -> bool {
        self.0.command(n)
    }

    fn outcome(&self) -> String {
        self.0.outcome()
    }

    fn dropped(&self) -> Option<u64> {
        self.0.dropped()
    }
}

#[test]
fn the_client_keeps_the_laws() {
    contract::check::<Machine>();
}

#[test]
fn the_client_keeps_the_laws_over_a_stream() {
    contract::check::<OverStream>();
}

const _: () = contract::is_send_and_sync::<Client>();

#[test]
fn the_outcome_is_an_address() {
    let mut pair = Machine::pair(1, wigwag_sim::origin());
    let (mut out, now) = (Vec::new(), wigwag_sim::origin());
    for _ in 0..10 {
        for from in 0..2 {
            while let Some(transmit) = pair[from].poll_transmit(now, &mut out) {
                let datagram = Datagram::udp(transmit.remote, transmit.local, &mut out);
                pair[1 - from].handle_input(datagram, now);
            }
        }
        pair[0].poll_event();
    }
    assert!(matches!(pair[0].events(), [ClientEvent::Allocated { .. }]));
}
