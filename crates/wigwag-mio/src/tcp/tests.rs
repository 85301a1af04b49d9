use super::*;
use mio::{Events, Poll};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

struct Wire {
    streams: Streams,
    poll: Poll,
    stats: DriverStats,
    remote: SocketAddr,
}

fn wire(remote: SocketAddr) -> Wire {
    Wire { streams: Streams::default(), poll: Poll::new().unwrap(), stats: DriverStats::default(), remote }
}

impl Wire {
    fn send(&mut self, port: u16, bytes: &[u8]) {
        let local = SocketAddr::from(([127, 0, 0, 1], port));
        let transmit = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(local, self.remote, bytes.len().max(1)) };
        self.streams.send(&transmit, bytes, Some(local.ip()), || None, self.poll.registry(), &mut self.stats);
    }

    /// What has come on which stream, within some time.
    fn turn(&mut self) -> Vec<(u16, Vec<u8>)> {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::from_millis(2))).unwrap();
        for event in &events {
            let ready = [event.is_readable(), event.is_writable() || event.is_error()];
            self.streams.ready(event.token().0 - FIRST_STREAM, ready, self.poll.registry(), &mut self.stats);
        }
        let mut found = vec![];
        self.streams.receive(self.poll.registry(), &mut self.stats, |datagram| {
            found.push((datagram.local.port(), datagram.payload.to_vec()));
        });
        let streams =
            self.streams.places.iter().enumerate().filter_map(|(number, stream)| Some((number, stream.as_ref()?)));
        let mut unread = streams.filter(|(_, stream)| stream.may_have_something()).map(|(number, _)| number);
        assert!(unread.all(|number| self.streams.ready.iter().any(|ready| ready == number)), "no readiness will tell");
        while let Some((name, _)) = self.streams.poll_ended() {
            found.push((name.local.port(), vec![]));
        }
        found
    }

    fn until(&mut self, mut is_done: impl FnMut(&mut Self, Vec<(u16, Vec<u8>)>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(Instant::now() < deadline, "it did not happen in time");
            let found = self.turn();
            if is_done(self, found) {
                return;
            }
        }
    }
}

/// A reader that is slow loses whole messages, never a part of one; and no more waits for it than may.
#[test]
fn a_stream_that_is_full_drops_whole_messages_and_counts_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    let (mut sent, mut received) = (0u64, vec![]);
    let message = |number: u64| {
        let mut message = number.to_be_bytes().to_vec();
        message.resize(1000, number as u8);
        message
    };
    wire.send(1, &message(sent));
    sent += 1;
    let (mut reader, _) = listener.accept().unwrap();
    wire.until(|wire, _| {
        for _ in 0..500 {
            wire.send(1, &message(sent));
            sent += 1;
        }
        let longest = wire.streams.places.iter().flatten().map(|stream| stream.queue.len()).max().unwrap();
        assert!(longest <= QUEUE_MAX);
        wire.stats.dropped_no_room > 5000
    });
    wire.send(1, &[]);
    reader.read_to_end(&mut received).unwrap();
    let kept = received.len() / 1000;
    let numbers: Vec<_> =
        received.chunks_exact(1000).map(|chunk| u64::from_be_bytes(chunk[..8].try_into().unwrap())).collect();
    assert!(
        kept > 60
            && numbers.is_sorted()
            && numbers.iter().zip(received.chunks_exact(1000)).all(|(n, m)| m == message(*n))
    );
    let lost_at_the_end = sent - wire.stats.dropped_no_room - kept as u64;
    assert!(lost_at_the_end <= QUEUE_MAX as u64 / 1000 + 1, "what waited when it was closed: {lost_at_the_end}");
    assert!(wire.streams.places.iter().all(Option::is_none));
}

#[test]
fn streams_of_one_server_are_told_apart_by_their_names() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    for port in [1, 2, 3] {
        wire.send(port, &[port as u8]);
    }
    let mut clients = vec![];
    wire.until(|_, _| {
        if clients.len() < 3 {
            clients.push(listener.accept().unwrap().0);
        }
        clients.len() == 3
    });
    for client in &mut clients {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        client.write_all(&[byte[0] * 2; 3]).unwrap();
    }
    let mut found = vec![];
    wire.until(|_, more| {
        found.extend(more);
        found.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() == 9
    });
    assert!(found.iter().all(|(port, bytes)| bytes.iter().all(|byte| u16::from(*byte) == 2 * port)), "{found:?}");

    // One is closed here, one there; the third goes on, and a place is taken again.
    wire.send(1, &[]);
    drop(clients.pop());
    let mut ended = vec![];
    wire.until(|_, more| {
        ended.extend(more);
        !ended.is_empty()
    });
    assert!(ended.len() == 1 && ended[0].1.is_empty() && ended[0].0 != 1);
    wire.send(9, b"x");
    assert_eq!((wire.streams.places.len(), wire.streams.places.iter().flatten().count()), (3, 2));
    wire.send(7, &[]);
    assert_eq!(wire.streams.places.iter().flatten().count(), 2, "closing what is not there is nothing");
}

