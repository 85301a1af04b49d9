//! Associations whose INITs travelled in descriptions (draft-hancke-tsvwg-snap): no packet of a handshake, in either role.

use crate::world::{Peer, Stacks, is_connected, message, pairs_that, send, until, world};
use sctp_stacks::{How, Options, Stack};
use std::time::Duration;
use wigwag_sim::{A, Fate, Host, World, Z};

/// Both, of whom neither has begun and each knows the other.
fn introduced(seed: u64, stacks: Stacks) -> World<Peer> {
    let mut world = world(seed, stacks, Options::default());
    let inits = [A, Z].map(|host| world[host].ask().init().expect("a stack that has it"));
    for (host, init) in [Z, A].into_iter().zip(inits) {
        world[host].ask().set_peer_init(init);
    }
    world
}

fn connect(world: &mut World<Peer>, host: Host) {
    let now = world.now();
    world[host].ask().connect(now);
}

/// Whether a packet begins with INIT, INIT ACK, COOKIE ECHO or COOKIE ACK.
fn is_handshake(packet: &[u8]) -> bool {
    packet.get(12).is_some_and(|kind| matches!(kind, 1 | 2 | 10 | 11))
}

#[test]
fn data_goes_both_ways_through_loss_and_nobody_makes_a_handshake() {
    for stacks in pairs_that(Stack::has_snap) {
        for seed in 0..30 {
            let what = format!("{stacks:?} {seed}");
            let mut world = introduced(seed, stacks);
            world.links(A, Z, |link| {
                link.latency(Duration::from_millis(20)).loss(8.0).duplication(5.0);
                link.reordering(10.0, Duration::from_millis(15));
            });
            let order = if seed % 2 == 0 { [A, Z] } else { [Z, A] };
            order.into_iter().for_each(|host| connect(&mut world, host));
            until(&mut world, &what, 1, is_connected);
            assert!(world.age() < Duration::from_millis(20), "{what}: before a packet has arrived");
            for number in 0..40 {
                for host in [A, Z] {
                    assert!(send(
                        &mut world,
                        host,
                        number as u16 % 3,
                        &message(number, 1 + number * 397),
                        How::default()
                    ));
                }
                world.run_for(Duration::from_millis(5));
            }
            // Others double their timeouts up to a minute.
            until(&mut world, &what, 600, |world| [A, Z].iter().all(|host| world[*host].received.len() == 40));
            for host in [A, Z] {
                for stream in 0..3 {
                    let numbers = (0..40).filter(|number| number % 3 == stream);
                    let of_stream = world[host].received.iter().filter(|(of, _)| usize::from(*of) == stream);
                    let expected: Vec<_> = numbers.map(|number| message(number, 1 + number * 397)).collect();
                    assert!(of_stream.map(|(_, data)| data.clone()).eq(expected), "{what}: stream {stream}");
                }
            }
            assert!(world.count(Fate::Lost) > 0, "{what}");
            assert!(world.trace().records().iter().all(|record| !is_handshake(&record.payload)), "{what}");
        }
    }
}

#[test]
fn streams_are_reset_as_of_any_association() {
    for stacks in pairs_that(Stack::has_snap) {
        let what = format!("{stacks:?}");
        let mut world = introduced(1, stacks);
        [A, Z].into_iter().for_each(|host| connect(&mut world, host));
        for (closing, other, stream) in [(A, Z, 5), (Z, A, 6)] {
            assert!(send(&mut world, closing, stream, &message(1, 3000), How::default()), "{what}");
            until(&mut world, &what, 10, |world| world[other].received.len() == 1);
            let now = world.now();
            world[closing].ask().reset(stream, now);
            until(&mut world, &what, 10, |world| world[other].resets.contains(&stream));
            world.run_for(Duration::from_secs(1));
        }
    }
}
