//! Calls between homes behind NATs, over paths on which things go wrong for a while, each drawn from a seed: they
//! connect, deliver every message once and in order both ways, and end at both ends.

use crate::common::{Peer, VERSIONS, config, dissect};
use crate::gathering::{Party, StunServer, call, negotiate, peer};
use crate::invariants;
use bytes::Bytes;
use std::time::Duration;
use wigwag::{ConnectionState, PeerConnection, Seed, SendError, Version};
use wigwag_sim::swarm::{self, Draw, Kind};
use wigwag_sim::{Behavior, Fate, Host, World};

const PHASES: [&str; 3] = ["connecting", "transfer", "closing"];
const LABEL: &str = "swarm";
const KINDS: [Kind; 11] = [
    Kind::Down,
    Kind::Loss,
    Kind::Bursts,
    Kind::BlackHole,
    Kind::Delay,
    Kind::Jitter,
    Kind::Rate,
    Kind::Reordering,
    Kind::Duplication,
    Kind::Truncation,
    Kind::Reboot,
];
/// How long applications wait for a path to come back by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets time pass and does as applications do: who called begins ICE anew if the path stays away, for a NAT that has
/// forgotten everything gives other addresses.
struct Call {
    hosts: [Host; 2],
    /// Since when somebody has had no path.
    without: Option<Duration>,
}

impl Call {
    fn until(
        &mut self,
        world: &mut World<Party>,
        what: &str,
        seconds: u32,
        is_done: impl Fn(&mut World<Party>) -> bool,
    ) {
        let end = world.age() + Duration::from_secs(seconds.into());
        while !is_done(world) {
            assert!(world.age() < end, "{what} took more than {seconds} s");
            self.pass(world);
        }
    }

    fn pass(&mut self, world: &mut World<Party>) {
        world.run_for(Duration::from_millis(100));
        let states = self.hosts.map(|host| peer(world, host).state);
        if states[0] == ConnectionState::Closed {
            // Who has hung up does not call again.
        } else if states.contains(&ConnectionState::Failed) {
            self.restart(world);
        } else if states.contains(&ConnectionState::Disconnected) {
            let since = *self.without.get_or_insert(world.age());
            if world.age() - since >= PATIENCE {
                self.restart(world);
            }
        } else {
            self.without = None;
        }
    }

    fn restart(&mut self, world: &mut World<Party>) {
        let connection = &mut peer(world, self.hosts[0]).connection;
        connection.restart_ice().unwrap();
        negotiate(world, self.hosts);
        self.without = Some(world.age());
    }

