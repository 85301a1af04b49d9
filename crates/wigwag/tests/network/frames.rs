//! Media as frames through the whole stack.

use crate::common::{Peer, Told, negotiate, pair_with};
use crate::media::{call, call_in, drops, negotiate_from, sound, until_connected};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use wigwag::jsep::Codec;
use wigwag::sansio::Rng;
use wigwag::{
    ConnectionState, Direction, Error, Event, Frame, MediaError, MediaKind, ReceivedFrame, RtpPacket, Seed,
    TransceiverId,
};
use wigwag_sim::{A, Fate, World, Z};

const OPUS: u8 = 111;
const VP8: u8 = 96;
const H264: u8 = 102;
const UNKNOWN: u8 = 120;

/// The `n`th frame of sound, of 20 ms (RFC 6716 §3.1: configuration 15, one frame).
fn opus(n: u32) -> Frame {
    Frame::new(OPUS, n.wrapping_mul(960), [&[0x78][..], &n.to_be_bytes().repeat(15)].concat().into())
}

/// The `n`th picture, thirty a second; every hundredth is a key frame (RFC 6386 §9.1: its first bit is 0).
fn picture(n: u32) -> Frame {
    let is_key_frame = n.is_multiple_of(100);
    let len = if is_key_frame { 9_000 } else { 300 + n * 257 % 4_000 };
    let mut data = n.to_be_bytes().repeat(len as usize / 4);
    data[0] = u8::from(!is_key_frame);
    Frame::new(VP8, n.wrapping_mul(3_000), data.into())
}

fn frames_of(peer: &Peer, id: TransceiverId) -> Vec<&ReceivedFrame> {
    let of = peer.frames.iter().filter(|told| told.transceiver == id);
    of.filter_map(|told| told.what.as_ref().ok().map(|(frame, _)| frame)).collect()
}

fn gaps(peer: &Peer, id: TransceiverId) -> u64 {
    let of = peer.frames.iter().filter(|told| told.transceiver == id);
    of.filter_map(|told| told.what.as_ref().err()).sum()
}

/// A call of sound and pictures, both received as frames on both sides.
fn call_of_frames(seed: u64) -> (World<Peer>, [[TransceiverId; 2]; 2]) {
    let (mut world, ids) = call(seed, &[MediaKind::Audio, MediaKind::Video]);
    for ids in &ids {
        for (host, id) in [A, Z].into_iter().zip(ids) {
            world[host].connection.receive_frames(*id).unwrap();
        }
    }
    (world, [ids[0], ids[1]])
}

/// Both say and show so many frames, at the pace of their clocks.
fn talk(world: &mut World<Peer>, ids: [[TransceiverId; 2]; 2], ticks: std::ops::Range<u32>) {
    for n in ticks {
        for (at, host) in [A, Z].into_iter().enumerate() {
            if n.is_multiple_of(2) {
                world[host].connection.write_frame(ids[0][at], opus(n / 2)).unwrap();
            }
            if n % 10 % 3 == 0 && n % 10 < 9 {
                let number = n / 10 * 3 + n % 10 / 3;
                world[host].connection.write_frame(ids[1][at], picture(number)).unwrap();
            }
        }
        world.run_for(Duration::from_millis(10));
    }
}

/// Each frame that came is as it was sent, comes once, and in order; returns their numbers.
fn numbers(frames: &[&ReceivedFrame], sent: fn(u32) -> Frame, ticks: u32) -> Vec<u32> {
    let numbers: Vec<u32> = frames.iter().map(|frame| frame.rtp_time / ticks).collect();
    for (n, frame) in numbers.iter().zip(frames) {
        assert_eq!((frame.rtp_time, &frame.data), (sent(*n).rtp_time, &sent(*n).data), "frame {n}");
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "once, and in order");
    numbers
}

