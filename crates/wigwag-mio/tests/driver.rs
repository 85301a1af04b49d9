//! Endpoints on real sockets of the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use wigwag::{
    ChannelId, Config, ConnectionId, DataChannelInit, EndpointConfig, EndpointEvent, Event, PeerConnection, Protocol,
};
use wigwag_mio::{Direction, Driver, DriverConfig, wall_clock};

fn driver(address: &str) -> Driver {
    Driver::bind(&DriverConfig::new([address.parse().unwrap()]), EndpointConfig::default()).unwrap()
}

fn create(driver: &mut Driver) -> ConnectionId {
    driver.endpoint_mut().create(Config::new(wall_clock())).unwrap()
}

fn connection(driver: &mut Driver, id: ConnectionId) -> &mut PeerConnection {
    driver.endpoint_mut().connection_mut(id).unwrap()
}

/// Two drivers and a connection between them, turned by one thread.
struct Pair {
    drivers: [Driver; 2],
    ids: [ConnectionId; 2],
    /// A public address that is told, and where the NAT sends what is for it.
    outside: (&'static str, &'static str),
}

impl Pair {
    /// Offers a data channel; the descriptions carry no candidates, those come as events.
    fn new(mut a: Driver, mut z: Driver) -> Self {
        let ids = [create(&mut a), create(&mut z)];
        let offerer = connection(&mut a, ids[0]);
        offerer.create_data_channel("test", DataChannelInit::default()).unwrap();
        let offer = offerer.create_offer().unwrap();
        offerer.set_local_description(offer.clone()).unwrap();
        let answerer = connection(&mut z, ids[1]);
        answerer.set_remote_description(offer).unwrap();
        let answer = answerer.create_answer().unwrap();
        answerer.set_local_description(answer.clone()).unwrap();
        connection(&mut a, ids[0]).set_remote_description(answer).unwrap();
        Self { drivers: [a, z], ids, outside: ("", "") }
    }

    /// Turns both until `each` finds what it looks for in an event of the end with this number.
    fn until<T>(&mut self, mut each: impl FnMut(&mut Self, usize, Event) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            for end in 0..2 {
                self.drivers[end].run_once(Some(Duration::from_millis(1))).unwrap();
                while let Some(event) = self.drivers[end].poll_event() {
                    let EndpointEvent::Connection(_, event) = event else { continue };
                    if let Event::IceCandidate(candidate) = &event {
                        let other = 1 - end;
                        let id = self.ids[other];
                        let mut candidate = candidate.clone();
                        if let Some(candidate) = &mut candidate {
                            candidate.candidate = candidate.candidate.replace(self.outside.0, self.outside.1);
                        }
                        connection(&mut self.drivers[other], id).add_ice_candidate(candidate.as_ref()).unwrap();
                    }
                    if let Some(found) = each(self, end, event) {
                        return found;
                    }
                }
            }
        }
        panic!("it did not happen in time");
    }

    /// The channel at both ends.
    fn open(&mut self) -> [ChannelId; 2] {
        let mut opened = [None; 2];
        self.until(|_, end, event| {
            if let Event::ChannelOpened(channel) = event {
                opened[end] = Some(channel);
            }
            Some([opened[0]?, opened[1]?])
        })
    }
}

#[test]
fn peers_connect_and_exchange_a_message_larger_than_a_socket_takes_at_once() {
    for (a, z) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let mut pair = Pair::new(driver(a), driver(z));
        let channels = pair.open();
        let message = (0..200_000_u32).map(|number| number as u8).collect::<Vec<_>>();
        let id = pair.ids[0];
        connection(&mut pair.drivers[0], id).send(channels[0], message.clone().into(), true).unwrap();
        let arrived = pair.until(|_, end, event| match event {
            Event::Message { data, is_binary: true, .. } if end == 1 => Some(data),
            _ => None,
        });
        assert!(arrived == message);
        let stats = pair.drivers[0].stats();
        assert!(stats.datagrams_sent > 150 && stats.bytes_sent > 200_000, "{stats:?}");
        if cfg!(target_os = "linux") {
            assert!(stats.send_calls < stats.datagrams_sent, "several datagrams a call: {stats:?}");
        }
    }
}

