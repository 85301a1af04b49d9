//! Both agents move, begin anew and sleep while everything goes wrong on the way: whatever was promised holds.

mod party;
mod signalling;
mod turns;

use crate::config;
use party::Party;
use turns::Storm;
use wigwag_ice::Role;
use wigwag_sansio::{Rng, Seed};
use wigwag_sim::swarm::{self, Draw, Kind, STUN_SERVER};
use wigwag_sim::{A, Behavior, Hit, World, Z};

const PHASES: [&str; 2] = ["storm", "calm"];
const KINDS: [Kind; 9] = [
    Kind::Loss,
    Kind::Bursts,
    Kind::Down,
    Kind::Duplication,
    Kind::Reordering,
    Kind::Jitter,
    Kind::Delay,
    Kind::Corruption,
    Kind::Reboot,
];
const NOTES: [&str; 6] = ["moved", "restart", "restart taken back", "program stopped", "role conflict", "replayed"];
const ENDS: [&str; 3] = ["failed", "rescued", "without a path"];

/// Where they are, and who takes itself for whom.
fn begin(draw: &mut Draw, world: &mut World<Party>, mappings: &[Behavior]) {
    let homes = swarm::homes(draw, world, mappings);
    let roles = [Role::Controlling, Role::Controlled].map(|usual| {
        let is_wrong = draw.chance(&format!("another takes itself for {usual:?}"), 20);
        if is_wrong { [Role::Controlling, Role::Controlled][usize::from(usual == Role::Controlling)] } else { usual }
    });
    for (n, (home, role)) in homes.into_iter().zip(roles).enumerate() {
        let mut config = config(role);
        config.pairs_max = draw.pick(&format!("pairs of {n}"), &[100, 100, 3]);
        let party = Party::new(config, draw.seed() * 2 + n as u64, home.address);
        world.add_behind(home.realm, ["A", "Z"][n], &[home.address], party);
    }
    world.add("S", &[STUN_SERVER], Party::new(config(Role::Controlled), u64::MAX, STUN_SERVER));
    for host in [A, Z] {
        world[host].agent.add_stun_server(STUN_SERVER);
        signalling::gather(world, host);
    }
}

fn storms(draw: &mut Draw, world: &mut World<Party>) {
    world.dissector(crate::dissect);
    // With NATs that map differently for each remote there may be no path.
    let may_fail = draw.chance("NATs are symmetric", 20);
    begin(draw, world, if may_fail { &Behavior::ALL[1..] } else { &Behavior::ALL[..1] });
    let rng = Rng::new(Seed::for_test(draw.seed()).fork("storm"));
    let mut storm = Storm { world, rng, may_fail };
    storm.world.phase(PHASES[0]);
    if storm.world[A].agent.role() == storm.world[Z].agent.role() {
        storm.world.note("role conflict");
    }
    signalling::offer(storm.world, A, storm.rng.u64());
    draw.list("storms", 1..=4, |draw| {
        swarm::faults(draw, storm.world, [A, Z], &PHASES[..1], &KINDS);
        storm.world.phase(PHASES[0]);
        let most = draw.pick("turns at most", &[5, 20, 60]);
        (0..draw.number("turns", 1..=most)).for_each(|_| storm.turn());
        storm.world.phase(PHASES[1]);
        storm.calm_down();
    });
}

#[test]
fn whatever_happens_at_once_both_have_the_same_path_or_are_told_why_not() {
    let tally = swarm::run(60, storms);
    tally.assert_hit(&PHASES[..1], &KINDS.map(Kind::hit));
    tally.assert_hit(&PHASES[..1], &NOTES.map(Hit::Event));
    tally.assert_hit(&PHASES[1..], &ENDS.map(Hit::Event));
}
