use super::*;
use crate::driver::Driver;
use crate::tcp::{FIRST_STREAM, Streams};
use mio::{Events, Poll};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Client;
use wigwag_sansio::Transmit;

/// What a driver does with listeners and streams, without an endpoint.
struct Server {
    listeners: Listeners,
    streams: Streams,
    nat: Nat,
    config: DriverConfig,
    poll: Poll,
    stats: DriverStats,
    /// What has come, by the name of its stream, and why it has ended.
    came: BTreeMap<Path, Vec<u8>>,
    ended: Vec<(Path, String)>,
}

fn server(address: &str) -> Server {
    let mut config = DriverConfig::new([]);
    config.tcp_listeners = vec![address.parse().unwrap()];
    let poll = Poll::new().unwrap();
    let listeners = Listeners::bind(&config, poll.registry()).unwrap();
    let (streams, nat, stats) = (Streams::default(), Nat::default(), DriverStats::default());
    Server { listeners, streams, nat, config, poll, stats, came: BTreeMap::new(), ended: vec![] }
}

impl Server {
    fn address(&self) -> SocketAddr {
        self.listeners.bound().next().unwrap()
    }

    fn connect(&self) -> Client {
        Client::connect(self.address()).unwrap()
    }

    fn send(&mut self, name: Path, bytes: &[u8]) {
        let transmit = Transmit { protocol: name.protocol, ..Transmit::udp(name.local, name.remote, 1000) };
        let from = self.listeners.source(name.protocol, self.nat.inside(name.local));
        self.streams.send(&transmit, bytes, from, || None, self.poll.registry(), &mut self.stats);
    }

    /// Waits for readiness, for a moment.
    fn wait(&mut self) {
        let mut events = Events::with_capacity(256);
        self.poll.poll(&mut events, Some(Duration::from_millis(2))).unwrap();
        for event in &events {
            let ready = [event.is_readable(), event.is_writable() || event.is_error()];
            match event.token().0.checked_sub(FIRST_STREAM) {
                Some(number) => self.streams.ready(number, ready, self.poll.registry(), &mut self.stats),
                None => self.listeners.set_ready(event.token().0 - FIRST_LISTENER),
            }
        }
    }

    fn turn(&mut self) {
        self.wait();
        self.receive();
        self.ended.extend(std::iter::from_fn(|| self.streams.poll_ended()));
        let Self { listeners, streams, nat, config, poll, stats, .. } = self;
        let now = Instant::now();
        listeners.accept(nat, now, stats, |name, io, stats| {
            streams.accept(name, io, config, now, poll.registry(), stats);
        });
    }

    fn receive(&mut self) {
        let Self { streams, poll, stats, came, .. } = self;
        streams.receive(poll.registry(), stats, |datagram| {
            assert!(datagram.ecn == Ecn::NotEct && !datagram.payload.is_empty());
            came.entry(Path::of(&datagram)).or_default().extend_from_slice(datagram.payload);
        });
    }

    fn until(&mut self, mut is_done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_done(self) {
            assert!(Instant::now() < deadline, "it did not happen in time: {:?}", self.stats);
            self.turn();
        }
    }

    /// Turns until nothing is left to be done.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.turn();
        }
        self.until(|server| !server.streams.has_something() && !server.listeners.may_accept());
    }
}

fn name_of(client: &Client) -> Path {
    Path { protocol: Protocol::Tcp, local: client.peer_addr().unwrap(), remote: client.local_addr().unwrap() }
}

/// Whether the other side has ended it.
fn is_ended(client: &mut Client) -> bool {
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    match client.read(&mut [0]) {
        Ok(len) => len == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_stream_is_named_by_listener_and_peer_and_carries_bytes_both_ways_to_its_end() {
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let mut server = server(address);
        let bound = server.address();
        assert!(bound.port() != 0, "the system chose one");
        let loopback = if bound.is_ipv4() { "127.0.0.1" } else { "::1" };
        let to = SocketAddr::new(loopback.parse().unwrap(), bound.port());
        let mut clients = [Client::connect(to).unwrap(), Client::connect(to).unwrap()];
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&vec![number as u8; 100_000]).unwrap();
        }
        server.until(|server| server.came.values().map(Vec::len).sum::<usize>() == 200_000);
        for (number, client) in clients.iter_mut().enumerate() {
            assert!(server.came[&name_of(client)] == vec![number as u8; 100_000], "{address}");
            server.send(name_of(client), &[number as u8 + 10; 3]);
            let mut answer = [0; 3];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [number as u8 + 10; 3]);
        }
        let names = [name_of(&clients[0]), name_of(&clients[1])];
        let [first, mut second] = clients;
        drop(first);
        server.until(|server| !server.ended.is_empty());
        assert_eq!(server.ended, [(names[0], "the peer has closed it".to_owned())]);
        server.send(names[1], &[]);
        assert!(is_ended(&mut second));
        server.settle();
        assert_eq!(server.ended.len(), 1, "whoever has closed a stream needs not be told of its end");
        let stats = server.stats;
        assert_eq!((stats.streams_accepted, stats.streams_refused, stats.streams_opened), (2, 0, 0));
        assert_eq!((stats.stream_bytes_sent, stats.stream_bytes_received), (6, 200_000));
    }
}

