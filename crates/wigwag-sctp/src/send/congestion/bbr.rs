//! For long paths that lose packets though nothing is full: a model of the path instead of losses, after BBR
//! (draft-ietf-ccwg-bbr).
//!
//! The model is how fast data arrives at best and how long a round trip takes at least; packets are paced at that rate. While there
//! is no queue, a loss means nothing, and whether the path has become faster is tried as BBR does:
//!
//! ```text
//! Startup ──full──► Drain ──► Cruise ──6 rounds, no queue──► Up ──a round──► Down ──drained──► Cruise
//!                               any ──10 s without a shorter round trip──► Probing ──► Cruise
//! ```
//!
//! BBR itself starves others where buffers are small, and is starved where they are large. So a queue that was not made to try, and
//! what is lost while there is one, say that the path is contested: for some rounds the window grows and shrinks as others' do, and
//! only then the model counts again.

use super::queueing::Queueing;
use super::{Acknowledgement, CongestionController, DeliveryRate, INITIAL_PACKETS, Loss};
use std::time::{Duration, Instant};

/// Of what has arrived in so many rounds, the fastest counts.
const ROUNDS: usize = 10;
const CRUISE_ROUNDS: u64 = 6;
/// So many rounds without a congested loss, or as many as packets fit the path, end a contest if there is no queue: a flow by
/// RFC 9260's rules would have had time to fill one.
const CONTEST_ROUNDS: u64 = 64;
/// What is left of the window after a congested loss: 7/10.
const BETA: [usize; 2] = [7, 10];
const PROBING_TIME: Duration = Duration::from_millis(200);
const MIN_PACKETS: usize = 4;
/// What is lost of a round beyond this is no accident even while we try to go faster: one in so many.
const LOSS_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Startup,
    Drain,
    Cruise { since: u64 },
    Up { since: u64 },
    Down,
    Probing { until: Instant },
}

impl Phase {
    /// How fast packets leave, in hundredths of the rate of the model.
    const fn pacing_gain(self) -> u64 {
        match self {
            Self::Startup => 277,
            Self::Drain => 50,
            Self::Up { .. } => 125,
            Self::Down => 75,
            Self::Cruise { .. } | Self::Probing { .. } => 100,
        }
    }

    /// A queue is one that we make, to see what happens, or that we let go: round trips tell of it for a while.
    const fn is_trying(self, round: u64) -> bool {
        match self {
            Self::Startup | Self::Drain | Self::Up { .. } | Self::Down => true,
            Self::Cruise { since } => round < since + 2,
            Self::Probing { .. } => false,
        }
    }
}

/// The fastest of the last rounds in which the user had enough to send, in bytes a second.
#[derive(Debug, Default)]
struct Rates {
    of_round: [u64; ROUNDS],
    /// The place of this round.
    at: usize,
    is_path_limited: bool,
    best: u64,
}

impl Rates {
    fn begin_round(&mut self) {
        if !std::mem::take(&mut self.is_path_limited) {
            return;
        }
        self.at = (self.at + 1) % ROUNDS;
        if let Some(oldest) = self.of_round.get_mut(self.at) {
            *oldest = 0;
        }
        self.best = self.of_round.into_iter().max().unwrap_or(0);
    }

    fn add(&mut self, rate: DeliveryRate) {
        self.is_path_limited |= !rate.is_user_limited;
        if rate.is_user_limited && rate.bytes_per_second <= self.best {
            return;
        }
        if let Some(of_round) = self.of_round.get_mut(self.at) {
            *of_round = rate.bytes_per_second.max(*of_round);
        }
        self.best = self.best.max(rate.bytes_per_second);
    }
}

/// A window that grows by a packet a round and shrinks when something is lost.
#[derive(Debug)]
struct Contest {
    window: usize,
    acked: usize,
    /// The round of the last loss.
    since: u64,
}

#[derive(Debug)]
pub(super) struct Bbr {
    packet_len: usize,
    phase: Phase,
    rates: Rates,
    round: u64,
    queueing: Queueing,
    /// Of this round.
    acked: usize,
    lost: usize,
    /// The rate when it last grew by a quarter, and for how many rounds it has not.
    full_rate: u64,
    full_rounds: u8,
    /// What the window may grow to from nothing; it follows what arrives.
    cwnd: usize,
    contest: Option<Contest>,
    smoothed: Option<Duration>,
}

impl Bbr {
    pub(super) fn new(packet_len: usize) -> Self {
        Self {
            packet_len,
            phase: Phase::Startup,
            rates: Rates::default(),
            round: 0,
            queueing: Queueing::default(),
            acked: 0,
            lost: 0,
            full_rate: 0,
            full_rounds: 0,
            cwnd: packet_len.saturating_mul(INITIAL_PACKETS),
            contest: None,
            smoothed: None,
        }
    }

