//! Layers of simulcast: sources that packets name (RFC 8852).

use crate::common::{VIDEO, at, receiver, sender, session};
use bytes::Bytes;
use std::sync::Arc;
use wigwag_rtp::header::Packet;
use wigwag_rtp::{Event, Received, ReceiverId, RtpPacket, RtxPayloadType, RtxStream, Session};
use wigwag_sansio::Ecn;

const RTX: RtxPayloadType = RtxPayloadType::new(97, VIDEO.number);
const RID: u8 = 10;
const REPAIRED_RID: u8 = 11;

/// Expects three layers of one section.
pub(crate) fn three_layers() -> (Session, ReceiverId) {
    let mut session = session("z", 1);
    let mut config = receiver();
    config.rids = ["q", "h", "f"].map(Arc::from).to_vec();
    config.rtx = vec![RTX];
    (config.extensions.rid, config.extensions.repaired_rid) = (Some(RID), Some(REPAIRED_RID));
    let id = session.add_receiver(config).expect("added");
    (session, id)
}

/// A packet by hand, with elements of the one-byte form (RFC 8285 §4.2).
fn bytes(ssrc: u32, payload_type: u8, number: u16, elements: &[(u8, &str)], payload: &[u8]) -> Vec<u8> {
    let mut extension = Vec::new();
    for (id, text) in elements {
        extension.push(id << 4 | (text.len() as u8 - 1));
        extension.extend_from_slice(text.as_bytes());
    }
    extension.resize(extension.len().next_multiple_of(4), 0);
    let words = (extension.len() / 4) as u8;
    let mut packet = vec![0x90, payload_type];
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0xbe, 0xde, 0, words]);
    [packet, extension, payload.to_vec()].concat()
}

pub(crate) fn media(ssrc: u32, number: u16, rid: Option<&str>) -> Vec<u8> {
    let elements: Vec<_> = rid.map(|rid| (RID, rid)).into_iter().chain([(4, "v")]).collect();
    bytes(ssrc, VIDEO.number, number, &elements, b"picture")
}

pub(crate) fn again(ssrc: u32, number: u16, osn: u16, rid: Option<&str>) -> Vec<u8> {
    let elements: Vec<_> = rid.map(|rid| (REPAIRED_RID, rid)).into_iter().chain([(4, "v")]).collect();
    bytes(ssrc, RTX.number, number, &elements, &[&osn.to_be_bytes()[..], b"picture"].concat())
}

/// What is told of these packets: source, number and layer.
fn told(session: &mut Session, packets: &[Vec<u8>]) -> Vec<(u32, u16, Option<String>)> {
    for packet in packets {
        session.handle_rtp(packet, Ecn::NotEct, at(1));
    }
    let packet = |event| match event {
        Event::Packet(Received { ssrc, packet, rid, .. }) => {
            Some((ssrc, packet.sequence.expect("a number"), rid.map(|rid| rid.to_string())))
        }
        _ => None,
    };
    std::iter::from_fn(|| session.poll_event()).filter_map(packet).collect()
}

fn layer(ssrc: u32, number: u16, rid: &str) -> (u32, u16, Option<String>) {
    (ssrc, number, Some(rid.to_owned()))
}

#[test]
fn a_source_is_the_layer_that_its_packets_name_also_when_they_name_it_no_longer() {
    let (mut z, _) = three_layers();
    let packets = [media(1, 1, Some("q")), media(2, 1, Some("f")), media(1, 2, None), media(3, 1, None)];
    let expected = [layer(1, 1, "q"), layer(2, 1, "f"), layer(1, 2, "q"), (3, 1, None)];
    assert_eq!(told(&mut z, &packets), expected, "of the last it was not told yet");
    assert_eq!(told(&mut z, &[media(3, 2, Some("h"))]), [layer(3, 2, "h")]);
    assert_eq!((z.rid(1), z.rid(3), z.rid(4)), (Some("q"), Some("h"), None));
}

#[test]
fn a_layer_that_was_not_agreed_upon_is_dropped_and_counted() {
    let (mut z, _) = three_layers();
    assert_eq!(told(&mut z, &[media(1, 1, Some("x")), media(1, 2, Some("qq")), again(9, 1, 1, Some("x"))]), []);
    assert_eq!(z.stats().dropped_unknown_stream, 3);
}

