//! Two sessions, and what passes between them in virtual time.

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use bytes::Bytes;
use std::time::Duration;
use wigwag_rtp::{Config, Event, Kind, PayloadType, ReceiverConfig, RtpPacket, SendError, SenderConfig, Session};
use wigwag_sansio::{Ecn, Seed};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn packets_arrive_in_order_with_consecutive_numbers() {
    let mut link = Link::new();
    for n in 0..100u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    let received = link.received();
    assert_eq!(received.len(), 100);
    for (n, pair) in received.windows(2).enumerate() {
        assert_eq!(pair[0].extended_sequence + 1, pair[1].extended_sequence, "{n}");
        assert_eq!(pair[1].packet.timestamp - pair[0].packet.timestamp, 1800);
    }
    let first = received[0].packet.sequence.expect("received packets have one");
    assert!(first < 1 << 15, "a sender begins in the lower half");
}

#[test]
fn header_extensions_say_what_was_configured() {
    let mut link = Link::new();
    link.run(at(500));
    link.send(packet(0));
    link.run(at(500));
    let bytes = link.a_to_z.first().expect("sent").clone();
    let parsed = wigwag_rtp::header::Packet::parse(&bytes).expect("ours");
    let elements: Vec<_> = parsed.extensions().map(|(id, data)| (id, data.to_vec())).collect();
    // Half a second, since the session was first told a time; the first packet of the transport; the tag.
    assert_eq!(elements, [(3, vec![2, 0, 0]), (5, vec![0, 0]), (4, b"v".to_vec())]);
    assert_eq!(link.received()[0].abs_send_time, Some(1 << 17));
}

#[test]
fn a_lost_packet_is_asked_for_and_sent_again_with_the_same_bytes() {
    let mut link = Link::new();
    link.loses(|n| n == 3);
    for n in 0..10u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    link.run(at(400));
    let mut payloads: Vec<_> = link.received().into_iter().map(|received| received.packet.timestamp / 1800).collect();
    assert_ne!(payloads, (0..10).collect::<Vec<_>>(), "the lost one came late");
    payloads.sort_unstable();
    assert_eq!(payloads, (0..10).collect::<Vec<_>>());
    let lost = &link.a_to_z[3];
    assert_eq!(link.a_to_z.iter().filter(|packet| *packet == lost).count(), 2);
    let stats = link.a.sender_stats(link.sender).expect("the sender is there");
    assert_eq!((stats.packets_sent, stats.packets_resent, stats.nacks_received), (10, 1, 1));
    let stats = link.receiver_stats();
    assert_eq!((stats.packets_recovered, stats.packets_lost, stats.nacks_sent), (1, 0, 1));
}

/// Whoever asks once every round trip is heard a little sooner or later than that.
#[test]
fn each_request_that_repeats_one_after_about_a_round_trip_is_answered() {
    for sooner in [0u32, 1, 15] {
        let mut link = Link::new();
        link.delay = Duration::from_millis(20);
        for n in 0..200u32 {
            link.send(packet(n));
            link.run(at(n * 20));
        }
        let round_trip = link.a.stats().round_trip_time.expect("measured");
        assert_eq!(round_trip.as_millis(), 40);
        let sequence = u16::from_be_bytes([link.a_to_z[190][2], link.a_to_z[190][3]]);
        for n in 0..8u32 {
            let late = if n % 2 == 0 { 0 } else { sooner };
            let now = at(4_000 + 40 * n - late);
            link.a.handle_rtcp(&nack(link.ssrc, sequence), now);
            link.run(now);
        }
        link.run(at(5_000));
        let stats = link.a.sender_stats(link.sender).expect("the sender is there");
        assert_eq!((stats.nacks_received, stats.packets_resent), (8, 8), "{sooner} ms sooner");
    }
}

/// A NACK for one packet.
fn nack(ssrc: u32, sequence: u16) -> Vec<u8> {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [n0, n1] = sequence.to_be_bytes();
    vec![0x81, 205, 0, 3, 0, 0, 0, 1, s0, s1, s2, s3, n0, n1, 0, 0]
}

#[test]
fn what_was_sent_too_long_ago_is_not_sent_again() {
    let mut config = Config::new("a");
    config.resend_cache_packets = 64;
    let mut link = Link::with(config, Config::new("z"));
    link.loses(|n| (1..=100).contains(&n));
    for n in 0..102u32 {
        link.send(packet(n));
    }
    link.run(at(15));
    let stats = link.a.sender_stats(link.sender).expect("the sender is there");
    assert_eq!((stats.packets_resent, stats.nacks_unanswered), (63, 37));
    assert_eq!(link.received().len(), 2 + 63);
}

