//! The agent keeps the laws of all machines.

use crate::{Peer, config};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_ice::{Agent, Credentials, Kind, LocalCandidate, RemoteCandidate, Role};
use wigwag_sansio::{Datagram, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Host, Node, Z, address};

/// An agent and what its signalling will tell it.
struct Signalled {
    peer: Peer,
    credentials: Credentials,
    candidates: Vec<RemoteCandidate>,
}

impl Node for Signalled {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.peer.handle_input(datagram, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.peer.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> bool {
        self.peer.poll_event()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.peer.poll_timeout(now)
    }
}

fn second(host: Host) -> SocketAddr {
    let mut second = address(host);
    second.set_port(2000);
    second
}

impl Subject for Signalled {
    const UNCHECKED: &'static [(Law, &'static str)] =
        &[(Law::PacketsAreOwed, "a message is written whole: there is no limit to keep to")];
    const COMMANDS: usize = 4;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let mut peers = [Peer::new(Role::Controlling, 2 * seed), Peer::new(Role::Controlled, 2 * seed + 1)];
        let hosts = [A, Z].into_iter().zip(&mut peers);
        let candidates: Vec<Vec<_>> = hosts
            .map(|(host, peer)| {
                let candidates = [address(host), second(host)].map(LocalCandidate::host);
                candidates
                    .map(|candidate| RemoteCandidate::from(&peer.agent.add_local_candidate(candidate).unwrap()))
                    .to_vec()
            })
            .collect();
        let credentials = [1usize, 0].map(|other| peers[other].agent.local_credentials().clone());
        let mut signalled = peers.into_iter().zip(credentials).zip([1, 0]).map(|((peer, credentials), other)| Self {
            peer,
            credentials,
            candidates: candidates[other].clone(),
        });
        [signalled.next().unwrap(), signalled.next().unwrap()]
    }

    fn command(&mut self, n: usize) -> bool {
        let agent = &mut self.peer.agent;
        match n {
            0 => agent.set_remote_credentials(self.credentials.clone()),
            1 | 2 => return agent.add_remote_candidate(self.candidates[n - 1].clone()).is_ok(),
            3 => {
                agent.end_of_local_candidates();
                agent.end_of_remote_candidates();
            }
            n => {
                let address = SocketAddr::from(([10, 200, (n >> 8) as u8, n as u8], 1000));
                return agent.add_remote_candidate(RemoteCandidate::udp("1", 1, address, Kind::Host)).is_ok();
            }
        }
        true
    }

    fn outcome(&self) -> String {
        let path = self.peer.agent.selected_path().filter(|path| self.peer.agent.is_proven(*path));
        format!("{:?} as {:?}: {}", self.peer.agent.state(), self.peer.agent.role(), path.is_some())
    }

    fn retransmitted(&self) -> u64 {
        self.peer.agent.stats().checks_retransmitted
    }

    fn dropped(&self) -> Option<u64> {
        Some(self.peer.agent.stats().dropped())
    }

    fn load(&self) -> Option<Load> {
        let agent = &self.peer.agent;
        let limits = config(Role::Controlling);
        let held = agent.local_candidates().len() + agent.remote_candidates().len();
        Some(Load { held, bound: 2 * limits.candidates_max })
    }

    /// As many pairs, of which one is checked because of the first command.
    fn crowd(seed: u64, parts: usize, _now: Instant) -> Option<Self> {
        let mut config = config(Role::Controlling);
        (config.candidates_max, config.pairs_max) = (parts + 1, parts);
        let mut peer = Peer::with(config, seed);
        peer.agent.add_local_candidate(LocalCandidate::host(address(A))).unwrap();
        for n in 0..parts {
            let address = SocketAddr::from(([10, 201, (n >> 8) as u8, n as u8], 1000));
            let candidate = RemoteCandidate::udp(&n.to_string(), 1 + n as u32, address, Kind::Host);
            peer.agent.add_remote_candidate(candidate).unwrap();
        }
        let credentials = Credentials { ufrag: "peer".into(), password: "a password of the peer".into() };
        Some(Self { peer, credentials, candidates: Vec::new() })
    }

    fn visits(&self) -> Option<u64> {
        Some(self.peer.agent.visits())
    }
}

#[test]
fn the_agent_keeps_the_laws() {
    contract::check::<Signalled>();
}

const _: () = contract::is_send_and_sync::<Agent>();
