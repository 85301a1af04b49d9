//! ICE begins anew while data and media go on; addresses come and go.

use crate::common::{Peer, answer, connect_with_channel, connected_with_channel, offer, pair};
use bytes::Bytes;
use std::time::Duration;
use wigwag::{
    ConnectionState, DataChannelInit, Direction, IceCandidate, MediaKind, RtpPacket, SessionDescription,
    SignalingState, TransceiverId,
};
use wigwag_sim::{A, Host, World, Z, address, seeds};
use wigwag_stun::{IntegrityKey, MessageWriter, TransactionId};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const BOTH: [Host; 2] = [A, Z];

const fn other(host: Host) -> Host {
    if matches!(host, A) { Z } else { A }
}

/// Messages and packets that leave both ends every 20 ms, numbered.
struct Flow {
    sent: u32,
    media: [TransceiverId; 2],
}

impl Flow {
    /// A call with sound and a channel.
    fn begin(seed: u64) -> (World<Peer>, Self) {
        let mut world = pair(seed);
        world.links(A, Z, |link| {
            link.latency(20 * MS);
        });
        let a = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
        let z = world[Z].connection.add_track(MediaKind::Audio).unwrap();
        connect_with_channel(&mut world, "flow", DataChannelInit::default());
        (world, Self { sent: 0, media: [a, z] })
    }

    fn run(&mut self, world: &mut World<Peer>, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            let number = Bytes::copy_from_slice(&self.sent.to_be_bytes());
            for (host, transceiver) in BOTH.into_iter().zip(self.media) {
                let Peer { connection, channels, .. } = &mut world[host];
                connection.send(channels["flow"], number.clone(), true).unwrap();
                let packet = RtpPacket::new(111, self.sent.wrapping_mul(960), number.clone());
                // While there is no path the queue may be full: what is not sent is not missed.
                let _ = connection.write_packet(transceiver, packet);
            }
            self.sent += 1;
            world.run_for(20 * MS);
        }
    }

    /// Everything has arrived, once and in order.
    fn end(&self, world: &mut World<Peer>, what: &str) {
        let all = self.sent as usize;
        for _ in 0..600 {
            if BOTH.iter().all(|host| world[*host].messages.len() >= all) {
                break;
            }
            world.run_for(100 * MS);
        }
        for host in BOTH {
            let arrived =
                world[host].messages.iter().map(|(_, data, _)| u32::from_be_bytes(data[..].try_into().unwrap()));
            assert!(arrived.eq(0..self.sent), "{what}: {} of {all} at {host:?}, or others", world[host].messages.len());
        }
    }

    fn packets(&self, world: &World<Peer>, host: Host) -> Vec<u32> {
        let payloads = world[host].packets.iter().map(|received| &received.packet.payload);
        payloads.map(|payload| u32::from_be_bytes(payload[..].try_into().unwrap())).collect()
    }
}

fn ufrags(world: &World<Peer>) -> [String; 2] {
    BOTH.map(|host| world[host].connection.local_ufrag().to_owned())
}

fn count(peer: &Peer, what: &str) -> usize {
    peer.events.iter().filter(|event| event.starts_with(what)).count()
}

fn has_path(world: &World<Peer>, host: Host) -> bool {
    world[host].connection.transport_stats().path.is_some()
}

/// Both ends, seen from each other.
fn is_mirrored(world: &World<Peer>) -> bool {
    let paths = BOTH.map(|host| world[host].connection.transport_stats().path);
    matches!(paths, [Some(a), Some(z)] if a.local == z.remote && a.remote == z.local)
}

/// I10: a check with credentials that are over gets no answer, and opens nothing.
fn assert_over(world: &mut World<Peer>, host: Host, [ufrag, password]: &[String; 2]) {
    let mut check = Vec::new();
    MessageWriter::request(&mut check, TransactionId([9; 12]))
        .username(&format!("{ufrag}:x"))
        .priority(1)
        .use_candidate()
        .ice_controlling(u64::MAX)
        .integrity(&IntegrityKey::short_term(password))
        .fingerprint();
    let stranger = "10.9.9.9:9".parse().unwrap();
    let now = world.now();
    let unknown = |world: &World<Peer>| {
        let drops = world[host].connection.drops();
        drops.iter().find(|(name, _)| *name == "ice.unknown_ufrag").map(|(_, count)| *count)
    };
    let before = unknown(world);
    world[host].connection.handle_input(wigwag::Datagram::udp(address(host), stranger, &mut check), now);
    let sent = world.trace().count();
    world.run_for(MS);
    let to_stranger = world.trace().records().iter().filter(|record| record.to == stranger).count();
    assert_eq!((unknown(world), to_stranger), (before.map(|before| before + 1), 0), "{host:?} after {sent}");
}