#[test]
fn feedback_that_was_negotiated_away_is_asked_for_no_longer() {
    for millis in [5u32, 25, 60] {
        let mut link = Link::new();
        link.delay = Duration::from_millis(20);
        link.loses(|n| n == 3 || n >= 10);
        for n in 0..10u32 {
            link.send(packet(n));
        }
        link.run(at(20 + millis));
        for _ in 0..2 {
            link.z.request_key_frame(link.receiver);
            link.z.handle_timeout(at(20 + millis));
            while link.z.poll_rtcp(at(20 + millis), 1180, &mut Vec::new()) {}
        }
        let before = link.receiver_stats();
        let mut config = receiver();
        (config.nack, config.pli, config.fir) = (false, false, false);
        link.z.update_receiver(link.receiver, config).expect("there");
        link.run(at(5_000));
        let after = link.receiver_stats();
        assert_eq!((after.nacks_sent, after.plis_sent), (before.nacks_sent, before.plis_sent), "after {millis} ms");
        assert_eq!(after.firs_sent, 0);
    }
}

/// However many are kept, and wherever the sequence numbers wrap.
#[test]
fn as_many_packets_as_are_to_be_kept_are_sent_again() {
    for (kept, before_the_wrap) in [(1, 0), (3, 1), (100, 50), (500, 499), (512, 256), (1000, 464), (1024, 7)] {
        let mut config = Config::new("a");
        config.resend_cache_packets = kept;
        config.send_queue_packets_max = 4096;
        let mut link = Link::with(config, Config::new("z"));
        let first = 0u16.wrapping_sub(before_the_wrap);
        for n in 0..kept as u32 {
            let mut packet = packet(n);
            packet.sequence = (n == 0).then_some(first);
            link.send(packet);
        }
        link.deliver(at(0));
        for n in 0..kept as u16 {
            link.a.handle_rtcp(&nack(link.ssrc, first.wrapping_add(n)), at(500));
            link.deliver(at(500));
        }
        let stats = link.a.sender_stats(link.sender).expect("the sender is there");
        assert_eq!((stats.packets_resent, stats.nacks_unanswered), (kept as u64, 0), "{kept}");
    }
}

#[test]
fn reports_tell_round_trip_loss_and_jitter() {
    let mut link = Link::new();
    link.delay = Duration::from_millis(40);
    link.loses(|n| n % 10 == 5);
    link.no_nack();
    for n in 0..500u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    let stats = link.a.sender_stats(link.sender).expect("the sender is there");
    let round_trip = stats.round_trip_time.expect("measured");
    assert!((79..=81).contains(&round_trip.as_millis()), "{round_trip:?}");
    assert!((20..=32).contains(&stats.remote_fraction_lost), "{}", stats.remote_fraction_lost);
    assert!((40..=50).contains(&stats.remote_packets_lost), "{}", stats.remote_packets_lost);
    assert!(stats.remote_jitter < Duration::from_millis(1));
    assert!(stats.round_trip_time_measurements >= 5);
    let reports = link.receiver_stats().sender_reports_received;
    assert!((6..=20).contains(&reports), "{reports}");
}

/// As of a source that is switched, or whose clock is set.
#[test]
fn a_timestamp_that_leaps_is_no_jitter() {
    for leap in [6 * 90_000, 1 << 30, 1 << 31, u32::MAX - 6 * 90_000] {
        let mut link = Link::new();
        for n in 0..200u32 {
            let mut packet = packet(n);
            if n >= 100 {
                packet.timestamp = packet.timestamp.wrapping_add(leap);
            }
            link.run(at(n * 20));
            link.send(packet);
            link.run(at(n * 20 + 1));
            let jitter = link.receiver_stats().jitter;
            assert!(jitter < Duration::from_millis(1), "{jitter:?} after a leap of {leap}");
        }
    }
}