#[test]
fn a_stream_is_named_by_the_address_that_peers_know() {
    let mut server = server("0.0.0.0:0");
    server.nat = Nat::new(&[("127.0.0.1".parse().unwrap(), "203.0.113.7".parse().unwrap())]).unwrap();
    let port = server.address().port();
    let mut client = Client::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"?").unwrap();
    server.until(|server| !server.came.is_empty());
    let name = Path { local: SocketAddr::from(([203, 0, 113, 7], port)), ..name_of(&client) };
    assert_eq!(server.came.keys().collect::<Vec<_>>(), [&name]);
    server.send(name, b"!");
    let mut answer = [0];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"!");
    let stranger = Path { remote: "127.0.0.1:9".parse().unwrap(), ..name };
    server.send(stranger, b"?");
    assert_eq!(server.stats.dropped_no_route, 1, "that is no address to open a stream from");
}

/// IPv6 addresses of sockets carry flows and zones, by which no path is told apart.
#[test]
fn names_are_written_as_paths_are() {
    let with_flow = |ip: &str| SocketAddr::V6(std::net::SocketAddrV6::new(ip.parse().unwrap(), 5, 7, 3));
    let name = name(with_flow("2001:db8::1"), with_flow("fe80::1"));
    assert_eq!(name.local, "[2001:db8::1]:5".parse().unwrap());
    assert_eq!(name.remote, std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 0, 3).into());
}

/// What is sent to whom nobody is must not become a stream to them: its answers would come under the name of a stream that was accepted.
#[test]
fn a_name_of_a_listener_that_no_peer_has_opened_opens_nothing_and_has_ended() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut server = server(address);
        let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
        let name = Path { protocol: Protocol::Tcp, local, remote: elsewhere.local_addr().unwrap() };
        server.send(name, &[7; 2500]);
        server.send(name, &[7; 10]);
        assert_eq!((server.stats.dropped_no_route, server.stats.dropped_no_room), (3, 1));
        server.settle();
        assert_eq!(server.ended.len(), 1, "it is told once");
        assert_eq!((server.ended[0].0, server.stats.streams_failed), (name, 0));
        assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody has come");
        server.send(name, &[]);
        server.settle();
        assert_eq!(server.ended.len(), 1, "there is nothing to close");

        // Another port is of a stream that we open, as is one in TLS, or one of another address.
        let local = SocketAddr::new(local.ip(), local.port() ^ 1);
        server.send(Path { local, ..name }, b"x");
        server.until(|server| server.stats.streams_opened == 1);
        assert!(elsewhere.accept().is_ok());
        assert!(server.listeners.source(Protocol::Tls, name.local).is_some());
        let other = SocketAddr::new("127.0.0.2".parse().unwrap(), name.local.port());
        assert_eq!(server.listeners.source(Protocol::Tcp, other).is_some(), address == "127.0.0.1:0");
    }
}

#[test]
fn beyond_its_limit_a_stream_is_closed_at_once_until_there_is_room_again() {
    let mut server = server("127.0.0.1:0");
    server.config.streams_max = 2;
    let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
    server.until(|server| server.stats.streams_refused == 2);
    assert_eq!(server.stats.streams_accepted, 2);
    assert!(clients.drain(2..).all(|mut client| is_ended(&mut client)));
    clients[0].write_all(b"x").unwrap();
    server.until(|server| server.came.len() == 1);

    // Streams that we open ourselves are not among them.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let name = Path {
        protocol: Protocol::Tcp,
        local: "127.0.0.1:1".parse().unwrap(),
        remote: elsewhere.local_addr().unwrap(),
    };
    server.send(name, b"x");
    server.until(|server| server.stats.streams_opened == 1);

    server.send(name_of(&clients[0]), &[]);
    drop(clients.remove(1));
    server.until(|server| server.ended.len() == 1);
    let _clients = [server.connect(), server.connect(), server.connect()];
    server.until(|server| server.stats.streams_refused == 3);
    assert_eq!(server.stats.streams_accepted, 4);
}

