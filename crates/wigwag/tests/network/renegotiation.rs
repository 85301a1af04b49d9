//! What descriptions ask for, well or badly, at any time: refusals, glare, changes in the middle of a call, ends.

use crate::common::{Peer, answer, connect_with_channel, connected_with_channel, negotiate, offer, pair, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::{
    ChannelError, ConnectionState, DataChannelInit, Direction, Error, MediaError, MediaKind, RtpPacket, SendError,
    SessionDescription,
};
use wigwag_sim::{A, World, Z, address};

fn edited(description: &SessionDescription, edit: impl Fn(&str) -> Option<String>) -> SessionDescription {
    let lines = description.sdp.lines().filter_map(edit).map(|line| format!("{line}\r\n"));
    SessionDescription { kind: description.kind, sdp: lines.collect() }
}

/// The section of data channels is refused.
fn without_data(description: &SessionDescription, mid: &str) -> SessionDescription {
    edited(description, |line| match line.strip_prefix("m=application ").and_then(|rest| rest.split_once(' ')) {
        Some((_, rest)) => Some(format!("m=application 0 {rest}")),
        None if line.starts_with("a=group:BUNDLE") => Some(line.replace(&format!(" {mid}"), "")),
        None => Some(line.to_owned()),
    })
}

fn count(peer: &Peer, what: &str) -> usize {
    peer.events.iter().filter(|event| event.starts_with(what)).count()
}

fn chat(world: &mut World<Peer>) {
    let before = world[Z].messages.len();
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, "still here".into(), false).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].messages.len(), before + 1);
}

/// Who is called decides whether the caller learns an address (RFC 8827 §6.4).
#[test]
fn nothing_leaves_before_an_offer_is_answered() {
    let mut world = pair(80);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    world[Z].connection.set_remote_description(offer).unwrap();
    world.run_for(Duration::from_secs(2));
    assert!(world.trace().records().is_empty(), "{}", world.ladder(crate::common::dissect));
    let z = &mut world[Z].connection;
    let answer = z.create_answer().unwrap();
    z.set_local_description(answer.clone()).unwrap();
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(10));
}

/// RFC 8445 §6.1.1: the full agent takes the controlling role, or nobody would nominate.
#[test]
fn an_agent_controls_a_lite_peer_also_if_the_peer_offers() {
    let mut world = pair(81);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offer = offer(&mut world, A);
    offer.sdp = offer.sdp.replacen("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", 1);
    let answer = answer(&mut world, Z, offer);
    world.run_for(Duration::from_millis(10));
    let check =
        world.trace().records().iter().find(|record| record.from == address(Z)).expect("a check").payload.clone();
    let has = |attribute: [u8; 4]| check.windows(4).any(|window| window == attribute);
    assert!(has([0x80, 0x2a, 0, 8]) && !has([0x80, 0x29, 0, 8]), "ICE-CONTROLLING: {check:02x?}");
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(10));
}

#[test]
fn a_channel_that_cannot_be_announced_is_closed_and_never_opens() {
    let mut world = pair_with(82, |host, config| {
        if host == Z {
            config.negotiation.max_message_size = 1000;
        }
    });
    let id = world[A].connection.create_data_channel(&"l".repeat(2000), DataChannelInit::default()).unwrap();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    assert!(world[A].connection.data_channel(id).is_none());
    assert_eq!(world[A].connection.send(id, "lost".into(), false), Err(SendError::UnknownChannel));
    assert_eq!((count(&world[A], "ChannelOpened("), count(&world[A], "ChannelClosed(")), (1, 1));
    let late = world[A].connection.create_data_channel(&"l".repeat(2000), DataChannelInit::default()).unwrap();
    world.run_for(Duration::from_secs(1));
    assert!(world[A].connection.data_channel(late).is_none());
    assert_eq!((count(&world[A], "ChannelOpened("), count(&world[A], "ChannelClosed(")), (1, 2));
    chat(&mut world);
}