fn credentials(world: &World<Peer>, host: Host) -> [String; 2] {
    let sdp = world[host].connection.local_description().unwrap().sdp;
    ["a=ice-ufrag:", "a=ice-pwd:"].map(|name| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned())
}

/// What the offerer and the answerer do, with signalling that takes its time.
fn restart(world: &mut World<Peer>, flow: &mut Flow, who: Host, signalling: Duration) {
    let needed = count(&world[who], "NegotiationNeeded");
    world[who].connection.restart_ice().unwrap();
    world.run_for(MS);
    assert_eq!(count(&world[who], "NegotiationNeeded"), needed + 1);
    let offer = offer(world, who);
    flow.run(world, signalling);
    let answer = answer(world, other(who), offer);
    flow.run(world, signalling);
    world[who].connection.set_remote_description(answer).unwrap();
    world.run_for(MS);
    assert_eq!(count(&world[who], "NegotiationNeeded"), needed + 1, "once");
}

#[test]
fn data_and_media_go_on_through_a_restart_from_either_side() {
    for seed in seeds(200) {
        let (mut world, mut flow) = Flow::begin(seed);
        let loss = [0.0, 5.0][(seed % 2) as usize];
        world.links(A, Z, |link| {
            link.loss(loss);
        });
        flow.run(&mut world, S / 5);
        let who = BOTH[(seed / 2 % 2) as usize];
        let signalling = MS * u32::try_from(seed * 53 % 1500).unwrap();
        let before = ufrags(&world);
        let old = BOTH.map(|host| credentials(&world, host));
        restart(&mut world, &mut flow, who, signalling);
        for _ in 0..50 {
            flow.run(&mut world, 20 * MS);
            assert!(BOTH.iter().all(|host| has_path(&world, *host)), "seed {seed}");
        }
        flow.end(&mut world, &format!("seed {seed}"));
        let after = ufrags(&world);
        assert!(before[0] != after[0] && before[1] != after[1], "seed {seed}");
        for host in BOTH {
            let packets = flow.packets(&world, host);
            assert!(packets.windows(2).all(|pair| pair[0] < pair[1]) || loss > 0.0, "doubled or out of order");
            let distinct: std::collections::BTreeSet<_> = packets.iter().collect();
            assert_eq!(distinct.len(), packets.len(), "seed {seed}: a packet came twice");
            assert!(loss > 0.0 || packets.len() == flow.sent as usize, "seed {seed}: {} packets", packets.len());
            assert_eq!(count(&world[host], "ConnectionStateChanged"), 2, "seed {seed}: {:?}", world[host].events);
        }
        // In half a minute at 5 % all questions for consent are lost once in some ten thousand times.
        world.links(A, Z, |link| {
            link.loss(0.0);
        });
        world.run_for(61 * S);
        for (host, old) in BOTH.into_iter().zip(&old) {
            assert_eq!(world[host].state, ConnectionState::Connected, "seed {seed}");
            assert_over(&mut world, host, old);
        }
        assert!(is_mirrored(&world), "seed {seed}");
    }
}

/// An offer of a restart may be taken back by who made it, or refused by who got it: nothing has changed then.
#[test]
fn a_restart_that_is_rolled_back_changes_nothing() {
    for (seed, who) in [(200, A), (201, Z)] {
        for is_remote in [false, true] {
            let (mut world, mut flow) = Flow::begin(seed);
            let before = ufrags(&world);
            world[who].connection.restart_ice().unwrap();
            world.run_for(MS);
            let told = count(&world[who], "NegotiationNeeded");
            let anew = offer(&mut world, who);
            assert_ne!(world[who].connection.local_ufrag(), before[usize::from(who == Z)]);
            flow.run(&mut world, S);
            let rollback = SessionDescription { kind: wigwag::SdpType::Rollback, sdp: String::new() };
            if is_remote {
                world[other(who)].connection.set_remote_description(anew).unwrap();
                world[other(who)].connection.create_answer().unwrap();
                flow.run(&mut world, S);
                world[other(who)].connection.set_remote_description(rollback.clone()).unwrap();
            }
            let of_the_new = credentials(&world, who);
            world[who].connection.set_local_description(rollback).unwrap();
            assert_eq!(ufrags(&world), before);
            assert_over(&mut world, who, &of_the_new);
            flow.run(&mut world, 90 * S);
            assert!(is_mirrored(&world) && BOTH.iter().all(|host| has_path(&world, *host)));
            assert_eq!(count(&world[who], "ConnectionStateChanged"), 2, "{:?}", world[who].events);
            // It is still wanted, and works the second time.
            assert_eq!(count(&world[who], "NegotiationNeeded"), told + 1);
            let offer = offer(&mut world, who);
            let answer = answer(&mut world, other(who), offer);
            world[who].connection.set_remote_description(answer).unwrap();
            flow.run(&mut world, 2 * S);
            let after = ufrags(&world);
            assert!(before[0] != after[0] && before[1] != after[1]);
            flow.end(&mut world, "rolled back");
        }
    }
}

