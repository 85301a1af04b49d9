//! What can go wrong on a link, for a while or for good.

use std::time::Duration;

/// Something that goes wrong on a link for a while: see [`Link::fault`](crate::Link::fault).
///
/// Chances are percents. Of two at one time, the worse one counts; delays add up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// So many of a hundred datagrams are lost, each for itself.
    Loss(f64),
    /// Datagrams are lost in a row: see [`Link::bursts`](crate::Link::bursts).
    Bursts {
        /// The chance that a burst begins with this datagram.
        enter: f64,
        /// The chance that a burst is over before this datagram.
        leave: f64,
        /// How many of a hundred datagrams in a burst are lost.
        loss: f64,
    },
    /// Bits are turned over.
    Corruption {
        /// In how many of a hundred datagrams.
        percent: f64,
        /// Up to so many in a row.
        bits_max: u64,
    },
    /// So many of a hundred datagrams arrive without their ends.
    Truncation(f64),
    /// So many of a hundred datagrams arrive twice.
    Duplication(f64),
    /// So many of a hundred datagrams are held back for so long.
    Reordering(f64, Duration),
    /// Each takes up to so much longer.
    Jitter(Duration),
    /// All take so much longer.
    Delay(Duration),
    /// No more bits pass.
    Rate {
        /// So many do.
        bits_per_second: u64,
        /// So many bytes may wait for it.
        queue_len_max: usize,
    },
    /// What has a longer payload than so many bytes vanishes, and nobody is told.
    BlackHole(usize),
    /// Nothing passes. Streams wait until it is over.
    Down,
}

/// All that a link does to datagrams at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    /// Chances to enter and to leave a burst, and of loss in it.
    pub(crate) bursts: [f64; 3],
    pub(crate) corruption: f64,
    pub(crate) bits_max: u64,
    pub(crate) truncation: f64,
    pub(crate) duplication: f64,
    pub(crate) reordering: (f64, Duration),
    pub(crate) rate: Option<u64>,
    pub(crate) queue_len_max: usize,
    pub(crate) mtu: usize,
    pub(crate) is_down: bool,
}

impl Conditions {
    pub(crate) const fn new(latency: Duration) -> Self {
        Self {
            latency,
            jitter: Duration::ZERO,
            loss: 0.0,
            bursts: [0.0; 3],
            corruption: 0.0,
            bits_max: 1,
            truncation: 0.0,
            duplication: 0.0,
            reordering: (0.0, Duration::ZERO),
            rate: None,
            queue_len_max: usize::MAX,
            mtu: usize::MAX,
            is_down: false,
        }
    }

    /// With one more fault.
    pub(crate) fn worsen(&mut self, fault: Fault) {
        match fault {
            Fault::Loss(percent) => self.loss = self.loss.max(percent),
            Fault::Bursts { enter, leave, loss } => {
                if enter > self.bursts[0] {
                    self.bursts = [enter, leave, loss];
                }
            }
            Fault::Corruption { percent, bits_max } => {
                self.corruption = self.corruption.max(percent);
                self.bits_max = self.bits_max.max(bits_max);
            }
            Fault::Truncation(percent) => self.truncation = self.truncation.max(percent),
            Fault::Duplication(percent) => self.duplication = self.duplication.max(percent),
            Fault::Reordering(percent, by) => {
                self.reordering = (self.reordering.0.max(percent), self.reordering.1.max(by));
            }
            Fault::Jitter(jitter) => self.jitter = self.jitter.max(jitter),
            Fault::Delay(delay) => self.latency += delay,
            Fault::Rate { bits_per_second, queue_len_max } => {
                let rate = bits_per_second.max(1);
                self.rate = Some(self.rate.map_or(rate, |slower| slower.min(rate)));
                self.queue_len_max = self.queue_len_max.min(queue_len_max);
            }
            Fault::BlackHole(mtu) => self.mtu = self.mtu.min(mtu),
            Fault::Down => self.is_down = true,
        }
    }
}
