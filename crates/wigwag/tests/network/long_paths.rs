//! Data channels over paths that carry long datagrams, or lose some of them.

use crate::common::{Peer, connect_with_channel, pair_with};
use std::time::Duration;
use wigwag::DataChannelInit;
use wigwag::sctp::CongestionControl;
use wigwag_sim::{A, World, Z, address};

const LEN: usize = 200_000;

fn send(world: &mut World<Peer>, count: usize) {
    let id = world[A].channels["chat"];
    for _ in 0..count {
        world[A].connection.send(id, vec![7; LEN].into(), true).unwrap();
    }
}

/// The lengths of the longest datagram that A has sent and of the longest that has arrived.
fn longest(world: &World<Peer>) -> [usize; 2] {
    let sent = world.trace().records().iter().filter(|record| record.from == address(A));
    let len = |arrives: bool| {
        let passed = sent.clone().filter(|record| !arrives || !record.fate.is_lost());
        passed.map(|record| record.payload.len()).max().unwrap_or(0)
    };
    [len(false), len(true)]
}

#[test]
fn datagrams_are_as_long_as_the_path_carries_if_that_is_allowed() {
    for (carries, arrived) in [(1500, 1430..=1452), (1400, 1380..=1400), (1240, 1200..=1240)] {
        let mut world = pair_with(71, |_, config| config.data_mtu_max = 1452);
        world.links(A, Z, |link| {
            link.mtu(carries);
        });
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        world.run_for(Duration::from_secs(20));
        send(&mut world, 5);
        world.run_for(Duration::from_secs(5));
        assert_eq!(world[Z].messages.len(), 5);
        let [longest_sent, longest_arrived] = longest(&world);
        assert!(longest_sent <= 1452 && arrived.contains(&longest_arrived), "{longest_sent}, {longest_arrived}");
    }
}

#[test]
fn what_a_path_carries_less_later_is_noticed() {
    let mut world = pair_with(72, |_, config| config.data_mtu_max = 1452);
    world.links(A, Z, |link| {
        link.mtu(1500);
    });
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    send(&mut world, 1);
    world.run_for(Duration::from_secs(5));
    world.link(A, Z).mtu(1300);
    send(&mut world, 10);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world[Z].messages.len(), 11);
}

#[test]
fn any_controller_carries_data_over_a_path_that_loses_some() {
    for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
        let mut world = pair_with(73, |_, config| config.sctp_congestion_control = control);
        world.links(A, Z, |link| {
            link.latency(Duration::from_millis(50)).loss(1.0).rate(50_000_000, 500_000);
        });
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        send(&mut world, 10);
        world.run_for(Duration::from_secs(20));
        assert_eq!(world[Z].messages.len(), 10, "{control:?}");
    }
}
