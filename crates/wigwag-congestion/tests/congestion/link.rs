//! A bottleneck: what is sent waits in its queue, is dropped where there is no room, may be lost, and comes after a delay.

use std::time::Duration;
use wigwag_sansio::Rng;

/// How far what has passed the queue is from arriving at a steady pace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Jitter {
    #[default]
    None,
    /// Each waits for up to so long, and none overtakes another.
    Each(Duration),
    /// Radio: all that has come is let through at once, so often.
    Bursts(Duration),
    /// Each waits for up to so long, and may be overtaken.
    Reordering(Duration),
}

/// See the module. Times are from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// From when on it carries how much, in bit/s.
    pub(crate) capacity: Vec<(Duration, u64)>,
    /// How long what waits may take, at the capacity of the moment.
    pub(crate) buffer: Duration,
    /// One way.
    pub(crate) delay: Duration,
    /// Of what it carries, this part is lost by chance.
    pub(crate) loss: f64,
    pub(crate) jitter: Jitter,
}

impl Link {
    pub(crate) fn of(bits_per_second: u64) -> Self {
        Self {
            capacity: vec![(Duration::ZERO, bits_per_second)],
            buffer: Duration::from_millis(500),
            delay: Duration::from_millis(25),
            loss: 0.0,
            jitter: Jitter::None,
        }
    }

    /// What it carries at a time.
    pub(crate) fn capacity_at(&self, at: Duration) -> u64 {
        self.capacity.iter().take_while(|(from, _)| *from <= at).last().expect("a capacity from the beginning").1
    }
}

/// A link at work.
pub(crate) struct Queue {
    pub(crate) link: Link,
    rng: Rng,
    /// When all that waits will have passed.
    free: Duration,
    /// When the last one arrived.
    last: Duration,
}

impl Queue {
    pub(crate) fn new(link: Link, rng: Rng) -> Self {
        Self { link, rng, free: Duration::ZERO, last: Duration::ZERO }
    }

    /// How long what comes now would wait.
    pub(crate) fn waits(&self, now: Duration) -> Duration {
        self.free.saturating_sub(now)
    }

    /// When a packet that comes now arrives, if it does.
    pub(crate) fn carry(&mut self, size: usize, now: Duration) -> Option<Duration> {
        if self.waits(now) > self.link.buffer {
            return None;
        }
        let start = self.free.max(now);
        let capacity = self.link.capacity_at(start);
        self.free = start + Duration::from_nanos(size as u64 * 8 * 1_000_000_000 / capacity);
        if self.rng.below(1_000_000) < (self.link.loss * 1e6) as u64 {
            return None;
        }
        let passed = self.free;
        let mut up_to = |most: Duration| Duration::from_micros(self.rng.below(most.as_micros() as u64 + 1));
        let passed = match self.link.jitter {
            Jitter::None => passed,
            Jitter::Each(most) => (passed + up_to(most)).max(self.last),
            Jitter::Reordering(most) => passed + up_to(most),
            Jitter::Bursts(each) => {
                let count = passed.as_nanos().div_ceil(each.as_nanos());
                each * u32::try_from(count).expect("not for so long")
            }
        };
        self.last = passed;
        Some(passed + self.link.delay)
    }
}
