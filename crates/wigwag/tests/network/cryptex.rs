//! Headers of media that are encrypted (RFC 9335), or not, as both sides have said.

use crate::common::{Peer, answer, negotiate, offer, pair_with};
use crate::media::{call_in, negotiate_from, picture, sound, until_connected};
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag::jsep::HeaderEncryption::{self, Disable, Negotiate, Require};
use wigwag::{DataChannelInit, Direction, MediaKind, SessionDescription, TransceiverId};
use wigwag_sim::{A, Host, World, Z, address};

const KINDS: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

fn pair_wanting(seed: u64, policies: [HeaderEncryption; 2]) -> World<Peer> {
    pair_with(seed, |host, config| config.negotiation.header_encryption = policies[usize::from(host == Z)])
}

/// Sound and pictures, both ways, in the offer that A is to make.
fn add_both(world: &mut World<Peer>) -> Vec<[TransceiverId; 2]> {
    let add = |kind: &MediaKind| {
        let of_a = world[A].connection.add_transceiver(*kind, Direction::Sendrecv).unwrap();
        [of_a, world[Z].connection.add_track(*kind).unwrap()]
    };
    KINDS.iter().map(add).collect()
}

/// Half a second of both from both.
fn talk(world: &mut World<Peer>, ids: &[[TransceiverId; 2]], from: u32) {
    for n in from..from + 50 {
        for (at, host) in [A, Z].into_iter().enumerate() {
            for (id, packet) in ids.iter().zip([sound(n), picture(n)]) {
                world[host].connection.write_packet(id[at], packet).unwrap();
            }
        }
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_millis(500));
}

/// The tags before extensions on the wire, of what this host has sent since this many datagrams.
fn tags(world: &World<Peer>, host: Host, since: usize) -> BTreeSet<u16> {
    let records = world.trace().records()[since..].iter().filter(|record| record.from.ip() == address(host).ip());
    let media = records.map(|record| record.payload.as_slice()).filter(|payload| {
        matches!(payload, [128..=191, second, ..] if !(192..=223).contains(second)) && payload[0] & 0x10 != 0
    });
    media.map(|payload| u16::from_be_bytes([payload[12], payload[13]])).collect()
}

fn received(world: &World<Peer>) -> [usize; 2] {
    [A, Z].map(|host| world[host].packets.len())
}

fn dropped(peer: &Peer, name: &str) -> u64 {
    peer.connection.drops().iter().filter(|(found, _)| *found == name).map(|(_, count)| count).sum()
}

fn is_negotiated(peer: &Peer) -> Vec<bool> {
    let transceivers = peer.connection.transceivers();
    transceivers.map(|transceiver| transceiver.negotiated.as_ref().is_some_and(|agreed| agreed.cryptex)).collect()
}

