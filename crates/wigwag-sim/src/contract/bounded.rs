//! Law 8: a machine that nobody polls, flooded by its user, its peer and strangers, keeps to its limits.

use super::hostile::damage;
use super::pair::{Flight, Good, Pair, choices};
use super::record::name;
use super::{Law, Subject, Violation};
use std::time::Duration;
use wigwag_sansio::{Protocol, Rng};

const LAW: Law = Law::Bounded;
const FLOOD: usize = 10_000;
/// How many datagrams of other pairs are used.
const FOREIGN_MAX: usize = 200;
/// How long other pairs are listened to.
const LISTENED_FOR: Duration = Duration::from_secs(5);

pub(super) fn check<S: Subject>(seed: u64) -> Result<(), Violation> {
    let mut pair = Pair::<S>::new(seed);
    if pair.machines[0].load().is_none() {
        return Ok(());
    }
    let mut rng = choices(seed, "flood");
    // Some of the machines that are flooded have met their peer before.
    if rng.one_in(2) {
        pair.exchange(&mut Good)?;
    }
    let kept = listen::<S>(seed.wrapping_add(1))?;
    let mut flood = Flood { rng, kept, peer_commands: pair.commanded[1] };
    for n in 0..FLOOD {
        flood.turn(&mut pair, n)?;
    }
    pair.handle_timeout(0, pair.now);
    pair.drain(0, &mut Good)
}

/// Everybody wants something from A, whose events nobody polls.
struct Flood {
    rng: Rng,
    /// Genuine datagrams, of this pair and of another.
    kept: Vec<Flight>,
    peer_commands: usize,
}

impl Flood {
    fn turn<S: Subject>(&mut self, pair: &mut Pair<S>, n: usize) -> Result<(), Violation> {
        // Whether it is refused is its own business.
        pair.machines[0].command(n);
        // The peer is polled, and says as much as it may.
        self.peer_commands += usize::from(pair.machines[1].command(self.peer_commands));
        pair.handle_timeout(1, pair.now);
        while pair.poll_event(1) {}
        pair.poll_transmit(1, pair.now);
        pair.entries.clear();
        for flight in std::mem::take(&mut pair.flights) {
            self.keep(&flight);
            pair.deliver(flight, pair.now);
            within(pair)?;
        }
        if let Some(flight) = self.any() {
            pair.deliver(flight, pair.now);
        }
        if self.rng.one_in(50) {
            pair.now += Duration::from_millis(self.rng.below(100));
            pair.handle_timeout(0, pair.now);
        }
        // Later somebody takes its packets, so that the peer goes on, but still nobody its events.
        if n > FLOOD / 2 {
            pair.poll_transmit(0, pair.now);
        }
        within(pair)
    }

    fn keep(&mut self, flight: &Flight) {
        let at = self.rng.below(FOREIGN_MAX as u64) as usize;
        match self.kept.get_mut(at) {
            _ if flight.protocol != Protocol::Udp => {}
            Some(kept) => *kept = flight.clone(),
            None => self.kept.push(flight.clone()),
        }
    }

    /// One of the datagrams kept, for A: as it is, damaged, or from elsewhere.
    fn any(&mut self) -> Option<Flight> {
        let mut flight = self.kept.get(self.rng.below(self.kept.len() as u64) as usize)?.clone();
        if flight.to != 0 {
            (flight.local, flight.remote) = (flight.remote, flight.local);
            flight.to = 0;
        }
        match self.rng.below(3) {
            0 => {}
            1 => damage(&mut flight.payload, &mut self.rng),
            _ => flight.remote.set_port(self.rng.u16()),
        }
        Some(flight)
    }
}

fn within<S: Subject>(pair: &Pair<S>) -> Result<(), Violation> {
    for (who, machine) in pair.machines.iter().enumerate() {
        if let Some(load) = machine.load()
            && load.held > load.bound
        {
            return Err(LAW.broken(format!(
                "{} holds {}, more than its bound of {}",
                name(who),
                load.held,
                load.bound
            )));
        }
    }
    Ok(())
}

/// What other machines of the same kind say, to a machine that does not know them.
fn listen<S: Subject>(seed: u64) -> Result<Vec<Flight>, Violation> {
    struct Listening(Vec<Flight>);
    impl<S: Subject> super::pair::Driver<S> for Listening {
        fn before_input(&mut self, _pair: &mut Pair<S>, flight: &mut Flight) -> Result<(), Violation> {
            if flight.protocol == Protocol::Udp && self.0.len() < FOREIGN_MAX {
                self.0.push(flight.clone());
            }
            Ok(())
        }
    }
    let mut listening = Listening(Vec::new());
    Pair::<S>::new(seed).run(&mut listening, LISTENED_FOR, |_| false)?;
    Ok(listening.0)
}
