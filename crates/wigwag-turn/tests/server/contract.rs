//! The server keeps the laws of all machines.

use crate::nodes::{self, Machine};
use std::time::Instant;
use wigwag_sansio::{Datagram, Protocol, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Node, Z, address};
use wigwag_turn::{ClientEvent, Server};

/// The server first, which is the one that is flooded, and its client.
struct Datagrams(Machine);
/// The same over a stream.
struct Streams(Machine);

fn pair(protocol: Protocol, seed: u64) -> [Machine; 2] {
    [nodes::server(seed, address(A), 50_000..=50_100), nodes::client(protocol, seed, address(Z), address(A), "ann")]
}

fn command(machine: &mut Machine, n: usize) {
    match machine {
        Machine::Client(node) => match n {
            0 => node.client.allow([192, 0, 2, 7].into()),
            1 => node.client.bind(([192, 0, 2, 7], 700).into()),
            _ => node.client.retain(|_| true),
        },
        // Nothing that the outcome depends on.
        Machine::Server(node) => node.server.relay_opened(([192, 0, 2, 7], 7).into(), n.is_multiple_of(2)),
        Machine::Peer(_) => {}
    }
}

fn outcome(machine: &Machine) -> String {
    match machine {
        Machine::Client(node) => format!("{:?}", node.events),
        Machine::Server(node) => format!("{} allocations", node.server.allocations()),
        Machine::Peer(_) => String::new(),
    }
}

fn dropped(machine: &Machine) -> Option<u64> {
    match machine {
        Machine::Client(node) => Some(node.client.stats().dropped()),
        Machine::Server(node) => Some(node.server.stats().dropped()),
        Machine::Peer(_) => None,
    }
}

/// 4 MiB of what waits, and at most what 1000 allocations with all that they may have cost.
fn load(machine: &Machine) -> Option<Load> {
    match machine {
        Machine::Server(node) => Some(Load { held: node.server.held_len(), bound: (4 << 20) + 1000 * 128 * 258 }),
        Machine::Client(_) | Machine::Peer(_) => None,
    }
}

macro_rules! subject {
    ($name:ident, $protocol:expr) => {
        impl Node for $name {
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

        impl Subject for $name {
            const UNCHECKED: &'static [(Law, &'static str)] = &[
                (Law::PacketsAreOwed, "what goes through goes through whole: there is no limit to keep to"),
                (
                    Law::CostFollowsWork,
                    "a poll looks at the first of a queue and of the deadlines, and at nothing else",
                ),
            ];
            const COMMANDS: usize = 3;
            const NETWORK: Network = Network::Lossy;

            fn pair(seed: u64, _now: Instant) -> [Self; 2] {
                pair($protocol, seed).map(Self)
            }

            fn command(&mut self, n: usize) -> bool {
                command(&mut self.0, n);
                true
            }

            fn outcome(&self) -> String {
                outcome(&self.0)
            }

            fn dropped(&self) -> Option<u64> {
                dropped(&self.0)
            }

            fn load(&self) -> Option<Load> {
                load(&self.0)
            }
        }
    };
}

subject!(Datagrams, Protocol::Udp);
subject!(Streams, Protocol::Tcp);

#[test]
fn the_server_keeps_the_laws() {
    contract::check::<Datagrams>();
}

#[test]
fn the_server_keeps_the_laws_over_streams() {
    contract::check::<Streams>();
}

const _: () = contract::is_send_and_sync::<Server>();

#[test]
fn the_outcome_is_an_address() {
    let (mut pair, mut out, now) = (pair(Protocol::Udp, 1), Vec::new(), wigwag_sim::origin());
    for _ in 0..10 {
        for from in 0..2 {
            while pair[from].poll_event() {}
            while let Some(transmit) = pair[from].poll_transmit(now, &mut out) {
                pair[1 - from].handle_input(Datagram::udp(transmit.remote, transmit.local, &mut out), now);
            }
        }
    }
    assert!(matches!(pair[1].events(), [ClientEvent::Allocated { .. }]));
}
