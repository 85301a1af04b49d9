//! What is asked for again and again while it waits, and what the peer's reports then mean.

use crate::common::{Link, at, packet};
use wigwag_rtp::Event;
use wigwag_rtp::header::Packet;
use wigwag_sansio::Ecn;

/// RFC 4585 §6.2.1: that these are missing, each by itself.
fn nack(ssrc: u32, missing: &[u16]) -> Vec<u8> {
    let words = 2 + missing.len() as u16;
    let head = [&[0x81, 205], &words.to_be_bytes()[..], &9u32.to_be_bytes(), &ssrc.to_be_bytes()].concat();
    missing.iter().fold(head, |bytes, sequence| [&bytes, &sequence.to_be_bytes()[..], &[0, 0]].concat())
}

/// A at a pace has sent so many packets, and with what numbers.
fn sent(count: u32) -> (Link, Vec<u16>) {
    let mut link = Link::new();
    link.a.set_paced(true);
    let mut numbers = Vec::new();
    for n in 0..count {
        link.send(packet(n));
        let mut out = Vec::new();
        assert!(link.a.poll_paced(at(0), 1180, &mut out));
        numbers.push(Packet::parse(&out).expect("RTP").sequence);
        link.a_to_z.push(out);
    }
    (link, numbers)
}

fn leave(link: &mut Link, millis: u32) -> Vec<u16> {
    let mut numbers = Vec::new();
    let mut out = Vec::new();
    while link.a.poll_paced(at(millis), 1180, &mut out) {
        numbers.push(Packet::parse(&out).expect("RTP").sequence);
        out.clear();
    }
    numbers
}

#[test]
fn what_waits_for_its_pace_and_is_asked_for_again_leaves_once() {
    let (mut link, numbers) = sent(3);
    for n in 1..8 {
        link.a.handle_rtcp(&nack(link.ssrc, &[numbers[1]]), at(200 * n));
    }
    assert_eq!(leave(&mut link, 1_500), [numbers[1]]);
    // It has left just now, whenever it was asked for: there was no time to hear of it.
    link.a.handle_rtcp(&nack(link.ssrc, &[numbers[1]]), at(1_510));
    assert_eq!(leave(&mut link, 1_510), []);
    link.a.handle_rtcp(&nack(link.ssrc, &[numbers[1]]), at(1_700));
    assert_eq!(leave(&mut link, 1_700), [numbers[1]]);
}

#[test]
fn what_finds_no_room_may_be_asked_for_at_once_when_there_is_some() {
    let (mut link, numbers) = sent(200);
    link.a.handle_rtcp(&nack(link.ssrc, &numbers), at(10));
    let first = leave(&mut link, 10);
    assert_eq!(first, numbers[..first.len()]);
    assert!(first.len() < 200);
    // However often it was refused.
    for n in 0..20 {
        link.a.handle_rtcp(&nack(link.ssrc, &numbers), at(1_000 * n + 1_000));
    }
    leave(&mut link, 30_000);
    link.a.handle_rtcp(&nack(link.ssrc, &numbers[first.len()..]), at(30_001));
    assert_eq!(leave(&mut link, 30_001), numbers[first.len()..]);
}

/// A packet that comes under its old number, in the transport too, when it was sent again, did not arrive when it was sent first.
#[test]
fn what_was_lost_and_sent_again_under_its_own_number_was_lost() {
    // The report comes before it was asked for, or after it has come again.
    for is_told_first in [true, false] {
        let (mut link, numbers) = sent(5);
        for n in [0, 1, 3, 4] {
            let bytes = link.a_to_z[n].clone();
            link.z.handle_rtp(&bytes, Ecn::NotEct, at(20));
        }
        let mut told = Vec::new();
        if is_told_first {
            told.extend(tell(&mut link, 130));
        }
        link.a.handle_rtcp(&nack(link.ssrc, &[numbers[2]]), at(140));
        let mut out = Vec::new();
        assert!(link.a.poll_paced(at(150), 1180, &mut out));
        assert_eq!(out, link.a_to_z[2], "to the last bit");
        link.z.handle_rtp(&out, Ecn::NotEct, at(160));
        told.extend(tell(&mut link, 400));
        told.sort_unstable();
        let expected: Vec<_> = (0..5).map(|n| (n, n != 2)).collect();
        assert_eq!(told, expected, "told first: {is_told_first}");
        assert_eq!((link.a.stats().transport_arrived, link.a.stats().transport_lost), (4, 1));
    }
}

/// What Z reports until then, and whether it arrived.
fn tell(link: &mut Link, millis: u32) -> Vec<(u64, bool)> {
    link.z.handle_timeout(at(millis));
    let mut out = Vec::new();
    while link.z.poll_rtcp(at(millis), 1180, &mut out) {
        // Only what Z says of the transport: what is asked for is written here.
        let is_feedback = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == [0x8f, 205]);
        if is_feedback(&out) {
            link.a.handle_rtcp(&out, at(millis));
        }
        out.clear();
    }
    let told = std::iter::from_fn(|| link.a.poll_event()).flat_map(|event| match event {
        Event::TransportFeedback(reported) => reported,
        _ => Vec::new(),
    });
    told.map(|reported| (reported.sequence, reported.arrival.is_some())).collect()
}
