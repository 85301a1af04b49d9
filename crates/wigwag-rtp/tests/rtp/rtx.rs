//! Retransmissions in a stream of their own (RFC 4588).

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wigwag_rtp::header::Packet;
use wigwag_rtp::{AudioLevel, Error, Event, Received, RtpPacket, RtxPayloadType, RtxStream, SenderConfig, Session};
use wigwag_sansio::Ecn;

const RTX: RtxPayloadType = RtxPayloadType::new(97, VIDEO.number);
const RTX_SSRC: u32 = 0x0eee_eeee;

fn sends_again(ssrc: u32) -> SenderConfig {
    let mut config = sender(ssrc);
    config.rtx = Some(RtxStream::new(RTX_SSRC, vec![RTX]));
    config
}

/// A sends video to Z, and what is lost in a stream of its own; whether Z's description says which.
fn link(is_described: bool) -> Link {
    let mut link = Link::new();
    link.a.update_sender(link.sender, sends_again(link.ssrc)).expect("there");
    let mut config = receiver();
    config.rtx = vec![RTX];
    if is_described {
        (config.ssrcs, config.rtx_ssrcs) = (vec![link.ssrc], vec![(link.ssrc, RTX_SSRC)]);
    }
    link.z.update_receiver(link.receiver, config).expect("there");
    link
}

/// A packet as it is sent again: number 5 of such, original number `osn`.
fn again(ssrc: u32, number: u16, osn: u16, payload: &[u8]) -> Vec<u8> {
    let head = [&[0x80, RTX.number], &number.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes()].concat();
    [&head, &osn.to_be_bytes()[..], payload].concat()
}

fn first(ssrc: u32, number: u16) -> Vec<u8> {
    [&[0x80, VIDEO.number], &number.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes(), b"payload"].concat()
}

fn received(session: &mut Session) -> Vec<Received> {
    let packet = |event| match event {
        Event::Packet(received) => Some(received),
        _ => None,
    };
    std::iter::from_fn(|| session.poll_event()).filter_map(packet).collect()
}

/// RFC 6464, by hand: voice, 30 dB below the loudest.
#[test]
fn what_comes_again_is_as_loud_as_it_was() {
    let mut link = link(true);
    let mut config = receiver();
    (config.rtx, config.ssrcs, config.rtx_ssrcs) = (vec![RTX], vec![link.ssrc], vec![(link.ssrc, RTX_SSRC)]);
    config.extensions.audio_level = Some(7);
    link.z.update_receiver(link.receiver, config).expect("there");
    link.z.handle_rtp(&first(link.ssrc, 100), Ecn::NotEct, at(0));
    link.z.handle_rtp(&first(link.ssrc, 102), Ecn::NotEct, at(1));
    let mut packet = again(RTX_SSRC, 5, 101, b"payload");
    packet[0] |= 0x10;
    packet.splice(12..12, [0xbe, 0xde, 0, 1, 7 << 4, 0x80 | 30, 0, 0]);
    link.z.handle_rtp(&packet, Ecn::NotEct, at(2));
    let told = received(&mut link.z);
    let of_again = told.iter().find(|found| found.packet.sequence == Some(101)).expect("it came");
    assert_eq!(of_again.packet.audio_level, Some(AudioLevel { is_voice: true, level: 30 }));
}

