//! Which packets arrived, until the peer is told.

use super::unwrap;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS, Writer};
use std::collections::VecDeque;
use std::time::Duration;

/// So many packets may wait to be reported; a feedback interval of 400 Mbit/s.
const LEN_MAX: usize = 4096;
/// A packet that comes so late that it was reported missing is reported again, if it is so close to the others; what
/// arrived after it is then told once more, not taken back.
const LATE_MAX: u64 = 64;
/// So many find room from the beginning: those of a feedback interval of 15 Mbit/s, and those that are kept.
const LEN_EXPECTED: usize = 256;
/// Where numbers begin, so that those before the first packet have one too.
const ORIGIN: u64 = 1 << 16;

/// Which packets arrived, and when, since the last report and shortly before it.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// From number `first` on; the last one arrived, if there is any.
    times: VecDeque<Option<Duration>>,
    first: u64,
    /// Before this number all is told.
    base: u64,
    /// From this number on all is kept, and of what comes before it nothing is told.
    oldest: u64,
    is_started: bool,
    feedback_count: u8,
}

impl Arrivals {
    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        self.base >= self.end()
    }

    /// How many packets it holds, and may.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.times.len(), LEN_MAX)
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.times.len() as u64)
    }

    /// From the first on that was not told.
    fn untold(&self) -> impl Iterator<Item = Option<Duration>> + Clone + '_ {
        self.times.iter().copied().skip(self.base.saturating_sub(self.first) as usize)
    }

    /// A packet arrived, so long after the session began. Returns whether there was none to report before.
    pub(crate) fn add(&mut self, sequence: u16, elapsed: Duration) -> bool {
        let was_empty = self.is_empty();
        if !self.is_started {
            self.is_started = true;
            self.times.reserve(LEN_EXPECTED);
            self.begin(ORIGIN + u64::from(sequence));
            self.oldest -= LATE_MAX;
        }
        let number = unwrap(self.end(), sequence);
        if number >= self.base {
            self.add_untold(number, elapsed);
        } else if number >= self.oldest && self.end() - number < LEN_MAX as u64 {
            self.add_late(number, elapsed);
        }
        was_empty && !self.is_empty()
    }

    fn begin(&mut self, number: u64) {
        self.times.clear();
        (self.first, self.base, self.oldest) = (number, number, number);
    }

    fn add_untold(&mut self, number: u64, elapsed: Duration) {
        if number - self.base >= LEN_MAX as u64 - LATE_MAX {
            // After such a leap there is nothing to say of what came before.
            self.begin(number);
        }
        let at = number.saturating_sub(self.first) as usize;
        if at >= self.times.len() {
            self.times.resize(at + 1, None);
        }
        if let Some(time @ None) = self.times.get_mut(at) {
            *time = Some(elapsed);
        }
    }

    fn add_late(&mut self, number: u64, elapsed: Duration) {
        for _ in number..self.first {
            self.times.push_front(None);
        }
        self.first = self.first.min(number);
        if let Some(time @ None) = self.times.get_mut((number - self.first) as usize) {
            *time = Some(elapsed);
            self.base = number;
        }
    }

    /// Appends a message of at most `room` bytes about as many packets as it can hold, or changes nothing.
    pub(crate) fn write(&mut self, sender_ssrc: u32, media_ssrc: u32, room: usize, out: &mut Vec<u8>) -> bool {
        let capacity = Writer::capacity(room);
        if capacity == 0 || self.is_empty() {
            return false;
        }
        let missing = self.untold().take_while(Option::is_none).count();
        if missing >= capacity {
            // A long run of missing ones is nothing that anybody waits for.
            self.tell(missing);
        }
        let first = self.untold().flatten().next().unwrap_or_default();
        let reference = micros(first) / REFERENCE_MICROS;
        let count = deltas(self.untold(), reference).take(capacity).count();
        let writer = Writer {
            sender_ssrc,
            media_ssrc,
            base: self.base as u16,
            reference_time: reference as u32 & 0xff_ffff,
            feedback_count: self.feedback_count,
        };
        writer.write(deltas(self.untold(), reference).take(count), out);
        self.tell(count);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        true
    }

    fn tell(&mut self, count: usize) {
        self.base += count as u64;
        self.oldest = self.oldest.max(self.base.saturating_sub(LATE_MAX));
        let forgotten = self.oldest.saturating_sub(self.first);
        self.times.drain(..self.times.len().min(forgotten as usize));
        self.first += forgotten;
    }
}

const fn micros(elapsed: Duration) -> i64 {
    elapsed.as_micros() as i64
}

/// The ticks from each arrival to the next, until one is too far away to be told.
fn deltas(
    times: impl Iterator<Item = Option<Duration>> + Clone,
    reference: i64,
) -> impl Iterator<Item = Option<i16>> + Clone {
    let origin = reference.saturating_mul(REFERENCE_MICROS);
    times
        .scan(0i64, move |before, time| {
            Some(match time {
                None => Ok(None),
                Some(time) => {
                    let ticks = micros(time).saturating_sub(origin) / TICK_MICROS;
                    let delta = i16::try_from(ticks - *before);
                    *before = ticks;
                    delta.map(Some)
                }
            })
        })
        .map_while(Result::ok)
}
