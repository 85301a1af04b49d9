//! Two sessions send and receive sound and pictures at once, over a path on which everything goes wrong: whatever was
//! promised holds, and what is reported is what a separate count says.

mod book;
mod party;
mod reports;

use party::Party;
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};
use wigwag_sim::swarm::{self, Draw, Kind};
use wigwag_sim::{A, Hit, Host, Wire, World, Z};

const PHASES: [&str; 2] = ["storm", "calm"];
const KINDS: [Kind; 8] = [
    Kind::Loss,
    Kind::Bursts,
    Kind::Down,
    Kind::Duplication,
    Kind::Reordering,
    Kind::Jitter,
    Kind::Rate,
    Kind::BlackHole,
];
const NOTES: [&str; 10] = [
    "frame",
    "refused for want of room",
    "key frame asked for",
    "frames lost",
    "frame that cannot be decoded",
    "packet sent again",
    "packet at its pace",
    "reader sleeps",
    "program stopped",
    "sender pauses",
];

struct Storm<'a> {
    world: &'a mut World<Party>,
    rng: Rng,
    /// Nothing happens that retransmissions cannot make good.
    is_mild: bool,
}

impl Storm<'_> {
    fn host(&mut self) -> Host {
        [A, Z][self.rng.below(2) as usize]
    }

    fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.rng.below(below))
    }

    fn turn(&mut self) {
        let now = self.world.now();
        for host in [A, Z] {
            self.world[host].act(&mut self.rng, now);
        }
        if !self.is_mild {
            self.strike();
        }
        let time = Duration::from_millis(5) + self.millis(40);
        self.pass(time);
    }

    fn strike(&mut self) {
        let host = self.host();
        match self.rng.below(120) {
            0 if self.world[host].is_reading => {
                self.world[host].is_reading = false;
                self.world.note("reader sleeps");
                let awake = self.world.age() + self.millis(3000);
                self.world.at(awake, move |world| world[host].is_reading = true);
            }
            1 => {
                self.world[host].is_stopped = true;
                self.world.note("program stopped");
                let time = self.millis(8000);
                self.pass(time);
                let now = self.world.now();
                self.world[host].go_on(now);
            }
            2 => {
                self.world.note("sender pauses");
                let time = self.millis(20_000);
                self.pass(time);
            }
            _ => {}
        }
    }

    fn pass(&mut self, time: Duration) {
        self.world.run_for(time);
        for host in [A, Z] {
            for note in std::mem::take(&mut self.world[host].notes) {
                self.world.note(note);
            }
        }
    }

    /// What was lost last is missed only when more comes.
    fn calm_down(&mut self) {
        self.world.links(A, Z, |link| _ = link.heal());
        self.world.phase(PHASES[1]);
        self.pass(Duration::from_secs(3));
        for host in [A, Z] {
            self.world[host].is_reading = true;
        }
        for _ in 0..100 {
            let now = self.world.now();
            [A, Z].iter().for_each(|host| self.world[*host].act(&mut self.rng, now));
            self.pass(Duration::from_millis(40));
        }
        self.pass(Duration::from_secs(30));
    }

    fn books_agree(&mut self) {
        for (from, to) in [(A, Z), (Z, A)] {
            let sent = self.world[from].sent();
            self.world[from].is_at_rest();
            self.world[to].agrees(&sent, self.is_mild);
        }
    }
}

fn storms(draw: &mut Draw, world: &mut World<Party>) {
    let is_mild = draw.chance("mild", 30);
    for (n, name) in ["A", "Z"].into_iter().enumerate() {
        let wire = Wire::pair()[n];
        let party = draw.within(name, |draw| Party::new(draw, n as u64, wire));
        world.add(name, &[wire.local], party);
    }
    let (a, z) = (world[A].speaks(), world[Z].speaks());
    world[A].expect(&z);
    world[Z].expect(&a);
    let rng = Rng::new(Seed::for_test(draw.seed()).fork("storm"));
    let mut storm = Storm { world, rng, is_mild };
    let (loss, duplication) = (draw.pick("loss", &[0.0, 2.0, 10.0]), draw.pick("duplication", &[0.0, 3.0]));
    let jitter = Duration::from_millis(draw.pick("jitter", &[0, 5, 50]));
    storm.world.links(A, Z, |link| {
        link.latency(Duration::from_millis(10)).loss(loss).duplication(duplication).jitter(jitter);
    });
    if !is_mild {
        swarm::faults(draw, storm.world, [A, Z], &PHASES[..1], &KINDS);
    }
    storm.world.phase(PHASES[0]);
    let most = draw.pick("turns at most", &[100, 400]);
    (0..draw.number("turns", 20..=most)).for_each(|_| storm.turn());
    storm.calm_down();
    storm.books_agree();
}

#[test]
fn whatever_is_sent_and_lost_at_once_is_told_and_reported_as_it_was() {
    let tally = swarm::run(50, storms);
    tally.assert_hit(&PHASES[..1], &KINDS.map(Kind::hit));
    tally.assert_hit(&PHASES[..1], &NOTES.map(Hit::Event));
}
