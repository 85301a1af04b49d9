//! How time passes: the earliest thing that can happen does.

use super::{Host, World};
use crate::Node;
use std::time::{Duration, Instant};

/// So many steps at one instant are work; more are a livelock.
const STEPS_AT_ONE_INSTANT_MAX: usize = 100_000;
/// A world in which nobody wakes for so long has come to rest.
const REST: Duration = Duration::from_secs(10);
/// A world that has not come to rest by then never does.
const RUN_MAX: Duration = Duration::from_secs(600);

/// What happens next; of what happens at one time, the first here is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Action,
    Arrival,
    Wake,
}

impl<N: Node> World<N> {
    /// Lets the earliest thing happen that can: a host that has to wake does, or a datagram arrives. `false` if
    /// nothing can happen any more.
    ///
    /// # Panics
    /// If a machine breaks a law: it wants to be woken for what it was woken for just now, or never comes to an end.
    pub fn step(&mut self) -> bool {
        self.step_until(None)
    }

    /// Runs until nothing is on its way and nobody wakes in the next 10 seconds.
    ///
    /// # Panics
    /// If that is not so within 10 minutes of virtual time: a world that never rests wants [`run_for`](Self::run_for).
    #[track_caller]
    pub fn run(&mut self) {
        let end = self.now + RUN_MAX;
        while !self.flights.is_empty() || self.next().is_some_and(|(at, _)| at <= self.now + REST) {
            self.step();
            assert!(self.now < end, "the world does not come to rest within {RUN_MAX:?}");
        }
    }

    /// Runs for so long, and no shorter: the time has passed then.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_until(Some(end)) {}
        self.advance(end);
    }

    /// Runs until `condition` is true.
    ///
    /// # Panics
    /// If it is not within `limit`, or nothing happens any more.
    #[track_caller]
    pub fn run_until(&mut self, condition: impl Fn(&Self) -> bool, limit: Duration) {
        let end = self.now + limit;
        while !condition(self) {
            assert!(self.step_until(Some(end)), "the condition was not true within {limit:?}");
        }
    }

    /// A step that happens at `end` at the latest.
    fn step_until(&mut self, end: Option<Instant>) -> bool {
        let Some((at, next)) = self.next() else { return false };
        if end.is_some_and(|end| at > end) {
            return false;
        }
        self.advance(at);
        match next {
            Next::Action => self.act(),
            Next::Arrival => self.arrive(),
            Next::Wake => self.wake(),
        }
        true
    }

    /// What was planned goes first, then who owes something now; a timer that ends just when a datagram arrives comes
    /// after it.
    fn next(&mut self) -> Option<(Instant, Next)> {
        let now = self.now;
        let is_owed = |(at, next): &(Instant, Next)| *at <= now && *next == Next::Wake;
        let wake = self.next_wake().map(|at| (at, Next::Wake));
        let action = self.actions.keys().next().map(|(at, _)| (*at, Next::Action));
        let arrival = self.flights.keys().next().map(|(at, _)| (*at, Next::Arrival));
        let arrival = arrival.filter(|_| !wake.as_ref().is_some_and(is_owed));
        [action, arrival, wake].into_iter().flatten().min()
    }

    fn advance(&mut self, at: Instant) {
        assert!(at >= self.now, "time never runs backwards");
        self.steps_at_now = if at > self.now { 0 } else { self.steps_at_now + 1 };
        assert!(self.steps_at_now <= STEPS_AT_ONE_INSTANT_MAX, "livelock at {:?}", self.age());
        self.now = at;
    }

    /// The earliest wake-up of all hosts, but not before now.
    fn next_wake(&mut self) -> Option<Instant> {
        while let Some(host) = self.touched.pop_first() {
            self.deadlines.set(host, self.nodes[host].poll_timeout(self.now));
        }
        self.deadlines.earliest().map(|at| at.max(self.now))
    }

    /// What a loop does with each machine, in full.
    fn wake(&mut self) {
        let Some(host) = self.deadlines.expire(self.now).map(Host) else { return };
        let now = self.now;
        self[host].handle_timeout(now);
        let mut turns = 0;
        while self.poll_transmit(host) | self[host].poll_event() {
            turns += 1;
            assert!(turns <= STEPS_AT_ONE_INSTANT_MAX, "{} never has enough", self.name(host));
        }
        let again = self[host].poll_timeout(now);
        assert!(again.is_none_or(|at| at > now), "{} was woken, and is still due", self.name(host));
    }
}