/// W3C WebRTC §4.4.1.5: what the peer refused is not asked for again and again.
#[test]
fn refused_data_channels_are_closed_and_ask_for_no_negotiation() {
    let mut world = pair(83);
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let id = world[A].connection.create_data_channel("refused", DataChannelInit::default()).unwrap();
    world.run_for(Duration::from_millis(1));
    assert_eq!(count(&world[A], "NegotiationNeeded"), 1);
    let offer = offer(&mut world, A);
    let refusal = without_data(&answer(&mut world, Z, offer), "1");
    world[A].connection.set_remote_description(refusal).unwrap();
    world.run_until(|world| world[A].state == ConnectionState::Connected, Duration::from_secs(10));
    assert_eq!((count(&world[A], "NegotiationNeeded"), count(&world[A], "ChannelClosed(")), (1, 1));
    assert!(world[A].connection.data_channel(id).is_none());
}

/// ... in the middle of a call, and then a channel is wanted again.
#[test]
fn data_channels_may_be_given_up_and_begin_anew() {
    let mut world = pair(84);
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let offer = without_data(&offer(&mut world, A), "1");
    let refusal = answer(&mut world, Z, offer);
    assert!(refusal.sdp.contains("m=application 0 "), "{}", refusal.sdp);
    world[A].connection.set_remote_description(refusal).unwrap();
    world.run_for(Duration::from_secs(1));
    for host in [A, Z] {
        assert_eq!(world[host].connection.data_channels().count(), 0, "{host:?}");
        assert_eq!((count(&world[host], "ChannelClosed("), &world[host].closed), (1, &None), "{host:?}");
    }
    world[A].channels.clear();
    world[Z].channels.clear();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    chat(&mut world);
}

/// Law 4: late polling only delays.
#[test]
fn a_negotiation_needed_while_another_was_under_way_is_told_although_nobody_polled_meanwhile() {
    let mut world = connected_with_channel(85, "chat", DataChannelInit::default());
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    world.run_for(Duration::from_millis(1));
    assert_eq!(count(&world[A], "NegotiationNeeded"), 1);
    let offer = offer(&mut world, A);
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_for(Duration::from_millis(1));
    assert_eq!(count(&world[A], "NegotiationNeeded"), 2);
    negotiate(&mut world);
    world.run_for(Duration::from_millis(1));
    assert_eq!(count(&world[A], "NegotiationNeeded"), 2);
    assert!(world[A].connection.transceiver(id).unwrap().mid.is_some());
}

fn packet(payload: &'static [u8]) -> RtpPacket {
    RtpPacket::new(111, 960, Bytes::from_static(payload))
}

fn sound_and_chat(seed: u64) -> (World<Peer>, [wigwag::TransceiverId; 2]) {
    let mut world = pair(seed);
    let a = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let z = world[Z].connection.add_track(MediaKind::Audio).unwrap();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    (world, [a, z])
}

#[test]
fn after_close_every_command_is_refused_and_nothing_more_is_told() {
    let (mut world, [a, z]) = sound_and_chat(86);
    let channel = world[A].channels["chat"];
    let description = world[A].connection.local_description().unwrap();
    world[Z].connection.write_packet(z, packet(b"late")).unwrap();
    let mut out = Vec::new();
    let now = world.now();
    assert!(world[Z].connection.poll_transmit(now, &mut out).is_some());
    let connection = &mut world[A].connection;
    connection.close();
    connection.handle_input(wigwag::Datagram::udp(address(A), address(Z), &mut out), now);
    assert_eq!(connection.write_packet(a, packet(b"late")), Err(MediaError::NotSending));
    assert_eq!(connection.send(channel, "late".into(), false), Err(SendError::UnknownChannel));
    assert_eq!(connection.create_data_channel("late", DataChannelInit::default()), Err(ChannelError::Closed));
    assert!(matches!(connection.set_direction(a, Direction::Inactive), Err(Error::Closed)));
    assert!(matches!(connection.stop_transceiver(a), Err(Error::Closed)));
    assert!(matches!(connection.add_track(MediaKind::Audio), Err(Error::Closed)));
    assert!(matches!(connection.create_offer(), Err(Error::Closed)));
    assert!(matches!(connection.set_remote_description(description), Err(Error::Closed)));
    assert!(matches!(connection.add_ice_candidate(None), Err(Error::Closed)));
    world.run_until(|world| world[A].closed.is_some() && world[Z].closed.is_some(), Duration::from_secs(5));
    assert_eq!(world[A].packets.len(), 0, "nothing is told of a closed connection but its end");
    assert!(matches!(world[A].connection.stop_transceiver(a), Err(Error::Closed)));
    let after = world.trace().records().len();
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.trace().records().len(), after, "nothing leaves after the end");
}

