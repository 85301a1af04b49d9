//! What happens turn by turn, and what is so when it is over.

use super::party::Party;
use std::time::Duration;
use wigwag_sansio::Rng;
use wigwag_sctp::{CloseReason, Config, State};
use wigwag_sim::{A, Host, Wire, World, Z};

/// What happens to the ends themselves, beside all the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Calamity {
    Nothing,
    SleepyReaders,
    StoppedPrograms,
    Crash,
    Shutdown,
}

impl Calamity {
    pub(super) const ALL: [Self; 5] =
        [Self::Nothing, Self::SleepyReaders, Self::StoppedPrograms, Self::Crash, Self::Shutdown];
}

pub(super) struct Storm<'a> {
    pub(super) world: &'a mut World<Party>,
    pub(super) rng: Rng,
    pub(super) calamity: Calamity,
    pub(super) configs: [Config; 2],
    /// A crash or a shutdown happens once.
    pub(super) has_struck: bool,
    pub(super) is_ending: bool,
}

impl Storm<'_> {
    fn host(&mut self) -> Host {
        [A, Z][self.rng.below(2) as usize]
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.rng.below(below))
    }

    pub(super) fn turn(&mut self) {
        for _ in 0..self.rng.below(6) {
            let host = self.host();
            let party = &mut self.world[host];
            // Who does not know what has happened does not know what it does.
            if party.peer.is_reading {
                party.act(&mut self.rng);
            }
        }
        self.strike();
        let time = self.millis(60);
        self.pass(time);
    }

    fn strike(&mut self) {
        match self.calamity {
            Calamity::Nothing => {}
            Calamity::SleepyReaders => self.put_to_sleep(),
            Calamity::StoppedPrograms => self.stop(),
            Calamity::Crash => self.crash(),
            Calamity::Shutdown => self.shut_down(),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.world.run_for(time);
        for host in [A, Z] {
            self.world[host].hear();
            for note in std::mem::take(&mut self.world[host].notes) {
                self.world.note(note);
            }
        }
    }

    fn put_to_sleep(&mut self) {
        let host = self.host();
        if self.rng.one_in(10) && self.world[host].peer.is_reading {
            self.world[host].peer.is_reading = false;
            self.world.note("reader sleeps");
            let awake = self.world.age() + self.millis(2000);
            self.world.at(awake, move |world| world[host].peer.is_reading = true);
        }
    }

    /// One for a while, or both for long: nobody gives the other up.
    fn stop(&mut self) {
        if !self.rng.one_in(60) {
            return;
        }
        let (hosts, most) = [(&[A][..], 3000), (&[Z], 3000), (&[A, Z], 100_000)][self.rng.below(3) as usize];
        hosts.iter().for_each(|host| self.world[*host].is_stopped = true);
        self.world.note("program stopped");
        let time = self.millis(most);
        self.pass(time);
        let now = self.world.now();
        hosts.iter().for_each(|host| self.world[*host].go_on(now));
    }

    /// Once, some time after both have talked.
    fn is_due(&mut self) -> bool {
        let is_established = [A, Z].iter().all(|host| self.world[*host].association().state() == State::Established);
        let is_due = !self.has_struck && is_established && self.rng.one_in(100);
        self.has_struck |= is_due;
        is_due
    }

    fn crash(&mut self) {
        if self.is_due() {
            let n = self.rng.below(2) as usize;
            let party = Party::new(self.configs[n].clone(), self.rng.u64(), Wire::pair()[n]);
            let host = [A, Z][n];
            self.world[host] = party;
            self.world[host].association().connect();
            self.world.note("crash");
        }
    }

    fn shut_down(&mut self) {
        if self.is_due() {
            let hosts = [&[A][..], &[Z], &[A, Z]][self.rng.below(3) as usize];
            hosts.iter().for_each(|host| self.world[*host].association().shutdown());
            self.is_ending = true;
            self.world.note("shutdown");
        }
    }

    /// What is open is finished, and everything arrives.
    pub(super) fn calm_down(&mut self) {
        self.world.links(A, Z, |link| _ = link.heal());
        for _ in 0..100 {
            [A, Z].iter().for_each(|host| self.world[*host].append(usize::MAX));
            self.pass(Duration::from_millis(100));
        }
        self.pass(Duration::from_secs(10));
    }

    pub(super) fn everything_has_arrived(&self) {
        for (from, to) in [(A, Z), (Z, A)] {
            let (from, to) = (&self.world[from], &self.world[to]);
            from.sent.has_arrived(&to.received);
            let stats = from.peer.association.stats();
            assert_eq!((stats.in_flight, stats.buffered_amount, stats.receive_buffered), (0, 0, 0), "nothing stays");
            if !self.is_ending {
                assert_eq!(from.closed, None);
                from.sent.agrees(&to.received);
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.is_ending = true;
        [A, Z].iter().for_each(|host| self.world[*host].association().shutdown());
        self.pass(Duration::from_secs(60));
        for host in [A, Z] {
            assert_eq!(self.world[host].closed, Some(CloseReason::Shutdown));
        }
    }
}