/// RFC 6544: one opens a stream to where the other listens.
#[test]
fn peers_without_udp_connect_over_tcp() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let (mut opens, mut listens) = (DriverConfig::new([address]), DriverConfig::new([]));
        opens.tcp_active = true;
        listens.tcp_listeners = vec![address];
        let [a, z] = [opens, listens].map(|config| Driver::bind(&config, EndpointConfig::default()).unwrap());
        let listener = z.listening_addresses().next().unwrap();
        let mut pair = Pair::new(a, z);
        let channels = pair.open();
        let paths = [0, 1].map(|end| {
            let id = pair.ids[end];
            connection(&mut pair.drivers[end], id).transport_stats().path.unwrap()
        });
        assert!(paths.iter().all(|path| path.protocol == Protocol::Tcp), "{paths:?}");
        assert_eq!([paths[0].remote, paths[1].local], [listener; 2]);
        let message = (0..200_000_u32).map(|number| number as u8).collect::<Vec<_>>();
        for (end, channel) in channels.into_iter().enumerate() {
            let id = pair.ids[end];
            connection(&mut pair.drivers[end], id).send(channel, message.clone().into(), true).unwrap();
            let arrived = pair.until(|_, other, event| match event {
                Event::Message { data, is_binary: true, .. } if other != end => Some(data),
                _ => None,
            });
            assert!(arrived == message);
        }
        let id = pair.ids[0];
        connection(&mut pair.drivers[0], id).close();
        let mut closed = 0;
        pair.until(|_, _, event| {
            closed += u32::from(matches!(event, Event::Closed(_)));
            (closed == 2).then_some(())
        });
        let stats = pair.drivers.each_ref().map(Driver::stats);
        assert_eq!([stats[0].streams_opened, stats[1].streams_accepted], [1, 1]);
        assert!(stats.iter().all(|stats| stats.datagrams_sent == 0), "{stats:?}");
    }
}

#[test]
fn a_socket_for_all_addresses_is_told_as_the_addresses_it_has() {
    let mut pair = Pair::new(driver("0.0.0.0:0"), driver("0.0.0.0:0"));
    let port = pair.drivers[0].bound_addresses().next().unwrap().port();
    let told = pair.drivers[0].endpoint().local_addresses().to_vec();
    assert!(!told.is_empty());
    assert!(told.iter().all(|address| !address.ip().is_unspecified() && address.port() == port), "{told:?}");
    pair.open();
    let path = connection(&mut pair.drivers[0], pair.ids[0]).transport_stats().path.unwrap();
    assert!(told.contains(&path.local), "{path:?}");
}

/// The NAT is in the signalling: Z sends what is for the public address to where such a NAT would send it.
#[test]
fn a_machine_behind_a_nat_of_one_to_one_is_known_by_its_public_address() {
    for (inside, outside) in [("127.0.0.1", "203.0.113.7"), ("::1", "2001:db8::7")] {
        let address = SocketAddr::new(inside.parse().unwrap(), 0);
        let mut config = DriverConfig::new([address]);
        config.nat_1to1 = vec![(inside.parse().unwrap(), outside.parse().unwrap())];
        let a = Driver::bind(&config, EndpointConfig::default()).unwrap();
        let port = a.bound_addresses().next().unwrap().port();
        let public = SocketAddr::new(outside.parse().unwrap(), port);
        assert_eq!(a.endpoint().local_addresses(), [public]);
        let mut pair = Pair::new(a, driver(&address.to_string()));
        pair.outside = (outside, inside);
        let mut told = Vec::new();
        let mut opened = 0;
        pair.until(|_, end, event| {
            match event {
                Event::IceCandidate(Some(candidate)) if end == 0 => told.push(candidate.candidate),
                Event::ChannelOpened(_) => opened += 1,
                _ => {}
            }
            (opened == 2).then_some(())
        });
        let [told] = told.as_slice() else { panic!("one candidate: {told:?}") };
        assert!(told.contains(&format!(" {outside} {port} typ host")), "{told}");
        let paths = [0, 1].map(|end| {
            let id = pair.ids[end];
            connection(&mut pair.drivers[end], id).transport_stats().path.unwrap()
        });
        assert_eq!(paths[0].local, public);
        assert_eq!(paths[1].remote, SocketAddr::new(inside.parse().unwrap(), port), "it leaves by that socket");
    }
}

