//! A server that is asked over a stream (RFC 8656 §3.1): opened, cut anywhere, lost, and closed.

use crate::server::PASSWORD;
use crate::{MS, Machine, SECOND, client_over, dissect, relayed, world_of};
use expect_test::expect;
use std::net::SocketAddr;
use wigwag_sansio::{Datagram, Ecn, Protocol};
use wigwag_sim::{A, Host, World, Z, address, seeds};
use wigwag_turn::{Client, ClientEvent, Failure};

const STREAMS: [Protocol; 2] = [Protocol::Tcp, Protocol::Tls];

fn world(protocol: Protocol, seed: u64) -> (World<Machine>, Host, SocketAddr) {
    world_of(seed, client_over(protocol, seed, PASSWORD))
}

fn allocated(protocol: Protocol, seed: u64) -> (World<Machine>, Host, SocketAddr) {
    let (mut world, peer, at) = world(protocol, seed);
    world.run_until(|world| !world[A].events().is_empty(), 5 * SECOND);
    (world, peer, at)
}

fn client(world: &mut World<Machine>) -> &mut Client {
    &mut world[A].client().client
}

fn input(client: &mut Client, protocol: Protocol, bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut bytes, mut found) = (bytes.to_vec(), Vec::new());
    let (local, remote) = (client.local(), client.server());
    let datagram = Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload: &mut bytes };
    client.handle_input(datagram, wigwag_sim::origin(), |inner| found.push(inner.payload.to_vec()));
    found
}

fn ended(world: &World<Machine>) -> &Failure {
    match world[A].events() {
        [.., ClientEvent::Ended(failure)] => failure,
        events => panic!("{events:?}"),
    }
}

