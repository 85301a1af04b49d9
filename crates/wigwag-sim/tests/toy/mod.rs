//! A machine that keeps the laws, and one flaw for each way to break them.
//!
//! Messages of one byte on many streams, each sent until it is acknowledged. Every packet has 12 bytes: kind, tag (4),
//! stream, number, message, check (4).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Deadlines, Monotonic, Rng, Seed, Transmit};
use wigwag_sim::contract::{Load, Network, Subject};
use wigwag_sim::{Node, Wire, origin};

const DATA: u8 = 1;
const ACK: u8 = 2;
const PACKET_LEN: usize = 12;
const RTO: Duration = Duration::from_millis(200);
const RTO_MAX: Duration = Duration::from_secs(2);
const QUEUED_MAX: usize = 64;
const EVENTS_MAX: usize = 64;
const STREAMS: usize = 4;

/// What the machine does wrong: each is one line of it that should read otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    ReadsTheClock,
    BelievesEveryClock,
    PanicsWhenTimeRunsBackwards,
    CountsTimersFromAnEarlierNow,
    LosesWhatIsPolledLate,
    LosesWhatDoesNotFit,
    IgnoresTheLimit,
    PanicsAtShortInput,
    PanicsAtItsOwnPackets,
    DropsWithoutCounting,
    BelievesStrangers,
    HasOnePlaceForEvents,
    HasOnePlaceForAcks,
    DeliversTwice,
    NeverSendsAgain,
    DoesNotWakeAfterACommand,
    DoesNotWakeForAnEvent,
    HasATimerThatSpins,
    LeavesTimersThatAreDue,
    BacksOffAtEachTimeout,
    SendsAgainWhenCalledEarly,
    DrawsItsTagElsewhere,
    SendsInTheOrderOfAHashMap,
    QueuesWithoutLimit,
    KeepsEventsWithoutLimit,
    PollsAllStreams,
}

thread_local! {
    /// What the machines of this test do wrong. One type for all flaws, or all checks were compiled for each.
    static FLAW: Cell<Flaw> = const { Cell::new(Flaw::None) };
}

/// From now on the machines of this test do that wrong.
pub(crate) fn suffer_from(flaw: Flaw) {
    FLAW.set(flaw);
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Idle,
    /// The first message of the queue is owed.
    Sending {
        rto: Duration,
        is_again: bool,
    },
    Waiting {
        rto: Duration,
        sent_at: Instant,
        retransmit_at: Instant,
    },
}

#[derive(Default)]
struct Stream {
    queue: VecDeque<u8>,
    /// The number of the first message of the queue.
    number: u8,
    state: State,
    /// The number of the next message of the peer.
    expected: u8,
    /// What the peer has to be told, and since when.
    ack: Option<(u8, Instant)>,
}

pub(crate) struct Toy {
    flaw: Flaw,
    wire: Wire,
    /// What tells this pair from others.
    tag: [u8; 4],
    /// What tells A's packets from Z's.
    role: u8,
    now: Monotonic,
    streams: Vec<Stream>,
    owing: BTreeSet<usize>,
    deadlines: Deadlines,
    queued: usize,
    events: VecDeque<(u8, u8)>,
    received: BTreeMap<u8, Vec<u8>>,
    dropped: u64,
    retransmitted: u64,
    visits: u64,
    is_asleep: bool,
}

impl Toy {
    fn new(wire: Wire, role: u8, streams: usize, seed: Seed) -> Self {
        let flaw = FLAW.get();
        let mut tag = Rng::new(seed).bytes();
        if flaw == Flaw::DrawsItsTagElsewhere {
            tag = elsewhere(tag);
        }
        Self {
            flaw,
            wire,
            tag,
            role,
            now: Monotonic::default(),
            streams: (0..streams).map(|_| Stream::default()).collect(),
            owing: BTreeSet::new(),
            deadlines: Deadlines::default(),
            queued: 0,
            events: VecDeque::new(),
            received: BTreeMap::new(),
            dropped: 0,
            retransmitted: 0,
            visits: 0,
            is_asleep: false,
        }
    }

    fn send(&mut self, slot: usize, message: u8) -> bool {
        if self.queued >= QUEUED_MAX && self.flaw != Flaw::QueuesWithoutLimit {
            return false;
        }
        self.queued += 1;
        self.is_asleep = self.flaw == Flaw::DoesNotWakeAfterACommand;
        let stream = &mut self.streams[slot];
        stream.queue.push_back(message);
        if let State::Idle = stream.state {
            stream.state = State::Sending { rto: RTO, is_again: false };
        }
        self.update(slot);
        true
    }

    fn handle_packet(&mut self, packet: &[u8], now: Instant) -> Option<()> {
        if self.flaw == Flaw::PanicsAtShortInput {
            std::hint::black_box(packet[4]);
        }
        let packet: &[u8; PACKET_LEN] = packet.try_into().ok()?;
        let (&[kind, t0, t1, t2, t3, slot, number, message], check) = packet.split_first_chunk()?;
        if self.flaw == Flaw::PanicsAtItsOwnPackets {
            assert_ne!(check, self.check(self.role, &packet[..8]), "nobody would send that back");
        }
        if [t0, t1, t2, t3] != self.tag || check != self.check(1 - self.role, &packet[..8]) {
            return None;
        }
        match kind {
            DATA => self.handle_data(slot, number, message, now),
            ACK => self.handle_ack(slot, number),
            _ => None,
        }
    }

