//! CUBIC (RFC 9438): the window grows as a cubic function of the time since the last loss, slow near the window at which that
//! happened and fast away from it, but never slower than RFC 9260's would. Slow start ends by HyStart++, recovery goes by PRR.
//! The curve's time stands still while a queue stands: the path is full then, and a window that grows faster than RFC 9260's takes
//! from others only. All of it is counted in whole bytes, milliseconds and ratios of them, so that every machine counts alike.

use super::hystart::{Growth, HyStart};
use super::prr::Prr;
use super::queueing::Queueing;
use super::{Acknowledgement, CongestionController, INITIAL_PACKETS, Loss};
use std::time::{Duration, Instant};

/// β, what is left of the window after a loss: 7/10.
const BETA: [usize; 2] = [7, 10];
/// α, packets that the window of a flow like RFC 9260's grows by in a round trip, so that with β it is as large on average: 9/17.
const ALPHA: [u128; 2] = [9, 17];
const MIN_SSTHRESH_PACKETS: usize = 2;
/// Of fractions of bytes.
const UNIT: u128 = 1 << 16;

/// The time since the last loss.
#[derive(Debug)]
struct Epoch {
    /// In which the window was used up and no queue stood.
    elapsed: Duration,
    /// K: until when the window is where it was, in milliseconds.
    plateau_ms: u64,
    /// The window of RFC 9260's rules with β and α, in `UNIT`ths of bytes.
    friendly: u128,
}

#[derive(Debug)]
pub(super) struct Cubic {
    packet_len: usize,
    cwnd: usize,
    ssthresh: usize,
    /// W_max: the window in which something was lost, or somewhat less if it was smaller than the one before.
    plateau: usize,
    /// The window just before the last loss.
    before: usize,
    /// What the window has grown by and that is no byte yet, times the window.
    credit: u128,
    epoch: Option<Epoch>,
    /// When acknowledgements were looked at last.
    seen: Option<Instant>,
    hystart: HyStart,
    prr: Option<Prr>,
    round_trip: Option<Duration>,
    queueing: Queueing,
}

/// The whole cube root.
fn cube_root(of: u128) -> u64 {
    let (mut low, mut high) = (0u64, 1 << 42);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if u128::from(middle).pow(3) <= of { low = middle } else { high = middle - 1 }
    }
    low
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn times(len: usize, [numerator, denominator]: [usize; 2]) -> usize {
    len / denominator * numerator + len % denominator * numerator / denominator
}

impl Cubic {
    pub(super) fn new(packet_len: usize) -> Self {
        Self {
            packet_len,
            cwnd: packet_len.saturating_mul(INITIAL_PACKETS),
            ssthresh: usize::MAX,
            plateau: 0,
            before: 0,
            credit: 0,
            epoch: None,
            seen: None,
            hystart: HyStart::default(),
            prr: None,
            round_trip: None,
            queueing: Queueing::default(),
        }
    }

    /// C · (t − K)³ + W_max, with C = 0.4 packets a cubic second.
    fn curve(&self, epoch: &Epoch, ahead: Duration) -> usize {
        let at = millis(epoch.elapsed.saturating_add(ahead));
        let from = i128::from(at) - i128::from(epoch.plateau_ms);
        let from = from.clamp(-(1 << 30), 1 << 30);
        let change = from.pow(3) * self.packet_len as i128 * 4 / 10_000_000_000;
        usize::try_from(self.plateau as i128 + change).unwrap_or(0)
    }

    fn new_epoch(&self) -> Epoch {
        let below = self.plateau.saturating_sub(self.cwnd) as u128;
        let plateau_ms = cube_root(below * 10_000_000_000 / (4 * self.packet_len.max(1) as u128));
        Epoch { elapsed: Duration::ZERO, plateau_ms, friendly: self.cwnd as u128 * UNIT }
    }

    fn grow(&mut self, acked: usize, passed: Duration) {
        if self.plateau < self.cwnd && self.epoch.is_none() {
            self.plateau = self.cwnd;
        }
        let mut epoch = self.epoch.take().unwrap_or_else(|| self.new_epoch());
        if !self.queueing.is_standing() {
            epoch.elapsed += passed;
        }
        let [numerator, denominator] = if epoch.friendly < self.before as u128 * UNIT { ALPHA } else { [1, 1] };
        let packets = acked as u128 * self.packet_len as u128 * UNIT / self.cwnd as u128;
        epoch.friendly += packets * numerator / denominator;
        let friendly = usize::try_from(epoch.friendly / UNIT).unwrap_or(usize::MAX);
        if self.curve(&epoch, Duration::ZERO) < friendly {
            self.cwnd = self.cwnd.max(friendly);
        } else {
            let target = self.curve(&epoch, self.queueing.shortest().unwrap_or_default());
            let target = target.clamp(self.cwnd, self.cwnd + self.cwnd / 2);
            self.credit += (target - self.cwnd) as u128 * acked as u128;
            let grown = self.credit / self.cwnd as u128;
            self.credit -= grown * self.cwnd as u128;
            self.cwnd += usize::try_from(grown).unwrap_or(0);
        }
        self.epoch = Some(epoch);
    }

