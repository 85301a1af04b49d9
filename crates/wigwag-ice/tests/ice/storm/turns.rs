//! What happens turn by turn, and what is so when it is over.

use super::party::Party;
use super::signalling::{move_on, offer, take_back, trickle};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::State;
use wigwag_sansio::Rng;
use wigwag_sim::{A, Host, World, Z};

const S: Duration = Duration::from_secs(1);

pub(super) struct Storm<'a> {
    pub(super) world: &'a mut World<Party>,
    pub(super) rng: Rng,
    /// There may be no path.
    pub(super) may_fail: bool,
}

impl Storm<'_> {
    fn host(&mut self) -> Host {
        [A, Z][self.rng.below(2) as usize]
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.rng.below(below))
    }

    fn pass(&mut self, time: Duration) {
        let end = self.world.age() + time;
        while self.world.age() < end {
            self.world.run_for(Duration::from_millis(100));
            let now = self.world.now();
            for host in [A, Z] {
                self.world[host].holds(now);
                self.world[host].probe();
                trickle(self.world, host);
            }
        }
    }

    pub(super) fn turn(&mut self) {
        let (host, delay) = (self.host(), self.rng.u64());
        match self.rng.below(12) {
            0 | 1 => {
                move_on(self.world, host, delay);
                self.world.note("moved");
            }
            2 if offer(self.world, host, delay) => self.world.note("restart"),
            3 if take_back(self.world, host) => self.world.note("restart taken back"),
            4 => self.stop(host),
            5 => self.replay(host),
            _ => {}
        }
        let time = self.millis(2000);
        self.pass(time);
    }

    fn replay(&mut self, host: Host) {
        let now = self.world.now();
        for _ in 0..self.rng.below(200) {
            let (n, port) = (self.rng.below(64) as usize, 10_000 + self.rng.below(1000) as u16);
            let from = (!self.rng.one_in(4)).then(|| SocketAddr::from(([192, 0, 2, 1], port)));
            self.world[host].replay(n, from, now);
        }
        self.world.note("replayed");
    }

    fn stop(&mut self, host: Host) {
        let most = [500, 5000, 60_000][self.rng.below(3) as usize];
        self.world[host].stop();
        self.world.note("program stopped");
        let time = self.millis(most);
        self.world.run_for(time);
        let now = self.world.now();
        self.world[host].go_on(now);
        self.pass(Duration::from_millis(100));
    }

    /// Nobody is in doubt for ever, and who has failed begins anew: both have the same path in the end.
    pub(super) fn calm_down(&mut self) {
        self.world.links(A, Z, |link| _ = link.heal());
        let settled = 130 * S;
        self.pass(settled);
        let states = [A, Z].map(|host| self.world[host].agent.state());
        for state in states {
            let is_clear = matches!(state, State::Connected | State::Completed | State::Failed);
            assert!(is_clear, "{states:?}\n{}", self.story());
        }
        if states.contains(&State::Failed) {
            assert_eq!(states, [State::Failed; 2], "{}", self.story());
            self.world.note("failed");
            let delay = self.rng.u64();
            assert!(offer(self.world, A, delay), "offers are answered");
            self.pass(if self.may_fail { settled } else { 60 * S });
            self.world.note("rescued");
        }
        let are_failed = [A, Z].iter().all(|host| self.world[*host].agent.state() == State::Failed);
        if are_failed && self.may_fail {
            self.world.note("without a path");
        } else if ![A, Z].iter().any(|host| self.world[*host].is_unlucky) {
            self.have_one_path();
        }
    }

    /// Why all is as it is.
    fn story(&self) -> String {
        let of = |host: Host| {
            let agent = &self.world[host].agent;
            let decisions: Vec<_> = agent.decisions().map(|decision| format!("{decision}\n")).collect();
            let last = decisions.len().saturating_sub(40);
            let [local, remote] = [agent.local_candidates(), agent.remote_candidates()]
                .map(|of| of.iter().map(|candidate| candidate.address.to_string()).collect::<Vec<_>>().join(" "));
            let decisions = decisions[last..].concat();
            format!("{:?} {:?}\nours {local}\ntheirs {remote}\n{decisions}\n", agent.state(), agent.role())
        };
        [A, Z].map(of).concat()
    }

    fn have_one_path(&mut self) {
        for host in [A, Z] {
            self.world[host].probed = None;
        }
        self.pass(S);
        let paths = [A, Z].map(|host| self.world[host].agent.selected_path());
        assert!(paths.iter().all(Option::is_some), "{}", self.story());
        let probed = [A, Z].map(|host| self.world[host].probed);
        assert_eq!(probed, paths, "each sends where the other does\n{}", self.story());
        let roles = [A, Z].map(|host| self.world[host].agent.role());
        assert_ne!(roles[0], roles[1]);
    }
}
