//! The laws, kept by a connection over ICE's own streams.

use crate::common::Peer;
use crate::contract::{EXCEPTED, by_channel, config, dropped, negotiate};
use bytes::Bytes;
use std::time::Instant;
use wigwag::sansio::{Datagram, Seed, Transmit};
use wigwag::{DataChannelInit, PeerConnection, TcpType};
use wigwag_sim::contract::{self, Law, Network, Subject};
use wigwag_sim::{A, Host, Node, Z, address};

struct End {
    peer: Peer,
    side: &'static str,
    /// Of pieces that streams come in.
    piece_len: usize,
}

impl Node for End {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let Datagram { protocol, local, remote, ecn, payload } = datagram;
        if payload.is_empty() {
            return self.peer.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
        }
        for payload in payload.chunks_mut(self.piece_len) {
            self.peer.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
        }
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

fn end(host: Host, side: &'static str, tcp_type: TcpType, seed: u64, now: Instant) -> End {
    let mut connection = PeerConnection::new(config(host, now), Seed::for_test(2 * seed + u64::from(host == Z)));
    connection.add_local_tcp_address(address(host), tcp_type).unwrap();
    connection.set_max_segments(if host == A { 4 } else { 1 });
    connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
    End { peer: Peer::new(connection), side, piece_len: 1 + seed as usize * 37 % 900 }
}

impl Subject for End {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (Law::PacketsAreOwed, "a transmit is written whole: there is no limit to keep to"),
        (Law::Bounded, "contract.rs shows it of what goes through any path"),
        (Law::CostFollowsWork, "contract.rs shows it of what goes through any path"),
    ];
    const COMMANDS: usize = 20;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        let types = if seed.is_multiple_of(2) {
            [TcpType::Active, TcpType::Passive]
        } else {
            [TcpType::Passive, TcpType::Active]
        };
        let mut pair = [end(A, "A", types[0], seed, now), end(Z, "Z", types[1], seed, now)];
        let [a, z] = &mut pair;
        negotiate([&mut a.peer.connection, &mut z.peer.connection]);
        pair
    }

    fn command(&mut self, n: usize) -> bool {
        let Some(channel) = self.peer.channels.get("agreed").copied() else { return false };
        let data = Bytes::from(vec![n as u8; n * 97 % 3000]);
        self.peer.connection.send(channel, data, true).is_ok()
    }

    fn outcome(&self) -> String {
        format!("{} {:?} {:?}", self.side, self.peer.state, by_channel(&self.peer.messages))
    }

    fn retransmitted(&self) -> u64 {
        self.peer.connection.transport_stats().retransmissions
    }

    fn dropped(&self) -> Option<u64> {
        Some(dropped(&self.peer.connection))
    }
}

#[test]
fn a_connection_over_streams_keeps_the_laws() {
    contract::check_but::<End>(EXCEPTED);
}