    fn shrink(&mut self) {
        self.before = self.cwnd;
        // RFC 9438 §4.7, fast convergence: who has less than before leaves room for others.
        let is_less = self.cwnd < self.plateau;
        self.plateau = if is_less { times(self.cwnd, [BETA[0] + BETA[1], 2 * BETA[1]]) } else { self.cwnd };
        self.ssthresh = times(self.cwnd, BETA).max(self.packet_len.saturating_mul(MIN_SSTHRESH_PACKETS));
        (self.epoch, self.credit) = (None, 0);
    }
}

impl CongestionController for Cubic {
    fn window(&self) -> usize {
        self.prr.as_ref().map_or(self.cwnd, Prr::window)
    }

    fn slow_start_threshold(&self) -> usize {
        self.ssthresh
    }

    fn pacing_rate(&self) -> Option<u64> {
        let nanos = self.round_trip?.as_nanos().max(1);
        // Faster than the window in a round trip, or the window would never be used up.
        let [numerator, denominator] = if self.cwnd < self.ssthresh { [2, 1] } else { [5, 4] };
        let rate = self.cwnd as u128 * numerator * 1_000_000_000 / denominator / nanos;
        u64::try_from(rate).ok()
    }

    fn set_packet_len(&mut self, packet_len: usize) {
        self.packet_len = packet_len;
        self.cwnd = self.cwnd.max(packet_len);
        self.ssthresh = self.ssthresh.max(packet_len.saturating_mul(MIN_SSTHRESH_PACKETS));
        self.epoch = None;
    }

    fn sent(&mut self, len: usize, _now: Instant) {
        if let Some(prr) = &mut self.prr {
            prr.sent(len);
        }
    }

    fn acknowledged(&mut self, news: &Acknowledgement) {
        self.round_trip = news.round_trip_smoothed.or(self.round_trip);
        self.queueing.acknowledged(news);
        let passed = self.seen.replace(news.now).map(|seen| news.now.saturating_duration_since(seen));
        if news.is_recovering {
            let Some(prr) = &mut self.prr else { return };
            return prr.acknowledged(news, self.packet_len);
        }
        if self.prr.take().is_some() {
            self.cwnd = self.ssthresh;
        }
        let slack = self.packet_len.max(self.cwnd / 8);
        if news.in_flight_before.saturating_add(slack) <= self.cwnd {
            // RFC 9438 §5.8: the curve waits meanwhile.
            return;
        }
        if self.cwnd >= self.ssthresh {
            return self.grow(news.acked, passed.unwrap_or_default());
        }
        // RFC 9406 is for the first slow start; later ones know their threshold.
        let is_first = self.ssthresh == usize::MAX;
        let growth = if is_first { self.hystart.acknowledged(news.round, news.round_trip) } else { Growth::Fast };
        match growth {
            Growth::Fast => self.cwnd = self.cwnd.saturating_add(news.acked),
            Growth::Conservative => self.cwnd = self.cwnd.saturating_add(news.acked / 4),
            Growth::Over => self.ssthresh = self.cwnd,
        }
    }

    fn congested(&mut self, loss: &Loss) {
        self.shrink();
        self.prr = Some(Prr::new(loss.in_flight_before, loss.in_flight, self.ssthresh, self.packet_len));
        self.cwnd = self.ssthresh;
    }

    fn timed_out(&mut self, _now: Instant) {
        self.shrink();
        self.prr = None;
        self.cwnd = self.packet_len;
    }

    fn resumed(&mut self, window: usize, slow_start_threshold: usize) {
        (self.cwnd, self.ssthresh) = (window, slow_start_threshold);
    }

