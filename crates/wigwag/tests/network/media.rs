//! Media through the whole stack.

use crate::common::{Peer, answer, negotiate, offer, pair, pair_with};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag::sansio::Datagram;
use wigwag::{
    ConnectionState, DataChannelInit, Direction, Error, Event, MediaError, MediaKind, RtpPacket, TransceiverId,
};
use wigwag_sim::{A, Host, World, Z, address};

const OPUS: u8 = 111;
const VP8: u8 = 96;

/// The `n`th frame of 20 ms.
pub(crate) fn sound(n: u32) -> RtpPacket {
    RtpPacket::new(OPUS, n.wrapping_mul(960), Bytes::from(n.to_be_bytes().repeat(20)))
}

/// The `n`th packet of pictures of three packets, thirty a second.
pub(crate) fn picture(n: u32) -> RtpPacket {
    let mut packet = RtpPacket::new(VP8, (n / 3).wrapping_mul(3000), Bytes::from(n.to_be_bytes().repeat(270)));
    packet.marker = n % 3 == 2;
    packet
}

fn number(payload: &Bytes) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

/// A call of A with these kinds, sendrecv on both sides, connected.
pub(crate) fn call(seed: u64, kinds: &[MediaKind]) -> (World<Peer>, Vec<[TransceiverId; 2]>) {
    let mut world = pair(seed);
    let ids = call_in(&mut world, kinds);
    (world, ids)
}

/// The same between these two.
pub(crate) fn call_in(world: &mut World<Peer>, kinds: &[MediaKind]) -> Vec<[TransceiverId; 2]> {
    let ids = add(world, kinds);
    negotiate(world);
    until_connected(world);
    ids
}

fn add(world: &mut World<Peer>, kinds: &[MediaKind]) -> Vec<[TransceiverId; 2]> {
    kinds
        .iter()
        .map(|kind| {
            let of_a = world[A].connection.add_transceiver(*kind, Direction::Sendrecv).unwrap();
            let of_z = world[Z].connection.add_track(*kind).unwrap();
            [of_a, of_z]
        })
        .collect()
}

pub(crate) fn until_connected(world: &mut World<Peer>) {
    let is_connected = |peer: &Peer| peer.state == ConnectionState::Connected;
    world.run_until(|world| is_connected(&world[A]) && is_connected(&world[Z]), Duration::from_secs(10));
}

pub(crate) fn negotiate_from(world: &mut World<Peer>, offerer: Host) {
    let answerer = if offerer == A { Z } else { A };
    let offer = offer(world, offerer);
    let answer = answer(world, answerer, offer);
    world[offerer].connection.set_remote_description(answer).unwrap();
}

fn write(world: &mut World<Peer>, host: Host, id: TransceiverId, packet: RtpPacket) {
    world[host].connection.write_packet(id, packet).unwrap();
}

fn payloads(peer: &Peer, payload_type: u8) -> Vec<u32> {
    let of_type = peer.packets.iter().filter(|found| found.packet.payload_type == payload_type);
    of_type.map(|found| number(&found.packet.payload)).collect()
}

