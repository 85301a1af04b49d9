//! What a connection shows to whoever debugs it.

use crate::common::{Peer, config, connect_with_channel, negotiate, pair, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::pcapng::Direction::{Received, Sent};
use wigwag::{
    ConnectionState, DataChannelInit, Direction, Endpoint, EndpointConfig, EndpointEvent, Event, KeyLogLine, MediaKind,
    PacketKind, RtpPacket, Seed, Tapped, TappedPacket,
};
use wigwag_sim::{A, Host, World, Z, address};

const SECRET: &str = "nobody on the way shall read this";

/// A call with a message from A to Z and ten packets of sound, tapped at both ends if `tapped`.
fn call(seed: u64, is_tapped: bool) -> World<Peer> {
    let mut world = pair_with(seed, |_, config| {
        (config.tap.key_log, config.tap.packets) = (is_tapped, is_tapped);
    });
    let id = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    world[Z].connection.add_track(MediaKind::Audio).unwrap();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, SECRET.into(), false).unwrap();
    for n in 0..10 {
        let packet = RtpPacket::new(111, n * 960, Bytes::from_static(SECRET.as_bytes()));
        world[A].connection.write_packet(id, packet).unwrap();
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(10));
    world
}

fn taps(world: &mut World<Peer>, host: Host) -> (Vec<KeyLogLine>, Vec<TappedPacket>) {
    let (mut keys, mut packets) = (Vec::new(), Vec::new());
    while let Some(tapped) = world[host].connection.poll_tap() {
        match tapped {
            Tapped::KeyLog(line) => {
                assert!(packets.is_empty(), "keys come before packets");
                keys.push(line);
            }
            Tapped::Packet(packet) => packets.push(packet),
            tapped => panic!("{tapped:?}"),
        }
    }
    (keys, packets)
}

fn payloads(packets: &[TappedPacket], kind: PacketKind, direction: wigwag::pcapng::Direction) -> Vec<Bytes> {
    let wanted = packets.iter().filter(|packet| packet.kind == kind && packet.direction == direction);
    wanted.map(|packet| packet.payload.clone()).collect()
}

#[test]
fn nobody_who_does_not_ask_is_shown_anything_and_asking_changes_no_byte() {
    let (mut silent, tapped) = (call(1, false), call(1, true));
    assert_eq!(taps(&mut silent, A).1, []);
    assert!(taps(&mut silent, Z).0.is_empty());
    assert!(!silent[A].connection.drops().iter().any(|(name, _)| name.starts_with("tap.")));
    // Two runs: AWS-LC signs with randomness of its own.
    if cfg!(not(feature = "aws-lc-rs")) {
        assert_eq!(silent.trace().hash(), tapped.trace().hash());
    }
}

#[test]
fn what_one_end_sent_the_other_received_and_both_tell_the_same_key() {
    let mut world = call(2, true);
    let [(a_keys, a), (z_keys, z)] = [A, Z].map(|host| taps(&mut world, host));
    let lines = |keys: &[KeyLogLine]| keys.iter().map(|line| line.as_str().to_owned()).collect::<Vec<_>>();
    assert!(!a_keys.is_empty() && lines(&a_keys) == lines(&z_keys));
    for kind in [PacketKind::Datagram, PacketKind::Sctp, PacketKind::Rtp, PacketKind::Rtcp] {
        for (from, to) in [(&a, &z), (&z, &a)] {
            let sent = payloads(from, kind, Sent);
            assert_eq!(sent, payloads(to, kind, Received), "{kind:?}");
            assert!(!sent.is_empty() || kind == PacketKind::Rtp, "{kind:?}");
        }
    }
    assert_eq!(payloads(&a, PacketKind::Rtp, Sent).len(), 10);
}

#[test]
fn datagrams_are_those_of_the_network_and_what_is_in_them_can_be_read_beside_them() {
    let mut world = call(3, true);
    let packets = taps(&mut world, A).1;
    let on_wire: Vec<_> = world.trace().records().iter().map(|record| record.payload.clone()).collect();
    let datagrams = packets.iter().filter(|packet| packet.kind == PacketKind::Datagram);
    let has_secret = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert_eq!(datagrams.clone().count(), on_wire.len());
    assert!(datagrams.clone().all(|packet| on_wire.iter().any(|seen| *seen == packet.payload)));
    assert!(!datagrams.clone().any(|packet| has_secret(&packet.payload)));
    for kind in [PacketKind::Sctp, PacketKind::Rtp] {
        assert!(payloads(&packets, kind, Sent).iter().any(|payload| has_secret(payload)), "{kind:?}");
    }
    for packet in &packets {
        assert_eq!((packet.local, packet.remote), (address(A), address(Z)));
        assert!(packet.time >= crate::common::UNIX_TIME && !format!("{packet:?}").contains("nobody"));
    }
    assert!(packets.is_sorted_by_key(|packet| packet.time));
}

