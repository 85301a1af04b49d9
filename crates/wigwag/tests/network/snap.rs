//! Data channels without a handshake of SCTP: descriptions tell what it would have (SNAP, draft-hancke-tsvwg-snap).

use crate::common::{Peer, VERSIONS, answer, connect_with_channel, negotiate, offer, pair_with};
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag::{ConnectionState, DataChannelInit, MediaKind, PacketKind, SessionDescription, Tapped};
use wigwag_sim::{A, Host, World, Z};

/// Two hosts, of whom these tell the beginning of their associations.
fn pair_telling(seed: u64, tells: &[Host]) -> World<Peer> {
    pair_with(seed, |host, config| {
        config.negotiation.sctp_snap = tells.contains(&host);
        config.tap.packets = true;
    })
}

fn line(description: &SessionDescription) -> Option<&str> {
    let mut lines = description.sdp.lines().filter_map(|line| line.strip_prefix("a=sctp-init:"));
    let line = lines.next();
    assert_eq!(lines.next(), None);
    line
}

/// The description with other lines `a=sctp-init`, or none.
fn with_lines(description: &SessionDescription, values: &[&str]) -> SessionDescription {
    let kept = description.sdp.lines().filter(|line| !line.starts_with("a=sctp-init:")).map(str::to_owned);
    let lines = kept.chain(values.iter().map(|value| format!("a=sctp-init:{value}")));
    SessionDescription { kind: description.kind, sdp: lines.map(|line| line + "\r\n").collect() }
}

/// INIT, INIT ACK, COOKIE ECHO and COOKIE ACK that either has sent.
fn handshake_packets(world: &mut World<Peer>) -> usize {
    let mut count = 0;
    for host in [A, Z] {
        while let Some(tapped) = world[host].connection.poll_tap() {
            if let Tapped::Packet(packet) = tapped
                && packet.kind == PacketKind::Sctp
                && packet.direction == wigwag::pcapng::Direction::Sent
            {
                count += usize::from(matches!(packet.payload[12], 1 | 2 | 10 | 11));
            }
        }
    }
    count
}

/// The tags of the packets with data that were sent, and the lines that tell of an INIT.
fn beginnings(world: &mut World<Peer>) -> [BTreeSet<String>; 2] {
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for host in [A, Z] {
        let description = world[host].connection.local_description().unwrap();
        found[1].extend(line(&description).map(str::to_owned));
        while let Some(tapped) = world[host].connection.poll_tap() {
            if let Tapped::Packet(packet) = tapped
                && packet.kind == PacketKind::Sctp
                && packet.direction == wigwag::pcapng::Direction::Sent
                && matches!(packet.payload[12], 0 | 64)
            {
                found[0].insert(format!("{:?}", &packet.payload[4..8]));
            }
        }
    }
    found
}

fn open(world: &mut World<Peer>) {
    let is_open = |peer: &Peer| peer.channels.contains_key("chat") && peer.state == ConnectionState::Connected;
    world.run_until(|world| is_open(&world[A]) && is_open(&world[Z]), Duration::from_secs(60));
}

/// Something in both directions.
fn chat(world: &mut World<Peer>) {
    let before = [A, Z].map(|host| world[host].messages.len());
    for host in [A, Z] {
        let channel = world[host].channels["chat"];
        world[host].connection.send(channel, vec![7; 30_000].into(), true).unwrap();
    }
    world.run_until(
        |world| [A, Z].iter().zip(before).all(|(host, before)| world[*host].messages.len() > before),
        Duration::from_secs(60),
    );
}

#[test]
fn both_tell_and_there_is_no_handshake() {
    for version in VERSIONS {
        let mut ages = Vec::new();
        for tells in [&[A, Z][..], &[]] {
            let mut world = pair_with(1, |host, config| {
                config.negotiation.sctp_snap = tells.contains(&host);
                config.tap.packets = true;
                config.dtls_versions = version..=version;
            });
            connect_with_channel(&mut world, "chat", DataChannelInit::default());
            ages.push(world.age());
            chat(&mut world);
            assert_eq!(handshake_packets(&mut world) == 0, !tells.is_empty());
        }
        assert!(ages[0] + Duration::from_millis(40) <= ages[1], "{ages:?}: a round trip earlier, at least");
    }
}

