//! Two machines with an adversary between them, who reads from a script what to do to their packets.

use crate::script::Script;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A machine, as the adversary sees it.
pub trait Player {
    /// Something arrived.
    fn input(&mut self, packet: &mut [u8], now: Instant);
    /// Time has passed.
    fn timeout(&mut self, now: Instant);
    /// What shall be sent? Replaces what is in `out`.
    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool;
    /// Takes one event; `false` if there was none.
    fn event(&mut self) -> bool;
    /// When shall it be woken?
    fn wake(&self, now: Instant) -> Option<Instant>;
    /// Does what a user might.
    fn command(&mut self, script: &mut Script<'_>);
    /// Makes a packet look as if this machine had sent it: checksums, tags, lengths.
    fn repair(&self, packet: &mut Vec<u8>) {
        let _ = packet;
    }
}

/// No machine has so much to say at once.
const POLLS_MAX: usize = 100_000;
/// So many packets are on their way to one machine; more are lost.
const WIRE_MAX: usize = 64;
/// So long a script is followed, or a fuzzer would look for slow inputs.
const STEPS_MAX: usize = 400;

/// Two machines and what is on its way to each.
struct Duel<P> {
    players: [P; 2],
    wires: [VecDeque<Vec<u8>>; 2],
    seen: VecDeque<Vec<u8>>,
    now: Instant,
    out: Vec<u8>,
}

/// Lets two machines talk, as the script wants it, and asserts the laws that hold whatever it wants. Gives them back.
pub fn duel<P: Player>(players: [P; 2], data: &[u8]) -> [P; 2] {
    let mut duel =
        Duel { players, wires: Default::default(), seen: VecDeque::new(), now: wigwag_sim::origin(), out: Vec::new() };
    let script = &mut Script::new(data);
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        duel.step(script);
    }
    for player in [0, 1] {
        duel.drain(player);
    }
    duel.players
}

impl<P: Player> Duel<P> {
    fn step(&mut self, script: &mut Script<'_>) {
        let op = script.byte();
        let to = usize::from(op >> 7);
        let packet = match op & 0x0f {
            0 | 1 => self.wires[to].pop_front(),
            2 => self.wires[to].pop_back(),
            4 => self.wires[to].front().cloned(),
            5 => self.damaged(to, script),
            6 => Some(self.repaired(to, script.bytes().to_vec())),
            7 => Some(script.bytes().to_vec()),
            15 => self.seen_before(script),
            _ => {
                self.step_aside(op, to, script);
                None
            }
        };
        if let Some(mut packet) = packet {
            self.players[to].input(&mut packet, self.now);
        }
    }

    /// The steps in which nothing arrives.
    fn step_aside(&mut self, op: u8, to: usize, script: &mut Script<'_>) {
        match op & 0x0f {
            3 => drop(self.wires[to].pop_front()),
            8 => self.pass(Duration::from_millis(u64::from(script.byte()).pow(2))),
            9 => self.players[to].command(script),
            10 => _ = self.poll_packet(to),
            11 => _ = self.poll_event(to),
            12 => self.drain(to),
            13 => self.exchange(),
            _ => self.wake(),
        }
    }

    /// As if the other machine had sent it.
    fn repaired(&self, to: usize, mut packet: Vec<u8>) -> Vec<u8> {
        self.players[1 - to].repair(&mut packet);
        packet
    }

    /// A damaged copy; the packet itself stays on its way.
    fn damaged(&self, to: usize, script: &mut Script<'_>) -> Option<Vec<u8>> {
        let mut packet = self.wires[to].front()?.clone();
        let is_repaired = script.byte() & 1 == 0;
        script.damage(&mut packet);
        Some(if is_repaired { self.repaired(to, packet) } else { packet })
    }

    fn seen_before(&self, script: &mut Script<'_>) -> Option<Vec<u8>> {
        let index = usize::from(script.byte()).checked_rem(self.seen.len())?;
        self.seen.get(index).cloned()
    }

    /// Law 5: whatever was timed for now is owed, and no timer is left behind.
    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        for player in &mut self.players {
            player.timeout(self.now);
        }
    }

    /// On to the next wake-up of either.
    fn wake(&mut self) {
        let next = self.players.iter().filter_map(|player| player.wake(self.now)).min();
        if let Some(next) = next {
            self.pass(next.saturating_duration_since(self.now));
        }
    }

    /// Law 5: what is owed is due.
    fn poll_packet(&mut self, from: usize) -> bool {
        let player = &mut self.players[from];
        let is_due = player.wake(self.now).is_some_and(|at| at <= self.now);
        if !player.packet(self.now, &mut self.out) {
            return false;
        }
        assert!(is_due, "a packet was owed, but no wake-up due");
        assert!(!self.out.is_empty(), "a packet has bytes");
        if self.wires[1 - from].len() < WIRE_MAX {
            self.wires[1 - from].push_back(self.out.clone());
        }
        self.seen.push_back(self.out.clone());
        self.seen.truncate(WIRE_MAX);
        true
    }

    fn poll_event(&mut self, from: usize) -> bool {
        let player = &mut self.players[from];
        let is_due = player.wake(self.now).is_some_and(|at| at <= self.now);
        let has_event = player.event();
        assert!(is_due || !has_event, "an event was owed, but no wake-up due");
        has_event
    }

    /// What a loop does in one turn. Law 5: then nothing is due.
    fn drain(&mut self, player: usize) {
        self.players[player].timeout(self.now);
        // Whoever takes an event in, and tells nothing of it, may owe a packet then: only the second silence is one.
        let mut silences = 0;
        for polls in 0.. {
            assert!(polls < POLLS_MAX, "it spins");
            silences = if self.poll_packet(player) || self.poll_event(player) { 0 } else { silences + 1 };
            if silences == 2 {
                break;
            }
        }
        let wake = self.players[player].wake(self.now);
        assert!(wake.is_none_or(|at| at > self.now), "nothing is owed, but it is due");
    }

    /// A good wire for a while.
    fn exchange(&mut self) {
        for _ in 0..20 {
            for to in [0, 1] {
                self.drain(1 - to);
                while let Some(mut packet) = self.wires[to].pop_front() {
                    self.players[to].input(&mut packet, self.now);
                }
            }
            if self.wires.iter().all(VecDeque::is_empty) {
                self.pass(Duration::from_millis(10));
            }
        }
    }
}
