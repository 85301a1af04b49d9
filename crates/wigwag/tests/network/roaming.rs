//! The network changes in the middle of a call: addresses vanish and come, NATs forget. Not a byte of what is reliable is
//! lost.

use crate::common::{Peer, config};
use crate::endpoint::Server;
use crate::gathering::{Party, StunServer, call, peer};
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wigwag::{ConnectionState, EndpointConfig, IceCandidate, PeerConnection, Seed};
use wigwag_sim::{A, Behavior, Host, INTERNET, PortAssignment, Realm, World, seeds};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const STUN: ([u8; 4], u16) = ([198, 51, 100, 9], 3478);

/// A and Z, each behind a NAT of its own or on the internet, in a call that carries numbers both ways.
struct Call {
    world: World<Party>,
    hosts: [Host; 2],
    realms: [Realm; 2],
    sent: u32,
}

fn home(n: u8) -> SocketAddr {
    ([10, 0, n, 2], 5000).into()
}

fn elsewhere(n: u8) -> SocketAddr {
    ([10, 7, n, 7], 5007).into()
}

impl Call {
    fn begin(seed: u64, filtering: Option<Behavior>) -> Self {
        let mut world = World::new(seed);
        world.add("S", &[STUN.into()], Party::Stun(StunServer::default()));
        let realms = [1, 2].map(|n| match filtering {
            None => INTERNET,
            Some(filtering) => {
                let realm = world.add_nat(INTERNET, Ipv4Addr::new(203, 0, 113, n));
                world.nat(realm).filtering(filtering).ports(PortAssignment::Random);
                realm
            }
        });
        let hosts = [0, 1].map(|n| {
            let mut config = config();
            config.stun_servers = vec![STUN.into()];
            let mut connection = PeerConnection::new(config, Seed::for_test(seed * 2 + n as u64));
            connection.add_local_address(home(n as u8)).unwrap();
            let party = Party::Peer(Box::new(Peer::new(connection)));
            world.add_behind(realms[n], ["A", "Z"][n], &[home(n as u8)], party)
        });
        call(&mut world, hosts, "flow");
        let mut call = Self { world, hosts, realms, sent: 0 };
        call.until("connected", 20 * S, |call| {
            call.both(|peer| peer.state == ConnectionState::Connected && peer.channels.contains_key("flow"))
        });
        call.talk(S);
        call
    }

    fn both(&mut self, is_so: impl Fn(&Peer) -> bool) -> bool {
        self.hosts.iter().all(|host| is_so(peer(&mut self.world, *host)))
    }

    fn until(&mut self, what: &str, patience: Duration, is_done: impl Fn(&mut Self) -> bool) -> Duration {
        let begin = self.world.age();
        while !is_done(self) {
            assert!(self.world.age() - begin < patience, "{what} took more than {patience:?}");
            self.world.run_for(20 * MS);
        }
        self.world.age() - begin
    }

    /// Numbers leave both ends every 20 ms.
    fn talk(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            let number = Bytes::copy_from_slice(&self.sent.to_be_bytes());
            for host in self.hosts {
                let Peer { connection, channels, .. } = peer(&mut self.world, host);
                connection.send(channels["flow"], number.clone(), true).unwrap();
            }
            self.sent += 1;
            self.world.run_for(20 * MS);
        }
    }

    /// Everything has arrived, once and in order; how long that took.
    fn heard(&mut self, patience: Duration) -> Duration {
        let all = self.sent as usize;
        let time = self.until("hearing", patience, |call| call.both(|peer| peer.messages.len() >= all));
        for host in self.hosts {
            let messages = &peer(&mut self.world, host).messages;
            let numbers = messages.iter().map(|(_, data, _)| u32::from_be_bytes(data[..].try_into().unwrap()));
            assert!(numbers.eq(0..self.sent), "once and in order");
        }
        time
    }

    fn vanish(&mut self, n: usize, address: SocketAddr) {
        self.world.remove_address(address);
        peer(&mut self.world, self.hosts[n]).connection.remove_local_address(address);
    }

    fn come(&mut self, n: usize, address: SocketAddr) {
        self.world.add_address_behind(self.realms[n], self.hosts[n], address);
        peer(&mut self.world, self.hosts[n]).connection.add_local_address(address).unwrap();
    }

    /// All candidates of one side are told to the other.
    fn trickle(&mut self, n: usize) {
        let sdp = peer(&mut self.world, self.hosts[n]).connection.local_description().unwrap().sdp;
        let other = &mut peer(&mut self.world, self.hosts[1 - n]).connection;
        for line in sdp.lines().filter_map(|line| line.strip_prefix("a=").filter(|_| line.starts_with("a=candidate:")))
        {
            other.add_ice_candidate(Some(&IceCandidate::new(line))).unwrap();
        }
    }

    fn restart(&mut self, n: usize) {
        let connection = &mut peer(&mut self.world, self.hosts[n]).connection;
        connection.restart_ice().unwrap();
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        self.talk(S);
        let offer = peer(&mut self.world, self.hosts[n]).connection.local_description().unwrap();
        let connection = &mut peer(&mut self.world, self.hosts[1 - n]).connection;
        connection.set_remote_description(offer).unwrap();
        let answer = connection.create_answer().unwrap();
        connection.set_local_description(answer).unwrap();
        self.talk(S);
        let answer = peer(&mut self.world, self.hosts[1 - n]).connection.local_description().unwrap();
        peer(&mut self.world, self.hosts[n]).connection.set_remote_description(answer).unwrap();
    }
}