#[test]
fn through_loss_there_is_no_handshake_either() {
    for seed in wigwag_sim::seeds(30) {
        let mut world = pair_telling(seed, &[A, Z]);
        world.links(A, Z, |link| {
            link.loss(10.0).jitter(Duration::from_millis(30)).duplication(5.0);
        });
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        chat(&mut world);
        assert_eq!(handshake_packets(&mut world), 0, "{seed}");
    }
}

#[test]
fn who_is_not_answered_makes_the_handshake() {
    for tells in [A, Z] {
        let mut world = pair_telling(2, &[tells]);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let offer = offer(&mut world, A);
        assert_eq!(line(&offer).is_some(), tells == A);
        let answer = answer(&mut world, Z, offer);
        assert_eq!(line(&answer), None);
        world[A].connection.set_remote_description(answer).unwrap();
        open(&mut world);
        chat(&mut world);
        assert!(handshake_packets(&mut world) >= 4);
    }
}

/// Of the offer, so that it is not answered; of the answer, so that one of the two takes it for agreed.
#[test]
fn a_line_that_got_lost_on_the_way_costs_the_handshake_and_no_more() {
    for (seed, from) in [(3, A), (4, Z), (5, A), (6, Z)] {
        let mut world = pair_telling(seed, &[A, Z]);
        world.links(A, Z, |link| {
            link.loss(if seed > 4 { 10.0 } else { 0.0 });
        });
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let without = |host: Host, description: SessionDescription| {
            if host == from { with_lines(&description, &[]) } else { description }
        };
        let offer = offer(&mut world, A);
        let answer = answer(&mut world, Z, without(A, offer));
        assert_eq!(line(&answer).is_some(), from == Z);
        world[A].connection.set_remote_description(without(Z, answer)).unwrap();
        open(&mut world);
        chat(&mut world);
        assert!(handshake_packets(&mut world) >= 4);
    }
}

/// Some answer with whatever line they do not know.
#[test]
fn our_own_line_in_an_answer_is_no_answer() {
    let mut world = pair_telling(7, &[A]);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let ours = line(&offer).unwrap().to_owned();
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(with_lines(&answer, &[&ours])).unwrap();
    open(&mut world);
    chat(&mut world);
}

/// INIT chunks that no association begins with, and what is no Base64.
const HOSTILE: [&str; 8] = [
    "CookieMonster",
    "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoL",
    "AQAAFAAAAAAAUAAA/////+B5ZR0=",
    "AQAAFIls3R0AUAAAAAD//+B5ZR0=",
    "AQAAFIls3R0AUAAA//8AAOB5ZR0=",
    "AgAAFIls3R0AUAAA/////+B5ZR0=",
    "AQAAFIls3R0AUAAA/////+B5",
    "%%%%",
];

#[test]
fn a_line_that_makes_no_sense_is_an_error_that_says_what_helps() {
    let huge = "A".repeat(16_000);
    for hostile in HOSTILE.into_iter().chain([huge.as_str()]) {
        let mut world = pair_telling(8, &[A, Z]);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let offer = offer(&mut world, A);
        let error = world[Z].connection.set_remote_description(with_lines(&offer, &[hostile])).unwrap_err();
        assert!(error.to_string().contains("without the line, the handshake of SCTP is made"), "{error}");
        let answer = answer(&mut world, Z, offer);
        let error = world[A].connection.set_remote_description(with_lines(&answer, &[hostile])).unwrap_err();
        assert!(error.to_string().contains("m-section 0: a=sctp-init is not the INIT chunk"), "{error}");
        world[A].connection.set_remote_description(answer).unwrap();
        open(&mut world);
        chat(&mut world);
    }
}

#[test]
fn who_does_not_tell_reads_no_line() {
    for hostile in HOSTILE {
        let mut world = pair_telling(9, &[]);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let offer = offer(&mut world, A);
        let answer = answer(&mut world, Z, with_lines(&offer, &[hostile]));
        world[A].connection.set_remote_description(with_lines(&answer, &[hostile])).unwrap();
        open(&mut world);
    }
}

