use super::*;
use mio::{Events, Poll};
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag_sansio::Ecn;

/// One end: sockets, their readiness, and what has arrived.
struct End {
    poll: Poll,
    sockets: Sockets,
    arrived: Vec<(SocketAddr, SocketAddr, Ecn, Vec<u8>)>,
}

impl End {
    fn at(addresses: &[&str]) -> Self {
        Self::with(&DriverConfig::new(addresses.iter().map(|address| address.parse().unwrap())))
    }

    fn with(config: &DriverConfig) -> Self {
        let poll = Poll::new().unwrap();
        let sockets = Sockets::bind(config, poll.registry(), 1).unwrap();
        Self { poll, sockets, arrived: Vec::new() }
    }

    fn bound(&self, number: usize) -> SocketAddr {
        self.sockets.bound().nth(number).unwrap()
    }

    fn now() -> Instant {
        Instant::now()
    }

    fn send(&mut self, transmit: Transmit, bytes: &[u8]) {
        self.sockets.send(&transmit, &mut bytes.to_vec(), Self::now());
    }

    /// Waits for readiness and takes what there is; false if nothing came in time.
    fn turn(&mut self, wait: Duration) -> bool {
        self.sockets.watch_blocked(self.poll.registry(), 1).unwrap();
        let wait = if self.sockets.may_be_readable() { Duration::ZERO } else { wait };
        let mut events = Events::with_capacity(8);
        self.poll.poll(&mut events, Some(wait)).unwrap();
        for event in &events {
            if event.is_readable() {
                self.sockets.set_readable(event.token().0 - 1);
            }
            if event.is_writable() {
                self.sockets.send_blocked();
            }
        }
        let may_have = self.sockets.may_be_readable() || !events.is_empty();
        let arrived = &mut self.arrived;
        self.sockets.receive(Self::now(), |datagram| {
            arrived.push((datagram.local, datagram.remote, datagram.ecn, datagram.payload.to_vec()));
        });
        may_have
    }

    fn wait_for(&mut self, count: usize) {
        while self.arrived.len() < count {
            assert!(self.turn(Duration::from_secs(10)), "{} of {count} arrived", self.arrived.len());
        }
    }
}

/// `count` datagrams of `len` bytes, the last one byte shorter, each recognisable.
fn train(count: usize, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..count).flat_map(|number| vec![number as u8; len]).collect();
    bytes.pop();
    bytes
}

#[test]
fn a_train_of_datagrams_arrives_cut_as_it_was() {
    for max_segments in [1, 3, 64] {
        let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
        config.max_segments = max_segments;
        let (mut a, mut z) = (End::with(&config), End::at(&["127.0.0.1:0"]));
        let (from, to) = (a.bound(0), z.bound(0));
        let bytes = train(20, 1200);
        a.send(Transmit::udp(from, to, 1200), &bytes);
        z.wait_for(20);
        let expected: Vec<_> = bytes.chunks(1200).map(|part| (to, from, Ecn::NotEct, part.to_vec())).collect();
        assert_eq!(z.arrived, expected, "up to {max_segments} a call");
        let stats = a.sockets.stats;
        assert_eq!((stats.datagrams_sent, stats.bytes_sent), (20, bytes.len() as u64));
        assert_eq!((z.sockets.stats.datagrams_received, z.sockets.stats.bytes_received), (20, bytes.len() as u64));
        let calls = 20usize.div_ceil(a.sockets.max_segments()) as u64;
        assert_eq!(stats.send_calls, calls);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn linux_takes_and_gives_many_datagrams_a_call() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0"]), End::at(&["127.0.0.1:0"]));
    a.send(Transmit::udp(a.bound(0), z.bound(0), 1000), &train(40, 1000));
    z.wait_for(40);
    assert_eq!((a.sockets.stats.send_calls, z.sockets.stats.receive_calls), (1, 1));
}

#[test]
fn congestion_marks_travel_both_ways() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut a, mut z) = (End::at(&[address]), End::at(&[address]));
        let marks = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce];
        for ecn in marks {
            a.send(Transmit { ecn, ..Transmit::udp(a.bound(0), z.bound(0), 3) }, b"abc");
        }
        z.wait_for(4);
        assert_eq!(z.arrived.iter().map(|arrived| arrived.2).collect::<Vec<_>>(), marks);
    }
}

