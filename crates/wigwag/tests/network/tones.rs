//! Keys of a telephone, and sound of telephones, through the whole stack.

use crate::common::{Peer, pair_with};
use crate::media::call_in;
use bytes::Bytes;
use std::time::Duration;
use wigwag::jsep::Codec;
use wigwag::{Direction, Error, Frame, MediaKind, TransceiverId};
use wigwag_sim::{A, World, Z};

const MS: Duration = Duration::from_millis(1);

/// A call of these codecs, received as frames.
fn call(seed: u64, codecs: &[Codec]) -> (World<Peer>, [TransceiverId; 2]) {
    let mut world = pair_with(seed, |_, config| config.negotiation.codecs = codecs.to_vec());
    let ids = call_in(&mut world, &[MediaKind::Audio])[0];
    for (host, id) in [A, Z].into_iter().zip(ids) {
        world[host].connection.receive_frames(id).unwrap();
    }
    (world, ids)
}

/// Sound of 20 ms every 20 ms, for so many frames: of G.711 and its like 160 bytes, of Opus a packet.
fn talk(world: &mut World<Peer>, id: TransceiverId, codec: &Codec, frames: std::ops::Range<u32>) {
    let is_opus = codec.clock_rate == 48_000;
    for n in frames {
        let data = if is_opus { vec![0x78, n as u8, 7] } else { vec![n as u8; 160] };
        let frame = Frame::new(codec.payload_type, n * codec.clock_rate / 50, Bytes::from(data));
        world[A].connection.write_frame(id, frame).unwrap();
        world.run_for(20 * MS);
    }
}

fn pressed(peer: &Peer) -> String {
    let of = |event: &String| {
        let (_, key) = event.strip_prefix("KeyPressed")?.split_once("key: Some('")?;
        key.chars().next()
    };
    peer.events.iter().filter_map(of).collect()
}

#[test]
fn sound_of_telephones_comes_as_it_was_sent() {
    for (n, codec) in [Codec::pcmu(), Codec::pcma(), Codec::g722()].into_iter().enumerate() {
        let (mut world, ids) = call(540 + n as u64, std::slice::from_ref(&codec));
        talk(&mut world, ids[0], &codec, 0..50);
        world.run_for(1_000 * MS);
        let frames: Vec<_> =
            world[Z].frames.iter().map(|told| told.what.as_ref().expect("no loss").0.clone()).collect();
        let told: Vec<_> = frames.iter().map(|frame| (frame.payload_type, frame.rtp_time, frame.data[0])).collect();
        let sent: Vec<_> = (0..50).map(|n| (codec.payload_type, n * 160, n as u8)).collect();
        assert_eq!(told, sent, "{}", codec.name);
        assert!(frames.iter().all(|frame| frame.data.len() == 160));
    }
}

/// Among sound that goes on, over a network that loses: each key once, in order, and none of the sound is said to be missing
/// that was never sent.
#[test]
fn keys_are_pressed_and_heard_once_each() {
    for seed in wigwag_sim::seeds(4) {
        for sound in [Codec::pcmu(), Codec::opus()] {
            let codecs = [sound.clone(), Codec::telephone_event(8_000), Codec::telephone_event(48_000)];
            let (mut world, ids) = call(seed + 550, &codecs);
            world[Z].connection.set_jitter_buffer_target(ids[1], 200 * MS).unwrap();
            talk(&mut world, ids[0], &sound, 0..10);
            world.links(A, Z, |link| {
                link.loss(5.0).duplication(3.0).jitter(Duration::from_millis(5));
            });
            assert!(world[A].connection.can_insert_dtmf(ids[0]));
            world[A].connection.insert_dtmf(ids[0], "19#0a", 100 * MS, 70 * MS).unwrap();
            assert_eq!(world[A].connection.tone_buffer(ids[0]), "19#0a");
            talk(&mut world, ids[0], &sound, 10..100);
            world.links(A, Z, |link| {
                link.loss(0.0);
            });
            talk(&mut world, ids[0], &sound, 100..130);
            world.run_for(1_000 * MS);
            assert_eq!(pressed(&world[Z]), "19#0A", "seed {seed}");
            assert_eq!(world[A].connection.tone_buffer(ids[0]), "");
            let gaps: u64 = world[Z].frames.iter().filter_map(|told| told.what.as_ref().err()).sum();
            let stats = &world[Z].connection.receiver_stats(ids[1])[0];
            assert!(gaps <= stats.packets_lost.max(0) as u64, "{gaps} of {stats:?}");
            let sounds = world[Z].frames.iter().filter(|told| told.what.is_ok()).count();
            // Five keys of 100 ms are no sound.
            assert!((85..=107).contains(&sounds), "{sounds}");
            let late = world[Z].connection.frame_stats(ids[1])[0].1.jitter.dropped_late;
            assert_eq!(late, 0, "what was lost is not waited for, what came was in time");
        }
    }
}

#[test]
fn keys_need_a_peer_that_takes_them() {
    let (mut world, ids) = call(545, &[Codec::opus(), Codec::telephone_event(8_000)]);
    let connection = &mut world[A].connection;
    assert!(matches!(connection.insert_dtmf(ids[0], "1x", 100 * MS, 70 * MS), Err(Error::NoKey('x'))));
    // There are events, but not with the clock of the sound: nothing is pressed, and nobody is kept awake for it.
    connection.insert_dtmf(ids[0], "1", 100 * MS, 70 * MS).unwrap();
    world.run_for(1_000 * MS);
    assert_eq!((pressed(&world[Z]).as_str(), world[A].connection.tone_buffer(ids[0]).as_str()), ("", ""));
    world[A].connection.set_direction(ids[0], Direction::Recvonly).unwrap();
    let (mut world, ids) = call(546, &[Codec::opus()]);
    let connection = &mut world[A].connection;
    assert!(!connection.can_insert_dtmf(ids[0]));
    assert!(matches!(connection.insert_dtmf(ids[0], "1", 100 * MS, 70 * MS), Err(Error::CannotPress)));
}

/// Their numbers would meet: no two packets are sealed under one number.
#[test]
fn no_key_is_pressed_among_packets_that_are_forwarded() {
    let codecs = [Codec::pcmu(), Codec::telephone_event(8_000)];
    let mut world = pair_with(547, |_, config| config.negotiation.codecs = codecs.to_vec());
    let ids = call_in(&mut world, &[MediaKind::Audio])[0];
    let before = world[Z].connection.can_insert_dtmf(ids[1]);
    // What is still to be pressed when forwarding begins is not pressed.
    world[Z].connection.insert_dtmf(ids[1], "12345", 100 * MS, 70 * MS).unwrap();
    talk(&mut world, ids[0], &codecs[0], 0..10);
    let heard = world[Z].packets.clone();
    heard.iter().for_each(|received| world[Z].connection.forward_packet(ids[1], received, 0).unwrap());
    world.run_for(2_000 * MS);
    assert!(before && !world[Z].connection.can_insert_dtmf(ids[1]));
    assert!(matches!(world[Z].connection.insert_dtmf(ids[1], "1", 100 * MS, 70 * MS), Err(Error::CannotPress)));
    let arrived = &world[A].packets;
    let mut numbers: Vec<_> = arrived.iter().map(|received| received.extended_sequence).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), arrived.len());
    assert_eq!(arrived.iter().filter(|received| received.packet.payload_type == 0).count(), heard.len());
    assert_eq!(world[Z].connection.tone_buffer(ids[1]), "");
}
