//! Two machines of one seed, and how they are called.

use super::record::{Entry, name};
use super::{Law, Network, Subject, Violation};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Ecn, Protocol, Rng, Seed, Transmit};

/// Work at one instant has an end; this many turns without one are a livelock.
const TURNS_MAX: usize = 20_000;
/// So many wake-ups within a second, for nothing, are a timer that spins.
const BARREN_WAKES_MAX: usize = 1_000;
/// Pairs begin their lives this long after the origin, so that time can be told that runs backwards.
const AFTER_ORIGIN: Duration = Duration::from_secs(1_000);

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) to: usize,
    pub(super) protocol: Protocol,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) ecn: Ecn,
    pub(super) payload: Vec<u8>,
}

/// A source of choices that are the checker's, not the machines'.
pub(super) fn choices(seed: u64, label: &str) -> Rng {
    Rng::new(Seed::for_test(seed).fork(label))
}

/// How a driver differs from a good one.
pub(super) trait Driver<S: Subject> {
    /// What it says the time is, where it is really `now`.
    fn clock(&mut self, now: Instant) -> Instant {
        now
    }

    /// `handle_timeout` was called.
    fn after_timeout(&mut self, _pair: &mut Pair<S>, _who: usize) -> Result<(), Violation> {
        Ok(())
    }

    /// `poll_transmit` is about to be called.
    fn before_poll(&mut self, _pair: &mut Pair<S>, _who: usize) -> Result<(), Violation> {
        Ok(())
    }

    /// A datagram is about to arrive.
    fn before_input(&mut self, _pair: &mut Pair<S>, _flight: &mut Flight) -> Result<(), Violation> {
        Ok(())
    }

    /// Nothing will happen until `until`.
    fn before_sleep(&mut self, _pair: &mut Pair<S>, _until: Instant) -> Result<(), Violation> {
        Ok(())
    }
}

/// A good driver.
pub(super) struct Good;

impl<S: Subject> Driver<S> for Good {}

pub(super) struct Pair<S> {
    pub(super) machines: [S; 2],
    pub(super) begin: Instant,
    pub(super) now: Instant,
    pub(super) flights: Vec<Flight>,
    /// How many commands each was given.
    pub(super) commanded: [usize; 2],
    pub(super) entries: Vec<Entry>,
    out: Vec<u8>,
    /// Who decides what is lost; nothing is without.
    loss: Option<Rng>,
}

impl<S: Subject> Pair<S> {
    pub(super) fn new(seed: u64) -> Self {
        Self::at(seed, Duration::ZERO)
    }

    /// A pair whose life begins later, by another clock.
    pub(super) fn at(seed: u64, shift: Duration) -> Self {
        let begin = crate::origin() + AFTER_ORIGIN + shift;
        Self {
            machines: S::pair(seed, begin),
            begin,
            now: begin,
            flights: Vec::new(),
            commanded: [0; 2],
            entries: Vec::new(),
            out: Vec::new(),
            loss: None,
        }
    }

    /// From now on datagrams are lost in [`exchange`](Self::exchange), if the subject can stand that: without loss, few
    /// timers ever end.
    pub(super) fn losing(mut self, seed: u64) -> Self {
        self.loss = (S::NETWORK == Network::Lossy).then(|| choices(seed, "loss"));
        self
    }

    pub(super) fn outcome(&self) -> String {
        let [a, z] = &self.machines;
        format!("A: {}\nZ: {}", a.outcome(), z.outcome())
    }

    fn age(&self) -> Duration {
        self.now.duration_since(self.begin)
    }

    pub(super) fn handle_timeout(&mut self, who: usize, now: Instant) {
        self.machines[who].handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self, who: usize) -> Option<Instant> {
        self.machines[who].poll_timeout(self.now)
    }

    pub(super) fn is_due(&self, who: usize) -> bool {
        self.poll_timeout(who).is_some_and(|at| at <= self.now)
    }

    pub(super) fn poll_event(&mut self, who: usize) -> bool {
        let has_told = self.machines[who].poll_event();
        if has_told {
            self.entries.push(Entry::Told { at: self.age(), who });
        }
        has_told
    }