#[test]
fn a_call_goes_on_when_its_address_vanishes_and_another_comes() {
    for seed in seeds(24) {
        let n = (seed % 2) as usize;
        let gap = [None, Some(Duration::ZERO), Some(S), Some(12 * S)][(seed / 2 % 4) as usize];
        let is_told = seed / 8 % 2 == 0;
        let mut call = Call::begin(seed, None);
        let host = call.hosts[n];
        match gap {
            // The new one is there before the old one goes.
            None => {
                call.come(n, elsewhere(n as u8));
                if is_told {
                    call.trickle(n);
                }
                call.talk(2 * S);
                call.vanish(n, home(n as u8));
            }
            Some(gap) => {
                call.vanish(n, home(n as u8));
                call.talk(gap);
                call.come(n, elsewhere(n as u8));
                if is_told {
                    call.trickle(n);
                }
            }
        }
        call.talk(5 * S);
        let time = call.heard(30 * S);
        assert!(time < 15 * S, "seed {seed}: {time:?}");
        let path = peer(&mut call.world, host).connection.transport_stats().path.expect("a path");
        assert_eq!(path.local, elsewhere(n as u8), "seed {seed}");
        let sdp = peer(&mut call.world, host).connection.local_description().unwrap().sdp;
        assert!(!sdp.contains(&home(n as u8).ip().to_string()) && sdp.contains("10.7."), "{sdp}");
        let mut told = peer(&mut call.world, host).events.iter().filter(|event| event.contains("IceCandidate(Some"));
        assert!(told.next_back().is_some_and(|event| event.contains(&elsewhere(n as u8).ip().to_string())));
        call.talk(60 * S);
        call.heard(5 * S);
        assert!(call.both(|peer| peer.state == ConnectionState::Connected));
    }
}

/// A NAT that forgets gives another address, of which nobody is told: whoever is sent to from there answers there.
#[test]
fn a_call_goes_on_when_a_nat_gives_another_address() {
    for seed in seeds(24) {
        let n = (seed % 2) as usize;
        let mut call = Call::begin(seed, Some(Behavior::EndpointIndependent));
        call.talk(MS * u32::try_from(seed * 300).unwrap());
        call.world.nat(call.realms[n]).reboot();
        call.talk(15 * S);
        // 8 s of silence, and the time until checks are sent and answered.
        let time = call.heard(30 * S);
        assert!(time < 15 * S, "seed {seed}: {time:?}");
        assert!(call.both(|peer| peer.state == ConnectionState::Connected), "seed {seed}");
        call.talk(60 * S);
        call.heard(5 * S);
        assert!(call.both(|peer| peer.state == ConnectionState::Connected), "seed {seed}");
    }
}

/// If nobody is let in who was not sent to, only a restart helps, for which the STUN server is asked again.
#[test]
fn a_restart_finds_the_address_that_a_nat_gives_now() {
    for (seed, silence) in [(1, 12 * S), (2, 12 * S), (3, 50 * S), (4, 50 * S)] {
        let n = (seed % 2) as usize;
        let mut call = Call::begin(seed, Some(Behavior::AddressAndPortDependent));
        call.world.nat(call.realms[n]).reboot();
        call.talk(silence);
        call.restart(n);
        call.talk(5 * S);
        call.heard(60 * S);
        assert!(call.both(|peer| peer.state == ConnectionState::Connected), "seed {seed}");
        call.talk(60 * S);
        call.heard(5 * S);
    }
}

/// The same on an endpoint, whose routes follow.
#[test]
fn an_endpoint_moves_with_all_its_connections() {
    let mut world: World<Server> = World::new(70);
    let clients: Vec<SocketAddr> = (1..4).map(|n| ([10, 1, 0, n], 1000).into()).collect();
    let server = world.add("S", &[wigwag_sim::address(A)], Server::new(1, A, EndpointConfig::default()));
    let mut calls = Vec::new();
    for (n, address) in clients.iter().enumerate() {
        let mut client = Server::new(2, A, EndpointConfig::default());
        client.endpoint = wigwag::Endpoint::new(EndpointConfig::default(), Seed::for_test(100 + n as u64));
        client.endpoint.add_local_address(*address).unwrap();
        let client = world.add(&format!("C{n}"), &[*address], client);
        calls.push(crate::claims::call_between(&mut world, client, server));
    }
    world.run_until(|world| calls.iter().all(|call| crate::claims::is_up(world, server, *call)), 10 * S);
    let new = elsewhere(9);
    world.remove_address(wigwag_sim::address(A));
    world[server].endpoint.remove_local_address(wigwag_sim::address(A));
    assert_eq!(world[server].endpoint.local_addresses(), []);
    world.run_for(3 * S);
    world.add_address(server, new);
    world[server].endpoint.add_local_address(new).unwrap();
    world.run_for(12 * S);
    for (n, call) in calls.iter().enumerate() {
        crate::claims::says(&mut world, server, *call, ["one", "two", "three"][n]);
        let path = world[call.client].endpoint.connection(call.of_client).unwrap().transport_stats().path;
        assert_eq!(path.map(|path| path.remote), Some(new));
    }
    // Somebody else's path on the old address is not held by who left it.
    assert_eq!(world[server].endpoint.stats().claims_refused, 0);
}