/// Whoever offers later, sound is added, or ICE begins anew: the lines stay, and so does the association.
#[test]
fn later_descriptions_say_the_same_and_the_association_goes_on() {
    let mut world = pair_telling(10, &[A, Z]);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let lines = [A, Z].map(|host| line(&world[host].connection.local_description().unwrap()).unwrap().to_owned());
    for (offerer, restarts) in [(A, false), (Z, false), (A, true), (Z, true)] {
        world[offerer].connection.add_track(MediaKind::Audio).unwrap();
        if restarts {
            world[offerer].connection.restart_ice().unwrap();
        }
        let answerer = if offerer == A { Z } else { A };
        let offer = offer(&mut world, offerer);
        let answer = answer(&mut world, answerer, offer.clone());
        world[offerer].connection.set_remote_description(answer.clone()).unwrap();
        let told = if offerer == A { [&offer, &answer] } else { [&answer, &offer] };
        assert_eq!(told.map(|description| line(description).unwrap()), [&lines[0], &lines[1]]);
        world.run_for(Duration::from_secs(5));
        chat(&mut world);
    }
    assert_eq!(handshake_packets(&mut world), 0);
}

/// draft-hancke-tsvwg-snap §5.6: there is nothing to begin any more.
#[test]
fn an_association_that_has_begun_with_a_handshake_goes_on_without_the_line() {
    let mut world = pair_telling(11, &[A]);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    world[Z].connection.add_track(MediaKind::Audio).unwrap();
    let offer = offer(&mut world, Z);
    let answer = answer(&mut world, A, with_lines(&offer, &["AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA"]));
    assert_eq!(line(&answer), None);
    world[Z].connection.set_remote_description(answer).unwrap();
    chat(&mut world);
    negotiate(&mut world);
    assert_eq!(line(&world[A].connection.local_description().unwrap()), None);
    chat(&mut world);
}

/// What nobody wants has no line; with the first channel there is one.
#[test]
fn there_is_a_line_where_there_are_data_channels() {
    let mut world = pair_telling(12, &[A, Z]);
    world[A].connection.add_track(MediaKind::Audio).unwrap();
    negotiate(&mut world);
    assert_eq!(line(&world[A].connection.local_description().unwrap()), None);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    assert!(line(&world[Z].connection.local_description().unwrap()).is_some());
    chat(&mut world);
    assert_eq!(handshake_packets(&mut world), 0);
}

/// Who has given data channels up begins another association: what is still under way of the one before is not for it.
#[test]
fn another_association_has_another_beginning() {
    for tells in [&[A, Z][..], &[]] {
        let mut world = pair_telling(13, tells);
        world[A].connection.add_track(MediaKind::Audio).unwrap();
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        chat(&mut world);
        let [tags, lines] = beginnings(&mut world);
        let refused = offer(&mut world, A);
        let refused =
            SessionDescription { sdp: refused.sdp.replace("m=application 9 ", "m=application 0 "), ..refused };
        let bundled: Vec<_> = refused.sdp.lines().filter(|line| line.starts_with("a=group:BUNDLE")).collect();
        let refused = SessionDescription { sdp: refused.sdp.replace(bundled[0], "a=group:BUNDLE 0"), ..refused };
        let answer = answer(&mut world, Z, refused);
        world[A].connection.set_remote_description(answer).unwrap();
        world.run_for(Duration::from_secs(1));
        for host in [A, Z] {
            world[host].channels.clear();
            assert_eq!(world[host].connection.data_channels().count(), 0);
        }
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        chat(&mut world);
        let [tags_after, lines_after] = beginnings(&mut world);
        assert_eq!((tags.len(), tags_after.len()), (2, 2));
        assert!(tags.iter().all(|tag| !tags_after.contains(tag)), "{tags:?}, {tags_after:?}");
        assert_eq!(lines.len(), tells.len());
        assert!(lines.iter().all(|line| !lines_after.contains(line)));
    }
}
