//! Partial reliability, resets, and the end.

use crate::world::{connected, message, pairs, pairs_that, send, until};
use sctp_stacks::{How, Options, Stack, State};
use std::time::Duration;
use wigwag_sim::{A, Fate, Z};

#[test]
fn messages_that_may_be_lost_are_skipped_and_what_follows_arrives() {
    skips_what_is_lost(Options::default());
}

#[test]
fn messages_in_parts_that_may_be_lost_are_skipped_and_what_follows_arrives() {
    skips_what_is_lost(Options { in_parts: true, ..Options::default() });
}

fn skips_what_is_lost(options: Options) {
    let none = How { retransmits_max: Some(0), ..How::default() };
    let short = How { lifetime: Some(Duration::from_millis(30)), ..How::default() };
    for stacks in pairs() {
        for how in [none, short, How { unordered: true, ..none }, How { unordered: true, ..short }] {
            let mut world = connected(3, stacks, options);
            world.links(A, Z, |link| {
                link.latency(Duration::from_millis(20)).loss(20.0);
            });
            for number in 0..200 {
                for host in [A, Z] {
                    // Of messages in parts one is given after another.
                    let is_sent = send(&mut world, host, 1, &message(number, 600 + number % 3 * 1000), how);
                    assert!(is_sent || options.in_parts);
                }
                world.run_for(Duration::from_millis(20));
            }
            world.run_for(Duration::from_secs(10));
            world.links(A, Z, |link| {
                link.loss(0.0);
            });
            let what = format!("{stacks:?} {how:?}");
            let last = message(1000, 100);
            for host in [A, Z] {
                assert!(send(&mut world, host, 1, &last, How::default()), "{what}");
            }
            until(&mut world, &what, 60, |world| {
                [A, Z].iter().all(|host| world[*host].received.last().is_some_and(|(_, data)| *data == last))
            });
            assert!(world.count(Fate::Lost) > 0);
            for host in [A, Z] {
                let received: Vec<_> = world[host].received.iter().map(|(_, data)| data.clone()).collect();
                let known: Vec<_> = (0..200).map(|n| message(n, 600 + n % 3 * 1000)).chain([last.clone()]).collect();
                let mut places: Vec<_> =
                    received.iter().map(|data| known.iter().position(|known| known == data).expect(&what)).collect();
                assert!(how.unordered || places.is_sorted(), "{what}: {places:?}");
                places.sort_unstable();
                places.dedup();
                assert_eq!(places.len(), received.len(), "{what}: twice");
                // rtc-sctp does not send what has waited for its congestion window: in 30 ms, a loss or two are enough.
                let sender = if host == A { stacks[1] } else { stacks[0] };
                let least = if sender == Stack::RtcSctp && how.lifetime.is_some() { 20 } else { 50 };
                assert!((least..190).contains(&received.len()), "{what}: {} of 200", received.len());
            }
        }
    }
}

#[test]
fn streams_are_reset_by_either_side_and_begin_anew() {
    for stacks in pairs() {
        let what = format!("{stacks:?}");
        let mut world = connected(4, stacks, Options::default());
        world.links(A, Z, |link| {
            link.latency(Duration::from_millis(20)).loss(5.0);
        });
        for round in 0..4 {
            for stream in [1, 7] {
                for host in [A, Z] {
                    assert!(send(&mut world, host, stream, &message(round, 3000), How::default()), "{what}");
                }
            }
            let all = 2 * (round + 1);
            until(&mut world, &what, 60, |world| [A, Z].iter().all(|host| world[*host].received.len() == all));
            let [first, second] = if round % 2 == 0 { [A, Z] } else { [Z, A] };
            // Some answer a reset with one of their own, so that there may be more.
            for (closing, other) in [(first, second), (second, first)] {
                let now = world.now();
                for stream in [1, 7] {
                    world[closing].ask().reset(stream, now);
                }
                until(&mut world, &format!("{what}, round {round}: resetting"), 60, |world| {
                    let resets = &world[other].resets;
                    [1, 7].iter().all(|stream| resets.iter().filter(|reset| *reset == stream).count() > round)
                });
            }
            // Until what was lost of the acknowledgements was repeated: who is not sure of all does not open the stream again.
            world.run_for(Duration::from_secs(10));
        }
        for host in [A, Z] {
            assert!((0..8).all(|n| world[host].received[n].1 == message(n / 2, 3000)), "{what}");
        }
    }
}

/// The others look only at what is in flight, and do not say again what was lost of a shutdown (RFC 9260 §9.2).
#[test]
fn what_was_sent_before_a_shutdown_arrives() {
    for stacks in pairs_that(Stack::begins_and_ends_well) {
        for closing in [A, Z] {
            let what = format!("{stacks:?}, {closing:?} closing");
            let other = if closing == A { Z } else { A };
            let mut world = connected(5, stacks, Options::default());
            world.links(A, Z, |link| {
                link.latency(Duration::from_millis(20)).loss(10.0);
            });
            for number in 0..20 {
                assert!(send(&mut world, closing, 2, &message(number, 20_000), How::default()));
            }
            let now = world.now();
            world[closing].ask().shutdown(now);
            until(&mut world, &what, 60, |world| [A, Z].iter().all(|host| world[*host].end().state() == State::Closed));
            let received = &world[other].received;
            assert!((0..20).all(|n| received.get(n).is_some_and(|(_, data)| *data == message(n, 20_000))), "{what}");
        }
    }
}
