//! What was sent, when it counts as lost, and the one timer T3 (RFC 9260 §6.2.1, §6.3, §7.2.4).

use super::congestion::{CongestionController, LossDetection};
use super::flights::Flights;
use super::forward::{Forward, Skips};
use super::outstanding::{ChunkState, Format, Outstanding};
use super::pacer::Pacer;
use super::queue::Queue;
use super::rack::{Probe, Rack};
use super::rto::Rto;
use crate::Config;
use crate::migration::{Reader, state};
use crate::packet::HEADER_LEN;
use crate::parameter::Extensions;
use crate::serial::Tsn;
use crate::stats::Stats;
use crate::wire::padding;
use std::collections::VecDeque;
use std::time::Instant;
use wigwag_sansio::{Timer, earliest};

/// As many bytes as so many full packets hold, lost in a row from long ones, make a black hole.
const LONG_LOSSES_MAX: usize = 3;

/// RFC 9260 §2.3: the PMDCS, what the DATA chunks of one packet have room for, their headers included.
pub(super) const fn pmdcs(mtu: usize) -> usize {
    mtu - HEADER_LEN
}

/// How many chunks a packet of `mtu` needs that each fit one of `base`.
const fn chunks_per_packet(mtu: usize, base: usize) -> usize {
    pmdcs(mtu).div_ceil(pmdcs(base))
}

/// The longest payload of a chunk: as many as a packet needs of chunks that each fit a packet of `base` are equally long. A multiple
/// of four, so that a full chunk has no padding.
const fn payload_max(mtu: usize, base: usize, format: Format) -> usize {
    (pmdcs(mtu) / chunks_per_packet(mtu, base) - format.header_len()) & !3
}

/// What a SACK has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SackOutcome {
    /// Old, or about what was never sent.
    Invalid,
    /// What was known already.
    Nothing,
    /// Something is newly known to have arrived.
    News,
}

/// A block of TSNs that a SACK has told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: Tsn,
    pub(super) last: Tsn,
    /// Bytes that were not known to have arrived.
    pub(super) news: usize,
}

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Transmission {
    pub(super) outstanding: Outstanding,
    pub(super) congestion: Box<dyn CongestionController>,
    pub(super) loss_detection: LossDetection,
    pub(super) flights: Flights,
    pub(super) rack: Rack,
    pub(super) pacer: Pacer,
    /// Bytes that were found to be lost, and that the controller was not told of.
    pub(super) lost: usize,
    pub(super) rto: Rto,
    pub(super) t3: Timer,
    /// Fast recovery lasts until this TSN is acknowledged.
    pub(super) recovery: Option<Tsn>,
    /// The first packet of a fast retransmission does not ask the congestion window.
    pub(super) is_fast_packet_owed: bool,
    /// A chunk that was sent once, and when: its acknowledgement measures the round trip.
    pub(super) measuring: Option<(Tsn, Instant)>,
    pub(super) peer_window: usize,
    pub(super) forward: Forward,
    /// What a FORWARD TSN tells of. Only here to keep its capacity.
    pub(super) skips: Skips,
    /// The last TSN before a stream was reset: SSNs on both sides of it are told of in different FORWARD TSNs.
    pub(super) reset_barriers: VecDeque<Tsn>,
    pub(super) last_sent: Option<Instant>,
    /// A SACK has come since T3 expired last.
    pub(super) has_heard: bool,
    /// Bytes of user data, acknowledged by gap blocks or not, that are kept at least and at most.
    pub(super) buffer: [usize; 2],
    may_give_up: bool,
    pub(super) is_held: bool,
    /// What is queued is the last there will be.
    pub(super) is_ending: bool,
    pub(super) gaps: Vec<Block>,
    /// The blocks of the SACK before. Only here to keep its capacity and to tell what is new.
    pub(super) gaps_before: Vec<Block>,
    pub(super) mtu: usize,
    /// The longest packet that every path carries: each chunk fits one.
    pub(super) mtu_base: usize,
    pub(super) payload_max: usize,
    /// Bytes of the chunks lost one after another that were in packets which are longer.
    long_losses: usize,
    /// The first departure after the last one in such a packet that has arrived.
    after_long: u64,
}