#[test]
fn every_frame_whose_packets_arrive_in_time_is_told_once_in_order_and_to_the_byte_and_gaps_are_reported() {
    let mut hits = std::collections::BTreeMap::new();
    for seed in wigwag_sim::seeds(4) {
        let (mut world, ids) = call_of_frames(seed + 500);
        // Sound that overtakes by 60 ms at most is waited for, and pictures until they were asked for some times.
        for (at, host) in [A, Z].into_iter().enumerate() {
            for (id, millis) in [(ids[0][at], 150), (ids[1][at], 500)] {
                world[host].connection.set_jitter_buffer_target(id, Duration::from_millis(millis)).unwrap();
            }
        }
        talk(&mut world, ids, 0..20);
        world.links(A, Z, |link| {
            link.loss(3.0).duplication(3.0).reordering(5.0, Duration::from_millis(60)).jitter(Duration::from_millis(5));
        });
        talk(&mut world, ids, 20..1_500);
        world.links(A, Z, |link| {
            link.loss(0.0);
        });
        talk(&mut world, ids, 1_500..1_600);
        world.run_for(Duration::from_secs(3));
        for (at, host) in [A, Z].into_iter().enumerate() {
            let peer = &world[host];
            let sounds = numbers(&frames_of(peer, ids[0][at]), opus, 960);
            let received: u64 =
                peer.connection.receiver_stats(ids[0][at]).iter().map(|found| found.packets_received).sum();
            assert_eq!(sounds.len() as u64, received, "each packet of sound is a frame");
            assert_eq!(gaps(peer, ids[0][at]), 800 - received, "what did not come is reported");
            assert!((700..800).contains(&received), "{received}");

            let pictures = numbers(&frames_of(peer, ids[1][at]), picture, 3_000);
            assert_eq!(pictures, (0..480).collect::<Vec<_>>(), "seed {seed}: what is lost is sent again");
            assert_eq!(gaps(peer, ids[1][at]), 0);
            assert!(frames_of(peer, ids[1][at]).iter().all(|frame| frame.is_decodable));
            assert_eq!((peer.packets.len(), drops(peer, "frames.duplicate")), (0, 0), "SRTP knows what comes twice");
            let jitter = peer.connection.frame_stats(ids[1][at])[0].1.jitter;
            assert_eq!((jitter.missing, jitter.dropped_late), (0, 0));
        }
        for fate in [Fate::Lost, Fate::Duplicated, Fate::Reordered] {
            *hits.entry(fate).or_insert(0) += world.count(fate);
        }
    }
    assert!(hits.values().all(|count| *count > 100), "every fault has hit: {hits:?}");
}

/// More is lost than is kept to be sent again: the rest is a gap, a key frame is asked for, and the picture is whole again.
#[test]
fn after_an_outage_the_gap_is_reported_a_key_frame_is_asked_for_and_nothing_undecodable_is_called_decodable() {
    let (mut world, ids) = call_of_frames(510);
    let [_, [a, z]] = ids;
    talk(&mut world, ids, 0..100);
    let before = frames_of(&world[Z], z).len();
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    talk(&mut world, ids, 100..1_010);
    world.links(A, Z, |link| {
        link.loss(0.0);
    });
    let requests = |world: &World<Peer>| {
        let wanted = format!("{:?}", Event::KeyFrameRequested { transceiver: a, rid: None });
        world[A].events.iter().filter(|event| **event == wanted).count()
    };
    assert_eq!(requests(&world), 0);
    talk(&mut world, ids, 1_010..1_110);
    world.run_for(Duration::from_secs(2));
    assert!(requests(&world) > 0, "a key frame is asked for");
    assert!(gaps(&world[Z], z) > 50, "{}", gaps(&world[Z], z));
    let after = frames_of(&world[Z], z);
    assert!(after.len() > before + 20 && after[before..].iter().all(|frame| !frame.is_decodable || frame.is_key_frame));
    let asked = requests(&world);
    // The application heeds the request.
    let mut key_frame = picture(0);
    key_frame.rtp_time = 333 * 3_000;
    world[A].connection.write_frame(a, key_frame).unwrap();
    for n in 334..363 {
        world.run_for(Duration::from_millis(33));
        world[A].connection.write_frame(a, picture(n)).unwrap();
    }
    world.run_for(Duration::from_secs(1));
    let last = frames_of(&world[Z], z);
    assert!(last[last.len() - 29..].iter().all(|frame| frame.is_decodable), "whole again");
    world.run_for(Duration::from_secs(3));
    assert_eq!(requests(&world), asked, "and nobody asks any more");
}

