//! The attacks that have worked on others, against a whole call: the counter of the reason rises by exactly the hostile
//! packets, nothing goes to the attacker, and the call carries data as before.

use crate::common::{
    Peer, VERSIONS, answer, connect_with_channel, connected_with_channel, dissect, negotiate, offer, pair,
    pair_speaking,
};
use crate::forged_records::record;
use allocation_counter::measure;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::sansio::{Datagram, Rng, Seed};
use wigwag::{ConnectionState, DataChannelInit, Direction, MediaKind, PeerConnection, RtpPacket, Version};
use wigwag_sim::{A, Host, World, Z, address};
use wigwag_stun::{IntegrityKey, MessageWriter, TransactionId};

pub(crate) const STRANGER: ([u8; 4], u16) = ([192, 0, 2, 66], 666);

fn call() -> World<Peer> {
    call_over(Version::Dtls13)
}

/// A call with a channel and a video of A, in which something of each kind was said.
pub(crate) fn call_over(version: Version) -> World<Peer> {
    let mut world = pair_speaking(70, version);
    world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
    world[Z].connection.add_track(MediaKind::Video).unwrap();
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    world
}

fn talk(world: &mut World<Peer>, n: u32) {
    let video = world[A].connection.transceivers().next().expect("video").id;
    let packet = RtpPacket::new(96, n * 3000, Bytes::from(n.to_be_bytes().repeat(100)));
    world[A].connection.write_packet(video, packet).unwrap();
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, format!("message {n}").into(), false).unwrap();
    world.run_for(Duration::from_millis(1500));
}

/// What it delivers now is what it would deliver if nothing had happened.
fn goes_on(world: &mut World<Peer>) {
    let (messages, packets) = (world[Z].messages.len(), world[Z].packets.len());
    talk(world, 999);
    assert_eq!((world[Z].messages.len(), world[Z].packets.len()), (messages + 1, packets + 1));
    assert!([A, Z].iter().all(|host| world[*host].state == ConnectionState::Connected));
    let stranger = SocketAddr::from(STRANGER).ip();
    assert!(!world.trace().records().iter().any(|record| record.to.ip() == stranger), "bytes went to the attacker");
}

fn drops(connection: &PeerConnection) -> BTreeMap<&'static str, u64> {
    connection.drops().into_iter().collect()
}

fn total(world: &World<Peer>, host: Host) -> u64 {
    drops(&world[host].connection).values().sum()
}

/// What was dropped meanwhile, by cause.
fn dropped_by(world: &mut World<Peer>, host: Host, attack: impl FnOnce(&mut World<Peer>)) -> Vec<(&'static str, u64)> {
    let before = drops(&world[host].connection);
    attack(world);
    let after = drops(&world[host].connection);
    after
        .into_iter()
        .filter(|(cause, count)| before[cause] != *count)
        .map(|(cause, count)| (cause, count - before[cause]))
        .collect()
}