/// The endpoint does not know of it before something comes, and closes it after.
#[test]
fn a_peer_that_says_nothing_is_not_kept() {
    let mut server = server("127.0.0.1:0");
    let [mut silent, mut speaks] = [server.connect(), server.connect()];
    speaks.write_all(b"x").unwrap();
    server.until(|server| server.came.len() == 1 && server.stats.streams_accepted == 2);
    let at = server.streams.patience_ends().unwrap();
    for (now, count) in [(at - Duration::from_millis(1), 0), (at, 1), (at + Duration::from_secs(100), 1)] {
        server.streams.give_up(now, server.poll.registry(), &mut server.stats);
        assert_eq!(server.stats.streams_silent, count);
    }
    assert!(server.streams.patience_ends().is_none());
    assert!(is_ended(&mut silent));
    server.settle();
    assert_eq!(server.ended.iter().map(|ended| ended.0).collect::<Vec<_>>(), [name_of(&silent)]);
    server.send(name_of(&speaks), b"!");
    assert_eq!(speaks.read(&mut [0]).unwrap(), 1);

    // One that goes before its time leaves nobody to be ended in its place.
    let silent = server.connect();
    server.until(|server| server.stats.streams_accepted == 3);
    assert!(server.streams.patience_ends().is_some());
    drop(silent);
    server.until(|server| server.ended.len() == 2);
    assert!(server.streams.patience_ends().is_none());
}

#[test]
fn a_driver_wakes_to_end_who_says_nothing_and_to_accept_again() {
    let mut config = DriverConfig::new([]);
    config.tcp_listeners = vec!["127.0.0.1:0".parse().unwrap()];
    config.silence_max = Duration::from_millis(50);
    let mut driver = Driver::bind(&config, wigwag::EndpointConfig::default()).unwrap();
    let began = Instant::now();
    let listener = &mut driver.listeners.0[0];
    (listener.is_ready, listener.rests_until) = (true, Some(began + Duration::from_millis(50)));
    let mut client = Client::connect(listener.bound).unwrap();
    while driver.stats().streams_silent == 0 {
        driver.run_once(Some(Duration::from_secs(30))).unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", driver.stats());
    }
    assert!(began.elapsed() >= Duration::from_millis(100) && is_ended(&mut client));
}

/// What is still sent to the stream that has ended must not go to the one after it.
#[test]
fn a_stream_of_the_same_name_has_to_wait_until_the_end_of_the_last_was_told() {
    let mut server = server("127.0.0.1:0");
    let mut client = server.connect();
    client.write_all(b"x").unwrap();
    server.until(|server| server.came.len() == 1);
    let name = name_of(&client);
    let accept = |server: &mut Server| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::connect(listener.local_addr().unwrap()).unwrap();
        let io = listener.accept().unwrap().0;
        io.set_nonblocking(true).unwrap();
        let Server { streams, poll, stats, config, .. } = server;
        streams.accept(name, TcpStream::from_std(io), config, Instant::now(), poll.registry(), stats);
        client
    };
    assert!(is_ended(&mut accept(&mut server)), "it is open");
    drop(client);
    while !server.streams.has_something() {
        server.wait();
    }
    server.receive();
    assert!(is_ended(&mut accept(&mut server)), "its end was not told");
    assert_eq!((server.stats.streams_accepted, server.stats.streams_refused), (1, 2));
    server.settle();
    let _client = accept(&mut server);
    assert_eq!((server.stats.streams_accepted, server.stats.streams_refused), (2, 2));
}

#[test]
fn only_streams_that_have_something_are_looked_at_and_in_turn() {
    let mut server = server("127.0.0.1:0");
    let mut clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
    server.until(|server| server.stats.streams_accepted == 100);
    server.settle();
    let visits = server.stats.stream_visits;
    for number in [3, 30, 99] {
        clients[number].write_all(b"x").unwrap();
    }
    server.until(|server| server.came.len() == 3);
    server.settle();
    assert_eq!(server.stats.stream_visits - visits, 3, "of a hundred");

    // All have something, which is more than one turn takes.
    server.came.clear();
    clients.iter_mut().for_each(|client| client.write_all(b"y").unwrap());
    let mut visits = server.stats.stream_visits;
    while server.came.len() < 100 {
        server.turn();
        assert!(server.stats.stream_visits - visits <= 64, "the work of a turn is bounded");
        visits = server.stats.stream_visits;
    }
}

#[test]
fn a_stream_that_floods_has_its_turn_and_the_others_theirs() {
    let mut server = server("127.0.0.1:0");
    let [flood, mut other] = [server.connect(), server.connect()];
    server.until(|server| server.stats.streams_accepted == 2);
    server.settle();
    flood.set_nonblocking(true).unwrap();
    let fill = |mut flood: &Client| while flood.write(&[0; 65_536]).is_ok() {};
    fill(&flood);
    server.until(|server| server.came.len() == 1);
    for _ in 0..10 {
        other.write_all(b"x").unwrap();
        fill(&flood);
        server.came.clear();
        server.turn();
        let lens = [&flood, &other].map(|client| server.came.get(&name_of(client)).map(Vec::len));
        assert!(lens[1] == Some(1) && lens[0].is_some_and(|len| len <= 4 * 65_536), "{lens:?}");
    }
}