#[test]
fn a_stream_is_frames_or_packets_and_never_both() {
    let (mut world, ids) = call(520, &[MediaKind::Audio, MediaKind::Audio]);
    let [frames, packets] = [ids[0], ids[1]];
    let refused = MediaError::SendsFrames(sound(1).payload);
    let connection = &mut world[A].connection;
    connection.write_frame(frames[0], opus(0)).unwrap();
    assert_eq!(connection.write_packet(frames[0], sound(1)), Err(refused));
    connection.write_packet(packets[0], sound(0)).unwrap();
    assert_eq!(connection.write_frame(packets[0], opus(1)), Err(MediaError::SendsPackets(opus(1).data)));

    // The other direction of a transceiver is another stream.
    world[Z].connection.write_packet(frames[1], sound(0)).unwrap();
    world[Z].connection.receive_frames(frames[1]).unwrap();
    world[Z].connection.receive_frames(frames[1]).unwrap();
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world[Z].connection.receive_frames(packets[1]), Err(Error::ReceivesPackets)));
    assert_eq!((world[Z].packets.len(), frames_of(&world[Z], frames[1]).len()), (1, 1));
    assert_eq!((world[A].packets.len(), world[A].frames.len()), (1, 0));
}

#[test]
fn what_cannot_be_cut_into_packets_is_refused_and_given_back() {
    let mut world = pair_with(521, |_, config| {
        config.negotiation.codecs.push(Codec::new(MediaKind::Audio, "L16", 8_000, 1, UNKNOWN));
        config.negotiation.codecs.push(Codec::h264());
    });
    let ids = call_in(&mut world, &[MediaKind::Audio, MediaKind::Video]);
    let [sound, pictures] = [ids[0][0], ids[1][0]];
    let connection = &mut world[A].connection;
    let data = |len: usize| Bytes::from(vec![0x78; len]);
    for (id, frame, error) in [
        (sound, Frame::new(UNKNOWN, 0, data(160)), MediaError::NoPayloadFormat(data(160))),
        (pictures, Frame::new(H264, 0, data(160)), MediaError::Malformed(data(160))),
        (sound, Frame::new(VP8, 0, data(10)), MediaError::PayloadType(data(10))),
        (sound, Frame::new(OPUS, 0, data(0)), MediaError::Empty),
        (pictures, Frame::new(VP8, 0, data(0)), MediaError::Empty),
        (sound, Frame::new(OPUS, 0, data(1_500)), MediaError::TooLong(data(1_500))),
        (pictures, Frame::new(VP8, 0, data(3 << 20)), MediaError::TooLong(data(3 << 20))),
    ] {
        assert_eq!(connection.write_frame(id, frame), Err(error));
    }
    let refused =
        (0..).find_map(|n| connection.write_frame(pictures, picture(n)).err()).expect("the queue has a limit");
    assert!(matches!(&refused, MediaError::Full(data) if data.len() > 200), "{refused:?}");
    let too_long = connection.set_jitter_buffer_target(sound, Duration::from_secs(5));
    assert!(matches!(too_long, Err(Error::JitterBufferTarget(_))));
    // None of this decided anything for the sound.
    connection.write_packet(sound, RtpPacket::new(OPUS, 0, data(10))).unwrap();
    connection.close();
    assert_eq!(connection.write_frame(pictures, picture(0)), Err(MediaError::NotSending));
    assert!(matches!(connection.receive_frames(sound), Err(Error::Closed)));
}

