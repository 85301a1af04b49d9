//! What hostile bytes cannot do to a connection.

use crate::common::{Peer, connected_with_channel, negotiate, pair};
use std::time::Duration;
use wigwag::sansio::Datagram;
use wigwag::{CloseReason, ConnectionState, DataChannelInit};
use wigwag_sim::{A, Fate, Host, World, Z, address};

/// Flips one digit of every fingerprint in a description.
fn with_wrong_fingerprint(sdp: &str) -> String {
    sdp.lines()
        .map(|line| match line.strip_prefix("a=fingerprint:sha-256 ") {
            Some(digits) => {
                let first = if digits.starts_with('0') { '1' } else { '0' };
                format!("a=fingerprint:sha-256 {first}{}\r\n", &digits[1..])
            }
            None => format!("{line}\r\n"),
        })
        .collect()
}

/// Row 2: it ends, so there is nothing to go on, and nothing that is dropped.
#[test]
fn a_wrong_fingerprint_ends_the_call_and_no_key_is_used() {
    for wrong_for in [A, Z] {
        let mut world = pair(1);
        world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
        let mut offer = crate::common::offer(&mut world, A);
        if wrong_for == Z {
            offer.sdp = with_wrong_fingerprint(&offer.sdp);
        }
        let mut answer = crate::common::answer(&mut world, Z, offer);
        if wrong_for == A {
            answer.sdp = with_wrong_fingerprint(&answer.sdp);
        }
        world[A].connection.set_remote_description(answer).unwrap();
        world.run_until(|world| world[wrong_for].closed.is_some(), Duration::from_secs(20));
        assert!(matches!(world[wrong_for].closed, Some(CloseReason::Dtls(_))), "{:?}", world[wrong_for].closed);
        world.run_for(Duration::from_secs(5));
        for host in [A, Z] {
            assert!(world[host].channels.is_empty(), "a channel opened");
            assert_ne!(world[host].state, ConnectionState::Connected);
        }
        // No application data and no media: content types 23 and the range of SRTP never left.
        let is_protected = |packet: &[u8]| packet.first().is_some_and(|first| *first == 23 || *first >= 128);
        assert!(
            !world.trace().records().iter().any(|record| is_protected(&record.payload)),
            "something protected was sent"
        );
    }
}

fn drops(peer: &Peer) -> u64 {
    peer.connection.drops().iter().map(|(_, count)| count).sum()
}

fn input(world: &mut World<Peer>, host: Host, from: std::net::SocketAddr, bytes: &[u8]) {
    let now = world.now();
    let mut bytes = bytes.to_vec();
    world[host].connection.handle_input(Datagram::udp(address(host), from, &mut bytes), now);
}

/// One datagram of each kind that a whole call sends.
fn one_of_each_kind() -> Vec<(String, Host, Vec<u8>)> {
    let mut world = connected_with_channel(3, "chat", DataChannelInit::default());
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, "hello".into(), false).unwrap();
    world.run_for(Duration::from_secs(1));
    let mut kinds = std::collections::BTreeMap::new();
    for record in world.trace().records() {
        let to = if record.from == address(A) { Z } else { A };
        kinds.entry((crate::common::dissect(&record.payload), record.from)).or_insert((to, record.payload.clone()));
    }
    kinds.into_iter().map(|((name, _), (to, bytes))| (name, to, bytes)).collect()
}

/// Row 8. How often each counts, and what is held of it, `attacks.rs` asserts.
#[test]
fn prefixes_and_flipped_bits_of_every_kind_of_datagram_are_dropped_and_the_call_goes_on() {
    for (name, _, bytes) in one_of_each_kind() {
        let mut world = connected_with_channel(3, "chat", DataChannelInit::default());
        let prefixes = (0..bytes.len()).map(|len| bytes[..len].to_vec());
        let flips = (0..bytes.len().min(64) * 8).map(|bit| {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        });
        for hostile in prefixes.chain(flips) {
            for from in [address(A), ([192, 0, 2, 66], 666).into()] {
                input(&mut world, Z, from, &hostile);
            }
        }
        let channel = world[A].channels["chat"];
        world[A].connection.send(channel, "still here".into(), false).unwrap();
        world.run_until(
            |world| world[Z].messages.iter().any(|(_, data, _)| data == "still here"),
            Duration::from_secs(20),
        );
        let stranger = std::net::IpAddr::from([192, 0, 2, 66]);
        let to_stranger = world
            .trace()
            .records()
            .iter()
            .filter(|record| record.to.ip() == stranger && record.fate == Fate::NoRoute)
            .count();
        assert_eq!(to_stranger, 0, "{name}: bytes went to a stranger");
        assert!(drops(&world[Z]) > 0);
    }
}

#[test]
fn a_client_hello_from_a_stranger_before_during_and_after_the_handshake_changes_nothing() {
    let hello = one_of_each_kind().into_iter().find(|(name, ..)| name == "ClientHello").expect("a call has one").2;
    let stranger = ([192, 0, 2, 66], 666).into();
    let mut world = pair(5);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(&mut world);
    for _ in 0..100 {
        for host in [A, Z] {
            for _ in 0..100 {
                input(&mut world, host, stranger, &hello);
            }
        }
        world.run_for(Duration::from_millis(5));
    }
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(5));
    let dropped =
        |host: Host| world[host].connection.drops().into_iter().find(|(cause, _)| *cause == "transport.closed_path");
    assert_eq!([A, Z].map(|host| dropped(host).map(|(_, count)| count)), [Some(10_000); 2]);
    let held = allocation_counter::measure(|| (0..10_000).for_each(|_| input(&mut world, Z, stranger, &hello)));
    assert!(held.bytes_current <= 0, "{} bytes", held.bytes_current);
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, "still here".into(), false).unwrap();
    world.run_until(|world| !world[Z].messages.is_empty(), Duration::from_secs(5));
    assert!(!world.trace().records().iter().any(|record| record.to == stranger), "bytes went to the stranger");
}