#[test]
fn sound_and_pictures_cross_a_network_that_loses_and_lost_pictures_come_again() {
    for seed in 0..3 {
        let (mut world, ids) = call(seed + 40, &[MediaKind::Audio, MediaKind::Video]);
        world.links(A, Z, |link| {
            link.loss(2.0);
        });
        for n in 0..1500 {
            for (at, host) in [A, Z].into_iter().enumerate() {
                if n % 2 == 0 {
                    write(&mut world, host, ids[0][at], sound(n / 2));
                }
                write(&mut world, host, ids[1][at], picture(n));
            }
            world.run_for(Duration::from_millis(11));
        }
        world.run_for(Duration::from_secs(3));
        for (at, host) in [A, Z].into_iter().enumerate() {
            let pictures = payloads(&world[host], VP8);
            let distinct: BTreeSet<_> = pictures.iter().copied().collect();
            assert_eq!(distinct.len(), pictures.len(), "none comes twice");
            assert!(distinct.len() >= 1495, "seed {seed}: {} of 1500 pictures", distinct.len());
            let sounds = payloads(&world[host], OPUS);
            assert!((700..750).contains(&sounds.len()), "Opus is not asked for again: {} of 750", sounds.len());
            assert!(sounds.is_sorted());
            let stats = world[host].connection.receiver_stats(ids[1][at]);
            assert!(stats.iter().any(|stats| stats.packets_recovered > 5 && stats.nacks_sent > 5), "{stats:?}");
            let sent = world[host].connection.sender_stats(ids[1][at]).unwrap();
            assert!(sent.packets_resent > 5 && sent.packets_sent == 1500 && sent.round_trip_time.is_some(), "{sent:?}");
            for found in &world[host].packets {
                let n = number(&found.packet.payload);
                let expected = if found.packet.payload_type == VP8 { picture(n) } else { sound(n) };
                assert_eq!(
                    (found.packet.timestamp, found.packet.marker, &found.packet.payload),
                    (expected.timestamp, expected.marker, &expected.payload)
                );
            }
        }
    }
}

/// As the event is told.
fn requested(transceiver: TransceiverId) -> String {
    format!("{:?}", Event::KeyFrameRequested { transceiver, rid: None })
}

#[test]
fn a_request_for_a_key_frame_reaches_whoever_sends() {
    let (mut world, ids) = call(43, &[MediaKind::Audio, MediaKind::Video, MediaKind::Video]);
    for (at, host) in [A, Z].into_iter().enumerate() {
        for id in [ids[1][at], ids[2][at]] {
            write(&mut world, host, id, picture(0));
        }
    }
    world.run_for(Duration::from_secs(1));
    world[Z].connection.request_key_frame(ids[2][1]);
    world.run_for(Duration::from_secs(1));
    let requests = |peer: &Peer| -> Vec<_> {
        peer.events.iter().filter(|event| event.starts_with("KeyFrameRequested")).cloned().collect()
    };
    assert_eq!(requests(&world[A]), [requested(ids[2][0])]);
    assert!(requests(&world[Z]).is_empty());
}

/// As a server does that forwards: its listener asks when it is told of the track, and what is forwarded comes later.
#[test]
fn a_key_frame_that_is_asked_for_when_a_track_is_told_reaches_whoever_sends_later() {
    let (mut world, ids) = call(43, &[MediaKind::Audio, MediaKind::Video]);
    world[Z].connection.request_key_frame(ids[1][1]);
    world.run_for(Duration::from_secs(1));
    for n in 0..3 {
        write(&mut world, A, ids[1][0], picture(n));
        world.run_for(Duration::from_millis(30));
    }
    let requests: Vec<_> = world[A].events.iter().filter(|event| event.starts_with("KeyFrameRequested")).collect();
    assert_eq!(requests, [&requested(ids[1][0])]);
}

/// RFC 8834 §5.1.1 and §5.1.3: by FIR where both know that alone, by PLI where both know it, and not where neither.
#[test]
fn key_frames_are_asked_for_by_what_both_know() {
    for (forgotten, expected) in
        [("nack pli", [0, 1]), ("ccm fir", [1, 0]), ("x", [1, 0]), ("nack pli\r\na=rtcp-fb:96 ccm fir", [0, 0])]
    {
        let mut world = pair(52);
        let ids = add(&mut world, &[MediaKind::Video]);
        let mut offer = offer(&mut world, A);
        offer.sdp = offer.sdp.replace(&format!("a=rtcp-fb:96 {forgotten}\r\n"), "");
        let answer = answer(&mut world, Z, offer);
        world[A].connection.set_remote_description(answer).unwrap();
        until_connected(&mut world);
        for (at, host) in [A, Z].into_iter().enumerate() {
            write(&mut world, host, ids[0][at], picture(0));
        }
        world.run_for(Duration::from_secs(1));
        world[Z].connection.request_key_frame(ids[0][1]);
        world.run_for(Duration::from_secs(1));
        let asked = world[A].connection.sender_stats(ids[0][0]).unwrap();
        assert_eq!([asked.plis_received, asked.firs_received], expected, "without {forgotten:?}");
        let told = world[A].events.iter().filter(|event| event.starts_with("KeyFrameRequested")).count();
        assert_eq!(told as u64, expected[0] + expected[1]);
    }
}

