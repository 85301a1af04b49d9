//! Congestion control feedback by sources and sequence numbers (RFC 8888).

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wigwag_rtp::header::Packet;
use wigwag_rtp::rtcp::{ArrivalTimeOffset, Compound, Message, Reception};
use wigwag_rtp::{Event, Reported, RtxPayloadType, RtxStream, Session};
use wigwag_sansio::Ecn;

/// A's packets are reported by stream, Z asks for none again, and RTCP stands alone.
fn link() -> Link {
    let mut link = Link::new();
    let mut config = sender(link.ssrc);
    config.ccfb = true;
    link.a.update_sender(link.sender, config).expect("there");
    let mut config = receiver();
    (config.ccfb, config.transport_cc, config.nack) = (true, false, false);
    link.z.update_receiver(link.receiver, config).expect("there");
    link.z.set_reduced_size(true);
    link
}

/// Of so many packets each leaves a millisecond after the one before.
fn sent(link: &mut Link, count: u32) -> Vec<Vec<u8>> {
    let next = |n| {
        link.send(packet(n));
        let mut out = Vec::new();
        assert!(link.a.poll_rtp(at(n), 1180, &mut out));
        out
    };
    (0..count).map(next).collect()
}

fn number(packet: &[u8]) -> u16 {
    Packet::parse(packet).expect("RTP").sequence
}

/// The reports that are owed at a time.
fn reports(session: &mut Session, millis: u32, room: usize) -> Vec<Vec<u8>> {
    session.handle_timeout(at(millis));
    while session.poll_event().is_some() {}
    let mut next = || {
        let mut out = Vec::new();
        session.poll_rtcp(at(millis), room, &mut out).then_some(out)
    };
    let all: Vec<_> = std::iter::from_fn(&mut next).collect();
    all.into_iter().filter(|bytes| !told(bytes).is_empty()).collect()
}

/// What a compound says of each packet.
fn told(compound: &[u8]) -> Vec<((u32, u16), Option<Reception>)> {
    let of_streams = |message| match message {
        Ok(Message::CongestionControlFeedback(report)) => report
            .streams()
            .flat_map(|stream| stream.metrics().map(move |it| ((stream.ssrc, it.sequence), it.reception)))
            .collect(),
        _ => Vec::new(),
    };
    Compound::new(compound).flat_map(of_streams).collect()
}

/// What A is told of its packets.
fn reported(session: &mut Session) -> Vec<Reported> {
    let events = std::iter::from_fn(|| session.poll_event());
    let reported = |event| match event {
        Event::TransportFeedback(reported) => reported,
        _ => Vec::new(),
    };
    events.flat_map(reported).collect()
}

