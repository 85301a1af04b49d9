//! What an authenticated peer can do that means ill (row 16 of docs/security.md). It is no stranger: what it asks for it gets, so
//! what is asserted is how much that is, how much is held for it, and that what is not taken is counted.

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use bytes::Bytes;
use wigwag_rtp::{Config, Error, Event, Kind, PayloadType, ReceiverConfig, RtpPacket, SenderConfig, Session};
use wigwag_sansio::{Ecn, Seed};

/// A packet of any source, without extensions.
fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    [&[0x80, VIDEO.number], &sequence.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes(), b"payload"].concat()
}

/// A NACK for `pairs` × 17 packets from `first` on.
fn nack(ssrc: u32, first: u16, pairs: u16) -> Vec<u8> {
    let mut bytes = vec![0x81, 205];
    bytes.extend((2 + pairs).to_be_bytes());
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(ssrc.to_be_bytes());
    for n in 0..pairs {
        bytes.extend(first.wrapping_add(17 * n).to_be_bytes());
        bytes.extend([0xff, 0xff]);
    }
    bytes
}

fn goodbye(ssrc: u32) -> Vec<u8> {
    [&[0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

#[test]
fn sources_without_end_are_bounded() {
    let mut z = session("z", 1);
    let section = ReceiverConfig::new(Kind::Video, vec![VIDEO]);
    let id = z.add_receiver(section).expect("added");
    for ssrc in 0..5_000 {
        z.handle_rtp(&rtp(ssrc, 1), Ecn::NotEct, at(0));
        while z.poll_event().is_some() {}
    }
    assert_eq!(z.receiver_stats(id).count(), 1024);
    assert_eq!(z.stats().dropped_too_many_sources, 5_000 - 1024);
    // Those that are silent make room.
    for ssrc in 200_000..200_100 {
        z.handle_rtp(&rtp(ssrc, 1), Ecn::NotEct, at(10_000));
    }
    assert_eq!(z.receiver_stats(id).count(), 1024);
    assert_eq!(z.receiver_stats(id).filter(|stats| stats.ssrc >= 200_000).count(), 100);
}

#[test]
fn a_flood_of_requests_for_packets_sends_each_twice_a_round_trip_at_most() {
    let mut link = Link::new();
    for n in 0..500u32 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    let first = link.received()[0].packet.sequence.expect("received packets have one");
    let mut resent = 0;
    let mut out = Vec::new();
    for n in 0..1000u32 {
        link.a.handle_rtcp(&nack(link.ssrc, first, 60), at(n / 10));
        while link.a.poll_rtp(at(n / 10), 1180, &mut out) {
            resent += 1;
            out.clear();
        }
    }
    // A tenth of a second, which is the guess for a round trip.
    assert_eq!(resent, 1000);
    let stats = link.a.sender_stats(link.sender).expect("there");
    assert_eq!((stats.nacks_received, stats.packets_resent), (1000, 1000));
}

#[test]
fn a_flood_of_requests_for_key_frames_is_one_event() {
    let mut link = Link::new();
    let request = [&[0x81, 206, 0, 2, 0, 0, 0, 1][..], &link.ssrc.to_be_bytes()].concat();
    for _ in 0..10_000 {
        link.a.handle_rtcp(&request, at(0));
    }
    assert_eq!(link.a.poll_event(), Some(Event::KeyFrameRequested { sender: link.sender }));
    assert_eq!(link.a.poll_event(), None);
    link.a.handle_rtcp(&request, at(0));
    assert_eq!((link.a.poll_event(), link.a.poll_timeout(at(0))), (None, Some(at(300))));
    link.a.handle_timeout(at(300));
    assert_eq!(link.a.poll_event(), Some(Event::KeyFrameRequested { sender: link.sender }));
}

#[test]
fn a_full_intra_request_counts_once_however_often_it_is_repeated() {
    let mut link = Link::new();
    let request = |number: u8| {
        [&[0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0][..], &link.ssrc.to_be_bytes(), &[number, 0, 0, 0]].concat()
    };
    let requests = [7, 7, 7, 8].map(request);
    let mut told = 0;
    for request in requests {
        link.a.handle_rtcp(&request, at(0));
        told += u32::from(link.a.poll_event().is_some());
    }
    assert_eq!(told, 1);
    link.a.handle_timeout(at(300));
    assert!(link.a.poll_event().is_some(), "the second, when the encoder has had time");
    link.a.handle_timeout(at(600));
    assert_eq!(link.a.poll_event(), None);
    assert_eq!(link.a.sender_stats(link.sender).expect("there").firs_received, 4);
}

#[test]
fn streams_that_begin_and_end_for_ever_are_bounded() {
    let mut z = session("z", 1);
    z.add_receiver(ReceiverConfig::new(Kind::Video, vec![VIDEO])).expect("added");
    for ssrc in 0..20_000 {
        z.handle_rtp(&rtp(ssrc, 1), Ecn::NotEct, at(0));
        z.handle_rtcp(&goodbye(ssrc), at(0));
        z.handle_rtcp(&goodbye(ssrc), at(0));
    }
    let events = std::iter::from_fn(|| z.poll_event()).count();
    assert_eq!(events, 4096 + 1024);
    assert_eq!(z.stats().dropped_events, 20_000 - 4096 + 20_000 - 1024);
}

#[test]
fn sequence_numbers_that_leap_ask_for_no_more_than_is_reasonable() {
    let mut z = session("z", 1);
    let id = z.add_receiver(receiver()).expect("added");
    let mut now = 0;
    let (mut sequence, mut asked, mut out) = (0u16, 0, Vec::new());
    for n in 0..2000u16 {
        sequence = sequence.wrapping_add([1, 20, 400, 511, 513, 30_000][usize::from(n % 6)]);
        z.handle_rtp(&rtp(1, sequence), Ecn::NotEct, at(now));
        while z.poll_event().is_some() {}
        now += 5;
        z.handle_timeout(at(now));
        while z.poll_rtcp(at(now), 1180, &mut out) {
            asked += out.len();
            out.clear();
        }
    }
    // 512 packets at most are missing, in 31 pairs, every 20 ms.
    assert!(asked < 2000 * 5 / 20 * 400, "{asked}");
    assert!(z.receiver_stats(id).next().expect("a stream").packets_given_up > 0);
}

#[test]
fn transport_wide_numbers_that_leap_are_bounded() {
    let mut z = session("z", 1);
    z.add_receiver(receiver()).expect("added");
    let mut reported = 0;
    let mut out = Vec::new();
    for n in 0..5000u16 {
        let number = n.wrapping_mul(7919).to_be_bytes();
        let mut bytes = rtp(1, n);
        bytes[0] = 0x90;
        bytes.splice(12..12, [0xbe, 0xde, 0, 1, 0x51, number[0], number[1], 0]);
        z.handle_rtp(&bytes, Ecn::NotEct, at(u32::from(n)));
        while z.poll_event().is_some() {}
        z.handle_timeout(at(u32::from(n)));
        while z.poll_rtcp(at(u32::from(n)), 1180, &mut out) {
            assert!(out.len() <= 1180);
            reported += out.len();
            out.clear();
        }
    }
    assert!(reported > 0 && reported < 50 * 10 * 1180, "{reported}");
}

#[test]
fn feedback_about_what_was_never_sent_is_ignored() {
    let mut link = Link::new();
    let feedback = [0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0x12, 0x34, 0x10, 0, 0, 0, 1, 0, 0x10, 0, 0, 0];
    link.a.handle_rtcp(&feedback, at(0));
    assert_eq!(link.a.poll_event(), None);
    assert_eq!((link.a.stats().transport_feedbacks_received, link.a.stats().transport_lost), (1, 0));
}

#[test]
fn reports_that_lie_measure_no_negative_time() {
    let mut link = Link::new();
    link.send(packet(0));
    link.run(at(0));
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
    report.extend(link.ssrc.to_be_bytes());
    report.extend([0xff; 20]);
    link.a.handle_rtcp(&report, at(10));
    let stats = link.a.sender_stats(link.sender).expect("there");
    assert_eq!((stats.remote_fraction_lost, stats.remote_packets_lost), (255, -1));
    assert!(stats.round_trip_time.is_some());
}

#[test]
fn impossible_streams_are_refused() {
    let mut a = session("a", 1);
    let none = PayloadType { number: 96, clock_rate_hz: 0 };
    let beyond = PayloadType { number: 128, clock_rate_hz: 90_000 };
    let add = |a: &mut Session, types| a.add_sender(SenderConfig::new(1, Kind::Video, types));
    assert_eq!(add(&mut a, vec![none]), Err(Error::PayloadType(96)));
    assert_eq!(add(&mut a, vec![VIDEO, beyond]), Err(Error::PayloadType(128)));
    let mut long = SenderConfig::new(1, Kind::Video, vec![VIDEO]);
    long.mid = Some("seventeen letters".into());
    assert_eq!(a.add_sender(long), Err(Error::IdentifierLength));
    let id = add(&mut a, vec![VIDEO]).expect("possible");
    assert_eq!(add(&mut a, vec![VIDEO]), Err(Error::SsrcInUse(1)));
    a.remove_sender(id);
    assert!(add(&mut a, vec![VIDEO]).is_ok_and(|new| new != id));
    assert_eq!(a.update_sender(id, SenderConfig::new(1, Kind::Video, vec![VIDEO])), Err(Error::UnknownStream));
}

#[test]
fn identifiers_and_extensions_of_any_size_fit_their_header() {
    let mut a = session("a", 1);
    let mut config = SenderConfig::new(1, Kind::Video, vec![VIDEO]);
    config.mid = Some("sixteen letters!".into());
    config.rid = Some("sixteen letters?".into());
    for base in [1, 200] {
        config.extensions.mid = Some(base);
        config.extensions.rid = Some(base + 1);
        config.extensions.abs_send_time = Some(base + 2);
        config.extensions.audio_level = Some(base + 3);
        config.extensions.transport_cc = Some(base + 4);
        config.ssrc = a.unused_ssrc();
        let id = a.add_sender(config.clone()).expect("added");
        let mut packet = RtpPacket::new(VIDEO.number, 0, Bytes::from_static(b"payload"));
        packet.audio_level = Some(wigwag_rtp::AudioLevel { is_voice: true, level: 200 });
        a.send(id, packet).expect("room");
        let mut out = Vec::new();
        assert!(a.poll_rtp(at(0), 1180, &mut out));
        let parsed = wigwag_rtp::header::Packet::parse(&out).expect("ours");
        let mut elements: Vec<_> = parsed.extensions().collect();
        elements.sort_unstable();
        assert_eq!(
            elements.iter().map(|(id, data)| (id - base, data.len())).collect::<Vec<_>>(),
            [(0, 16), (1, 16), (2, 3), (3, 1), (4, 2)]
        );
        assert_eq!((elements[3].1, parsed.payload), (&[0xff][..], &b"payload"[..]));
    }
}

#[test]
fn a_canonical_name_is_cut_between_characters() {
    let mut link = Link::with(Config::new("ä".repeat(200)), Config::new(""));
    link.send(packet(0));
    link.run(at(3000));
    assert_eq!(link.z.stats().dropped_malformed_rtcp, 0);
    assert!(link.receiver_stats().sender_reports_received > 0);
    assert!(Session::new(Config::new(""), Seed::for_test(1)).poll_timeout(at(0)).is_none());
}

#[test]
fn a_packet_that_no_longer_fits_after_a_renegotiation_does_not_block_the_others() {
    let mut a = session("a", 1);
    let mut bare = sender(7);
    bare.extensions = wigwag_rtp::Extensions::NONE;
    let first = a.add_sender(bare).expect("added");
    let second = a.add_sender(sender(8)).expect("added");
    a.send(first, RtpPacket::new(VIDEO.number, 0, Bytes::from(vec![7; 1180 - 12])))
        .expect("it is just as long as the path takes");
    a.send(second, packet(1)).expect("room");
    a.update_sender(first, sender(7)).expect("there");
    let mut out = Vec::new();
    assert!(a.poll_rtp(at(0), 1180, &mut out), "what can be sent is sent");
    assert_eq!(out[8..12], 8u32.to_be_bytes());
    assert_eq!(a.sender_stats(first).expect("there").packets_discarded, 1);
    while a.poll_event().is_some() {}
    assert_ne!(a.poll_timeout(at(0)), Some(at(0)), "nothing is owed");
}

#[test]
fn what_may_not_be_sent_after_a_renegotiation_is_not() {
    let mut link = Link::new();
    link.send(packet(0));
    let mut config = sender(link.ssrc);
    config.payload_types = vec![PayloadType { number: 97, clock_rate_hz: 90_000 }];
    link.a.update_sender(link.sender, config).expect("there");
    link.run(at(0));
    assert_eq!((link.a_to_z.len(), link.a.sender_stats(link.sender).expect("there").packets_discarded), (0, 1));
}

#[test]
fn descriptions_that_name_other_sources_each_time_still_say_whose_they_are() {
    let mut z = session("z", 1);
    let both = [1, 2].map(|_| z.add_receiver(ReceiverConfig::new(Kind::Video, vec![VIDEO])).expect("added"));
    for n in 0..5_000 {
        let mut config = ReceiverConfig::new(Kind::Video, vec![VIDEO]);
        config.ssrcs = vec![n];
        z.update_receiver(both[1], config).expect("there");
    }
    z.handle_rtp(&rtp(4_999, 1), Ecn::NotEct, at(0));
    let Some(Event::Packet(received)) = z.poll_event() else { panic!("{:?}", z.stats()) };
    assert_eq!(received.receiver, both[1]);
    z.handle_rtp(&rtp(4_998, 1), Ecn::NotEct, at(0));
    assert_eq!((z.poll_event(), z.stats().dropped_unknown_stream), (None, 1), "of that nobody speaks any more");
}

/// As [`rtp`], with the identification tag `v` or `w`.
fn tagged(ssrc: u32, sequence: u16, mid: u8) -> Vec<u8> {
    let mut bytes = rtp(ssrc, sequence);
    bytes[0] = 0x90;
    bytes.splice(12..12, [0xbe, 0xde, 0, 1, 0x40, mid, 0, 0]);
    bytes
}

#[test]
fn sources_that_find_no_room_are_not_remembered() {
    let mut z = session("z", 1);
    z.add_receiver(receiver()).expect("added");
    let mut other = receiver();
    other.mid = Some("w".into());
    let other = z.add_receiver(other).expect("added");
    for ssrc in 0..10_000 {
        z.handle_rtp(&tagged(ssrc, 1, b'v'), Ecn::NotEct, at(0));
        while z.poll_event().is_some() {}
    }
    // Later, when there is room, a source that is known by its first packet only.
    z.handle_rtp(&tagged(20_000, 1, b'w'), Ecn::NotEct, at(20_000));
    z.handle_rtp(&rtp(20_000, 2), Ecn::NotEct, at(20_000));
    assert_eq!(std::iter::from_fn(|| z.poll_event()).count(), 2, "{:?}", z.stats());
    assert_eq!(z.receiver_stats(other).count(), 1);
}

#[test]
fn a_packet_is_sent_again_ten_times_at_most() {
    let mut link = Link::new();
    for n in 0..100u32 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    let first = link.received()[0].packet.sequence.expect("received packets have one");
    let (mut resent, mut out) = (0, Vec::new());
    for n in 0..1_000u32 {
        link.a.handle_rtcp(&nack(link.ssrc, first, 6), at(n * 100));
        while link.a.poll_rtp(at(n * 100), 1180, &mut out) {
            resent += 1;
            out.clear();
        }
    }
    assert_eq!(resent, 1_000, "whoever asks for ever gets a tenfold at most");
}

#[test]
fn a_round_trip_that_nobody_can_have_does_not_delay_what_is_asked_for() {
    let mut link = Link::new();
    let sender = link.z.add_sender(sender(99)).expect("added");
    link.z.send(sender, packet(0)).expect("room");
    let mut out = Vec::new();
    assert!(link.z.poll_rtp(at(0), 1180, &mut out));
    // A report on a sender report of nine hours ago.
    let now = (1u32 << 16).wrapping_sub(30_000 << 16);
    let report = [&[0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 99][..], &[0; 12], &now.to_be_bytes(), &[0; 4]].concat();
    link.z.handle_rtcp(&report, at(0));
    assert!(link.z.stats().round_trip_time.is_some_and(|time| time.as_secs() > 10_000), "{:?}", link.z.stats());
    link.loses(|n| n % 2 == 1);
    for n in 0..3u32 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    let mut asked = 0;
    for millis in 0..30_000 {
        link.z.handle_timeout(at(millis));
        while link.z.poll_rtcp(at(millis), 1180, &mut out) {
            asked = link.receiver_stats().nacks_sent;
            out.clear();
        }
    }
    assert_eq!(asked, 10);
}

#[test]
fn every_stream_that_ends_says_so() {
    let (mut a, mut z) = (session("a", 1), session("z", 2));
    let receiver = z.add_receiver(ReceiverConfig::new(Kind::Video, vec![VIDEO])).expect("added");
    let (mut senders, mut out) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let ssrc = a.unused_ssrc();
        let id = a.add_sender(SenderConfig::new(ssrc, Kind::Video, vec![VIDEO])).expect("added");
        a.send(id, packet(0)).expect("room");
        senders.push(id);
    }
    while a.poll_rtp(at(0), 1180, &mut out) {
        z.handle_rtp(&out, Ecn::NotEct, at(0));
        out.clear();
    }
    senders.into_iter().for_each(|id| a.remove_sender(id));
    let mut compounds = 0;
    while a.poll_rtcp(at(0), 1180, &mut out) {
        z.handle_rtcp(&out, at(0));
        out.clear();
        compounds += 1;
    }
    assert_eq!((z.receiver_stats(receiver).count(), z.stats().dropped_malformed_rtcp), (0, 0));
    assert_eq!(compounds, 10, "31 of them in each");
}

#[test]
fn full_intra_requests_of_two_sources_are_two() {
    let mut link = Link::new();
    let request = |source: u8| {
        [&[0x84, 206, 0, 4, 0, 0, 0, source, 0, 0, 0, 0][..], &link.ssrc.to_be_bytes(), &[0, 0, 0, 0]].concat()
    };
    let requests = [1, 2, 2].map(request);
    let mut told = 0;
    for request in requests {
        link.a.handle_rtcp(&request, at(0));
        told += u32::from(link.a.poll_event().is_some());
    }
    for millis in [300, 600] {
        link.a.handle_timeout(at(millis));
        told += u32::from(link.a.poll_event().is_some());
    }
    assert_eq!(told, 2);
}

#[test]
fn a_datagram_speaks_of_so_many_packets_and_no_more() {
    let mut link = Link::new();
    // 24 bytes that speak of 8191 packets, fifty times over.
    let feedback = [0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0x1f, 0xff, 0, 0, 1, 0, 0x1f, 0xff, 0, 0];
    link.a.handle_rtcp(&feedback.repeat(50), at(0));
    let stats = link.a.stats();
    assert_eq!((stats.transport_feedbacks_received, stats.dropped_malformed_rtcp), (1, 1));
}

#[test]
fn what_rtcp_would_be_taken_for_is_not_sent() {
    let mut a = session("a", 1);
    let types = [71, 72, 95, 96].map(|number| PayloadType { number, clock_rate_hz: 90_000 });
    let id = a.add_sender(SenderConfig::new(1, Kind::Video, types.to_vec())).expect("added");
    let mut takes = |number| a.send(id, RtpPacket::new(number, 0, Bytes::new())).is_ok();
    assert_eq!([63, 64, 71, 72, 95, 96].map(&mut takes), [false, false, false, false, false, true]);
}

#[test]
fn extensions_with_the_number_of_padding_or_of_another_are_left_out() {
    let mut a = session("a", 1);
    let mut config = sender(1);
    config.extensions.abs_send_time = Some(0);
    config.extensions.transport_cc = config.extensions.mid;
    let id = a.add_sender(config).expect("added");
    a.send(id, packet(0)).expect("room");
    let mut out = Vec::new();
    assert!(a.poll_rtp(at(0), 1180, &mut out));
    let parsed = wigwag_rtp::header::Packet::parse(&out).expect("ours");
    assert_eq!(parsed.extensions().collect::<Vec<_>>(), [(4, &b"v"[..])]);
}

#[test]
fn rtcp_is_compound_unless_something_else_was_negotiated() {
    let mut link = Link::new();
    link.loses(|n| n == 1);
    for n in 0..3u32 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    let mut out = Vec::new();
    link.z.handle_timeout(at(10));
    assert!(link.z.poll_rtcp(at(10), 1180, &mut out));
    assert_eq!(out[1], 201, "a report first");
    out.clear();
    link.z.set_reduced_size(true);
    link.z.handle_timeout(at(200));
    assert!(link.z.poll_rtcp(at(200), 1180, &mut out));
    assert_eq!(out[1], 205, "nothing around it");
}

/// A hundred sources of which 500 packets are missing, and one of which another is: only that one is looked at.
#[test]
fn what_is_missing_is_not_looked_at_before_its_time() {
    let mut z = session("z", 1);
    z.add_receiver(receiver()).expect("added");
    for ssrc in 0..100 {
        for number in [0, 501] {
            z.handle_rtp(&rtp(ssrc, number), Ecn::NotEct, at(0));
        }
    }
    z.handle_timeout(at(10));
    let mut out = Vec::new();
    while z.poll_rtcp(at(10), 1180, &mut out) {
        out.clear();
    }
    // All of them were asked for. While they are waited for, one packet after the other is missing.
    let before = z.stats().visits;
    for n in 0..8u32 {
        z.handle_rtp(&rtp(200, n as u16 * 2), Ecn::NotEct, at(11 + 11 * n));
        z.handle_timeout(at(21 + 11 * n));
    }
    let visits = z.stats().visits - before;
    assert!(visits < 8 * 200, "{visits}");
}

/// Five hundred sources miss something, and each packet of another leaves one more gap: they are not all gone through for each.
#[test]
fn a_gap_in_each_packet_does_not_make_each_look_at_all_that_miss_something() {
    let mut z = session("z", 1);
    z.add_receiver(receiver()).expect("added");
    for ssrc in 0..500 {
        for number in [0, 2] {
            z.handle_rtp(&rtp(ssrc, number), Ecn::NotEct, at(0));
        }
    }
    let mut out = Vec::new();
    let (mut now, mut woken) = (at(20), 0);
    z.handle_timeout(now);
    let before = z.stats().visits;
    for n in 0..1000u32 {
        now = at(20) + std::time::Duration::from_micros(u64::from(n) * 50);
        z.handle_rtp(&rtp(1000, n as u16 * 2), Ecn::NotEct, now);
        if z.poll_timeout(now).is_some_and(|due| due <= now) {
            woken += 1;
        }
        z.handle_timeout(now);
        while z.poll_event().is_some() {}
        while z.poll_rtcp(now, 1180, &mut out) {
            out.clear();
        }
    }
    let visits = z.stats().visits - before;
    assert!(visits < 50_000, "{visits}, woken {woken}");
}

/// The times at which A tells that a key frame is asked for, within so many milliseconds; Z asks with `ask` each millisecond.
fn told_to_make_key_frames(link: &mut Link, millis: u32, ask: impl Fn(u32) -> Option<Vec<u8>>) -> Vec<u32> {
    let mut told = Vec::new();
    for n in 0..millis {
        ask(n).into_iter().for_each(|request| link.a.handle_rtcp(&request, at(n)));
        link.a.handle_timeout(at(n));
        told.extend(std::iter::from_fn(|| link.a.poll_event()).map(|_| n));
        assert!(link.a.poll_timeout(at(n)).is_none_or(|next| next > at(n)), "nothing spins");
    }
    told
}

#[test]
fn a_flood_of_requests_for_key_frames_is_one_event_in_a_while_however_often_events_are_polled() {
    let mut link = Link::new();
    let loss = [&[0x81, 206, 0, 2, 0, 0, 0, 1][..], &link.ssrc.to_be_bytes()].concat();
    let told = told_to_make_key_frames(&mut link, 1_000, |_| Some(loss.clone()));
    assert_eq!(told, [0, 300, 600, 900]);
    let mut link = Link::new();
    let ssrc = link.ssrc.to_be_bytes();
    let intra = |n: u32| [&[0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0][..], &ssrc, &[n as u8, 0, 0, 0]].concat();
    assert_eq!(told_to_make_key_frames(&mut link, 700, |n| Some(intra(n))), [0, 300, 600]);
}

#[test]
fn a_request_for_a_key_frame_soon_after_another_is_told_later_and_once() {
    let mut link = Link::new();
    let loss = [&[0x81, 206, 0, 2, 0, 0, 0, 1][..], &link.ssrc.to_be_bytes()].concat();
    let asks = |n| [5, 10, 20, 290, 900].contains(&n).then(|| loss.clone());
    assert_eq!(told_to_make_key_frames(&mut link, 2_000, asks), [5, 305, 900]);
    link.a.handle_rtcp(&loss, at(2_000));
    link.a.handle_rtcp(&loss, at(2_010));
    link.a.remove_sender(link.sender);
    assert_eq!(std::iter::from_fn(|| link.a.poll_event()).count(), 0, "nobody is there to make one");
    link.a.handle_timeout(at(2_310));
    assert_eq!(link.a.poll_event(), None);
}