/// The description with `a=cryptex` in its sections of media, or without.
fn saying(description: &SessionDescription, is_said: bool) -> SessionDescription {
    let sdp = description.sdp.replace("a=cryptex\r\n", "");
    let sdp = if is_said { sdp.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=cryptex\r\n") } else { sdp };
    SessionDescription { kind: description.kind, sdp }
}

#[test]
fn headers_are_encrypted_if_both_want_it_and_what_they_say_arrives_as_ever() {
    for (policies, tag) in [
        ([Negotiate, Negotiate], 0xc0de),
        ([Require, Negotiate], 0xc0de),
        ([Require, Require], 0xc0de),
        ([Negotiate, Disable], 0xbede),
        ([Disable, Negotiate], 0xbede),
    ] {
        let mut world = pair_wanting(60, policies);
        let ids = call_in(&mut world, &KINDS);
        talk(&mut world, &ids, 0);
        assert_eq!(received(&world), [100; 2], "{policies:?}");
        for host in [A, Z] {
            assert_eq!(tags(&world, host, 0), BTreeSet::from([tag]), "{policies:?}");
            assert_eq!(is_negotiated(&world[host]), [tag == 0xc0de; 2], "{policies:?}");
            // Reports of arrivals, by numbers that stand in extensions.
            assert!(world[host].reported > 50, "{policies:?}");
            assert!(
                world[host].connection.drops().iter().all(|(name, count)| *count == 0 || !name.starts_with("srtp."))
            );
        }
    }
}

#[test]
fn a_peer_that_cannot_is_refused_if_it_is_required() {
    let mut world = pair_wanting(61, [Disable, Require]);
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let offered = offer(&mut world, A);
    let error = world[Z].connection.set_remote_description(offered).unwrap_err().to_string();
    assert!(error.contains("a=cryptex is missing"), "{error}");
    let mut world = pair_wanting(61, [Require, Disable]);
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let offered = offer(&mut world, A);
    let answered = answer(&mut world, Z, offered);
    let error = world[A].connection.set_remote_description(answered).unwrap_err().to_string();
    assert!(error.contains("a=cryptex is missing"), "{error}");
}

/// It says that it does, and sends in the clear what was to be encrypted.
#[test]
fn a_peer_that_does_not_do_as_it_says_is_not_heard_where_it_is_required() {
    let mut world = pair_wanting(62, [Require, Disable]);
    let ids = add_both(&mut world);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offered = offer(&mut world, A);
    let answered = answer(&mut world, Z, offered);
    world[A].connection.set_remote_description(saying(&answered, true)).unwrap();
    until_connected(&mut world);
    talk(&mut world, &ids, 0);
    assert_eq!((received(&world)[0], dropped(&world[A], "srtp.dropped_header_in_clear")), (0, 100));
    assert_eq!(tags(&world, A, 0), BTreeSet::from([0xc0de]), "what A sends is encrypted all the same");
    assert_eq!(tags(&world, Z, 0), BTreeSet::from([0xbede]));
    // What belongs to nobody's extension is GCM's to refuse.
    assert_eq!((received(&world)[1], dropped(&world[Z], "srtp.dropped_unauthentic")), (0, 100));
    let channel = world[A].channels["chat"];
    world[A].connection.send(channel, "goes on".into(), false).unwrap();
    world.run_until(|world| !world[Z].messages.is_empty(), Duration::from_secs(10));
}

/// RFC 9335 §4: the support may change; packets that are on their way, in the clear or not, arrive.
#[test]
fn a_peer_may_cease_to_and_begin_again_in_the_midst_of_a_call() {
    let mut world = pair_wanting(63, [Negotiate, Negotiate]);
    let ids = call_in(&mut world, &KINDS);
    let mut sent = 0;
    for (tag, is_said) in [(0xc0de, true), (0xbede, false), (0xc0de, true)] {
        if sent > 0 {
            // On their way while the descriptions are exchanged.
            for (at, host) in [A, Z].into_iter().enumerate() {
                for (id, packet) in ids.iter().zip([sound(sent), picture(sent)]) {
                    world[host].connection.write_packet(id[at], packet).unwrap();
                }
            }
            world.run_for(Duration::from_micros(1));
            sent += 1;
            let offered = saying(&offer(&mut world, A), is_said);
            let answered = answer(&mut world, Z, offered);
            world[A].connection.set_remote_description(answered).unwrap();
            world.run_for(Duration::from_millis(500));
        }
        let since = world.trace().records().len();
        talk(&mut world, &ids, sent);
        sent += 50;
        for host in [A, Z] {
            assert_eq!(tags(&world, host, since), BTreeSet::from([tag]));
            assert_eq!(dropped(&world[host], "srtp.dropped_unauthentic"), 0);
        }
        assert_eq!(received(&world), [2 * sent as usize; 2]);
    }
    negotiate(&mut world);
    negotiate_from(&mut world, Z);
    talk(&mut world, &ids, sent);
    assert_eq!(received(&world), [2 * (sent as usize + 50); 2]);
}

/// RFC 9335 §4: who says it takes such packets; whoever answers may send them before the answer is there.
#[test]
fn what_overtakes_the_answer_that_agrees_is_understood() {
    let mut world = pair_wanting(64, [Negotiate, Negotiate]);
    let ids = add_both(&mut world);
    let offered = saying(&offer(&mut world, A), false);
    let answered = answer(&mut world, Z, offered);
    world[A].connection.set_remote_description(answered).unwrap();
    until_connected(&mut world);
    talk(&mut world, &ids, 0);
    assert_eq!((received(&world), is_negotiated(&world[A])), ([100; 2], vec![false; 2]));
    let offered = offer(&mut world, A);
    let answered = answer(&mut world, Z, offered);
    let since = world.trace().records().len();
    talk(&mut world, &ids, 50);
    assert_eq!((tags(&world, Z, since), tags(&world, A, since)), (BTreeSet::from([0xc0de]), BTreeSet::from([0xbede])));
    assert_eq!(received(&world), [200; 2]);
    world[A].connection.set_remote_description(answered).unwrap();
    talk(&mut world, &ids, 100);
    assert_eq!((received(&world), is_negotiated(&world[A])), ([300; 2], vec![true; 2]));
}
