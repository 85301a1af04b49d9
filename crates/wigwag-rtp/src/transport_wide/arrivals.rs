//! Which packets arrived, until the peer is told.

use crate::record::Record;
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TICK_MICROS, Writer};
use std::time::Duration;

/// So many packets may wait to be reported; a feedback interval of 400 Mbit/s.
const LEN_MAX: usize = 4096;
/// So many find room from the beginning: those of a feedback interval of 15 Mbit/s, and those that are kept.
const LEN_EXPECTED: usize = 256;

/// Which packets arrived, and when, since the last report and shortly before it.
#[derive(Debug)]
pub(crate) struct Arrivals {
    times: Record<Duration>,
    feedback_count: u8,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { times: Record::new(LEN_MAX, LEN_EXPECTED), feedback_count: 0 }
    }
}

impl Arrivals {
    /// Whether there is nothing to report.
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
        self.times.add(sequence, elapsed, |_| false);
        was_empty && !self.is_empty()
    }

    /// Appends a message of at most `room` bytes about as many packets as it can hold, or changes nothing.
    pub(crate) fn write(&mut self, sender_ssrc: u32, media_ssrc: u32, room: usize, out: &mut Vec<u8>) -> bool {
        let capacity = Writer::capacity(room);
        if capacity == 0 || self.is_empty() {
            return false;
        }
        let missing = self.times.untold().take_while(Option::is_none).count();
        if missing >= capacity {
            // A long run of missing ones is nothing that anybody waits for.
            self.times.tell(missing);
        }
        let first = self.times.untold().flatten().next().unwrap_or_default();
        let reference = micros(first) / REFERENCE_MICROS;
        let count = deltas(self.times.untold(), reference).take(capacity).count();
        let writer = Writer {
            sender_ssrc,
            media_ssrc,
            base: self.times.base() as u16,
            reference_time: reference as u32 & 0xff_ffff,
            feedback_count: self.feedback_count,
        };
        writer.write(deltas(self.times.untold(), reference).take(count), out);
        self.times.tell(count);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        true
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