/// W3C `stop`: the peer is told with the next negotiation, but nothing is sent or taken from now on.
#[test]
fn a_stopped_transceiver_is_silent_at_once() {
    let (mut world, [a, z]) = sound_and_chat(87);
    world[Z].connection.write_packet(z, packet(b"before")).unwrap();
    world[A].connection.write_packet(a, packet(b"before")).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!((world[A].packets.len(), world[Z].packets.len()), (1, 1));
    world[A].connection.stop_transceiver(a).unwrap();
    assert_eq!(world[A].connection.write_packet(a, packet(b"after")), Err(MediaError::NotSending));
    world[Z].connection.write_packet(z, packet(b"after")).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!((world[A].packets.len(), world[Z].packets.len()), (1, 1));
    negotiate(&mut world);
    chat(&mut world);
}

#[test]
fn descriptions_are_printed_without_their_password() {
    let mut world = pair(88);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let password = offer.sdp.lines().find_map(|line| line.strip_prefix("a=ice-pwd:")).unwrap();
    let printed = format!("{offer:?} {offer:#?} {:?}", world[A].connection);
    assert!(!printed.contains(password) && printed.contains("a=ice-ufrag:"), "{printed}");
}

/// W3C WebRTC §6.1.1: the limit is that of the last description.
#[test]
fn the_peers_limit_of_a_message_changes_with_its_description() {
    let mut world = connected_with_channel(89, "chat", DataChannelInit::default());
    let id = world[A].channels["chat"];
    let offer = offer(&mut world, A);
    let smaller = edited(&answer(&mut world, Z, offer), |line| match line {
        line if line.starts_with("a=max-message-size:") => Some("a=max-message-size:100".to_owned()),
        line => Some(line.to_owned()),
    });
    world[A].connection.set_remote_description(smaller).unwrap();
    let too_large = world[A].connection.send(id, vec![0; 101].into(), true);
    assert_eq!(too_large, Err(SendError::TooLarge { len: 101, max: 100 }));
    world[A].connection.send(id, vec![0; 100].into(), true).unwrap();
    world.run_for(Duration::from_secs(1));
    chat(&mut world);
}

/// RFC 8842 §4: other fingerprints are another DTLS association, which we do not make, and say so.
#[test]
fn another_certificate_in_the_middle_of_a_call_is_refused() {
    for restarts in [false, true] {
        let mut world = connected_with_channel(90, "chat", DataChannelInit::default());
        let genuine = offer(&mut world, A);
        let hostile = edited(&genuine, |line| match line.split_once(':') {
            Some(("a=fingerprint", _)) => Some(format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":"))),
            Some(("a=ice-ufrag", _)) if restarts => Some("a=ice-ufrag:restarted".to_owned()),
            Some(("a=ice-pwd", _)) if restarts => Some("a=ice-pwd:restarted0restarted1restarted2".to_owned()),
            Some(("a=candidate", _)) if restarts => None,
            _ => Some(line.to_owned()),
        });
        let refused = world[Z].connection.set_remote_description(hostile);
        assert!(matches!(&refused, Err(Error::Negotiation(_))), "{refused:?}");
        let answer = answer(&mut world, Z, genuine);
        world[A].connection.set_remote_description(answer).unwrap();
        chat(&mut world);
    }
}

/// ... also if there was no transport in between.
#[test]
fn another_certificate_is_refused_after_a_description_that_refuses_everything() {
    let mut world = connected_with_channel(91, "chat", DataChannelInit::default());
    let nothing = without_data(&offer(&mut world, A), "0");
    let nothing = edited(&nothing, |line| (!line.starts_with("a=group:")).then(|| line.to_owned()));
    let answer = answer(&mut world, Z, nothing);
    world[A].connection.set_remote_description(answer).unwrap();
    world[A].connection.create_data_channel("again", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let hostile = edited(&offer, |line| match line.split_once(':') {
        Some(("a=fingerprint", _)) => Some(format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":"))),
        _ => Some(line.to_owned()),
    });
    assert!(world[Z].connection.set_remote_description(hostile).is_err());
}