#[test]
fn what_is_lost_comes_again_under_other_numbers_and_is_told_as_what_it_was() {
    for is_described in [true, false] {
        let mut link = link(is_described);
        link.loses(|n| n == 3 || n == 4);
        for n in 0..10 {
            link.send(packet(n));
            link.run(at(20 * n));
        }
        link.run(at(2_000));
        let sent: Vec<_> = link.a_to_z.iter().map(|bytes| Packet::parse(bytes).expect("RTP")).collect();
        let of_rtx: Vec<_> = sent.iter().filter(|packet| packet.ssrc == RTX_SSRC).collect();
        assert_eq!(of_rtx.len(), 2);
        assert_eq!(of_rtx[1].sequence, of_rtx[0].sequence.wrapping_add(1), "numbers of its own");
        for (packet, n) in of_rtx.iter().zip([3u32, 4]) {
            assert_eq!((packet.payload_type, packet.timestamp), (97, n * 1800));
            assert_eq!(packet.payload[..2], sent[n as usize].sequence.to_be_bytes());
            assert_eq!(packet.payload[2..], n.to_be_bytes());
        }
        let told = link.received();
        assert_eq!(told.len(), 10, "each once");
        let mut numbers: Vec<_> =
            told.iter().map(|found| (found.extended_sequence, found.packet.timestamp / 1800)).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().map(|(_, n)| *n).eq(0..10) && numbers[9].0 == numbers[0].0 + 9, "{numbers:?}");
        assert!(told.iter().all(|found| found.ssrc == link.ssrc && found.packet.payload_type == VIDEO.number));
        let stats = link.receiver_stats();
        assert_eq!((stats.packets_received, stats.retransmitted_packets_received), (10, 2));
        assert_eq!((stats.packets_recovered, stats.rtx_ssrc, stats.packets_lost), (2, Some(RTX_SSRC), 2));
        assert_eq!(stats.retransmitted_bytes_received, 8, "without the original number");
        let stats = link.a.sender_stats(link.sender).expect("there");
        assert_eq!((stats.packets_sent, stats.packets_resent, stats.bytes_resent), (10, 2, 8));
        assert_eq!(link.a.stats().transport_arrived, 10, "and those that came again are told of: {:?}", link.a.stats());
    }
}

#[test]
fn whichever_comes_first_of_both_is_told_and_the_other_is_not() {
    let mut z = session("z", 1);
    let mut config = receiver();
    config.rtx = vec![RTX];
    z.add_receiver(config).expect("added");
    for number in [10, 12, 14] {
        z.handle_rtp(&first(7, number), Ecn::NotEct, at(0));
    }
    z.handle_rtp(&again(8, 500, 11, b"eleven"), Ecn::NotEct, at(5));
    z.handle_rtp(&first(7, 11), Ecn::NotEct, at(6));
    z.handle_rtp(&first(7, 13), Ecn::NotEct, at(7));
    z.handle_rtp(&again(8, 501, 13, b"thirteen"), Ecn::NotEct, at(8));
    let told: Vec<_> = received(&mut z).into_iter().map(|found| found.packet).collect();
    let numbers: Vec<_> = told.iter().filter_map(|packet| packet.sequence).collect();
    assert_eq!(numbers, [10, 12, 14, 11, 13]);
    assert_eq!((&told[3].payload[..], &told[4].payload[..]), (&b"eleven"[..], &b"payload"[..]));
    assert_eq!((z.stats().dropped_duplicates, z.stats().dropped_retransmissions), (1, 1));
}

#[test]
fn of_several_sources_the_one_that_misses_the_packet_gets_it() {
    let mut z = session("z", 1);
    let mut config = receiver();
    config.rtx = vec![RTX];
    z.add_receiver(config).expect("added");
    for number in [10, 12] {
        z.handle_rtp(&first(1, number), Ecn::NotEct, at(0));
        z.handle_rtp(&first(2, number + 20), Ecn::NotEct, at(0));
    }
    z.handle_rtp(&again(9, 1, 31, b"of two"), Ecn::NotEct, at(1));
    z.handle_rtp(&again(8, 1, 11, b"of one"), Ecn::NotEct, at(1));
    z.handle_rtp(&again(8, 2, 50, b"of nobody"), Ecn::NotEct, at(1));
    let told: Vec<_> = received(&mut z).into_iter().skip(4).map(|found| (found.ssrc, found.packet.sequence)).collect();
    assert_eq!(told, [(2, Some(31)), (1, Some(11))]);
    assert_eq!(z.stats().dropped_retransmissions, 1);
}

