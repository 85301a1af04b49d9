//! Which packets arrived, until the peer is told.

use super::unwrap;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS, Writer};
use std::collections::VecDeque;
use std::time::Duration;

/// So many packets may wait to be reported; a feedback interval of 400 Mbit/s.
const LEN_MAX: usize = 4096;
/// A packet that comes so late that it was reported missing is reported again, if it is so close to the others.
const LATE_MAX: u64 = 64;
/// Where numbers begin, so that those before the first packet have one too.
const ORIGIN: u64 = 1 << 16;

/// Which packets arrived, and when, since the last report.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// From number `base` on; the last one arrived, if there is any.
    times: VecDeque<Option<Duration>>,
    base: u64,
    is_started: bool,
    feedback_count: u8,
}

impl Arrivals {
    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// How many packets it holds, and may.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.times.len(), LEN_MAX)
    }

    /// A packet arrived, so long after the session began. Returns whether there was none to report before.
    pub(crate) fn add(&mut self, sequence: u16, elapsed: Duration) -> bool {
        let was_empty = self.is_empty();
        if !self.is_started {
            self.is_started = true;
            self.base = ORIGIN + u64::from(sequence);
        }
        let end = self.base.saturating_add(self.times.len() as u64);
        let number = unwrap(end, sequence);
        if number >= self.base {
            let at = number.saturating_sub(self.base) as usize;
            if at >= LEN_MAX {
                // After such a leap there is nothing to say of what came before.
                self.times.clear();
                self.base = number;
                self.times.push_back(Some(elapsed));
            } else {
                if at >= self.times.len() {
                    self.times.resize(at + 1, None);
                }
                if let Some(time @ None) = self.times.get_mut(at) {
                    *time = Some(elapsed);
                }
            }
        } else if self.base - number <= LATE_MAX && self.times.len() < LEN_MAX - LATE_MAX as usize {
            for _ in number + 1..self.base {
                self.times.push_front(None);
            }
            self.times.push_front(Some(elapsed));
            self.base = number;
        }
        was_empty && !self.is_empty()
    }

    /// Appends a message of at most `room` bytes about as many packets as it can hold, or changes nothing.
    pub(crate) fn write(&mut self, sender_ssrc: u32, media_ssrc: u32, room: usize, out: &mut Vec<u8>) -> bool {
        let capacity = Writer::capacity(room);
        let missing = self.times.iter().take_while(|time| time.is_none()).count();
        if capacity == 0 || missing == self.times.len() {
            return false;
        }
        if missing >= capacity {
            // A long run of missing ones is nothing that anybody waits for.
            self.forget(missing);
        }
        let first = self.times.iter().flatten().next().copied().unwrap_or_default();
        let reference = micros(first) / REFERENCE_MICROS;
        let count = deltas(self.times.iter().copied(), reference).take(capacity).count();
        let writer = Writer {
            sender_ssrc,
            media_ssrc,
            base: self.base as u16,
            reference_time: reference as u32 & 0xff_ffff,
            feedback_count: self.feedback_count,
        };
        writer.write(deltas(self.times.iter().copied(), reference).take(count), out);
        self.forget(count);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        true
    }

    fn forget(&mut self, count: usize) {
        self.times.drain(..count.min(self.times.len()));
        self.base += count as u64;
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
