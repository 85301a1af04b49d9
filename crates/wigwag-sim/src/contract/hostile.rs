//! Law 3: strangers change nothing and are counted; damaged packets break nothing.

use super::pair::{Driver, Flight, Pair, choices, reference};
use super::record::name;
use super::{Law, Subject, Violation};
use std::time::{Duration, Instant};
use wigwag_sansio::{Protocol, Rng};

const LAW: Law = Law::InputsCannotFail;
/// So many genuine datagrams are kept to be sent again.
const KEPT_MAX: usize = 64;
/// So many datagrams are added at one instant: answers to them are datagrams too, and there would be no end of it.
const ADDED_MAX: usize = 16;
/// A pair whose packets are damaged may never come to an end.
const DAMAGED_FOR: Duration = Duration::from_secs(10);

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let (_, expected) = reference::<S>(seed)?;
    let mut strangers = Strangers(choices(seed, "strangers"));
    Pair::<S>::new(seed).settle(&mut strangers, &expected, LAW, "among strangers")?;
    let mut pair = Pair::<S>::new(seed);
    let mut damaging = Damaging { rng: choices(seed, "damage"), kept: Vec::new(), added: (0, pair.now) };
    pair.run(&mut damaging, DAMAGED_FOR, |_| false)
}

/// Sends something hostile before each datagram, to whom it is for.
struct Strangers(Rng);

impl<S: Subject> Driver<S> for Strangers {
    fn before_input(&mut self, pair: &mut Pair<S>, flight: &mut Flight) -> Result<(), Violation> {
        if flight.protocol != Protocol::Udp {
            return Ok(());
        }
        for _ in 0..=self.0.below(3) {
            let payload = S::hostile(&mut self.0);
            let hostile = Flight { payload, ..flight.clone() };
            let is_counted = !hostile.payload.is_empty();
            let before = pair.machines[flight.to].dropped();
            pair.deliver(hostile.clone(), pair.now);
            let after = pair.machines[flight.to].dropped();
            if is_counted && after != before.map(|dropped| dropped + 1) {
                let (who, payload) = (name(flight.to), hostile.payload);
                return Err(LAW.broken(format!("{who} counted {before:?} drops, then {after:?}, after {payload:02x?}")));
            }
        }
        Ok(())
    }
}

/// Damages datagrams, and adds others that are genuine but come again, from elsewhere, or to who sent them.
struct Damaging {
    rng: Rng,
    kept: Vec<Flight>,
    /// How many were added, and when.
    added: (usize, Instant),
}

impl Damaging {
    /// A datagram that was sent before: once more, from another port, or to who sent it; perhaps damaged.
    fn another(&mut self, now: Instant) -> Option<Flight> {
        if self.added.1 < now {
            self.added = (0, now);
        }
        if self.added.0 >= ADDED_MAX {
            return None;
        }
        self.added.0 += 1;
        let mut again = self.kept.get(self.rng.below(self.kept.len() as u64) as usize)?.clone();
        match self.rng.below(4) {
            0 => again.to = 1 - again.to,
            1 => again.remote.set_port(again.remote.port() ^ 1),
            _ => {}
        }
        if self.rng.one_in(2) {
            damage(&mut again.payload, &mut self.rng);
        }
        Some(again)
    }
}

impl<S: Subject> Driver<S> for Damaging {
    fn before_input(&mut self, pair: &mut Pair<S>, flight: &mut Flight) -> Result<(), Violation> {
        if flight.protocol == Protocol::Udp && self.kept.len() < KEPT_MAX {
            self.kept.push(flight.clone());
        }
        if let Some(another) = self.another(pair.now) {
            pair.deliver(another, pair.now);
        }
        if flight.protocol == Protocol::Udp && self.rng.one_in(3) {
            damage(&mut flight.payload, &mut self.rng);
        }
        Ok(())
    }
}

/// Turns bits over, cuts, lengthens, or puts a small or large number somewhere.
pub(super) fn damage(payload: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(payload.len() as u64) as usize;
    match rng.below(5) {
        0 => payload.truncate(at),
        1 => payload.extend_from_slice(&rng.bytes::<9>()),
        2 => {
            for byte in payload.iter_mut().skip(at).take(2) {
                *byte = if rng.one_in(2) { 0 } else { 0xff };
            }
        }
        _ => {
            for _ in 0..=rng.below(4) {
                let at = rng.below(payload.len() as u64) as usize;
                if let Some(byte) = payload.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
}
