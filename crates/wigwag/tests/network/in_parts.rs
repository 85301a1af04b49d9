//! Messages longer than anybody holds, through the whole of a connection.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{Peer, connect_with_channel, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::{ChannelId, DataChannelInit, SendError};
use wigwag_sim::{A, Host, World, Z};

const PART: usize = 64 << 10;

fn streaming(seed: u64) -> World<Peer> {
    pair_with(seed, |_, config| {
        config.negotiation.max_message_size = 0;
        config.partial_delivery_from = Some(PART);
        (config.receive_buffer, config.send_buffer) = (256 << 10, 256 << 10);
    })
}

fn byte(host: Host, at: usize) -> u8 {
    (at / 251 + at + if host == A { 0 } else { 17 }) as u8
}

fn part(host: Host, at: usize, len: usize) -> Bytes {
    (at..at + len).map(|at| byte(host, at)).collect()
}

/// Gives the next parts, as far as there is room. How far it has come.
fn give(world: &mut World<Peer>, host: Host, channel: ChannelId, mut at: usize, len: usize) -> usize {
    while at < len {
        // Of any length.
        let next = (1 + at * 7 % PART).min(len - at);
        match world[host].connection.append_part(channel, part(host, at, next)) {
            Ok(()) => at += next,
            Err(SendError::Full(_)) => break,
            Err(error) => panic!("{error}"),
        }
        if at == len {
            world[host].connection.finish_message(channel).unwrap();
        }
    }
    at
}

#[test]
fn messages_longer_than_every_buffer_pass_each_other_through_loss() {
    const LEN: usize = 6 << 20;
    let mut world = streaming(1);
    connect_with_channel(&mut world, "long", DataChannelInit::default());
    let channel = world[A].channels["long"];
    let theirs = world[Z].channels["long"];
    world.links(A, Z, |link| {
        link.loss(1.0).jitter(Duration::from_millis(3));
    });
    world[A].connection.begin_message(channel, true).unwrap();
    world[Z].connection.begin_message(theirs, true).unwrap();
    let (mut from_a, mut from_z, mut received) = (0, 0, [0; 2]);
    for _ in 0..60_000 {
        from_a = give(&mut world, A, channel, from_a, LEN);
        from_z = give(&mut world, Z, theirs, from_z, LEN);
        world.run_for(Duration::from_millis(10));
        for (host, from) in [(A, Z), (Z, A)] {
            let held = world[host].connection.buffered_amount(if host == A { channel } else { theirs });
            assert!(held <= (256 << 10) + PART);
            let received = &mut received[usize::from(host == Z)];
            for (_, data, [is_first, is_last]) in std::mem::take(&mut world[host].parts) {
                assert_eq!(is_first, *received == 0);
                assert!(data.iter().enumerate().all(|(at, value)| *value == byte(from, *received + at)));
                *received += data.len();
                assert_eq!(is_last, *received == LEN);
            }
        }
        if received == [LEN; 2] {
            break;
        }
    }
    assert_eq!(received, [LEN; 2]);
    for host in [A, Z] {
        let stats = world[host].connection.data_channel(world[host].channels["long"]).unwrap().stats();
        assert_eq!((stats.messages_sent, stats.messages_received), (1, 1));
    }
    // And shorter ones as ever.
    world[A].connection.send(channel, Bytes::from_static(b"short"), false).unwrap();
    world.run_for(Duration::from_secs(5));
    assert_eq!(world[Z].messages, [("long".to_owned(), Bytes::from_static(b"short"), false)]);
}