/// W3C's perfect negotiation: the impolite peer ignores the offer that meets its own, the polite one gives way.
#[test]
fn offers_that_meet_come_to_one_call_and_candidates_to_its_section() {
    let mut world = pair(92);
    for host in [A, Z] {
        world[host].connection.create_data_channel("chat", DataChannelInit::default().negotiated(0)).unwrap();
    }
    let _ignored = offer(&mut world, A);
    let offer_z = edited(&offer(&mut world, Z), |line| match line {
        "a=mid:0" => Some("a=mid:data".to_owned()),
        "a=group:BUNDLE 0" => Some("a=group:BUNDLE data".to_owned()),
        line => Some(line.to_owned()),
    });
    let answer_a = answer(&mut world, A, offer_z);
    world.run_for(Duration::from_millis(1));
    world[A].connection.add_local_address("10.0.0.77:7".parse().unwrap()).unwrap();
    world.run_for(Duration::from_millis(1));
    let last = world[A].events.iter().rfind(|event| event.starts_with("IceCandidate(Some")).unwrap().clone();
    assert!(last.contains("10.0.0.77") && last.contains("sdp_mid: Some(\"data\")"), "{last}");
    let answer_a = edited(&answer_a, |line| Some(line.replace(":data", ":0").replace("BUNDLE data", "BUNDLE 0")));
    world[Z].connection.set_remote_description(answer_a).unwrap();
    world.run_until(|world| [A, Z].iter().all(|host| !world[*host].channels.is_empty()), Duration::from_secs(10));
    chat(&mut world);
}

/// RFC 5506 §5: only if both have said so.
#[test]
fn feedback_has_its_report_around_it_unless_both_can_do_without() {
    let len_of_feedback = |is_reduced: bool| {
        let mut world = pair(93);
        world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        let z = world[Z].connection.add_track(MediaKind::Video).unwrap();
        let offer = offer(&mut world, A);
        let answer = edited(&answer(&mut world, Z, offer), |line| {
            (is_reduced || line != "a=rtcp-rsize").then(|| line.to_owned())
        });
        world[A].connection.set_remote_description(answer).unwrap();
        world.run_until(|world| world[A].state == ConnectionState::Connected, Duration::from_secs(10));
        world[Z].connection.write_packet(z, RtpPacket::new(96, 0, Bytes::from_static(&[1; 100]))).unwrap();
        world.run_for(Duration::from_millis(200));
        let id = world[A].connection.transceivers().next().unwrap().id;
        world[A].connection.request_key_frame(id);
        let before = world.trace().records().len();
        world.run_for(Duration::from_secs(1));
        let is_feedback = |record: &&wigwag_sim::Record| {
            record.from == address(A) && crate::common::dissect(&record.payload) == "SRTCP"
        };
        let feedback = world.trace().records()[before..].iter().filter(is_feedback);
        feedback.map(|record| record.payload.len()).min().expect("feedback")
    };
    // RFC 4585 §6.3.1: an indication has 12 bytes; RFC 7714: a tag of 16 and an index of 4. A report has at least 8, and a
    // name its own length.
    assert!((32..=48).contains(&len_of_feedback(true)), "{}", len_of_feedback(true));
    assert!(len_of_feedback(false) >= 20 + 8 + 24, "{}", len_of_feedback(false));
}

