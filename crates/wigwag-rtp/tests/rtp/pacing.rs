//! What leaves at a pace, and padding.

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use bytes::Bytes;
use wigwag_rtp::header::Packet;
use wigwag_rtp::{Event, Kind, PayloadType, RtpPacket, SenderConfig, Session};
use wigwag_sansio::Ecn;

const AUDIO: PayloadType = PayloadType { number: 111, clock_rate_hz: 48_000 };

fn next(poll: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    poll(&mut out).then_some(out)
}

fn ends_a_picture(n: u32) -> RtpPacket {
    let mut packet = packet(n);
    packet.marker = true;
    packet
}

/// One that has sent a picture.
fn between_pictures() -> Link {
    let mut link = Link::new();
    link.a.set_paced(true);
    link.send(ends_a_picture(0));
    let sent = next(|out| link.a.poll_paced(at(0), 1180, out)).expect("it waits");
    link.z.handle_rtp(&sent, Ecn::NotEct, at(0));
    link
}

/// What transport-wide numbers Z tells to have arrived.
fn told(link: &mut Link, millis: u32) -> Vec<u64> {
    link.z.handle_timeout(at(millis));
    while let Some(report) = next(|out| link.z.poll_rtcp(at(millis), 1180, out)) {
        link.a.handle_rtcp(&report, at(millis));
    }
    let reported = std::iter::from_fn(|| link.a.poll_event()).flat_map(|event| match event {
        Event::TransportFeedback(reported) => reported,
        _ => Vec::new(),
    });
    reported.filter(|reported| reported.arrival.is_some()).map(|reported| reported.sequence).collect()
}

#[test]
fn video_waits_for_its_turn_and_audio_does_not() {
    let mut link = Link::new();
    let audio = link.a.add_sender(SenderConfig::new(7, Kind::Audio, vec![AUDIO])).expect("added");
    link.a.set_paced(true);
    for n in 0..3 {
        link.send(packet(n));
    }
    assert_eq!(link.a.poll_timeout(at(5)), None, "video alone is not owed");
    let queue = link.a.paced_queue();
    assert_eq!((queue.packets, queue.bytes, queue.oldest), (3, 12, Some(at(0))));
    link.a.send(audio, RtpPacket::new(111, 0, Bytes::from_static(b"sound"))).expect("room");
    assert_eq!(link.a.poll_timeout(at(5)), Some(at(5)), "sound is");
    let sound = next(|out| link.a.poll_rtp(at(5), 1180, out)).expect("owed");
    assert_eq!(Packet::parse(&sound).expect("RTP").payload, b"sound");
    assert_eq!(next(|out| link.a.poll_rtp(at(5), 1180, out)), None);
    for n in 0u32..3 {
        let sent = next(|out| link.a.poll_paced(at(5), 1180, out)).expect("it waits");
        assert_eq!(Packet::parse(&sent).expect("RTP").payload, n.to_be_bytes());
    }
    assert_eq!(next(|out| link.a.poll_paced(at(5), 1180, out)), None);
    assert_eq!(link.a.paced_queue().packets, 0);
}

#[test]
fn what_is_sent_again_leaves_at_a_pace_too() {
    let mut link = Link::new();
    for n in 0..3 {
        link.send(packet(n));
    }
    let sent: Vec<_> = (0..3).filter_map(|_| next(|out| link.a.poll_rtp(at(0), 1180, out))).collect();
    link.a.set_paced(true);
    for arrived in [0, 2] {
        link.z.handle_rtp(&sent[arrived], Ecn::NotEct, at(0));
    }
    for millis in [20, 40] {
        link.z.handle_timeout(at(millis));
        while let Some(report) = next(|out| link.z.poll_rtcp(at(millis), 1180, out)) {
            link.a.handle_rtcp(&report, at(millis));
        }
    }
    assert_eq!(next(|out| link.a.poll_rtp(at(40), 1180, out)), None);
    assert_eq!(link.a.paced_queue().packets, 1);
    assert_eq!(next(|out| link.a.poll_paced(at(40), 1180, out)).as_ref(), Some(&sent[1]));
}

