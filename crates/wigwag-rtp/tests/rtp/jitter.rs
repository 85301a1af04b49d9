//! Packets in their order and at an even pace.

use crate::common::{Link, VIDEO, at};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::{Format, Frame, FrameEvent, FrameReceiver, Packetizer};
use wigwag_rtp::{Event, JitterBuffer, JitterConfig, OrderedPacket, RtpPacket};

const OPUS_TICKS: u32 = 960;

/// The `n`th packet of sound, of 20 ms.
fn sound(n: u64) -> OrderedPacket {
    let packet =
        RtpPacket::new(111, (n as u32).wrapping_mul(OPUS_TICKS).wrapping_sub(5_000), Bytes::from_static(&[0x78, 1]));
    OrderedPacket { extended_sequence: n, packet }
}

fn audio() -> JitterBuffer {
    JitterBuffer::new(JitterConfig::audio(48_000))
}

/// Polls as its wake-ups say until `end`; what came, and when, in milliseconds since the origin.
fn run(buffer: &mut JitterBuffer, from: u32, end: u32) -> Vec<(u64, u32)> {
    let (mut now, mut out) = (at(from), Vec::new());
    loop {
        buffer.handle_timeout(now);
        while let Some(ordered) = buffer.poll_event() {
            out.push((ordered.extended_sequence, (now - at(0)).as_millis() as u32));
        }
        match buffer.poll_timeout(now) {
            Some(next) if next <= at(end) => {
                assert!(next > now, "it spins");
                now = next;
            }
            _ => return out,
        }
    }
}

/// Packets that arrive at these milliseconds; what is played, and when.
fn played(mut buffer: JitterBuffer, arrivals: &[(u64, u32)]) -> (Vec<(u64, u32)>, JitterBuffer) {
    let (mut out, mut last) = (Vec::new(), 0);
    for (n, millis) in arrivals {
        out.extend(run(&mut buffer, last, *millis - u32::from(*millis > 0)));
        buffer.insert(sound(*n), at(*millis));
        last = *millis;
    }
    out.extend(run(&mut buffer, last, last + 5_000));
    (out, buffer)
}

#[test]
fn what_comes_evenly_is_played_evenly_after_the_shortest_delay() {
    let arrivals: Vec<_> = (0..50u32).map(|n| (u64::from(n), n * 20)).collect();
    let (played, buffer) = played(audio(), &arrivals);
    assert_eq!(played, (0..50u32).map(|n| (u64::from(n), n * 20 + 20)).collect::<Vec<_>>());
    assert_eq!((buffer.delay(), buffer.stats().released), (Duration::from_millis(20), 50));
}