#[test]
fn a_full_buffer_leaves_out_what_comes_and_the_call_goes_on() {
    let mut world = pair_with(4, |_, config| {
        (config.tap.packets, config.tap.buffer) = (true, 10_000);
    });
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    for _ in 0..100 {
        world[A].connection.send(channel, SECRET.into(), false).unwrap();
        world.run_for(Duration::from_millis(100));
    }
    assert_eq!(world[Z].messages.len(), 100);
    let drops = world[A].connection.drops();
    let no_room = drops.iter().find(|(name, _)| *name == "tap.no_room").unwrap().1;
    let (keys, packets) = taps(&mut world, A);
    assert!(keys.is_empty(), "keys are asked for separately");
    let held: usize = packets.iter().map(|packet| packet.payload.len() + 128).sum();
    assert!(held <= 10_000 && no_room > 100, "{held} {no_room}");
    world[A].connection.send(channel, SECRET.into(), false).unwrap();
    world.run_for(Duration::from_millis(100));
    assert!(!taps(&mut world, A).1.is_empty(), "there is room again");
}

#[test]
fn an_endpoint_shows_the_last_words_of_a_connection_that_is_over() {
    let mut world = pair(5);
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(5));
    endpoint.add_local_address(address(Z)).unwrap();
    let mut tapped = config();
    (tapped.tap.key_log, tapped.tap.packets) = (true, true);
    let id = endpoint.create(tapped).unwrap();
    let a = &mut world[A].connection;
    a.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = crate::common::offer(&mut world, A);
    let z = endpoint.connection_mut(id).unwrap();
    z.set_remote_description(offer).unwrap();
    let answer = z.create_answer().unwrap();
    z.set_local_description(answer).unwrap();
    let answer = z.local_description().unwrap();
    let a = &mut world[A].connection;
    a.set_remote_description(answer).unwrap();

    // Two machines without a network between them; nobody polls the tap until the end.
    let (mut now, mut out, mut is_over) = (wigwag_sim::origin(), Vec::new(), false);
    while !is_over {
        now += Duration::from_millis(10);
        a.handle_timeout(now);
        endpoint.handle_timeout(now);
        while a.poll_transmit(now, &mut out).is_some() {
            endpoint.handle_input(wigwag::Datagram::udp(address(Z), address(A), &mut out), now);
        }
        while endpoint.poll_transmit(now, &mut out).is_some() {
            a.handle_input(wigwag::Datagram::udp(address(A), address(Z), &mut out), now);
        }
        while let Some(event) = a.poll_event() {
            if matches!(event, Event::ChannelOpened(_)) {
                a.close();
            }
        }
        while let Some(EndpointEvent::Connection(_, event)) = endpoint.poll_event() {
            is_over |= matches!(event, Event::Closed(_));
        }
    }
    assert!(endpoint.connection(id).is_none());
    let all: Vec<_> = std::iter::from_fn(|| endpoint.poll_tap()).collect();
    assert!(all.iter().all(|(of, _)| *of == id));
    assert!(matches!(all.first(), Some((_, Tapped::KeyLog(_)))), "{:?}", all.first());
    let packets = all.into_iter().filter_map(|(_, tapped)| match tapped {
        Tapped::Packet(packet) => Some(packet),
        _ => None,
    });
    // RFC 9260 §3.3.7: chunk type 6 is ABORT, with which the peer begins its goodbye.
    assert!(packets.into_iter().any(|packet| packet.kind == PacketKind::Sctp && packet.payload[12] == 6));
}

#[test]
fn what_is_shown_becomes_a_capture() {
    let mut world = call(6, true);
    let mut capture = Vec::new();
    wigwag::pcapng::begin(&mut capture);
    let begun = capture.len();
    let mut count = 0;
    while let Some(tapped) = world[A].connection.poll_tap() {
        let before = capture.len();
        tapped.append_pcapng(&mut capture);
        assert!(capture.len() > before);
        count += 1;
    }
    assert!(count > 20 && capture[begun..].windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    let secret = b"CLIENT_TRAFFIC_SECRET_0";
    assert!(capture[begun..].windows(secret.len()).any(|window| window == secret));
}

#[test]
fn a_call_that_never_connects_shows_its_checks() {
    let mut world = pair_with(7, |_, config| config.tap.packets = true);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(&mut world);
    world.link(A, Z).drop_if(|_| true);
    world.run_until(|world| world[A].state == ConnectionState::Failed, Duration::from_secs(120));
    let packets = taps(&mut world, A).1;
    assert!(packets.len() > 10 && packets.iter().all(|packet| packet.kind == PacketKind::Datagram));
}
