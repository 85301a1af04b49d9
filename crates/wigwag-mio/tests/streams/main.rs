//! Calls through TURN servers that are asked over TCP or TLS, on real sockets of the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test")]

mod relay;
#[cfg(feature = "tls")]
mod secure;
#[expect(dead_code, reason = "other tests have other wishes")]
#[path = "../../../wigwag-turn/tests/turn/server.rs"]
mod server;

use relay::Relay;
use server::{PASSWORD, USERNAME};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wigwag::{
    ChannelId, Config, ConnectionId, DataChannelInit, EndpointConfig, EndpointEvent, Event, IceTransportPolicy,
    PeerConnection, TurnServer,
};
use wigwag_mio::{Driver, DriverConfig, DriverStats, wall_clock};
use wigwag_stun as _; // the server's, which is of another crate

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn local() -> DriverConfig {
    DriverConfig::new(["127.0.0.1:0".parse().unwrap()])
}

pub(crate) fn at(address: SocketAddr) -> TurnServer {
    TurnServer::new(address, USERNAME, PASSWORD)
}

/// Two drivers and a connection between them, of which the first has this TURN server.
pub(crate) struct Pair {
    drivers: [Driver; 2],
    ids: [ConnectionId; 2],
    pub(crate) errors: Vec<String>,
}

impl Pair {
    pub(crate) fn new(driver: &DriverConfig, server: TurnServer, policy: IceTransportPolicy) -> Self {
        let mut drivers = [driver, &local()].map(|config| Driver::bind(config, EndpointConfig::default()).unwrap());
        let mut config = Config::new(wall_clock());
        config.turn_servers = vec![server];
        config.ice_transport_policy = policy;
        let [a, z] = &mut drivers;
        let ids =
            [a.endpoint_mut().create(config).unwrap(), z.endpoint_mut().create(Config::new(wall_clock())).unwrap()];
        let mut pair = Self { drivers, ids, errors: vec![] };
        pair.connection(0).create_data_channel("test", DataChannelInit::default()).unwrap();
        pair.negotiate();
        pair
    }

    /// An offer of the first, and its answer.
    fn negotiate(&mut self) {
        let offerer = self.connection(0);
        let offer = offerer.create_offer().unwrap();
        offerer.set_local_description(offer.clone()).unwrap();
        let answerer = self.connection(1);
        answerer.set_remote_description(offer).unwrap();
        let answer = answerer.create_answer().unwrap();
        answerer.set_local_description(answer.clone()).unwrap();
        self.connection(0).set_remote_description(answer).unwrap();
    }

    pub(crate) fn connection(&mut self, end: usize) -> &mut PeerConnection {
        let id = self.ids[end];
        self.drivers[end].endpoint_mut().connection_mut(id).unwrap()
    }

    pub(crate) fn stats(&self) -> DriverStats {
        self.drivers[0].stats()
    }

    /// Turns both until `each` finds what it looks for in an event of the end with this number.
    pub(crate) fn until<T>(&mut self, mut each: impl FnMut(&mut Self, usize, Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(found) = self.turn_until(&mut each) {
                return found;
            }
        }
        panic!("it did not happen in time: {:?}", self.errors);
    }

    fn turn(&mut self) {
        let _ = self.turn_until::<()>(&mut |_, _, _| None);
    }

