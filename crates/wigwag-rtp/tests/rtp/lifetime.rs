//! How streams are named, begin, are timed, and end: SDES, SR, FIR and BYE.

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use std::time::Duration;
use wigwag_rtp::payload::{Format, Frame, Packetizer};
use wigwag_rtp::rtcp::{Compound, Message};
use wigwag_rtp::{Config, Event, SendError, Session};
use wigwag_sansio::{Ecn, WallClock};

/// A, which knows the wall time, sends packets to Z for some seconds.
fn talk() -> Link {
    let mut config = Config::new("a@example.com");
    config.clock = Some(WallClock::new(at(0), Duration::from_secs(1_000)));
    let mut link = Link::with(config, Config::new("z"));
    link.delay = Duration::from_millis(20);
    for n in 0..150u32 {
        link.send(packet(n));
        link.run(at(n * 20 + 19));
    }
    link
}

#[test]
fn every_report_names_its_source_and_the_receiver_knows_it() {
    let link = talk();
    assert_eq!(link.z.canonical_name(link.ssrc), Some(&b"a@example.com"[..]));
    assert_eq!(link.z.canonical_name(link.ssrc.wrapping_add(1)), None);
    for compound in link.z_to_a_rtcp.iter().filter(|compound| compound[1] == 201) {
        let names = |message: Result<Message<'_>, _>| match message {
            Ok(Message::SourceDescription(names)) => names.canonical_names().any(|(_, name)| name == b"z"),
            _ => false,
        };
        assert!(Compound::new(compound).any(names), "{compound:02x?}");
    }
}

/// RFC 3550 §6.4.1, with A's clock at 1000 s when the packet with timestamp 0 left.
#[test]
fn a_sender_report_tells_when_what_arrives_was_captured() {
    let link = talk();
    let captured = link.z.capture_time(link.ssrc, 90_000).expect("a report came");
    let expected = Duration::from_secs(2_208_988_800 + 1_000 + 1);
    assert!(captured.abs_diff(expected) < Duration::from_millis(20), "{captured:?}");
    let earlier = link.z.capture_time(link.ssrc, 0u32.wrapping_sub(45_000)).expect("a report came");
    assert_eq!((captured - earlier).as_millis(), 1_500);
    let stats = link.receiver_stats();
    assert!(stats.remote_packets_sent > 50 && stats.remote_bytes_sent == 4 * stats.remote_packets_sent, "{stats:?}");
    assert!(stats.remote_time.is_some() && stats.payload_type == Some(VIDEO.number));
}

/// What an encoder kept for half a second was captured half a second before it left.
#[test]
fn who_knows_when_a_frame_was_captured_says_so() {
    let mut config = Config::new("a");
    config.clock = Some(WallClock::new(at(0), Duration::from_secs(1_000)));
    let mut link = Link::with(config, Config::new("z"));
    let mut packetizer = Packetizer::new(Format::Vp8, 0);
    for n in 0..100u32 {
        let now = 500 + n * 33;
        let mut frame = Frame::new(VIDEO.number, n * 2_970, vec![u8::from(n > 0); 100].into());
        frame.capture_time = Some(at(n * 33));
        link.a.send_frame(link.sender, &mut packetizer, frame).expect("room");
        link.run(at(now));
    }
    let captured = link.z.capture_time(link.ssrc, 0).expect("a report came");
    let expected = Duration::from_secs(2_208_988_800 + 1_000);
    assert!(captured.abs_diff(expected) < Duration::from_millis(2), "{captured:?}");
}

#[test]
fn key_frames_are_asked_for_by_fir_where_nothing_else_was_negotiated_and_each_request_has_its_number() {
    let mut link = talk();
    let mut config = receiver();
    (config.pli, config.fir) = (false, true);
    link.z.update_receiver(link.receiver, config).expect("there");
    for n in 0..3u32 {
        // So long after the one before, it is owed at once, and not by a timer that has ended.
        link.run(at(4_000 + n * 500));
        link.z.handle_timeout(at(4_000 + n * 500));
        link.z.request_key_frame_of(link.ssrc);
        let due = link.z.poll_timeout(at(0)).expect("a request is owed");
        assert_eq!(due, at(4_000 + n * 500), "now, and not in the past");
        link.run(at(4_100 + n * 500));
    }
    let is_request = |event: &Event| matches!(event, Event::KeyFrameRequested { .. });
    assert_eq!(link.a_events().iter().filter(|event| is_request(event)).count(), 3);
    let sent = link.a.sender_stats(link.sender).expect("there");
    assert_eq!((sent.firs_received, sent.plis_received, link.receiver_stats().firs_sent), (3, 0, 3));
    link.z.request_key_frame_of(link.ssrc.wrapping_add(1));
    link.run(at(6_000));
    assert_eq!(link.receiver_stats().firs_sent, 3, "nobody else is asked");
}