#[test]
fn a_peer_that_never_reads_holds_no_more_than_may_wait() {
    let mut server = server("127.0.0.1:0");
    let mut client = server.connect();
    client.write_all(b"x").unwrap();
    server.until(|server| server.came.len() == 1);
    let name = name_of(&client);
    let mut sent = 0;
    while server.stats.dropped_no_room < 1000 {
        server.send(name, &[7; 1000]);
        sent += 1;
    }
    let taken = sent * 1000 - server.stats.dropped_no_room * 1000;
    let waiting = taken - server.stats.stream_bytes_sent;
    assert!(waiting <= 64 << 10, "{waiting} bytes wait");
    drop(client);
    server.until(|server| !server.ended.is_empty());
}

#[test]
fn small_messages_do_not_wait_and_the_kernel_holds_little() {
    let mut server = server("127.0.0.1:0");
    let _client = server.connect();
    let (mut accepted, now) = (vec![], Instant::now());
    while accepted.is_empty() {
        let Server { listeners, nat, stats, .. } = &mut server;
        listeners.set_ready(0);
        listeners.accept(nat, now, stats, |name, io, _| accepted.push((name, io)));
    }
    let stream = socket2::SockRef::from(&accepted[0].1);
    // Linux doubles it for what it keeps beside.
    assert!(stream.send_buffer_size().unwrap() <= 2 * SEND_BUFFER);
    let (name, io) = accepted.remove(0);
    let io: std::net::TcpStream = io.into();
    let copy = io.try_clone().unwrap();
    server.streams.accept(
        name,
        TcpStream::from_std(io),
        &server.config,
        now,
        server.poll.registry(),
        &mut server.stats,
    );
    assert!(copy.nodelay().unwrap());
}

#[test]
fn a_listener_goes_on_after_whom_it_could_not_accept_and_does_not_spin() {
    let mut server = server("127.0.0.1:0");
    let (listener, stats) = (&mut server.listeners.0[0], &mut server.stats);
    let mut now = Instant::now();
    let mut ask_of = |listener: &mut Listener, now, kinds: &[ErrorKind]| {
        let mut asked = 0;
        let ask = |_: &TcpListener| {
            let kind = kinds.get(asked).copied().unwrap_or(kinds[kinds.len() - 1]);
            asked += 1;
            Err(kind.into())
        };
        listener.accept(now, stats, ask, &mut |_, _, _| ());
        (asked, stats.listener_failures)
    };
    let (aborted, nothing) = (ErrorKind::ConnectionAborted, ErrorKind::WouldBlock);
    assert_eq!(ask_of(listener, now, &[aborted, ErrorKind::Interrupted, aborted, nothing]), (4, 2));
    assert_eq!(ask_of(listener, now, &[nothing]), (0, 2), "readiness would tell");

    // No file more: as EMFILE, which has no kind of its own.
    listener.is_ready = true;
    assert_eq!(ask_of(listener, now, &[ErrorKind::Other]), (1, 3));
    assert_eq!(ask_of(listener, now + REST / 2, &[ErrorKind::Other]), (0, 3), "it rests");
    assert_eq!(listener.rests_until, Some(now + REST));
    now += REST;
    assert_eq!(ask_of(listener, now, &[ErrorKind::Other]), (1, 4));
    now += REST;
    assert_eq!(ask_of(listener, now, &[nothing]), (1, 4));
    assert!(!server.listeners.may_accept() && server.listeners.rest_ends().is_none());

    // A flood of those who go at once.
    server.listeners.set_ready(0);
    let listener = &mut server.listeners.0[0];
    assert_eq!(ask_of(listener, now, &[aborted]), (ACCEPTS_PER_TURN, 4 + ACCEPTS_PER_TURN as u64));
    assert!(server.listeners.may_accept(), "the rest has its turn");
}

#[test]
fn both_families_have_listeners_of_one_port() {
    let four = server("0.0.0.0:0");
    let six = server(&format!("[::]:{}", four.address().port()));
    assert_eq!(six.address().port(), four.address().port());
}

#[test]
fn a_server_that_starts_again_gets_its_port() {
    let mut first = server("127.0.0.1:0");
    let mut client = first.connect();
    client.write_all(b"x").unwrap();
    first.until(|server| server.came.len() == 1);
    first.send(name_of(&client), &[]); // who ends a stream first keeps its port for some minutes
    assert!(is_ended(&mut client));
    let address = first.address().to_string();
    drop(first);
    drop(client);
    assert_eq!(server(&address).address().to_string(), address);
}
