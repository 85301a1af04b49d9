//! What a packet and a message cost in allocations, and in memory what a hostile peer can hold.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use allocation_counter::measure;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, Scheduler, SendOptions};

/// Carries packets between two associations until neither has one.
fn exchange(a: &mut Association, z: &mut Association, now: Instant, out: &mut Vec<u8>, mut read: impl FnMut(Event)) {
    loop {
        let mut is_quiet = true;
        for is_from_a in [true, false] {
            let (from, to) = if is_from_a { (&mut *a, &mut *z) } else { (&mut *z, &mut *a) };
            out.clear();
            while from.poll_packet(now, 1200, out) {
                to.handle_input(out, now);
                out.clear();
                is_quiet = false;
            }
            while let Some(event) = to.poll_event() {
                read(event);
            }
        }
        if is_quiet {
            return;
        }
    }
}

fn connected(now: Instant, config: Config) -> (Association, Association, Vec<u8>) {
    let mut a = Association::new(config.clone(), Seed::for_test(1));
    let mut z = Association::new(config, Seed::for_test(2));
    let mut out = Vec::new();
    a.connect();
    exchange(&mut a, &mut z, now, &mut out, |_| ());
    (a, z, out)
}

/// How many allocations it costs to carry `message` 100 times, both ends together, once everything is warm.
fn cost(message: &Bytes, config: Config) -> u64 {
    let mut now = wigwag_sim::origin();
    let (mut a, mut z, mut out) = connected(now, config);
    let mut turn = || {
        let mut received = 0;
        for at in 0..100 {
            a.send(at % 3, 53, message.clone(), SendOptions::default()).unwrap();
        }
        now += Duration::from_millis(50);
        exchange(&mut a, &mut z, now, &mut out, |event| {
            received += usize::from(matches!(event, Event::Message { .. }));
        });
        now += Duration::from_millis(50);
        z.handle_timeout(now);
        exchange(&mut a, &mut z, now, &mut out, |_| ());
        assert_eq!(received, 100);
    };
    for _ in 0..10 {
        turn();
    }
    measure(turn).count_total
}

#[test]
fn a_message_costs_one_allocation_and_a_packet_none() {
    let mut interleaved = Config::default();
    (interleaved.interleaving, interleaved.zero_checksum) = (true, true);
    interleaved.scheduler = Scheduler::WeightedFair;
    for config in [Config::default(), interleaved] {
        assert_eq!(cost(&Bytes::from_static(&[7; 1000]), config.clone()), 100);
        assert_eq!(cost(&Bytes::from_static(&[7; 20_000]), config), 100);
    }
}

/// Allocations of the sender and of the receiver, by themselves.
#[derive(Debug, Default)]
struct Costs {
    sending: u64,
    receiving: u64,
    delivered: u64,
}

/// Sends `count` messages of a packet each, one a millisecond, of which the network loses every hundredth packet.
fn lossy(count: u32, peers: &mut (Association, Association, Vec<u8>), now: &mut Instant) -> Costs {
    let (a, z, out) = peers;
    let (mut costs, message) = (Costs::default(), Bytes::from_static(&[7; 1000]));
    let mut packets = 0u32;
    for _ in 0..count {
        *now += Duration::from_millis(1);
        let at = *now;
        costs.sending += measure(|| {
            a.handle_timeout(at);
            a.send(0, 53, message.clone(), SendOptions::default()).unwrap();
        })
        .count_total;
        z.handle_timeout(at);
        loop {
            out.clear();
            let mut is_sent = false;
            costs.sending += measure(|| is_sent = a.poll_packet(at, 1200, out)).count_total;
            if !is_sent {
                break;
            }
            packets += 1;
            if !packets.is_multiple_of(100) {
                costs.receiving += measure(|| {
                    z.handle_input(out, at);
                    while let Some(event) = z.poll_event() {
                        costs.delivered += u64::from(matches!(event, Event::Message { .. }));
                    }
                })
                .count_total;
            }
        }
        loop {
            out.clear();
            let mut is_sent = false;
            costs.receiving += measure(|| is_sent = z.poll_packet(at, 1200, out)).count_total;
            if !is_sent {
                break;
            }
            costs.sending += measure(|| {
                a.handle_input(out, at);
                while a.poll_event().is_some() {}
                let _ = a.poll_timeout(at);
            })
            .count_total;
        }
    }
    costs
}

/// What is lost is sent again from where it lies, and what waits behind it is held as it came.
#[test]
fn loss_costs_no_allocation_but_the_messages() {
    let mut now = wigwag_sim::origin();
    let mut peers = connected(now, Config::default());
    lossy(100, &mut peers, &mut now);
    let costs = lossy(10_000, &mut peers, &mut now);
    assert!(costs.delivered >= 9_900, "{costs:?}");
    // What grows to its size once, and is kept: queues, and the lists of what is in flight, missing or early.
    assert!(costs.sending <= 10, "{costs:?}");
    assert!((costs.delivered..=costs.delivered + 10).contains(&costs.receiving), "{costs:?}");
}

#[test]
fn an_idle_association_is_small() {
    let now = wigwag_sim::origin();
    let info = measure(|| {
        let (a, z, out) = connected(now, Config::default());
        std::mem::forget((a, z, out));
    });
    assert!(info.bytes_current < 2 * 20_000, "{} bytes", info.bytes_current);
}
