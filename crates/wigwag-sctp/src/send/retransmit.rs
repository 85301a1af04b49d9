//! What is sent, when it counts as lost, and the one timer T3 (RFC 9260 §6.1, §6.2.1, §6.3, §7.2.4).

use super::congestion::Congestion;
use super::forward::{Forward, Skips};
use super::outstanding::{ChunkState, Format, Outstanding};
use super::queue::Queue;
use super::rto::Rto;
use crate::Config;
use crate::chunk::{ENDING, Sack};
use crate::packet::HEADER_LEN;
use crate::parameter::Extensions;
use crate::serial::Tsn;
use crate::stats::Stats;
use crate::wire::padding;
use std::time::Instant;
use wigwag_sansio::{Timer, earliest};

/// A gap ack block tells of TSNs at most this far beyond the cumulative one, less a margin.
const TSN_SPAN_MAX: usize = 60_000;

/// So many blocks find room when a first packet is lost.
const GAPS_EXPECTED: usize = 16;

/// RFC 9260 §2.3: the PMDCS, what the DATA chunks of one packet have room for, their headers included.
const fn pmdcs(mtu: usize) -> usize {
    mtu - HEADER_LEN
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
struct Block {
    first: Tsn,
    last: Tsn,
    /// Bytes that were not known to have arrived.
    news: usize,
}

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Transmission {
    pub(super) outstanding: Outstanding,
    congestion: Congestion,
    pub(super) rto: Rto,
    t3: Timer,
    /// Fast recovery lasts until this TSN is acknowledged.
    recovery: Option<Tsn>,
    /// The first packet of a fast retransmission does not ask the congestion window.
    is_fast_packet_owed: bool,
    /// A chunk that was sent once, and when: its acknowledgement measures the round trip.
    measuring: Option<(Tsn, Instant)>,
    peer_window: usize,
    pub(super) forward: Forward,
    /// What a FORWARD TSN tells of. Only here to keep its capacity.
    pub(super) skips: Skips,
    /// The last TSN before a stream was reset: SSNs on both sides of it are told of in different FORWARD TSNs.
    pub(super) reset_barrier: Option<Tsn>,
    last_sent: Option<Instant>,
    /// A SACK has come since T3 expired last.
    has_heard: bool,
    /// Bytes of user data, acknowledged by gap blocks or not, that are kept at most.
    outstanding_max: usize,
    may_give_up: bool,
    is_held: bool,
    gaps: Vec<Block>,
    /// The blocks of the SACK before. Only here to keep its capacity and to tell what is new.
    gaps_before: Vec<Block>,
    mtu: usize,
}

impl Transmission {
    pub(crate) fn new(config: &Config, mtu: usize, initial: Tsn, peer_window: u32, extensions: Extensions) -> Self {
        Self {
            outstanding: Outstanding::new(initial, Format::new(extensions.has_interleaving)),
            congestion: Congestion::new(pmdcs(mtu)),
            rto: Rto::new(config),
            t3: Timer::idle(),
            recovery: None,
            is_fast_packet_owed: false,
            measuring: None,
            peer_window: peer_window as usize,
            forward: Forward::Idle,
            skips: Skips::new(),
            reset_barrier: None,
            last_sent: None,
            has_heard: true,
            outstanding_max: config.send_buffer.max(mtu),
            may_give_up: extensions.has_forward_tsn,
            is_held: false,
            gaps: Vec::new(),
            gaps_before: Vec::new(),
            mtu,
        }
    }

    pub(crate) const fn rto(&self) -> &Rto {
        &self.rto
    }

    pub(crate) const fn rto_mut(&mut self) -> &mut Rto {
        &mut self.rto
    }

    pub(crate) fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu;
        self.congestion.set_pmdcs(pmdcs(mtu));
    }

    /// Asked now and then: if nothing was sent since, gives back what is kept for more.
    pub(crate) fn rest(&mut self) {
        if self.outstanding.rest() {
            (self.gaps, self.gaps_before, self.skips) = (Vec::new(), Vec::new(), Skips::new());
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

    /// Nothing is outstanding, and this is the next TSN.
    pub(crate) fn restart(&mut self, next: u32) {
        debug_assert!(self.is_done());
        self.outstanding = Outstanding::new(Tsn::first(next), self.outstanding.format());
        (self.recovery, self.measuring, self.reset_barrier) = (None, None, None);
        self.gaps.clear();
        self.t3.stop();
    }

    pub(crate) const fn set_reset_barrier(&mut self, tsn: Tsn) {
        self.reset_barrier = Some(tsn);
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.t3.deadline()
    }

    pub(crate) fn report(&self, stats: &mut Stats) {
        stats.round_trip = self.rto.smoothed();
        stats.rto = self.rto.current();
        stats.congestion_window = self.congestion.window();
        stats.slow_start_threshold = self.congestion.ssthresh();
        stats.in_flight = self.outstanding.flight_size();
        stats.peer_receive_window = u32::try_from(self.peer_window).unwrap_or(u32::MAX);
    }

    pub(super) fn arm(&mut self, now: Instant) {
        if !self.t3.is_armed() {
            self.t3 = Timer::after(now, self.rto.current());
        }
    }

    // ---- what comes back

    pub(crate) fn handle_sack(
        &mut self,
        sack: Sack<'_>,
        now: Instant,
        queue: &mut Queue,
        stats: &mut Stats,
    ) -> SackOutcome {
        let cumulative = self.outstanding.cumulative().nearest(sack.cumulative_tsn);
        if cumulative < self.outstanding.cumulative() || !self.read_gaps(sack, cumulative) {
            return SackOutcome::Invalid;
        }
        self.has_heard = true;
        let before = self.outstanding.flight_size();
        let is_advanced = cumulative > self.outstanding.cumulative();
        self.measure(cumulative, now);
        let mut acked = self.outstanding.ack_up_to(cumulative);
        acked += self.ack_gaps(now);
        let was_closed = self.peer_window < self.mtu;
        self.peer_window = sack.a_rwnd as usize;
        // A window of a packet or two is none yet.
        if was_closed && self.peer_window >= 2 * self.mtu && !is_advanced {
            self.resend_probe(now);
        }
        if self.recovery.is_some_and(|point| cumulative >= point) {
            self.recovery = None;
        }
        let front = self.outstanding.cumulative().next();
        let is_front_lost = self.find_lost(is_advanced, now, queue, stats);
        self.take_back(front, now);
        if is_advanced && self.recovery.is_none() {
            self.congestion.grow(acked, before);
        }
        self.forward_if_abandoned(now);
        self.restart_t3(is_advanced || is_front_lost, now);
        if is_advanced || acked > 0 { SackOutcome::News } else { SackOutcome::Nothing }
    }

    /// As a SACK without gaps, whose window is the one that was told before.
    pub(crate) fn handle_cumulative(&mut self, wire: u32, now: Instant) -> SackOutcome {
        let cumulative = self.outstanding.cumulative().nearest(wire);
        if cumulative < self.outstanding.cumulative() || cumulative >= self.outstanding.next_tsn() {
            return SackOutcome::Invalid;
        }
        let is_advanced = cumulative > self.outstanding.cumulative();
        self.measure(cumulative, now);
        self.outstanding.ack_up_to(cumulative);
        self.gaps.retain(|block| block.first > cumulative);
        self.take_back(cumulative.next(), now);
        self.forward_if_abandoned(now);
        self.restart_t3(is_advanced, now);
        if is_advanced { SackOutcome::News } else { SackOutcome::Nothing }
    }

    /// Takes the blocks of a SACK, if they are in order and about what was sent (C13).
    fn read_gaps(&mut self, sack: Sack<'_>, cumulative: Tsn) -> bool {
        let end = self.outstanding.next_tsn();
        self.gaps_before.clear();
        if self.outstanding.is_prepared() {
            self.gaps_before.reserve(GAPS_EXPECTED);
            self.skips.prepare();
        }
        let mut last = cumulative;
        for (from, to) in sack.gaps() {
            let block =
                Block { first: cumulative.plus(u64::from(from)), last: cumulative.plus(u64::from(to)), news: 0 };
            if from == 0 || to < from || block.first <= last {
                return false;
            }
            last = block.last;
            self.gaps_before.push(block);
        }
        if last >= end {
            return false;
        }
        std::mem::swap(&mut self.gaps, &mut self.gaps_before);
        true
    }

    fn measure(&mut self, cumulative: Tsn, now: Instant) {
        if let Some((_, at)) = self.measuring.take_if(|(tsn, _)| *tsn <= cumulative) {
            self.rto.measure(now.saturating_duration_since(at));
        }
    }

    /// Looks at what the blocks tell beyond those of the SACK before.
    fn ack_gaps(&mut self, now: Instant) -> usize {
        let mut acked = 0;
        let mut known = self.gaps_before.iter().copied().peekable();
        for block in &mut self.gaps {
            let mut at = block.first;
            while at <= block.last {
                while known.next_if(|known| known.last < at).is_some() {}
                let until = match known.peek() {
                    Some(known) if known.first <= at => {
                        at = known.last.next();
                        continue;
                    }
                    Some(known) => known.first.previous().min(block.last),
                    None => block.last,
                };
                while at <= until {
                    block.news += self.outstanding.ack(at);
                    if let Some((_, sent)) = self.measuring.take_if(|(tsn, _)| *tsn == at) {
                        self.rto.measure(now.saturating_duration_since(sent));
                    }
                    at = at.next();
                }
            }
            acked += block.news;
        }
        acked
    }

    /// Counts what is missing below what has newly arrived. True if the earliest chunk is lost.
    //
    // RFC 9260 §7.2.4: "For each incoming SACK chunk, miss indications are incremented only for missing TSNs prior to the
    // HTNA in the SACK chunk." HTNA: the highest TSN newly acknowledged.
    fn find_lost(&mut self, is_advanced: bool, now: Instant, queue: &mut Queue, stats: &mut Stats) -> bool {
        // RFC 9260 §7.2.4: "If an endpoint is in Fast Recovery and a SACK chunks arrives that advances the Cumulative
        // TSN Ack Point, the miss indications are incremented for all TSNs reported missing in the SACK chunk."
        let counts_all = self.recovery.is_some() && is_advanced;
        let front = self.outstanding.cumulative().next();
        let mut later = 0;
        let mut found = false;
        let mut is_front_lost = false;
        for index in (0..self.gaps.len()).rev() {
            let Some(block) = self.gaps.get(index).copied() else { break };
            later += block.news;
            let below = index.checked_sub(1).and_then(|index| self.gaps.get(index));
            let mut at = below.map_or(front, |block| block.last.next());
            while (later > 0 || counts_all) && at < block.first {
                if self.outstanding.miss(at, later / self.mtu) {
                    found = true;
                    is_front_lost |= at == front;
                    stats.fast_retransmits += 1;
                    self.lose(at, now, queue, stats);
                }
                at = at.next();
            }
        }
        if found && self.recovery.is_none() {
            self.congestion.halve();
            self.recovery = Some(self.last_tsn());
            self.is_fast_packet_owed = true;
        }
        is_front_lost
    }

    /// What is next cannot have arrived: if a block said so, the peer has discarded it since (RFC 9260 §6.2).
    fn take_back(&mut self, front: Tsn, now: Instant) {
        if self.outstanding.front().is_some_and(|chunk| chunk.state == ChunkState::Acked) {
            self.outstanding.lose(front, now, false);
        }
    }

    /// The window has opened and the probe was not taken: it came too early.
    fn resend_probe(&mut self, now: Instant) {
        let front = self.outstanding.cumulative().next();
        let is_in_flight = self.outstanding.front().is_some_and(|chunk| chunk.state == ChunkState::InFlight);
        if is_in_flight && self.outstanding.flight().chunks == 1 {
            self.measuring = None;
            self.outstanding.lose(front, now, false);
        }
    }

    fn lose(&mut self, tsn: Tsn, now: Instant, queue: &mut Queue, stats: &mut Stats) {
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

    fn restart_t3(&mut self, restarts: bool, now: Instant) {
        if self.outstanding.is_empty() {
            self.t3.stop();
            self.congestion.drained();
        } else if restarts {
            self.t3 = Timer::after(now, self.rto.current());
        }
    }

    /// T3 (RFC 9260 §6.3.3). True if the peer failed to answer.
    pub(crate) fn handle_timeout(&mut self, now: Instant, queue: &mut Queue, stats: &mut Stats) -> bool {
        if !self.t3.expire(now) {
            return false;
        }
        stats.timeouts += 1;
        self.rto.back_off();
        // A probe that finds the window closed says nothing about the path.
        let is_probing = self.peer_window < self.mtu && self.has_heard;
        if !is_probing {
            self.congestion.collapse();
        }
        self.recovery = None;
        self.is_fast_packet_owed = false;
        self.measuring = None;
        let mut at = self.outstanding.cumulative().next();
        let end = self.outstanding.next_tsn();
        while at < end {
            if self.outstanding.get(at).is_some_and(|chunk| chunk.state == ChunkState::InFlight) {
                self.lose(at, now, queue, stats);
            }
            at = at.next();
        }
        // Owed again even if one is on its way: it was lost, or its answer was.
        self.forward = Forward::Idle;
        self.forward_if_abandoned(now);
        self.has_heard = false;
        !is_probing
    }

    // ---- what goes out

    /// Gives up what has lived too long, as far as it is next.
    pub(crate) fn expire(&mut self, now: Instant, queue: &mut Queue, stats: &mut Stats) {
        if !self.may_give_up {
            return;
        }
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

    /// The longest payload of a chunk. A multiple of four, so that a full chunk has no padding.
    pub(crate) const fn payload_max(&self) -> usize {
        (self.mtu - HEADER_LEN - self.outstanding.format().header_len()) & !3
    }

    // RFC 9260 §6.1 A: "At any given time, the data sender MUST NOT transmit new data to any destination transport
    // address if its peer's rwnd indicates that the peer has no buffer space". But one chunk may always be in flight:
    // the zero window probe.
    fn fits_peer(&self, len: usize) -> bool {
        let flight = self.outstanding.flight();
        flight.chunks == 0 || flight.len + len <= self.peer_window
    }

    // RFC 9260 §6.1 B: "At any given time, the sender MUST NOT transmit new data to a given transport address if it has
    // cwnd + (PMDCS - 1) or more bytes of data outstanding to that transport address."
    fn fits_path(&self) -> bool {
        self.outstanding.flight_size() < self.congestion.window()
    }

    fn may_resend(&self) -> Option<usize> {
        let (_, chunk) = self.outstanding.next_lost()?;
        ((self.is_fast_packet_owed || self.fits_path()) && self.fits_peer(chunk.len()))
            .then_some(chunk.size(self.outstanding.format()))
    }

    #[inline]
    fn may_send(&self, queue: &Queue) -> Option<usize> {
        if self.is_held && !queue.has_begun() || !self.fits_path() || self.outstanding.next_lost().is_some() {
            return None;
        }
        let len = queue.next_len(self.payload_max())?;
        let has_room = self.outstanding.is_empty()
            || self.outstanding.len() + len <= self.outstanding_max && self.outstanding.count() < TSN_SPAN_MAX;
        (has_room && self.fits_peer(len)).then_some(len)
    }

    /// Whether `write` would write something, if there is room.
    pub(crate) fn is_owed(&self, queue: &Queue) -> bool {
        self.owes_forward() || self.may_resend().is_some() || self.may_send(queue).is_some()
    }

    /// How much room the next DATA chunk takes, if one may be sent.
    pub(crate) fn next_size(&self, queue: &Queue) -> Option<usize> {
        self.may_resend().or_else(|| self.may_send(queue).map(|len| len + self.outstanding.format().header_len()))
    }

    /// Appends what may be sent and fits before `end`: FORWARD TSN, what was lost, what is new.
    pub(crate) fn write(&mut self, now: Instant, end: usize, out: &mut Vec<u8>, queue: &mut Queue, stats: &mut Stats) {
        self.write_forward(now, end, out);
        let start = out.len();
        let format = self.outstanding.format();
        let fits = |size: usize, out: &Vec<u8>| out.len() + size + padding(size) <= end;
        while let Some(size) = self.may_resend().filter(|size| fits(*size, out)) {
            let Some((tsn, chunk)) = self.outstanding.next_lost() else { break };
            debug_assert_eq!(size, chunk.size(format));
            chunk.write(tsn, format, out);
            self.outstanding.resent(tsn);
            stats.retransmitted += 1;
        }
        if out.len() > start {
            self.is_fast_packet_owed = false;
        }
        while fits(format.header_len() + 1, out)
            && let Some(len) = self.may_send(queue).filter(|len| fits(len + format.header_len(), out))
        {
            self.decay(now);
            let Some(chunk) = queue.cut(len, self.outstanding.next_tsn()) else { break };
            stats.bytes_sent += len as u64;
            stats.messages_sent += u64::from(chunk.is(ENDING));
            chunk.write(self.outstanding.next_tsn(), format, out);
            let tsn = self.outstanding.push(chunk);
            self.measuring.get_or_insert((tsn, now));
        }
        if out.len() > start {
            self.last_sent = Some(now);
            self.arm(now);
        }
    }

    // RFC 9260 §7.2.1: "While the endpoint does not transmit data on a given transport address, the cwnd of the transport
    // address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO."
    fn decay(&mut self, now: Instant) {
        let Some(sent) = self.last_sent.filter(|_| self.outstanding.is_empty()) else { return };
        let idle = now.saturating_duration_since(sent).as_millis();
        let timeouts = idle.checked_div(self.rto.current().as_millis()).unwrap_or(0);
        if timeouts > 0 {
            self.congestion.decay(u32::try_from(timeouts).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn invariants(&self, is_thorough: bool) {
        self.congestion.invariants();
        if is_thorough {
            self.outstanding.invariants();
        }
        debug_assert!(
            self.outstanding.flight_size() <= self.congestion.window() + self.mtu
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