/// What an attack on a call shall do: raise the counters of its reasons by exactly its packets, hold no memory, provoke no
/// byte to the attacker, and leave the call as it was.
#[track_caller]
pub(crate) fn withstands(
    world: &mut World<Peer>,
    host: Host,
    expected: &[(&'static str, u64)],
    attack: impl FnOnce(&mut World<Peer>),
) {
    let sent = world.trace().records().len();
    let mut dropped = Vec::new();
    let held = measure(|| dropped = dropped_by(world, host, attack));
    assert_eq!(dropped, expected);
    assert!(held.bytes_current < 4000, "{held:?}");
    let (now, mut out) = (world.now(), Vec::new());
    assert!(world[host].connection.poll_transmit(now, &mut out).is_none(), "it is answered: {}", dissect(&out));
    assert_eq!(world.trace().records().len(), sent);
    goes_on(world);
}

pub(crate) fn input(world: &mut World<Peer>, host: Host, from: SocketAddr, bytes: &[u8]) {
    let now = world.now();
    let mut bytes = bytes.to_vec();
    world[host].connection.handle_input(Datagram::udp(address(host), from, &mut bytes), now);
}

/// The datagrams of a call that `host` received, by what they are.
fn received(world: &World<Peer>, host: Host) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut kinds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for record in world.trace().records().iter().filter(|record| record.to == address(host)) {
        kinds.entry(dissect(&record.payload)).or_default().push(record.payload.clone());
    }
    kinds
}

/// Whatever is cut short or has a bit turned over is refused, and whatever is refused is counted.
#[test]
fn every_mutation_of_every_kind_of_datagram_is_refused_and_counted() {
    VERSIONS.into_iter().for_each(every_mutation_is_refused_and_counted);
}

fn every_mutation_is_refused_and_counted(version: Version) {
    let mut record = call_over(version);
    talk(&mut record, 1);
    for host in [A, Z] {
        let kinds = received(&record, host);
        let expected: &[&str] =
            if host == Z { &["SRTP", "SRTCP", "data", "Binding request"] } else { &["SRTCP", "data"] };
        assert!(expected.iter().all(|kind| kinds.contains_key(*kind)), "{:?}", kinds.keys());
        // The same seed gives the same keys.
        let mut world = call_over(version);
        let other = if host == A { Z } else { A };
        for (kind, datagrams) in kinds {
            let datagram = &datagrams[datagrams.len() - 1];
            let prefixes = (0..datagram.len()).map(|len| datagram[..len].to_vec());
            let flips = (0..datagram.len().min(64) * 8).map(|bit| {
                let mut flipped = datagram.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            });
            for hostile in prefixes.chain(flips) {
                let records = dissect(datagram).split(", ").count() as u64 + 2;
                for (from, most) in [(address(other), records), (STRANGER.into(), 1)] {
                    let before = total(&world, host);
                    input(&mut world, host, from, &hostile);
                    let counted = total(&world, host) - before;
                    assert!((1..=most).contains(&counted), "{kind}: {counted} for {hostile:02x?}");
                }
            }
        }
        goes_on(&mut world);
    }
}

#[test]
fn two_hundred_bad_tags_and_plain_packets_are_counted_and_end_nothing() {
    let mut record = call();
    talk(&mut record, 1);
    let packet = received(&record, Z)["SRTP"][0].clone();
    for (hostile, cause) in [
        (
            (|packet: &mut Vec<u8>, n: u8| *packet.last_mut().unwrap() ^= n + 1) as fn(&mut Vec<u8>, u8),
            "srtp.dropped_unauthentic",
        ),
        (
            |packet, _| {
                let len = packet.len();
                packet[len - 16..].fill(0);
            },
            "srtp.dropped_unauthentic",
        ),
        (|packet, n| packet.truncate(packet.len() - 1 - usize::from(n % 16)), "srtp.dropped_unauthentic"),
        (|packet, n| packet[8..12].copy_from_slice(&[n; 4]), "srtp.dropped_unauthentic"),
        (|packet, _| packet.truncate(13), "srtp.dropped_malformed"),
    ] {
        let mut world = call();
        withstands(&mut world, Z, &[(cause, 200)], |world| {
            for n in 0..200 {
                let mut packet = packet.clone();
                hostile(&mut packet, n);
                input(world, Z, address(A), &packet);
            }
        });
    }
}

/// What is forged moves no window: the genuine packet comes after it, and is taken. It was sealed in another run, with the same keys:
/// those of AWS-LC are other ones each time.
#[cfg(not(feature = "aws-lc-rs"))]
#[test]
fn a_genuine_packet_is_taken_after_two_hundred_forgeries_of_it() {
    let mut record = call();
    talk(&mut record, 1);
    let packet = received(&record, Z)["SRTP"][0].clone();
    let mut world = call();
    for n in 0..200u8 {
        let mut forged = packet.clone();
        *forged.last_mut().unwrap() ^= n + 1;
        input(&mut world, Z, address(A), &forged);
    }
    input(&mut world, Z, address(A), &packet);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world[Z].packets.len(), 1);
}

#[test]
fn every_packet_replayed_is_refused_once_more_and_delivered_never() {
    VERSIONS.into_iter().for_each(replayed_packets_are_refused);
}

fn replayed_packets_are_refused(version: Version) {
    let mut world = call_over(version);
    for n in 0..20 {
        talk(&mut world, n);
    }
    let (messages, packets) = (world[Z].messages.len(), world[Z].packets.len());
    let kinds = received(&world, Z);
    let count = |kind: &str| kinds[kind].len() as u64;
    let expected = [("dtls.replayed", count("data")), ("srtp.dropped_replayed", count("SRTP") + count("SRTCP"))];
    withstands(&mut world, Z, &expected, |world| {
        for datagram in ["SRTP", "SRTCP", "data"].iter().flat_map(|kind| &kinds[*kind]) {
            input(world, Z, address(A), datagram);
        }
        assert_eq!((world[Z].messages.len(), world[Z].packets.len()), (messages, packets));
    });
}

