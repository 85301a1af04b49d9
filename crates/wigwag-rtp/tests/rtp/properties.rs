//! Any schedule of loss, delay and calls.

use crate::common::{Link, VIDEO, at, packet, sender};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wigwag_rtp::{AudioLevel, Config, Event, Extensions, RtpPacket, SendError, SenderId, Session};
use wigwag_sansio::{Ecn, Seed};

/// What happens to a packet: lost, or so many milliseconds late.
fn fates() -> impl Strategy<Value = Vec<Option<u32>>> {
    let fate = prop_oneof![1 => Just(None), 6 => (0u32..5).prop_map(Some), 1 => (0u32..60).prop_map(Some)];
    prop::collection::vec(fate, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// All that is lost is asked for until it comes, ten times, and what is sent again is the same to the last bit.
    #[test]
    fn whatever_is_lost_comes_in_the_end(fates in fates()) {
        let mut link = Link::new();
        let (mut flight, mut bytes_of) = (BTreeMap::new(), BTreeMap::<u16, (usize, Vec<u8>)>::new());
        let (mut received, mut sent, mut number) = (BTreeSet::new(), 0u32, 0usize);
        let mut out = Vec::new();
        // The first and the last are not lost: of what was before or after, nobody knows.
        for millis in 0..6_000u32 {
            if millis % 10 == 0 && sent < 200 {
                link.send(packet(sent));
                sent += 1;
            }
            let now = at(millis);
            while link.a.poll_rtp(now, 1180, &mut out) {
                let sequence = u16::from_be_bytes([out[2], out[3]]);
                let (times, first) = bytes_of.entry(sequence).or_insert_with(|| (0, out.clone()));
                prop_assert_eq!(&out, first);
                *times += 1;
                let comes = number == 0 || sent == 200 || *times == 11;
                let fate = if comes { Some(0) } else { fates[number % fates.len()] };
                if let Some(late) = fate {
                    flight.insert((millis + 5 + late, number), out.clone());
                }
                number += 1;
                out.clear();
            }
            while let Some(entry) = flight.first_entry().filter(|entry| entry.key().0 <= millis) {
                link.z.handle_rtp(&entry.remove(), Ecn::NotEct, now);
            }
            link.z.handle_timeout(now);
            while link.z.poll_rtcp(now, 1180, &mut out) {
                link.a.handle_rtcp(&out, now);
                out.clear();
            }
            link.a.handle_timeout(now);
            while let Some(event) = link.z.poll_event() {
                if let Event::Packet(packet) = event {
                    received.insert(packet.packet.timestamp / 1800);
                }
            }
        }
        prop_assert_eq!(received, (0..200).collect::<BTreeSet<_>>());
        prop_assert_eq!(link.a.stats().dropped_malformed_rtcp + link.z.stats().dropped_malformed_rtp, 0);
    }

    /// What transport-wide feedback says is what happened.
    #[test]
    fn arrivals_are_told_as_they_were(
        fates in fates(),
        spacing in prop::sample::select(vec![1u32, 7, 150, 3000, 9000]),
        limit in 60usize..200,
    ) {
        let mut link = Link::new();
        link.no_nack();
        let (mut arrived, mut told, mut out) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut flight = BTreeMap::new();
        let mut feedback = |link: &mut Link, millis: u32| {
            link.z.handle_timeout(at(millis));
            while link.z.poll_rtcp(at(millis), limit, &mut out) {
                assert!(out.len() <= limit);
                link.a.handle_rtcp(&out, at(millis));
                out.clear();
            }
            while let Some(event) = link.a.poll_event() {
                if let Event::TransportFeedback(reported) = event {
                    told.extend(reported.into_iter().map(|reported| (reported.sequence, reported.arrival)));
                }
            }
        };
        let mut bytes = Vec::new();
        for (n, fate) in (0u32..).zip(&fates) {
            let millis = n * spacing;
            while let Some(entry) = flight.first_entry().filter(|entry: &std::collections::btree_map::OccupiedEntry<'_, (u32, u32), Vec<u8>>| entry.key().0 <= millis) {
                let (arrival, number) = *entry.key();
                let packet = entry.remove();
                feedback(&mut link, arrival);
                link.z.handle_rtp(&packet, Ecn::NotEct, at(arrival));
                arrived.insert(u64::from(number), arrival);
            }
            feedback(&mut link, millis);
            link.send(packet(n));
            prop_assert!(link.a.poll_rtp(at(millis), 1180, &mut bytes));
            if let Some(late) = fate {
                flight.insert((millis + late, n), std::mem::take(&mut bytes));
            }
            bytes.clear();
        }
        let end = fates.len() as u32 * spacing;
        for millis in [end + 100, end + 200, end + 5000] {
            feedback(&mut link, millis);
        }
        let mut origin = None;
        for (sequence, arrival) in &told {
            match (arrival, arrived.get(sequence)) {
                (Some(told), Some(real)) => {
                    let difference = told.as_micros() as i64 - i64::from(*real) * 1000;
                    let origin = *origin.get_or_insert(difference);
                    prop_assert!((difference - origin).abs() <= 250, "{}: {} {}", sequence, difference, origin);
                }
                (Some(_), None) => prop_assert!(false, "{} did not arrive", sequence),
                (None, _) => {}
            }
        }
        // But those that came very late, all that arrived is told.
        let missing = arrived.keys().filter(|sequence| !matches!(told.get(sequence), Some(Some(_)))).count();
        prop_assert!(missing <= arrived.len() / 10 + 1, "{} of {}", missing, arrived.len());
    }

    /// Loss as reported is what a simple count says.
    #[test]
    fn reports_count_what_was_lost(fates in prop::collection::vec(any::<bool>(), 2..400)) {
        let mut link = Link::new();
        link.no_nack();
        let mut out = Vec::new();
        let last = fates.len() - 1;
        for (n, is_lost) in fates.iter().enumerate() {
            link.send(packet(n as u32));
            out.clear();
            prop_assert!(link.a.poll_rtp(at(n as u32), 1180, &mut out));
            if !is_lost || n == 0 || n == last {
                link.z.handle_rtp(&out, Ecn::NotEct, at(n as u32));
            }
        }
        let lost = fates[1..last].iter().filter(|is_lost| **is_lost).count();
        prop_assert_eq!(link.receiver_stats().packets_lost, lost as i64);
        let now = link.z.poll_timeout(at(0)).map(|_| at(60_000)).expect("events are owed");
        link.z.handle_timeout(now);
        out.clear();
        while link.z.poll_rtcp(now, 1180, &mut out) {
            link.a.handle_rtcp(&out, now);
            out.clear();
        }
        let stats = link.a.sender_stats(link.sender).expect("there");
        prop_assert_eq!(stats.remote_packets_lost, lost as i32);
        prop_assert_eq!(usize::from(stats.remote_fraction_lost), lost * 256 / fates.len());
        prop_assert!(stats.remote_jitter < Duration::from_secs(1));
    }
}

/// A session that sends video, with these header extensions and identifiers, and packets of at most 200 bytes.
fn sends(extensions: Extensions, mid: &str, rid: &str) -> (Session, SenderId) {
    let mut config = Config::new("a");
    config.packet_len_max = 200;
    let mut session = Session::new(config, Seed::for_test(1));
    let mut sender = sender(session.unused_ssrc());
    (sender.extensions, sender.mid, sender.rid) = (extensions, Some(mid.into()), Some(rid.into()));
    let sender = session.add_sender(sender).expect("added");
    session.handle_timeout(at(0));
    (session, sender)
}

fn payload(len: usize) -> RtpPacket {
    let mut packet = RtpPacket::new(VIDEO.number, 0, Bytes::from(vec![7; len]));
    packet.audio_level = Some(AudioLevel { is_voice: true, level: 3 });
    packet
}

proptest! {
    #[test]
    fn no_header_is_longer_than_what_was_negotiated_allows_and_a_byte_more_of_payload_is_refused(
        numbers in proptest::array::uniform5(proptest::option::of(1_u8..=20)),
        mid in "[a-z]{1,16}",
        rid in "[a-z]{1,16}",
    ) {
        let mut extensions = Extensions::NONE;
        [
            extensions.mid, extensions.rid, extensions.abs_send_time, extensions.audio_level, extensions.transport_cc,
        ] = numbers;
        let (mut session, sender) = sends(extensions, &mid, &rid);
        let longest = (0..=200).rev().find(|len| session.send(sender, payload(*len)).is_ok()).expect("some length");
        prop_assert!(matches!(session.send(sender, payload(longest + 1)), Err(SendError::TooLong(_))));
        prop_assert_eq!(session.send(sender, RtpPacket::new(VIDEO.number, 0, Bytes::from(vec![7; longest]))), Ok(()));
        let (mut out, mut lens) = (Vec::new(), Vec::new());
        while session.poll_rtp(at(0), usize::MAX, &mut out) {
            lens.push(out.len());
            out.clear();
        }
        // With and without a level of sound.
        prop_assert_eq!(lens[0], 200);
        prop_assert!(lens[1] <= 200);
    }
}
