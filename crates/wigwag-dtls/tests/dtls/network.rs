//! In a simulated network: the ladders, and the laws of the five calls.

use crate::common::{A as CLIENT, EXCEPTED, Z as SERVER, configs, records};
use expect_test::expect;
use std::time::{Duration, Instant};
use wigwag_dtls::{CloseReason, Config, Connection, Event, Stats};
use wigwag_sansio::{Datagram, Rng, Seed, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Node, Wire, World, Z, seeds};

pub(crate) struct Peer {
    pub(crate) wire: Wire,
    pub(crate) connection: Connection,
    /// The keys of SRTP that it was told of, as the client's before the server's.
    keys: Option<Vec<u8>>,
    pub(crate) closed: Option<CloseReason>,
    messages: Vec<Vec<u8>>,
}

fn peers(seed: u64) -> [Peer; 2] {
    peers_with(&configs(), seed)
}

pub(crate) fn peers_with(configs: &[Config; 2], seed: u64) -> [Peer; 2] {
    let [client, server] = Wire::pair();
    let peer = |wire, who: usize| Peer {
        wire,
        connection: Connection::new(configs[who].clone(), Seed::for_test(2 * seed + who as u64)),
        keys: None,
        closed: None,
        messages: vec![],
    };
    [peer(client, CLIENT), peer(server, SERVER)]
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let messages = &mut self.messages;
        self.connection.handle_input(datagram.payload, now, |data| messages.push(data.to_vec()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.wire.transmit(out, |limit, out| self.connection.poll_packet(now, limit, out))
    }

    fn poll_event(&mut self) -> bool {
        match self.connection.poll_event() {
            Some(Event::Connected { srtp }) => {
                let keys = srtp.expect("SRTP was negotiated");
                let mut both = [keys.local_key(), keys.remote_key()];
                both.sort_unstable();
                self.keys = Some(both.concat());
            }
            Some(Event::Closed(reason)) => self.closed = Some(reason),
            Some(event) => panic!("{event:?}"),
            None => return false,
        }
        true
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.connection.poll_timeout(now)
    }
}

impl Subject for Peer {
    const UNCHECKED: &'static [(Law, &'static str)] = &[(Law::CostFollowsWork, "a connection has no parts")];
    const COMMANDS: usize = 0;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        peers(seed)
    }

    fn command(&mut self, _n: usize) -> bool {
        false
    }

    fn outcome(&self) -> String {
        format!("{:?} {:?}", self.keys, self.closed)
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        Some(&mut self.wire)
    }

    fn hostile(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; rng.below(200) as usize];
        rng.fill(&mut bytes);
        bytes
    }

    fn dropped(&self) -> Option<u64> {
        Some(dropped(self.connection.stats()))
    }

    fn load(&self) -> Option<Load> {
        Some(Load { held: self.connection.held_len(), bound: self.connection.held_len_max() })
    }
}

/// All counters of the second part.
fn dropped(stats: &Stats) -> u64 {
    let counters = format!("{stats:?}");
    let (_, counters) = counters.split_once("malformed_records").expect("the first of them");
    let numbers = counters.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok());
    numbers.sum()
}

#[test]
fn the_laws_hold() {
    contract::check_but::<Peer>(EXCEPTED);
}

const _: () = contract::is_send_and_sync::<Peer>();

/// The messages of a datagram.
fn dissect(datagram: &[u8]) -> String {
    let name = |record: &Vec<u8>| match (record[0], record[3..5] == [0, 0]) {
        (20, _) => "[ChangeCipherSpec]".to_owned(),
        (21, _) => "Alert".to_owned(),
        (22, false) => "{Handshake}".to_owned(),
        (22, true) => {
            let name = match record[13] {
                1 => "ClientHello",
                2 => "ServerHello",
                3 => "HelloVerifyRequest",
                11 => "Certificate",
                12 => "ServerKeyExchange",
                13 => "CertificateRequest",
                14 => "ServerHelloDone",
                15 => "CertificateVerify",
                16 => "ClientKeyExchange",
                other => return format!("message {other}"),
            };
            let number = |at: usize| record[at..at + 3].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            let (len, offset, fragment_len) = (number(14), number(19), number(22));
            if fragment_len == len { name.to_owned() } else { format!("{name}[{offset}..{}]", offset + fragment_len) }
        }
        (23, _) => "Data".to_owned(),
        (other, _) => format!("record {other}"),
    };
    records(datagram).iter().map(name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn connected(world: &World<Peer>) -> bool {
    world[A].keys.is_some() && world[A].keys == world[Z].keys
}

#[test]
fn a_handshake_is_two_round_trips() {
    let mut world = World::pair(1, peers(1));
    world.run_until(connected, Duration::from_secs(1));
    expect![[r#"
         0 ms  A → Z  ClientHello
        20 ms  A ← Z  ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
        40 ms  A → Z  Certificate, ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], {Handshake}
        60 ms  A ← Z  [ChangeCipherSpec], {Handshake}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut world = World::pair(1, peers(1));
    world.link(A, Z).drop_nth(1).drop_nth(3);
    world.link(Z, A).drop_nth(2).drop_nth(4);
    world.run_until(connected, Duration::from_secs(10));
    expect![[r#"
          0 ms  A ✗ Z  ClientHello  lost
        200 ms  A → Z  ClientHello
        220 ms  A ← Z  ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
        240 ms  A ✗ Z  Certificate, ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], {Handshake}  lost
        420 ms  A ✗ Z  ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone  lost
        440 ms  A → Z  Certificate, ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], {Handshake}
        460 ms  A ← Z  [ChangeCipherSpec], {Handshake}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn a_small_path_takes_more_datagrams() {
    let mut peers = peers(1);
    peers.iter_mut().for_each(|peer| peer.wire.limit = 300);
    let mut world = World::pair(1, peers);
    world.link(A, Z).mtu(300);
    world.link(Z, A).mtu(300);
    world.run_until(connected, Duration::from_secs(1));
    expect![[r#"
         0 ms  A → Z  ClientHello
        20 ms  A ← Z  ServerHello, Certificate[0..186]
        20 ms  A ← Z  Certificate[186..304], ServerKeyExchange
        20 ms  A ← Z  CertificateRequest, ServerHelloDone
        40 ms  A → Z  Certificate[0..275]
        40 ms  A → Z  Certificate[275..307], ClientKeyExchange, CertificateVerify, [ChangeCipherSpec], {Handshake}
        60 ms  A ← Z  [ChangeCipherSpec], {Handshake}
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn closing_takes_one_datagram_each_way() {
    let mut world = World::pair(1, peers(1));
    world.run_until(connected, Duration::from_secs(1));
    let lines = world.ladder(dissect).lines().count();
    world[A].connection.close();
    world.run();
    assert_eq!((world[A].closed, world[Z].closed), (Some(CloseReason::Local), Some(CloseReason::CloseNotify)));
    let ladder = world.ladder(dissect);
    let last: Vec<&str> = ladder.lines().skip(lines).collect();
    expect![[r#"
         80 ms  A → Z  Alert
        100 ms  A ← Z  Alert"#]]
    .assert_eq(&last.join("\n"));
}

/// D5: whatever the network does, as long as something comes through.
#[test]
fn bad_networks_only_delay() {
    for seed in seeds(50) {
        let mut world = World::pair(seed, peers(seed));
        world.links(A, Z, |link| {
            link.loss(25.0)
                .duplication(10.0)
                .reordering(20.0, Duration::from_millis(90))
                .jitter(Duration::from_millis(50));
        });
        world.run_until(connected, Duration::from_secs(600));
    }
}
