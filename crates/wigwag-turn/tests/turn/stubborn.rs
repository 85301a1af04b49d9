//! Servers and people between that say what they must not, and callers that ask more often than there is need.

use crate::server::{Server, USERNAME};
use crate::{Machine, SECOND, allocated, client, relayed, world};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::Datagram;
use wigwag_sim::{A, Z, address};
use wigwag_stun::{AttributeType, Class, ErrorCode, Message, MessageWriter};
use wigwag_turn::{Client, ClientEvent, Failure};

fn feed(client: &mut Client, bytes: &mut [u8], now: Instant) {
    let (local, remote) = (client.local(), client.server());
    client.handle_input(Datagram::udp(local, remote, bytes), now, |_| {});
}

fn refused(code: u16) -> ClientEvent {
    ClientEvent::Ended(Failure::Refused { code, reason: "No".into() })
}

/// One whose server asks for no password, and keeps what it gives for ever.
fn trusted(seed: u64, now: Instant) -> Client {
    let (mut client, mut out, mut answer) = (client(seed, "secret"), Vec::new(), Vec::new());
    assert!(client.poll_transmit(now, &mut out).is_some());
    let request = Message::decode(&out).unwrap();
    MessageWriter::new(&mut answer, Class::SuccessResponse, request.method(), request.transaction())
        .xor_address(AttributeType(0x16), relayed(5000))
        .xor_mapped_address(address(A))
        .attribute(AttributeType(0x0D), &[0xFF; 4])
        .fingerprint();
    feed(&mut client, &mut answer, now);
    assert!(matches!(client.poll_event(), Some(ClientEvent::Allocated { .. })));
    client
}

/// Our name and a tag by our password are not sent to whoever listens on this machine.
#[test]
fn nobody_is_asked_where_no_server_can_be() {
    let own = address(A);
    for alternate in ["127.0.0.1:3478", "0.0.0.0:3478", "192.0.2.9:0", "224.0.0.1:3478", "255.255.255.255:3478"]
        .map(|text| text.parse().unwrap())
        .into_iter()
        .chain([own])
    {
        let (mut world, ..) = world(1);
        world[Z].server().alternate = Some(alternate);
        world.run_for(SECOND);
        assert_eq!(world[A].events(), [refused(300)], "{alternate}");
        assert!(world.trace().records().iter().all(|record| record.to != alternate || record.from == address(Z)));
    }
}

/// RFC 8489 §10: "If the client has been redirected to a server to which it has already sent this request within the last
/// five minutes, it MUST ignore the redirection".
#[test]
fn a_server_that_was_asked_is_not_asked_again() {
    let (mut world, ..) = world(1);
    let [y, x]: [SocketAddr; 2] = ["192.0.2.9:3478", "192.0.2.10:3478"].map(|text| text.parse().unwrap());
    let [second, third] = [(y, "Y", x), (x, "X", y)].map(|(at, name, alternate)| {
        let mut server = Server::new(at, &[]);
        server.alternate = Some(alternate);
        world.add(name, &[at], Machine::Server(Box::new(server)))
    });
    world[Z].server().alternate = Some(y);
    world.run_for(2 * SECOND);
    assert_eq!(world[A].events(), [refused(300)]);
    assert_eq!([world[second].server().count(3), world[third].server().count(3)], [2, 2]);
}

