//! In a simulated network: the ladders, and the laws of the five calls.

use super::configs;
use crate::common::EXCEPTED;
use crate::network::{Peer, connected, peers_with};
use expect_test::expect;
use std::time::{Duration, Instant};
use wigwag_dtls::{CloseReason, Group};
use wigwag_sansio::{Datagram, Rng, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Node, Wire, World, Z, seeds};

/// A peer that speaks 1.3 alone.
struct Peer13(Peer);

impl Node for Peer13 {
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

impl Subject for Peer13 {
    const UNCHECKED: &'static [(Law, &'static str)] = Peer::UNCHECKED;
    /// To replace the keys, alone and the peer's as well.
    const COMMANDS: usize = 2;
    const NETWORK: Network = Peer::NETWORK;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        peers_with(&configs(), seed).map(Self)
    }

    fn command(&mut self, n: usize) -> bool {
        self.0.connection.update_keys(n == 1);
        true
    }

    fn outcome(&self) -> String {
        self.0.outcome()
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        self.0.wire()
    }

    fn hostile(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = Peer::hostile(rng);
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0x1F | 0x20;
        }
        bytes
    }

    fn dropped(&self) -> Option<u64> {
        self.0.dropped()
    }

    fn load(&self) -> Option<Load> {
        self.0.load()
    }
}

#[test]
fn the_laws_hold() {
    contract::check_but::<Peer13>(EXCEPTED);
}

/// The records of a datagram, as far as they can be seen.
fn dissect(datagram: &[u8]) -> String {
    let (mut rest, mut names) = (datagram, Vec::new());
    while let Some(&first) = rest.first() {
        let (name, len) = if first & 0xE0 == 0x20 {
            (format!("{{epoch {}}}", first & 3), 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]])))
        } else {
            let number = |at: usize| rest[at..at + 3].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            let name = match (first, rest[13]) {
                (22, 1) => "ClientHello".to_owned(),
                (22, 2) if rest[27..29] == [0xCF, 0x21] => "HelloRetryRequest".to_owned(),
                (22, 2) => "ServerHello".to_owned(),
                other => format!("{other:?}"),
            };
            let (len, offset, fragment_len) = (number(14), number(19), number(22));
            let is_whole = fragment_len == len;
            let name = if is_whole { name } else { format!("{name}[{offset}..{}]", offset + fragment_len) };
            (name, 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]])))
        };
        names.push(name);
        rest = &rest[len..];
    }
    names.join(", ")
}

#[test]
fn a_handshake_is_a_round_trip_and_a_half() {
    let mut world = World::pair(1, peers_with(&configs(), 1));
    world.run_until(connected, Duration::from_secs(1));
    world.run();
    expect![[r#"
         0 ms  A → Z  ClientHello[0..1175]
         0 ms  A → Z  ClientHello[1175..1368]
        20 ms  A ← Z  ServerHello
        20 ms  A ← Z  {epoch 2}
        40 ms  A → Z  {epoch 2}
        60 ms  A ← Z  {epoch 3}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn another_group_takes_a_round_trip_more() {
    let mut configs = configs();
    configs[1].groups = vec![Group::Secp256r1];
    let mut world = World::pair(1, peers_with(&configs, 1));
    world.run_until(connected, Duration::from_secs(1));
    world.run();
    expect![[r#"
          0 ms  A → Z  ClientHello[0..1175]
          0 ms  A → Z  ClientHello[1175..1368]
         20 ms  A ← Z  HelloRetryRequest
         40 ms  A → Z  ClientHello
         60 ms  A ← Z  ServerHello, {epoch 2}
         80 ms  A → Z  {epoch 2}
        100 ms  A ← Z  {epoch 3}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn what_is_lost_is_sent_again_and_nothing_else() {
    let mut configs = configs();
    configs.iter_mut().for_each(|config| config.groups = vec![Group::X25519]);
    let mut peers = peers_with(&configs, 1);
    peers.iter_mut().for_each(|peer| peer.wire.limit = 300);
    let mut world = World::pair(1, peers);
    world.link(A, Z).drop_nth(1).drop_nth(3);
    world.link(Z, A).drop_nth(2).drop_nth(5);
    world.run_until(connected, Duration::from_secs(10));
    world.run();
    expect![[r#"
          0 ms  A ✗ Z  ClientHello  lost
        200 ms  A → Z  ClientHello
        220 ms  A ← Z  ServerHello, {epoch 2}
        220 ms  A ✗ Z  {epoch 2}  lost
        220 ms  A ← Z  {epoch 2}
        340 ms  A ✗ Z  {epoch 2}  lost
        420 ms  A ← Z  ServerHello, {epoch 2}
        420 ms  A ✗ Z  {epoch 2}  lost
        420 ms  A ← Z  {epoch 2}
        540 ms  A → Z  {epoch 2}
        820 ms  A ← Z  {epoch 2}
        840 ms  A → Z  {epoch 2}
        840 ms  A → Z  {epoch 2}
        860 ms  A ← Z  {epoch 3}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn closing_takes_one_datagram_each_way() {
    let mut world = World::pair(1, peers_with(&configs(), 1));
    world.run_until(connected, Duration::from_secs(1));
    world[A].connection.close();
    world.run();
    assert_eq!((world[A].closed, world[Z].closed), (Some(CloseReason::Local), Some(CloseReason::CloseNotify)));
}

/// D5: whatever the network does, as long as something comes through.
#[test]
fn bad_networks_only_delay() {
    for seed in seeds(50) {
        let mut world = World::pair(seed, peers_with(&configs(), seed));
        world.links(A, Z, |link| {
            link.loss(25.0)
                .duplication(10.0)
                .reordering(20.0, Duration::from_millis(90))
                .jitter(Duration::from_millis(50));
        });
        world.run_until(connected, Duration::from_secs(600));
    }
}