#[test]
fn an_address_that_is_not_here_is_an_end() {
    let mut wire = wire("127.0.0.1:1".parse().unwrap());
    let local = SocketAddr::from(([192, 0, 2, 77], 5));
    let transmit = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(local, wire.remote, 1) };
    wire.streams.send(&transmit, b"x", Some(local.ip()), || None, wire.poll.registry(), &mut wire.stats);
    let (name, why) = wire.streams.poll_ended().unwrap();
    assert!(name.local == local && !why.is_empty() && wire.stats.streams_failed == 1);
}

/// Until the endpoint is told of the end it goes on sending: those bytes are of the stream that has ended, and begin no other, which
/// nobody would know of and close.
#[test]
fn what_is_sent_to_a_stream_that_has_ended_opens_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    wire.send(1, b"request");
    let (server, _) = listener.accept().unwrap();
    wire.until(|wire, _| wire.stats.stream_bytes_sent == 7);
    drop(server); // with what was sent unread: a reset
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while wire.stats.streams_opened == 1 && wire.streams.ended.is_empty() {
        assert!(Instant::now() < deadline, "a reset is found by writing");
        wire.send(1, b"the middle of something");
    }
    let dropped = wire.stats.dropped_no_room;
    for _ in 0..3 {
        wire.send(1, b"the middle of something");
    }
    assert!(wire.streams.places.iter().all(Option::is_none), "a stream that nobody closes");
    assert_eq!((wire.stats.dropped_no_room - dropped, wire.stats.streams_opened), (3, 1));
    assert_eq!(wire.turn(), [(1, vec![])], "its end is told once");
    assert!(listener.accept().is_err(), "nobody has come");

    // Told of the end, whoever wants to begin anew does; who closes what has ended has no end of it to hear of.
    wire.send(1, b"request");
    assert_eq!(wire.streams.places.iter().flatten().count(), 1);
    wire.send(1, &[]);
    let local = SocketAddr::from(([192, 0, 2, 77], 5));
    let transmit = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(local, wire.remote, 1) };
    for bytes in [b"x".as_slice(), &[]] {
        wire.streams.send(&transmit, bytes, Some(local.ip()), || None, wire.poll.registry(), &mut wire.stats);
    }
    assert!(wire.streams.poll_ended().is_none());
}

/// Of a batch that is longer than the room that is left, what fits goes.
#[test]
fn a_batch_loses_only_the_messages_that_there_is_no_room_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    let batch: Vec<u8> = (0..54).flat_map(|number| [number; 1200]).chain([99; 600]).collect();
    for (port, waiting) in [(1, 1), (2, 136), (3, 137), (4, 736), (5, 737), (6, 20_000), (7, 64_400), (8, QUEUE_MAX)] {
        wire.send(port, &vec![0; waiting]); // it waits for the connection
        let (name, dropped) = (SocketAddr::from(([127, 0, 0, 1], port)), wire.stats.dropped_no_room);
        let transmit = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(name, wire.remote, 1200) };
        wire.streams.send(&transmit, &batch, Some(name.ip()), || None, wire.poll.registry(), &mut wire.stats);
        let mut streams = wire.streams.places.iter().flatten();
        let queue = &streams.find(|stream| stream.name.local == name).unwrap().queue;
        let room = QUEUE_MAX - waiting;
        let (taken, lost) = if room < batch.len() { (room / 1200 * 1200, 55 - room / 1200) } else { (batch.len(), 0) };
        assert!(queue[waiting..] == batch[..taken], "behind {waiting}");
        assert_eq!(wire.stats.dropped_no_room - dropped, lost as u64, "behind {waiting}");
    }
}

#[test]
fn a_stream_that_has_more_than_a_turn_takes_keeps_its_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    wire.send(1, b"request");
    let (mut server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let mut more = 0;
    wire.until(|wire, _| {
        while server.write(&[0; 65_536]).is_ok() {}
        more += usize::from(wire.streams.has_something());
        more == 5
    });
}

/// What goes into TLS waits there for the end of the handshake, which may never come.
#[test]
#[cfg(feature = "tls")]
fn no_more_waits_for_a_handshake_than_for_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = wire(listener.local_addr().unwrap());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let tls = Tls::of_rustls(std::sync::Arc::new(config));
    let local = SocketAddr::from(([127, 0, 0, 1], 1));
    let transmit = Transmit { protocol: Protocol::Tls, ..Transmit::udp(local, wire.remote, 1000) };
    for _ in 0..1000 {
        let trusted = || Some((&tls, "turn.example.org"));
        wire.streams.send(&transmit, &[7; 1000], Some(local.ip()), trusted, wire.poll.registry(), &mut wire.stats);
    }
    wire.until(|wire, _| wire.stats.streams_opened == 1);
    assert!((1000 - QUEUE_MAX as u64 / 1000..1000).contains(&wire.stats.dropped_no_room), "{:?}", wire.stats);
}