/// Nothing that a peer may write ends a call, and what is refused changes nothing.
#[test]
fn odd_descriptions_in_the_middle_of_a_call_are_refused_and_the_call_goes_on() {
    let (mut world, _) = sound_and_chat(94);
    let genuine = offer(&mut world, A);
    let sections: Vec<&str> = genuine.sdp.split("m=").collect();
    let [head, first, second] = sections[..] else { panic!("{}", genuine.sdp) };
    let many = |count: usize| format!("m={first}").replace("a=mid:0\r\n", "").repeat(count);
    let hostile = [
        ("fewer", format!("{head}m={first}").replace("BUNDLE 0 1", "BUNDLE 0")),
        ("none", head.to_owned()),
        ("exchanged", format!("{head}m={second}m={first}")),
        ("another mid", genuine.sdp.replace("a=mid:0", "a=mid:other").replace("BUNDLE 0", "BUNDLE other")),
        ("twice the same mid", genuine.sdp.replace("a=mid:1", "a=mid:0")),
        ("a thousand sections", format!("{}{}", genuine.sdp, many(1000))),
        ("another role", genuine.sdp.replace("actpass", "active")),
        ("no role", genuine.sdp.replace("actpass", "holdconn")),
        ("no password", edited(&genuine, |l| (!l.starts_with("a=ice-pwd")).then(|| l.to_owned())).sdp),
        ("no fingerprint", edited(&genuine, |l| (!l.starts_with("a=fingerprint")).then(|| l.to_owned())).sdp),
    ];
    for (what, sdp) in hostile {
        let refused = world[Z].connection.set_remote_description(SessionDescription::offer(sdp));
        assert!(refused.is_err(), "{what}");
        assert_eq!(world[Z].connection.signaling_state(), wigwag::SignalingState::Stable, "{what}");
    }
    // More sections than can be had are refused one by one.
    let more = SessionDescription::offer(format!("{}{}", genuine.sdp, many(100)));
    let answered = answer(&mut world, Z, more);
    assert_eq!(answered.sdp.matches("m=audio 0 ").count(), 100);
    let description = answered.sdp.split("m=audio 0 ").next().unwrap().to_owned();
    world[A].connection.set_remote_description(SessionDescription::answer(description.clone())).unwrap();
    let twice = world[A].connection.set_remote_description(SessionDescription::answer(description));
    assert!(twice.is_err(), "an answer answers once");
    world.run_for(Duration::from_secs(1));
    chat(&mut world);
}

/// RFC 9143 §15: the name is in each packet, and names may be long.
#[test]
fn sections_may_have_long_names() {
    let mut world = pair(95);
    let id = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    world[Z].connection.add_track(MediaKind::Audio).unwrap();
    let name = "a-name-as-long-as-a-uuid-or-even-longer";
    let rename = |description: &SessionDescription, from: &str, to: &str| {
        let mid = |name: &str| (format!("a=mid:{name}\r\n"), format!("BUNDLE {name}\r\n"));
        let (old, new) = (mid(from), mid(to));
        let sdp = description.sdp.replace(&old.0, &new.0).replace(&old.1, &new.1);
        SessionDescription { kind: description.kind, sdp }
    };
    let offer = rename(&offer(&mut world, A), "0", name);
    let answer = rename(&answer(&mut world, Z, offer), name, "0");
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(
        |world| [A, Z].iter().all(|host| world[*host].state == ConnectionState::Connected),
        Duration::from_secs(10),
    );
    let of_z = world[Z].connection.transceivers().next().unwrap().id;
    for (host, id) in [(A, id), (Z, of_z)] {
        world[host].connection.write_packet(id, packet(b"sound")).unwrap_or_else(|error| panic!("{host:?}: {error}"));
    }
    world.run_for(Duration::from_secs(1));
    // The name that A puts into its packets is not the one that Z was told.
    assert_eq!((world[A].packets.len(), world[Z].packets.len()), (1, 0));
}

/// There is nobody to say goodbye to.
#[test]
fn a_connection_without_a_path_is_closed_at_once() {
    let mut world = pair(96);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    offer(&mut world, A);
    world[A].connection.close();
    world.run_until(|world| world[A].closed.is_some(), Duration::from_millis(1));
    let now = world.now();
    assert_eq!(world[A].connection.poll_timeout(now), None);
}

#[test]
fn a_life_time_that_has_no_place_in_its_field_is_refused() {
    let mut world = pair(97);
    let mut create = |millis| {
        let init = DataChannelInit::default().max_packet_life_time(Duration::from_millis(millis));
        world[A].connection.create_data_channel("brief", init)
    };
    assert!(create(65_535).is_ok());
    assert_eq!(create(65_536), Err(ChannelError::LifeTimeTooLong(Duration::from_millis(65_536))));
}

fn drops(peer: &Peer, cause: &str) -> u64 {
    peer.connection.drops().iter().find(|(name, _)| *name == cause).map_or(0, |(_, count)| *count)
}

