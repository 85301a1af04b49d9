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
use std::net::{SocketAddr, TcpListener};
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
        let offerer = pair.connection(0);
        offerer.create_data_channel("test", DataChannelInit::default()).unwrap();
        let offer = offerer.create_offer().unwrap();
        offerer.set_local_description(offer.clone()).unwrap();
        let answerer = pair.connection(1);
        answerer.set_remote_description(offer).unwrap();
        let answer = answerer.create_answer().unwrap();
        answerer.set_local_description(answer.clone()).unwrap();
        pair.connection(0).set_remote_description(answer).unwrap();
        pair
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
            for end in 0..2 {
                self.drivers[end].run_once(Some(Duration::from_millis(1))).unwrap();
                while let Some(event) = self.drivers[end].poll_event() {
                    let EndpointEvent::Connection(_, event) = event else { continue };
                    match &event {
                        Event::IceCandidate(candidate) => {
                            let candidate = candidate.clone();
                            self.connection(1 - end).add_ice_candidate(candidate.as_ref()).unwrap();
                        }
                        Event::IceCandidateError { url, error_code, error_text, .. } => {
                            self.errors.push(format!("{url} {error_code} {error_text}"));
                        }
                        _ => {}
                    }
                    if let Some(found) = each(self, end, event) {
                        return found;
                    }
                }
            }
        }
        panic!("it did not happen in time: {:?}", self.errors);
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
pub(crate) fn server_that(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
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

#[test]
#[cfg(not(feature = "tls"))]
fn a_driver_without_tls_says_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = call_in_spite_of(&local(), at(nobody).over_tls("turn.example.org"));
    assert!(error.contains(" 701 ") && error.contains("its feature `tls`"), "{error}");
}