    fn idled(&mut self, timeouts: u32) {
        let floor = self.cwnd.min(self.packet_len.saturating_mul(INITIAL_PACKETS));
        self.cwnd = self.cwnd.checked_shr(timeouts).unwrap_or(0).max(floor);
        self.epoch = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sim::origin;

    const PACKET: usize = 1000;

    fn news(now: Instant, acked: usize, in_flight_before: usize) -> Acknowledgement {
        Acknowledgement {
            now,
            acked,
            lost: 0,
            in_flight_before,
            in_flight: in_flight_before,
            is_cumulative: true,
            is_recovering: false,
            round_trip: None,
            round_trip_smoothed: Some(Duration::from_millis(100)),
            round: 0,
            delivery_rate: None,
        }
    }

    fn with_window(packets: usize) -> Cubic {
        let mut cubic = Cubic::new(PACKET);
        cubic.cwnd = packets * PACKET;
        cubic.congested(&Loss { now: origin(), in_flight_before: cubic.cwnd, in_flight: cubic.cwnd });
        cubic.prr = None;
        cubic
    }

    /// Lets a window's worth arrive every 100 ms; the windows in packets, one for each round trip.
    fn run(cubic: &mut Cubic, round_trips: u32) -> Vec<usize> {
        (0..round_trips)
            .map(|round_trip| {
                let now = origin() + Duration::from_millis(100) * round_trip;
                for _ in 0..cubic.cwnd / PACKET {
                    cubic.acknowledged(&news(now, PACKET, cubic.cwnd));
                }
                cubic.cwnd / PACKET
            })
            .collect()
    }

    /// RFC 9438 §4.2: K = ∛(W_max · 0.3 / 0.4) s, 9.086 s for 1000 packets.
    #[test]
    fn is_back_where_it_lost_after_k_seconds_and_grows_faster_and_faster_from_there() {
        let windows = run(&mut with_window(1000), 150);
        assert_eq!(cube_root(1_000_000 * 3 * 10_000_000_000 / (10 * 4 * 1000)), 9085);
        assert!((950..=995).contains(&windows[60]), "{}", windows[60]);
        assert!((995..=1003).contains(&windows[90]), "{}", windows[90]);
        assert!((1070..=1090).contains(&windows[149]), "0.4 · 5.9³ = 82: {}", windows[149]);
    }

    /// RFC 9438 §4.3: with small windows or short round trips it is as RFC 9260's.
    #[test]
    fn small_windows_grow_as_those_of_the_standard() {
        let windows = run(&mut with_window(20), 40);
        // From 14 by 9/17 a round trip to 20 after 11, and by 1 from there.
        assert!((19..=20).contains(&windows[10]), "{windows:?}");
        assert!((46..=50).contains(&windows[39]), "{windows:?}");
    }

    #[test]
    fn does_not_grow_while_the_user_is_what_limits() {
        let mut cubic = with_window(100);
        run(&mut cubic, 3);
        let window = cubic.cwnd;
        for second in 1..30 {
            cubic.acknowledged(&news(origin() + Duration::from_secs(second), PACKET, window / 2));
        }
        assert_eq!(cubic.cwnd, window);
        cubic.acknowledged(&news(origin() + Duration::from_secs(30), PACKET, window));
        assert!(cubic.cwnd < window + 2 * PACKET, "the curve has waited");
    }

    #[test]
    fn a_loss_costs_three_tenths_and_a_second_one_soon_after_lowers_the_plateau() {
        let mut cubic = with_window(100);
        assert_eq!((cubic.ssthresh, cubic.plateau), (70_000, 100_000));
        cubic.congested(&Loss { now: origin(), in_flight_before: 70_000, in_flight: 60_000 });
        assert_eq!((cubic.ssthresh, cubic.plateau), (49_000, 59_500));
    }

    #[test]
    fn while_losses_are_repaired_seven_packets_leave_for_ten_that_arrive() {
        let mut cubic = with_window(100);
        cubic.cwnd = 100_000;
        cubic.congested(&Loss { now: origin(), in_flight_before: 100_000, in_flight: 99_000 });
        let (mut in_flight, mut sent) = (99_000, 0);
        for arrived in 1..=40 {
            in_flight -= PACKET;
            let mut news = news(origin(), PACKET, in_flight + PACKET);
            (news.in_flight, news.is_recovering) = (in_flight, true);
            cubic.acknowledged(&news);
            while in_flight < cubic.window() {
                cubic.sent(PACKET, origin());
                (in_flight, sent) = (in_flight + PACKET, sent + 1);
            }
            assert!(sent <= arrived * 7 / 10 + 2, "{sent} of {arrived}");
        }
        assert!(sent >= 27, "{sent}");
    }

    #[test]
    fn cube_roots_are_whole() {
        for root in [0u64, 1, 2, 9085, 1 << 30] {
            assert_eq!(cube_root(u128::from(root).pow(3)), root);
            assert_eq!(cube_root(u128::from(root + 1).pow(3) - 1), root);
        }
    }
}