#[test]
fn what_overtakes_waits_for_its_turn() {
    let (played, buffer) = played(audio(), &[(0, 0), (2, 25), (1, 30), (3, 60)]);
    assert_eq!(played.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!((buffer.stats().missing, buffer.stats().dropped_late), (0, 0));
}

#[test]
fn what_is_missing_is_waited_for_and_then_given_up() {
    let mut config = JitterConfig::audio(48_000);
    config.gap_wait = Duration::from_millis(100);
    let (played, buffer) = played(JitterBuffer::new(config), &[(0, 0), (2, 40), (3, 60), (1, 300)]);
    assert_eq!(played, [(0, 20), (2, 160), (3, 160)], "at 60, and 100 later");
    let stats = buffer.stats();
    assert_eq!((stats.missing, stats.dropped_late, stats.released), (1, 1, 3));
    assert!(buffer.delay() > Duration::from_millis(200), "the next that comes so late is waited for");
}

#[test]
fn the_delay_follows_the_jitter_and_little_is_late() {
    // Each packet is up to 60 ms late, as a sequence of remainders has it.
    let arrivals: Vec<_> = (0..1_000u32).map(|n| (u64::from(n), n * 20 + n * 7919 % 61)).collect();
    let mut sorted = arrivals.clone();
    sorted.sort_by_key(|(_, millis)| *millis);
    let (played, buffer) = played(audio(), &sorted);
    let delay = buffer.delay();
    assert!((50..150).contains(&delay.as_millis()), "{delay:?}");
    assert!(buffer.stats().dropped_late < 10, "{:?}", buffer.stats());
    assert_eq!(played.len() as u64 + buffer.stats().dropped_late, 1_000);
    // And it comes down when the path is calm.
    let calm: Vec<_> = (1_000..20_000u32).map(|n| (u64::from(n), n * 20)).collect();
    let (_, buffer) = self::played(buffer, &calm);
    assert!(buffer.delay() < Duration::from_millis(30), "{:?}", buffer.delay());
}

#[test]
fn clocks_that_drift_apart_are_followed() {
    // The source's clock is slow by a thousandth: after ten minutes, by more than the longest delay.
    let arrivals: Vec<_> = (0..30_000u32).map(|n| (u64::from(n), n * 20 + n / 50)).collect();
    let (played, buffer) = played(audio(), &arrivals);
    assert_eq!((played.len(), buffer.stats().dropped_late), (30_000, 0));
    let (_, last) = played[29_999];
    assert!((5..100).contains(&(last - arrivals[29_999].1)), "{last}");
}

#[test]
fn a_timestamp_that_leaps_delays_nothing_for_long() {
    for leap in [1 << 30, u32::MAX / 2 + 7, 3 << 30] {
        let mut buffer = audio();
        let mut out = Vec::new();
        for n in 0..100u32 {
            let mut ordered = sound(n.into());
            ordered.packet.timestamp = ordered.packet.timestamp.wrapping_add(if n < 50 { 0 } else { leap });
            buffer.insert(ordered, at(n * 20));
            out.extend(run(&mut buffer, n * 20, n * 20 + 19));
        }
        out.extend(run(&mut buffer, 2_000, 9_000));
        assert_eq!(out.len(), 100);
        let late = out.iter().map(|(n, millis)| millis - *n as u32 * 20).max();
        assert!(late <= Some(500), "{late:?}");
        assert!(out[99].1 <= 99 * 20 + 100, "it is over soon: {:?}", out[99]);
    }
}

/// When packets are played that come so late, from one on; each comes a little sooner or later than that.
fn played_after(late: u32) -> Vec<(u64, u32)> {
    let unsteady = |n: u32| n * 7 % 13;
    let arrivals: Vec<_> =
        (0..300u32).map(|n| (u64::from(n), n * 20 + unsteady(n) + if n < 50 { 0 } else { late })).collect();
    played(audio(), &arrivals).0
}

/// A microphone that was off while its clock stood still, and a path that is longer than the one before.
#[test]
fn what_comes_later_than_before_is_played_evenly_again_after_a_while() {
    for late in [60, 150, 700, 3_000] {
        let played = played_after(late);
        assert_eq!(played.len(), 300);
        // Half a second after it has begun, each is played as long after the one before as it was made.
        let steps: Vec<_> = played.windows(2).skip(100).map(|pair| pair[1].1 - pair[0].1).collect();
        assert!(steps.iter().all(|step| (15..=25).contains(step)), "{late}: {steps:?}");
        let (n, last) = played[299];
        assert!(last < n as u32 * 20 + late + 100, "and no later than it must be: {last}");
    }
}

/// What was lost and came again says nothing of how evenly packets come.
#[test]
fn what_comes_again_is_no_jitter() {
    let mut config = JitterConfig::video(48_000);
    config.delay_min = Duration::from_millis(20);
    let is_lost = |n: u32| n % 10 == 3;
    let mut arrivals: Vec<_> = (0..500u32).map(|n| (u64::from(n), n * 20 + if is_lost(n) { 110 } else { 0 })).collect();
    arrivals.sort_by_key(|(_, millis)| *millis);
    let (played, buffer) = played(JitterBuffer::new(config), &arrivals);
    assert_eq!((played.len(), buffer.stats().dropped_late), (500, 0));
    assert_eq!(buffer.delay(), Duration::from_millis(20));
}

/// More comes within the delay that was asked for than may wait.
#[test]
fn what_finds_no_room_is_played_early_and_in_order() {
    let mut buffer = audio();
    buffer.set_delay_min(Duration::from_secs(4));
    let mut played = Vec::new();
    for n in 0..2_000u32 {
        let packet = RtpPacket::new(111, n * OPUS_TICKS / 4, Bytes::from_static(&[0x78, 1]));
        buffer.insert(OrderedPacket { extended_sequence: n.into(), packet }, at(n * 5));
        played.extend(run(&mut buffer, n * 5, n * 5 + 4));
        assert!(buffer.load().held <= buffer.load().bound);
    }
    played.extend(run(&mut buffer, 10_000, 60_000));
    assert_eq!(buffer.stats().dropped_full, 0);
    assert_eq!(played.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..2_000).collect::<Vec<_>>());
    // Also if those are long, and behind a gap.
    let mut buffer = audio();
    buffer.set_gap_wait(Duration::from_secs(1));
    buffer.set_delay_min(Duration::from_secs(4));
    let mut count = 0;
    for n in (0..1_000u64).filter(|n| n % 7 != 3) {
        let packet = RtpPacket::new(111, n as u32 * OPUS_TICKS, Bytes::from(vec![0; 60_000]));
        buffer.insert(OrderedPacket { extended_sequence: n, packet }, at(n as u32 * 20));
        count += 1;
        count -= run(&mut buffer, n as u32 * 20, n as u32 * 20 + 19).len();
    }
    assert_eq!((buffer.stats().dropped_full, count), (0, buffer.load().held / 60_128));
}

#[test]
fn what_nobody_polls_for_is_bounded() {
    let mut buffer = audio();
    for n in 0..10_000 {
        buffer.insert(sound(n), at(0));
        buffer.insert(sound(n), at(0));
    }
    let stats = buffer.stats();
    assert_eq!((stats.dropped_full, stats.dropped_duplicate + stats.dropped_late), (10_000 - 256, 10_000));
    assert_eq!(run(&mut buffer, 0, 10_000_000).len(), 256);
    let mut buffer = audio();
    for n in 0..1_000 {
        let packet = RtpPacket::new(111, 0, Bytes::from(vec![0; 60_000]));
        buffer.insert(OrderedPacket { extended_sequence: n, packet }, at(0));
    }
    assert_eq!(buffer.stats().dropped_full, 1_000 - 8, "half a megabyte of them");
}