    /// Messages of both, in order, each as often as it was sent.
    fn exchange(&mut self, world: &mut World<Party>, lens: &[usize]) {
        let hosts = self.hosts;
        let message = |from: usize, n: usize| {
            let len = lens.get(n).copied().unwrap_or_default();
            let byte = u8::try_from((n * 2 + from) % 256).unwrap_or_default();
            Bytes::from(vec![byte; len])
        };
        let mut sent = [0; 2];
        let all = |world: &mut World<Party>| hosts.iter().all(|host| peer(world, *host).messages.len() >= lens.len());
        for _ in 0..3000 {
            for (from, host) in hosts.into_iter().enumerate() {
                let peer = peer(world, host);
                let channel = peer.channels[LABEL];
                while sent[from] < lens.len() {
                    match peer.connection.send(channel, message(from, sent[from]), true) {
                        Ok(()) => sent[from] += 1,
                        Err(SendError::Full(_)) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            if all(world) {
                break;
            }
            self.pass(world);
        }
        for (to, host) in hosts.into_iter().enumerate() {
            let received: Vec<_> = peer(world, host).messages.iter().map(|(_, data, _)| data.clone()).collect();
            let expected: Vec<_> = (0..lens.len()).map(|n| message(1 - to, n)).collect();
            assert!(received == expected, "{} of {} messages, or others", received.len(), expected.len());
        }
    }
}

fn scenario(draw: &mut Draw, world: &mut World<Party>) {
    world.dissector(dissect);
    let homes = swarm::homes(draw, world, &[Behavior::EndpointIndependent]);
    let seed = draw.seed();
    // Of both versions, for invariants that can be seen from outside in one of them only.
    let newest = VERSIONS[(seed % 2) as usize];
    let hosts = [0, 1].map(|n| {
        let mut config = config();
        config.stun_servers = vec![swarm::STUN_SERVER];
        config.dtls_versions = Version::Dtls12..=newest;
        let mut connection = PeerConnection::new(config, Seed::for_test(seed.wrapping_mul(2).wrapping_add(n)));
        let home = homes[n as usize];
        connection.add_local_address(home.address).unwrap();
        let party = Party::Peer(Box::new(Peer::new(connection)));
        world.add_behind(home.realm, ["A", "Z"][n as usize], &[home.address], party)
    });
    let server = StunServer::default();
    world.add("S", &[swarm::STUN_SERVER], Party::Stun(server));
    swarm::faults(draw, world, hosts, &PHASES, &KINDS);
    // What is altered in spite of UDP's checksum ends a handshake, whose hellos nobody authenticates.
    draw.within("altered", |draw| swarm::faults(draw, world, hosts, &PHASES[1..], &[Kind::Corruption]));
    let lens = draw.list("messages", 1..=20, |draw| draw.number("len", 0..=30_000));
    let lens: Vec<_> = lens.into_iter().map(|len| usize::try_from(len).unwrap_or_default()).collect();
    let last_words = vec![0; usize::try_from(draw.number("last words", 0..=30_000)).unwrap_or_default()];

    world.phase(PHASES[0]);
    call(world, hosts, LABEL);
    let mut call = Call { hosts, without: None };
    call.until(world, "connecting", 60, |world| {
        hosts.iter().all(|host| {
            let peer = peer(world, *host);
            peer.state == ConnectionState::Connected && peer.channels.contains_key(LABEL)
        })
    });
    world.phase(PHASES[1]);
    call.exchange(world, &lens);
    world.phase(PHASES[2]);
    // Z is still talking when A hangs up: nobody promises that this is heard.
    let talker = peer(world, hosts[1]);
    talker.connection.send(talker.channels[LABEL], last_words.into(), true).unwrap();
    world.run_for(Duration::from_millis(20));
    peer(world, hosts[0]).connection.close();
    // A goodbye that is lost is noticed by the silence (RFC 7675: 30 s), after which the user gives up.
    call.until(world, "closing", 60, |world| {
        let state = peer(world, hosts[1]).state;
        peer(world, hosts[0]).closed.is_some() && matches!(state, ConnectionState::Closed | ConnectionState::Failed)
    });
    invariants::hold(world.trace().records());
}

/// With so many worlds everything that is frequent must have been tried while calls are set up, too, which takes few datagrams.
const WORLDS_THAT_TRY_HANDSHAKES: u64 = 200;
/// With so many worlds everything must have been tried in every phase; fewer try most of it.
const WORLDS_THAT_TRY_ALL: u64 = 1000;

#[test]
fn calls_survive_what_passes() {
    let tally = swarm::run(100, scenario);
    let fates = [Fate::Lost, Fate::Down, Fate::Duplicated, Fate::Reordered, Fate::Truncated];
    tally.assert_hit(&PHASES[1..2], &fates.map(Into::into));
    if wigwag_sim::seeds(40).end >= WORLDS_THAT_TRY_HANDSHAKES {
        tally.assert_hit(&PHASES[..1], &fates.map(Into::into));
    }
    tally.assert_hit(&PHASES[1..2], &[Fate::Corrupted.into()]);
    if wigwag_sim::seeds(100).end >= WORLDS_THAT_TRY_ALL {
        tally.assert_hit(&PHASES, &KINDS.map(Kind::hit));
        tally.assert_hit(&PHASES[1..], &[Kind::Corruption.hit()]);
    }
}
