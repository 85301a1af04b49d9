//! How long packets may be, over paths that carry more, or less than they did (RFC 8899, RFC 4820).

use crate::common::{Peer, chunks, config, world};
use crate::hostile::packet;
use std::time::Duration;
use wigwag_sctp::{Config, CongestionControl};
use wigwag_sim::{A, Fate, Host, World, Z, address};

const CONTROLS: [CongestionControl; 3] = [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr];

fn searching(control: CongestionControl) -> Config {
    config(|config| {
        config.mtu_max = 1400;
        config.congestion_control = control;
    })
}

/// A and Z with room for packets of 1400 bytes, over links that carry so much.
fn over(carries: usize, control: CongestionControl) -> World<Peer> {
    let mut world = world(1, searching(control), searching(control));
    for host in [A, Z] {
        world[host].wire.limit = 1500;
    }
    world.links(A, Z, |link| {
        link.mtu(carries).rate(20_000_000, 100_000);
    });
    world[A].association.connect();
    world
}

fn mtu(world: &World<Peer>, host: Host) -> usize {
    world[host].association.stats().mtu
}

/// Lengths of packets with user data that A has sent since.
fn longest_since(world: &World<Peer>, since: Duration) -> usize {
    let records = world.trace().records();
    let has_data = |packet: &[u8]| chunks(packet).iter().any(|chunk| chunk[0] == 0);
    let lens =
        records.iter().filter(|record| record.from == address(A) && record.at >= since && has_data(&record.payload));
    lens.map(|record| record.payload.len()).max().unwrap_or(0)
}

#[test]
fn what_the_path_carries_is_found_in_a_round_trip_and_used() {
    for control in CONTROLS {
        let mut world = over(1400, control);
        world.run_for(Duration::from_millis(200));
        assert_eq!((mtu(&world, A), mtu(&world, Z)), (1400, 1400));
        world[A].send(0, &[7; 100_000]);
        world.run();
        assert_eq!(world[Z].received(), [(0, vec![7; 100_000])]);
        assert!(longest_since(&world, Duration::ZERO) > 1390);
    }
}

/// It would be owed for ever: answers are no longer than every path carries.
#[test]
fn a_heartbeat_longer_than_every_path_carries_is_not_answered() {
    for (len, is_answered) in [(1144, true), (1145, false), (1300, false)] {
        let mut world = over(1400, CONTROLS[0]);
        world.run_for(Duration::from_millis(200));
        assert_eq!(mtu(&world, A), 1400);
        let to_a =
            world.trace().records().iter().rfind(|record| record.from == address(Z)).expect("a packet").payload.clone();
        let tag = u32::from_be_bytes([to_a[4], to_a[5], to_a[6], to_a[7]]);
        let mut heartbeat = vec![4, 0];
        heartbeat.extend((len as u16 + 4).to_be_bytes());
        heartbeat.resize(len + 4, 7);
        let now = world.now();
        world[A].association.handle_input(&packet(tag, &heartbeat), now);
        let mut out = Vec::new();
        assert_eq!(world[A].association.poll_packet(now, 1500, &mut out), is_answered, "{len}");
        assert!(world[A].association.poll_timeout(now).is_none_or(|at| at > now), "{len}: nothing is owed any more");
        assert_eq!(world[A].association.stats().discarded.heartbeat, u64::from(!is_answered));
    }
}

#[test]
fn a_path_between_is_found_without_losing_data() {
    for control in CONTROLS {
        let mut world = over(1300, control);
        for _ in 0..100 {
            world[A].send(0, &[7; 10_000]);
            world.run_for(Duration::from_millis(200));
        }
        world.run();
        assert_eq!(mtu(&world, A), 1292);
        assert_eq!(world[Z].received().len(), 100);
        let stats = world[A].association.stats();
        assert_eq!((stats.timeouts, stats.retransmitted), (0, 0), "only probes were lost");
        assert!(world.link(A, Z).count(Fate::TooLarge) >= 6);
    }
}