    fn turn_until<T>(&mut self, each: &mut impl FnMut(&mut Self, usize, Event) -> Option<T>) -> Option<T> {
        for end in 0..2 {
            self.drivers[end].run_once(Some(Duration::from_millis(1))).unwrap();
            while let Some(event) = self.drivers[end].poll_event() {
                let EndpointEvent::Connection(id, event) = event else { continue };
                match &event {
                    Event::IceCandidate(candidate) => {
                        let (candidate, other) = (candidate.clone(), self.ids[1 - end]);
                        if let Some(other) = self.drivers[1 - end].endpoint_mut().connection_mut(other) {
                            other.add_ice_candidate(candidate.as_ref()).unwrap();
                        }
                    }
                    Event::IceCandidateError { url, error_code, error_text, .. } => {
                        self.errors.push(format!("{url} {error_code} {error_text}"));
                    }
                    _ => assert_eq!(id, self.ids[end]),
                }
                if let Some(found) = each(self, end, event) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// The channel at both ends.
    pub(crate) fn open(&mut self) -> [ChannelId; 2] {
        let mut opened = [None; 2];
        self.until(|_, end, event| {
            if let Event::ChannelOpened(channel) = event {
                opened[end] = Some(channel);
            }
            Some([opened[0]?, opened[1]?])
        })
    }

    /// One message each way.
    pub(crate) fn exchange(&mut self, channels: [ChannelId; 2], len: usize) {
        for (from, channel) in channels.into_iter().enumerate() {
            let message: Vec<u8> = (0..len).map(|number| number as u8).collect();
            self.connection(from).send(channel, message.clone().into(), true).unwrap();
            let arrived = self.until(|_, end, event| match event {
                Event::Message { data, .. } if end != from => Some(data),
                _ => None,
            });
            assert!(arrived == message);
        }
    }

    /// The first error of a candidate.
    pub(crate) fn error(&mut self) -> String {
        if self.errors.is_empty() {
            self.until(|pair, _, _| (!pair.errors.is_empty()).then_some(()));
        }
        self.errors[0].clone()
    }
}

#[test]
fn a_call_goes_through_a_server_over_tcp_alone() {
    let relay = Relay::start();
    let mut pair = Pair::new(&local(), at(relay.address).over_tcp(), IceTransportPolicy::Relay);
    let channels = pair.open();
    for len in [0, 1, 1200, 200_000] {
        pair.exchange(channels, len);
    }
    let stats = pair.connection(0).stats(Instant::now()).to_json();
    assert!(stats.contains("\"relayProtocol\":\"tcp\""), "{stats}");
    let counted = pair.stats();
    assert_eq!((counted.datagrams_sent, counted.streams_opened, counted.streams_failed), (0, 1, 0), "{counted:?}");
    assert!(counted.stream_bytes_sent > 200_000 && counted.stream_bytes_received > 200_000, "{counted:?}");
    assert_eq!(relay.streams(), 1);
    pair.connection(0).close();
    pair.until(|_, end, event| (end == 0 && matches!(event, Event::Closed(_))).then_some(()));
    let deadline = Instant::now() + PATIENCE;
    while relay.streams() > 0 {
        assert!(Instant::now() < deadline, "the stream is closed with its connection");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Each call of one driver has a stream of its own.
#[test]
fn many_calls_of_one_driver_are_relayed() {
    let relay = Relay::start();
    let mut driver = Driver::bind(&local(), EndpointConfig::default()).unwrap();
    let mut config = Config::new(wall_clock());
    config.turn_servers = vec![at(relay.address).over_tcp()];
    config.ice_transport_policy = IceTransportPolicy::Relay;
    for _ in 0..3 {
        let id = driver.endpoint_mut().create(config.clone()).unwrap();
        let connection = driver.endpoint_mut().connection_mut(id).unwrap();
        connection.create_data_channel("test", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
    }
    let (mut found, deadline) = (0, Instant::now() + PATIENCE);
    while found < 3 {
        assert!(Instant::now() < deadline, "{found}");
        driver.run_once(Some(Duration::from_millis(5))).unwrap();
        while let Some(event) = driver.poll_event() {
            let EndpointEvent::Connection(_, Event::IceCandidate(Some(candidate))) = event else { continue };
            assert!(candidate.candidate.contains("typ relay"));
            found += 1;
        }
    }
    assert_eq!((relay.streams(), driver.stats().streams_opened), (3, 3));

    // What is at rest costs no turns.
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(500) {
        driver.run_once(Some(Duration::from_millis(100))).unwrap();
        while driver.poll_event().is_some() {}
        turns += 1;
    }
    assert!(turns < 100, "{turns} turns in half a second");
    let ids: Vec<_> = driver.endpoint().ids().collect();
    ids.into_iter().for_each(|id| driver.endpoint_mut().remove(id));
    let deadline = Instant::now() + PATIENCE;
    while relay.streams() > 0 {
        assert!(Instant::now() < deadline, "streams of who was forgotten are closed");
        driver.run_once(Some(Duration::from_millis(5))).unwrap();
    }
}

#[test]
fn where_nobody_listens_it_is_told_and_the_call_goes_another_way() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut pair = Pair::new(&local(), at(nobody).over_tcp(), IceTransportPolicy::All);
    let channels = pair.open();
    pair.exchange(channels, 1000);
    let error = pair.error();
    let expected = format!("turn:{nobody}?transport=tcp 701 there is no connection to the server: Connection refused");
    assert!(error.starts_with(&expected) && error.contains("nothing listens"), "{error}");
    assert_eq!((pair.stats().streams_opened, pair.stats().streams_failed), (0, 1));
}

/// What a server says to whoever connects, before it closes, if it does.
pub(crate) fn server_that(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

/// A call over `server` that goes another way, and what is told of the server.
pub(crate) fn call_in_spite_of(driver: &DriverConfig, server: TurnServer) -> String {
    let mut pair = Pair::new(driver, server, IceTransportPolicy::All);
    let channels = pair.open();
    pair.exchange(channels, 1000);
    pair.error()
}

#[test]
fn a_server_that_resets_closes_or_says_something_else_is_told_and_the_call_goes_on() {
    let resets = server_that(drop); // with what was sent unread: a reset
    let closes = server_that(|mut stream| {
        let _ = stream.read(&mut [0; 2000]);
    });
    let speaks = server_that(|mut stream| {
        let _ = stream.write_all(&[0xFF; 100_000]);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for (server, words) in [
        (resets, "there is no connection to the server: "),
        (closes, "there is no connection to the server: the server has closed it"),
        (speaks, "does not speak TURN"),
    ] {
        let error = call_in_spite_of(&local(), at(server).over_tcp());
        assert!(error.contains(" 701 ") && error.contains(words), "{error}");
    }
}

/// It keeps nobody waiting; the end of it is the machine's (39.5 s, which the simulator waits for).
#[test]
fn a_server_that_says_nothing_keeps_no_call_waiting() {
    let silent = server_that(std::mem::forget);
    let mut pair = Pair::new(&local(), at(silent).over_tcp(), IceTransportPolicy::All);
    let began = Instant::now();
    let channels = pair.open();
    pair.exchange(channels, 1000);
    assert!(began.elapsed() < PATIENCE / 2 && pair.errors.is_empty());
    assert_eq!(pair.stats().streams_opened, 1);
}

/// What a server does on a stream before it waits for the end of it.
type Serve = fn(&mut TcpStream);

/// Serves each stream with a thread of its own; the streams that are open are counted.
fn counting_server(serve: Serve) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (open, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&open), Arc::clone(&all));
    let address = server_that(move |mut stream| {
        let open = Arc::clone(&open);
        open.fetch_add(1, Ordering::SeqCst);
        all.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            serve(&mut stream);
            while stream.read(&mut [0; 2000]).is_ok_and(|len| len > 0) {}
            open.fetch_sub(1, Ordering::SeqCst);
        });
    });
    (address, counters.0, counters.1)
}

/// Each time that ICE begins anew a server that has gone is asked again, on one stream more; of those before none is left open.
#[test]
fn no_stream_is_left_open_whatever_a_server_does_and_however_often_ice_begins_anew() {
    let silent = |_: &mut TcpStream| {};
    let closes = |stream: &mut TcpStream| {
        let _ = stream.read(&mut [0; 2000]);
        let _ = stream.shutdown(Shutdown::Both);
    };
    // The beginning of ChannelData of 65,535 bytes, and of a message of STUN.
    let in_the_middle = |stream: &mut TcpStream| {
        let _ = stream.read(&mut [0; 2000]);
        let _ = stream.write_all(&[0x40, 0, 0xFF, 0xFF, 1, 2, 3]);
        let _ = stream.shutdown(Shutdown::Write);
    };
    let in_a_header = |stream: &mut TcpStream| {
        let _ = stream.read(&mut [0; 2000]);
        for byte in [1, 3, 0, 8, 0x21, 0x12, 0xA4] {
            let _ = stream.write_all(&[byte]);
        }
        let _ = stream.shutdown(Shutdown::Write);
    };
    let nonsense = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
    };
    let servers: [(Serve, usize); 5] = [(silent, 1), (closes, 6), (in_the_middle, 6), (in_a_header, 6), (nonsense, 6)];
    for (number, (serve, expected)) in servers.into_iter().enumerate() {
        let (address, open, all) = counting_server(serve);
        let mut pair = Pair::new(&local(), at(address).over_tcp(), IceTransportPolicy::All);
        let channels = pair.open();
        for round in 1..=6 {
            let goal = if expected == 1 { (1, 1) } else { (0, round) };
            let deadline = Instant::now() + PATIENCE;
            while (open.load(Ordering::SeqCst), all.load(Ordering::SeqCst)) != goal {
                assert!(Instant::now() < deadline, "server {number}, round {round}: {open:?} of {all:?}");
                pair.turn();
            }
            pair.exchange(channels, 100);
            if round < 6 {
                pair.connection(0).restart_ice().unwrap();
                pair.negotiate();
            }
        }
        pair.connection(0).close();
        pair.until(|_, end, event| (end == 0 && matches!(event, Event::Closed(_))).then_some(()));
        let deadline = Instant::now() + PATIENCE;
        while open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "server {number}: {open:?}");
            pair.turn();
        }
        assert_eq!(all.load(Ordering::SeqCst), expected);
    }
}

#[test]
#[cfg(not(feature = "tls"))]
fn a_driver_without_tls_says_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = call_in_spite_of(&local(), at(nobody).over_tls("turn.example.org"));
    assert!(error.contains(" 701 ") && error.contains("its feature `tls`"), "{error}");
}
