//! A socket that holds few packets, and a program that is not always scheduled: losses come in bursts, often.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Seed, earliest};
use wigwag_sctp::{Association, Config, CongestionControl, Event, Reliability, SendOptions};

const MESSAGES: usize = 400;
const TURN: Duration = Duration::from_micros(30);
/// What a user keeps waiting in a stream.
const BUFFERED_MAX: usize = 256 << 10;

/// One program with its socket.
struct Program {
    association: Association,
    socket: VecDeque<Vec<u8>>,
    sent: [usize; 2],
    received: usize,
    frozen_until: Instant,
}

impl Program {
    fn new(config: Config, seed: u64, now: Instant) -> Self {
        let association = Association::new(config, Seed::for_test(seed));
        Self { association, socket: VecDeque::new(), sent: [0; 2], received: 0, frozen_until: now }
    }

    fn send(&mut self, stream: u16, reliability: Reliability, len: impl Fn(usize) -> usize) {
        let sent = &mut self.sent[usize::from(stream)];
        while *sent < MESSAGES && self.association.buffered_amount(stream) < BUFFERED_MAX {
            let options = SendOptions { unordered: stream == 1, reliability };
            self.association.send(stream, 53, Bytes::from(vec![1; len(*sent)]), options).unwrap();
            *sent += 1;
        }
    }

    /// One turn of its loop; what does not fit the peer's socket is lost.
    fn turn(&mut self, now: Instant, peers_socket: &mut VecDeque<Vec<u8>>, socket_max: usize) {
        self.association.handle_timeout(now);
        while let Some(event) = self.association.poll_event() {
            self.received += usize::from(matches!(event, Event::Message { stream: 0, .. }));
        }
        let mut packet = Vec::new();
        while self.association.poll_packet(now, 1200, &mut packet) {
            if peers_socket.len() < socket_max {
                peers_socket.push_back(std::mem::take(&mut packet));
            }
            packet.clear();
        }
        if let Some(packet) = self.socket.pop_front() {
            self.association.handle_input(&packet, now);
        }
        self.send(0, Reliability::Reliable, |n| (n * 37) % 20_000 + 1);
        self.send(1, Reliability::MaxRetransmits(0), |n| n + 4);
    }
}

/// Both have everything soon, in virtual time. How many packets a socket holds, and how much an association, is drawn.
fn transfer(seed: u64) {
    let start = wigwag_sim::origin();
    let mut rng = Rng::new(Seed::for_test(seed));
    let socket_max = 40 + rng.below(400) as usize;
    let mut config = Config::default();
    let controls = [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr];
    config.congestion_control = controls[seed as usize % 3];
    config.receive_window = (256 << 10) << rng.below(5);
    let mut programs = [0, 1].map(|n| Program::new(config.clone(), 2 * seed + n, start));
    programs[0].association.connect();
    let mut now = start;
    while programs.iter().any(|program| program.received < MESSAGES) {
        assert!(
            now < start + Duration::from_secs(10),
            "seed {seed}, {socket_max} packets, window {}: {:?}",
            config.receive_window,
            programs.map(|program| program.association.stats())
        );
        for turn in 0..2 {
            let [a, z] = &mut programs;
            let (program, peer) = if turn == 0 { (a, z) } else { (z, a) };
            if now >= program.frozen_until {
                program.turn(now, &mut peer.socket, socket_max);
                if rng.one_in(300) {
                    program.frozen_until = now + Duration::from_micros(1000 + rng.below(15_000));
                }
            }
        }
        now += TURN;
        if programs.iter().all(|program| program.socket.is_empty() && program.received < MESSAGES) {
            let due = earliest(programs.iter().map(|program| program.association.poll_timeout(now)));
            now = now.max(due.unwrap_or(now));
        }
    }
}

#[test]
fn bursts_of_loss_cost_no_more_than_they_must() {
    for seed in wigwag_sim::seeds(50) {
        transfer(seed);
    }
}