/// BUNDLE: one path for all, told apart by `mid` and source.
#[test]
fn packets_of_several_sections_never_mix() {
    let (mut world, ids) = call(44, &[MediaKind::Audio, MediaKind::Video, MediaKind::Video, MediaKind::Audio]);
    for n in 0..50 {
        for (section, ids) in ids.iter().enumerate() {
            let n = n + 1000 * section as u32;
            let packet = if section % 3 == 0 { sound(n) } else { picture(n) };
            write(&mut world, A, ids[0], packet);
        }
        world.run_for(Duration::from_millis(20));
    }
    assert_eq!(world[Z].packets.len(), 200);
    for (section, ids) in ids.iter().enumerate() {
        let stats = world[Z].connection.receiver_stats(ids[1]);
        assert_eq!(stats.len(), 1, "one source");
        let numbers: Vec<_> = world[Z]
            .packets
            .iter()
            .filter(|found| found.ssrc == stats[0].ssrc)
            .map(|found| number(&found.packet.payload))
            .collect();
        let first = 1000 * section as u32;
        assert_eq!(numbers, (first..first + 50).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_not_negotiated_is_refused_where_it_is_sent_and_dropped_where_it_arrives() {
    let (mut world, ids) = call(45, &[MediaKind::Audio]);
    let packet = RtpPacket::new(100, 0, Bytes::from_static(b"?"));
    let refused = world[A].connection.write_packet(ids[0][0], packet);
    assert_eq!(refused, Err(MediaError::PayloadType(Bytes::from_static(b"?"))));
    assert_eq!(world[Z].packets.len(), 0);

    // A believes that Z takes PCMA as 8, which Z never said.
    let mut world = pair_with(45, |host, config| {
        if host == A {
            config.negotiation.codecs.push(wigwag::jsep::Codec::pcma());
        }
    });
    let ids = add(&mut world, &[MediaKind::Audio]);
    let offer = offer(&mut world, A);
    let mut answer = answer(&mut world, Z, offer);
    answer.sdp = answer.sdp.replace("UDP/TLS/RTP/SAVPF 111 0", "UDP/TLS/RTP/SAVPF 111 0 8");
    assert!(answer.sdp.contains("SAVPF 111 0 8"), "{}", answer.sdp);
    world[A].connection.set_remote_description(answer).unwrap();
    until_connected(&mut world);
    for n in 0..10 {
        write(&mut world, A, ids[0][0], RtpPacket::new(8, n * 160, Bytes::from_static(&[1; 160])));
        write(&mut world, A, ids[0][0], sound(n));
        world.run_for(Duration::from_millis(20));
    }
    let dropped = drops(&world[Z], "rtp.dropped_unknown_payload_type");
    assert_eq!((dropped, world[Z].packets.len()), (10, 10));
}

pub(crate) fn drops(peer: &Peer, cause: &str) -> u64 {
    peer.connection.drops().iter().find(|(name, _)| *name == cause).map_or(0, |(_, count)| *count)
}

#[test]
fn media_before_its_keys_is_dropped_and_media_from_strangers_always() {
    let mut world = pair(46);
    add(&mut world, &[MediaKind::Audio]);
    negotiate(&mut world);
    let mut rtp = [0x80, OPUS, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    world.run_until(|world| world[Z].connection.transport_stats().path.is_some(), Duration::from_secs(5));
    assert_ne!(world[Z].state, ConnectionState::Connected);
    for from in [address(A), ([192, 0, 2, 66], 6).into()] {
        let now = world.now();
        world[Z].connection.handle_input(Datagram::udp(address(Z), from, &mut rtp), now);
    }
    assert_eq!(drops(&world[Z], "transport.media_before_keys"), 1);
    assert_eq!(drops(&world[Z], "transport.closed_path"), 1);
    until_connected(&mut world);
    for _ in 0..200 {
        let now = world.now();
        world[Z].connection.handle_input(Datagram::udp(address(Z), address(A), &mut rtp), now);
    }
    assert_eq!(drops(&world[Z], "srtp.dropped_malformed") + drops(&world[Z], "srtp.dropped_unauthentic"), 200);
    world.run_for(Duration::from_secs(1));
    assert_eq!((world[Z].packets.len(), world[Z].state), (0, ConnectionState::Connected));
}

#[test]
fn directions_change_with_a_negotiation_of_either_side() {
    for offerer in [A, Z] {
        let (mut world, ids) = call(47, &[MediaKind::Audio]);
        let [a, z] = ids[0];
        let of_offerer = if offerer == A { a } else { z };
        write(&mut world, A, a, sound(0));
        write(&mut world, Z, z, sound(0));
        world.run_for(Duration::from_millis(100));
        assert_eq!((world[A].packets.len(), world[Z].packets.len()), (1, 1));

        world[offerer].connection.set_direction(of_offerer, Direction::Inactive).unwrap();
        world.run_for(Duration::from_millis(1));
        assert!(world[offerer].events.iter().any(|event| event == "NegotiationNeeded"));
        negotiate_from(&mut world, offerer);
        for (host, id) in [(A, a), (Z, z)] {
            assert_eq!(world[host].connection.write_packet(id, sound(1)), Err(MediaError::NotSending));
            let current = world[host].connection.transceiver(id).and_then(|found| found.current_direction);
            assert_eq!(current, Some(Direction::Inactive));
        }
        world.run_for(Duration::from_secs(1));
        assert_eq!((world[A].packets.len(), world[Z].packets.len()), (1, 1));

        world[offerer].connection.set_direction(of_offerer, Direction::Sendonly).unwrap();
        negotiate_from(&mut world, offerer);
        let (sender, receiver, id) = if offerer == A { (A, Z, a) } else { (Z, A, z) };
        let other = if offerer == A { z } else { a };
        write(&mut world, sender, id, sound(2));
        assert_eq!(world[receiver].connection.write_packet(other, sound(2)), Err(MediaError::NotSending));
        world.run_for(Duration::from_secs(1));
        assert_eq!((world[sender].packets.len(), world[receiver].packets.len()), (1, 2));

        world[offerer].connection.set_direction(of_offerer, Direction::Sendrecv).unwrap();
        negotiate_from(&mut world, offerer);
        write(&mut world, A, a, sound(3));
        write(&mut world, Z, z, sound(3));
        world.run_for(Duration::from_secs(1));
        assert_eq!((world[sender].packets.len(), world[receiver].packets.len()), (2, 3));
    }
}

#[test]
fn video_joins_a_call_that_only_had_data_whoever_adds_it() {
    for offerer in [A, Z] {
        let other = if offerer == A { Z } else { A };
        let mut world = crate::common::connected_with_channel(48, "chat", DataChannelInit::default());
        let id = world[offerer].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        assert_eq!(world[offerer].connection.write_packet(id, picture(0)), Err(MediaError::NotSending));
        world.run_for(Duration::from_millis(1));
        assert!(world[offerer].events.iter().any(|event| event == "NegotiationNeeded"));
        negotiate_from(&mut world, offerer);
        let theirs = world[other].connection.transceivers().next().expect("made by the offer").id;
        let current = world[other].connection.transceiver(theirs).and_then(|found| found.current_direction);
        assert_eq!(current, Some(Direction::Recvonly));
        write(&mut world, offerer, id, picture(0));
        world.run_for(Duration::from_secs(1));
        assert_eq!(world[other].packets.len(), 1);
        assert!(world[other].events.contains(&format!("Track({theirs:?})")));
        // The other side answers with pictures of its own.
        let added = world[other].connection.add_track(MediaKind::Video).unwrap();
        assert_eq!(added, theirs);
        negotiate_from(&mut world, other);
        write(&mut world, other, theirs, picture(1));
        write(&mut world, offerer, id, picture(2));
        let chat = world[A].channels["chat"];
        world[A].connection.send(chat, "still".into(), false).unwrap();
        world.run_for(Duration::from_secs(1));
        assert_eq!((world[offerer].packets.len(), world[other].packets.len()), (1, 2));
        assert_eq!(world[Z].messages.len(), 1);
        assert_eq!(world[offerer].state, ConnectionState::Connected);
    }
}

/// A server that shows another speaker in the same place: what goes on arrives, and what would be dropped by SRTP is refused at once.
#[test]
fn another_stream_in_the_same_place_goes_on_with_its_numbers_or_is_refused() {
    let (mut world, ids) = call(45, &[MediaKind::Video]);
    let numbered = |world: &mut World<Peer>, first: Option<u16>| -> usize {
        let before = world[Z].packets.len();
        for n in 0..5 {
            let mut packet = picture(world[Z].packets.len() as u32);
            packet.sequence = first.map(|first| first + n);
            let written = world[A].connection.write_packet(ids[0][0], packet.clone());
            if let Err(refused) = written {
                assert_eq!(refused, MediaError::Late(packet.payload));
            }
            world.run_for(Duration::from_millis(10));
        }
        world.run_for(Duration::from_millis(100));
        world[Z].packets.len() - before
    };
    for (first, arrived) in [(Some(60_000), 5), (Some(100), 5), (Some(50_000), 0), (None, 5), (Some(30_000), 5)] {
        assert_eq!(numbered(&mut world, first), arrived, "{first:?}");
    }
    let refused = |(cause, count): &(&str, u64)| cause.starts_with("srtp.refused") && *count > 0;
    assert!(!world[A].connection.drops().iter().any(refused));
    // A number that was used is SRTP's to refuse, and counted.
    assert_eq!(numbered(&mut world, Some(30_000)), 0);
    assert!(world[A].connection.drops().contains(&("srtp.refused_reused", 5)));
}

/// Law 5: what SRTP refuses holds nothing up that is due with it.
#[test]
fn a_number_that_was_used_holds_up_nothing_behind_it() {
    let (mut world, ids) = call(46, &[MediaKind::Audio]);
    let numbers = [7, 7, 8, 8, 8, 7, 9];
    for (n, number) in numbers.into_iter().enumerate() {
        let mut packet = sound(n as u32);
        packet.sequence = Some(number);
        write(&mut world, A, ids[0][0], packet);
    }
    let now = world.now();
    let mut out = Vec::new();
    let mut left = 0;
    world[A].connection.handle_timeout(now);
    while world[A].connection.poll_transmit(now, &mut out).is_some() {
        left += 1;
    }
    assert_eq!(left, 3);
    assert!(world[A].connection.poll_timeout(now).is_none_or(|at| at > now));
    assert!(world[A].connection.drops().contains(&("srtp.refused_reused", 4)));
}

/// W3C §5.1, `addTrack`: a sender is used again if it "has never been used to send".
#[test]
fn a_track_is_added_where_nothing_was_ever_sent() {
    let mut world = pair(48);
    let connection = &mut world[A].connection;
    let made = [Direction::Recvonly, Direction::Inactive, Direction::Sendrecv, Direction::Sendonly]
        .map(|direction| connection.add_transceiver(MediaKind::Video, direction).unwrap());
    assert_ne!(connection.add_track(MediaKind::Audio), Ok(made[0]), "of another kind");
    let added = [(); 3].map(|()| connection.add_track(MediaKind::Video).unwrap());
    assert_eq!(added[..2], made[..2]);
    assert!(!made.contains(&added[2]), "the others send already");
    let directions = made.map(|id| connection.transceiver(id).unwrap().direction);
    assert_eq!(directions[..2], [Direction::Sendrecv, Direction::Sendonly]);
    negotiate(&mut world);
    until_connected(&mut world);
    write(&mut world, A, added[0], picture(0));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].packets.len(), 1);
    // What has sent is not taken for another track: the peer would see one for the other.
    world[A].connection.set_direction(added[0], Direction::Recvonly).unwrap();
    negotiate(&mut world);
    assert_ne!(world[A].connection.add_track(MediaKind::Video).unwrap(), added[0]);
}

/// W3C `setStreams`: a server that forwards says whose sound and whose pictures belong together.
#[test]
fn the_peer_is_told_which_streams_a_transceiver_belongs_to() {
    let mut world = pair(48);
    let ids = [MediaKind::Audio, MediaKind::Video, MediaKind::Video]
        .map(|kind| world[A].connection.add_transceiver(kind, Direction::Sendonly).unwrap());
    for (id, streams) in [(ids[0], &["ann"][..]), (ids[1], &["ann", "all"]), (ids[2], &[])] {
        world[A].connection.set_streams(id, streams.iter().copied()).unwrap();
    }
    negotiate(&mut world);
    let told = |world: &World<Peer>| -> Vec<Vec<String>> {
        let parameters = world[Z].connection.transceivers().filter_map(|found| found.negotiated.as_ref());
        parameters.map(|parameters| parameters.remote_stream_ids.clone()).collect()
    };
    assert_eq!(told(&world), [vec!["ann"], vec!["ann", "all"], vec![]]);
    until_connected(&mut world);
    let asked = |world: &World<Peer>| world[A].events.iter().filter(|event| *event == "NegotiationNeeded").count();
    let before = asked(&world);
    world[A].connection.set_streams(ids[2], ["bob"]).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(asked(&world), before + 1, "it is to be told");
    negotiate(&mut world);
    assert_eq!(told(&world).last(), Some(&vec!["bob".to_owned()]));
    world[A].connection.set_streams(ids[2], ["bob"]).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(asked(&world), before + 1, "it is said already");

    // RFC 8830 §2: 1 to 64 characters of a token.
    for name in ["", "two words", "line\r\nm=audio", "ä", "a:b", &"x".repeat(65)] {
        let refused = world[A].connection.set_streams(ids[2], [name]);
        assert_eq!(refused, Err(Error::InvalidStreamId(name.to_owned())));
    }
    world[A].connection.set_streams(ids[2], ["{5f2a-!#$%&'*+.^_`|~}", &"x".repeat(64)]).unwrap();
    negotiate(&mut world);
    assert_eq!(told(&world)[2].len(), 2);
    let receives = world[Z].connection.transceivers().next().unwrap().id;
    assert_eq!(world[Z].connection.set_streams(receives, ["z"]), Err(Error::SendsNothing));
}

#[test]
fn a_stopped_transceiver_sends_and_receives_nothing_and_its_section_is_used_again() {
    let (mut world, ids) = call(49, &[MediaKind::Audio, MediaKind::Video]);
    for round in 0..5 {
        let id = if round == 0 { ids[1][0] } else { world[A].connection.transceivers().last().unwrap().id };
        write(&mut world, A, id, picture(round));
        world.run_for(Duration::from_millis(100));
        assert_eq!(world[Z].packets.len(), round as usize + 1);
        world[A].connection.stop_transceiver(id).unwrap();
        negotiate_from(&mut world, A);
        assert_eq!(world[A].connection.write_packet(id, picture(9)), Err(MediaError::NotSending));
        world.run_for(Duration::from_millis(100));
        world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        negotiate_from(&mut world, A);
    }
    let sections = world[A].connection.local_description().unwrap().sdp.matches("\r\nm=").count();
    assert_eq!(sections, 2, "sections are used again");
    assert_eq!(world[A].connection.transceivers().count(), 2);
}

#[test]
fn a_full_queue_gives_the_packet_back_and_tells_when_there_is_room() {
    let mut world = pair(50);
    let ids = add(&mut world, &[MediaKind::Audio]);
    negotiate(&mut world);
    let id = ids[0][0];
    let mut n = 0;
    let refused = loop {
        match world[A].connection.write_packet(id, sound(n)) {
            Ok(()) => n += 1,
            Err(error) => break error,
        }
        assert!(n < 100_000, "the queue has a limit");
    };
    assert_eq!(refused, MediaError::Full(sound(n).payload));
    until_connected(&mut world);
    world.run_for(Duration::from_secs(1));
    assert!(world[A].events.contains(&format!("{:?}", Event::MediaWritable { transceiver: id, rid: None })));
    write(&mut world, A, id, sound(n));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].packets.len() as u32, n + 1);
}