/// RFC 8888 §3.1, by hand: a header of PT 205 and FMT 11, who reports, of each stream its source, its first number and how many there are, 16 bits
/// of each, and when: 0x8000 is 1/2 s.
fn report(streams: &[(u32, u16, &[u16])], timestamp: u32) -> Vec<u8> {
    let mut body = 0x99u32.to_be_bytes().to_vec();
    for (ssrc, begin, metrics) in streams {
        body.extend(ssrc.to_be_bytes());
        body.extend(begin.to_be_bytes());
        body.extend((metrics.len() as u16).to_be_bytes());
        metrics.iter().for_each(|metric| body.extend(metric.to_be_bytes()));
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body.extend(timestamp.to_be_bytes());
    let words = (body.len() / 4) as u16;
    [&[0x8b, 205], &words.to_be_bytes()[..], &body].concat()
}

fn ticks(ecn: Ecn, ticks: u16) -> Option<Reception> {
    Some(Reception { ecn, offset: ArrivalTimeOffset::Ticks(ticks) })
}

/// RFC 3550 §A.1: two that follow each other.
#[test]
fn numbers_that_begin_anew_far_behind_are_told_again() {
    for leap in [10_000u16, 30_000, 32_000] {
        let mut link = link();
        let mut packets = sent(&mut link, 8);
        let numbers = [0, 1, 2, 3].map(|n| 40_000u16 + n).into_iter().chain([0, 1, 2, 3].map(|n| 40_000 - leap + n));
        for (n, number) in (0..).zip(numbers) {
            packets[n][2..4].copy_from_slice(&number.to_be_bytes());
            link.z.handle_rtp(&packets[n], Ecn::NotEct, at(n as u32));
        }
        let all = reports(&mut link.z, 200, 1180);
        let told: BTreeSet<_> = all.iter().flat_map(|bytes| told(bytes)).map(|((_, number), _)| number).collect();
        assert!(told.contains(&(40_000 - leap + 3)), "{leap}: {told:?}");
        // One alone is a straggler.
        let mut late = packets[0].clone();
        late[2..4].copy_from_slice(&40_000u16.wrapping_add(25_000).to_be_bytes());
        link.z.handle_rtp(&late, Ecn::NotEct, at(300));
        packets[0][2..4].copy_from_slice(&(40_000 - leap + 4).to_be_bytes());
        link.z.handle_rtp(&packets[0], Ecn::NotEct, at(301));
        let next = reports(&mut link.z, 600, 1180).iter().map(|bytes| self::told(bytes).len()).sum::<usize>();
        assert!(next > 0, "{leap}");
    }
}

#[test]
fn each_packet_is_told_once_with_when_it_came_and_how() {
    let mut link = link();
    let packets = sent(&mut link, 4);
    for (n, ecn) in [(0, Ecn::NotEct), (1, Ecn::Ect1), (3, Ecn::Ce)] {
        link.z.handle_rtp(&packets[n], ecn, at(500 * n as u32));
    }
    // The first that was not told came at 0; a report is owed a tenth of a second later.
    assert!(link.z.poll_timeout(at(1)).is_some());
    let all = reports(&mut link.z, 2000, 1180);
    assert_eq!(all.len(), 1);
    let name = |n: usize| (link.ssrc, number(&packets[n]));
    // Behind a report of reception. PT 205, FMT 11, and six words behind the first: who reports, the source, which numbers, four times two bytes, the time.
    let message = &all[0][all[0].len() - 28..];
    assert_eq!(message[..4], [0x8b, 205, 0, 6]);
    assert_eq!(message[8..16], [&link.ssrc.to_be_bytes()[..], &name(0).1.to_be_bytes(), &[0, 4]].concat());
    assert_eq!(message[16..24], [0x88, 0, 0xa6, 0, 0, 0, 0xe2, 0]);
    let expected = [
        (name(0), ticks(Ecn::NotEct, 2048)),
        (name(1), ticks(Ecn::Ect1, 1536)),
        (name(2), None),
        (name(3), ticks(Ecn::Ce, 512)),
    ];
    assert_eq!(told(&all[0]), expected);
    // Without a wall clock, NTP counts from the session's first second (RFC 3550 §6.4.1).
    assert_eq!(message[24..], (3u32 << 16).to_be_bytes());
    assert_eq!(reports(&mut link.z, 9000, 1180), Vec::<Vec<u8>>::new());
    assert_eq!(link.z.stats().congestion_feedbacks_sent, 1);
    link.a.handle_rtcp(&all[0], at(2000));
    let reported = reported(&mut link.a);
    let of = |n: usize| (reported[n].sequence, reported[n].ecn, reported[n].arrival);
    let since = |n: usize| reported[n].arrival.zip(reported[0].arrival).map(|(time, first)| time - first);
    assert_eq!((of(0).0, of(0).1, of(1).1, of(2)), (0, Ecn::NotEct, Ecn::Ect1, (2, Ecn::NotEct, None)));
    assert_eq!((since(1), since(3)), (Some(Duration::from_millis(500)), Some(Duration::from_millis(1500))));
    assert_eq!((reported[1].size, reported[1].sent), (packets[1].len(), at(1)));
    let stats = link.a.stats();
    assert_eq!((stats.transport_arrived, stats.transport_lost, stats.congestion_feedbacks_received), (3, 1, 1));
    // Told again, it is no news.
    link.a.handle_rtcp(&all[0], at(2001));
    assert_eq!(self::reported(&mut link.a), []);
}

/// A packet that is reported so needs no number of the transport.
#[test]
fn no_number_of_the_transport_is_written() {
    let mut link = link();
    let packets = sent(&mut link, 1);
    let ids: Vec<_> = Packet::parse(&packets[0]).expect("RTP").extensions().map(|(id, _)| id).collect();
    assert_eq!(ids, [3, 4]);
}

#[test]
fn of_copies_the_first_says_when_and_any_says_that_there_is_congestion() {
    for (first, second, ecn, is_told_again) in [
        (Ecn::Ect0, Ecn::Ce, Ecn::Ce, true),
        (Ecn::Ce, Ecn::Ect0, Ecn::Ce, false),
        (Ecn::Ect0, Ecn::Ect1, Ecn::Ect0, false),
    ] {
        // Both before the report.
        let mut link = link();
        let packets = sent(&mut link, 2);
        for (n, mark, millis) in [(0, first, 0), (1, Ecn::Ect0, 10), (0, second, 500)] {
            link.z.handle_rtp(&packets[n], mark, at(millis));
        }
        let all = reports(&mut link.z, 1000, 1180);
        assert_eq!(told(&all[0])[0].1, ticks(ecn, 1024), "{first:?} {second:?}");
        // The second behind it.
        let mut link = self::link();
        let packets = sent(&mut link, 2);
        link.z.handle_rtp(&packets[0], first, at(0));
        link.z.handle_rtp(&packets[1], Ecn::Ect0, at(0));
        assert_eq!(told(&reports(&mut link.z, 1000, 1180)[0])[0].1, ticks(first, 1024));
        link.z.handle_rtp(&packets[0], second, at(1500));
        let again = reports(&mut link.z, 2000, 1180);
        assert_eq!(!again.is_empty(), is_told_again, "{first:?} {second:?}");
        for report in again {
            assert_eq!(told(&report)[0].1, ticks(ecn, 2048));
            assert!(told(&report)[1].1.is_some(), "what was reported as received is not taken back");
        }
    }
}

#[test]
fn a_packet_that_comes_late_is_told_with_those_that_were_told_before() {
    let mut link = link();
    let packets = sent(&mut link, 6);
    for n in [0, 2, 3] {
        link.z.handle_rtp(&packets[n], Ecn::NotEct, at(n as u32));
    }
    let first = reports(&mut link.z, 100, 1180);
    for n in [1, 5] {
        link.z.handle_rtp(&packets[n], Ecn::NotEct, at(110));
    }
    let second = reports(&mut link.z, 300, 1180);
    let arrived = |report: &[u8]| told(report).iter().map(|(_, reception)| reception.is_some()).collect::<Vec<_>>();
    assert_eq!(arrived(&first[0]), [true, false, true, true]);
    assert_eq!(arrived(&second[0]), [true, true, true, false, true], "from the late one on");
    for report in [first, second].concat() {
        link.a.handle_rtcp(&report, at(310));
    }
    assert_eq!((link.a.stats().transport_arrived, link.a.stats().transport_lost), (5, 1));
}

#[test]
fn what_came_more_than_eight_seconds_before_the_report_came_at_no_time() {
    let mut link = link();
    let packets = sent(&mut link, 2);
    link.z.handle_rtp(&packets[0], Ecn::NotEct, at(0));
    link.z.handle_rtp(&packets[1], Ecn::NotEct, at(3));
    let all = reports(&mut link.z, 8000, 1180);
    let offsets: Vec<_> = told(&all[0]).iter().map(|(_, it)| it.map(|it| it.offset)).collect();
    assert_eq!(offsets, [Some(ArrivalTimeOffset::OverRange), Some(ArrivalTimeOffset::Ticks(8189))]);
    link.a.handle_rtcp(&all[0], at(8000));
    // It is no loss, and says nothing of the path.
    assert_eq!(reported(&mut link.a).iter().map(|it| it.sequence).collect::<Vec<_>>(), [1]);
    assert_eq!((link.a.stats().transport_arrived, link.a.stats().transport_lost), (2, 0));
}

#[test]
fn reports_are_split_where_a_packet_holds_no_more() {
    for room in [24, 25, 26, 27, 28, 100, 150] {
        let mut link = link();
        let packets = sent(&mut link, 101);
        for packet in &packets {
            link.z.handle_rtp(packet, Ecn::NotEct, at(100));
        }
        let all = reports(&mut link.z, 300, room);
        assert!(all.iter().all(|report| report.len() <= room), "{room}");
        let numbers: Vec<_> = all.iter().flat_map(|report| told(report)).map(|((_, number), _)| number).collect();
        assert_eq!(numbers, packets.iter().map(|packet| number(packet)).collect::<Vec<_>>());
        assert!(link.z.poll_timeout(at(300)).is_none_or(|next| next > at(300)));
        for report in all {
            link.a.handle_rtcp(&report, at(300));
        }
        assert_eq!(link.a.stats().transport_arrived, 101);
    }
    // In less room there is no report, and it stays owed.
    let mut link = link();
    let packets = sent(&mut link, 1);
    link.z.handle_rtp(&packets[0], Ecn::NotEct, at(0));
    assert_eq!(reports(&mut link.z, 200, 23), Vec::<Vec<u8>>::new());
    assert_eq!(link.z.poll_timeout(at(200)), Some(at(200)));
    assert_eq!(reports(&mut link.z, 200, 24).len(), 1);
}

#[test]
fn what_is_sent_again_in_a_stream_of_its_own_and_padding_are_told_of() {
    let mut link = link();
    let rtx = RtxPayloadType::new(97, VIDEO.number);
    let mut config = sender(link.ssrc);
    (config.ccfb, config.rtx) = (true, Some(RtxStream::new(link.ssrc + 1, vec![rtx])));
    link.a.update_sender(link.sender, config).expect("there");
    let mut config = receiver();
    (config.ccfb, config.nack, config.rtx) = (true, true, vec![rtx]);
    config.rtx_ssrcs = vec![(link.ssrc, link.ssrc + 1)];
    link.z.update_receiver(link.receiver, config).expect("there");
    link.a.set_paced(true);
    let mut out = Vec::new();
    let mut all = Vec::new();
    for n in 0..3 {
        link.send(packet(n));
        assert!(link.a.poll_paced(at(n), 1180, &mut out));
        all.push(std::mem::take(&mut out));
    }
    for n in [0, 2] {
        link.z.handle_rtp(&all[n], Ecn::NotEct, at(3));
    }
    link.z.handle_timeout(at(30));
    while link.z.poll_rtcp(at(30), 1180, &mut out) {
        link.a.handle_rtcp(&std::mem::take(&mut out), at(30));
    }
    assert!(link.a.poll_paced(at(40), 1180, &mut out), "what was missed");
    assert_eq!(Packet::parse(&out).expect("RTP").ssrc, link.ssrc + 1);
    link.z.handle_rtp(&std::mem::take(&mut out), Ecn::NotEct, at(50));
    assert!(link.a.poll_padding(at(41), 100, 1180, &mut out));
    link.z.handle_rtp(&out, Ecn::NotEct, at(51));
    for report in reports(&mut link.z, 200, 1180) {
        link.a.handle_rtcp(&report, at(200));
    }
    let told: Vec<_> = reported(&mut link.a).iter().map(|it| (it.sequence, it.arrival.is_some())).collect();
    assert_eq!(told, [(0, true), (1, false), (2, true), (3, true), (4, true)]);
}

/// RFC 8888 §3.1, by hand.
#[test]
fn reports_that_others_write_are_read() {
    let mut link = link();
    let packets = sent(&mut link, 5);
    let first = number(&packets[0]);
    // The fifth has arrived 512/1024 s before the time, the second longer ago than can be said, the third nobody knows when; the fourth has not.
    let metrics = [0x8000 | 0x400, 0x8000 | 0x1ffe, 0xffff, 0x7fff, 0xa000 | 0x200];
    link.a.handle_rtcp(&report(&[(link.ssrc, first, &metrics)], 7 << 16), at(100));
    let told = reported(&mut link.a);
    let times: Vec<_> = told.iter().map(|it| (it.sequence, it.ecn, it.arrival.is_some())).collect();
    assert_eq!(times, [(0, Ecn::NotEct, true), (3, Ecn::NotEct, false), (4, Ecn::Ect1, true)]);
    let distance = told[2].arrival.zip(told[0].arrival).map(|(last, first)| last - first);
    assert_eq!(distance, Some(Duration::from_millis(500)));
    assert_eq!((link.a.stats().transport_arrived, link.a.stats().transport_lost), (4, 1));
}

#[test]
fn numbers_begin_anew_within_a_report() {
    let mut link = link();
    let mut numbers = Vec::new();
    for (n, sequence) in [0xfffe, 0xffff, 0, 1].into_iter().enumerate() {
        let mut packet = packet(n as u32);
        packet.sequence = Some(sequence);
        link.send(packet);
        let mut out = Vec::new();
        assert!(link.a.poll_rtp(at(n as u32), 1180, &mut out));
        link.z.handle_rtp(&out, Ecn::NotEct, at(n as u32));
        numbers.push(sequence);
    }
    let all = reports(&mut link.z, 100, 1180);
    assert_eq!(told(&all[0]).iter().map(|((_, number), _)| *number).collect::<Vec<_>>(), numbers);
    link.a.handle_rtcp(&all[0], at(100));
    assert_eq!(link.a.stats().transport_arrived, 4);
}

#[test]
fn reports_that_lie_are_counted_and_tell_nothing() {
    let mut link = link();
    let packets = sent(&mut link, 4);
    let first = number(&packets[0]);
    let arrived = 0x8000;
    // Nobody's source; numbers that were never sent, before and behind.
    link.a.handle_rtcp(&report(&[(link.ssrc + 7, first, &[arrived; 4])], 100 << 16), at(10));
    link.a.handle_rtcp(&report(&[(link.ssrc, first.wrapping_sub(3), &[arrived, arrived, 0])], 100 << 16), at(10));
    link.a.handle_rtcp(&report(&[(link.ssrc, first.wrapping_add(4), &[0; 40])], 100 << 16), at(10));
    assert_eq!(reported(&mut link.a), []);
    assert_eq!((link.a.stats().dropped_feedback_unknown, link.a.stats().transport_lost), (47, 0));
    // Time goes back, and leaps.
    link.a.handle_rtcp(&report(&[(link.ssrc, first, &[arrived])], 97 << 16), at(20));
    link.a.handle_rtcp(&report(&[(link.ssrc, first, &[arrived])], 5000 << 16), at(30));
    assert_eq!(reported(&mut link.a), []);
    assert_eq!((link.a.stats().dropped_feedback_time, link.a.stats().transport_arrived), (2, 0));
    // More than a quarter of all numbers, and blocks that end too soon.
    let many = report(&[(link.ssrc, first, &[arrived; 16_385])], 5000 << 16);
    link.a.handle_rtcp(&many, at(40));
    for cut in [4, 8] {
        let mut bytes = report(&[(link.ssrc, first, &[arrived, arrived])], 5000 << 16);
        bytes.drain(16..16 + cut);
        bytes[3] -= (cut / 4) as u8;
        link.a.handle_rtcp(&bytes, at(40));
    }
    assert_eq!(reported(&mut link.a), []);
    let stats = link.a.stats();
    assert_eq!((stats.dropped_malformed_rtcp, stats.congestion_feedbacks_received), (3, 5));
    // One that does not lie is taken after all of that.
    link.a.handle_rtcp(&report(&[(link.ssrc, first, &[arrived; 4])], 5000 << 16), at(50));
    assert_eq!(reported(&mut link.a).len(), 4);
}

/// Each kind of feedback speaks of the packets that were sent for it.
#[test]
fn transport_wide_feedback_says_nothing_of_what_is_reported_by_stream() {
    let mut link = link();
    sent(&mut link, 4);
    // draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1: the first four packets of the transport arrived, a run of small deltas.
    let feedback = [0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 1, 0, 0x20, 4, 0, 0, 0, 0, 0, 0];
    link.a.handle_rtcp(&feedback, at(10));
    assert_eq!(reported(&mut link.a), []);
    assert_eq!((link.a.stats().transport_feedbacks_received, link.a.stats().transport_arrived), (1, 0));
}

#[test]
fn sources_and_numbers_that_leap_are_bounded() {
    let mut z = session("z", 1);
    let mut config = receiver();
    (config.ccfb, config.nack, config.rtx) = (true, false, vec![RtxPayloadType::new(97, VIDEO.number)]);
    z.add_receiver(config).expect("added");
    z.set_reduced_size(true);
    let rtp = |ssrc: u32, sequence: u16, payload_type: u8| {
        [&[0x80, payload_type], &sequence.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes(), b"\0\0payload"].concat()
    };
    z.handle_rtp(&rtp(1, 0, 96), Ecn::NotEct, at(0));
    // Streams of retransmissions, which begin without further ado.
    let mut bytes = 0;
    for n in 0..30_000u32 {
        let millis = n / 20;
        let (ssrc, sequence) = (100 + n % 3000, (n / 3000 * 900) as u16);
        z.handle_rtp(&rtp(ssrc, sequence, 97), Ecn::NotEct, at(millis));
        assert!(z.load().held <= z.load().bound, "{:?}", z.load());
        if n % 2000 == 1999 {
            bytes += reports(&mut z, millis, 1180).iter().map(Vec::len).sum::<usize>();
        }
    }
    assert!(bytes > 0 && bytes < 30_000 * 900 * 2, "{bytes}");
    // When they have been silent, others are told of.
    z.handle_rtp(&rtp(9, 0, 97), Ecn::NotEct, at(60_000));
    let told: Vec<_> = reports(&mut z, 60_200, 1180).iter().flat_map(|report| told(report)).collect();
    assert_eq!(told.last().map(|(name, _)| *name), Some((9, 0)));
}

proptest! {
    /// Whatever comes in whatever order, twice or never, and however little room there is: what is told is what happened, nothing is taken back,
    /// and all that did not come very late is told.
    #[test]
    fn what_is_told_of_each_packet_is_so(
        fates in prop::collection::vec(
            (prop::option::weighted(0.9, prop_oneof![8 => 0u32..3, 2 => 0u32..60, 1 => 0u32..400]), 0u8..4, any::<bool>()), 2..300),
        rooms in prop::collection::vec(prop_oneof![24usize..60, 60usize..1180], 1..20),
    ) {
        let mut link = link();
        let packets = sent(&mut link, fates.len() as u32);
        let mut all = Vec::new();
        for (n, (late, ecn, is_doubled)) in fates.iter().enumerate() {
            let Some(late) = late else { continue };
            all.push((n as u32 + late, n, Ecn::from_bits(*ecn)));
            all.extend(is_doubled.then_some((n as u32 + late + 5, n, Ecn::Ce)));
        }
        all.sort_by_key(|(when, n, _)| (*when, *n));
        let (mut arrived, mut known, mut rooms) = (BTreeMap::new(), BTreeSet::new(), rooms.iter().cycle());
        let mut tell = |link: &mut Link, arrived: &BTreeMap<u16, (u32, Ecn)>, millis: u32, room: usize| {
            for report in reports(&mut link.z, millis, room) {
                assert!(report.len() <= room);
                for ((ssrc, sequence), reception) in told(&report) {
                    assert_eq!(ssrc, link.ssrc);
                    let expected = arrived.get(&sequence);
                    assert_eq!(reception.map(|it| it.ecn), expected.map(|(_, ecn)| *ecn), "{sequence}");
                    let Some((when, reception)) = expected.map(|(when, _)| *when).zip(reception) else { continue };
                    known.insert(sequence);
                    let exact = (millis - when) * 1024 / 1000;
                    match reception.offset {
                        ArrivalTimeOffset::Ticks(ticks) => assert!(u32::from(ticks).abs_diff(exact) <= 1),
                        ArrivalTimeOffset::OverRange => assert!(exact >= 8189),
                        ArrivalTimeOffset::Unavailable => panic!("it is known when it came"),
                    }
                }
                link.a.handle_rtcp(&report, at(millis));
            }
            known.len()
        };
        for (when, n, ecn) in &all {
            let (sequence, millis) = (number(&packets[*n]), 7 * when);
            link.z.handle_rtp(&packets[*n], *ecn, at(millis));
            let (_, mark) = arrived.entry(sequence).or_insert((millis, *ecn));
            if *ecn == Ecn::Ce {
                *mark = Ecn::Ce;
            }
            tell(&mut link, &arrived, millis, *rooms.next().expect("for ever"));
        }
        let end = all.last().map_or(0, |(when, ..)| 7 * when) + 200;
        let known = tell(&mut link, &arrived, end, 1180);
        prop_assert!(link.z.poll_timeout(at(end)).is_none_or(|next| next > at(end)));
        let is_punctual = fates.iter().filter_map(|(late, ..)| *late).all(|late| late < 55);
        prop_assert!(!is_punctual || known == arrived.len(), "{known} of {}", arrived.len());
        // What is so old when it is told that it has no time is not told to be lost, either.
        prop_assert_eq!(link.a.stats().transport_arrived, known as u64);
        prop_assert_eq!(link.a.stats().dropped_feedback_unknown + link.a.stats().dropped_feedback_time, 0);
    }
}