/// What an index that does not encrypt would let through.
#[test]
fn srtcp_whose_e_bit_is_gone_is_refused() {
    let mut record = call();
    talk(&mut record, 1);
    let mut packet = received(&record, Z)["SRTCP"][0].clone();
    let mut world = call();
    let index = packet.len() - 4;
    assert_eq!(packet[index] & 0x80, 0x80, "AES-GCM: the index is last (RFC 7714 §9.2)");
    packet[index] &= 0x7f;
    withstands(&mut world, Z, &[("srtp.dropped_unencrypted", 1)], |world| input(world, Z, address(A), &packet));
}

/// Lines of a description.
fn line<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn forged_nominations_and_answers_move_no_path() {
    let mut world = call();
    let descriptions = [A, Z].map(|host| world[host].connection.local_description().unwrap().sdp);
    let [a, z] = [0, 1].map(|at| (line(&descriptions[at], "a=ice-ufrag:"), line(&descriptions[at], "a=ice-pwd:")));
    let username = format!("{}:{}", z.0, a.0);
    let path = world[Z].connection.transport_stats().path;
    let request = |username: &str, password: &str, n: u8| {
        let mut out = Vec::new();
        MessageWriter::request(&mut out, TransactionId([n; 12]))
            .username(username)
            .priority(u32::MAX / 2)
            .ice_controlling(u64::MAX)
            .use_candidate()
            .integrity(&IntegrityKey::short_term(password))
            .fingerprint();
        out
    };
    let expected =
        [("ice.unauthenticated_requests", 200), ("ice.unknown_transaction", 100), ("ice.unknown_ufrag", 100)];
    withstands(&mut world, Z, &expected, |world| {
        for n in 0..50 {
            for from in [address(A), STRANGER.into()] {
                input(world, Z, from, &request(&username, a.1, n)); // the wrong side's password
                input(world, Z, from, &request(&format!("{}x:{}", z.0, a.0), z.1, n)); // another's ufrag
                let mut out = Vec::new();
                MessageWriter::request(&mut out, TransactionId([n; 12]))
                    .username(&username)
                    .use_candidate()
                    .fingerprint();
                input(world, Z, from, &out); // no integrity at all
                let mut out = Vec::new();
                MessageWriter::success(&mut out, TransactionId([n; 12]), STRANGER.into())
                    .integrity(&IntegrityKey::short_term(a.1))
                    .fingerprint();
                input(world, Z, from, &out); // an answer to nothing
            }
        }
    });
    assert_eq!(world[Z].connection.transport_stats().path, path);
}

#[test]
fn stun_that_is_none_is_counted() {
    let mut world = call();
    let mut rng = Rng::new(Seed::for_test(7));
    withstands(&mut world, Z, &[("ice.malformed", 1019)], |world| {
        for len in 1..20 {
            input(world, Z, STRANGER.into(), &vec![0; len]);
        }
        for _ in 0..1000 {
            // A header that is right, and attributes that are not.
            let mut bytes = vec![0, 1, 0, 40, 0x21, 0x12, 0xa4, 0x42];
            bytes.extend(rng.bytes::<52>());
            bytes[20..24].copy_from_slice(&[0x00, 0x06, 0xff, 0xff]);
            input(world, Z, STRANGER.into(), &bytes);
        }
    });
}

/// An association is inside DTLS or nowhere.
#[test]
fn sctp_in_the_clear_is_no_protocol_of_ours() {
    let mut world = call();
    let init = [&[0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20][..], &[7; 16]].concat();
    withstands(&mut world, Z, &[("transport.unknown_protocol", 200)], |world| {
        for _ in 0..100 {
            input(world, Z, address(A), &init);
            input(world, Z, STRANGER.into(), &init);
        }
    });
}

/// Row 7, while it would hurt: whoever can forge the peer's address claims long messages all through the handshake.
#[test]
fn claims_of_long_messages_hold_little_and_do_not_stop_a_call() {
    for version in [Version::Dtls12, Version::Dtls13] {
        claims_of_long_messages_in(version);
    }
}

