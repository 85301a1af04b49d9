//! The receiving half of an association: what is taken, and when a SACK is owed (RFC 9260 §6.2).

use super::Inbox;
use super::OVERHEAD;
use super::interleaved::Interleaved;
use super::reassembly::Reassembly;
use super::tracker::{Arrival, Tracker};
use crate::Config;
use crate::chunk::{Data, ForwardTsn, GAP_LEN, IData, IForwardTsn, IMMEDIATE, SACK_HEADER_LEN, write_sack};
use crate::migration::{Reader, state};
use crate::serial::Tsn;
use crate::stats::Stats;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

pub(crate) use super::reassembly::TooLarge;

/// Chunks after which an association is one that carries data.
const PREPARED_AFTER: u32 = 32;

/// Who has not sent yet has not measured.
const ROUND_TRIP_GUESS: Duration = Duration::from_millis(100);

/// How long a peer may take to give up one of the messages that close the window: longer than lifetimes usually are.
const STUCK_MAX: Duration = Duration::from_secs(10);
/// How much of the time between two packets counts as such: a peer that is not heard may have given something up all the same.
const STUCK_STEP_MAX: Duration = Duration::from_secs(2);

/// When the peer is told what has arrived.
#[derive(Debug, Default)]
enum Ack {
    #[default]
    Idle,
    /// A first packet has come; a second one, or the time, makes it due.
    Delayed(Timer),
    Owed,
}

/// What makes messages of fragments: of DATA chunks, or of I-DATA chunks.
#[derive(Debug)]
enum Assembly {
    Data(Reassembly),
    Interleaved(Interleaved),
}

/// What a chunk of user data says of itself.
#[derive(Clone, Copy)]
struct Head {
    tsn: u32,
    is_immediate: bool,
    len: usize,
}

/// Whether the window is what holds the peer up (dynamic right-sizing): it is, if half of it is filled in a round trip.
#[derive(Debug)]
struct Growth {
    limit: usize,
    /// Bytes that have come in this round trip.
    received: usize,
    until: Option<Instant>,
}