#[test]
fn a_packet_that_comes_late_does_not_rename_its_source() {
    let (mut z, _) = three_layers();
    assert_eq!(told(&mut z, &[media(1, 1, Some("q")), media(1, 3, Some("h"))]), [layer(1, 1, "q"), layer(1, 3, "h")]);
    assert_eq!(told(&mut z, &[media(1, 2, Some("q"))]), [layer(1, 2, "h")]);
}

#[test]
fn what_is_sent_again_goes_to_the_layer_that_it_names_and_to_the_same_when_it_names_it_no_longer() {
    let (mut z, _) = three_layers();
    let begun = [1, 2].map(|n| media(1, n, Some("q")));
    let others = [1, 2].map(|n| media(2, n, Some("h")));
    told(&mut z, &[begun, others].concat());
    // Both layers miss 3 and 4, so nothing but the name tells whose they are.
    told(&mut z, &[media(1, 5, None), media(2, 5, None)]);
    assert_eq!(told(&mut z, &[again(8, 1, 3, None)]), [], "nobody knows");
    assert_eq!(told(&mut z, &[again(8, 2, 3, Some("h"))]), [layer(2, 3, "h")]);
    assert_eq!(told(&mut z, &[again(8, 3, 4, None)]), [layer(2, 4, "h")]);
    assert_eq!(told(&mut z, &[again(7, 1, 3, Some("q")), again(7, 2, 4, None)]), [layer(1, 3, "q"), layer(1, 4, "q")]);
    assert_eq!(z.stats().dropped_retransmissions, 1);
}

#[test]
fn what_names_a_layer_that_has_not_come_is_not_given_to_another() {
    let (mut z, _) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(1, 3, None)]);
    assert_eq!(told(&mut z, &[again(8, 1, 2, Some("h"))]), [], "of h nothing is known");
    assert_eq!(told(&mut z, &[again(7, 1, 2, Some("q"))]), [layer(1, 2, "q")]);
}

/// Who tries a path sends again what was not lost, also of a layer that has not come yet.
#[test]
fn what_names_no_layer_is_of_the_only_one_that_has_come_if_that_misses_it() {
    let (mut z, _) = three_layers();
    told(&mut z, &[media(1, 10, Some("q")), media(1, 12, None)]);
    assert_eq!(told(&mut z, &[again(8, 1, 9, None)]), []);
    assert_eq!(told(&mut z, &[again(8, 2, 11, None)]), [layer(1, 11, "q")]);
}

/// RFC 3550 §6.6. Browsers send it when a layer is switched off (`active: false`), and name it no more when it is switched on: it was reported on.
#[test]
fn a_layer_that_has_said_goodbye_and_comes_back_is_the_same_though_it_names_itself_no_more() {
    let (mut z, id) = three_layers();
    // Another section has the payload types, too: nothing but the source tells whose a packet is.
    let mut other = receiver();
    other.mid = Some("w".into());
    other.rtx = vec![RTX];
    z.add_receiver(other).expect("added");
    let unnamed = |ssrc, number| bytes(ssrc, VIDEO.number, number, &[], b"picture");
    told(&mut z, &[media(1, 1, Some("q")), media(2, 1, Some("h")), media(2, 3, None), again(8, 1, 2, Some("h"))]);
    z.handle_rtcp(&[0x81, 203, 0, 1, 0, 0, 0, 2], at(2));
    assert_eq!(z.rid(2), None);
    assert_eq!(
        told(&mut z, &[unnamed(2, 4), unnamed(1, 2), unnamed(2, 6)]),
        [layer(2, 4, "h"), layer(1, 2, "q"), layer(2, 6, "h")]
    );
    let both_miss_it = [media(1, 4, None), media(1, 6, None), again(8, 2, 5, None)];
    assert_eq!(told(&mut z, &both_miss_it).last(), Some(&layer(2, 5, "h")));
    z.request_key_frame_of_layer(id, "h");
    assert_eq!(asked(&mut z), [2]);
    // Once the section is gone, nobody has it.
    z.handle_rtcp(&[0x81, 203, 0, 1, 0, 0, 0, 2], at(3));
    z.remove_receiver(id);
    let mut third = receiver();
    third.mid = Some("x".into());
    z.add_receiver(third).expect("added");
    assert_eq!(told(&mut z, &[unnamed(2, 7)]), []);
}