fn claims_of_long_messages_in(version: Version) {
    let mut world = pair_speaking(75, version);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(&mut world);
    let claim = |n: u32| {
        let [_, len @ ..] = ((n * 7919) % (1 << 24)).to_be_bytes();
        record(22, 0, n, &[&[11][..], &len, &(n as u16 % 16).to_be_bytes(), &[0, 0, 9, 0, 0, 1, 0]].concat())
    };
    let mut n = 0;
    while !world[Z].channels.contains_key("chat") {
        for host in [A, Z] {
            let held = measure(|| {
                for _ in 0..100 {
                    n += 1;
                    input(&mut world, host, address(if host == A { Z } else { A }), &claim(n));
                    input(&mut world, host, STRANGER.into(), &claim(n));
                }
            });
            assert!(held.bytes_max < 200_000, "{held:?}");
        }
        world.run_for(Duration::from_millis(50));
        assert!(n < 1_000_000, "they never connect");
    }
    let stranger = SocketAddr::from(STRANGER).ip();
    assert!(!world.trace().records().iter().any(|record| record.to.ip() == stranger));
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, "still here".into(), false).unwrap();
    world.run_for(Duration::from_secs(2));
    assert_eq!(world[Z].messages.len(), 1);
}

/// Row 28: whoever resolves names that strangers give tells where we are, and asks whom they like (RFC 8828 §3).
#[test]
fn candidates_that_are_names_are_never_looked_up() {
    let names = ["f9d5a7c2.local", "attacker.example", "localhost", "192.0.2.66.example"];
    let candidate = |name: &str| format!("candidate:1 1 udp 2130706431 {name} 666 typ host");
    let mut world = pair(76);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let mut offer = offer(&mut world, A);
    for name in names {
        offer.sdp.push_str(&format!("a={}\r\n", candidate(name)));
    }
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    for host in [A, Z] {
        for name in names {
            let trickled = wigwag::IceCandidate { candidate: candidate(name), ..wigwag::IceCandidate::default() };
            world[host].connection.add_ice_candidate(Some(&trickled)).unwrap();
        }
    }
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(10));
    world.run_for(Duration::from_secs(60));
    // What leaves goes to the two addresses that they told, and to nowhere else.
    let known = [address(A), address(Z)];
    assert!(world.trace().records().iter().all(|record| known.contains(&record.to)));
    for host in [A, Z] {
        assert_eq!(world[host].state, ConnectionState::Connected);
        assert!(!world[host].events.iter().any(|event| event.contains("NameResolutionNeeded")), "nobody is asked to");
        let sdp = world[host].connection.local_description().unwrap().sdp;
        assert!(names.iter().all(|name| !sdp.contains(name)), "nobody passes them on either: {sdp}");
    }
}

/// RFC 8826 §4.2: nothing but checks before somebody there has answered one.
#[test]
fn nothing_but_stun_leaves_before_a_check_was_answered() {
    for seed in 0..20 {
        let mut world = pair(seed);
        world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        world.links(A, Z, |link| {
            link.loss(30.0);
        });
        negotiate(&mut world);
        world.run_for(Duration::from_secs(20));
        for host in [A, Z] {
            let of_host = |record: &&wigwag_sim::Record| record.from == address(host);
            let first = world.trace().records().iter().filter(of_host).find(|record| record.payload[0] >= 4);
            let answers = world.trace().records().iter().filter(|record| {
                record.to == address(host) && dissect(&record.payload) == "Binding response" && !record.fate.is_lost()
            });
            let (Some(first), Some(answer)) = (first, { answers }.next()) else { continue };
            assert!(first.at > answer.at, "{:?} sent {} before an answer", host, dissect(&first.payload));
        }
    }
}

/// A peer without a fingerprint is nobody, and one with an unknown hash function cannot be known.
#[test]
fn descriptions_without_a_usable_fingerprint_make_no_call() {
    for hostile in ["", "a=fingerprint:md2 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n"] {
        let mut world = pair(71);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let mut offer = offer(&mut world, A);
        let lines = offer.sdp.lines().map(|line| format!("{line}\r\n"));
        offer.sdp =
            lines.map(|line| if line.starts_with("a=fingerprint:") { hostile.to_owned() } else { line }).collect();
        let z = &mut world[Z].connection;
        if z.set_remote_description(offer).is_err() {
            continue;
        }
        let answer = z.create_answer().unwrap();
        z.set_local_description(answer).unwrap();
        let answer = z.local_description().unwrap();
        world[A].connection.set_remote_description(answer).unwrap();
        world.run_for(Duration::from_secs(30));
        for host in [A, Z] {
            assert_ne!(world[host].state, ConnectionState::Connected);
            assert!(world[host].channels.is_empty());
        }
    }
}