/// Frames are as long apart as they were captured, whenever their packets come.
#[test]
fn frames_come_at_the_pace_at_which_they_were_made() {
    let (mut world, ids) = call_of_frames(522);
    let [[a, z], _] = ids;
    world[Z].connection.set_jitter_buffer_target(z, Duration::from_millis(100)).unwrap();
    world.links(A, Z, |link| {
        link.jitter(Duration::from_millis(40));
    });
    let (mut told, mut sent) = (Vec::new(), 0);
    for millis in 0..4_000u32 {
        if millis % 20 == 0 && sent < 150 {
            world[A].connection.write_frame(a, opus(sent)).unwrap();
            sent += 1;
        }
        world.run_for(Duration::from_millis(1));
        told.resize(world[Z].frames.len(), millis);
    }
    assert_eq!(told.len(), 150);
    let late: Vec<_> =
        told[20..].windows(2).map(|pair| pair[1] - pair[0]).filter(|apart| !(17..=23).contains(apart)).collect();
    assert!(late.len() < 8, "{late:?}");
    let stats = world[Z].connection.frame_stats(z)[0].1;
    let mean = stats.delay_total / u32::try_from(stats.delay_units).unwrap();
    assert!((50..140).contains(&mean.as_millis()), "{mean:?} of delay");
    assert_eq!((stats.frames, stats.delay_units), (150, 150 * 960));
}

#[test]
fn what_was_captured_at_once_has_one_capture_time_on_both_tracks() {
    let (mut world, ids) = call_of_frames(523);
    let [[sound, heard], [pictures, seen]] = ids;
    // The encoder of pictures takes a quarter of a second longer.
    for n in 0..200u32 {
        let now = world.now();
        let mut frame = opus(n);
        frame.capture_time = Some(now);
        world[A].connection.write_frame(sound, frame).unwrap();
        if n >= 13 {
            let mut frame = picture(n - 13);
            (frame.rtp_time, frame.capture_time) = ((n - 13) * 1_800, now.checked_sub(Duration::from_millis(13 * 20)));
            world[A].connection.write_frame(pictures, frame).unwrap();
        }
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(1));
    let captured = |id: TransceiverId, rtp_time: u32| {
        let is_it = |told: &&Told| {
            told.transceiver == id && told.what.as_ref().is_ok_and(|(frame, _)| frame.rtp_time == rtp_time)
        };
        let told = world[Z].frames.iter().find(is_it).expect("it came");
        (told.ssrc, told.what.as_ref().unwrap().1.expect("a sender report came"))
    };
    let ((heard, sound), (seen, picture)) = (captured(heard, 150 * 960), captured(seen, 150 * 1_800));
    assert!(sound.abs_diff(picture) < Duration::from_millis(1), "{sound:?} {picture:?}");
    let connection = &world[Z].connection;
    assert!(connection.canonical_name(heard).is_some(), "SDES");
    assert_eq!(connection.canonical_name(heard), connection.canonical_name(seen));
}