#[test]
fn a_socket_for_all_addresses_knows_where_a_datagram_came_and_answers_from_there() {
    let mut all = End::at(&["0.0.0.0:0"]);
    let port = all.bound(0).port();
    let mut a = End::at(&["127.0.0.1:0"]);
    let from = a.bound(0);
    for address in ["127.0.0.1", "127.0.0.2"] {
        let local = SocketAddr::new(address.parse().unwrap(), port);
        a.send(Transmit::udp(from, local, 1), b"?");
        all.wait_for(1);
        let (seen, remote, _, _) = all.arrived.remove(0);
        assert_eq!((seen, remote), (local, from));
        all.send(Transmit::udp(seen, remote, 1), b"!");
        a.wait_for(1);
        assert_eq!(a.arrived.remove(0).1, local);
    }
}

#[test]
fn each_local_address_sends_from_its_own_socket() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]), End::at(&["127.0.0.1:0", "[::1]:0"]));
    let locals: Vec<_> = a.sockets.bound().collect();
    for local in &locals {
        let remote = z.bound(usize::from(local.is_ipv6()));
        a.send(Transmit::udp(*local, remote, 1), b"x");
    }
    z.wait_for(3);
    let mut seen: Vec<_> = z.arrived.iter().map(|arrived| arrived.1).collect();
    seen.sort();
    let mut expected = locals.clone();
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn what_cannot_be_sent_is_counted_by_reason_and_spoils_nothing() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0"]), End::at(&["127.0.0.1:0"]));
    let (from, to) = (a.bound(0), z.bound(0));
    let segments = a.sockets.max_segments();
    let send = |a: &mut End, local: &str, remote: &str| {
        a.send(Transmit::udp(local.parse().unwrap(), remote.parse().unwrap(), 1), b"xy");
    };
    let here = from.to_string();
    send(&mut a, "127.0.0.1:1", "127.0.0.1:9");
    send(&mut a, &here, "127.0.0.1:0");
    send(&mut a, &here, "0.0.0.0:9");
    send(&mut a, &here, "[::1]:9");
    assert_eq!(a.sockets.stats.dropped_no_route, 8);
    a.send(Transmit { protocol: Protocol::Tcp, ..Transmit::udp(from, to, 1) }, b"xyz");
    assert_eq!(a.sockets.stats.dropped_protocol, 3);
    a.send(Transmit::udp(from, to, 65_530), &[0; 65_530]);
    assert_eq!(a.sockets.stats.dropped_too_large, 1);
    send(&mut a, &here, "255.255.255.255:9");
    assert_eq!(a.sockets.stats.dropped_refused, 2);
    assert_eq!((a.sockets.stats.datagrams_sent, a.sockets.max_segments()), (0, segments));

    a.send(Transmit::udp(from, to, 2), b"ok");
    z.wait_for(1);
    assert_eq!(z.arrived[0].3, b"ok");
}

#[test]
fn an_empty_datagram_is_counted_and_not_delivered() {
    let mut z = End::at(&["127.0.0.1:0"]);
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"", z.bound(0)).unwrap();
    peer.send_to(b"x", z.bound(0)).unwrap();
    z.wait_for(1);
    assert_eq!((z.arrived[0].3.as_slice(), z.sockets.stats.dropped_empty), (b"x".as_slice(), 1));
}

#[test]
fn a_socket_that_has_more_than_a_turn_takes_keeps_its_turn() {
    let mut z = End::at(&["127.0.0.1:0"]);
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // Datagrams of different sizes are not coalesced: more than one turn's calls can take.
    let count = 200;
    for number in 0..count {
        peer.send_to(&vec![1; 1 + number % 7], z.bound(0)).unwrap();
    }
    z.turn(Duration::from_secs(10));
    assert!(z.arrived.len() < count && z.sockets.may_be_readable());
    z.wait_for(count);
    assert_eq!(z.arrived.len(), count);
}

