//! Transport-wide feedback, where packets come late.

use crate::common::{Link, VIDEO, at, packet, receiver, sender};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeSet;
use wigwag_rtp::rtcp::{Compound, Message};
use wigwag_rtp::{Kind, PayloadType, ReceiverConfig, RtpPacket, SenderConfig};
use wigwag_sansio::Ecn;

/// Of twenty packets the second comes after the others were told of.
fn late_after_feedback() -> Link {
    let mut link = Link::new();
    link.no_nack();
    link.z.set_reduced_size(true);
    let mut out = Vec::new();
    for n in 0..20u32 {
        link.send(packet(n));
        assert!(link.a.poll_rtp(at(n), 1180, &mut out));
        if n != 1 {
            link.z.handle_rtp(&out, Ecn::NotEct, at(n));
        }
        link.a_to_z.push(std::mem::take(&mut out));
    }
    link.z.handle_timeout(at(100));
    while link.z.poll_event().is_some() {}
    assert!(link.z.poll_rtcp(at(100), 1180, &mut out));
    assert_eq!((told(&out)[1], told(&out).len()), ((1, false), 20));
    let late = link.a_to_z[1].clone();
    link.z.handle_rtp(&late, Ecn::NotEct, at(110));
    while link.z.poll_event().is_some() {}
    link.z.handle_timeout(at(210));
    link
}

/// What a compound says of each packet: its transport-wide number, and whether it arrived.
fn told(compound: &[u8]) -> Vec<(u16, bool)> {
    let arrivals = |message| match message {
        Ok(Message::TransportFeedback(feedback)) => feedback.arrivals().collect(),
        _ => Vec::new(),
    };
    let arrivals = Compound::new(compound).flat_map(arrivals);
    arrivals.map(|arrival| (arrival.sequence, arrival.ticks.is_some())).collect()
}

#[test]
fn what_has_arrived_is_not_told_to_be_missing_when_another_comes_late() {
    let mut link = late_after_feedback();
    let mut out = Vec::new();
    assert!(link.z.poll_rtcp(at(210), 1180, &mut out));
    assert!(told(&out).contains(&(1, true)));
    assert_eq!(told(&out).into_iter().find(|(_, has_arrived)| !has_arrived), None);
}

#[test]
fn feedback_that_finds_little_room_is_not_owed_for_ever() {
    for room in 24..80 {
        let mut link = late_after_feedback();
        let mut out = Vec::new();
        link.z.poll_rtcp(at(210), room, &mut out);
        while link.z.poll_rtcp(at(210), 1180, &mut out) {}
        assert!(link.z.poll_timeout(at(210)).is_none_or(|next| next > at(210)), "after {room} bytes");
    }
}

proptest! {
    /// Whatever comes in whatever order, and however little room there is: none of those that arrived is told to be missing, and
    /// all that did not come very late are told.
    #[test]
    fn what_is_told_of_each_packet_is_so(
        lateness in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![8 => 0u32..3, 2 => 0u32..60, 1 => 0u32..400]), 2..300),
        rooms in prop::collection::vec(prop_oneof![24usize..60, 60usize..1180], 1..20),
    ) {
        let mut link = Link::new();
        link.no_nack();
        link.z.set_reduced_size(true);
        let mut all = Vec::new();
        for (n, late) in (0u32..).zip(&lateness) {
            let mut out = Vec::new();
            link.send(packet(n));
            prop_assert!(link.a.poll_rtp(at(0), 1180, &mut out));
            late.iter().for_each(|late| all.push((n + late, n as u16, out.clone())));
        }
        all.sort();
        let (mut arrived, mut known, mut rooms) = (BTreeSet::new(), BTreeSet::new(), rooms.iter().cycle());
        let mut told_at = |link: &mut Link, arrived: &BTreeSet<u16>, millis, room| {
            let mut out = Vec::new();
            link.z.handle_timeout(at(millis));
            while link.z.poll_event().is_some() {}
            while link.z.poll_rtcp(at(millis), room, &mut out) {
                for (sequence, has_arrived) in told(&out) {
                    assert_eq!(has_arrived, arrived.contains(&sequence), "{sequence}");
                    known.extend(Some(sequence).filter(|_| has_arrived));
                }
                out.clear();
            }
            known.clone()
        };
        let mut highest = 0;
        for (when, sequence, packet) in &all {
            link.z.handle_rtp(packet, Ecn::NotEct, at(7 * when));
            highest = highest.max(*sequence);
            arrived.insert(*sequence);
            told_at(&mut link, &arrived, 7 * when, *rooms.next().expect("for ever"));
        }
        let known = told_at(&mut link, &arrived, 60_000, 1180);
        prop_assert!(link.z.poll_timeout(at(60_000)).is_none_or(|next| next > at(60_000)));
        // In order, or nearly so.
        let is_punctual = lateness.iter().flatten().all(|late| *late < 60);
        prop_assert!(!is_punctual || arrived.is_subset(&known), "{:?}", arrived.difference(&known));
    }
}