#[test]
fn a_name_that_is_no_longer_agreed_upon_is_forgotten() {
    let (mut z, id) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(2, 1, Some("h"))]);
    let mut config = receiver();
    config.rids = vec!["q".into()];
    (config.extensions.rid, config.extensions.repaired_rid) = (Some(RID), Some(REPAIRED_RID));
    z.update_receiver(id, config.clone()).expect("there");
    assert_eq!((z.rid(1), z.rid(2)), (Some("q"), None));
    assert_eq!(told(&mut z, &[media(1, 2, None), media(2, 2, None)]), [layer(1, 2, "q"), (2, 2, None)]);
    config.rids.clear();
    z.update_receiver(id, config).expect("there");
    assert_eq!(told(&mut z, &[media(1, 3, Some("q"))]), [(1, 3, None)], "one stream has no name");
}

#[test]
fn of_two_sources_that_name_one_layer_the_last_has_the_name() {
    let (mut z, id) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(2, 7, Some("q"))]);
    assert_eq!((z.rid(1), z.rid(2)), (None, Some("q")));
    assert_eq!(told(&mut z, &[media(1, 2, None), media(1, 3, Some("q"))]), [(1, 2, None), layer(1, 3, "q")]);
    assert_eq!((z.rid(1), z.rid(2)), (Some("q"), None));
    z.request_key_frame_of_layer(id, "q");
    assert_eq!(asked(&mut z), [1]);
}

#[test]
fn a_source_that_takes_the_place_of_another_is_the_layer_from_then_on() {
    let (mut z, id) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(2, 7, Some("q")), media(2, 9, None)]);
    assert_eq!(told(&mut z, &[again(8, 1, 8, Some("q"))]), [layer(2, 8, "q")]);
    z.request_key_frame_of_layer(id, "q");
    assert_eq!(asked(&mut z), [2]);
}

#[test]
fn a_key_frame_is_asked_for_of_one_layer_alone() {
    let (mut z, id) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(2, 1, Some("h"))]);
    z.request_key_frame_of_layer(id, "f");
    z.request_key_frame_of_layer(id, "nobody");
    assert_eq!(asked(&mut z), [], "no source of it is known");
    z.request_key_frame_of_layer(id, "h");
    assert_eq!(asked(&mut z), [2]);
}

#[test]
fn a_section_that_goes_takes_its_layers_with_it() {
    let (mut z, id) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(1, 3, None), again(8, 1, 2, Some("q"))]);
    z.remove_receiver(id);
    assert_eq!(z.rid(1), None);
    z.request_key_frame_of_layer(id, "q");
    assert_eq!(asked(&mut z), []);
}

/// A hostile peer, or one that begins anew all the time: the last source has the name, and what is held is bounded.
#[test]
fn a_name_that_moves_to_another_source_with_each_packet_costs_no_more_than_sources_do() {
    let (mut z, id) = three_layers();
    let (mut asked_for, mut taken) = (0, 0);
    for n in 0..5_000u32 {
        taken += told(&mut z, &[media(1_000 + n, n as u16, Some(["q", "h"][n as usize % 2]))]).len();
        z.request_key_frame_of_layer(id, "q");
        asked_for += asked(&mut z).len();
        assert!(z.load().held <= z.load().bound, "{:?}", z.load());
    }
    assert!(taken < 1_100 && z.stats().dropped_too_many_sources > 3_900, "{taken}: {:?}", z.stats());
    assert!(asked_for <= taken, "nobody is asked for more than came: {asked_for} of {taken}");
    assert_eq!(z.layers(id).len(), 2);
    let (last, _) = z.layers(id)[0].clone();
    assert!(last >= 1_000 && told(&mut z, &[media(last, 6_000, None)]).len() <= 1);
}

/// RFC 4588 §4: what is sent again is a packet that was missed. A stream of such packets that speaks for another layer, or of numbers that nobody
/// misses, adds nothing to it.
#[test]
fn what_is_sent_again_under_the_name_of_another_layer_is_taken_only_where_that_misses_it() {
    let (mut z, _) = three_layers();
    told(&mut z, &[media(1, 1, Some("q")), media(1, 3, None), media(2, 1, Some("h")), media(2, 2, None)]);
    let odd = [
        again(8, 1, 2, Some("h")),
        again(8, 2, 3, Some("h")),
        again(8, 3, 9_000, Some("q")),
        again(8, 4, 1, Some("q")),
    ];
    assert_eq!(told(&mut z, &odd), []);
    // The same numbers under the right name, in a stream that named both; and each layer goes on where it was.
    assert_eq!(
        told(&mut z, &[again(8, 5, 2, Some("q")), media(1, 4, None), media(2, 3, None)]),
        [layer(1, 2, "q"), layer(1, 4, "q"), layer(2, 3, "h"),]
    );
    assert_eq!(z.stats().dropped_retransmissions, 4);
    // A source that sends again what it sent itself.
    assert_eq!(told(&mut z, &[media(1, 6, None), again(1, 7, 5, Some("q"))]), [layer(1, 6, "q"), layer(1, 5, "q")]);
    assert_eq!(told(&mut z, &[media(1, 7, None)]), [layer(1, 7, "q")]);
}