#[test]
fn observers_see_each_datagram_as_it_is_on_the_wire() {
    use std::sync::mpsc;
    let (mut a, mut z) = (End::at(&["127.0.0.1:0"]), End::at(&["127.0.0.1:0"]));
    let (tell, told) = mpsc::channel();
    for end in [&mut a, &mut z] {
        let tell = tell.clone();
        end.sockets.observer = Some(Box::new(move |seen| {
            tell.send((seen.direction, seen.local, seen.remote, seen.payload.to_vec())).unwrap();
        }));
    }
    let (from, to) = (a.bound(0), z.bound(0));
    a.send(Transmit::udp(from, to, 2), b"abc");
    z.wait_for(2);
    let mut seen = BTreeMap::new();
    for (direction, local, remote, payload) in told.try_iter() {
        seen.entry((direction == Direction::Sent, local, remote)).or_insert_with(Vec::new).push(payload);
    }
    let parts = vec![b"ab".to_vec(), b"c".to_vec()];
    assert_eq!(seen, BTreeMap::from([((true, from, to), parts.clone()), ((false, to, from), parts)]));
}

#[test]
fn a_taken_port_is_named_in_the_error() {
    let a = End::at(&["127.0.0.1:0"]);
    let poll = Poll::new().unwrap();
    let error = Sockets::bind(&DriverConfig::new([a.bound(0)]), poll.registry(), 1).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&a.bound(0).to_string()), "{error}");
}

/// A full send buffer is hard to have on loopback, where what is sent is at once in the receiver's: what a datagram
/// occupies there counts as the sender's until the receiver took it only for stream-like protocols. So the state is
/// made by hand, and the socket must finish it.
#[test]
fn what_was_blocked_is_sent_when_there_is_room_and_nothing_is_lost_or_doubled() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0"]), End::at(&["127.0.0.1:0"]));
    let bytes = train(5, 100);
    let transmit = Transmit::udp(a.bound(0), z.bound(0), 100);
    a.sockets.blocked = Some(Blocked { socket: 0, transmit, bytes: bytes.clone(), start: 200 });
    assert!(a.turn(Duration::from_secs(10)), "a socket with room says so");
    assert!(!a.sockets.is_blocked());
    z.wait_for(3);
    assert_eq!(z.arrived.iter().flat_map(|arrived| arrived.3.clone()).collect::<Vec<_>>(), bytes[200..]);
    // And it is silent afterwards: nobody waits for room any more.
    assert!(!a.turn(Duration::from_millis(20)) && a.sockets.watched.is_none());
    a.send(transmit, b"x");
    assert!(!a.turn(Duration::from_millis(20)), "room is not told of unasked");
}

/// A new socket takes the number of the one that was closed, and nobody has asked it for room yet.
#[test]
fn what_is_blocked_on_a_new_socket_is_sent_though_the_one_before_was_blocked_too() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0"]), End::at(&["127.0.0.1:0"]));
    let blocked = |a: &End, z: &End| Blocked {
        socket: 0,
        transmit: Transmit { segment_size: 100, ..Transmit::udp(a.bound(0), z.bound(0), 100) },
        bytes: train(1, 100),
        start: 0,
    };
    a.sockets.blocked = Some(blocked(&a, &z));
    a.sockets.watch_blocked(a.poll.registry(), 1).unwrap();
    let config = DriverConfig::new([]);
    a.sockets.close(a.bound(0), a.poll.registry());
    a.sockets.open("127.0.0.1:0".parse().unwrap(), &config, a.poll.registry(), 1).unwrap();
    a.sockets.blocked = Some(blocked(&a, &z));
    for _ in 0..5 {
        a.turn(Duration::from_millis(100));
    }
    assert!(!a.sockets.is_blocked());
    z.wait_for(1);
}