#[test]
fn transport_wide_feedback_tells_each_packet_once() {
    let mut link = Link::new();
    link.delay = Duration::from_millis(30);
    link.loses(|n| n % 7 == 3);
    link.no_nack();
    let mut told = std::collections::BTreeMap::new();
    for n in 0..700u32 {
        link.run(at(n * 5));
        link.send(packet(n));
        for event in link.a_events() {
            let Event::TransportFeedback(reported) = event else { continue };
            for packet in reported {
                let arrival = packet.arrival.map(|arrival| arrival.as_micros() as i64);
                assert_eq!(told.insert(packet.sequence, arrival), None, "{}", packet.sequence);
            }
        }
    }
    assert!(told.len() > 650, "{}", told.len());
    for (sequence, arrival) in &told {
        assert_eq!(arrival.is_none(), sequence % 7 == 3, "{sequence}");
    }
    // By the receiver's clock, packets arrived 5 ms apart.
    let first = told[&0].expect("arrived");
    for (sequence, arrival) in told.iter().filter_map(|(sequence, arrival)| Some((sequence, (*arrival)?))) {
        let late = arrival - first - 5000 * *sequence as i64;
        assert!((-250..=250).contains(&late), "{sequence}: {late}");
    }
    let stats = link.a.stats();
    assert_eq!(stats.transport_arrived + stats.transport_lost, told.len() as u64);
}

#[test]
fn a_key_frame_is_asked_for_but_not_too_often() {
    let mut link = Link::new();
    link.send(packet(0));
    link.run(at(0));
    let mut asked = 0;
    for n in 0..100u32 {
        link.z.request_key_frame(link.receiver);
        link.run(at(n * 10));
        asked += link.a_events().iter().filter(|event| matches!(event, Event::KeyFrameRequested { .. })).count();
    }
    assert_eq!(asked, 4);
    assert_eq!(link.receiver_stats().plis_sent, 4);
    // The one that was wanted meanwhile is asked for without another word.
    link.run(at(2000));
    assert_eq!(link.receiver_stats().plis_sent, 5);
}

#[test]
fn where_only_full_intra_requests_are_understood_they_ask_for_the_key_frame() {
    let mut link = Link::new();
    let mut config = receiver();
    (config.pli, config.fir) = (false, true);
    link.z.update_receiver(link.receiver, config).expect("there");
    link.send(packet(0));
    link.run(at(0));
    let mut asked = 0;
    for n in 0..100u32 {
        link.z.request_key_frame(link.receiver);
        link.run(at(n * 10));
        asked += link.a_events().iter().filter(|event| matches!(event, Event::KeyFrameRequested { .. })).count();
    }
    let stats = link.receiver_stats();
    assert_eq!((asked, stats.firs_sent, stats.plis_sent), (4, 4, 0), "each has a number of its own");
    assert_eq!(link.a.sender_stats(link.sender).expect("there").firs_received, 4);
    assert_eq!(link.a.stats().dropped_malformed_rtcp, 0);
}

/// RFC 3550 §6.5: whoever reports has a name.
#[test]
fn every_report_names_its_source() {
    let mut link = Link::new();
    for n in 0..100u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    assert!(link.z_to_a_rtcp.len() > 3);
    for compound in &link.z_to_a_rtcp {
        let messages: Vec<_> =
            wigwag_rtp::rtcp::Compound::new(compound).map(|message| message.expect("ours")).collect();
        let [
            wigwag_rtp::rtcp::Message::ReceiverReport(report),
            wigwag_rtp::rtcp::Message::SourceDescription(names),
            ..,
        ] = &*messages
        else {
            panic!("{messages:?}")
        };
        assert_eq!(names.canonical_names().collect::<Vec<_>>(), [(report.ssrc, &b"z"[..])]);
    }
}

#[test]
fn a_sender_that_is_removed_says_goodbye() {
    let mut link = Link::new();
    link.send(packet(0));
    link.run(at(0));
    link.received();
    link.a.remove_sender(link.sender);
    link.run(at(10));
    let ended = link.z_events();
    let expected = Event::Ended { receiver: link.receiver, ssrc: link.ssrc };
    assert_eq!(ended, [expected]);
    assert_eq!(link.z.receiver_stats(link.receiver).count(), 0);
}

#[test]
fn a_full_queue_refuses_and_says_when_there_is_room() {
    let mut config = Config::new("a");
    config.send_queue_packets_max = 2;
    let mut a = Session::new(config, Seed::for_test(1));
    let id = a.add_sender(sender(7)).expect("added");
    let now = at(0);
    assert_eq!(a.poll_timeout(now), None);
    a.send(id, packet(0)).expect("room");
    a.send(id, packet(1)).expect("room");
    let Err(SendError::Full(payload)) = a.send(id, packet(2)) else { panic!("the queue is full") };
    assert_eq!(payload, packet(2).payload);
    assert_eq!(a.poll_timeout(now), Some(now));
    assert_eq!(a.poll_event(), None);
    let mut out = Vec::new();
    assert!(a.poll_rtp(now, 1180, &mut out));
    assert_eq!(a.poll_event(), Some(Event::Writable { sender: id }));
    assert_eq!(a.poll_event(), None);
    a.send(id, packet(2)).expect("room");
}