/// W3C's perfect negotiation: the polite peer gives way, and both have what they wanted with one answer.
#[test]
fn both_may_restart_at_once() {
    for (seed, polite) in [(202, A), (203, Z)] {
        let (mut world, mut flow) = Flow::begin(seed);
        let before = ufrags(&world);
        for host in BOTH {
            world[host].connection.restart_ice().unwrap();
        }
        let _ignored = offer(&mut world, polite);
        let offer = offer(&mut world, other(polite));
        flow.run(&mut world, S);
        let answer = answer(&mut world, polite, offer);
        flow.run(&mut world, S);
        world[other(polite)].connection.set_remote_description(answer).unwrap();
        flow.run(&mut world, 2 * S);
        let after = ufrags(&world);
        assert!(before[0] != after[0] && before[1] != after[1]);
        let told = BOTH.map(|host| count(&world[host], "NegotiationNeeded"));
        flow.run(&mut world, 60 * S);
        assert_eq!(BOTH.map(|host| count(&world[host], "NegotiationNeeded")), told, "nobody wants another");
        assert!(is_mirrored(&world));
        flow.end(&mut world, "both");
    }
}

/// Also what was sent while there was no path arrives.
#[test]
fn a_call_that_has_lost_its_path_begins_anew() {
    for (seed, silence, state) in [(204, 12, ConnectionState::Disconnected), (205, 50, ConnectionState::Failed)] {
        for who in BOTH {
            let (mut world, mut flow) = Flow::begin(seed);
            world.links(A, Z, |link| {
                link.loss(100.0);
            });
            flow.run(&mut world, S * silence);
            for host in BOTH {
                assert_eq!(world[host].state, state);
                let failed = usize::from(state == ConnectionState::Failed);
                assert_eq!(count(&world[host], "IceFailed"), failed);
                assert_eq!(world[host].connection.ice_failure().is_some(), failed == 1);
            }
            world.links(A, Z, |link| {
                link.loss(0.0);
            });
            restart(&mut world, &mut flow, who, 200 * MS);
            flow.run(&mut world, 5 * S);
            assert!(BOTH.iter().all(|host| world[*host].state == ConnectionState::Connected), "{state}");
            assert!(world[who].connection.ice_failure().is_none());
            flow.end(&mut world, &state.to_string());
        }
    }
}