#[test]
fn nothing_is_held_back_where_nobody_reports_what_arrives() {
    let mut a = session("a", 1);
    let mut config = sender(7);
    config.extensions.transport_cc = None;
    let id = a.add_sender(config.clone()).expect("added");
    a.set_paced(true);
    a.send(id, packet(0)).expect("room");
    assert!(!a.is_paced());
    assert!(next(|out| a.poll_paced(at(0), 1180, out)).is_none());
    assert!(a.poll_timeout(at(0)).is_some_and(|due| due <= at(0)));
    assert!(next(|out| a.poll_rtp(at(0), 1180, out)).is_some());
    // A new agreement: now somebody does; and then no longer.
    a.update_sender(id, sender(7)).expect("there");
    a.send(id, packet(1)).expect("room");
    assert!(next(|out| a.poll_rtp(at(0), 1180, out)).is_none());
    a.update_sender(id, config).expect("there");
    assert!(next(|out| a.poll_rtp(at(0), 1180, out)).is_some(), "what was held back is not forgotten");
    a.update_sender(id, sender(7)).expect("there");
    a.remove_sender(id);
    assert!(!a.is_paced());
}

#[test]
fn padding_goes_on_with_the_numbers_and_is_reported() {
    let mut link = between_pictures();
    assert!(link.a.can_pad());
    for len in [1, 100, 252, 5000] {
        let number = link.a.next_transport_sequence();
        let before = Packet::parse(link.a_to_z.last().unwrap_or(&Vec::new())).map(|packet| packet.sequence).ok();
        let sent = next(|out| link.a.poll_padding(at(1), len, 1180, out)).expect("between pictures");
        let packet = Packet::parse(&sent).expect("RTP");
        assert_eq!(
            (packet.payload.len(), packet.payload_type, packet.timestamp, packet.marker),
            (0, VIDEO.number, 0, false)
        );
        assert_eq!((sent[0] & 0x20, usize::from(*sent.last().expect("not empty"))), (0x20, len.min(252)));
        assert!(before.is_none_or(|before| packet.sequence == before.wrapping_add(1)));
        assert_eq!(link.a.next_transport_sequence(), number + 1);
        link.z.handle_rtp(&sent, Ecn::NotEct, at(1));
        link.a_to_z.push(sent);
    }
    link.send(ends_a_picture(1));
    let sent = next(|out| link.a.poll_paced(at(2), 1180, out)).expect("it waits");
    link.z.handle_rtp(&sent, Ecn::NotEct, at(2));
    assert_eq!(told(&mut link, 200), (0..6).collect::<Vec<_>>());
    let stats = link.receiver_stats();
    assert_eq!((stats.packets_received, stats.packets_lost), (6, 0), "no number is left out");
    let sent = link.a.sender_stats(link.sender).expect("there");
    assert_eq!((sent.packets_sent, sent.bytes_sent, sent.markers_sent), (6, 8, 2));
}

#[test]
fn padding_that_was_lost_is_sent_again_to_the_last_bit() {
    let mut link = between_pictures();
    let lost = next(|out| link.a.poll_padding(at(1), 77, 1180, out)).expect("between pictures");
    link.send(packet(1));
    let sent = next(|out| link.a.poll_paced(at(2), 1180, out)).expect("it waits");
    link.z.handle_rtp(&sent, Ecn::NotEct, at(2));
    link.z.handle_timeout(at(30));
    while let Some(report) = next(|out| link.z.poll_rtcp(at(30), 1180, out)) {
        link.a.handle_rtcp(&report, at(30));
    }
    assert_eq!(next(|out| link.a.poll_paced(at(40), 1180, out)), Some(lost));
}

#[test]
fn there_is_no_padding_within_a_picture_nor_in_numbers_of_others() {
    let mut out = Vec::new();
    let mut link = Link::new();
    link.a.set_paced(true);
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "before the first packet");
    link.send(packet(0));
    assert!(link.a.poll_paced(at(0), 1180, &mut Vec::new()));
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "within a picture");
    let mut link = between_pictures();
    let sent = next(|out| link.a.poll_padding(at(0), 100, 1180, out)).expect("between pictures");
    let mut numbered = ends_a_picture(1);
    numbered.sequence = Packet::parse(&sent).ok().map(|packet| packet.sequence.wrapping_add(1));
    link.send(numbered);
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "the number is taken");
    assert!(link.a.poll_paced(at(0), 1180, &mut Vec::new()));
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "the next number is somebody else's to choose");
    link.send(ends_a_picture(2));
    assert!(link.a.poll_paced(at(0), 1180, &mut Vec::new()));
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "and so are all that follow");
    let mut link = between_pictures();
    assert!(!link.a.poll_padding(at(0), 100, 20, &mut out), "no room");
    link.a.update_sender(link.sender, sender(link.ssrc)).expect("there");
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "another agreement");
    let mut link = between_pictures();
    link.a.remove_sender(link.sender);
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "it is gone");
    let mut link = between_pictures();
    link.a.end();
    assert!(!link.a.poll_padding(at(0), 100, 1180, &mut out), "the session ends");
    assert!(out.is_empty());
}

