//! The laws, kept by a connection over ICE's own streams.

use crate::common::Peer;
use crate::contract::{EXCEPTED, by_channel, config, dropped, negotiate};
use crate::tcp::Cut;
use bytes::Bytes;
use std::time::Instant;
use wigwag::sansio::Seed;
use wigwag::{DataChannelInit, PeerConnection, TcpType};
use wigwag_sim::contract::{self, Law, Network, Subject};
use wigwag_sim::{A, Host, Z, address};

fn end(host: Host, tcp_type: TcpType, seed: u64, now: Instant) -> Cut<Peer> {
    let mut connection = PeerConnection::new(config(host, now), Seed::for_test(2 * seed + u64::from(host == Z)));
    connection.add_local_tcp_address(address(host), tcp_type).unwrap();
    connection.set_max_segments(if host == A { 4 } else { 1 });
    connection.create_data_channel("agreed", DataChannelInit::default().negotiated(0)).unwrap();
    Cut { node: Peer::new(connection), size: 1 + seed as usize * 37 % 900 }
}

impl Subject for Cut<Peer> {
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
        let mut pair = [end(A, types[0], seed, now), end(Z, types[1], seed, now)];
        let [a, z] = &mut pair;
        negotiate([&mut a.node.connection, &mut z.node.connection]);
        pair
    }

    fn command(&mut self, n: usize) -> bool {
        let Some(channel) = self.node.channels.get("agreed").copied() else { return false };
        let data = Bytes::from(vec![n as u8; n * 97 % 3000]);
        self.node.connection.send(channel, data, true).is_ok()
    }

    fn outcome(&self) -> String {
        format!("{:?} {:?}", self.node.state, by_channel(&self.node.messages))
    }

    fn retransmitted(&self) -> u64 {
        self.node.connection.transport_stats().retransmissions
    }

    fn dropped(&self) -> Option<u64> {
        Some(dropped(&self.node.connection))
    }
}

#[test]
fn a_connection_over_streams_keeps_the_laws() {
    contract::check_but::<Cut<Peer>>(EXCEPTED);
}