#[test]
fn what_does_not_fit_stays_owed_and_changes_nothing() {
    let mut a = session("a", 1);
    let id = a.add_sender(sender(7)).expect("added");
    a.send(id, packet(0)).expect("room");
    let (now, mut out) = (at(0), b"before".to_vec());
    let len = {
        let mut probe = session("a", 1);
        let id = probe.add_sender(sender(7)).expect("added");
        probe.send(id, packet(0)).expect("room");
        let mut out = Vec::new();
        assert!(probe.poll_rtp(now, 1180, &mut out));
        out.len()
    };
    for limit in 0..len {
        assert!(!a.poll_rtp(now, limit, &mut out), "{limit}");
    }
    assert_eq!((out.as_slice(), a.poll_timeout(now)), (&b"before"[..], Some(now)));
    assert!(a.poll_rtp(now, len, &mut out));
    assert!(!a.poll_rtp(now, 1180, &mut out));
}

#[test]
fn rtcp_that_does_not_fit_stays_owed() {
    for is_reduced_size in [false, true] {
        let mut config = Config::new("z@example.com");
        config.is_reduced_size = is_reduced_size;
        let mut link = Link::with(Config::new("a"), config);
        link.loses(|n| n == 1);
        for n in 0..3u32 {
            link.send(packet(n));
        }
        link.deliver(at(0));
        link.z.request_key_frame(link.receiver);
        link.z.handle_timeout(at(5000));
        let mut all = Vec::new();
        for limit in (0..200).chain([1180]) {
            let start = all.len();
            while link.z.poll_rtcp(at(5000), limit, &mut all) {
                assert!(all.len() - start <= limit);
                link.a.handle_rtcp(&all[start..], at(5000));
                all.truncate(start);
            }
            assert_eq!(all.len(), start);
        }
        assert_ne!(link.z.poll_timeout(at(5000)), Some(at(5000)).filter(|_| link.z_events().is_empty()));
        let stats = link.a.stats();
        assert_eq!((stats.dropped_malformed_rtcp, stats.transport_feedbacks_received > 0), (0, true));
        let stats = link.a.sender_stats(link.sender).expect("the sender is there");
        assert_eq!((stats.nacks_received, stats.plis_received), (1, 1), "{is_reduced_size}");
    }
}

#[test]
fn without_reduced_size_each_compound_begins_with_a_report_and_a_name() {
    let mut config = Config::new("z@example.com");
    config.is_reduced_size = false;
    let mut link = Link::with(Config::new("a"), config);
    link.loses(|n| n % 10 == 3);
    for n in 0..200u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    assert!(link.z_to_a_rtcp.len() > 20);
    for compound in &link.z_to_a_rtcp {
        let mut messages = wigwag_rtp::rtcp::Compound::new(compound).map(|message| message.expect("ours"));
        assert!(matches!(messages.next(), Some(wigwag_rtp::rtcp::Message::ReceiverReport(_))));
        let Some(wigwag_rtp::rtcp::Message::SourceDescription(names)) = messages.next() else { panic!("no name") };
        assert_eq!(names.canonical_names().map(|(_, name)| name).collect::<Vec<_>>(), [b"z@example.com"]);
    }
}

#[test]
fn audio_leaves_before_video() {
    let mut a = session("a", 1);
    let opus = PayloadType { number: 111, clock_rate_hz: 48_000 };
    let audio = a.add_sender(SenderConfig::new(1, Kind::Audio, vec![opus])).expect("added");
    let video = a.add_sender(sender(2)).expect("added");
    a.send(video, packet(0)).expect("room");
    a.send(audio, RtpPacket::new(111, 0, Bytes::from_static(b"sound"))).expect("room");
    let mut out = Vec::new();
    assert!(a.poll_rtp(at(0), 1180, &mut out));
    assert_eq!(out[1], 111);
}

#[test]
fn payload_types_that_were_not_negotiated_are_refused_and_dropped() {
    let mut link = Link::new();
    let other = RtpPacket::new(99, 0, Bytes::from_static(b"?"));
    assert!(matches!(link.a.send(link.sender, other), Err(SendError::PayloadType(_))));
    link.send(packet(0));
    link.deliver(at(0));
    let mut bytes = link.a_to_z[0].clone();
    bytes[1] = 99;
    link.z.handle_rtp(&bytes, Ecn::NotEct, at(0));
    assert_eq!(link.z.stats().dropped_unknown_payload_type, 1);
    assert_eq!(link.received().len(), 1);
}