    fn handle_data(&mut self, slot: u8, number: u8, message: u8, now: Instant) -> Option<()> {
        let stream = self.streams.get_mut(usize::from(slot))?;
        if number == stream.expected || self.flaw == Flaw::DeliversTwice {
            if self.events.len() >= EVENTS_MAX && self.flaw != Flaw::KeepsEventsWithoutLimit {
                return None;
            }
            if self.flaw == Flaw::HasOnePlaceForEvents {
                self.events.clear();
            }
            self.events.push_back((slot, message));
            stream.expected = number.wrapping_add(1);
        } else if number != stream.expected.wrapping_sub(1) {
            return None;
        }
        stream.ack = Some((number, now));
        if self.flaw == Flaw::HasOnePlaceForAcks {
            for other in (0..self.streams.len()).filter(|other| *other != usize::from(slot)) {
                self.streams[other].ack = None;
                self.update(other);
            }
        }
        self.update(usize::from(slot));
        Some(())
    }

    fn handle_ack(&mut self, slot: u8, number: u8) -> Option<()> {
        let stream = self.streams.get_mut(usize::from(slot))?;
        let is_awaited = match stream.state {
            State::Idle | State::Sending { is_again: false, .. } => false,
            State::Sending { is_again: true, .. } | State::Waiting { .. } => true,
        };
        if !is_awaited || number != stream.number {
            return None;
        }
        stream.queue.pop_front()?;
        self.queued -= 1;
        stream.number = stream.number.wrapping_add(1);
        stream.state = if stream.queue.is_empty() { State::Idle } else { State::Sending { rto: RTO, is_again: false } };
        self.update(usize::from(slot));
        Some(())
    }

    fn expire(&mut self, now: Instant) {
        while let Some(slot) = self.deadlines.expire(now) {
            self.send_again(slot);
            if self.flaw == Flaw::LeavesTimersThatAreDue {
                return;
            }
        }
    }

    fn send_again(&mut self, slot: usize) {
        if let State::Waiting { rto, .. } = self.streams[slot].state {
            self.streams[slot].state = State::Sending { rto: RTO_MAX.min(rto * 2), is_again: true };
        }
        self.update(slot);
    }

    fn poll_packet(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if self.flaw == Flaw::PollsAllStreams {
            self.visits += self.streams.len() as u64;
        }
        let Some(slot) = self.next() else { return false };
        if limit < PACKET_LEN && self.flaw != Flaw::IgnoresTheLimit {
            if self.flaw == Flaw::LosesWhatDoesNotFit {
                self.streams[slot].ack = None;
                self.update(slot);
            }
            return false;
        }
        self.visits += 1;
        let stream = &mut self.streams[slot];
        let (kind, number, message) = match (stream.ack.take(), stream.state) {
            (Some((number, _)), _) => (ACK, number, 0),
            (None, State::Sending { rto, is_again }) => {
                self.retransmitted += u64::from(is_again);
                let real = if self.flaw == Flaw::ReadsTheClock { elapsed() } else { Duration::ZERO };
                stream.state = State::Waiting { rto, sent_at: now, retransmit_at: now + rto + real };
                (DATA, stream.number, stream.queue.front().copied().unwrap_or_default())
            }
            (None, State::Idle | State::Waiting { .. }) => return false,
        };
        self.update(slot);
        self.write(&[kind, slot as u8, number, message], out);
        true
    }

    fn write(&self, &[kind, slot, number, message]: &[u8; 4], out: &mut Vec<u8>) {
        let [t0, t1, t2, t3] = self.tag;
        let body = [kind, t0, t1, t2, t3, slot, number, message];
        out.extend_from_slice(&body);
        out.extend_from_slice(&self.check(self.role, &body));
    }

