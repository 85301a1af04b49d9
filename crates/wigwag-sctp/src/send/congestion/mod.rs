//! How much may be on its way, and how fast it leaves (RFC 9260 §7): the door that controllers stand behind.
//!
//! A controller is told what was sent, what has arrived and what was lost; who finds losses is
//! [`super::acknowledge`]. Sizes count chunk headers, or one-byte messages would be nearly free.

mod bbr;
mod cubic;
mod hystart;
mod prr;
mod queueing;
mod reno;

use super::retransmit::pmdcs;
use crate::config::MTU_MIN;
use crate::migration::{Reader, State, Writer};
use bbr::Bbr;
use cubic::Cubic;
use reno::Reno;
use std::fmt;
use std::time::{Duration, Instant};

const INITIAL_PACKETS: usize = 10;
const MIN_SSTHRESH_PACKETS: usize = 4;
/// No more than any packet carries, and more than any path holds.
const WINDOW_MIN: usize = pmdcs(MTU_MIN);
const WINDOW_MAX: usize = u32::MAX as usize;

/// Who decides how much may be on its way.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum CongestionControl {
    /// RFC 9260 §7: losses are found by three miss indications; the window grows by a packet a round trip, and halves.
    #[default]
    Rfc9260,
    /// CUBIC (RFC 9438), for fast paths: after a loss the window grows by the time that has passed, not by round trips. Slow start
    /// ends when the round trip grows (HyStart++, RFC 9406), packets are paced, losses are found by time (RFC 8985).
    Cubic,
    /// A model of the path after BBR, for long paths that lose packets at random: while no queue grows, a loss says nothing. Where
    /// others fill a queue it competes as RFC 9260's rules do. Packets are paced, losses are found by time.
    Bbr,
    /// What [`CongestionController`] this makes for a path whose packets carry so many bytes of chunks. Losses are found by time.
    Custom(fn(packet_len: usize) -> Box<dyn CongestionController>),
}

/// How it is found out that something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossDetection {
    /// By what has arrived that was sent later (RFC 9260 §7.2.4).
    Misses,
    /// By how long ago what has arrived was sent, and by a probe (RFC 8985).
    Time,
}

impl CongestionControl {
    pub(crate) fn controller(self, packet_len: usize) -> Box<dyn CongestionController> {
        match self {
            Self::Rfc9260 => Box::new(Reno::new(packet_len)),
            Self::Cubic => Box::new(Cubic::new(packet_len)),
            Self::Bbr => Box::new(Bbr::new(packet_len)),
            Self::Custom(make) => make(packet_len),
        }
    }

    pub(crate) const fn loss_detection(self) -> LossDetection {
        match self {
            Self::Rfc9260 => LossDetection::Misses,
            Self::Cubic | Self::Bbr | Self::Custom(_) => LossDetection::Time,
        }
    }
}

/// How far it has come; what else it knew of the path it learns again.
impl State for Box<dyn CongestionController> {
    fn write(&self, out: &mut Writer) {
        self.window().max(WINDOW_MIN).write(out);
        Some(self.slow_start_threshold()).filter(|threshold| *threshold < WINDOW_MAX).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (window, threshold) = <(usize, Option<usize>)>::read(from)?;
        let mut controller = from.config.congestion_control.controller(pmdcs(from.mtu));
        controller.resumed(window.clamp(WINDOW_MIN, WINDOW_MAX), threshold.unwrap_or(usize::MAX));
        Some(controller)
    }
}

/// Decides how much may be on its way. It has no clock: time comes with what it is told.
///
/// Bytes are those of DATA chunks with their headers. The association never sends more than the peer's window takes, and always
/// keeps one packet on its way, whatever a controller says.
pub trait CongestionController: fmt::Debug + Send + Sync {
    /// Bytes that may be on their way at once: something is sent as long as fewer are.
    fn window(&self) -> usize;

    /// The window up to which it grows fast, in bytes, if it has such a one (`usize::MAX`).
    fn slow_start_threshold(&self) -> usize {
        usize::MAX
    }