#[test]
fn a_packet_longer_than_the_path_takes_is_given_back() {
    let mut link = Link::new();
    let long = RtpPacket::new(VIDEO.number, 0, Bytes::from(vec![0; 1181]));
    assert!(matches!(link.a.send(link.sender, long), Err(SendError::TooLong(payload)) if payload.len() == 1181));
}

#[test]
fn forwarded_packets_keep_their_numbers() {
    let mut link = Link::new();
    for sequence in [65_534u16, 65_535, 0, 5, 3] {
        let mut packet = packet(u32::from(sequence));
        packet.sequence = Some(sequence);
        link.send(packet);
    }
    link.run(at(0));
    let sequences: Vec<_> = link.received().iter().map(|received| received.packet.sequence).collect();
    assert_eq!(sequences, [65_534, 65_535, 0, 5, 3].map(Some));
}

#[test]
fn renegotiation_keeps_sequence_numbers_and_streams() {
    let mut link = Link::new();
    link.send(packet(0));
    link.run(at(0));
    let mut config = sender(link.ssrc);
    config.extensions.abs_send_time = None;
    link.a.update_sender(link.sender, config).expect("there");
    link.z.update_receiver(link.receiver, receiver()).expect("there");
    link.send(packet(1));
    link.run(at(20));
    let received = link.received();
    assert_eq!(received[0].extended_sequence + 1, received[1].extended_sequence);
    assert_eq!(received[1].abs_send_time, None);
    assert_eq!(link.receiver_stats().packets_received, 2);
}

#[test]
fn packets_that_nobody_polls_for_are_dropped_from_the_oldest_on() {
    let mut config = Config::new("z");
    config.event_packets_max = 10;
    let mut link = Link::with(Config::new("a"), config);
    for n in 0..25u32 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    assert_eq!(link.z.stats().dropped_events, 15);
    let timestamps: Vec<_> = link.received().iter().map(|received| received.packet.timestamp / 1800).collect();
    assert_eq!(timestamps, (15..25).collect::<Vec<_>>());
}

#[test]
fn an_idle_session_sleeps() {
    let mut link = Link::new();
    for n in 0..50u32 {
        link.send(packet(n));
        link.run(at(n * 20));
    }
    link.run(at(60_000));
    link.received();
    link.a_events();
    assert_eq!((link.a.poll_timeout(at(60_000)), link.z.poll_timeout(at(60_000))), (None, None));
    assert!(link.a.stats().rtcp_sent < 5, "{:?}", link.a.stats());
}

#[test]
fn the_same_seed_is_the_same_bytes() {
    let run = || {
        let mut link = Link::new();
        link.loses(|n| n % 5 == 2);
        for n in 0..100u32 {
            link.send(packet(n));
            link.run(at(n * 20));
        }
        (link.a_to_z, link.z_to_a_rtcp)
    };
    assert_eq!(run(), run());
}

#[test]
fn two_sections_without_tags_are_told_apart_by_payload_type() {
    let mut a = session("a", 1);
    let mut z = session("z", 2);
    let types = [96, 97].map(|number| PayloadType { number, clock_rate_hz: 90_000 });
    let senders = types.map(|payload_type| {
        let ssrc = a.unused_ssrc();
        a.add_sender(SenderConfig::new(ssrc, Kind::Video, vec![payload_type])).expect("added")
    });
    let receivers = types.map(|own| z.add_receiver(ReceiverConfig::new(Kind::Video, vec![own])).expect("added"));
    for (sender, own) in senders.into_iter().zip(types) {
        a.send(sender, RtpPacket::new(own.number, 0, Bytes::from_static(b"picture"))).expect("room");
    }
    let mut out = Vec::new();
    for receiver in receivers {
        out.clear();
        assert!(a.poll_rtp(at(0), 1180, &mut out));
        z.handle_rtp(&out, Ecn::Ce, at(0));
        let Some(Event::Packet(received)) = z.poll_event() else { panic!("a packet arrived") };
        assert_eq!((received.receiver, received.ecn), (receiver, Ecn::Ce));
    }
    assert!(a.poll_timeout(at(0)).is_some_and(|at_| at_ <= at(0) + 2 * SECOND));
}