/// RFC 5104 §4.3.1.1: a request with the number of the last one repeats that. A source that has ended, or was on hold, has not.
#[test]
fn full_intra_requests_go_on_with_their_numbers_where_a_stream_begins_anew() {
    let mut link = talk();
    let mut config = receiver();
    (config.pli, config.fir) = (false, true);
    link.z.update_receiver(link.receiver, config.clone()).expect("there");
    for n in 0..3u32 {
        link.run(at(4_000 + n * 1_000));
        link.send(packet(1_000 + n));
        link.run(at(4_100 + n * 1_000));
        link.z.request_key_frame(link.receiver);
        link.run(at(4_200 + n * 1_000));
        link.z.remove_receiver(link.receiver);
        link.receiver = link.z.add_receiver(config.clone()).expect("a section");
    }
    let is_request = |event: &Event| matches!(event, Event::KeyFrameRequested { .. });
    assert_eq!(link.a_events().iter().filter(|event| is_request(event)).count(), 3);
    assert_eq!(link.a.sender_stats(link.sender).expect("there").firs_received, 3);
}

#[test]
fn a_key_frame_that_is_asked_for_before_anything_came_is_asked_for_when_it_comes() {
    let mut link = Link::with(Config::new("a"), Config::new("z"));
    link.z.request_key_frame(link.receiver);
    link.run(at(1_000));
    assert_eq!(link.z_to_a_rtcp.len(), 0, "nobody is there to be asked");
    for n in 0..100u32 {
        link.send(packet(n));
        link.run(at(1_000 + n * 20));
    }
    let is_request = |event: &Event| matches!(event, Event::KeyFrameRequested { .. });
    assert_eq!(link.a_events().iter().filter(|event| is_request(event)).count(), 1);
    assert_eq!(link.receiver_stats().plis_sent, 1, "once");
}

#[test]
fn a_section_that_is_forgotten_waits_for_no_key_frame() {
    let mut link = Link::with(Config::new("a"), Config::new("z"));
    link.z.request_key_frame(link.receiver);
    link.z.remove_receiver(link.receiver);
    link.receiver = link.z.add_receiver(receiver()).expect("room");
    link.send(packet(0));
    link.run(at(1_000));
    assert_eq!(link.receiver_stats().plis_sent, 0);
}

/// As of somebody who forwards one stream after another in one: SRTP would not seal such packets, and a receiver drops them.
#[test]
fn a_number_that_is_long_gone_is_refused_and_what_is_a_little_late_is_taken() {
    let mut link = Link::with(Config::new("a"), Config::new("z"));
    let numbered = |link: &mut Link, sequence: u16| {
        let mut packet = packet(0);
        packet.sequence = Some(sequence);
        link.a.send(link.sender, packet).map_err(|error| error.to_string())
    };
    // The first may be anything, and ahead there is no limit but the half of all numbers.
    for sequence in [60_000, 60_001, 100, 30_000] {
        assert_eq!(numbered(&mut link, sequence), Ok(()));
    }
    for (sequence, is_taken) in [(29_999, true), (28_977, true), (28_976, false), (100, false), (62_769, false)] {
        let taken = numbered(&mut link, sequence);
        assert_eq!(taken.is_ok(), is_taken, "{sequence}: {taken:?}");
    }
    assert!(numbered(&mut link, 100).expect_err("long gone").contains("None"));
    link.run(at(100));
    assert!(numbered(&mut link, 28_976).is_err(), "also when nothing waits");
    // Whoever does not number goes on behind the furthest, not behind the last.
    link.send(packet(1));
    link.run(at(200));
    let received: Vec<_> = link.received().iter().filter_map(|found| found.packet.sequence).collect();
    assert_eq!(received.last(), Some(&30_001), "{received:?}");
}

#[test]
fn a_session_that_ends_says_bye_for_each_stream_and_sends_nothing_more() {
    let mut link = talk();
    link.z_events();
    link.send(packet(150));
    link.a.end();
    link.a.end();
    assert!(link.a.is_goodbye_owed());
    assert!(matches!(link.a.send(link.sender, packet(151)), Err(SendError::UnknownSender(_))));
    let before = link.a_to_z.len();
    link.run(at(5_000));
    assert!(!link.a.is_goodbye_owed() && link.a_to_z.len() == before);
    let ended = Event::Ended { receiver: link.receiver, ssrc: link.ssrc };
    assert_eq!(link.z_events(), [ended]);
}