/// RFC 3550 §6.6: who leaves says so; what was on its way is told before.
#[test]
fn a_source_that_ends_says_bye_after_its_last_frame_and_may_come_again() {
    let (mut world, ids) = call_of_frames(524);
    let [_, [a, z]] = ids;
    for round in 0..3 {
        let id = if round == 0 { a } else { world[A].connection.transceivers().last().unwrap().id };
        let theirs = if round == 0 { z } else { world[Z].connection.transceivers().last().unwrap().id };
        world[Z].connection.receive_frames(theirs).unwrap();
        for n in 0..10 {
            world[A].connection.write_frame(id, picture(n)).unwrap();
            world.run_for(Duration::from_millis(33));
        }
        let told = frames_of(&world[Z], theirs).len();
        assert_eq!(told, 10);
        // Z ceases to receive only with the next answer: until then it hears the BYE.
        world[A].connection.stop_transceiver(id).unwrap();
        world.run_for(Duration::from_secs(1));
        let ends = world[Z].events.iter().filter(|event| event.starts_with("SourceEnded")).count();
        assert_eq!(ends, round + 1);
        negotiate_from(&mut world, A);
        world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        negotiate_from(&mut world, A);
    }
    // And so does who hangs up.
    let (id, theirs) = (ids[0][0], ids[0][1]);
    world[A].connection.write_frame(id, opus(0)).unwrap();
    world.run_for(Duration::from_millis(5));
    let before = world.trace().records().len();
    world[A].connection.close();
    world.run_until(|world| world[Z].closed.is_some(), Duration::from_secs(5));
    let first = &world.trace().records()[before..][0];
    assert_eq!(crate::common::dissect(&first.payload), "SRTCP", "BYE comes first");
    assert!(frames_of(&world[Z], theirs).len() <= 1);
}

/// Codecs may be renumbered, and directions change, in the middle of a stream of frames.
#[test]
fn frames_go_on_through_a_negotiation() {
    let (mut world, ids) = call_of_frames(525);
    talk(&mut world, ids, 0..100);
    world.run_for(Duration::from_millis(500));
    for (round, offerer) in (1..).zip([Z, A]) {
        world[offerer].connection.set_direction(ids[0][usize::from(offerer == Z)], Direction::Inactive).unwrap();
        negotiate_from(&mut world, offerer);
        assert_eq!(world[A].connection.write_frame(ids[0][0], opus(0)), Err(MediaError::NotSending));
        world.run_for(Duration::from_millis(500));
        world[offerer].connection.set_direction(ids[0][usize::from(offerer == Z)], Direction::Sendrecv).unwrap();
        negotiate_from(&mut world, offerer);
        talk(&mut world, ids, round * 100..round * 100 + 100);
        world.run_for(Duration::from_millis(500));
    }
    for (at, host) in [A, Z].into_iter().enumerate() {
        let sounds = numbers(&frames_of(&world[host], ids[0][at]), opus, 960);
        assert_eq!(sounds, (0..150).collect::<Vec<_>>());
        let pictures = numbers(&frames_of(&world[host], ids[1][at]), picture, 3_000);
        assert_eq!(pictures, (0..90).collect::<Vec<_>>());
    }
}

/// Who sends nothing hears no report of it: how far the peer is, the path itself tells.
#[test]
fn one_who_only_listens_waits_on_a_long_path_for_what_comes_again() {
    for seed in wigwag_sim::seeds(3) {
        let mut world = pair_with(seed + 560, |_, _| {});
        world.links(A, Z, |link| _ = link.latency(Duration::from_millis(150)));
        let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
        negotiate(&mut world);
        until_connected(&mut world);
        let seen = world[Z].connection.transceivers().next().unwrap().id;
        world[Z].connection.receive_frames(seen).unwrap();
        for n in 0..600 {
            // That the last one of all is lost, nobody would know.
            match n {
                30 => _ = world.link(A, Z).loss(1.0),
                590 => _ = world.link(A, Z).loss(0.0),
                _ => {}
            }
            world[A].connection.write_frame(id, picture(n)).unwrap();
            world.run_for(Duration::from_micros(33_333));
        }
        world.run_for(Duration::from_secs(3));
        let peer = &world[Z];
        assert!(world.count(Fate::Lost) > 3, "{}", world.count(Fate::Lost));
        assert_eq!(numbers(&frames_of(peer, seen), picture, 3_000), (0..600).collect::<Vec<_>>(), "seed {seed}");
        let stats = &peer.connection.receiver_stats(seen)[0];
        assert_eq!((gaps(peer, seen), stats.plis_sent, stats.packets_given_up), (0, 0, 0), "{stats:?}");
    }
}

