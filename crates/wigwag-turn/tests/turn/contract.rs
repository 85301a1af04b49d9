//! The client keeps the laws of all machines.

use crate::server::{PASSWORD, Server};
use crate::{ClientNode, Machine, client, relayed};
use std::time::Instant;
use wigwag_sansio::Datagram;
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
        let client = client(seed, PASSWORD);
        let node = ClientNode { client, events: vec![], received: vec![], to_send: vec![] };
        let server = Server::new(address(Z), &[relayed(5000)]);
        [Machine::Client(Box::new(node)), Machine::Server(Box::new(server))]
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

#[test]
fn the_client_keeps_the_laws() {
    contract::check::<Machine>();
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
