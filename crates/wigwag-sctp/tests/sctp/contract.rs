//! The nine laws, with each controller.

use crate::common::{self, Peer, config};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Instant;
use wigwag_sansio::{Datagram, Rng, Transmit};
use wigwag_sctp::{Config, CongestionControl, Event, SendOptions};
use wigwag_sim::contract::{self, Load, Network, Subject};
use wigwag_sim::{A, Node, Wire};

const WINDOW: u32 = 400_000;
const SEND_BUFFER: usize = 200_000;

/// A peer, and whether it is the one of a crowd.
struct Contracted<const CONTROL: usize>(Peer, bool);

const CONTROLS: [CongestionControl; 3] = [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr];

impl<const CONTROL: usize> Node for Contracted<CONTROL> {
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

impl<const CONTROL: usize> Subject for Contracted<CONTROL> {
    const COMMANDS: usize = 24;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let config = || {
            config(|config: &mut Config| {
                config.receive_window = WINDOW;
                config.receive_window_max = WINDOW;
                config.message_len_max_receive = 50_000;
                config.send_buffer = SEND_BUFFER;
                config.send_buffer_max = SEND_BUFFER;
                config.congestion_control = CONTROLS[CONTROL];
            })
        };
        let [a, z] = Wire::pair();
        [Self(Peer::new(config(), 2 * seed, a), false), Self(Peer::new(config(), 2 * seed + 1, z), false)]
    }

    fn command(&mut self, n: usize) -> bool {
        let association = &mut self.0.association;
        match n {
            0 if !self.1 => {
                association.connect();
                true
            }
            n => {
                let data = Bytes::from(vec![n as u8; n * 97 % 4000 + 1]);
                association.send(n as u16 % 3, 51, data, SendOptions::default()).is_ok()
            }
        }
    }

    fn outcome(&self) -> String {
        let mut streams: BTreeMap<u16, Vec<(u8, usize)>> = BTreeMap::new();
        let mut others = Vec::new();
        for event in &self.0.events {
            match event {
                Event::Message { stream, data, .. } => streams.entry(*stream).or_default().push((data[0], data.len())),
                // When a buffer runs empty depends on when it is asked for packets.
                Event::BufferedAmountLow { .. } | Event::Writable => {}
                other => others.push(other.clone()),
            }
        }
        format!("{others:?} {streams:?}")
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        Some(&mut self.0.wire)
    }

    fn retransmitted(&self) -> u64 {
        self.0.association.stats().retransmitted
    }

    fn hostile(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; rng.below(200) as usize];
        rng.fill(&mut bytes);
        bytes
    }

    fn dropped(&self) -> Option<u64> {
        let discarded = self.0.association.stats().discarded;
        Some(discarded.malformed + discarded.checksum + discarded.port + discarded.verification_tag)
    }

    fn load(&self) -> Option<Load> {
        let stats = self.0.association.stats();
        let held = stats.buffered_amount + stats.in_flight + stats.receive_buffered;
        Some(Load { held, bound: SEND_BUFFER + 2 * SEND_BUFFER + WINDOW as usize })
    }

    /// Streams that have carried a message each, and of which most have another one that has to wait for the window.
    fn crowd(seed: u64, parts: usize, _now: Instant) -> Option<Self> {
        let mut world = common::connected(seed);
        for _ in 0..2 {
            world.run();
            (0..parts).for_each(|stream| world[A].send(stream as u16, &[7; 1000]));
        }
        let [wire, _] = Wire::pair();
        let gone = Peer::new(Config::default(), seed, wire);
        Some(Self(std::mem::replace(&mut world[A], gone), true))
    }

    fn visits(&self) -> Option<u64> {
        Some(self.0.association.stats().visits)
    }
}

#[test]
fn the_association_keeps_the_laws() {
    contract::check::<Contracted<0>>();
}

#[test]
fn with_cubic_it_keeps_the_laws() {
    contract::check::<Contracted<1>>();
}

#[test]
fn with_a_model_of_the_path_it_keeps_the_laws() {
    contract::check::<Contracted<2>>();
}

const _: () = contract::is_send_and_sync::<wigwag_sctp::Association>();