#[test]
fn an_address_is_asked_for_and_given_back_over_a_stream_which_is_closed() {
    for protocol in STREAMS {
        let (mut world, ..) = allocated(protocol, 1);
        let event = ClientEvent::Allocated { relayed: relayed(5000), mapped: address(A) };
        assert_eq!(world[A].events(), [event]);
        client(&mut world).release();
        world.run();
        expect![[r#"
             0 ms  A → Z  Allocate Request
            20 ms  A ← Z  Allocate ErrorResponse 401
            40 ms  A → Z  Allocate Request
            60 ms  A ← Z  Allocate SuccessResponse
            80 ms  A → Z  Refresh Request
           100 ms  A ← Z  Refresh SuccessResponse
           120 ms  A → Z  the end
        "#]]
        .assert_eq(&world.ladder(dissect));
        assert_eq!((world[Z].server().allocations(), world[Z].server().streams()), (0, 0));
        assert!(client(&mut world).is_over() && client(&mut world).closing().is_none());
    }
}

/// In pieces of any length, both ways, bound or not, of any length: what peers send arrives once and whole.
#[test]
fn datagrams_go_through_however_the_stream_is_cut() {
    for seed in seeds(10) {
        for piece_len in [1, 2, 3, 5, 7, 36, 1000] {
            let (mut world, peer, at) = allocated(Protocol::Tcp, seed);
            world[Z].server().piece_len = piece_len;
            let unbound = SocketAddr::new(at.ip(), 701);
            world.add_address(peer, unbound);
            client(&mut world).bind(at);
            world.run_for(SECOND);
            let data: Vec<Vec<u8>> = (0..12u8).map(|n| vec![n; usize::from(n) * 37 % 300]).collect();
            for data in &data {
                for peer in [at, unbound] {
                    world[A].client().to_send.push((peer, data.clone()));
                }
            }
            world.run_for(5 * SECOND);
            let mut received = world[A].client().received.clone();
            received.sort();
            let mut sent: Vec<_> = data.iter().flat_map(|data| [at, at].map(|peer| (peer, data.clone()))).collect();
            sent.sort();
            let without_peers =
                |all: &[(SocketAddr, Vec<u8>)]| all.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>();
            assert_eq!(without_peers(&received), without_peers(&sent), "seed {seed}, pieces of {piece_len}");
            assert_eq!(client(&mut world).stats().dropped(), 0);
            assert!(world[Z].server().relayed_in_channels >= 12 && world[Z].server().relayed_in_indications >= 12);
        }
    }
}

/// RFC 8489 §6.2.2: nothing is sent again, and an answer is waited for for 39.5 s.
#[test]
fn a_server_that_stalls_is_asked_once_and_given_up() {
    let (mut world, ..) = world(Protocol::Tcp, 1);
    world[Z].server().is_dead = true;
    world.run_until(|world| !world[A].events().is_empty(), 60 * SECOND);
    assert_eq!((ended(&world), world.age()), (&Failure::TimedOut, 39_500 * MS));
    world.run();
    assert_eq!(world.trace().records().len(), 2, "a request, and the end of the stream");
    assert_eq!(client(&mut world).stats().requests_sent, 1);
}

#[test]
fn a_server_that_refuses_the_stream_is_told_with_what_helps() {
    for (protocol, words) in [(Protocol::Tcp, "TURN over TCP"), (Protocol::Tls, "certificate")] {
        let (mut world, ..) = world(protocol, 1);
        world[Z].server().refuses_streams = true;
        world.run();
        let Failure::Unconnected { reason } = ended(&world) else { panic!("{:?}", ended(&world)) };
        assert!(reason.contains(words), "{reason}");
        assert!(client(&mut world).is_over() && world.age() < SECOND);
    }
}

#[test]
fn what_the_driver_knows_of_an_end_is_told() {
    for has_heard in [false, true] {
        let mut client = client_over(Protocol::Tls, 1, PASSWORD);
        let mut out = Vec::new();
        client.explain_end("nobody listens"); // no stream is there yet
        assert!(client.poll_transmit(wigwag_sim::origin(), &mut out).is_some());
        if has_heard {
            assert!(input(&mut client, Protocol::Tls, &[0, 1]).is_empty());
        }
        let words = "x".repeat(1000);
        client.explain_end(&words);
        input(&mut client, Protocol::Tls, &[]);
        let reason = words[..300].to_owned();
        let failure = if has_heard { Failure::Disconnected { reason } } else { Failure::Unconnected { reason } };
        assert_eq!(client.poll_event(), Some(ClientEvent::Ended(failure)));
        assert_eq!(client.poll_transmit(wigwag_sim::origin(), &mut out), None, "there is nothing to close");
        assert_eq!(client.poll_timeout(wigwag_sim::origin()), None);
    }
}

/// It is asked for nothing more, and not asked anew: that is for whoever asked.
#[test]
fn an_address_is_lost_with_its_stream() {
    let (mut world, _, at) = allocated(Protocol::Tcp, 1);
    client(&mut world).bind(at);
    world.run_for(SECOND);
    world[Z].server().send_on_streams(&[]);
    world.run();
    assert!(matches!(ended(&world), Failure::Disconnected { .. }));
    let client = client(&mut world);
    assert!(client.is_over() && client.relayed().is_none() && client.closing().is_none());
    assert!(!client.enclose(at, &mut vec![7; 10]));
    input(client, Protocol::Tcp, b"late");
    assert_eq!(client.stats().after_end, 1);
}

#[test]
fn a_stream_that_holds_something_else_is_closed_and_counted() {
    for begun in [false, true] {
        let (mut world, ..) = allocated(Protocol::Tcp, 1);
        let before = world[A].events().len();
        if begun {
            world[Z].server().send_on_streams(&[0x40, 0, 0, 9, 1, 2, 3]);
            world[Z].server().send_on_streams(&[4, 5, 6, 7, 8, 9, 0, 0, 0]);
        }
        world[Z].server().send_on_streams(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        world.run();
        assert_eq!((world[A].events().len() - before, ended(&world)), (1, &Failure::OutOfSync));
        assert_eq!(client(&mut world).stats().out_of_sync, 1);
        assert_eq!(client(&mut world).stats().unknown_peer, u64::from(begun), "what was before it was read");
        assert_eq!((world[Z].server().streams(), world[Z].server().allocations()), (0, 0), "the server is told");
    }
}

/// Whoever is sent elsewhere closes the one stream and opens another.
#[test]
fn another_server_is_asked_over_another_stream() {
    let (mut world, ..) = world(Protocol::Tcp, 1);
    let other = "10.0.0.9:3478".parse().unwrap();
    let second = world.add("Y", &[other], Machine::Server(Box::new(crate::server::Server::new(other, &[other]))));
    world[Z].server().alternate = Some(other);
    world.run_until(|world| !world[A].events().is_empty(), 5 * SECOND);
    assert!(matches!(world[A].events(), [ClientEvent::Allocated { .. }]));
    assert_eq!([Z, second].map(|host| world[host].server().streams()), [0, 1]);
    assert_eq!(client(&mut world).server(), other);
}

#[test]
fn what_is_of_another_stream_is_dropped() {
    let mut client = client_over(Protocol::Tcp, 1, PASSWORD);
    input(&mut client, Protocol::Tcp, &[]);
    assert_eq!((client.stats().wrong_path, client.poll_event()), (1, None), "none was opened yet");
    let mut out = Vec::new();
    assert!(client.poll_transmit(wigwag_sim::origin(), &mut out).is_some());
    for protocol in [Protocol::Udp, Protocol::Tls] {
        input(&mut client, protocol, &[]);
        input(&mut client, protocol, &[1, 2, 3]);
    }
    assert_eq!((client.stats().wrong_path, client.poll_event()), (5, None));
    let closing = client.closing().unwrap();
    assert_eq!((closing.protocol, closing.local, closing.remote), (Protocol::Tcp, address(A), address(Z)));
}

/// The one request may not have left: it is asked again as long as the server keeps what it has given.
#[test]
fn a_refresh_that_a_full_stream_had_no_room_for_is_asked_again() {
    let (mut world, ..) = allocated(Protocol::Tcp, 1);
    let mut out = Vec::new();
    world.run_for(539 * SECOND);
    let later = world.now() + 3 * SECOND;
    let node = world[A].client();
    node.client.handle_timeout(later);
    assert!(node.client.poll_transmit(later, &mut out).is_some(), "a refresh, which is lost");
    world.run_for(55 * SECOND);
    assert_eq!(world[A].events().len(), 1, "{:?}", world[A].events());
    assert_eq!(world[Z].server().count(4), 1, "asked again");
    world.run_for(3600 * SECOND);
    assert_eq!((world[A].events().len(), world[Z].server().allocations()), (1, 1));
}

#[test]
fn what_is_wrapped_is_padded_and_keeps_to_its_limit() {
    let (mut world, _, at) = allocated(Protocol::Tcp, 1);
    client(&mut world).bind(at);
    world.run_for(SECOND);
    let client = client(&mut world);
    assert_eq!(client.overhead(at), 7);
    for limit in 0..40usize {
        for len in 0..40usize {
            let mut out = b"before".to_vec();
            let is_written = client.wrap(at, limit, &mut out, |room, out| {
                out.resize(out.len() + len.min(room), 7);
                len <= room
            });
            assert_eq!(is_written, limit >= 4 && len <= (limit - 4) & !3, "{len} in {limit}");
            let wanted = if is_written { 6 + 4 + len.next_multiple_of(4) } else { 6 };
            assert!(out.len() == wanted && out.len() <= 6 + limit, "{len} in {limit}: {out:?}");
            let header = [0x40, 0, 0, len as u8];
            assert!(!is_written || out[6..10] == header && out[10 + len..].iter().all(|byte| *byte == 0));
        }
    }
    for (len, is_possible) in [(0, true), (1, true), (65_507, true), (65_529, false), (70_000, false)] {
        assert_eq!(client.enclose(at, &mut vec![7; len]), is_possible, "{len}");
    }
}
