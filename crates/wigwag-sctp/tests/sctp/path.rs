//! Flows that share one bottleneck, in virtual time: a rate, a queue that drops at its tail, a delay, and loss at random.
//!
//! A world of `wigwag-sim` has a link for each pair of hosts and remembers every datagram; here several pairs share one, and
//! nothing is remembered but how much arrived.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Seed, earliest};
use wigwag_sctp::{Association, Config, Event, SendOptions, Stats};

/// Headers of IPv6, UDP and DTLS.
const HEADERS_LEN: usize = 48 + 37;
/// What a user keeps waiting.
const BUFFERED_MIN: usize = 256 << 10;

/// The path from the senders to the receivers. Back there is neither loss nor a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) bits_per_second: u64,
    pub(crate) round_trip: Duration,
    /// In a thousand.
    pub(crate) loss: u64,
    pub(crate) queue_len_max: usize,
}

impl Path {
    /// With a queue that holds as much as is on its way: one bandwidth-delay product.
    pub(crate) const fn new(megabits: u64, round_trip_ms: u64, loss: u64) -> Self {
        let bits_per_second = megabits * 1_000_000;
        let queue_len_max = (bits_per_second / 8 * round_trip_ms / 1000) as usize;
        Self { bits_per_second, round_trip: Duration::from_millis(round_trip_ms), loss, queue_len_max }
    }

    fn time_for(&self, len: usize) -> Duration {
        Duration::from_nanos((len + HEADERS_LEN) as u64 * 8 * 1_000_000_000 / self.bits_per_second)
    }
}

/// A sender and its receiver.
struct Flow {
    ends: [Association; 2],
    deadlines: [Option<Instant>; 2],
    begins: Instant,
    is_begun: bool,
    received: u64,
}

type Queue = VecDeque<(Instant, usize, Vec<u8>)>;

/// See the module.
pub(crate) struct Network {
    path: Path,
    now: Instant,
    flows: Vec<Flow>,
    /// On their way there and back.
    flights: [Queue; 2],
    busy_until: Instant,
    rng: Rng,
    spare: Vec<Vec<u8>>,
    message: Bytes,
}

impl Network {
    pub(crate) fn new(path: Path, seed: u64) -> Self {
        let now = wigwag_sim::origin();
        Self {
            path,
            now,
            flows: Vec::new(),
            flights: Default::default(),
            busy_until: now,
            rng: Rng::new(Seed::for_test(seed)),
            spare: Vec::new(),
            message: Bytes::from(vec![7; 16_384]),
        }
    }

    /// Adds a flow that sends as much as it can from `begins` on.
    pub(crate) fn add(&mut self, config: &Config, begins: Duration) -> usize {
        let seed = 2 * self.flows.len() as u64;
        let ends = [0, 1].map(|end| Association::new(config.clone(), Seed::for_test(seed + end)));
        let begins = self.now + begins;
        self.flows.push(Flow { ends, deadlines: [Some(begins), None], begins, is_begun: false, received: 0 });
        self.flows.len() - 1
    }

    /// Bytes that the receiver of the flow has read.
    pub(crate) fn received(&self, flow: usize) -> u64 {
        self.flows[flow].received
    }

    /// Of the sender and of the receiver.
    pub(crate) fn stats(&self, flow: usize) -> [Stats; 2] {
        [0, 1].map(|end| self.flows[flow].ends[end].stats())
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let arrivals = self.flights.iter().map(|queue| queue.front().map(|(at, ..)| *at));
            let alarms = self.flows.iter().flat_map(|flow| flow.deadlines);
            let Some(next) = earliest(arrivals.chain(alarms)).filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.deliver();
            for flow in 0..self.flows.len() {
                for end in 0..2 {
                    if self.flows[flow].deadlines[end].is_some_and(|at| at <= self.now) {
                        self.flows[flow].ends[end].handle_timeout(self.now);
                        self.turn(flow, end);
                    }
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        for direction in 0..2 {
            while self.flights[direction].front().is_some_and(|(at, ..)| *at <= self.now)
                && let Some((_, flow, packet)) = self.flights[direction].pop_front()
            {
                let end = 1 - direction;
                self.flows[flow].ends[end].handle_input(&packet, self.now);
                self.spare.push(packet);
                self.turn(flow, end);
            }
        }
    }

    /// One turn of the loop of a flow's end.
    fn turn(&mut self, flow: usize, end: usize) {
        let now = self.now;
        let Flow { ends, begins, is_begun, received, .. } = &mut self.flows[flow];
        let association = &mut ends[end];
        if end == 0 && *begins <= now {
            if !std::mem::replace(is_begun, true) {
                association.connect();
            }
            while association.buffered_amount(0) < BUFFERED_MIN {
                association.send(0, 53, self.message.clone(), SendOptions::default()).unwrap();
            }
        }
        while let Some(event) = association.poll_event() {
            if let Event::Message { data, .. } = event {
                *received += data.len() as u64;
            }
        }
        loop {
            let mut packet = self.spare.pop().unwrap_or_default();
            packet.clear();
            if !self.flows[flow].ends[end].poll_packet(now, 65_535, &mut packet) {
                self.spare.push(packet);
                break;
            }
            self.carry(flow, end, packet);
        }
        self.flows[flow].deadlines[end] = self.flows[flow].ends[end].poll_timeout(now);
    }

    fn carry(&mut self, flow: usize, end: usize, packet: Vec<u8>) {
        let delay = self.path.round_trip / 2;
        if end == 1 {
            return self.flights[1].push_back((self.now + delay, flow, packet));
        }
        let waiting = self.busy_until.saturating_duration_since(self.now);
        let backlog = (waiting.as_nanos() * u128::from(self.path.bits_per_second) / 8_000_000_000) as usize;
        let is_lost = self.path.loss > 0 && self.rng.below(1000) < self.path.loss;
        if is_lost || backlog + packet.len() > self.path.queue_len_max.max(20_000) {
            return self.spare.push(packet);
        }
        self.busy_until = self.busy_until.max(self.now) + self.path.time_for(packet.len());
        self.flights[0].push_back((self.busy_until + delay, flow, packet));
    }
}