#[test]
fn what_cannot_be_what_it_says_is_dropped_and_counted() {
    let mut z = session("z", 1);
    let mut config = receiver();
    config.rtx = vec![RTX];
    let id = z.add_receiver(config).expect("added");
    let hostile = [
        again(8, 1, 11, b"before the first packet of any source"),
        again(8, 2, 0, b"")[..12].to_vec(),
        again(8, 3, 0, b"")[..13].to_vec(),
        again(8, 4, 13, b"ahead of all that came"),
        again(8, 5, 0x8000, b"on the other side of the circle"),
        again(8, 6, 12u16.wrapping_sub(1024), b"long gone"),
        again(8, 7, 12, b"it has arrived"),
    ];
    z.handle_rtp(&hostile[0], Ecn::NotEct, at(0));
    for number in [10, 12] {
        z.handle_rtp(&first(7, number), Ecn::NotEct, at(0));
    }
    for bytes in &hostile[1..] {
        z.handle_rtp(bytes, Ecn::NotEct, at(1));
    }
    assert_eq!(z.stats().dropped_retransmissions, hostile.len() as u64);
    assert_eq!(received(&mut z).len(), 2);
    assert_eq!(z.receiver_stats(id).count(), 1, "what is sent again is no source of its own");
    z.handle_rtp(&again(8, 8, 11, b"but this is"), Ecn::NotEct, at(2));
    assert_eq!(received(&mut z).len(), 1);
}

#[test]
fn a_packet_that_became_too_long_is_sent_again_as_it_was() {
    let mut link = Link::new();
    let longest = link.a.payload_len_max(link.sender).expect("there");
    link.send(RtpPacket::new(VIDEO.number, 0, Bytes::from(vec![1; longest])));
    link.send(packet(1));
    link.send(packet(2));
    let mut sent = Vec::new();
    for _ in 0..3 {
        let mut out = Vec::new();
        assert!(link.a.poll_rtp(at(0), 1180, &mut out));
        sent.push(out);
    }
    link.a.update_sender(link.sender, sends_again(link.ssrc)).expect("there");
    assert_eq!(link.a.payload_len_max(link.sender), Some(longest - 2));
    let first = Packet::parse(&sent[0]).expect("RTP").sequence;
    let nack = [&[0x81, 205, 0, 3], &[0; 4][..], &link.ssrc.to_be_bytes(), &first.to_be_bytes(), &[0, 1]].concat();
    link.a.handle_rtcp(&nack, at(50));
    let mut out = Vec::new();
    assert!(link.a.poll_rtp(at(50), 1180, &mut out));
    assert_eq!(out, sent[0]);
    out.clear();
    assert!(!link.a.poll_rtp(at(50), 14, &mut out), "no room");
    assert!(link.a.poll_rtp(at(50), 1180, &mut out));
    assert_eq!(Packet::parse(&out).expect("RTP").ssrc, RTX_SSRC);
}

#[test]
fn padding_is_sent_among_what_is_sent_again_at_any_time() {
    let mut link = link(true);
    link.a.set_paced(true);
    let mut numbered = packet(0);
    numbered.sequence = Some(77);
    link.send(numbered);
    let mut out = Vec::new();
    assert!(link.a.poll_paced(at(0), 1180, &mut out), "within a picture, and with a number of somebody's");
    link.z.handle_rtp(&out, Ecn::NotEct, at(0));
    for n in 0u16..3 {
        let mut out = Vec::new();
        assert!(link.a.poll_padding(at(1), 200, 1180, &mut out));
        let packet = Packet::parse(&out).expect("RTP");
        assert_eq!((packet.ssrc, packet.payload_type, packet.payload.len()), (RTX_SSRC, 97, 0));
        link.z.handle_rtp(&out, Ecn::NotEct, at(1));
        assert_eq!(link.z.stats().dropped_retransmissions, u64::from(n) + 1);
    }
    assert_eq!((link.receiver_stats().packets_received, link.receiver_stats().packets_lost), (1, 0));
    link.run(at(500));
    assert_eq!(link.a.stats().transport_arrived, 4, "it is told of");
}