#[test]
fn other_threads_command_a_driver_that_sleeps() {
    let mut pair = Pair::new(driver("127.0.0.1:0"), driver("127.0.0.1:0"));
    let channels = pair.open();
    let Pair { drivers: [mut a, mut z], ids, .. } = pair;
    let (handle, other) = (a.handle(), thread::current().id());
    let (tell, told) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        let mut turns = 0;
        while a.endpoint().len() == 1 {
            a.run_once(None).unwrap();
            while a.poll_event().is_some() {}
            turns += 1;
        }
        turns
    });
    let receiver = thread::spawn(move || {
        loop {
            z.run_once(Some(Duration::from_secs(1))).unwrap();
            while let Some(event) = z.poll_event() {
                match event {
                    EndpointEvent::Connection(_, Event::Message { data, .. }) => tell.send(data).unwrap(),
                    EndpointEvent::Connection(_, Event::Closed(_)) => return,
                    _ => {}
                }
            }
        }
    });
    for number in 0..10_u8 {
        let sent = handle.call(move |endpoint| {
            let result = endpoint.connection_mut(ids[0]).unwrap().send(channels[0], vec![number].into(), true);
            (result, thread::current().id())
        });
        let (result, thread) = sent.unwrap();
        assert!(result.is_ok() && thread != other);
        assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), [number].as_slice());
    }
    handle.run(move |endpoint| endpoint.connection_mut(ids[0]).unwrap().close()).unwrap();
    receiver.join().unwrap();
    let turns = sleeper.join().unwrap();
    assert!(turns < 5000, "it sleeps while nothing is to be done: {turns} turns");
    assert!(handle.wake().is_ok() && handle.call(|_| ()).is_err(), "a driver that has ended runs nothing");
}

#[test]
fn an_idle_driver_sleeps_as_long_as_it_may() {
    let mut idle = driver("127.0.0.1:0");
    idle.run_once(Some(Duration::ZERO)).unwrap(); // what may have come before
    let began = Instant::now();
    idle.run_once(Some(Duration::from_millis(80))).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(79), "{:?}", began.elapsed());
}

#[test]
fn whoever_would_look_for_addresses_all_the_time_does_not_spin() {
    let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
    config.refresh_interval = Some(Duration::ZERO);
    let mut idle = Driver::bind(&config, EndpointConfig::default()).unwrap();
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(100) {
        idle.run_once(None).unwrap();
        turns += 1;
    }
    assert!(turns <= 102, "{turns} turns in 100 ms");
}

#[test]
fn a_connection_at_rest_costs_no_turns_but_its_keepalives() {
    let mut pair = Pair::new(driver("127.0.0.1:0"), driver("127.0.0.1:0"));
    pair.open();
    let began = Instant::now();
    let mut turns = 0;
    while began.elapsed() < Duration::from_secs(1) {
        for driver in &mut pair.drivers {
            driver.run_once(Some(Duration::from_millis(100))).unwrap();
            while driver.poll_event().is_some() {}
            turns += 1;
        }
    }
    assert!(turns < 400, "{turns} turns in a second");
}