/// More comes within the delay that is asked for than finds room: the delay is shorter, and nothing is missing.
#[test]
fn a_long_delay_of_a_fast_stream_darkens_nothing() {
    let (mut world, ids) = call_of_frames(570);
    let [sent, seen] = ids[1];
    world[Z].connection.set_jitter_buffer_target(seen, Duration::from_secs(4)).unwrap();
    let large = |n: u32| {
        let mut frame = picture(n);
        frame.data = [&frame.data[..], &[0; 40_000][..]].concat().into();
        frame
    };
    for n in 0..240 {
        world[A].connection.write_frame(sent, large(n)).unwrap();
        world.run_for(Duration::from_micros(33_333));
    }
    world.run_for(Duration::from_secs(5));
    let frames = frames_of(&world[Z], seen);
    assert_eq!(numbers(&frames, large, 3_000), (0..240).collect::<Vec<_>>());
    assert_eq!((gaps(&world[Z], seen), drops(&world[Z], "frames.full")), (0, 0));
    let stats = world[Z].connection.frame_stats(seen)[0].1;
    assert!(stats.delay_total / 240 > Duration::from_millis(1_200), "what finds room waits: {stats:?}");
}

/// A picture that was refused is a hole that no receiver sees: the encoder is told to begin anew.
#[test]
fn after_a_picture_that_found_no_room_comes_a_key_frame() {
    let (mut world, ids) = call_of_frames(580);
    let [sent, seen] = ids[1];
    let requested = format!("{:?}", Event::KeyFrameRequested { transceiver: sent, rid: None });
    let mut refused = Vec::new();
    for n in 0..1_000u32 {
        match world[A].connection.write_frame(sent, picture(n)) {
            Ok(()) => {}
            Err(MediaError::Full(data)) => refused.push((n, data)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused[0].1, picture(refused[0].0).data);
    assert!(!world[A].events.contains(&requested));
    world.run_for(Duration::from_secs(1));
    let position = |event: &String| world[A].events.iter().position(|told| told == event);
    let writable = position(&format!("{:?}", Event::MediaWritable { transceiver: sent, rid: None }));
    assert!(writable.is_some() && writable < position(&requested), "{:?}", world[A].events);
    assert!((100..1_000).contains(&frames_of(&world[Z], seen).len()));
}

/// Whatever is lost, what is told is in order, and whoever polls late gets it late.
#[test]
fn a_loop_that_sleeps_too_long_delays_frames_and_loses_none() {
    let (mut world, ids) = call_of_frames(526);
    let [[a, z], _] = ids;
    let mut rng = Rng::new(Seed::for_test(526));
    let mut out = Vec::new();
    let mut now = world.now();
    let mut told = Vec::new();
    for n in 0..200 {
        world[A].connection.write_frame(a, opus(n)).unwrap();
        while world[A].connection.poll_transmit(now, &mut out).is_some() {
            let datagram = wigwag::Datagram::udp(wigwag_sim::address(Z), wigwag_sim::address(A), &mut out);
            world[Z].connection.handle_input(datagram, now);
        }
        now += Duration::from_millis(20);
        world[A].connection.handle_timeout(now);
        while world[A].connection.poll_event().is_some() {}
        if rng.one_in(10) {
            world[Z].connection.handle_timeout(now);
            while let Some(event) = world[Z].connection.poll_event() {
                if let Event::Frame { transceiver, frame, .. } = event {
                    assert_eq!(transceiver, z);
                    told.push(frame.rtp_time / 960);
                }
            }
            let next = world[Z].connection.poll_timeout(now);
            while world[Z].connection.poll_transmit(now, &mut out).is_some() {}
            assert!(next.is_some(), "frames wait, or a report");
        }
    }
    assert!(told.len() > 150, "{}", told.len());
    assert_eq!(told, (0..told.len() as u32).collect::<Vec<_>>());
    assert_eq!(world[A].state, ConnectionState::Connected);
    let distinct: BTreeSet<_> = told.iter().collect();
    assert_eq!(distinct.len(), told.len());
}