/// RFC 8827 §6.5: no media without DTLS, however it is asked for.
#[test]
fn hostile_descriptions_are_refused_or_harmless() {
    let mut world = pair(72);
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let genuine = offer(&mut world, A);
    let hostile = [
        genuine.sdp.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        genuine.sdp.replace("a=rtcp-mux\r\n", ""),
        genuine.sdp.replace("a=mid:0", "a=mid:0\r\na=mid:1"),
        format!("{}a={}\r\n", genuine.sdp, "x".repeat(1_000_000)),
        format!("{}{}", genuine.sdp, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(100_000)),
        format!("{}{}", genuine.sdp, "a=candidate:1 1 udp 1 10.9.9.9 9 typ host\r\n".repeat(100_000)),
        genuine.sdp.replace("s=-", "s=\0"),
        genuine.sdp.replace("\r\n", "\n"),
        genuine.sdp[..genuine.sdp.len() / 2].to_owned(),
        String::new(),
    ];
    for sdp in hostile {
        let mut peer = Peer::new(crate::common::connection(73, Z, crate::common::config()));
        let mut offer = genuine.clone();
        offer.sdp = sdp;
        if peer.connection.set_remote_description(offer).is_ok() {
            let answer = peer.connection.create_answer().expect("what was taken can be answered");
            assert!(answer.sdp.contains("a=fingerprint:") || answer.sdp.contains("m=audio 0 "), "{}", answer.sdp);
            assert!(!answer.sdp.contains("a=crypto"));
        }
    }
    // And the genuine one still works.
    let answer = answer(&mut world, Z, genuine);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[A].state == ConnectionState::Connected, Duration::from_secs(5));
}

/// A reader who stops makes the peer wait, whatever it sends, and gets everything in the end.
#[test]
fn who_does_not_read_holds_no_more_than_the_window() {
    let mut world = connected_with_channel(74, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    let mut sent = 0usize;
    let now = world.now();
    let mut now = now;
    let mut out = Vec::new();
    let mut held_max = 0;
    // Z is handed what A sends, but nobody polls its events.
    for _ in 0..20_000 {
        while world[A].connection.send(channel, vec![7; 4000].into(), true).is_ok() {
            sent += 1;
        }
        now += Duration::from_millis(1);
        for (from, to) in [(A, Z), (Z, A)] {
            world[from].connection.handle_timeout(now);
            while world[from].connection.poll_transmit(now, &mut out).is_some() {
                let datagram = Datagram::udp(address(to), address(from), &mut out);
                world[to].connection.handle_input(datagram, now);
            }
        }
        while world[A].connection.poll_event().is_some() {}
        held_max = held_max.max(world[Z].connection.transport_stats().receive_buffered);
    }
    assert!(
        held_max > 1_000_000 && held_max <= (1 << 20) + 4000,
        "{held_max} bytes of a window of 1 MiB, which does not grow"
    );
    assert!(world[A].connection.transport_stats().send_buffered > 1 << 20, "A waits");
    let mut received = 0;
    for _ in 0..200_000 {
        now += Duration::from_millis(1);
        for (from, to) in [(A, Z), (Z, A)] {
            world[from].connection.handle_timeout(now);
            while world[from].connection.poll_transmit(now, &mut out).is_some() {
                let datagram = Datagram::udp(address(to), address(from), &mut out);
                world[to].connection.handle_input(datagram, now);
            }
        }
        while let Some(event) = world[Z].connection.poll_event() {
            received += usize::from(matches!(event, wigwag::Event::Message { .. }));
        }
        if received == sent {
            return;
        }
    }
    panic!("{received} of {sent} messages arrived");
}

/// Each message that is read makes room for one, and not for all: what nobody has read stays where the window counts it.
#[test]
fn who_reads_slowly_holds_no_more_than_the_window() {
    let mut world = connected_with_channel(77, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    let (mut now, mut out) = (world.now(), Vec::new());
    let (mut held, mut read) = (0, 0);
    for _ in 0..10_000 {
        while world[A].connection.send(channel, vec![7; 4000].into(), true).is_ok() {}
        now += Duration::from_millis(1);
        for (from, to) in [(A, Z), (Z, A)] {
            world[from].connection.handle_timeout(now);
            while world[from].connection.poll_transmit(now, &mut out).is_some() {
                let datagram = Datagram::udp(address(to), address(from), &mut out);
                world[to].connection.handle_input(datagram, now);
            }
        }
        while world[A].connection.poll_event().is_some() {}
        read += usize::from(matches!(world[Z].connection.poll_event(), Some(wigwag::Event::Message { .. })));
        held = held.max(world[Z].connection.transport_stats().receive_buffered);
    }
    assert!(read > 5000, "{read}");
    assert!(held > 1_000_000 && held <= (1 << 20) + 4000, "{held} bytes of a window of 1 MiB, which does not grow");
}