#[test]
fn sources_and_payload_types_must_be_free_and_possible() {
    let mut a = session("a", 1);
    a.add_sender(sends_again(1)).expect("added");
    assert_eq!(a.add_sender(sender(RTX_SSRC)).err(), Some(Error::SsrcInUse(RTX_SSRC)));
    assert_eq!(a.add_sender(sends_again(2)).err(), Some(Error::SsrcInUse(RTX_SSRC)));
    let id = a.add_sender(sender(3)).expect("added");
    let with = |ssrc, number| {
        let mut config = sender(3);
        config.rtx = Some(RtxStream::new(ssrc, vec![RtxPayloadType::new(number, 96)]));
        config
    };
    assert_eq!(a.update_sender(id, with(1, 97)).err(), Some(Error::SsrcInUse(1)));
    assert_eq!(a.update_sender(id, with(3, 97)).err(), Some(Error::SsrcInUse(3)));
    assert_eq!(a.update_sender(id, with(4, 128)).err(), Some(Error::PayloadType(128)));
    a.update_sender(id, with(4, 97)).expect("possible");
    a.update_sender(id, with(4, 98)).expect("its own");
    let mut config = receiver();
    config.rtx = vec![RtxPayloadType::new(200, 96)];
    assert_eq!(a.add_receiver(config).err(), Some(Error::PayloadType(200)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, late, or comes twice: each packet that was sent is told once, and no other.
    #[test]
    fn every_packet_is_told_once(
        is_described: bool,
        fates in prop::collection::vec(prop_oneof![1 => Just(None), 6 => (0u32..5).prop_map(Some), 1 => (0u32..60).prop_map(Some)], 1..150),
        twice in prop::collection::vec(prop::bool::weighted(0.1), 1..50),
    ) {
        let mut link = link(is_described);
        let (mut flight, mut told) = (BTreeMap::new(), BTreeMap::<u32, u32>::new());
        let (mut sent, mut number, mut out) = (0u32, 0usize, Vec::new());
        for millis in 0..6_000u32 {
            if millis % 10 == 0 && sent < 200 {
                link.send(packet(sent));
                sent += 1;
            }
            let now = at(millis);
            while link.a.poll_rtp(now, 1180, &mut out) {
                // The first and the last are not lost: of what was before or after, nobody knows.
                let comes = number == 0 || sent == 200;
                let fate = if comes { Some(0) } else { fates[number % fates.len()] };
                if let Some(late) = fate {
                    flight.insert((millis + 5 + late, number), out.clone());
                }
                number += 1;
                out.clear();
            }
            while let Some(entry) = flight.first_entry().filter(|entry| entry.key().0 <= millis) {
                let (_, number) = *entry.key();
                let bytes = entry.remove();
                link.z.handle_rtp(&bytes, Ecn::NotEct, now);
                // SRTP knows a packet that comes twice, but not one that was sent twice.
                if twice[number % twice.len()] && Packet::parse(&bytes).is_ok_and(|packet| packet.ssrc == RTX_SSRC) {
                    link.z.handle_rtp(&bytes, Ecn::NotEct, now);
                }
            }
            link.z.handle_timeout(now);
            while link.z.poll_rtcp(now, 1180, &mut out) {
                link.a.handle_rtcp(&out, now);
                out.clear();
            }
            link.a.handle_timeout(now);
            for found in received(&mut link.z) {
                *told.entry(found.packet.timestamp / 1800).or_default() += 1;
                prop_assert_eq!(&found.packet.payload[..], (found.packet.timestamp / 1800).to_be_bytes());
            }
        }
        prop_assert!(told.iter().all(|(_, times)| *times == 1), "{:?}", told);
        prop_assert_eq!(told.len(), 200);
    }
}
