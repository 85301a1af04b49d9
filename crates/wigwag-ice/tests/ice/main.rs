//! Agents on hosts of a world, or alone with a peer whose every message is written by the test.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod contract;
mod cost;
mod decisions;
mod endless;
mod flood;
mod gathering;
mod hostile;
mod invariants;
mod lite;
mod network;
mod nomination;
mod prepared;
mod restart;
mod script;
mod storm;
mod tcp;
mod tcp_hostile;

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::{Agent, Config, Event, LocalCandidate, RemoteCandidate, Role, State};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sim::{A, Node, World, Z, address};
use wigwag_stun::{Class, Message};

/// An agent and what it told.
pub(crate) struct Peer {
    pub(crate) agent: Agent,
    pub(crate) events: Vec<Event>,
}

impl Peer {
    pub(crate) fn new(role: Role, seed: u64) -> Self {
        Self::with(config(role), seed)
    }

    pub(crate) fn with(config: Config, seed: u64) -> Self {
        Self { agent: Agent::new(config, Seed::for_test(seed)), events: Vec::new() }
    }
}

pub(crate) fn config(role: Role) -> Config {
    let mut config = Config::default();
    config.role = role;
    config
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.agent.handle_input(datagram, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.agent.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> bool {
        let event = self.agent.poll_event();
        let has_event = event.is_some();
        // How gathering goes is told in its own tests.
        self.events.extend(event.filter(|event| !matches!(event, Event::GatheringStateChanged(_))));
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.agent.poll_timeout(now)
    }
}

/// What a message is, for ladders.
pub(crate) fn dissect(payload: &[u8]) -> String {
    let Ok(message) = Message::decode(payload) else { return "not STUN".into() };
    match message.class() {
        Class::Request if message.attributes.use_candidate => "check USE-CANDIDATE".into(),
        Class::Request => "check".into(),
        Class::SuccessResponse => "success".into(),
        Class::ErrorResponse => format!("error {}", message.attributes.error_code.map_or(0, |error| error.code)),
        Class::Indication => "indication".into(),
    }
}

/// A and Z, 20 ms from each other, who know nothing.
pub(crate) fn strangers(seed: u64, roles: [Role; 2]) -> World<Peer> {
    let [a, z] = roles;
    let mut world = World::pair(seed, [Peer::new(a, 2 * seed), Peer::new(z, 2 * seed + 1)]);
    world.links(A, Z, |link| {
        link.latency(Duration::from_millis(20));
    });
    world
}

pub(crate) const ROLES: [Role; 2] = [Role::Controlling, Role::Controlled];

/// Tells each who the other is.
pub(crate) fn introduce(world: &mut World<Peer>) {
    for (local, remote) in [(A, Z), (Z, A)] {
        let credentials = world[local].agent.local_credentials().clone();
        world[remote].agent.set_remote_credentials(credentials);
    }
}

/// Adds a host candidate and signals it.
pub(crate) fn trickle(world: &mut World<Peer>, from: wigwag_sim::Host, local: SocketAddr) {
    let candidate = world[from].agent.add_local_candidate(LocalCandidate::host(local)).unwrap();
    let to = if from == A { Z } else { A };
    world[to].agent.add_remote_candidate(RemoteCandidate::from(&candidate)).unwrap();
}

pub(crate) fn end_of_candidates(world: &mut World<Peer>) {
    for host in [A, Z] {
        world[host].agent.end_of_local_candidates();
        world[host].agent.end_of_remote_candidates();
    }
}

/// A and Z know all of each other: one host candidate each.
pub(crate) fn acquainted(seed: u64, roles: [Role; 2]) -> World<Peer> {
    let mut world = strangers(seed, roles);
    introduce(&mut world);
    for host in [A, Z] {
        trickle(&mut world, host, address(host));
    }
    end_of_candidates(&mut world);
    world
}

pub(crate) fn are(world: &World<Peer>, state: State) -> bool {
    world[A].agent.state() == state && world[Z].agent.state() == state
}

/// Whether the agents use the same path, seen from both ends.
pub(crate) fn is_mirrored(world: &World<Peer>) -> bool {
    let paths = [A, Z].map(|host| world[host].agent.selected_path());
    let [Some(a), Some(z)] = paths else { return false };
    a.local == z.remote && a.remote == z.local
}
