//! Packets of one stream in their order and at an even pace, with as much delay as their jitter asks for.
//!
//! When a packet is due follows from its timestamp: the fastest packets show how the source's clock stands to ours, and
//! to that comes the delay. It grows with the jitter (RFC 3550 A.8) and with packets that came too late, and shrinks
//! slowly again. What follows a missing packet waits some more, for that may come when it is asked for.
//!
//! It has the calls of every machine: [`insert`](JitterBuffer::insert) is its input, and there is nothing that it sends.

use super::receive::Jitter;
use crate::event::RtpPacket;
use crate::stats::Load;
use crate::time;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::Monotonic;

/// What a packet costs beside its payload, or empty ones would be free.
const PACKET_OVERHEAD: usize = 128;
/// No packet is longer than its length field in UDP says.
const PACKET_MAX: usize = u16::MAX as usize + PACKET_OVERHEAD;
/// The delay is so many times the jitter, which is a mean: the spread around it is larger.
const JITTERS: u32 = 4;
/// How fast it is forgotten that packets came late, or fast: by that share with each packet.
const FORGETTING: u32 = 512;
/// If all packets come too late for so long, that is how they come now: the path is longer, or the source has paused and its clock with it.
const LATE_FOR: Duration = Duration::from_millis(500);
/// A timestamp that leaps further than its packet is another clock's.
const LEAP: Duration = Duration::from_secs(5);

/// How a [`JitterBuffer`] behaves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JitterConfig {
    /// Ticks of the stream's timestamps in a second.
    pub clock_rate_hz: u32,
    /// A packet that comes as fast as the fastest waits at least for so long.
    pub delay_min: Duration,
    /// ... and at most.
    pub delay_max: Duration,
    /// How much longer what follows a missing packet waits for it; then it is given up.
    pub gap_wait: Duration,
    /// How many packets may wait: with so many the oldest is due, however early. If nobody polls for it, it is dropped and counted.
    pub packets_max: usize,
    /// How many bytes, with an overhead for each packet; with seven eighths of them the oldest is due.
    pub bytes_max: usize,
}

impl JitterConfig {
    /// For sound, which is better without a packet than late: 20 to 500 ms, and no longer for what is missing.
    #[must_use]
    pub const fn audio(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz,
            delay_min: Duration::from_millis(20),
            delay_max: Duration::from_millis(500),
            gap_wait: Duration::ZERO,
            packets_max: 256,
            bytes_max: 512 << 10,
        }
    }

    /// For pictures, of which each needs the one before: 10 ms to a second, and 200 ms longer for what is missing.
    #[must_use]
    pub const fn video(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz,
            delay_min: Duration::from_millis(10),
            delay_max: Duration::from_secs(1),
            gap_wait: Duration::from_millis(200),
            packets_max: 2048,
            bytes_max: 4 << 20,
        }
    }
}

/// What a [`JitterBuffer`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitterStats {
    /// Packets given back.
    pub released: u64,
    /// Packets that came after one that follows them was given back.
    pub dropped_late: u64,
    /// Packets that were there already.
    pub dropped_duplicate: u64,
    /// Packets that nobody polled for while more came.
    pub dropped_full: u64,
    /// Packets that had not come when those after them were given back.
    pub missing: u64,
}

/// A packet, with its sequence number continued beyond 16 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a packet and its place, whatever else there may be")]
pub struct OrderedPacket {
    /// Its place in the stream.
    pub extended_sequence: u64,
    /// The packet.
    pub packet: RtpPacket,
}

/// Packets of one stream that wait for their time.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    /// The longest delay as configured, whatever shortest was asked for since.
    delay_max: Duration,
    now: Monotonic,
    /// In ascending order.
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The place after the last that was given back.
    next_sequence: Option<u64>,
    clock: SourceClock,
    jitter: Jitter,
    /// What packets that came late would have needed beyond the jitter.
    margin: Duration,
    stats: JitterStats,
}

#[derive(Debug)]
struct Waiting {
    ordered: OrderedPacket,
    arrival: Instant,
    /// No later is it due, nor is any before it.
    latest: Instant,
    /// By the source's clock.
    time: i64,
}

/// How the source's clock stands to ours. All in nanoseconds; ours begins with the first packet.
#[derive(Debug, Default)]
struct SourceClock {
    origin: Option<Instant>,
    last_timestamp: u32,
    /// The last timestamp, continued beyond 32 bits.
    last_ticks: i64,
    /// Ours less the source's when the fastest packets arrive.
    offset: i64,
    /// Since when all packets come too late to be played at their time, and ours less the source's when the fastest of these arrived.
    late: Option<(Instant, i64)>,
}

impl JitterBuffer {
    /// An empty one.
    #[must_use]
    pub fn new(config: JitterConfig) -> Self {
        Self {
            config,
            delay_max: config.delay_max,
            now: Monotonic::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            next_sequence: None,
            clock: SourceClock::default(),
            jitter: Jitter::default(),
            margin: Duration::ZERO,
            stats: JitterStats::default(),
        }
    }