state!(struct Block { first, last } anew { news: |_| 0 });
state!(struct Transmission {
    outstanding, congestion, flights, rack, pacer, lost, rto, t3, recovery, is_fast_packet_owed, measuring, peer_window, forward,
    reset_barriers, last_sent, has_heard, gaps,
} anew {
    loss_detection: |from| from.config.congestion_control.loss_detection(),
    skips: |_| Skips::new(),
    buffer: |from| buffer(from.config),
    may_give_up: |from| from.extensions.has_forward_tsn,
    is_held: |_| false,
    is_ending: |_| false,
    gaps_before: |_| Vec::new(),
    mtu: |from| from.mtu,
    mtu_base: |from| from.config.mtu,
    payload_max: |from| payload_max(from.mtu, from.config.mtu, Format::new(from.extensions.has_interleaving)),
    long_losses: |_| 0,
    after_long: |_| 0,
} => then Self::resumed);

/// Bytes of user data that are kept at least and at most.
fn buffer(config: &Config) -> [usize; 2] {
    let least = config.send_buffer.max(config.mtu);
    [least, config.send_buffer_max.max(least)]
}

impl Transmission {
    /// Blocks are in order and of what was sent. What is on its way is waited for.
    fn resumed(mut self, from: &mut Reader<'_>) -> Option<Self> {
        let mut last = self.outstanding.cumulative();
        for block in &self.gaps {
            if block.first <= last || block.last < block.first || block.last >= self.outstanding.next_tsn() {
                return None;
            }
            last = block.last;
        }
        self.peer_window = self.peer_window.min(u32::MAX as usize);
        self.take_back(self.outstanding.cumulative().next(), from.now);
        self.resume_forward();
        let is_waited_for = self.t3.is_armed() || self.outstanding.next_lost().is_some() || self.owes_forward();
        if self.outstanding.flight().chunks > 0 || !is_waited_for {
            self.arm_if_outstanding(from.now);
        }
        Some(self)
    }

    /// Whether a message of this stream, whose last fragment is this one, may go on.
    pub(crate) fn may_go_on(&self, last: Tsn, stream: u16) -> bool {
        last.distance_to(self.outstanding.next_tsn()) <= u32::MAX.into() && self.outstanding.may_follow(last, stream)
    }

    /// How long a packet is that has room for any of the chunks in flight, which are not cut anew.
    pub(crate) fn packet_len_max(&self) -> usize {
        let size = self.outstanding.size_max();
        HEADER_LEN + size + padding(size)
    }

    pub(crate) fn new(config: &Config, initial: Tsn, peer_window: u32, extensions: Extensions) -> Self {
        let mtu = config.mtu;
        let format = Format::new(extensions.has_interleaving);
        Self {
            outstanding: Outstanding::new(initial, format),
            congestion: config.congestion_control.controller(pmdcs(mtu)),
            loss_detection: config.congestion_control.loss_detection(),
            flights: Flights::default(),
            rack: Rack::new(),
            pacer: Pacer::default(),
            lost: 0,
            rto: Rto::new(config),
            t3: Timer::idle(),
            recovery: None,
            is_fast_packet_owed: false,
            measuring: None,
            peer_window: peer_window as usize,
            forward: Forward::Idle,
            skips: Skips::new(),
            reset_barriers: VecDeque::new(),
            last_sent: None,
            has_heard: true,
            buffer: buffer(config),
            may_give_up: extensions.has_forward_tsn,
            is_held: false,
            is_ending: false,
            gaps: Vec::new(),
            gaps_before: Vec::new(),
            mtu,
            mtu_base: mtu,
            payload_max: payload_max(mtu, mtu, format),
            long_losses: 0,
            after_long: 0,
        }
    }

