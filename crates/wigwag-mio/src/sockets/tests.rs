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
        self.sockets.watch_full(self.poll.registry(), 1).unwrap();
        let wait = if self.sockets.may_be_readable() { Duration::ZERO } else { wait };
        let mut events = Events::with_capacity(8);
        self.poll.poll(&mut events, Some(wait)).unwrap();
        for event in &events {
            if event.is_readable() {
                self.sockets.set_readable(event.token().0 - 1);
            }
            if event.is_writable() {
                self.sockets.set_writable(event.token().0 - 1, Self::now());
            }
        }
        let may_have = self.sockets.may_be_readable() || !events.is_empty();
        let arrived = &mut self.arrived;
        self.sockets.receive(Self::now(), |datagram| {
            arrived.push((datagram.local, datagram.remote, datagram.ecn, datagram.payload.to_vec()));
        });
        may_have
    }

    /// As if the kernel had had no room for this.
    fn block(&mut self, blocked: Blocked) {
        self.sockets.places[blocked.socket].as_mut().unwrap().full_since = Some(Self::now());
        self.sockets.blocked = Some(blocked);
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

/// As a peer's candidate that cannot be reached from there, or an address of ours that has vanished for a moment. Linux
/// says EINVAL to both, and to several datagrams where it cannot send them at once.
#[test]
fn what_the_kernel_refuses_one_by_one_as_well_does_not_turn_off_several_a_call() {
    let vanished = |bound: SocketAddr| SocketAddr::new("2001:db8::77".parse().unwrap(), bound.port());
    for (bound, here, from, remote) in [
        ("127.0.0.1:0", "127.0.0.1", None, "192.0.2.1:9"),
        ("[::]:0", "::1", Some(&vanished as &dyn Fn(_) -> _), "[::1]:9"),
    ] {
        let (mut a, mut z) = (End::at(&[bound]), End::at(&[&SocketAddr::new(here.parse().unwrap(), 0).to_string()]));
        let (bound, to) = (a.bound(0), z.bound(0));
        let segments = a.sockets.max_segments();
        let from = from.map_or(bound, |from| from(bound));
        for count in [1, 40] {
            a.send(Transmit::udp(from, remote.parse().unwrap(), 1000), &train(count, 1000));
            assert_eq!(a.sockets.max_segments(), segments, "{count} to {remote}");
        }
        let stats = a.sockets.stats;
        assert_eq!((stats.dropped_refused + stats.dropped_no_route, stats.datagrams_sent), (41, 0));
        let here = SocketAddr::new(here.parse().unwrap(), bound.port());
        a.send(Transmit { ecn: Ecn::Ect1, ..Transmit::udp(here, to, 1000) }, b"marked");
        a.send(Transmit::udp(here, to, 1000), &train(40, 1000));
        z.wait_for(41);
        assert_eq!(z.arrived[0].2, Ecn::Ect1);
        assert_eq!(a.sockets.stats.send_calls, 1 + 40usize.div_ceil(segments) as u64);
    }
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
    a.block(Blocked { socket: 0, transmit, bytes: bytes.clone(), start: 200 });
    assert!(a.turn(Duration::from_secs(10)), "a socket with room says so");
    assert!(!a.sockets.is_blocked());
    z.wait_for(3);
    assert_eq!(z.arrived.iter().flat_map(|arrived| arrived.3.clone()).collect::<Vec<_>>(), bytes[200..]);
    // And it is silent afterwards: nobody waits for room any more.
    assert!(!a.turn(Duration::from_millis(20)));
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
    a.block(blocked(&a, &z));
    a.sockets.watch_full(a.poll.registry(), 1).unwrap();
    let config = DriverConfig::new([]);
    a.sockets.close(a.bound(0), a.poll.registry());
    a.sockets.open("127.0.0.1:0".parse().unwrap(), &config, a.poll.registry(), 1).unwrap();
    a.block(blocked(&a, &z));
    for _ in 0..5 {
        a.turn(Duration::from_millis(100));
    }
    assert!(!a.sockets.is_blocked());
    z.wait_for(1);
}

/// In the place of a socket's, this has no room for anything until its peer reads: an interface that does not drain.
#[cfg(unix)]
fn clog(sockets: &mut Sockets, number: usize, registry: &Registry) -> std::net::TcpStream {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Buffers of a size that was asked for do not grow.
    socket2::SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let mut full = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket2::SockRef::from(&full).set_send_buffer_size(4096).unwrap();
    full.set_nonblocking(true).unwrap();
    // What is in flight becomes the receiver's when it is acknowledged, which may take a while.
    let mut written_at = End::now();
    while written_at.elapsed() < Duration::from_millis(100) {
        if io::Write::write(&mut full, &[0; 4096]).is_ok() {
            written_at = End::now();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    replace(sockets, number, full.into(), registry);
    listener.accept().unwrap().0
}

#[cfg(unix)]
fn replace(sockets: &mut Sockets, number: usize, with: std::os::fd::OwnedFd, registry: &Registry) {
    let socket = &mut sockets.places[number].as_mut().unwrap().socket;
    registry.deregister(&mut socket.io).unwrap();
    socket.io = mio::net::UdpSocket::from_std(with.into());
    registry.register(&mut socket.io, Token(1 + number), Interest::READABLE).unwrap();
}

#[test]
#[cfg(unix)]
fn a_socket_that_does_not_drain_holds_up_the_others_for_a_moment_only() {
    let (mut a, mut z) = (End::at(&["127.0.0.1:0", "127.0.0.2:0"]), End::at(&["127.0.0.1:0"]));
    let mut drain = clog(&mut a.sockets, 0, a.poll.registry());
    let (clogged, clear, to) = (a.bound(0), a.bound(1), z.bound(0));
    let send = |a: &mut End, from, now| a.sockets.send(&Transmit::udp(from, to, 1), &mut b"xyz".to_vec(), now);
    let began = End::now();
    send(&mut a, clogged, began);
    assert!(a.sockets.is_blocked(), "it may have room in a moment");
    let ends = a.sockets.patience_ends().unwrap();
    a.sockets.give_up(ends - Duration::from_millis(1));
    assert!(a.sockets.is_blocked());
    a.sockets.give_up(ends);
    assert!(!a.sockets.is_blocked() && a.sockets.patience_ends().is_none());
    assert_eq!(a.sockets.stats.dropped_no_room, 3);
    for _ in 0..5 {
        send(&mut a, clogged, ends);
        assert!(!a.sockets.is_blocked(), "nobody waits for it any more");
        send(&mut a, clear, ends);
    }
    z.wait_for(15);
    assert_eq!((a.sockets.stats.dropped_no_room, a.sockets.stats.datagrams_sent), (18, 15));

    // Once it has drained it is as any other.
    a.turn(Duration::ZERO);
    drain.set_nonblocking(true).unwrap();
    while a.sockets.places[0].as_ref().unwrap().full_since.is_some() {
        let _ = io::Read::read(&mut drain, &mut [0; 65_536]);
        a.turn(Duration::from_millis(1));
    }
    send(&mut a, clogged, ends);
    assert!(!a.sockets.is_blocked());
    assert_eq!((a.sockets.stats.dropped_no_room, a.sockets.stats.datagrams_sent), (18, 18));
}

#[test]
#[cfg(unix)]
fn a_socket_without_others_loses_nothing_however_long_it_takes() {
    let mut a = End::at(&["127.0.0.1:0"]);
    let _peer = clog(&mut a.sockets, 0, a.poll.registry());
    let from = a.bound(0);
    a.send(Transmit::udp(from, from, 1), b"xyz");
    assert!(a.sockets.patience_ends().is_none());
    a.sockets.give_up(End::now() + Duration::from_secs(3600));
    assert!(a.sockets.is_blocked() && a.sockets.stats.dropped_no_room == 0);
}

#[test]
#[cfg(unix)]
fn a_call_finds_its_way_around_an_interface_that_does_not_drain() {
    // One of them has the first check.
    let dropped = [0, 1].map(dropped_until_a_channel_opens);
    assert!(dropped.iter().any(|dropped| *dropped > 0), "{dropped:?}");
}

#[cfg(unix)]
fn dropped_until_a_channel_opens(clogged: usize) -> u64 {
    use crate::{Driver, wall_clock};
    use wigwag::{Config, DataChannelInit, EndpointConfig, EndpointEvent, Event};
    let driver = |addresses: &[&str]| {
        let config = DriverConfig::new(addresses.iter().map(|address| address.parse().unwrap()));
        Driver::bind(&config, EndpointConfig::default()).unwrap()
    };
    let mut drivers = [driver(&["127.0.0.1:0", "127.0.0.2:0"]), driver(&["127.0.0.1:0"])];
    let registry = drivers[0].poll.registry().try_clone().unwrap();
    let _peer = clog(&mut drivers[0].sockets, clogged, &registry);
    let ids = [0, 1].map(|end| drivers[end].endpoint.create(Config::new(wall_clock())).unwrap());
    let [a, z] = &mut drivers;
    let a = a.endpoint.connection_mut(ids[0]).unwrap();
    a.create_data_channel("test", DataChannelInit::default()).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(offer.clone()).unwrap();
    let z = z.endpoint.connection_mut(ids[1]).unwrap();
    z.set_remote_description(offer).unwrap();
    let answer = z.create_answer().unwrap();
    z.set_local_description(answer.clone()).unwrap();
    a.set_remote_description(answer).unwrap();
    let (began, mut opened) = (End::now(), 0);
    while opened < 2 {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", drivers[0].stats());
        for end in 0..2 {
            drivers[end].run_once(Some(Duration::from_millis(1))).unwrap();
            while let Some(EndpointEvent::Connection(_, event)) = drivers[end].poll_event() {
                match event {
                    // Z knows nothing of A, whose checks have to come first.
                    Event::IceCandidate(candidate) if end == 1 => {
                        let other = drivers[0].endpoint.connection_mut(ids[0]).unwrap();
                        other.add_ice_candidate(candidate.as_ref()).unwrap();
                    }
                    Event::ChannelOpened(_) => opened += 1,
                    _ => {}
                }
            }
        }
    }
    drivers[0].stats().dropped_no_room
}

#[test]
#[cfg(unix)]
fn a_socket_that_can_only_fail_is_asked_now_and_then() {
    use crate::Driver;
    let config = DriverConfig::new(["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()]);
    let mut driver = Driver::bind(&config, wigwag::EndpointConfig::default()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    replace(&mut driver.sockets, 0, listener.into(), driver.poll.registry());
    let (began, mut turns) = (End::now(), 0);
    while began.elapsed() < Duration::from_millis(200) {
        driver.run_once(Some(Duration::from_millis(100))).unwrap();
        turns += 1;
    }
    assert!(driver.stats().receive_errors > 0);
    assert!(turns < 100, "{turns} turns in 200 ms");

    // The other one is read as soon as it has something.
    let other = driver.bound_addresses().nth(1).unwrap();
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", other).unwrap();
    while driver.stats().datagrams_received == 0 {
        assert!(began.elapsed() < Duration::from_secs(10));
        driver.run_once(None).unwrap();
    }
}
