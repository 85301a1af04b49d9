//! Buffers that grow where the path needs them, and no further.

use crate::common::{config, connected_with};
use crate::in_parts::{Come, come, part};
use crate::path::{Network, Path};
use std::time::Duration;
use wigwag_sctp::{Config, CongestionControl, Stats};
use wigwag_sim::{A, World, Z};

const SMALL: usize = 1 << 20;
const LARGE: usize = 16 << 20;

/// Megabits a second over 5 s, and the counters of both ends.
fn run(megabits: u64, configure: impl FnOnce(&mut Config)) -> (f64, [Stats; 2]) {
    let mut network = Network::new(Path::new(megabits, 100, 0), 1);
    let config = config(|config| {
        config.congestion_control = CongestionControl::Cubic;
        (config.receive_window, config.receive_window_max) = (LARGE as u32, 0);
        (config.send_buffer, config.send_buffer_max) = (LARGE, 0);
        configure(config);
    });
    let flow = network.add(&config, Duration::ZERO);
    network.run_for(Duration::from_secs(5));
    (network.received(flow) as f64 * 8.0 / 5e6, network.stats(flow))
}

#[test]
fn a_window_that_holds_the_peer_up_grows() {
    let (fixed, _) = run(400, |config| config.receive_window = SMALL as u32);
    let (tuned, [_, receiver]) = run(400, |config| {
        (config.receive_window, config.receive_window_max) = (SMALL as u32, LARGE as u32);
    });
    assert!(fixed < 90.0 && tuned > 2.0 * fixed, "{fixed:.1} Mbit/s with 1 MiB, {tuned:.1} tuned");
    assert_eq!(receiver.receive_window_max as usize, LARGE);
}

#[test]
fn a_window_that_is_enough_stays() {
    let (_, [_, receiver]) = run(10, |config| {
        (config.receive_window, config.receive_window_max) = (SMALL as u32, LARGE as u32);
    });
    assert_eq!(receiver.receive_window_max as usize, SMALL);
}

#[test]
fn who_does_not_fetch_gets_no_more_window() {
    let small = config(|config| {
        (config.receive_window, config.receive_window_max) = (SMALL as u32, LARGE as u32);
    });
    let mut world: World<_> = connected_with(1, Config::default(), small);
    world[Z].is_reading = false;
    for _ in 0..40 {
        world[A].send(0, &[7; 200_000]);
    }
    world.run_for(Duration::from_secs(20));
    let stats = world[Z].association.stats();
    assert!(stats.receive_window_max as usize <= 2 * SMALL, "{}", stats.receive_window_max);
}

/// A user who fetches late is not loss: a peer that keeps to what it was told is refused nothing, and so repeats nothing.
#[test]
fn a_window_that_fills_refuses_nothing_of_a_peer_that_keeps_to_it() {
    for (window, len, burst) in [(SMALL, 65_536, 8), (SMALL, 1100, 300), (2 * SMALL, 200_000, 3), (300_000, 16_000, 5)]
    {
        let fixed = config(|config| {
            (config.receive_window, config.receive_window_max) = (window as u32, 0);
            config.message_len_max_receive = window / 4;
        });
        let mut world: World<_> = connected_with(1, Config::default(), fixed);
        world[Z].is_reading = false;
        for _ in 0..8 * window / len {
            world[A].send(0, &vec![7; len]);
        }
        for _ in 0..200 {
            world.run_for(Duration::from_millis(50));
            let fetched = std::iter::from_fn(|| world[Z].association.poll_event()).take(burst);
            assert!(fetched.count() <= burst);
        }
        let (sent, taken) = (world[A].association.stats(), world[Z].association.stats());
        assert_eq!(taken.discarded.no_room, 0, "{len} bytes at a time through {window}");
        assert_eq!((sent.retransmitted, sent.timeouts), (0, 0), "{len} bytes at a time through {window}");
        assert!(
            sent.bytes_sent as usize > 3 * window,
            "{len} bytes at a time through {window}: {} sent",
            sent.bytes_sent
        );
    }
}

/// They cost more than what the peer counts, and it is told of as many as find room.
#[test]
fn a_window_that_fills_with_short_messages_refuses_none() {
    for (window, len, burst) in [(SMALL, 1, 3000), (SMALL, 10, 3000), (SMALL, 300, 2000), (300_000, 100, 300)] {
        let fixed = config(|config| {
            (config.receive_window, config.receive_window_max) = (window as u32, 0);
            config.message_len_max_receive = window / 4;
        });
        let mut world: World<_> = connected_with(1, Config::default(), fixed);
        world[Z].is_reading = false;
        let mut rest = 4 * window / (len + 128);
        (0..rest).for_each(|_| world[A].send(0, &vec![7; len]));
        let mut rounds = 0;
        while rest > 0 {
            world.run_for(Duration::from_millis(50));
            rest -= std::iter::from_fn(|| world[Z].association.poll_event()).take(burst).count();
            rounds += 1;
            assert!(rounds < 40, "{len} bytes at a time through {window}: {rest} are left");
        }
        let (sent, taken) = (world[A].association.stats(), world[Z].association.stats());
        let wasted = (taken.discarded.no_room, sent.retransmitted, sent.timeouts);
        assert_eq!(wasted, (0, 0, 0), "{len} bytes at a time through {window}");
    }
}

#[test]
fn a_send_buffer_follows_the_congestion_window() {
    let (fixed, _) = run(400, |config| config.send_buffer = SMALL);
    let (tuned, [sender, _]) = run(400, |config| {
        (config.send_buffer, config.send_buffer_max) = (SMALL, LARGE);
    });
    assert!(fixed < 90.0 && tuned > 2.0 * fixed, "{fixed:.1} Mbit/s with 1 MiB, {tuned:.1} tuned");
    assert!(sender.send_buffer > 8 * SMALL && sender.send_buffer <= LARGE, "{}", sender.send_buffer);
    let (_, [sender, _]) = run(10, |config| {
        (config.send_buffer, config.send_buffer_max) = (SMALL, LARGE);
    });
    assert_eq!(sender.send_buffer, SMALL);
}

#[test]
fn whoever_was_refused_is_told_when_the_buffer_grows() {
    let growing = config(|config| {
        config.congestion_control = CongestionControl::Cubic;
        (config.send_buffer, config.send_buffer_max) = (30_000, LARGE);
    });
    let mut world = connected_with(1, growing, Config::default());
    world.link(A, Z).rate(50_000_000, 1 << 20);
    for _ in 0..20 {
        let message = bytes::Bytes::from(vec![7; 9000]);
        while world[A].association.send(0, 53, message.clone(), crate::common::ORDERED).is_ok() {}
        world[A].events.clear();
        world.run_for(Duration::from_millis(400));
        let events = std::mem::take(&mut world[A].events);
        events.into_iter().find(|event| *event == wigwag_sctp::Event::Writable).unwrap();
    }
    assert!(world[A].association.stats().send_buffer > 100_000);
}

/// However little is configured to be kept, a packet must fit, or nothing would ever come.
#[test]
fn the_smallest_window_lets_messages_come() {
    for interleaving in [false, true] {
        let tiny = || {
            config(|config| {
                config.partial_delivery_from = Some(1);
                (config.receive_window, config.receive_window_max) = (0, 0);
                config.interleaving = interleaving;
            })
        };
        let mut world = connected_with(1, tiny(), tiny());
        world[A].send(0, &part(20_000));
        world.run_for(Duration::from_secs(60));
        let come = come(&world[Z].events);
        assert!(matches!(&come[&0][..], [Come::InParts(bytes, _)] if *bytes == part(20_000)));
    }
}