    /// What is on its way at the rate of the model, without a queue.
    fn product(&self) -> Option<usize> {
        let shortest = self.queueing.shortest()?;
        let bytes = u128::from(self.rates.best) * shortest.as_nanos() / 1_000_000_000;
        (bytes > 0).then(|| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn floor(&self) -> usize {
        self.packet_len.saturating_mul(MIN_PACKETS)
    }

    /// The window to have; `None` while nothing is known.
    fn target(&self) -> Option<usize> {
        if let Some(contest) = &self.contest {
            return Some(contest.window);
        }
        let product = self.product()?;
        let target = match self.phase {
            // Acknowledgements come late and together: twice the product keeps the path full meanwhile.
            Phase::Startup => product.saturating_mul(2).max(self.packet_len.saturating_mul(INITIAL_PACKETS)),
            Phase::Drain | Phase::Cruise { .. } | Phase::Up { .. } | Phase::Down => product.saturating_mul(2),
            Phase::Probing { .. } => product / 2,
        };
        Some(target.max(self.floor()))
    }

    fn begin_round(&mut self, round: u64) {
        self.round = round;
        let is_path_limited = self.rates.is_path_limited;
        self.rates.begin_round();
        (self.acked, self.lost) = (0, 0);
        if self.phase == Phase::Startup && is_path_limited {
            self.look_whether_full();
        }
    }

    fn look_whether_full(&mut self) {
        if self.rates.best >= self.full_rate.saturating_add(self.full_rate / 4) {
            (self.full_rate, self.full_rounds) = (self.rates.best, 0);
        } else {
            self.full_rounds += 1;
        }
        if self.full_rounds >= 3 || self.queueing.is_standing() {
            self.phase = Phase::Drain;
        }
    }

    fn measure(&mut self, news: &Acknowledgement) {
        let is_old = self.queueing.acknowledged(news);
        if news.round > self.round {
            self.begin_round(news.round);
        }
        self.acked += news.acked;
        self.lost += news.lost;
        self.smoothed = news.round_trip_smoothed.or(self.smoothed);
        if let Some(rate) = news.delivery_rate {
            self.rates.add(rate);
        }
        if is_old && self.contest.is_none() && self.phase != Phase::Startup {
            let until = news.now.checked_add(PROBING_TIME.max(news.round_trip.unwrap_or_default())).unwrap_or(news.now);
            self.phase = Phase::Probing { until };
        }
    }

    fn move_on(&mut self, news: &Acknowledgement) {
        let product = self.product().unwrap_or(usize::MAX);
        let round = self.round;
        match self.phase {
            Phase::Drain | Phase::Down if news.in_flight <= product => self.phase = Phase::Cruise { since: round },
            Phase::Cruise { since } if self.queueing.is_standing() && round >= since + 3 => {
                // One of ours is let go. If there is none of ours, it is that of others.
                if news.in_flight > product.saturating_add(product / 4) {
                    self.phase = Phase::Down;
                } else if self.contest.is_none() {
                    self.contest = Some(Contest { window: news.in_flight.max(self.floor()), acked: 0, since: round });
                }
            }
            Phase::Cruise { since } if round >= since + CRUISE_ROUNDS => self.phase = Phase::Up { since: round },
            Phase::Up { since } if round > since + 1 => self.phase = Phase::Down,
            Phase::Probing { until } if news.now >= until => self.phase = Phase::Cruise { since: round },
            Phase::Startup | Phase::Drain | Phase::Cruise { .. } | Phase::Up { .. } | Phase::Down => {}
            Phase::Probing { .. } => {}
        }
    }

    fn compete(&mut self, news: &Acknowledgement) {
        let packets = self.product().unwrap_or(0) / self.packet_len.max(1);
        let rounds = CONTEST_ROUNDS.min(packets as u64);
        let is_standing = self.queueing.is_standing();
        let Some(contest) = &mut self.contest else { return };
        contest.acked += news.acked;
        if contest.acked >= contest.window {
            contest.acked = 0;
            contest.window += self.packet_len;
        }
        if self.round > contest.since + rounds && !is_standing {
            self.contest = None;
            self.phase = Phase::Cruise { since: self.round };
        }
    }
}

impl CongestionController for Bbr {
    fn window(&self) -> usize {
        self.target().map_or(self.cwnd, |target| self.cwnd.min(target))
    }

    fn pacing_rate(&self) -> Option<u64> {
        let of_window = |window: usize| Some(window as u128 * 1_000_000_000 / self.smoothed?.as_nanos().max(1));
        let of_model = u128::from(self.rates.best) * u128::from(self.phase.pacing_gain()) / 100;
        let rate = match &self.contest {
            Some(contest) => of_window(contest.window)? * 5 / 4,
            // What little a user has sent so far tells nothing.
            None if self.phase == Phase::Startup => of_model.max(of_window(self.cwnd)? * 2),
            None => of_model,
        };
        u64::try_from(rate).ok().filter(|rate| *rate > 0)
    }

    fn set_packet_len(&mut self, packet_len: usize) {
        self.packet_len = packet_len;
        self.cwnd = self.cwnd.max(packet_len);
    }

    fn acknowledged(&mut self, news: &Acknowledgement) {
        self.measure(news);
        self.move_on(news);
        self.compete(news);
        let grown = self.cwnd.saturating_add(news.acked);
        self.cwnd = match self.target() {
            Some(target) if self.phase != Phase::Startup => grown.min(target),
            _ => grown,
        };
    }

    fn congested(&mut self, loss: &Loss) {
        let is_much = self.lost > (self.acked + self.lost) / LOSS_MAX;
        if self.queueing.is_there() && (self.contest.is_some() || !self.phase.is_trying(self.round) || is_much) {
            let window = self.contest.as_ref().map_or(loss.in_flight_before, |contest| contest.window);
            let window = (window / BETA[1] * BETA[0]).max(self.floor());
            self.contest = Some(Contest { window, acked: 0, since: self.round });
        }
    }

    fn timed_out(&mut self, _now: Instant) {
        if let Some(contest) = &mut self.contest {
            contest.window = (contest.window / BETA[1] * BETA[0]).max(self.packet_len * MIN_PACKETS);
        }
        self.cwnd = self.packet_len;
    }

    fn resumed(&mut self, window: usize, _slow_start_threshold: usize) {
        self.cwnd = window;
    }

    fn idled(&mut self, _timeouts: u32) {
        self.cwnd = self.cwnd.min(self.packet_len.saturating_mul(INITIAL_PACKETS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    const PACKET: usize = 1000;

    /// A round of acknowledgements at 1 MB/s, of which `lost` bytes are told at its end.
    fn round(bbr: &mut Bbr, number: u64, round_trip_ms: u64, lost: usize) {
        let now = origin() + Duration::from_millis(100 * number);
        let in_flight = bbr.window().min(100 * PACKET);
        let round_trip = Some(Duration::from_millis(round_trip_ms));
        for _ in 0..in_flight / PACKET {
            bbr.acknowledged(&Acknowledgement {
                now,
                acked: PACKET,
                lost: 0,
                in_flight_before: in_flight,
                in_flight,
                is_cumulative: true,
                is_recovering: false,
                round_trip,
                round_trip_smoothed: round_trip,
                round: number,
                delivery_rate: Some(DeliveryRate { bytes_per_second: 1_000_000, is_user_limited: false }),
            });
        }
        if lost > 0 {
            bbr.congested(&Loss { now, in_flight_before: in_flight, in_flight: in_flight - lost });
        }
    }

    /// Knows of 1 MB/s and 100 ms, a product of 100 packets.
    fn cruising() -> Bbr {
        let mut bbr = Bbr::new(PACKET);
        (1..7).for_each(|number| round(&mut bbr, number, 100, 0));
        assert!(matches!(bbr.phase, Phase::Cruise { .. }), "{:?}", bbr.phase);
        bbr
    }

    #[test]
    fn finds_the_rate_and_the_round_trip_and_leaves_as_fast() {
        let bbr = cruising();
        assert_eq!((bbr.product(), bbr.window(), bbr.pacing_rate()), (Some(100_000), 200_000, Some(1_000_000)));
    }

    #[test]
    fn a_loss_without_a_queue_says_nothing() {
        let mut bbr = cruising();
        for number in 7..10 {
            round(&mut bbr, number, 100, 5 * PACKET);
            assert_eq!(bbr.window(), 200_000);
        }
    }

    #[test]
    fn after_a_loss_with_a_queue_the_window_is_that_of_others_until_the_queue_is_gone_for_long() {
        let mut bbr = cruising();
        (7..9).for_each(|number| round(&mut bbr, number, 150, 0));
        round(&mut bbr, 9, 150, PACKET);
        let window = bbr.window();
        assert!((70_000..=71_000).contains(&window), "seven tenths: {window}");
        (10..20).for_each(|number| round(&mut bbr, number, 150, 0));
        let grown = (bbr.window() - window) / PACKET;
        assert!((8..=10).contains(&grown), "about a packet a round: {grown}");
        (20..100).for_each(|number| round(&mut bbr, number, 150, 0));
        assert!(bbr.contest.is_some(), "the queue is there");
        (100..103).for_each(|number| round(&mut bbr, number, 100, 0));
        assert!(bbr.contest.is_none());
    }

    #[test]
    fn tries_whether_the_path_is_faster_after_six_rounds() {
        let mut bbr = cruising();
        let gains: Vec<_> = (7..30)
            .map(|number| {
                round(&mut bbr, number, 100, 0);
                bbr.phase.pacing_gain()
            })
            .collect();
        assert!(gains.contains(&125), "{gains:?}");
        assert!(gains.iter().filter(|gain| **gain == 100).count() >= 10, "{gains:?}");
    }

    #[test]
    fn a_shortest_round_trip_of_long_ago_is_looked_for_again() {
        let mut bbr = cruising();
        let numbers = 7..400;
        let is_probing = numbers.map(|number| {
            round(&mut bbr, number, if number < 60 { 100 } else { 105 }, 0);
            matches!(bbr.phase, Phase::Probing { .. })
        });
        assert!(is_probing.collect::<Vec<_>>().contains(&true));
    }
}