proptest! {
    /// Any packets at any time, polled whenever: in order, once each, none for longer than it may, and nothing spins.
    #[test]
    fn any_schedule_keeps_the_order_and_the_laws(
        steps in prop::collection::vec((0u64..40, any::<u32>(), any::<bool>(), 0u32..60, any::<bool>()), 1..200),
    ) {
        let mut config = JitterConfig::video(90_000);
        (config.packets_max, config.gap_wait) = (20, Duration::from_millis(50));
        let longest = config.delay_max + config.gap_wait;
        let mut buffer = JitterBuffer::new(config);
        let (mut now, mut last, mut inserted, mut arrivals) = (at(0), None, 0, std::collections::BTreeMap::new());
        let mut checked = now;
        let mut check = |buffer: &mut JitterBuffer, now: Instant, arrivals: &std::collections::BTreeMap<u64, Instant>| {
            buffer.handle_timeout(now);
            while let Some(ordered) = buffer.poll_event() {
                assert!(last < Some(ordered.extended_sequence), "in order, and once");
                assert!(checked <= arrivals[&ordered.extended_sequence] + longest, "it was due before");
                last = Some(ordered.extended_sequence);
            }
            assert!(buffer.poll_timeout(now).is_none_or(|next| next > now), "nothing spins");
            checked = now;
        };
        for (n, (step, timestamp, is_wild, millis, is_polled)) in (0u64..).zip(steps) {
            let mut ordered = sound(n + step);
            if is_wild {
                ordered.packet.timestamp = timestamp;
            }
            arrivals.entry(ordered.extended_sequence).or_insert(now);
            buffer.insert(ordered, now);
            inserted += 1;
            now += Duration::from_millis(millis.into());
            if is_polled {
                check(&mut buffer, now, &arrivals);
            }
        }
        now += longest;
        check(&mut buffer, now, &arrivals);
        let stats = buffer.stats();
        prop_assert_eq!(stats.released + stats.dropped_late + stats.dropped_duplicate + stats.dropped_full, inserted);
        prop_assert_eq!(buffer.poll_timeout(now), None);
    }
}

/// A sends pictures to Z over a path that loses every seventh packet; each is asked for and comes again.
#[test]
fn frames_arrive_whole_and_in_order_over_a_path_that_loses() {
    let mut link = Link::new();
    link.delay = Duration::from_millis(20);
    link.loses(|n| n % 7 == 3);
    let mut packetizer = Packetizer::new(Format::Vp8, 0);
    let mut frames = FrameReceiver::new(Format::Vp8, JitterConfig::video(90_000));
    let (mut received, mut asked, mut lost) = (Vec::new(), 0, 0);
    for millis in 0..6_000u32 {
        if millis % 33 == 0 && millis < 5_000 {
            let n = millis / 33;
            let mut data = vec![n as u8; 3_000];
            data[0] = u8::from(n % 50 != 0);
            let frame = Frame::new(VIDEO.number, n * 2_970, data.into());
            link.a.send_frame(link.sender, &mut packetizer, frame).expect("room");
        }
        link.run(at(millis));
        for event in link.z_events() {
            if let Event::Packet(found) = event {
                let ordered = OrderedPacket { extended_sequence: found.extended_sequence, packet: found.packet };
                frames.insert(ordered, at(millis));
            }
        }
        frames.handle_timeout(at(millis));
        while let Some(event) = frames.poll_event() {
            match event {
                FrameEvent::Frame(frame) => received.push((frame.rtp_time / 2_970, frame.is_decodable)),
                FrameEvent::Lost { .. } => lost += 1,
                _ => asked += 1,
            }
        }
        assert!(frames.poll_timeout(at(millis)).is_none_or(|next| next > at(millis)));
    }
    assert_eq!(received, (0..152).map(|n| (n, true)).collect::<Vec<_>>(), "{:?}", frames.stats().jitter);
    assert_eq!((lost, asked, frames.stats().jitter.missing), (0, 0, 0));
    assert!(link.receiver_stats().packets_recovered > 50);
}

#[test]
fn a_key_frame_is_asked_for_until_one_comes() {
    let mut frames = FrameReceiver::new(Format::Vp8, JitterConfig::video(90_000));
    let mut asked = Vec::new();
    for n in 0..100u32 {
        let now = at(n * 33);
        let is_key_frame = n >= 60;
        let payload = Bytes::from(vec![0x10, u8::from(!is_key_frame), 1]);
        let mut packet = RtpPacket::new(96, n * 2_970, payload);
        packet.marker = true;
        frames.insert(OrderedPacket { extended_sequence: n.into(), packet }, now);
        frames.handle_timeout(now);
        while let Some(event) = frames.poll_event() {
            if event == FrameEvent::KeyFrameNeeded {
                asked.push(n * 33);
            }
        }
    }
    assert_eq!(asked, [33, 561, 1089, 1617]);
}
