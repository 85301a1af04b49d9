//! What comes back: what has arrived, and what is lost (RFC 9260 §6.2.1, §7.2.4; RFC 8985).

use super::congestion::{Acknowledgement, Loss, LossDetection};
use super::flights::Sample;
use super::outstanding::{Arrived, ChunkState};
use super::queue::Queue;
use super::rack::{Probe, Verdict};
use super::retransmit::{Block, SackOutcome, Transmission};
use crate::chunk::Sack;
use crate::serial::Tsn;
use crate::stats::Stats;
use std::time::Instant;
use wigwag_sansio::Timer;

/// So many blocks find room when a first packet is lost.
const GAPS_EXPECTED: usize = 16;

impl Transmission {
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
        let in_flight_before = self.outstanding.flight_size();
        let is_advanced = cumulative > self.outstanding.cumulative();
        self.measure(cumulative, now);
        let mut arrived = Arrived::default();
        self.outstanding.ack_up_to(cumulative, &mut arrived);
        self.ack_gaps(&mut arrived, now);
        let sample = self.flights.arrive(&arrived, now);
        if let Some((departure, _)) = sample.latest.filter(|(_, latest)| latest.is_long) {
            self.long_arrived(departure);
        }
        let was_closed = self.peer_window < self.mtu;
        self.peer_window = sack.a_rwnd as usize;
        // A window of a packet or two is none yet.
        if was_closed && self.peer_window >= 2 * self.mtu && !is_advanced {
            self.resend_probe(now);
        }
        self.end_recovery(cumulative);
        let front = self.outstanding.cumulative().next();
        let is_front_lost = match self.loss_detection {
            LossDetection::Misses => {
                self.flights.first(&self.outstanding);
                self.find_missing(is_advanced, in_flight_before, now, queue, stats)
            }
            LossDetection::Time => {
                self.look_at_arrivals(&arrived, &sample, sack, in_flight_before, now);
                self.find_late(in_flight_before, now, queue, stats)
            }
        };
        self.take_back(front, now);
        let is_news = is_advanced || arrived.size > 0;
        if is_news {
            self.tell_controller(&arrived, &sample, is_advanced, in_flight_before, now);
        }
        self.forward_if_abandoned(now);
        self.restart_t3(is_advanced || is_front_lost || is_news && self.loss_detection == LossDetection::Time, now);
        self.rearm_probe(is_news, now);
        if is_news { SackOutcome::News } else { SackOutcome::Nothing }
    }

    fn end_recovery(&mut self, cumulative: Tsn) {
        if self.recovery.take_if(|point| cumulative >= *point).is_some() {
            self.rack.recovered();
        }
    }

    fn tell_controller(
        &mut self,
        arrived: &Arrived,
        sample: &Sample,
        is_cumulative: bool,
        in_flight_before: usize,
        now: Instant,
    ) {
        self.congestion.acknowledged(&Acknowledgement {
            now,
            acked: arrived.size,
            lost: std::mem::take(&mut self.lost),
            in_flight_before,
            in_flight: self.outstanding.flight_size(),
            is_cumulative,
            is_recovering: self.recovery.is_some(),
            round_trip: sample.round_trip(now),
            round_trip_smoothed: self.rto.smoothed(),
            round: self.flights.round(),
            delivery_rate: sample.rate,
        });
    }

    /// As a SACK without gaps, whose window is the one that was told before.
    pub(crate) fn handle_cumulative(&mut self, wire: u32, now: Instant) -> SackOutcome {
        let cumulative = self.outstanding.cumulative().nearest(wire);
        if cumulative < self.outstanding.cumulative() || cumulative >= self.outstanding.next_tsn() {
            return SackOutcome::Invalid;
        }
        let in_flight_before = self.outstanding.flight_size();
        let is_advanced = cumulative > self.outstanding.cumulative();
        self.measure(cumulative, now);
        let mut arrived = Arrived::default();
        self.outstanding.ack_up_to(cumulative, &mut arrived);
        let sample = self.flights.arrive(&arrived, now);
        self.gaps.retain(|block| block.first > cumulative);
        self.end_recovery(cumulative);
        self.take_back(cumulative.next(), now);
        if is_advanced {
            self.tell_controller(&arrived, &sample, is_advanced, in_flight_before, now);
        }
        self.forward_if_abandoned(now);
        self.restart_t3(is_advanced, now);
        self.rearm_probe(is_advanced, now);
        if is_advanced { SackOutcome::News } else { SackOutcome::Nothing }
    }

    /// Takes the blocks of a SACK, if they are in order and about what was sent (C13).
    fn read_gaps(&mut self, sack: Sack<'_>, cumulative: Tsn) -> bool {
        let end = self.outstanding.next_tsn();
        self.gaps_before.clear();
        if self.outstanding.is_prepared() {
            self.gaps_before.reserve(GAPS_EXPECTED);
            self.skips.prepare();
            self.flights.prepare();
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
    fn ack_gaps(&mut self, arrived: &mut Arrived, now: Instant) {
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
                    block.news += self.outstanding.ack(at, arrived);
                    if let Some((_, sent)) = self.measuring.take_if(|(tsn, _)| *tsn == at) {
                        self.rto.measure(now.saturating_duration_since(sent));
                    }
                    at = at.next();
                }
            }
        }
    }

    /// Counts what is missing below what has newly arrived. True if the earliest chunk is lost.
    //
    // RFC 9260 §7.2.4: "For each incoming SACK chunk, miss indications are incremented only for missing TSNs prior to the
    // HTNA in the SACK chunk." HTNA: the highest TSN newly acknowledged.
    fn find_missing(
        &mut self,
        is_advanced: bool,
        in_flight_before: usize,
        now: Instant,
        queue: &mut Queue,
        stats: &mut Stats,
    ) -> bool {
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
        if found {
            self.begin_recovery(in_flight_before, now);
        }
        is_front_lost
    }

    /// Something was lost. Until all that has departed has arrived, that is one event.
    fn begin_recovery(&mut self, in_flight_before: usize, now: Instant) {
        if self.recovery.is_none() {
            let in_flight = self.outstanding.flight_size();
            self.congestion.congested(&Loss { now, in_flight_before, in_flight });
            self.recovery = Some(self.last_tsn());
            self.is_fast_packet_owed = true;
        }
    }

    fn look_at_arrivals(
        &mut self,
        arrived: &Arrived,
        sample: &Sample,
        sack: Sack<'_>,
        in_flight_before: usize,
        now: Instant,
    ) {
        if sack.has_duplicates() {
            self.rack.widen(self.flights.round());
        }
        if let Some(latest) = sample.latest {
            self.rack.arrived(latest, arrived.earliest_once, now);
        }
        if let Probe::Sent { departure, is_again } = self.rack.probe
            && arrived.latest >= Some(departure)
        {
            self.rack.probe = Probe::Idle;
            // RFC 8985 §7.4.2: the probe has repaired a loss, unless the peer has it twice.
            if is_again && !sack.has_duplicates() {
                self.begin_recovery(in_flight_before, now);
            }
        }
    }

    /// Gives up for lost what departed too long before something that has arrived. True if the earliest chunk is.
    pub(super) fn find_late(
        &mut self,
        in_flight_before: usize,
        now: Instant,
        queue: &mut Queue,
        stats: &mut Stats,
    ) -> bool {
        let front = self.outstanding.cumulative().next();
        let early = self.gaps.iter().map(|block| block.first.distance_to(block.last) + 1).sum();
        let (mut found, mut is_front_lost) = (false, false);
        self.rack.timer.stop();
        while let Some((number, departure)) = self.flights.first(&self.outstanding) {
            let is_recovering = self.recovery.is_some();
            match self.rack.verdict((number, departure), is_recovering, early, self.rto.smoothed(), now) {
                Verdict::Lost => {
                    found = true;
                    is_front_lost |= departure.tsn == front;
                    stats.fast_retransmits += 1;
                    self.lose(departure.tsn, now, queue, stats);
                }
                Verdict::Until(at) => {
                    self.rack.timer = Timer::at(at);
                    break;
                }
                Verdict::Open => break,
            }
        }
        if found {
            self.begin_recovery(in_flight_before, now);
        }
        is_front_lost
    }

    /// What is next cannot have arrived: if a block said so, the peer has discarded it since (RFC 9260 §6.2).
    pub(super) fn take_back(&mut self, front: Tsn, now: Instant) {
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
}