#[test]
fn an_observer_sees_all_that_was_sent_and_received() {
    let mut a = driver("127.0.0.1:0");
    let (tell, told) = mpsc::channel();
    let address: SocketAddr = a.bound_addresses().next().unwrap();
    a.observe(move |seen| {
        assert_eq!(seen.local, address);
        let _ = tell.send((seen.direction, seen.payload.len() as u64));
    });
    let mut pair = Pair::new(a, driver("127.0.0.1:0"));
    pair.open();
    let stats = pair.drivers[0].stats();
    drop(pair);
    let seen: Vec<_> = told.try_iter().collect();
    let of = |direction: Direction| {
        let lens = seen.iter().filter(move |(seen, _)| *seen == direction).map(|(_, len)| *len);
        (lens.clone().count() as u64, lens.sum::<u64>())
    };
    assert_eq!(of(Direction::Sent), (stats.datagrams_sent, stats.bytes_sent));
    assert_eq!(of(Direction::Received), (stats.datagrams_received, stats.bytes_received));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = driver("127.0.0.1:0");
    let address = taken.bound_addresses().next().unwrap();
    let error = Driver::bind(&DriverConfig::new([address]), EndpointConfig::default()).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");

    let mut config = DriverConfig::new([]);
    config.tcp_listeners = vec!["127.0.0.1:0".parse().unwrap()];
    let taken = Driver::bind(&config, EndpointConfig::default()).unwrap();
    config.tcp_listeners = taken.listening_addresses().collect();
    let error = Driver::bind(&config, EndpointConfig::default()).unwrap_err();
    assert!(error.to_string().contains(&format!("TCP {}", config.tcp_listeners[0])), "{error}");
}

#[test]
fn a_driver_may_have_no_udp_socket_but_not_nothing() {
    let mut config = DriverConfig::new([]);
    let bind = |config: &DriverConfig| Driver::bind(config, EndpointConfig::default());
    assert!(bind(&config).is_err());
    config.tcp_active = true;
    assert!(bind(&config).is_ok());
    config.tcp_active = false;
    config.tcp_listeners = vec!["192.0.2.77:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
    let error = bind(&config).unwrap_err().to_string();
    assert!(error.contains("TCP 192.0.2.77:0"), "{error}");
    config.skip_unavailable = true;
    let listening: Vec<_> = bind(&config).unwrap().listening_addresses().collect();
    assert!(listening.len() == 1 && listening[0].ip().is_loopback() && listening[0].port() != 0);
    config.tcp_listeners.truncate(1);
    assert!(bind(&config).is_err(), "one must be left");
}

#[test]
fn a_driver_with_streams_that_peers_have_opened_sleeps_and_its_end_is_theirs() {
    let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
    config.tcp_listeners = config.addresses.clone();
    let mut driver = Driver::bind(&config, EndpointConfig::default()).unwrap();
    let address = driver.listening_addresses().next().unwrap();
    let mut clients = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
    let deadline = Instant::now() + Duration::from_secs(20);
    while driver.stats().streams_accepted < 2 {
        assert!(Instant::now() < deadline);
        driver.run_once(Some(Duration::from_millis(1))).unwrap();
    }
    clients[0].write_all(b"\0\x04what").unwrap();
    while driver.stats().stream_bytes_received < 6 {
        assert!(Instant::now() < deadline);
        driver.run_once(Some(Duration::from_millis(1))).unwrap();
    }
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(100) {
        driver.run_once(Some(Duration::from_millis(50))).unwrap();
        turns += 1;
    }
    assert!(turns < 50, "{turns} turns in 100 ms");
    drop(driver);
    for client in &mut clients {
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let ended = client.read(&mut [0]);
        assert!(
            ended.as_ref().is_ok_and(|len| *len == 0)
                || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
    }
    config.tcp_listeners = vec![address];
    assert!(Driver::bind(&config, EndpointConfig::default()).is_ok(), "the port is free again");
}

#[test]
fn an_address_that_has_gone_is_passed_over_only_if_asked_for() {
    let mut config = DriverConfig::new(["192.0.2.77:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()]);
    assert!(Driver::bind(&config, EndpointConfig::default()).is_err());
    config.skip_unavailable = true;
    let bound = Driver::bind(&config, EndpointConfig::default()).unwrap();
    assert!(bound.bound_addresses().all(|address| address.ip().is_loopback()));
    config.addresses.truncate(1);
    assert!(Driver::bind(&config, EndpointConfig::default()).is_err(), "one must be left");
}