    /// At how many bytes a second packets leave. `None`, which is the default: as soon as the window lets them.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// A packet carries at most so many bytes of chunks from now on.
    fn set_packet_len(&mut self, packet_len: usize);

    /// So many bytes have left, for the first time or again.
    fn sent(&mut self, _len: usize, _now: Instant) {}

    /// A SACK, or a SHUTDOWN, has brought news. Losses that it told of come before, by [`congested`](Self::congested).
    fn acknowledged(&mut self, news: &Acknowledgement);

    /// Something was lost, for the first time since all that was on its way at the last such call has arrived.
    fn congested(&mut self, loss: &Loss);

    /// Nothing has come back for a whole timeout, and all that was on its way counts as lost (RFC 9260 §7.2.3).
    fn timed_out(&mut self, now: Instant);

    /// Nothing was on its way for so many timeouts: what was known of the path is old (RFC 9260 §7.2.1).
    fn idled(&mut self, timeouts: u32);

    /// Nothing is on its way any more (RFC 9260 §7.2.2).
    fn drained(&mut self) {}

    /// It was made anew for an association that goes on elsewhere, where its predecessor had come so far: what
    /// [`window`](Self::window) and [`slow_start_threshold`](Self::slow_start_threshold) told. By default nothing.
    fn resumed(&mut self, _window: usize, _slow_start_threshold: usize) {}
}

/// What a SACK tells of the path.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Acknowledgement {
    /// When it came.
    pub now: Instant,
    /// Bytes that are newly known to have arrived.
    pub acked: usize,
    /// Bytes that were found to be lost since the last one.
    pub lost: usize,
    /// Bytes on their way before it came.
    pub in_flight_before: usize,
    /// Bytes on their way now.
    pub in_flight: usize,
    /// Everything up to a later chunk than before has arrived.
    pub is_cumulative: bool,
    /// Not all that was on its way at the last [`CongestionController::congested`] has arrived.
    pub is_recovering: bool,
    /// How long what was sent last of what has arrived was on its way and its SACK on the way back, if it was sent once.
    pub round_trip: Option<Duration>,
    /// The smoothed round trip.
    pub round_trip_smoothed: Option<Duration>,
    /// How many times in a row everything that was on its way has arrived: what round trip this is.
    pub round: u64,
    /// How fast data has arrived while what has arrived now was on its way.
    pub delivery_rate: Option<DeliveryRate>,
}

/// How fast data has arrived (draft-ietf-ccwg-bbr §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryRate {
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// There was not enough to send: the path may be faster.
    pub is_user_limited: bool,
}

/// What was lost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Loss {
    /// When it was found.
    pub now: Instant,
    /// Bytes on their way, those that were lost included.
    pub in_flight_before: usize,
    /// Bytes on their way still.
    pub in_flight: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::wire;

    /// Bytes that were exported may be anybody's: a window of nothing is none to divide by.
    #[test]
    fn whatever_window_was_told_controllers_go_on() {
        let now = wigwag_sim::origin();
        for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
            let config = Config { congestion_control: control, ..Config::default() };
            for (window, threshold) in [(0, 0), (1, 0), (1 << 20, 0), (WINDOW_MAX, WINDOW_MAX)] {
                let mut out = Writer::new(now);
                (window, Some::<usize>(threshold)).write(&mut out);
                let bytes = out.into_bytes();
                let mut reader = Reader::new(wire::Reader::new(&bytes), now, &config);
                let mut controller = <Box<dyn CongestionController>>::read(&mut reader).expect("two numbers");
                for second in 0..3 {
                    controller.acknowledged(&Acknowledgement {
                        now: now + Duration::from_secs(second),
                        acked: 1000,
                        lost: 0,
                        in_flight_before: window + 1000,
                        in_flight: window,
                        is_cumulative: true,
                        is_recovering: false,
                        round_trip: None,
                        round_trip_smoothed: None,
                        round: second,
                        delivery_rate: None,
                    });
                    controller.congested(&Loss { now, in_flight_before: window, in_flight: 0 });
                }
                assert!(controller.window() > 0, "{control:?}");
            }
        }
    }
}