/// RFC 8489 §9.2.5: the client "MUST ignore the response", and so the server's own still counts.
#[test]
fn a_challenge_that_cannot_be_answered_is_as_if_it_had_not_come() {
    for code in [401, 438] {
        for nonce in [None, Some(&b"obMatJos2gAAAxyz"[..]), Some(&[b'n'; 800])] {
            let (mut client, now) = (client(1, "secret"), wigwag_sim::origin());
            let mut out = Vec::new();
            assert!(client.poll_transmit(now, &mut out).is_some());
            let request = Message::decode(&out).unwrap();
            let answer = |nonce: Option<&[u8]>| {
                let mut answer = Vec::new();
                let mut writer =
                    MessageWriter::new(&mut answer, Class::ErrorResponse, request.method(), request.transaction())
                        .error_code(ErrorCode { code, reason: "" })
                        .attribute(AttributeType::REALM, b"example.org");
                if let Some(nonce) = nonce {
                    writer = writer.attribute(AttributeType::NONCE, nonce);
                }
                writer.fingerprint();
                answer
            };
            feed(&mut client, &mut answer(nonce), now);
            assert_eq!((client.poll_event(), client.stats().forged), (None, 1));
            assert!(client.is_awaiting(request.transaction()), "the first answer is waited for");
            feed(&mut client, &mut answer(Some(b"nonce")), now);
            let mut again = Vec::new();
            assert!(client.poll_transmit(now, &mut again).is_some());
            let again = Message::decode(&again).unwrap();
            assert_eq!((again.attributes.username, again.attributes.nonce), (Some(USERNAME), Some(&b"nonce"[..])));
        }
    }
}

/// What the server has given it has given: it goes on relaying by number until that ends.
#[test]
fn a_channel_that_is_not_renewed_is_heard_until_it_ends() {
    for code in [400, 403, 500] {
        let (mut world, peer, at) = allocated(1);
        world[A].client().client.allow(at.ip());
        world[A].client().client.bind(at);
        world.run_for(SECOND);
        world[Z].server().refuses = Some((9, code));
        for round in 1..=80 {
            world[A].client().to_send.push((at, b"hi".to_vec()));
            world.note("an exchange");
            world.run_for(20 * SECOND);
            assert_eq!((world[peer].peer().received.len(), world[A].client().received.len()), (round, round), "{code}");
        }
        assert_eq!(world[A].events().len(), 1);
        let asked = world[Z].server().count(9);
        assert!((2..30).contains(&asked), "{asked}");
    }
}

/// Law 6, and law 7: how often somebody looks whether there is something to send changes nothing.
#[test]
fn asking_in_vain_whether_there_is_something_to_wrap_changes_nothing() {
    let (begin, at) = (wigwag_sim::origin(), "192.0.2.7:700".parse().unwrap());
    let sent = [0, 7].map(|times| {
        let (mut client, mut out, mut sent) = (trusted(3, begin), Vec::new(), Vec::new());
        for step in 0..5u8 {
            for _ in 0..times {
                assert!(!client.wrap(at, 1200, &mut Vec::new(), |_, _| false));
            }
            client.allow([192, 0, 2, step].into());
            client.handle_timeout(begin);
            assert!(client.poll_transmit(begin, &mut out).is_some());
            sent.push(out.clone());
            out.clear();
            assert!(client.wrap(at, 1200, &mut out, |_, out| {
                out.push(step);
                true
            }));
            sent.push(out.clone());
        }
        sent
    });
    assert_eq!(sent[0], sent[1]);
}

#[test]
fn a_channel_that_nobody_uses_is_not_kept_by_asking_in_vain() {
    let (mut world, _, at) = allocated(1);
    world[A].client().client.bind(at);
    for _ in 0..20 {
        world.run_for(25 * SECOND);
        let now = world.now();
        let client = &mut world[A].client().client;
        assert!(!client.wrap(at, 1200, &mut Vec::new(), |_, _| false));
        assert!(client.poll_timeout(now).is_none_or(|due| due > now), "nothing is owed");
    }
    assert_eq!(world[Z].server().count(9), 1);
}

/// Law 8, with a server that answers nothing any more, and somebody who does not listen.
#[test]
fn what_is_told_of_peers_is_bounded() {
    let mut now = wigwag_sim::origin();
    let (mut client, mut out) = (trusted(1, now), Vec::new());
    for _ in 0..200 {
        for n in 0..128 {
            client.allow([10, 9, 8, n].into());
        }
        now += 100 * SECOND;
        client.handle_timeout(now);
        while client.poll_transmit(now, &mut out).is_some() {}
        for _ in 0..8 {
            now += 20 * SECOND;
            client.handle_timeout(now);
            while client.poll_transmit(now, &mut out).is_some() {}
        }
    }
    let told = std::iter::from_fn(|| client.poll_event()).count();
    assert!((1..=128).contains(&told), "{told}");
}