/// The sources that are asked for a key frame (RFC 4585 §6.3.1).
fn asked(session: &mut Session) -> Vec<u32> {
    let mut out = Vec::new();
    while session.poll_rtcp(at(1), 1180, &mut out) {}
    let is_loss = |message: &[u8]| message.len() >= 12 && message[0] == 0x81 && message[1] == 206;
    let mut rest = out.as_slice();
    let mut sources = Vec::new();
    while let [_, _, high, low, ..] = rest {
        let len = 4 * (usize::from(u16::from_be_bytes([*high, *low])) + 1);
        if is_loss(rest) {
            sources.push(u32::from_be_bytes([rest[8], rest[9], rest[10], rest[11]]));
        }
        rest = &rest[len..];
    }
    sources
}

#[test]
fn we_name_our_layers_and_what_we_send_again_of_them() {
    let mut a = session("a", 2);
    let ids: Vec<_> = [("q", 1), ("h", 2)]
        .map(|(rid, ssrc)| {
            let mut config = sender(ssrc);
            config.rid = Some(rid.to_owned());
            (config.extensions.rid, config.extensions.repaired_rid) = (Some(RID), Some(REPAIRED_RID));
            config.rtx = Some(RtxStream::new(ssrc + 10, vec![RTX]));
            a.add_sender(config).expect("added")
        })
        .to_vec();
    for id in &ids {
        a.send(*id, RtpPacket::new(VIDEO.number, 0, Bytes::from_static(b"picture"))).expect("room");
    }
    let mut z = three_layers().0;
    let mut packets = Vec::new();
    let mut poll = |a: &mut Session, now| {
        let mut out = Vec::new();
        while a.poll_rtp(at(now), 1180, &mut out) {
            packets.push(std::mem::take(&mut out));
        }
    };
    poll(&mut a, 1);
    // A NACK for the first packet of each (RFC 4585 §6.2.1).
    let numbers: Vec<u16> = [0, 1].map(|id| a.sender_stats(ids[id]).expect("there").packets_sent as u16).to_vec();
    assert_eq!(numbers, [1, 1]);
    for packet in packets.clone() {
        let parsed = Packet::parse(&packet).expect("RTP");
        let nack =
            [&[0x81, 205, 0, 3, 0, 0, 0, 9][..], &parsed.ssrc.to_be_bytes(), &parsed.sequence.to_be_bytes(), &[0, 0]];
        a.handle_rtcp(&nack.concat(), at(50));
    }
    let mut out = Vec::new();
    let mut of_rtx = Vec::new();
    while a.poll_rtp(at(60), 1180, &mut out) {
        of_rtx.push(std::mem::take(&mut out));
    }
    assert_eq!(of_rtx.len(), 2);
    let has = |packet: &[u8], id: u8, rid: u8| packet.windows(2).any(|two| two == [id << 4, rid]);
    for (packet, rid) in packets.iter().zip(*b"qh") {
        assert!(has(packet, RID, rid) && !has(packet, REPAIRED_RID, rid), "{packet:?}");
    }
    for (packet, rid) in of_rtx.iter().zip(*b"qh") {
        assert!(has(packet, REPAIRED_RID, rid) && !has(packet, RID, rid), "{packet:?}");
    }
    // The same names are read by the other side, of which the first packets were lost.
    let later = [1u32, 2].map(|ssrc| {
        let first = packets.iter().map(|packet| Packet::parse(packet).expect("RTP")).find(|found| found.ssrc == ssrc);
        first.expect("sent").sequence
    });
    told(&mut z, &[media(1, later[0].wrapping_sub(1), Some("q")), media(2, later[1].wrapping_sub(1), Some("h"))]);
    told(&mut z, &[media(1, later[0].wrapping_add(1), None), media(2, later[1].wrapping_add(1), None)]);
    assert_eq!(told(&mut z, &of_rtx), [layer(1, later[0], "q"), layer(2, later[1], "h")]);
}
