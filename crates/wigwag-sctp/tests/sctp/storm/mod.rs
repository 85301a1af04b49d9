//! Both ends do everything at once, over a path on which everything goes wrong: whatever was promised holds.

mod book;
mod party;
mod turns;

use crate::common::{config, dissect};
use party::{MESSAGE_LEN_MAX, Party, STREAMS};
use std::time::Duration;
use turns::{Calamity, Storm};
use wigwag_sansio::{Rng, Seed};
use wigwag_sctp::{Config, CongestionControl, Scheduler};
use wigwag_sim::swarm::{self, Draw, Kind};
use wigwag_sim::{A, Hit, Wire, World, Z};

const PHASES: [&str; 3] = ["storm", "calm", "closing"];
const KINDS: [Kind; 9] = [
    Kind::Loss,
    Kind::Bursts,
    Kind::Down,
    Kind::Duplication,
    Kind::Reordering,
    Kind::Jitter,
    Kind::Rate,
    Kind::BlackHole,
    Kind::Corruption,
];
const NOTES: [&str; 16] = [
    "message",
    "message in parts",
    "message abandoned",
    "given up in parts",
    "part told",
    "incompleteness told",
    "stream reset",
    "refused amid a reset",
    "refused amid a message",
    "refused for want of room",
    "refused amid the end",
    "reader sleeps",
    "program stopped",
    "crash",
    "restart told",
    "shutdown",
];

fn drawn(draw: &mut Draw, interleaving: bool) -> Config {
    let controls = [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr];
    let schedulers =
        [Scheduler::RoundRobin, Scheduler::WeightedFair, Scheduler::Priority, Scheduler::FirstComeFirstServed];
    config(|config| {
        config.interleaving = interleaving;
        config.streams_max = STREAMS;
        config.initial_tsn = Some(u32::MAX - draw.number("TSNs before they wrap", 0..=50) as u32);
        config.mtu = draw.number("MTU", 512..=1200) as usize;
        config.mtu_max = draw.pick("longest MTU", &[0, 1300]);
        config.congestion_control = draw.pick("control", &controls);
        config.scheduler = draw.pick("scheduler", &schedulers);
        config.partial_delivery_from = draw.pick("parts from", &[None, Some(300), Some(5000), Some(20_000)]);
        if draw.chance("little room", 50) {
            config.receive_window = draw.number("window", 20_000..=80_000) as u32;
            config.message_len_max_receive = MESSAGE_LEN_MAX as usize + 2000;
            config.send_buffer = draw.number("send buffer", 40_000..=200_000) as usize;
            (config.receive_window_max, config.send_buffer_max) = (0, 0);
        }
    })
}

/// One connects, or both do.
fn begin(draw: &mut Draw, world: &mut World<Party>, configs: &[Config; 2]) {
    for (n, name) in ["A", "Z"].into_iter().enumerate() {
        let wire = Wire::pair()[n];
        let party = Party::new(configs[n].clone(), draw.seed().wrapping_mul(2).wrapping_add(n as u64), wire);
        let host = world.add(name, &[wire.local], party);
        if n == 0 || draw.chance("both connect", 50) {
            world[host].association().connect();
        }
    }
}

fn spoil(draw: &mut Draw, world: &mut World<Party>) {
    let (loss, duplication) = (draw.pick("loss", &[0.0, 5.0, 20.0, 40.0]), draw.pick("duplication", &[0.0, 3.0, 10.0]));
    let jitter = Duration::from_millis(draw.pick("jitter", &[0, 5, 50]));
    world.links(A, Z, |link| {
        link.latency(Duration::from_millis(10)).loss(loss).duplication(duplication).jitter(jitter);
    });
    swarm::faults(draw, world, [A, Z], &PHASES[..1], &KINDS);
}

fn storms(draw: &mut Draw, world: &mut World<Party>) {
    world.dissector(dissect);
    let interleaving = draw.chance("interleaving", 50);
    let configs = ["A", "Z"].map(|name| draw.within(name, |draw| drawn(draw, interleaving)));
    begin(draw, world, &configs);
    let calamity = draw.pick("calamity", &Calamity::ALL);
    let rng = Rng::new(Seed::for_test(draw.seed()).fork("storm"));
    let mut storm = Storm { world, rng, calamity, configs, has_struck: false, is_ending: false };
    draw.list("storms", 1..=8, |draw| {
        spoil(draw, storm.world);
        storm.world.phase(PHASES[0]);
        let most = draw.pick("turns at most", &[40, 40, 300]);
        (0..draw.number("turns", 1..=most)).for_each(|_| storm.turn());
        storm.world.phase(PHASES[1]);
        storm.calm_down();
        storm.everything_has_arrived();
    });
    storm.world.phase(PHASES[2]);
    storm.close();
    storm.everything_has_arrived();
}

#[test]
fn whatever_is_done_at_once_keeps_its_promises() {
    let tally = swarm::run(50, storms);
    tally.assert_hit(&PHASES[..1], &KINDS.map(Kind::hit));
    tally.assert_hit(&PHASES[..1], &NOTES.map(Hit::Event));
}