    /// A packet arrived.
    pub fn insert(&mut self, ordered: OrderedPacket, now: Instant) {
        let now = self.now.advance(now);
        let (time, is_leap) = self.clock.take(ordered.packet.timestamp, self.config.clock_rate_hz, now);
        if is_leap {
            self.jitter = Jitter::default();
        }
        if self.is_ahead(ordered.extended_sequence) {
            self.measure(&ordered.packet, time, now);
        }
        if self.next_sequence.is_some_and(|next| ordered.extended_sequence < next) {
            self.stats.dropped_late += 1;
            self.learn_from_late(time, now);
            return;
        }
        let at = self.waiting.partition_point(|waiting| waiting.sequence() < ordered.extended_sequence);
        if self.waiting.get(at).is_some_and(|waiting| waiting.sequence() == ordered.extended_sequence) {
            self.stats.dropped_duplicate += 1;
            return;
        }
        self.margin -= self.margin / FORGETTING;
        let latest = now.checked_add(self.config.delay_max).unwrap_or(now);
        let latest = self.waiting.get(at).map_or(latest, |next| next.latest.min(latest));
        let waiting = Waiting { ordered, arrival: now, latest, time };
        self.bytes += waiting.charge();
        self.waiting.insert(at, waiting);
        self.make_room();
        self.invariants();
    }

    /// Whether it is behind none that came before.
    fn is_ahead(&self, sequence: u64) -> bool {
        self.waiting.back().is_none_or(|last| last.sequence() < sequence)
            && self.next_sequence.is_none_or(|next| next <= sequence)
    }

    /// What came again says nothing of how packets come.
    fn measure(&mut self, packet: &RtpPacket, time: i64, now: Instant) {
        let ticks = time::ticks(self.clock.elapsed(now), self.config.clock_rate_hz);
        self.jitter.measure(ticks, packet.timestamp, self.config.clock_rate_hz);
        self.clock.catch_up(time, self.delay(), now);
    }

    /// Time has passed: packets may be due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now.advance(now);
    }

    /// The next packet, if it is due. Places left out are missing.
    pub fn poll_event(&mut self) -> Option<OrderedPacket> {
        self.release().map(|(ordered, _)| ordered)
    }

    /// The next packet, if it is due, and when it arrived.
    pub(crate) fn release(&mut self) -> Option<(OrderedPacket, Instant)> {
        let now = self.now.seen()?;
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let first = self.pop()?;
        self.stats.released += 1;
        self.invariants();
        Some((first.ordered, first.arrival))
    }

    /// When to poll again.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.due().map(|due| due.max(self.now.latest(now)))
    }

    /// Lets packets wait at least for so long from now on, even if that is longer than the longest delay was; but no more of them than
    /// [`packets_max`](field@JitterConfig::packets_max) and [`bytes_max`](field@JitterConfig::bytes_max) say.
    pub fn set_delay_min(&mut self, delay_min: Duration) {
        let delay_max = delay_min.max(self.delay_max);
        (self.config.delay_min, self.config.delay_max) = (delay_min, delay_max);
        // What waits already waits no longer than what comes now.
        if let Some(latest) = self.now.seen().and_then(|now| now.checked_add(delay_max)) {
            self.waiting.iter_mut().for_each(|waiting| waiting.latest = waiting.latest.min(latest));
        }
        self.invariants();
    }

    /// How much longer what follows a missing packet waits for it from now on.
    pub const fn set_gap_wait(&mut self, gap_wait: Duration) {
        self.config.gap_wait = gap_wait;
    }

    /// How many packets wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How full it is: in packets, or in bytes with an overhead for each, whichever is nearer to its limit.
    #[must_use]
    pub fn load(&self) -> Load {
        let packets = Load { held: self.waiting.len(), bound: self.config.packets_max.max(1) };
        // One packet waits, however long it is.
        let bytes = Load { held: self.bytes, bound: self.config.bytes_max.max(PACKET_MAX) };
        packets.fuller(bytes)
    }

    /// How long a packet that comes as fast as the fastest waits now.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let jitter = time::from_ticks(self.jitter.ticks(), self.config.clock_rate_hz);
        let wanted = jitter.saturating_mul(JITTERS).saturating_add(self.margin);
        wanted.max(self.config.delay_min).min(self.config.delay_max)
    }

    /// What was done so far.
    #[must_use]
    pub const fn stats(&self) -> JitterStats {
        self.stats
    }

    /// When the first packet is due: at its own time, and after a gap some time later. However wrong timestamps are, no
    /// packet waits longer than the longest delay, nor for one before it. If no other would find room, it is due already: better early than not
    /// at all.
    fn due(&self) -> Option<Instant> {
        let first = self.waiting.front()?;
        if self.is_full() {
            return Some(first.arrival);
        }
        let due = self.clock.ours(first.time, self.delay()).map_or(first.latest, |due| due.min(first.latest));
        let is_next = self.next_sequence.is_none_or(|next| next == first.sequence());
        if is_next { Some(due) } else { due.checked_add(self.config.gap_wait) }
    }

    /// A packet that came too late would have come in time with a longer delay, if that is not too long.
    fn learn_from_late(&mut self, time: i64, now: Instant) {
        let Some(due) = self.clock.ours(time, self.delay()) else { return };
        let late = now.saturating_duration_since(due);
        if late <= self.config.delay_max {
            self.margin = self.margin.saturating_add(late).min(self.config.delay_max);
        }
    }

    /// Whether the next packet may find no room.
    fn is_full(&self) -> bool {
        self.waiting.len() > 1
            && (self.waiting.len() >= self.config.packets_max || self.bytes > self.config.bytes_max / 8 * 7)
    }

    fn make_room(&mut self) {
        while self.waiting.len() > self.config.packets_max.max(1)
            || (self.bytes > self.config.bytes_max && self.waiting.len() > 1)
        {
            self.pop();
            self.stats.dropped_full += 1;
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.bytes -= first.charge();
        let sequence = first.sequence();
        let missing = self.next_sequence.map_or(0, |next| sequence.saturating_sub(next));
        self.stats.missing = self.stats.missing.saturating_add(missing);
        self.next_sequence = Some(sequence.saturating_add(1));
        Some(first)
    }

    fn invariants(&self) {
        debug_assert!(
            self.waiting.iter().is_sorted_by(|a, b| a.sequence() < b.sequence()),
            "each place once, and in order"
        );
        debug_assert!(self.waiting.iter().is_sorted_by_key(|waiting| waiting.latest), "none waits for one before it");
        debug_assert_eq!(self.bytes, self.waiting.iter().map(Waiting::charge).sum::<usize>(), "all bytes are charged");
        debug_assert!(self.waiting.len() <= self.config.packets_max.max(1), "what waits is bounded");
    }
}

