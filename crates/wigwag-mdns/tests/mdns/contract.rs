//! A host keeps the laws of all machines.

use crate::{ip, socket};
use std::collections::BTreeSet;
use std::time::Instant;
use wigwag_mdns::{Config, Event, Host, Interface};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Node, Z, address};

const NAMES: usize = 3;

/// A host with names, who wants to know those of the other; the group of their link is the other.
struct Member {
    host: Host,
    is_first: bool,
    /// Names of the other.
    wanted: Vec<String>,
    found: BTreeSet<String>,
}

impl Node for Member {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let (here, there) = if self.is_first { ("10.0.0.1", "10.0.0.2") } else { ("10.0.0.2", "10.0.0.1") };
        // Ports tell who is of multicast DNS: only what comes from elsewhere than it should keeps its own.
        let other = if self.is_first { address(Z) } else { address(A) };
        let from =
            if datagram.remote == other { socket(&format!("{there}:5353")) } else { socket(&format!("{there}:1")) };
        self.host.handle_input(Datagram::udp(socket(&format!("{here}:5353")), from, datagram.payload), now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.host.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let transmit = self.host.poll_transmit(now, out)?;
        let (from, to) = if self.is_first { (address(A), address(Z)) } else { (address(Z), address(A)) };
        Some(Transmit { local: from, remote: to, ..transmit })
    }

    fn poll_event(&mut self) -> bool {
        match self.host.poll_event() {
            Some(Event::Resolved { name, address }) => _ = self.found.insert(format!("{name} {address}")),
            // Much was lost: a user asks again.
            Some(Event::Unresolved(name)) => _ = self.host.resolve(&name.to_string()),
            Some(_) => {}
            None => return false,
        }
        true
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.host.poll_timeout(now)
    }
}

impl Subject for Member {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (Law::PacketsAreOwed, "a message is written whole: there is no limit to keep to"),
        (Law::CostFollowsWork, "what is owed and when to wake is kept, and a poll looks at nothing else"),
    ];
    const COMMANDS: usize = NAMES;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let mut members = [("10.0.0.1", true), ("10.0.0.2", false)].map(|(here, is_first)| {
            let mut host = Host::new(Config::default(), Seed::for_test(2 * seed + u64::from(is_first)));
            host.add_interface(Interface::new(ip(here), 24)).unwrap();
            let ours: Vec<_> = (0..NAMES).map(|_| host.register(ip(here)).unwrap().to_string()).collect();
            (Self { host, is_first, wanted: vec![], found: BTreeSet::new() }, ours)
        });
        let names = [members[1].1.clone(), members[0].1.clone()];
        members.iter_mut().zip(names).for_each(|(member, names)| member.0.wanted = names);
        members.map(|(member, _)| member)
    }

    fn command(&mut self, n: usize) -> bool {
        match self.wanted.get(n) {
            Some(name) => self.host.resolve(name).is_ok(),
            None => self.host.resolve(&format!("{n:08x}-ea17-4bcf-a596-105139dfd8bf.local")).is_ok(),
        }
    }

    fn outcome(&self) -> String {
        format!("{:?}", self.found)
    }

    fn dropped(&self) -> Option<u64> {
        Some(self.host.stats().dropped())
    }

    fn load(&self) -> Option<Load> {
        let (queries, names) = (self.host.queries(), self.host.names().count());
        Some(Load { held: queries + names, bound: 64 + 64 })
    }
}

#[test]
fn a_host_keeps_the_laws() {
    contract::check::<Member>();
}

const _: () = contract::is_send_and_sync::<Host>();