    pub(crate) const fn rto(&self) -> &Rto {
        &self.rto
    }

    pub(crate) const fn rto_mut(&mut self) -> &mut Rto {
        &mut self.rto
    }

    /// Packets are at most so long, and no chunk is longer than a packet of `base` bytes has room for.
    pub(crate) fn set_mtu(&mut self, mtu: usize, base: usize) {
        (self.mtu, self.mtu_base, self.long_losses) = (mtu, base, 0);
        self.payload_max = payload_max(mtu, base, self.outstanding.format());
        self.congestion.set_packet_len(pmdcs(mtu));
    }

    /// Asked now and then: if nothing was sent since, gives back what is kept for more.
    pub(crate) fn rest(&mut self) {
        if self.outstanding.rest() {
            (self.gaps, self.gaps_before, self.skips) = (Vec::new(), Vec::new(), Skips::new());
            self.flights.rest(&self.outstanding);
        }
    }

    /// Whether everything that was sent is acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.outstanding.is_empty()
    }

    pub(crate) fn last_tsn(&self) -> Tsn {
        self.outstanding.next_tsn().previous()
    }

    /// The last TSN that is known to have arrived, with everything before it.
    pub(crate) const fn cumulative(&self) -> Tsn {
        self.outstanding.cumulative()
    }

    /// Whether nothing new is sent for the time being.
    pub(crate) const fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Whether all that comes is queued, and a shutdown waits for it.
    pub(crate) const fn end(&mut self, is_ending: bool) {
        self.is_ending = is_ending;
    }

    /// Nothing is outstanding, and this is the next TSN.
    pub(crate) fn restart(&mut self, next: u32) {
        debug_assert!(self.is_done());
        self.outstanding = Outstanding::new(Tsn::first(next), self.outstanding.format());
        (self.recovery, self.measuring) = (None, None);
        self.reset_barriers.clear();
        self.gaps.clear();
        self.t3.stop();
        self.rack.stop();
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([self.t3.deadline(), self.rack.deadline()])
    }

    /// When what is ready may leave, if only the pace holds it up.
    pub(crate) fn opens_at(&self, now: Instant, queue: &Queue) -> Option<Instant> {
        self.pacer.opens_at(now).filter(|at| self.may_resend(*at).is_some() || self.may_send(*at, queue).is_some())
    }

    /// Whatever a controller says, a packet may be on its way.
    pub(super) fn window(&self) -> usize {
        self.congestion.window().max(pmdcs(self.mtu))
    }

    pub(crate) fn report(&self, stats: &mut Stats) {
        stats.round_trip = self.rto.smoothed();
        stats.rto = self.rto.current();
        stats.congestion_window = self.window();
        stats.slow_start_threshold = self.congestion.slow_start_threshold();
        stats.in_flight = self.outstanding.flight_size();
        stats.peer_receive_window = u32::try_from(self.peer_window).unwrap_or(u32::MAX);
    }

    pub(super) fn arm(&mut self, now: Instant) {
        if !self.t3.is_armed() {
            self.t3 = Timer::after(now, self.rto.current());
        }
    }

    // ---- what is lost, and the timer

    pub(super) fn lose(&mut self, tsn: Tsn, now: Instant, queue: &mut Queue, stats: &mut Stats) {
        if let Some(chunk) = self.outstanding.get(tsn) {
            let size = chunk.size(self.outstanding.format());
            self.lost += size;
            if self.flights.is_long(chunk.departure) && chunk.departure >= self.after_long {
                self.long_losses += size + padding(size);
            }
        }
        if self.measuring.is_some_and(|(measured, _)| measured == tsn) {
            self.measuring = None;
        }
        if !self.outstanding.lose(tsn, now, self.may_give_up) {
            self.abandon(tsn, queue, stats);
        }
    }

    fn abandon(&mut self, tsn: Tsn, queue: &mut Queue, stats: &mut Stats) {
        stats.messages_abandoned += 1;
        // What was not sent gets a TSN nevertheless: the end of the message, which the peer is told to skip.
        if self.outstanding.abandon_message(tsn)
            && let Some(stream) = self.outstanding.get(tsn).map(|chunk| chunk.stream)
            && let Some(end) = queue.drop_begun(stream, self.outstanding.next_tsn())
        {
            self.outstanding.push(end);
        }
    }

    /// Lets the time begin anew after which a probe is due, unless losses are being repaired.
    pub(super) fn rearm_probe(&mut self, restarts: bool, now: Instant) {
        let chunks = self.outstanding.flight().chunks;
        if chunks == 0 || self.recovery.is_some() || self.loss_detection == LossDetection::Misses {
            self.rack.disarm_probe();
        } else if restarts && !matches!(self.rack.probe, Probe::Owed | Probe::Sent { .. }) {
            self.rack.arm_probe(self.rto.smoothed(), chunks, self.t3.deadline(), now);
        }
    }

    pub(super) fn restart_t3(&mut self, restarts: bool, now: Instant) {
        if self.outstanding.is_empty() {
            self.t3.stop();
            self.rack.stop();
            self.congestion.drained();
        } else if restarts {
            self.t3 = Timer::after(now, self.rto.current());
        }
    }

    /// T3 (RFC 9260 §6.3.3). True if the peer failed to answer.
    pub(crate) fn handle_timeout(&mut self, now: Instant, queue: &mut Queue, stats: &mut Stats) -> bool {
        if self.rack.timer.expire(now) {
            self.find_late(self.outstanding.flight_size(), now, queue, stats);
            self.forward_if_abandoned(now);
        }
        if self.rack.expire_probe(now) {
            self.owe_probe(now, queue);
        }
        if !self.t3.expire(now) {
            return false;
        }
        stats.timeouts += 1;
        self.rto.back_off();
        // A probe that finds the window closed says nothing about the path.
        let is_probing = self.peer_window < self.mtu && self.has_heard;
        if !is_probing {
            self.congestion.timed_out(now);
        }
        self.recovery = None;
        self.is_fast_packet_owed = false;
        self.measuring = None;
        self.rack.stop();
        let mut at = self.outstanding.cumulative().next();
        let end = self.outstanding.next_tsn();
        while at < end {
            if self.outstanding.get(at).is_some_and(|chunk| chunk.state == ChunkState::InFlight) {
                self.lose(at, now, queue, stats);
            }
            at = at.next();
        }
        self.lost = 0;
        // Owed again even if one is on its way: it was lost, or its answer was.
        self.forward = Forward::Idle;
        self.forward_if_abandoned(now);
        self.has_heard = false;
        !is_probing
    }

    /// Nothing has come back for a while: one packet more goes out, with something new or else with what went last. T3 waits for its
    /// answer (RFC 8985 §7.3).
    fn owe_probe(&mut self, now: Instant, queue: &Queue) {
        self.rack.probe = Probe::Owed;
        if self.may_send(now, queue).is_none() {
            let last = self.flights.last(&self.outstanding).map(|last| last.tsn);
            let Some(tsn) = last.filter(|tsn| !self.is_closed() && self.outstanding.lose(*tsn, now, self.may_give_up))
            else {
                self.rack.probe = Probe::Idle;
                return;
            };
            self.measuring = self.measuring.filter(|(measured, _)| *measured != tsn);
            self.is_fast_packet_owed = true;
        }
        self.t3 = Timer::after(now, self.rto.current());
    }

    /// The peer has no room, as it has told: what is on its way asks whether that is still so.
    const fn is_closed(&self) -> bool {
        self.peer_window < self.mtu
    }

    /// Gives up what has lived too long, as far as it is next.
    #[inline]
    pub(crate) fn expire(&mut self, now: Instant, queue: &mut Queue, stats: &mut Stats) {
        if self.may_give_up && (queue.is_timed() || self.outstanding.next_lost().is_some()) {
            self.expire_timed(now, queue, stats);
        }
    }

    fn expire_timed(&mut self, now: Instant, queue: &mut Queue, stats: &mut Stats) {
        let was = stats.messages_abandoned;
        while let Some((tsn, _)) = self.outstanding.next_lost()
            && self.outstanding.is_over(tsn, now)
        {
            self.abandon(tsn, queue, stats);
        }
        while let Some(end) = queue.expire(now, self.outstanding.next_tsn(), &mut stats.messages_abandoned) {
            stats.messages_abandoned += 1;
            let tsn = self.outstanding.push(end);
            self.outstanding.abandon_message(tsn);
        }
        if stats.messages_abandoned > was {
            self.forward_if_abandoned(now);
            self.arm_if_outstanding(now);
        }
    }

    /// Whether the peer understands that a message is given up (RFC 3758).
    pub(crate) const fn may_give_up(&self) -> bool {
        self.may_give_up
    }

    /// Gives up the stream's message that more was to come of, and of which something was sent.
    pub(crate) fn abandon_open(&mut self, stream: u16, now: Instant, queue: &mut Queue, stats: &mut Stats) {
        let Some(end) = queue.drop_open(stream, self.outstanding.next_tsn()) else { return };
        stats.messages_abandoned += 1;
        let tsn = self.outstanding.push(end);
        self.outstanding.abandon_message(tsn);
        self.forward_if_abandoned(now);
        self.arm_if_outstanding(now);
    }

    /// When something will have lived too long that is next.
    pub(crate) fn expiry(&self, queue: &Queue) -> Option<Instant> {
        let lost = self.outstanding.next_lost().and_then(|(_, chunk)| chunk.expires());
        earliest([lost, queue.next_expiry()]).filter(|_| self.may_give_up)
    }

    fn arm_if_outstanding(&mut self, now: Instant) {
        if !self.outstanding.is_empty() {
            self.arm(now);
        }
    }

    /// A long packet has arrived, of which this departure is: what was lost is no black hole, nor is what departed before and will be.
    pub(super) fn long_arrived(&mut self, departure: u64) {
        self.long_losses = 0;
        self.after_long = self.after_long.max(departure + 1);
    }

    /// Several long packets in a row were lost, and none has arrived (RFC 8899 §4.4).
    pub(crate) const fn is_black_hole(&self) -> bool {
        let chunk_len = self.payload_max + self.outstanding.format().header_len();
        let packet_len = chunk_len * chunks_per_packet(self.mtu, self.mtu_base);
        self.mtu > self.mtu_base && self.long_losses >= LONG_LOSSES_MAX * packet_len
    }

    /// How many bytes may wait, sent or not: what is needed while a lost packet is sent again is a window, and what is sent meanwhile is
    /// another one.
    pub(crate) fn buffer_len(&self) -> usize {
        let [least, most] = self.buffer;
        self.window().saturating_mul(2).clamp(least, most)
    }

    pub(crate) fn invariants(&self, is_thorough: bool) {
        debug_assert!(self.window() >= pmdcs(self.mtu), "C6");
        if is_thorough {
            self.outstanding.invariants();
        }
        debug_assert!(
            self.outstanding.flight_size() <= self.window() + self.mtu
                || self.is_fast_packet_owed
                || self.recovery.is_some()
                || self.t3.is_armed(),
            "C5"
        );
        debug_assert!(
            self.outstanding.is_empty()
                || self.t3.is_armed()
                || self.outstanding.next_lost().is_some()
                || self.owes_forward(),
            "liveness: something is outstanding, and no timer runs"
        );
    }
}