#[test]
fn a_black_hole_is_left_and_everything_arrives() {
    for control in CONTROLS {
        let mut world = over(1400, control);
        world.run_for(Duration::from_millis(500));
        for _ in 0..20 {
            world[A].send(0, &[7; 200_000]);
        }
        world.run_for(Duration::from_millis(500));
        assert_eq!(mtu(&world, A), 1400);
        world.link(A, Z).mtu(1200);
        world.run_for(Duration::from_secs(5));
        assert!((1160..=1200).contains(&mtu(&world, A)), "{control:?}: {}", mtu(&world, A));
        world.run_for(Duration::from_secs(20));
        assert_eq!(world[Z].received().len(), 20, "{control:?}");
    }
}

#[test]
fn a_black_hole_for_long_packets_alone_is_noticed_though_short_ones_arrive() {
    for control in CONTROLS {
        let mut world = over(1400, control);
        world.run_for(Duration::from_millis(500));
        world.link(A, Z).mtu(1200);
        for _ in 0..100 {
            world[A].send(0, &[7; 5000]);
            world.run_for(Duration::from_millis(50));
            world[A].association.send(1, 53, (&b"short"[..]).into(), crate::common::UNORDERED).ok();
            world.run_for(Duration::from_millis(50));
        }
        world.run_for(Duration::from_secs(10));
        assert!(mtu(&world, A) <= 1200, "{control:?}");
        assert_eq!(world[Z].received().len(), 200, "{control:?}");
    }
}

/// Loses so many packets of data in a row that are longer than every path carries, once enough of them are on their way for others to follow.
fn lose_long_ones(world: &mut World<Peer>, count: u32) {
    let (mut passed, mut left) = (0, count);
    world.link(A, Z).drop_if(move |passing| {
        let is_long = passing.payload.len() > 1160 && chunks(passing.payload).iter().any(|chunk| chunk[0] == 0);
        passed += u32::from(is_long);
        let is_lost = is_long && passed > 10 && left > 0;
        left -= u32::from(is_lost);
        is_lost
    });
}

/// Chunks are not what is lost: packets are.
#[test]
fn a_lost_packet_of_many_messages_is_no_black_hole() {
    for control in CONTROLS {
        let mut world = over(1400, control);
        world.run_for(Duration::from_millis(500));
        lose_long_ones(&mut world, 1);
        for _ in 0..2000 {
            world[A].send(0, &[7; 100]);
        }
        world.run_for(Duration::from_millis(500));
        assert_eq!(world.link(A, Z).count(Fate::Lost), 1);
        assert_eq!(mtu(&world, A), 1400, "{control:?}");
        world.run();
        assert_eq!(world[Z].received().len(), 2000);
    }
}

#[test]
fn long_packets_that_are_lost_before_one_that_arrives_are_no_black_hole() {
    for control in CONTROLS {
        let mut world = over(1400, control);
        world.run_for(Duration::from_millis(500));
        lose_long_ones(&mut world, 3);
        world[A].send(0, &[7; 80_000]);
        world.run_for(Duration::from_millis(500));
        assert_eq!([Fate::Lost, Fate::QueueFull].map(|fate| world.link(A, Z).count(fate)), [3, 0]);
        assert_eq!(mtu(&world, A), 1400, "{control:?}");
        world.run();
        assert_eq!(world[Z].received().len(), 1);
    }
}

#[test]
fn a_path_that_carries_more_later_is_tried_again_after_ten_minutes() {
    let mut world = over(1200, CongestionControl::Rfc9260);
    world.run_for(Duration::from_secs(60));
    assert!((1184..=1200).contains(&mtu(&world, A)));
    world.link(A, Z).mtu(1500);
    world.run_for(Duration::from_secs(601));
    assert_eq!(mtu(&world, A), 1400);
}

#[test]
fn who_has_no_room_for_probes_sends_none() {
    let mut world = world(1, searching(CongestionControl::Rfc9260), Config::default());
    world[A].association.connect();
    world[A].send(0, &[7; 20_000]);
    world.run_for(Duration::from_secs(30));
    assert!((1160..=1200).contains(&mtu(&world, A)), "{}", mtu(&world, A));
    assert_eq!(world[Z].received().len(), 1);
}

#[test]
fn padding_says_nothing_and_is_no_stranger() {
    let mut world = over(1400, CongestionControl::Rfc9260);
    world.run_for(Duration::from_secs(1));
    for host in [A, Z] {
        assert_eq!(world[host].association.stats().discarded, wigwag_sctp::Discarded::default());
    }
}
