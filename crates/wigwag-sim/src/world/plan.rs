//! What shall happen when, and in which phase the world is.

use super::World;
use crate::Node;
use std::time::Duration;

pub(super) type Action<N> = Box<dyn FnOnce(&mut World<N>) + Send>;

/// What shall happen some time after a phase has begun.
pub(super) struct Plan<N> {
    phase: &'static str,
    delay: Duration,
    action: Action<N>,
}

impl<N: Node> World<N> {
    /// Does something when the world is so old; what is due first goes first. What is overdue is done at once.
    pub fn at(&mut self, age: Duration, action: impl FnOnce(&mut Self) + Send + 'static) {
        self.plan_action(age, Box::new(action));
    }

    /// Does something so long after a phase has begun; never, if it does not begin any more.
    pub fn in_phase(&mut self, phase: &'static str, delay: Duration, action: impl FnOnce(&mut Self) + Send + 'static) {
        self.plans.push(Plan { phase, delay, action: Box::new(action) });
    }

    /// Another phase begins, by whose name is counted what happens from now on: "connecting", "transfer", "closing".
    pub fn phase(&mut self, phase: &'static str) {
        self.trace.begin(phase);
        let (begun, later) = std::mem::take(&mut self.plans).into_iter().partition(|plan| plan.phase == phase);
        self.plans = later;
        for Plan { delay, action, .. } in begun {
            self.plan_action(self.age() + delay, action);
        }
    }

    /// Counts something that happens, and is no datagram's fate, in the [tally](crate::Trace::tally).
    pub fn note(&mut self, event: &'static str) {
        self.trace.note(event);
    }

    fn plan_action(&mut self, age: Duration, action: Action<N>) {
        let at = self.now.max(self.begin + age);
        self.actions.insert((at, self.sequence), action);
        self.sequence += 1;
    }

    pub(super) fn act(&mut self) {
        if let Some((_, action)) = self.actions.pop_first() {
            action(self);
        }
    }
}