impl Growth {
    /// True, once a round trip, if the window of so many bytes should be larger.
    #[inline(always)]
    fn is_due(&mut self, window: usize, round_trip: Option<Duration>, now: Instant) -> bool {
        if window >= self.limit || self.until.is_some_and(|until| now < until) {
            return false;
        }
        let is_half = self.until.is_some() && std::mem::take(&mut self.received) >= window / 2;
        self.until = now.checked_add(round_trip.unwrap_or(ROUND_TRIP_GUESS));
        is_half
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Reception {
    tracker: Tracker,
    assembly: Assembly,
    ack: Ack,
    sack_delay: Duration,
    /// As it is when nothing is kept.
    window_max: usize,
    growth: Growth,
    /// How long messages have closed the window of which none can become whole, and when that was noted.
    stuck: Option<(Duration, Instant)>,
    /// The longest message that is waited for as a whole.
    whole_len_max: usize,
    part_len_min: Option<usize>,
    /// What was free when the peer was told of it last.
    advertised: usize,
    has_received: bool,
    /// Chunks of user data until there will be room for what loss brings: who says little needs none.
    until_prepared: u32,
    /// Data has come since `rest` looked last.
    is_busy: bool,
    /// Of the packet that is being read: it brought data; it must be answered at once.
    has_data: bool,
    is_urgent: bool,
    mtu: usize,
}

state!(enum Ack { 0: Idle, 1: Delayed(timer), 2: Owed });
state!(enum Assembly { 0: Data(reassembly), 1: Interleaved(interleaved) });
state!(struct Growth { received, until } anew { limit: |from| growth_limit(from.config) });
state!(struct Reception { tracker, assembly, ack, window_max, growth, advertised, has_received } anew {
    sack_delay: |from| from.config.sack_delay,
    whole_len_max: |from| whole_len_max(from.config),
    part_len_min: |from| part_len_min(from.config),
    stuck: |_| None, until_prepared: |_| PREPARED_AFTER, is_busy: |_| true, has_data: |_| false, is_urgent: |_| false,
    mtu: |from| from.config.mtu,
} => then Self::resumed);

/// A smaller window has no room for a packet.
///
/// RFC 9260 §3.3.2: "The Advertised Receiver Window Credit MUST NOT be smaller than 1500."
const WINDOW_MIN: usize = 1500;

/// The window of an association that has nothing to keep.
pub(crate) fn window_max(config: &Config) -> usize {
    let least = config.whole_len_max().saturating_mul(4).max(WINDOW_MIN);
    (config.receive_window as usize).max(least).min(u32::MAX as usize)
}

/// The window that INIT and INIT ACK tell of, where so many bytes wait already.
pub(crate) fn initial_window(config: &Config, charged: usize) -> u32 {
    let free = window_max(config).saturating_sub(charged);
    told(free, config.mtu).max(WINDOW_MIN as u32)
}

/// What the peer is told of so many free bytes. It counts user data alone, we what each chunk costs beside it: less is told, so that
/// whole packets of what it may send find room. Were they refused, it would take that for loss.
fn told(free: usize, mtu: usize) -> u32 {
    let less = free as u64 * mtu as u64 / (mtu + OVERHEAD + OVERHEAD / 4) as u64;
    u32::try_from(less).unwrap_or(u32::MAX)
}

fn growth_limit(config: &Config) -> usize {
    window_max(config).max(config.receive_window_max as usize)
}

/// The longest message that must come as a whole, or a packet if that is longer: messages in parts come by packets.
fn whole_len_max(config: &Config) -> usize {
    config.whole_len_max().clamp(WINDOW_MIN, window_max(config))
}

/// From how many bytes on messages are handed out in parts, if they are.
fn part_len_min(config: &Config) -> Option<usize> {
    config.partial_delivery_from.map(|from| from.max(1))
}

impl Reception {
    fn resumed(mut self, from: &mut Reader<'_>) -> Option<Self> {
        self.window_max = self.window_max.clamp(window_max(from.config), self.window_limit());
        self.advertised = self.advertised.min(u32::MAX as usize);
        let (is_interleaved, has_arrived) = match &self.assembly {
            Assembly::Data(reassembly) => (false, reassembly.early().all(|tsn| self.tracker.has_beyond_a_gap(tsn))),
            Assembly::Interleaved(_) => (true, true),
        };
        (has_arrived && is_interleaved == from.extensions.has_interleaving).then_some(self)
    }

    pub(crate) fn new(config: &Config, initial: Tsn, is_interleaved: bool) -> Self {
        let window_max = window_max(config);
        let len_max = config.message_len_max_receive;
        Self {
            tracker: Tracker::new(initial),
            assembly: if is_interleaved {
                Assembly::Interleaved(Interleaved::new(len_max))
            } else {
                Assembly::Data(Reassembly::new(len_max))
            },
            ack: Ack::Idle,
            sack_delay: config.sack_delay,
            window_max,
            growth: Growth { limit: growth_limit(config), received: 0, until: None },
            stuck: None,
            whole_len_max: whole_len_max(config),
            part_len_min: part_len_min(config),
            advertised: window_max,
            has_received: false,
            until_prepared: PREPARED_AFTER,
            is_busy: false,
            has_data: false,
            is_urgent: false,
            mtu: config.mtu,
        }
    }

    pub(crate) const fn cumulative(&self) -> Tsn {
        self.tracker.cumulative()
    }

    /// Asked now and then: if nothing has come since, gives back what is kept for more.
    pub(crate) fn rest(&mut self, inbox: &mut Inbox) {
        if std::mem::take(&mut self.is_busy) {
            return;
        }
        self.until_prepared = PREPARED_AFTER;
        self.tracker.release();
        inbox.release();
        match &mut self.assembly {
            Assembly::Data(reassembly) => reassembly.release(),
            Assembly::Interleaved(interleaved) => interleaved.release(),
        }
    }

    fn prepare(&mut self, inbox: &mut Inbox) {
        self.until_prepared = self.until_prepared.saturating_sub(1);
        if self.until_prepared > 0 {
            return;
        }
        inbox.prepare();
        self.tracker.prepare();
        match &mut self.assembly {
            Assembly::Data(reassembly) => reassembly.prepare(self.mtu),
            Assembly::Interleaved(interleaved) => interleaved.prepare(self.mtu),
        }
    }

    /// The bytes that are kept, as `window_max` counts them.
    pub(crate) fn used(&self, inbox: &Inbox) -> usize {
        let incomplete = match &self.assembly {
            Assembly::Data(reassembly) => reassembly.charged(),
            Assembly::Interleaved(interleaved) => interleaved.charged(),
        };
        inbox.charged() + incomplete
    }

    /// What the peer would be told now. Less than a packet or two is nothing: RFC 9260 §6.1's silly windows.
    pub(crate) fn window(&self, inbox: &Inbox) -> u32 {
        let free = self.free(inbox);
        if free < 2 * self.mtu {
            return 0;
        }
        let told = told(free, self.mtu);
        // What a user leaves lying tells what else will come: short messages cost more than full packets.
        if inbox.charged() < self.window_max / 8 {
            told
        } else {
            told.min(u32::try_from(inbox.fit(free)).unwrap_or(told))
        }
    }

    fn free(&self, inbox: &Inbox) -> usize {
        self.window_max.saturating_sub(self.used(inbox))
    }

    /// How much more than the window may be kept to fill gaps.
    const fn early_more(&self) -> usize {
        self.window_max / 8
    }

    /// As far as a window grows that is closed by pieces: messages of which it holds so many when they are whole must not close it, though
    /// each of them is charged for. No message that is longer than a packet is charged for with more than an eighth of it. Those that are
    /// handed out in parts need not be held.
    const fn window_limit(&self) -> usize {
        let limit = self.growth.limit;
        match self.part_len_min {
            Some(_) => limit,
            None => limit.saturating_add(limit / 8).saturating_add(self.whole_len_max),
        }
    }

    /// A packet was read, `round_trip` being known: makes the window larger if that is what holds the peer up, but not for a user who is
    /// slow. True if nothing will ever happen again.
    #[inline(always)]
    pub(crate) fn tune(&mut self, round_trip: Option<Duration>, inbox: &Inbox, now: Instant) -> bool {
        let is_due = self.growth.is_due(self.window_max, round_trip, now) && self.used(inbox) < self.window_max / 2;
        if is_due {
            self.window_max = self.window_max.saturating_mul(2).min(self.growth.limit);
        }
        if !self.is_closed_by_pieces(inbox) {
            self.stuck = None;
            return false;
        }
        self.is_stuck(inbox, now)
    }

    /// The window is closed by messages that have come in part: where a peer has begun that many at once, none would ever be whole.
    #[inline]
    fn is_closed_by_pieces(&self, inbox: &Inbox) -> bool {
        matches!(self.assembly, Assembly::Interleaved(_))
            && self.window(inbox) == 0
            && inbox.charged() < self.window_max / 2
    }

    /// Makes a window that is closed by pieces larger, up to its limit. True if it has been closed at its limit for so long that it will be
    /// for ever: neither the user nor what is missing can open it, and the peer gives nothing up.
    #[inline(never)]
    fn is_stuck(&mut self, inbox: &Inbox, now: Instant) -> bool {
        let limit = self.window_limit();
        if self.window_max < limit || !inbox.is_empty() || self.tracker.has_gaps() {
            self.window_max = self.window_max.saturating_mul(2).min(limit);
            self.stuck = None;
            return false;
        }
        let (before, at) = self.stuck.unwrap_or((Duration::ZERO, now));
        let time = before.saturating_add(now.saturating_duration_since(at).min(STUCK_STEP_MAX));
        self.stuck = Some((time, now));
        time >= STUCK_MAX
    }

    /// The window if nothing were kept.
    pub(crate) fn window_max(&self) -> u32 {
        u32::try_from(self.window_max).unwrap_or(u32::MAX)
    }

    /// How much may be kept once `tsn` is there: what comes after all others fits the window, or the peer did not keep to
    /// it; what was lost on the way may take `more`, for the peer did not count what we count for each chunk. Were it
    /// refused, all would wait for it, and each repetition would cost the peer a timeout.
    fn limit(&self, tsn: Tsn, more: usize) -> usize {
        self.window_max.saturating_add(if self.tracker.is_beyond_all(tsn) { 0 } else { more })
    }

    #[inline(always)]
    pub(crate) fn handle_data(
        &mut self,
        data: &Data<'_>,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let head = Head { tsn: data.tsn, is_immediate: data.is(IMMEDIATE), len: data.payload.len() };
        let Some((tsn, is_next)) = self.admit(head, inbox, stats) else { return Ok(()) };
        let Assembly::Data(reassembly) = &mut self.assembly else { return Ok(()) };
        if is_next {
            reassembly.push_next(data, inbox, stats)?;
            self.close_up(inbox, stats)
        } else {
            reassembly.push_early(tsn, self.tracker.cumulative(), data, inbox, stats)
        }
    }

    pub(crate) fn handle_i_data(
        &mut self,
        data: &IData<'_>,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let head = Head { tsn: data.tsn, is_immediate: data.is(IMMEDIATE), len: data.payload.len() };
        let is_admitted = self.admit(head, inbox, stats).is_some();
        match &mut self.assembly {
            Assembly::Interleaved(interleaved) if is_admitted => interleaved.push(data, inbox, stats),
            Assembly::Interleaved(_) | Assembly::Data(_) => Ok(()),
        }
    }

    /// Takes note of a chunk, if there is room for it and it is new; `true`: nothing is missing before it.
    #[inline(always)]
    fn admit(&mut self, head: Head, inbox: &mut Inbox, stats: &mut Stats) -> Option<(Tsn, bool)> {
        let tsn = self.tracker.cumulative().nearest(head.tsn);
        self.has_data = true;
        self.is_urgent |= head.is_immediate;
        self.is_busy = true;
        if self.until_prepared > 0 {
            self.prepare(inbox);
        }
        let charge = head.len + OVERHEAD;
        self.growth.received = self.growth.received.saturating_add(charge);
        let used = self.used(inbox);
        if let Some(len) = self.part_len_min {
            self.set_part_len_min(if used > self.window_max / 2 { 1 } else { len });
        }
        match self.tracker.look(tsn) {
            // All others wait for it: a whole message finds room, whatever has come early (C7).
            Arrival::Next if used + charge <= self.limit(tsn, self.early_more() + self.whole_len_max + OVERHEAD) => {
                // RFC 9260 §7.2.4 relies on it: what closes a gap, or a part of it, is told at once.
                self.is_urgent |= self.tracker.has_gaps();
                self.tracker.record(tsn);
                Some((tsn, true))
            }
            Arrival::Early if used + charge <= self.limit(tsn, self.early_more()) => {
                self.is_urgent = true;
                self.tracker.record(tsn);
                Some((tsn, false))
            }
            // RFC 9260 §6.2: "When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA
            // chunk with a TSN larger than the largest TSN received so far."
            Arrival::Next | Arrival::Early | Arrival::TooFar => {
                self.is_urgent = true;
                stats.discarded.no_room += 1;
                None
            }
            // RFC 9260 §6.2: "When a packet arrives with duplicate DATA chunk(s) and with no new DATA chunk(s), the
            // endpoint MUST immediately send a SACK chunk with no delay."
            Arrival::Duplicate => {
                self.is_urgent = true;
                stats.discarded.duplicate += 1;
                self.tracker.duplicate(tsn);
                None
            }
        }
    }

    const fn set_part_len_min(&mut self, len: usize) {
        match &mut self.assembly {
            Assembly::Data(reassembly) => reassembly.set_part_len_min(len),
            Assembly::Interleaved(interleaved) => interleaved.set_part_len_min(len),
        }
    }

    #[inline(always)]
    fn close_up(&mut self, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        match &mut self.assembly {
            Assembly::Data(reassembly) => reassembly.close_up(self.tracker.cumulative(), inbox, stats),
            Assembly::Interleaved(_) => Ok(()),
        }
    }

    /// A DATA chunk that cannot be delivered is acknowledged nevertheless (RFC 9260 §6.5).
    pub(crate) fn take_undeliverable(
        &mut self,
        wire: u32,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let tsn = self.tracker.cumulative().nearest(wire);
        self.has_data = true;
        if matches!(self.tracker.look(tsn), Arrival::Next | Arrival::Early) {
            self.tracker.record(tsn);
        }
        self.close_up(inbox, stats)
    }

    pub(crate) fn handle_forward(
        &mut self,
        forward: ForwardTsn<'_>,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let before = self.tracker.cumulative();
        let Some(tsn) = self.forward(forward.cumulative_tsn) else { return Ok(()) };
        let Assembly::Data(reassembly) = &mut self.assembly else { return Ok(()) };
        reassembly.forward(tsn, inbox);
        for (stream, ssn) in forward.skips() {
            reassembly.skip(stream, ssn, before.distance_to(tsn), inbox);
        }
        self.close_up(inbox, stats)
    }

    pub(crate) fn handle_i_forward(&mut self, forward: IForwardTsn<'_>, inbox: &mut Inbox) {
        if self.forward(forward.cumulative_tsn).is_none() {
            return;
        }
        let Assembly::Interleaved(interleaved) = &mut self.assembly else { return };
        for skip in forward.skips() {
            interleaved.skip(skip, inbox);
        }
    }

    /// Nothing up to here is waited for. `None`: that is no news.
    fn forward(&mut self, wire: u32) -> Option<Tsn> {
        let tsn = self.tracker.cumulative().nearest(wire);
        // RFC 3758 §3.6: a FORWARD TSN that tells nothing new is answered by a SACK, for ours may have been lost.
        self.has_data = true;
        self.is_urgent = true;
        self.tracker.forward(tsn).then_some(tsn)
    }

    /// A packet was read to its end.
    //
    // RFC 9260 §6.2: "Specifically, an acknowledgement SHOULD be generated for at least every second packet (not every
    // second DATA chunk) received and SHOULD be generated within 200 ms of the arrival of any unacknowledged DATA chunk."
    #[inline(always)]
    pub(crate) fn end_packet(&mut self, now: Instant) {
        let is_urgent = std::mem::take(&mut self.is_urgent) || self.tracker.has_gaps();
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        let is_first = !std::mem::replace(&mut self.has_received, true);
        self.ack = match self.ack {
            Ack::Idle if !is_urgent && !is_first => Ack::Delayed(Timer::after(now, self.sack_delay)),
            Ack::Idle | Ack::Delayed(_) | Ack::Owed => Ack::Owed,
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Ack::Delayed(timer) = &mut self.ack
            && timer.expire(now)
        {
            self.ack = Ack::Owed;
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.ack {
            Ack::Delayed(timer) => timer.deadline(),
            Ack::Idle | Ack::Owed => None,
        }
    }

    pub(crate) const fn owes_sack(&self) -> bool {
        matches!(self.ack, Ack::Owed)
    }

    /// Whether a SACK may go along with something else.
    pub(crate) const fn has_news(&self) -> bool {
        !matches!(self.ack, Ack::Idle)
    }

    /// A SHUTDOWN has told how far everything has arrived.
    //
    // RFC 9260 §9.2: "If a SHUTDOWN chunk by itself cannot acknowledge all of the received DATA chunks (i.e., there are TSNs
    // that can be acknowledged that are larger than the Cumulative TSN and thus gaps exist in the TSN sequence) or if
    // duplicate TSNs have been received, then a SACK chunk MUST also be sent."
    pub(crate) fn told_cumulative(&mut self) {
        if !self.tracker.has_gaps() && self.tracker.duplicates().is_empty() {
            self.ack = Ack::Idle;
        }
    }

    /// Something was fetched: tells the peer if it had reason to wait.
    pub(crate) fn fetched(&mut self, inbox: &Inbox) {
        let is_narrow = self.advertised < self.window_max / 2;
        if is_narrow && self.free(inbox) >= self.advertised + self.window_max / 4 {
            self.ack = Ack::Owed;
        }
    }

    /// Appends a SACK, if it fits before `end`, with as many gaps as do.
    pub(crate) fn write_sack(&mut self, end: usize, inbox: &Inbox, out: &mut Vec<u8>) -> bool {
        let Some(room) = end.saturating_sub(out.len()).checked_sub(SACK_HEADER_LEN) else { return false };
        let a_rwnd = self.window(inbox);
        let gaps = self.tracker.gaps(room / GAP_LEN);
        let room = room / GAP_LEN - gaps.len();
        let duplicates = self.tracker.duplicates().iter().copied().take(room);
        write_sack(self.tracker.cumulative().wire(), a_rwnd, gaps, duplicates, out);
        self.tracker.clear_duplicates();
        self.advertised = self.free(inbox);
        self.ack = Ack::Idle;
        true
    }

    /// The peer goes on with this TSN, and all its streams begin anew.
    pub(crate) fn restart(&mut self, next: u32, inbox: &mut Inbox) {
        self.tracker = Tracker::new(Tsn::first(next));
        if let Assembly::Data(reassembly) = &mut self.assembly {
            reassembly.forget_early();
        }
        self.reset(&[], inbox);
    }

    /// Whether everything that has come is in messages.
    pub(crate) fn has_gaps(&self) -> bool {
        self.tracker.has_gaps()
    }

    /// Streams begin anew; none: all of them.
    pub(crate) fn reset(&mut self, streams: &[u16], inbox: &mut Inbox) {
        match &mut self.assembly {
            Assembly::Data(reassembly) => reassembly.reset(streams, inbox),
            Assembly::Interleaved(interleaved) => interleaved.reset(streams, inbox),
        }
    }

    pub(crate) fn invariants(&self, is_thorough: bool) {
        self.tracker.invariants();
        if is_thorough {
            match &self.assembly {
                Assembly::Data(reassembly) => reassembly.invariants(),
                Assembly::Interleaved(interleaved) => interleaved.invariants(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::BEGINNING;
    use crate::migration::{State, Writer};
    use crate::wire;

    #[test]
    fn fragments_that_are_early_are_among_those_that_have_arrived() {
        let (config, now) = (Config::default(), wigwag_sim::origin());
        for (arrived, is_possible) in [(12, true), (11, false), (0, false)] {
            let mut reception = Reception::new(&config, Tsn::first(10), false);
            let data = Data { flags: BEGINNING, tsn: 12, stream: 0, ssn: 0, ppid: 51, payload: b"first" };
            let taken = reception.handle_data(&data, &mut Inbox::default(), &mut Stats::default());
            assert_eq!(taken, Ok(()));
            reception.tracker = Tracker::new(Tsn::first(10));
            reception.tracker.record(Tsn::first(arrived));
            let mut out = Writer::new(now);
            reception.write(&mut out);
            let bytes = out.into_bytes();
            let read = Reception::read(&mut Reader::new(wire::Reader::new(&bytes), now, &config));
            assert_eq!(read.is_some(), is_possible, "{arrived}");
        }
    }
}