/// A path that becomes narrow has seconds of packets in its queue, and they are all told of.
#[test]
fn what_was_sent_before_a_long_queue_is_known_when_it_is_told_of() {
    let mut link = Link::new();
    link.no_nack();
    link.z.set_reduced_size(true);
    let (mut out, mut reports) = (Vec::new(), Vec::new());
    for n in 0..9000u32 {
        let now = at(n / 6);
        link.send(packet(n));
        assert!(link.a.poll_rtp(now, 1180, &mut out));
        link.z.handle_rtp(&out, Ecn::NotEct, now);
        out.clear();
        while link.z.poll_event().is_some() {}
        link.z.handle_timeout(now);
        while link.z.poll_rtcp(now, 1180, &mut out) {
            reports.push(std::mem::take(&mut out));
        }
    }
    let mut told = 0;
    for report in reports {
        link.a.handle_rtcp(&report, at(3500));
        while let Some(event) = link.a.poll_event() {
            if let wigwag_rtp::Event::TransportFeedback(reported) = event {
                told += reported.iter().filter(|reported| reported.arrival.is_some()).count();
            }
        }
    }
    assert!(told > 8000, "{told} of 9000, and the last were not reported yet");
    // What is old gives way.
    for n in 0..5000u32 {
        link.send(packet(n));
        assert!(link.a.poll_rtp(at(20_000), 1180, &mut out));
        out.clear();
    }
    assert!(link.a.load().held <= link.a.load().bound);
}

/// The clock of a report begins anew between two packets of which the later came first: 20 ms lie between them, and not none.
#[test]
fn what_came_before_the_clock_began_anew_came_at_its_end() {
    let mut link = Link::new();
    link.no_nack();
    for n in 0..2u32 {
        link.send(packet(n));
        assert!(link.a.poll_rtp(at(n), 1180, &mut Vec::new()));
    }
    // draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1: from number 0 on two packets, by a reference time of 0; a small delta of 0, and
    // a large one of -80 * 250 µs.
    let head = [0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    let report = [&head[..], &[0xd8, 0x00], &[0], &(-80i16).to_be_bytes(), &[0; 3]].concat();
    link.a.handle_rtcp(&report, at(50));
    let told = std::iter::from_fn(|| link.a.poll_event()).find_map(|event| match event {
        wigwag_rtp::Event::TransportFeedback(reported) => Some(reported),
        _ => None,
    });
    let micros: Vec<_> =
        told.into_iter().flatten().filter_map(|packet| packet.arrival).map(|at| at.as_micros()).collect();
    assert_eq!(micros, [0, (1 << 24) * 64_000 - 20_000]);
}

/// What Z says of packets of a picture, of these others, and of another picture.
fn told_of(link: &mut Link, others: impl FnOnce(&mut Link) -> Vec<Vec<u8>>) -> Vec<(u16, bool)> {
    let mut out = Vec::new();
    link.z.set_reduced_size(true);
    link.send(packet(0));
    link.deliver(at(0));
    others(link).iter().for_each(|other| link.z.handle_rtp(other, Ecn::NotEct, at(1)));
    link.send(packet(1));
    link.deliver(at(2));
    link.z.handle_timeout(at(200));
    while link.z.poll_event().is_some() {}
    assert!(link.z.poll_rtcp(at(200), 1180, &mut out));
    told(&out)
}

fn left(link: &mut Link) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(link.a.poll_rtp(at(0), 1180, &mut out));
    out
}

/// Numbers are those of the transport: what one section does not ask for, the others' reports would miss.
#[test]
fn what_comes_beside_streams_that_are_reported_is_reported_too() {
    const SOUND: PayloadType = PayloadType { number: 0, clock_rate_hz: 8_000 };
    let mut link = Link::new();
    let extensions = sender(1).extensions;
    let mut sends = SenderConfig::new(link.a.unused_ssrc(), Kind::Audio, vec![SOUND]);
    sends.extensions = extensions;
    let speaker = link.a.add_sender(sends).expect("added");
    link.z.add_receiver(ReceiverConfig::new(Kind::Audio, vec![SOUND])).expect("added");
    let sound = |link: &mut Link| {
        link.a.send(speaker, RtpPacket::new(SOUND.number, 0, Bytes::from_static(b"sound"))).expect("room");
        vec![left(link)]
    };
    assert_eq!(told_of(&mut link, sound), [(0, true), (1, true), (2, true)]);
}

#[test]
fn what_is_dropped_has_arrived_all_the_same() {
    const UNKNOWN: PayloadType = PayloadType { number: 99, ..VIDEO };
    let mut link = Link::new();
    let strange = |link: &mut Link| {
        let mut config = sender(link.a.unused_ssrc());
        (config.mid, config.payload_types) = (Some("nobody".into()), vec![UNKNOWN]);
        let other = link.a.add_sender(config.clone()).expect("added");
        let send = |link: &mut Link| {
            link.a.send(other, RtpPacket::new(UNKNOWN.number, 0, Bytes::from_static(b"strange"))).expect("room");
            left(link)
        };
        let of_nobody = send(link);
        config.mid = Some("v".into());
        link.a.update_sender(other, config).expect("there");
        vec![of_nobody, send(link)]
    };
    assert_eq!(told_of(&mut link, strange), [(0, true), (1, true), (2, true), (3, true)]);
    let stats = link.z.stats();
    assert_eq!((stats.dropped_unknown_stream, stats.dropped_unknown_payload_type), (1, 1));
}

#[test]
fn where_nobody_asks_for_reports_there_are_none() {
    let mut link = Link::new();
    let mut config = receiver();
    config.transport_cc = false;
    link.z.update_receiver(link.receiver, config).expect("there");
    for n in 0..20 {
        link.send(packet(n));
    }
    link.deliver(at(0));
    link.run(at(3_000));
    assert_eq!(link.z.stats().transport_feedbacks_sent, 0);
}