#[test]
fn a_failure_is_told_before_its_state_with_an_advice() {
    let mut world = connected_with_channel(206, "flow", DataChannelInit::default());
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_for(40 * S);
    let events = &world[A].events;
    let told = events.iter().position(|event| event.starts_with("IceFailed")).expect("a failure");
    assert!(events[told].contains("consent") && events[told].contains("Decision {"), "{}", events[told]);
    assert_eq!(events[told + 1], "IceConnectionStateChanged(Failed)");
    let failure = world[A].connection.ice_failure().unwrap().clone();
    let text = failure.to_string();
    assert!(text.contains("restart ICE") && text.lines().count() > 2, "{text}");
    assert!(failure.to_json().starts_with(r#"{"advice":"the peer does not consent"#), "{}", failure.to_json());
    assert!(world[A].connection.ice_decisions().count() >= failure.last.len());
}

/// As a full agent in front of a lite one: whoever says `a=ice-lite` is never the controlling one.
#[test]
fn a_lite_peer_is_restarted_too() {
    let mut world = pair(207);
    let lite = |mut description: SessionDescription| {
        description.sdp = description.sdp.replacen("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 1);
        description
    };
    world[Z].connection.create_data_channel("flow", DataChannelInit::default()).unwrap();
    for generation in 0..3 {
        let before = ufrags(&world);
        let offer = offer(&mut world, Z);
        let answer = lite(answer(&mut world, A, offer));
        world[Z].connection.set_remote_description(answer).unwrap();
        world.run_for(5 * S);
        assert!(is_mirrored(&world), "{generation}");
        assert_eq!(world[Z].state, ConnectionState::Connected, "{generation}");
        assert!(generation == 0 || before != ufrags(&world));
        world[Z].connection.restart_ice().unwrap();
    }
}

#[test]
fn before_there_is_anything_to_restart_nothing_is_needed() {
    let mut world = pair(208);
    world[A].connection.restart_ice().unwrap();
    world.run_for(MS);
    assert_eq!(count(&world[A], "NegotiationNeeded"), 0);
    // While an offer is on its way, the restart is another's.
    world[A].connection.create_data_channel("flow", DataChannelInit::default()).unwrap();
    let first = offer(&mut world, A);
    world[A].connection.restart_ice().unwrap();
    let answer_z = answer(&mut world, Z, first);
    world[A].connection.set_remote_description(answer_z).unwrap();
    let before = ufrags(&world);
    world.run_for(S);
    assert_eq!(count(&world[A], "NegotiationNeeded"), 1);
    // An offer that replaces one not answered yet has credentials of its own.
    let unanswered = offer(&mut world, A);
    world[A].connection.restart_ice().unwrap();
    let offer_a = offer(&mut world, A);
    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).map(str::to_owned);
    assert_ne!(ufrag(&unanswered.sdp), ufrag(&offer_a.sdp));
    let answer_z = answer(&mut world, Z, offer_a);
    world[A].connection.set_remote_description(answer_z).unwrap();
    world.run_for(5 * S);
    let after = ufrags(&world);
    assert!(before[0] != after[0] && before[1] != after[1] && is_mirrored(&world));
    assert_eq!((count(&world[A], "NegotiationNeeded"), world[A].state), (1, ConnectionState::Connected));
    assert_eq!(world[A].connection.signaling_state(), SignalingState::Stable);
    world[A].connection.close();
    assert!(world[A].connection.restart_ice().is_err());
}

/// What was told of one generation is not taken for the other's.
#[test]
fn candidates_are_told_again_and_are_those_of_their_generation() {
    let mut world = connected_with_channel(209, "flow", DataChannelInit::default());
    world.run_for(S);
    let old = ufrags(&world);
    let told = world[A].events.len();
    world[A].connection.restart_ice().unwrap();
    let without = |mut description: SessionDescription| {
        let is_kept = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
        description.sdp = description.sdp.split_inclusive('\n').filter(is_kept).collect();
        description
    };
    let offer_a = without(offer(&mut world, A));
    world.run_for(MS);
    let events = world[A].events[told..].join("\n");
    let new = ufrags(&world);
    let order = [
        "IceGatheringStateChanged(Gathering)",
        "IceCandidate(Some(",
        "IceCandidate(None)",
        "IceGatheringStateChanged(Complete)",
    ];
    let places: Vec<_> =
        order.iter().map(|what| events.find(what).unwrap_or_else(|| panic!("{what}: {events}"))).collect();
    assert!(places.is_sorted() && events.contains(&new[0]) && !events.contains(&old[0]), "{events}");
    // Z has the offer and has not answered: candidates of either generation, and an end of the old one.
    world[Z].connection.set_remote_description(offer_a).unwrap();
    let candidate = |ufrag: &str, port: u16| {
        let mut candidate = IceCandidate::new(format!("candidate:1 1 udp 2130706431 10.0.0.1 {port} typ host"));
        (candidate.sdp_mid, candidate.username_fragment) = (Some("0".into()), Some(ufrag.into()));
        candidate
    };
    let z = &mut world[Z].connection;
    z.add_ice_candidate(Some(&candidate(&old[0], 7777))).unwrap();
    z.add_ice_candidate(Some(&candidate(&new[0], address(A).port()))).unwrap();
    let end_of_old = IceCandidate { candidate: String::new(), ..candidate(&old[0], 0) };
    z.add_ice_candidate(Some(&end_of_old)).unwrap();
    let answer_z = z.create_answer().unwrap();
    z.set_local_description(answer_z).unwrap();
    let answer_z = without(z.local_description().unwrap());
    world[A].connection.set_remote_description(answer_z).unwrap();
    world.run_for(2 * S);
    assert!(is_mirrored(&world));
    let z = &world[Z].connection;
    assert_eq!(z.ice_connection_state(), wigwag::IceConnectionState::Connected, "there may be more candidates");
    let tried = z.ice_decisions().any(|decision| decision.path.is_some_and(|path| path.remote.port() == 7777));
    assert!(!tried, "what is of the old generation is not of the new");
    let end_of_new = IceCandidate { candidate: String::new(), ..candidate(&new[0], 0) };
    world[Z].connection.add_ice_candidate(Some(&end_of_new)).unwrap();
    world[A].connection.add_ice_candidate(None).unwrap();
    world.run_for(S);
    for host in BOTH {
        assert_eq!(world[host].connection.ice_connection_state(), wigwag::IceConnectionState::Completed);
    }
}

#[test]
fn candidates_of_a_description_that_is_not_agreed_upon_are_bounded() {
    let mut world = connected_with_channel(210, "flow", DataChannelInit::default());
    world[A].connection.restart_ice().unwrap();
    let offer_a = offer(&mut world, A);
    world[Z].connection.set_remote_description(offer_a).unwrap();
    let taken = (0..1000u32).filter(|number| {
        let text = format!("candidate:1 1 udp {} 10.0.7.7 {} typ host", number + 1, number + 1000);
        world[Z].connection.add_ice_candidate(Some(&IceCandidate::new(text))).is_ok()
    });
    assert_eq!(taken.count(), 100);
}