/// `Event::Track` says that the peer ceases to send, also if it does so by ending the transceiver.
#[test]
fn a_transceiver_that_the_peer_ends_is_told() {
    for (offerer, by_refusal) in [(A, false), (Z, false), (A, true)] {
        let other = if offerer == A { Z } else { A };
        let (mut world, ids) = call(52, &[MediaKind::Audio, MediaKind::Video]);
        let [of_offerer, of_other] = if offerer == A { ids[1] } else { [ids[1][1], ids[1][0]] };
        let told = |world: &World<Peer>, host: Host, id: TransceiverId| {
            world[host].events.iter().filter(|event| **event == format!("Track({id:?})")).count()
        };
        assert_eq!((told(&world, offerer, of_offerer), told(&world, other, of_other)), (1, 1));
        world[if by_refusal { other } else { offerer }]
            .connection
            .stop_transceiver(if by_refusal { of_other } else { of_offerer })
            .unwrap();
        negotiate_from(&mut world, offerer);
        world.run_for(Duration::from_secs(1));
        assert!(world[offerer].connection.transceiver(of_offerer).is_none());
        assert!(world[other].connection.transceiver(of_other).is_none());
        // Whoever stops it knows.
        let expected = if by_refusal { (2, 1) } else { (1, 2) };
        assert_eq!((told(&world, offerer, of_offerer), told(&world, other, of_other)), expected);
    }
}

