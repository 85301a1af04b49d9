//! Whose turn it is (RFC 8260 §3).
//!
//! Every scheduler is an order of keys; among equal ones it is first come, first served. Taking a turn costs the logarithm of
//! how many streams have something to send.

use super::stream::Stream;
use crate::config::Scheduler;
use crate::migration::{Reader, State, Writer, state};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The priority of a stream of which nobody has said another: "low" of RFC 8831 §6.4.
pub(super) const PRIORITY_DEFAULT: u16 = 256;

/// When a stream's turn comes: the smallest is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    key: u64,
    /// How many turns were given before.
    number: u64,
    id: u16,
}

/// Streams that wait for their turns.
#[derive(Debug, Default)]
pub(super) struct Line(BinaryHeap<Reverse<Turn>>);

state!(struct Turn { key, number, id });
state!(struct Schedule { turns, virtual_time } anew { scheduler: |from| from.config.scheduler });

/// In the order of their turns.
impl State for Line {
    fn write(&self, out: &mut Writer) {
        let mut turns: Vec<_> = self.0.iter().map(|Reverse(turn)| *turn).collect();
        turns.sort_unstable();
        turns.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let turns = Vec::<Turn>::read(from)?;
        Some(Self(turns.into_iter().map(Reverse).collect()))
    }
}

impl Line {
    /// Exactly these streams wait, each once.
    pub(super) fn is_of(&self, streams: &[u16]) -> bool {
        let mut ids: Vec<_> = self.0.iter().map(|Reverse(turn)| turn.id).collect();
        ids.sort_unstable();
        ids == streams
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stream whose turn it is, and something that is smaller the earlier the turn is.
    pub(super) fn front(&self) -> Option<(u16, (u64, u64))> {
        self.0.peek().map(|Reverse(turn)| (turn.id, (turn.key, turn.number)))
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(u16) -> bool) {
        self.0.retain(|Reverse(turn)| is_kept(turn.id));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    scheduler: Scheduler,
    turns: u64,
    /// The time of a fair queue: when who has its turn began to need it.
    virtual_time: u64,
}

impl Schedule {
    pub(super) const fn new(scheduler: Scheduler) -> Self {
        Self { scheduler, turns: 0, virtual_time: 0 }
    }

    /// The stream has something to send.
    pub(super) fn enter(&mut self, line: &mut Line, id: u16, stream: &Stream) {
        let number = self.turns;
        self.turns = number.wrapping_add(1);
        line.0.push(Reverse(Turn { key: self.key(stream), number, id }));
    }

    /// The first in line has had its turn, and has nothing more to send here.
    pub(super) fn leave(&mut self, line: &mut Line) {
        if let Some(Reverse(turn)) = line.0.pop() {
            self.pass(turn);
        }
    }

    /// The first in line has had its turn, and goes to where it belongs now.
    pub(super) fn renew(&mut self, line: &mut Line, stream: &Stream) {
        let Some(mut first) = line.0.peek_mut() else { return };
        self.pass(first.0);
        let number = self.turns;
        self.turns = number.wrapping_add(1);
        let key = self.key(stream);
        first.0 = Turn { key, number, id: first.0.id };
    }

    fn pass(&mut self, turn: Turn) {
        if self.scheduler == Scheduler::WeightedFair {
            self.virtual_time = self.virtual_time.max(turn.key);
        }
    }

    fn key(&self, stream: &Stream) -> u64 {
        match self.scheduler {
            Scheduler::FirstComeFirstServed => stream.messages.front().map_or(0, |message| message.arrival),
            Scheduler::RoundRobin => 0,
            // Whoever had nothing to send saves nothing up.
            Scheduler::WeightedFair => stream.virtual_time.max(self.virtual_time),
            Scheduler::Priority => u64::from(u16::MAX - priority(stream)),
        }
    }

    /// The stream has sent `len` bytes in its turn.
    pub(super) fn charge(&self, stream: &mut Stream, len: usize) {
        // So many steps of a fair queue's time does a byte take of a stream with the least weight.
        const STEPS: u64 = 1 << 16;
        if self.scheduler == Scheduler::WeightedFair {
            let cost = (len as u64).saturating_mul(STEPS) / u64::from(priority(stream));
            stream.virtual_time = stream.virtual_time.max(self.virtual_time).saturating_add(cost);
        }
    }

    /// A stream has another priority now.
    pub(super) fn changed(&self, line: &mut Line, id: u16, stream: &Stream) {
        if self.scheduler != Scheduler::Priority {
            return;
        }
        let key = self.key(stream);
        let turns = std::mem::take(&mut line.0).into_iter();
        line.0 = turns.map(|Reverse(turn)| Reverse(if turn.id == id { Turn { key, ..turn } } else { turn })).collect();
    }
}

fn priority(stream: &Stream) -> u16 {
    if stream.priority == 0 { PRIORITY_DEFAULT } else { stream.priority }
}