impl Waiting {
    const fn sequence(&self) -> u64 {
        self.ordered.extended_sequence
    }

    fn charge(&self) -> usize {
        self.ordered.packet.payload.len() + PACKET_OVERHEAD
    }
}

impl SourceClock {
    fn elapsed(&self, now: Instant) -> Duration {
        self.origin.map_or(Duration::ZERO, |origin| now.saturating_duration_since(origin))
    }

    /// The time of a packet by the source's clock, and whether that clock was set anew.
    fn take(&mut self, timestamp: u32, clock_rate_hz: u32, now: Instant) -> (i64, bool) {
        let is_first = self.origin.is_none();
        self.origin.get_or_insert(now);
        let ahead = if is_first { 0 } else { timestamp.wrapping_sub(self.last_timestamp) as i32 };
        let ticks = self.last_ticks.saturating_add(i64::from(ahead));
        let time = nanos(ticks, clock_rate_hz);
        if ahead > 0 || is_first {
            (self.last_timestamp, self.last_ticks) = (timestamp, ticks);
        }
        let transit = self.transit(time, now);
        let slower = transit.saturating_sub(self.offset);
        let is_leap = is_first || slower.unsigned_abs() > LEAP.as_nanos() as u64;
        if is_leap {
            (self.last_timestamp, self.last_ticks) = (timestamp, ticks);
            (self.offset, self.late) = (transit, None);
        } else if slower < 0 {
            self.offset = transit;
        } else {
            // The clocks may drift apart.
            self.offset = self.offset.saturating_add(slower / i64::from(FORGETTING));
        }
        (time, is_leap)
    }

    /// By how much our clock is ahead when a packet of that time arrives.
    fn transit(&self, time: i64, now: Instant) -> i64 {
        i64::try_from(self.elapsed(now).as_nanos()).unwrap_or(i64::MAX).saturating_sub(time)
    }

    /// A packet of that time arrived, which is played with this delay: if all have come too late for long enough, they are played as the fastest
    /// of them came.
    fn catch_up(&mut self, time: i64, delay: Duration, now: Instant) {
        let transit = self.transit(time, now);
        let slower = transit.saturating_sub(self.offset);
        if i64::try_from(delay.as_nanos()).is_ok_and(|delay| slower <= delay) {
            self.late = None;
            return;
        }
        let (since, least) = self.late.get_or_insert((now, transit));
        *least = transit.min(*least);
        if now.saturating_duration_since(*since) >= LATE_FOR {
            self.offset = *least;
            self.late = None;
        }
    }

    /// When a packet of that time is played with this delay; `None` if that cannot be told.
    fn ours(&self, time: i64, delay: Duration) -> Option<Instant> {
        let delay = i64::try_from(delay.as_nanos()).ok()?;
        let since_origin = self.offset.checked_add(time)?.checked_add(delay)?;
        self.origin?.checked_add(Duration::from_nanos(u64::try_from(since_origin).unwrap_or(0)))
    }
}

/// How long so many ticks take.
fn nanos(ticks: i64, clock_rate_hz: u32) -> i64 {
    let nanos = i128::from(ticks).saturating_mul(1_000_000_000).checked_div(i128::from(clock_rate_hz)).unwrap_or(0);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}