    /// Puts what is sent on its way, cut as the kernel would.
    pub(super) fn poll_transmit(&mut self, who: usize, now: Instant) -> bool {
        let mut out = std::mem::take(&mut self.out);
        // What lies in the caller's buffer is replaced.
        out.clear();
        out.extend_from_slice(b"stale");
        let transmit = self.machines[who].poll_transmit(now, &mut out);
        if let Some(transmit) = &transmit {
            self.send(who, transmit, &out);
        }
        self.out = out;
        transmit.is_some()
    }

    fn send(&mut self, who: usize, transmit: &Transmit, out: &[u8]) {
        let Transmit { protocol, local, remote, ecn, dscp, segment_size } = *transmit;
        let route = format!("{protocol:?} {local} {remote} {ecn:?} {} ", dscp.codepoint());
        self.entries.push(Entry::Sent { at: self.age(), who, route, payload: out.to_vec() });
        let mut fly = |payload: &[u8]| {
            let payload = payload.to_vec();
            self.flights.push(Flight { to: 1 - who, protocol, local: remote, remote: local, ecn, payload });
        };
        if out.is_empty() {
            fly(&[]);
        } else {
            out.chunks(segment_size.max(1)).for_each(fly);
        }
    }

    pub(super) fn deliver(&mut self, flight: Flight, now: Instant) {
        let Flight { to, protocol, local, remote, ecn, mut payload } = flight;
        self.machines[to].handle_input(Datagram { protocol, local, remote, ecn, payload: &mut payload }, now);
    }

    /// Gives the next command, if there is one left; whether it was taken.
    pub(super) fn command(&mut self, who: usize) -> bool {
        let n = self.commanded[who];
        let is_taken = n < S::COMMANDS && self.machines[who].command(n);
        self.commanded[who] += usize::from(is_taken);
        is_taken
    }

    /// Asks for everything that is owed.
    pub(super) fn drain(&mut self, who: usize, driver: &mut impl Driver<S>) -> Result<(), Violation> {
        for _ in 0..TURNS_MAX {
            driver.before_poll(self, who)?;
            let now = driver.clock(self.now);
            if !self.poll_transmit(who, now) & !self.poll_event(who) {
                return match self.poll_timeout(who) {
                    Some(at) if at <= self.now => {
                        Err(Law::OwedIsDue.broken(format!("{} owes nothing, but is due", name(who))))
                    }
                    Some(_) | None => Ok(()),
                };
            }
        }
        Err(Law::OwedIsDue.broken(format!("{} never has enough at {:?}", name(who), self.age())))
    }

    /// Everything that happens without time passing.
    pub(super) fn exchange(&mut self, driver: &mut impl Driver<S>) -> Result<(), Violation> {
        for _ in 0..TURNS_MAX {
            for who in [0, 1] {
                self.handle_timeout(who, self.now);
                driver.after_timeout(self, who)?;
                self.drain(who, driver)?;
            }
            let is_commanded = self.command(0) | self.command(1);
            let flights = std::mem::take(&mut self.flights);
            if flights.is_empty() && !is_commanded {
                return Ok(());
            }
            for mut flight in flights {
                if flight.protocol == Protocol::Udp && self.loss.as_mut().is_some_and(|loss| loss.one_in(5)) {
                    continue;
                }
                driver.before_input(self, &mut flight)?;
                let now = driver.clock(self.now);
                self.deliver(flight, now);
            }
        }
        Err(Law::OwedIsDue.broken(format!("no end of packets at {:?}", self.age())))
    }

