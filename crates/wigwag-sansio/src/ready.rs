//! Whose turn it is, among many.

use std::collections::VecDeque;

/// Slots that may have something to do, each at most once, in turn. Every call is O(1), amortised.
#[derive(Debug, Default)]
pub struct Ready {
    queue: VecDeque<usize>,
    is_queued: Vec<bool>,
}

impl Ready {
    /// Puts `slot` at the end of the queue, if it is not in it.
    pub fn push(&mut self, slot: usize) {
        if slot >= self.is_queued.len() {
            self.is_queued.resize(slot + 1, false);
        }
        if let Some(is_queued) = self.is_queued.get_mut(slot)
            && !std::mem::replace(is_queued, true)
        {
            self.queue.push_back(slot);
        }
    }

    /// Takes the slot whose turn it is.
    pub fn pop(&mut self) -> Option<usize> {
        let slot = self.queue.pop_front()?;
        if let Some(is_queued) = self.is_queued.get_mut(slot) {
            *is_queued = false;
        }
        Some(slot)
    }

    /// The slot whose turn is next.
    pub fn front(&self) -> Option<usize> {
        self.queue.front().copied()
    }

    /// All that wait, in turn.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.queue.iter().copied()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_waits_once_and_in_turn() {
        let mut ready = Ready::default();
        for slot in [5, 0, 5, 9, 0] {
            ready.push(slot);
        }
        assert_eq!((ready.front(), ready.iter().collect::<Vec<_>>()), (Some(5), vec![5, 0, 9]));
        assert_eq!([ready.pop(), ready.pop()], [Some(5), Some(0)]);
        ready.push(5);
        assert_eq!([ready.pop(), ready.pop(), ready.pop()], [Some(9), Some(5), None]);
        assert_eq!((ready.is_empty(), ready.front()), (true, None));
    }
}