/// A few datagrams of DTLS are kept until the answer comes; more are counted, and the rest is not ours to take.
#[test]
fn what_comes_too_early_is_kept_up_to_a_limit_and_then_counted() {
    let mut world = pair(98);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let answer = answer(&mut world, Z, offer);
    world.run_for(Duration::from_millis(500));
    let is_hello = |record: &&wigwag_sim::Record| record.from == address(Z) && record.payload[0] == 22;
    let hello = world.trace().records().iter().find(is_hello).expect("a ClientHello").payload.clone();
    let before = drops(&world[A], "transport.too_early");
    let now = world.now();
    for _ in 0..100 {
        let mut datagram = hello.clone();
        let datagram = wigwag::Datagram::udp(address(A), address(Z), &mut datagram);
        world[A].connection.handle_input(datagram, now);
    }
    assert!((96..=100).contains(&(drops(&world[A], "transport.too_early") - before)));
    let mut datagram = hello.clone();
    let mut datagram = wigwag::Datagram::udp(address(A), address(Z), &mut datagram);
    datagram.protocol = wigwag::sansio::Protocol::Tls;
    world[A].connection.handle_input(datagram, now);
    assert_eq!(drops(&world[A], "transport.unknown_protocol"), 1);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(5));
}

/// RFC 9429 §5.7: a rollback leaves everything as it was. A stream that began anew under its number would be silent: SRTP does not seal
/// twice under one sequence number.
#[test]
fn media_goes_on_after_an_offer_that_ends_it_is_taken_back_and_ends_with_one_that_is_answered() {
    let (mut world, [a, z]) = sound_and_chat(94);
    let exchange = |world: &mut World<Peer>| {
        let before = [world[A].packets.len(), world[Z].packets.len()];
        for (host, id) in [(A, a), (Z, z)] {
            let _ = (0..10).try_for_each(|_| world[host].connection.write_packet(id, packet(b"sound")));
        }
        world.run_for(Duration::from_secs(1));
        [world[A].packets.len() - before[0], world[Z].packets.len() - before[1]]
    };
    let mut sent = 10;
    assert_eq!(exchange(&mut world), [10, 10]);
    let offer = world[A].connection.create_offer().unwrap();
    let ending = edited(&offer, |line| match line {
        line if line.starts_with("m=audio") => Some("m=audio 0 UDP/TLS/RTP/SAVPF 111".to_owned()),
        line => Some(line.replace("BUNDLE 0 1", "BUNDLE 1")),
    });
    let (mut numbers, mut told) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        world[Z].connection.set_remote_description(ending.clone()).unwrap();
        assert_eq!(exchange(&mut world), [10, 10], "nobody has agreed to an end");
        assert!(world[Z].connection.transceiver(z).is_some());
        world[Z].connection.set_remote_description(SessionDescription::rollback()).unwrap();
        assert_eq!(exchange(&mut world), [10, 10]);
        sent += 20;
        numbers.push(world[Z].connection.sender_stats(z).unwrap().packets_sent);
        told.push(count(&world[Z], "Track("));
    }
    assert_eq!(numbers.last(), Some(&sent), "one stream, counted from its beginning");
    assert_eq!(told, [told[0]; 6]);
    answer(&mut world, Z, ending);
    assert_eq!((exchange(&mut world), world[Z].connection.transceiver(z)), ([0, 0], None));
    assert_eq!(count(&world[Z], "Track("), told[0] + 1, "its end is told when it is one");
}

/// A peer may offer again before it is answered, under the name that it has told candidates for.
#[test]
fn candidates_told_for_an_offer_are_those_of_one_that_takes_its_place_under_the_same_name() {
    let mut world = pair(95);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let is_candidate = |line: &str| line.starts_with("a=candidate") || line.starts_with("a=end-of");
    let without = edited(&offer, |line| (!is_candidate(line)).then(|| line.to_owned()));
    let candidate = offer.sdp.lines().find_map(|line| line.strip_prefix("a=").filter(|_| is_candidate(line))).unwrap();
    let candidate = wigwag::IceCandidate::new(candidate);
    let other = edited(&without, |line| Some(line.replace("a=ice-ufrag:", "a=ice-ufrag:other")));
    for (second, known) in [(without.clone(), 1), (other, 0)] {
        let mut world = pair(96);
        let z = &mut world[Z].connection;
        z.set_remote_description(without.clone()).unwrap();
        z.add_ice_candidate(Some(&candidate)).unwrap();
        answer(&mut world, Z, second);
        let report = world[Z].connection.stats(world.now());
        assert_eq!(report.iter().filter(|stats| stats.kind() == "remote-candidate").count(), known);
    }
}