/// Numbers made by whoever forwards.
#[test]
fn forwarded_streams_are_not_padded() {
    let mut a = session("a", 1);
    let id = a.add_sender(sender(7)).expect("added");
    a.set_paced(true);
    let mut from = Session::new(wigwag_rtp::Config::new("o"), wigwag_sansio::Seed::for_test(9));
    from.add_receiver(receiver()).expect("added");
    let bytes = [&[0x80, 0x80 | VIDEO.number], &[0, 1][..], &[0; 4], &9u32.to_be_bytes(), b"payload"].concat();
    from.handle_rtp(&bytes, Ecn::NotEct, at(0));
    let received = std::iter::from_fn(|| from.poll_event()).find_map(|event| match event {
        Event::Packet(received) => Some(received),
        _ => None,
    });
    a.forward(id, &received.expect("arrived"), VIDEO.number, None).expect("room");
    assert!(next(|out| a.poll_paced(at(0), 1180, out)).is_some());
    assert!(!a.can_pad());
}

/// RFC 3550 §6.4.1: a picture was seen when it was handed in, however long it waits for its pace.
#[test]
fn what_waits_for_its_pace_is_of_when_it_was_handed_in() {
    let mut link = Link::new();
    link.a.set_paced(true);
    // That the session has not heard of the time for a while means nothing.
    for (n, handed_in, left) in [(0, 1_000, 1_400), (50, 2_000, 2_900)] {
        link.send(packet(n));
        assert_eq!(next(|out| link.a.poll_rtp(at(handed_in), 1180, out)), None);
        assert!(next(|out| link.a.poll_paced(at(left), 1180, out)).is_some());
        let (timestamp, rate) = link.a.rtp_time(link.sender, at(3_000)).expect("it has begun");
        assert_eq!((timestamp - n * 1_800, rate), (rate * (3_000 - handed_in) / 1_000, 90_000));
    }
}

/// What is sent again waits no longer than what is new: sound alone does not hold it up.
#[test]
fn what_is_to_be_sent_again_waits_since_it_was_asked_for_and_not_for_ever() {
    let mut link = Link::new();
    for n in 0..3 {
        link.send(packet(n));
    }
    let sent: Vec<_> = (0..3).filter_map(|_| next(|out| link.a.poll_rtp(at(0), 1180, out))).collect();
    link.a.set_paced(true);
    let ask = |link: &mut Link, n: usize, millis| {
        let sequence = Packet::parse(&sent[n]).expect("RTP").sequence;
        let nack = [&[0x81, 205, 0, 3, 0, 0, 0, 1][..], &link.ssrc.to_be_bytes(), &sequence.to_be_bytes(), &[0, 0]];
        link.a.handle_rtcp(&nack.concat(), at(millis));
    };
    ask(&mut link, 1, 100);
    assert_eq!(link.a.paced_queue().oldest, Some(at(100)));
    link.a.handle_timeout(at(200));
    link.send(packet(3));
    assert_eq!((link.a.paced_queue().packets, link.a.paced_queue().oldest), (2, Some(at(100))));
    assert_eq!(next(|out| link.a.poll_paced(at(300), 1180, out)).as_ref(), Some(&sent[1]));
    assert_eq!(link.a.paced_queue().oldest, Some(at(200)));
    ask(&mut link, 2, 400);
    // Nobody waits for it any more; who does asks once more.
    let fresh = next(|out| link.a.poll_paced(at(1_500), 1180, out)).expect("the new one");
    assert_eq!(Packet::parse(&fresh).expect("RTP").payload, 3u32.to_be_bytes());
    assert_eq!(next(|out| link.a.poll_paced(at(1_500), 1180, out)), None);
    assert_eq!(link.a.paced_queue().packets, 0);
    ask(&mut link, 2, 1_600);
    assert_eq!(next(|out| link.a.poll_paced(at(1_600), 1180, out)).as_ref(), Some(&sent[2]));
}