    fn check(&self, role: u8, body: &[u8]) -> [u8; 4] {
        let sum = body.iter().fold(u32::from(role) + 1, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        sum.to_be_bytes()
    }

    /// Whose turn it is.
    fn next(&self) -> Option<usize> {
        if self.flaw == Flaw::SendsInTheOrderOfAHashMap {
            return in_any_order(&self.owing);
        }
        self.owing.first().copied()
    }

    /// Keeps the indexes in step with a stream that has changed.
    fn update(&mut self, slot: usize) {
        let stream = &self.streams[slot];
        let (is_sending, retransmit_at) = match stream.state {
            State::Idle => (false, None),
            State::Sending { .. } => (true, None),
            State::Waiting { .. } if self.flaw == Flaw::NeverSendsAgain => (false, None),
            State::Waiting { retransmit_at, .. } => (false, Some(retransmit_at)),
        };
        if is_sending || stream.ack.is_some() {
            self.owing.insert(slot);
        } else {
            self.owing.remove(&slot);
        }
        self.deadlines.set(slot, retransmit_at);
    }

    /// What some flaws do at each timeout, due or not.
    fn misbehave(&mut self, now: Instant) {
        self.is_asleep = false;
        for slot in 0..self.streams.len() {
            let stream = &mut self.streams[slot];
            match &mut stream.state {
                State::Waiting { retransmit_at, .. } if self.flaw == Flaw::BacksOffAtEachTimeout => {
                    *retransmit_at += Duration::from_millis(10);
                }
                State::Waiting { sent_at, .. } if self.flaw == Flaw::SendsAgainWhenCalledEarly && *sent_at < now => {
                    self.send_again(slot);
                }
                State::Idle | State::Sending { .. } | State::Waiting { .. } => {}
            }
            if self.flaw == Flaw::LosesWhatIsPolledLate {
                self.streams[slot].ack.take_if(|(_, since)| *since < now);
            }
            self.update(slot);
        }
    }

    fn advance(&mut self, now: Instant) -> Instant {
        if self.flaw == Flaw::BelievesEveryClock { now } else { self.now.advance(now) }
    }
}

impl Node for Toy {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        if self.handle_packet(datagram.payload, now).is_none() {
            self.dropped += u64::from(self.flaw != Flaw::DropsWithoutCounting);
            if self.flaw == Flaw::BelievesStrangers {
                self.received.clear();
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.flaw == Flaw::PanicsWhenTimeRunsBackwards {
            assert_eq!(now, self.now.latest(now), "time has passed since last time");
        }
        let now = self.advance(now);
        self.expire(now);
        self.misbehave(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let (now, wire) = (self.advance(now), self.wire);
        wire.transmit(out, |limit, out| self.poll_packet(now, limit, out))
    }

    fn poll_event(&mut self) -> bool {
        let event = self.events.pop_front();
        if let Some((stream, message)) = event {
            self.received.entry(stream).or_default().push(message);
        }
        event.is_some()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let backwards = self.now.latest(now) - now;
        let now = self.now.latest(now);
        let is_packet_owed = !self.owing.is_empty() && !self.is_asleep;
        let is_event_owed = !self.events.is_empty() && self.flaw != Flaw::DoesNotWakeForAnEvent;
        match self.deadlines.earliest() {
            _ if is_packet_owed || is_event_owed => Some(now),
            _ if self.flaw == Flaw::HasATimerThatSpins => Some(now + Duration::from_micros(1)),
            Some(at) if self.flaw == Flaw::CountsTimersFromAnEarlierNow => Some(at - backwards),
            earliest => earliest,
        }
    }
}

impl Subject for Toy {
    const COMMANDS: usize = 40;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let [a, z] = Wire::pair();
        let seed = Seed::for_test(seed);
        [(a, 0), (z, 1)].map(|(wire, role)| Self::new(wire, role, STREAMS, seed.fork("tag")))
    }

    fn command(&mut self, n: usize) -> bool {
        self.send(n % STREAMS, n as u8)
    }

    fn outcome(&self) -> String {
        format!("{:?}", self.received)
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        Some(&mut self.wire)
    }

    fn retransmitted(&self) -> u64 {
        self.retransmitted
    }

    fn dropped(&self) -> Option<u64> {
        Some(self.dropped)
    }

    fn load(&self) -> Option<Load> {
        Some(Load { held: self.queued + self.events.len(), bound: QUEUED_MAX + EVENTS_MAX })
    }

    fn crowd(seed: u64, parts: usize, _now: Instant) -> Option<Self> {
        Some(Self::new(Wire::pair()[0], 0, parts, Seed::for_test(seed)))
    }

    fn visits(&self) -> Option<u64> {
        Some(self.visits)
    }
}

/// How long the process has lived.
#[expect(clippy::disallowed_methods, reason = "a flaw that the contract has to find")]
fn elapsed() -> Duration {
    origin().elapsed()
}

/// Random bytes that no seed determines, the same for both of a pair.
#[expect(clippy::disallowed_types, reason = "a flaw that the contract has to find")]
fn elsewhere(tag: [u8; 4]) -> [u8; 4] {
    thread_local! {
        static LAST: std::cell::RefCell<([u8; 4], [u8; 4])> = const { std::cell::RefCell::new(([0; 4], [0; 4])) };
    }
    LAST.with_borrow_mut(|(asked, drawn)| {
        // The second of a pair asks with the tag of the first.
        if *asked == tag {
            *asked = [0; 4];
        } else {
            let number = std::hash::RandomState::new().build_hasher().finish() as u32;
            (*asked, *drawn) = (tag, number.to_be_bytes());
        }
        *drawn
    })
}

#[expect(clippy::disallowed_types, reason = "a flaw that the contract has to find")]
fn in_any_order(owing: &BTreeSet<usize>) -> Option<usize> {
    owing.iter().copied().collect::<std::collections::HashSet<_>>().into_iter().next()
}