/// RFC 4588: where both have it, what is lost comes again in a stream of its own, once; else under its own number.
#[test]
fn what_is_lost_comes_again_in_a_stream_of_its_own_where_both_have_it() {
    for (seed, has_rtx) in [(53, true), (54, false)] {
        let mut world = pair_with(seed, |host, config| {
            if host == Z && !has_rtx {
                config.negotiation.codecs.iter_mut().for_each(|codec| codec.rtx = None);
            }
        });
        let ids = add(&mut world, &[MediaKind::Video]);
        negotiate(&mut world);
        until_connected(&mut world);
        world.links(A, Z, |link| _ = link.loss(10.0));
        for n in 0..600 {
            if n == 590 {
                world.links(A, Z, |link| _ = link.loss(0.0));
            }
            for (host, id) in [A, Z].into_iter().zip(ids[0]) {
                write(&mut world, host, id, picture(n));
            }
            world.run_for(Duration::from_millis(11));
        }
        world.run_for(Duration::from_secs(2));
        for (host, id) in [A, Z].into_iter().zip(ids[0]) {
            let told = payloads(&world[host], VP8);
            assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "each once");
            assert!(told.len() >= 598, "all but the first: {}", told.len());
            let received = world[host].connection.receiver_stats(id)[0];
            assert!(received.packets_recovered > 40, "{received:?}");
            assert_eq!(received.retransmitted_packets_received > 40, has_rtx, "{received:?}");
            let json = world[host].connection.stats(world.now()).to_json();
            assert_eq!(json.matches("rtxSsrc").count(), if has_rtx { 2 } else { 0 }, "{json}");
        }
    }
}

/// In DTLS 1.3, who has lost one ACK of a peer that says none twice, as some do: without data channels nothing comes but media.
#[test]
fn whoever_sends_media_is_not_taken_for_dead() {
    let mut world = pair(47);
    let ids = add(&mut world, &[MediaKind::Audio]);
    // Of the first epoch of data: without data there are ACKs alone.
    world.links(A, Z, |link| {
        link.drop_if(|passing| passing.payload.first().is_some_and(|first| first & 0xE3 == 0x23));
    });
    negotiate(&mut world);
    until_connected(&mut world);
    for n in 0..400 {
        for (at, host) in [A, Z].into_iter().enumerate() {
            write(&mut world, host, ids[0][at], sound(n));
        }
        world.run_for(Duration::from_secs(1));
    }
    for host in [A, Z] {
        assert_eq!((world[host].state, &world[host].closed), (ConnectionState::Connected, &None));
        assert!(payloads(&world[host], OPUS).len() > 390);
    }
}
