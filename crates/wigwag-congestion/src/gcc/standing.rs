//! A queue that stands: after an overuse that was noticed late, much of what was sent still waits on the way. At 85 % of what the path
//! carries it would take seven times as long to go as it is; so less is sent for a moment.
//!
//! How long the queue is, is the delay of what arrived last less the least of the last twenty seconds. A queue that does not get shorter is
//! somebody else's, and left alone.

use super::SECOND;
use crate::feedback::Arrived;

/// A queue is too long at so much, in microseconds …
const LONG: i64 = 150_000;
/// … and short enough at so much.
const SHORT: i64 = 50_000;
/// Of what arrives, so much is sent meanwhile.
const PART: f64 = 0.5;
/// Which should take no more than so many times as long as the queue is at its longest, and how much longer it may, until it shows.
const TIME: (i64, i64) = (3, SECOND / 2);
/// A longer queue is not waited for.
const QUEUE_MAX: i64 = 2 * SECOND;
/// A queue that did not get shorter is left alone for so long.
const REST: i64 = 10 * SECOND;
/// The delay is that of the fastest of so many packets.
const PACKETS: usize = 4;
/// The least delay is that of two periods of so long.
const PERIOD: i64 = 10 * SECOND;

/// Less is sent than the path carries.
#[derive(Clone, Copy, Debug)]
struct Drain {
    /// What is sent meanwhile.
    rate: f64,
    begun: i64,
    /// The queue at its longest: what was sent before it began arrives later.
    longest: i64,
}

impl Drain {
    fn until(&self) -> i64 {
        let time = self.longest.min(QUEUE_MAX).saturating_mul(TIME.0).saturating_add(TIME.1);
        self.begun.saturating_add(time)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The least delay of the period before and of this one, by two clocks: only differences mean anything.
    least: (Option<i64>, Option<i64>),
    /// When this period began.
    begun: i64,
    /// The delay of what arrived last.
    delay: Option<i64>,
    drain: Option<Drain>,
    /// Until when the queue is left alone.
    rest: i64,
}

impl Standing {
    /// These have arrived, in this order.
    pub(crate) fn add(&mut self, arrived: &[Arrived], now: i64) {
        let passed = now.saturating_sub(self.begun);
        if passed > PERIOD {
            // After a rest there is none to compare with: two clocks part meanwhile.
            self.least = (self.least.1.filter(|_| passed <= 2 * PERIOD), None);
            self.begun = now;
        }
        let delay = |packet: &Arrived| packet.arrival.saturating_sub(packet.sent);
        let least = arrived.iter().map(delay).min();
        self.least.1 = self.least.1.into_iter().chain(least).min();
        self.delay = arrived.iter().rev().take(PACKETS).map(delay).min().or(self.delay);
    }

    /// Whether so much waits that all that arrives is all that the path carries.
    pub(crate) fn is_long(&self) -> bool {
        self.queue() > LONG
    }

    /// Whether hardly anything waits on the way.
    pub(crate) fn is_short(&self) -> bool {
        self.queue() < SHORT
    }

    /// How long the queue is, in microseconds.
    fn queue(&self) -> i64 {
        let least = self.least.0.into_iter().chain(self.least.1).min();
        self.delay.zip(least).map_or(0, |(delay, least)| delay.saturating_sub(least))
    }

    /// Begins to make a queue shorter that is too long, when the estimate has decreased because of it and `arriving` comes through; and ends it.
    pub(crate) fn drain(&mut self, has_decreased: bool, arriving: Option<f64>, now: i64) {
        let queue = self.queue();
        match &mut self.drain {
            Some(_) if queue < SHORT => self.drain = None,
            Some(drain) => {
                drain.longest = drain.longest.max(queue);
                if queue > LONG {
                    drain.rate = arriving.map_or(drain.rate, |arriving| drain.rate.min(arriving * PART));
                }
                if now > drain.until() {
                    self.drain = None;
                    self.rest = now.saturating_add(REST);
                }
            }
            None if has_decreased && queue > LONG && now >= self.rest => {
                self.drain = arriving.map(|arriving| Drain { rate: arriving * PART, begun: now, longest: queue });
            }
            None => {}
        }
    }

    /// What is sent meanwhile, if the queue gets shorter.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.drain.map(|drain| drain.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets that waited so long, in ms, one each 100 ms; what is sent meanwhile after each, where 1 Mbit/s arrives.
    fn run(standing: &mut Standing, from: i64, waits: &[i64], has_decreased: bool) -> Vec<Option<f64>> {
        let told = waits.iter().zip(from..).map(|(wait, tenth)| {
            let now = tenth * SECOND / 10;
            let packet = Arrived { sent: now, arrival: 9 * SECOND + now + wait * 1000, size: 1000, cluster: 0 };
            standing.add(&[packet], now);
            standing.drain(has_decreased, Some(1e6), now);
            standing.rate()
        });
        told.collect()
    }

    #[test]
    fn a_long_queue_is_drained_until_it_is_short() {
        let mut standing = Standing::default();
        assert_eq!(run(&mut standing, 0, &[0, 10, 5], false), [None; 3]);
        assert_eq!(run(&mut standing, 3, &[400], true), [Some(0.5e6)]);
        assert!(standing.is_long());
        assert_eq!(run(&mut standing, 4, &[300, 200, 60, 40, 10], false)[2..], [Some(0.5e6), None, None]);
        assert!(standing.is_short());
    }

    #[test]
    fn a_short_queue_is_left_to_the_estimate() {
        let mut standing = Standing::default();
        assert_eq!(run(&mut standing, 0, &[0, 140, 150, 140], true), [None; 4]);
    }

    #[test]
    fn a_queue_that_does_not_shrink_is_somebody_elses() {
        let mut standing = Standing::default();
        run(&mut standing, 0, &[0], false);
        let told = run(&mut standing, 1, &[300; 100], true);
        // Three times 300 ms, and half a second.
        assert_eq!(told.iter().filter(|told| told.is_some()).count(), 15);
        assert!(told[16..].iter().all(Option::is_none));
    }

    #[test]
    fn the_least_delay_is_forgotten_after_a_while() {
        let mut standing = Standing::default();
        run(&mut standing, 0, &[0], false);
        run(&mut standing, 1, &[300; 250], false);
        assert!(standing.is_short());
    }
}