    /// Runs on a good network until `is_done`, or until nothing happens any more, but no longer than `limit`.
    pub(super) fn run(
        &mut self,
        driver: &mut impl Driver<S>,
        limit: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<(), Violation> {
        let end = self.now + limit;
        let mut barren = (0, self.now);
        loop {
            let entries = self.entries.len();
            self.exchange(driver)?;
            if is_done(self) {
                return Ok(());
            }
            if self.entries.len() > entries || self.now.duration_since(barren.1) > Duration::from_secs(1) {
                barren = (0, self.now);
            }
            barren.0 += 1;
            if barren.0 > BARREN_WAKES_MAX {
                return Err(Law::OwedIsDue.broken(format!("woken {BARREN_WAKES_MAX} times in a second for nothing")));
            }
            let Some(until) = [0, 1].into_iter().filter_map(|who| self.poll_timeout(who)).min() else { return Ok(()) };
            if until > end {
                return Ok(());
            }
            driver.before_sleep(self, until)?;
            self.entries.push(Entry::Slept { at: self.age(), until: until.duration_since(self.begin) });
            self.now = until;
        }
    }

    /// Runs until the outcome is as expected, and a little longer to see whether it stays so.
    pub(super) fn settle(
        &mut self,
        driver: &mut impl Driver<S>,
        expected: &str,
        law: Law,
        how: &str,
    ) -> Result<(), Violation> {
        self.run(driver, S::PATIENCE, |pair| pair.outcome() == expected)?;
        if self.outcome() == expected {
            self.run(driver, Duration::from_secs(5), |_| false)?;
        }
        match self.outcome() {
            outcome if outcome == expected => Ok(()),
            outcome => Err(law.broken(format!("{how}, the outcome is\n{outcome}\ninstead of\n{expected}"))),
        }
    }

    /// Any call at all. Returns whom it concerned, and what it was.
    pub(super) fn anything(&mut self, rng: &mut Rng, network: Network, passing: Duration) -> (usize, Call) {
        let who = rng.below(2) as usize;
        let call = match rng.below(12) {
            0 => {
                self.command(who);
                Call::Command
            }
            1..4 => {
                self.poll_transmit(who, self.now);
                Call::PollTransmit
            }
            4..8 => return (self.arrive(rng, network).unwrap_or(who), Call::Input),
            8 => {
                self.poll_event(who);
                Call::PollEvent
            }
            9 => {
                self.handle_timeout(who, self.now);
                Call::Timeout
            }
            10 => {
                self.poll_timeout(who);
                Call::PollTimeout
            }
            _ => {
                let nanos = u64::try_from(passing.as_nanos()).unwrap_or(u64::MAX);
                self.now += Duration::from_nanos(rng.below(nanos));
                Call::PollTimeout
            }
        };
        (who, call)
    }

    /// One of the datagrams on their way arrives, or does not.
    fn arrive(&mut self, rng: &mut Rng, network: Network) -> Option<usize> {
        let any = match network {
            Network::Ordered => 0,
            Network::Reordering | Network::Lossy => rng.below(self.flights.len() as u64) as usize,
        };
        let chosen = self.flights.get(any)?;
        let stream = |flight: &Flight| (flight.protocol, flight.to, flight.local, flight.remote);
        let is_datagram = chosen.protocol == Protocol::Udp;
        let first = self.flights.iter().position(|flight| is_datagram || stream(flight) == stream(chosen))?;
        let flight = self.flights.remove(if is_datagram { any } else { first });
        let to = flight.to;
        if network == Network::Lossy && is_datagram {
            if rng.one_in(10) {
                self.flights.push(flight.clone());
            }
            if rng.one_in(5) {
                return Some(to);
            }
        }
        self.deliver(flight, self.now);
        Some(to)
    }
}

/// Which call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Command,
    Input,
    Timeout,
    PollTransmit,
    PollEvent,
    PollTimeout,
}

/// A good driver on a good network: its record, and what the outcome shall be.
pub(super) fn reference<S: Subject>(seed: u64) -> Result<(Vec<Entry>, String), Violation> {
    let mut pair = Pair::<S>::new(seed);
    pair.run(&mut Good, S::PATIENCE, |_| false)?;
    if pair.commanded != [S::COMMANDS; 2] {
        return Err(Law::NoOrder.broken(format!("only {:?} of the commands were taken", pair.commanded)));
    }
    let outcome = pair.outcome();
    Ok((pair.entries, outcome))
}