/// However late anybody asks, a stream ends after its packets, and what comes next begins a new one.
#[test]
fn the_end_of_a_stream_is_told_between_the_packets_before_and_after_it() {
    let mut link = Link::new();
    let bye = |ssrc: u32| [&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat();
    for _ in 0..3 {
        for n in 0..2 {
            link.send(packet(n));
        }
        link.deliver(at(0));
        link.z.handle_rtcp(&bye(link.ssrc), at(0));
    }
    let told = std::iter::from_fn(|| link.z.poll_event()).map(|event| matches!(event, Event::Ended { .. }));
    assert_eq!(told.collect::<Vec<_>>(), [false, false, true].repeat(3));
    assert_eq!(link.z.poll_timeout(at(0)).filter(|next| *next <= at(0)), None);
}

/// RFC 3550 §6.2.1: "some straggler data packets might arrive after the BYE and cause the entry to be recreated."
#[test]
fn what_comes_late_after_the_end_of_its_stream_begins_none() {
    for late in [1usize, 5, 8] {
        let mut link = Link::new();
        let bye = [&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1][..], &link.ssrc.to_be_bytes()].concat();
        (0..10).for_each(|n| link.send(packet(n)));
        let mut all = Vec::new();
        for _ in 0..10 {
            let mut out = Vec::new();
            assert!(link.a.poll_rtp(at(0), 1180, &mut out));
            all.push(out);
        }
        let is_late = |n: usize| n == late || n == late + 1;
        for (_, packet) in all.iter().enumerate().filter(|(n, _)| !is_late(*n) || *n == 9) {
            link.z.handle_rtp(packet, Ecn::NotEct, at(1));
        }
        link.z.handle_rtcp(&bye, at(2));
        assert!(link.z_events().contains(&Event::Ended { receiver: link.receiver, ssrc: link.ssrc }));
        link.z.handle_rtp(&all[late], Ecn::NotEct, at(30));
        assert_eq!(link.z_events(), [], "the {late}th");
        assert_eq!(link.z.receiver_stats(link.receiver).count(), 0);
        assert_eq!(link.z.stats().dropped_after_end, 1);
        // Who goes on is heard; and so is, some time later, who begins anew with any number.
        link.send(packet(10));
        link.deliver(at(40));
        assert_eq!(link.received().len(), 1);
        link.z.handle_rtcp(&bye, at(50));
        link.z.handle_rtp(&all[0], Ecn::NotEct, at(4_000));
        assert_eq!(link.received().len(), 1);
    }
}

/// A stream that begins while a report about another is owed waits for the next one, and gets it though the other ends before.
#[test]
fn what_begins_while_a_report_is_owed_is_reported_though_what_was_owed_is_gone() {
    let [mut a, mut z] = [1, 2].map(|seed| session("x", seed));
    let senders = [10, 20].map(|ssrc| a.add_sender(sender(ssrc)).expect("added"));
    z.add_receiver(receiver()).expect("added");
    let mut out = Vec::new();
    let mut say = |a: &mut Session, z: &mut Session, of: usize, now| {
        a.send(senders[of], packet(0)).expect("room");
        assert!(a.poll_rtp(now, 1180, &mut out));
        z.handle_rtp(&out, Ecn::default(), now);
        out.clear();
    };
    say(&mut a, &mut z, 0, at(0));
    for session in [&mut a, &mut z] {
        let due = session.poll_timeout(at(0)).expect("reports");
        session.handle_timeout(due.max(at(2_000)));
    }
    say(&mut a, &mut z, 1, at(2_010));
    a.remove_sender(senders[0]);
    let mut bye = Vec::new();
    assert!(a.poll_rtcp(at(2_020), 1180, &mut bye));
    z.handle_rtcp(&bye, at(2_020));
    let mut reported = Vec::new();
    for session in [&mut a, &mut z] {
        let mut compound = Vec::new();
        for now in (2_030..8_000).step_by(10).map(at) {
            session.handle_timeout(now);
            while session.poll_rtcp(now, 1180, &mut compound) {
                reported.push(std::mem::take(&mut compound));
            }
        }
    }
    let is_about = |message: Result<Message<'_>, _>| match message {
        Ok(Message::SenderReport(report)) => report.ssrc == 20,
        Ok(Message::ReceiverReport(report)) => report.blocks().any(|block| block.ssrc == 20),
        _ => false,
    };
    let about = reported.iter().filter(|compound| Compound::new(compound).any(is_about));
    assert_eq!(about.count(), 2, "{reported:02x?}");
}
