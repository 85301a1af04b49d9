//! Many messages both ways, through loss, duplication and reordering.

use crate::world::{OTHERS, Peer, Stacks, connected, is_connected, message, pairs, pairs_that, send, until, world};
use bytes::Bytes;
use sctp_stacks::{How, Options, Stack};
use std::time::Duration;
use wigwag_sim::{A, Fate, World, Z};

const STREAMS: u16 = 3;

/// What goes wrong on the path, in percent.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    loss: f64,
    duplication: f64,
    reordering: f64,
}

const PATHS: [Path; 4] = [
    Path { loss: 0.0, duplication: 0.0, reordering: 0.0 },
    Path { loss: 5.0, duplication: 0.0, reordering: 0.0 },
    Path { loss: 0.0, duplication: 10.0, reordering: 10.0 },
    Path { loss: 10.0, duplication: 5.0, reordering: 5.0 },
];

/// From a byte to the longest that both take.
const LENS: [usize; 12] = [1, 17, 1000, 1131, 1132, 1133, 5000, 16_384, 65_536, 100_000, 262_144, 3];

fn set(world: &mut World<Peer>, path: Path) {
    world.links(A, Z, |link| {
        link.latency(Duration::from_millis(20)).loss(path.loss).duplication(path.duplication);
        link.reordering(path.reordering, Duration::from_millis(15));
    });
}

/// Each side sends every length on each stream; what was sent first on a stream arrives first, if it is ordered.
fn exchange(world: &mut World<Peer>, how: How, what: &str) {
    let all: Vec<(u16, Bytes)> = LENS
        .iter()
        .enumerate()
        .flat_map(|(n, len)| (1..=STREAMS).map(move |stream| (stream, message(n * 10 + usize::from(stream), *len))))
        .collect();
    let mut sent = [0; 2];
    for _ in 0..60_000 {
        for (n, host) in [A, Z].into_iter().enumerate() {
            while let Some((stream, data)) = all.get(sent[n])
                && send(world, host, *stream, data, how)
            {
                sent[n] += 1;
            }
        }
        world.run_for(Duration::from_millis(10));
        if [A, Z].iter().all(|host| world[*host].received.len() >= all.len()) {
            break;
        }
    }
    for host in [A, Z] {
        let of = |messages: &[(u16, Bytes)], stream: u16| {
            let mut of: Vec<Bytes> =
                messages.iter().filter(|(of, _)| *of == stream).map(|(_, data)| data.clone()).collect();
            if how.unordered {
                of.sort();
            }
            of
        };
        for stream in 1..=STREAMS {
            let [received, expected] = [of(&world[host].received, stream), of(&all, stream)];
            let lens: Vec<_> = received.iter().map(Bytes::len).collect();
            assert!(received == expected, "{what}: stream {stream} has {lens:?}");
        }
    }
}

fn assert_hit(world: &World<Peer>, path: Path, what: &str) {
    for (percent, fate) in
        [(path.loss, Fate::Lost), (path.duplication, Fate::Duplicated), (path.reordering, Fate::Reordered)]
    {
        assert_eq!(world.count(fate) > 0, percent > 0.0, "{what}: {fate:?}");
    }
}

fn carries(stacks: Stacks, options: Options, how: How) {
    for (seed, path) in PATHS.into_iter().enumerate() {
        let what = format!("{stacks:?} {options:?} {how:?} {path:?}");
        let mut world = connected(seed as u64, stacks, options);
        set(&mut world, path);
        exchange(&mut world, how, &what);
        assert_hit(&world, path, &what);
        for (host, stack) in [A, Z].into_iter().zip(stacks) {
            let agreed = world[host].end().agreed();
            if stack.has_extensions() {
                assert_eq!(agreed.interleaving, options.interleaving, "{what}");
                assert_eq!(agreed.zero_checksum, options.zero_checksum, "{what}");
            }
        }
    }
}

#[test]
fn messages_of_every_length_arrive_once_and_in_order() {
    for stacks in pairs() {
        carries(stacks, Options::default(), How::default());
    }
}

#[test]
fn unordered_messages_arrive_once() {
    for stacks in pairs() {
        carries(stacks, Options::default(), How { unordered: true, ..How::default() });
    }
}

/// Of those that are compiled, none can.
#[cfg(not(feature = "usrsctp"))]
#[test]
fn interleaved_messages_and_packets_without_checksum_arrive() {
    for stacks in pairs_that(Stack::has_extensions) {
        for (interleaving, zero_checksum) in [(true, false), (false, true), (true, true)] {
            for unordered in [false, true] {
                let options = Options { zero_checksum, interleaving, ..Options::default() };
                carries(stacks, options, How { unordered, ..How::default() });
            }
        }
    }
}

/// The longest has four times the room that there is, on either side.
#[test]
fn messages_in_parts_are_messages_to_the_others_whoever_sends_them() {
    for stacks in pairs() {
        for unordered in [false, true] {
            let options = Options { in_parts: true, ..Options::default() };
            carries(stacks, options, How { unordered, ..How::default() });
        }
    }
    for stacks in pairs_that(Stack::has_extensions) {
        let options = Options { in_parts: true, interleaving: true, ..Options::default() };
        carries(stacks, options, How::default());
    }
}

#[test]
fn they_connect_through_loss() {
    for stacks in pairs().filter(|[_, server]| server.knows_an_init_again()) {
        for seed in 0..30 {
            let mut world = world(seed, stacks, Options::default());
            set(&mut world, Path { loss: 30.0, duplication: 10.0, reordering: 10.0 });
            let now = world.now();
            world[A].ask().connect(now);
            // dcsctp doubles its timeout without a limit.
            until(&mut world, &format!("{stacks:?} {seed}"), 300, is_connected);
        }
    }
}

#[test]
fn both_may_begin() {
    for stacks in pairs_that(Stack::begins_and_ends_well) {
        for seed in 0..10 {
            let mut world = world(seed, stacks, Options::default());
            set(&mut world, PATHS[seed as usize % 4]);
            for host in [A, Z] {
                let now = world.now();
                world[host].ask().connect(now);
                world.run_for(Duration::from_millis(seed * 3));
            }
            until(&mut world, "connecting", 60, is_connected);
            exchange(&mut world, How::default(), &format!("{stacks:?}"));
        }
    }
}

/// For the sake of the others: they are at home with themselves, so that a failure above is between two.
#[test]
fn the_others_carry_the_same_among_themselves() {
    for stack in OTHERS {
        let mut world = connected(1, [*stack; 2], Options::default());
        set(&mut world, PATHS[0]);
        exchange(&mut world, How::default(), stack.name());
    }
}
