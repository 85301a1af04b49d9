//! Layers of simulcast through the whole stack.

use crate::common::{Peer, negotiate, pair, pair_with};
use crate::media::{negotiate_from, until_connected};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wigwag::stats::Stats;
use wigwag::{Direction, Error, Event, Frame, MediaError, MediaKind, RtpPacket, SessionDescription, TransceiverId};
use wigwag_sim::{A, World, Z};

const VP8: u8 = 96;
pub(crate) const RIDS: [&str; 3] = ["q", "h", "f"];

/// A sends three layers to Z, who takes up to `layers_max`.
pub(crate) fn publishing(seed: u64, layers_max: usize) -> (World<Peer>, TransceiverId) {
    let mut world = pair_with(seed, |host, config| {
        config.negotiation.receive_layers_max = if host == Z { layers_max } else { 1 };
    });
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    world[A].connection.set_send_layers(id, RIDS).unwrap();
    negotiate_from(&mut world, A);
    until_connected(&mut world);
    (world, id)
}

fn received_on(world: &World<Peer>) -> TransceiverId {
    world[Z].connection.transceivers().next().unwrap().id
}

/// The `n`th picture of a layer: the larger, the longer; every hundredth is a key frame (RFC 6386 §9.1: its first bit is 0).
pub(crate) fn picture(layer: usize, n: u32) -> Frame {
    let mut data = [n, layer as u32].map(u32::to_be_bytes).concat().repeat(50 << (2 * layer));
    data[0] = u8::from(!n.is_multiple_of(100));
    Frame::new(VP8, n.wrapping_mul(3_000), data.into())
}

fn publish(world: &mut World<Peer>, id: TransceiverId, pictures: std::ops::Range<u32>) {
    for n in pictures {
        for (layer, rid) in RIDS.iter().enumerate() {
            world[A].connection.write_layer_frame(id, rid, picture(layer, n)).unwrap();
        }
        world.run_for(Duration::from_millis(33));
    }
}

#[test]
fn each_layer_comes_whole_and_under_its_name_though_the_network_loses() {
    for seed in 0..3 {
        let (mut world, id) = publishing(700 + seed, 3);
        let to = received_on(&world);
        world[Z].connection.receive_frames(to).unwrap();
        world.links(A, Z, |link| {
            link.loss(3.0);
        });
        publish(&mut world, id, 0..200);
        world.run_for(Duration::from_secs(2));
        let mut seen: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for told in &world[Z].frames {
            let Ok((frame, _)) = &told.what else { continue };
            let rid = world[Z].connection.source_rid(told.ssrc).expect("its packets name it").to_owned();
            let layer = RIDS.iter().position(|known| *known == rid).expect("one of three");
            let n = frame.rtp_time / 3_000;
            assert_eq!(frame.data, picture(layer, n).data, "layer {rid}, picture {n}");
            seen.entry(rid).or_default().push(n);
        }
        for rid in RIDS {
            let of = seen.get(rid).map_or(&[][..], Vec::as_slice);
            assert!(of.len() >= 190 && of.is_sorted_by(|a, b| a < b), "seed {seed}: {} of 200 of {rid}", of.len());
        }
        let stats = world[Z].connection.receiver_stats(to);
        let recovered: u64 = stats.iter().map(|stats| stats.retransmitted_packets_received).sum();
        assert!(stats.len() == 3 && recovered > 10, "{stats:?}");
        let sent = world[A].connection.layer_stats(id);
        assert_eq!(sent.iter().map(|(rid, _)| rid.as_str()).collect::<Vec<_>>(), RIDS);
        assert!(sent.windows(2).all(|two| two[0].1.bytes_sent < two[1].1.bytes_sent), "{sent:?}");
    }
}

#[test]
fn a_key_frame_is_asked_for_of_one_layer_and_the_sender_is_told_which() {
    let (mut world, id) = publishing(710, 3);
    publish(&mut world, id, 0..5);
    let to = received_on(&world);
    world[Z].connection.request_layer_key_frame(to, "h");
    world.run_for(Duration::from_secs(1));
    let expected = format!("{:?}", Event::KeyFrameRequested { transceiver: id, rid: Some("h".into()) });
    let told: Vec<_> = world[A].events.iter().filter(|event| event.starts_with("KeyFrameRequested")).collect();
    assert_eq!(told, [&expected]);
}

#[test]
fn packets_tell_their_layer_and_one_that_is_written_without_goes_to_the_first() {
    let (mut world, id) = publishing(711, 3);
    let packet = || RtpPacket::new(VP8, 0, Bytes::from_static(&[0x10, 0, 1]));
    world[A].connection.write_packet(id, packet()).unwrap();
    world[A].connection.write_layer_packet(id, "f", packet()).unwrap();
    assert!(matches!(world[A].connection.write_layer_packet(id, "x", packet()), Err(MediaError::NoSuchLayer)));
    world.run_for(Duration::from_secs(1));
    let told: Vec<_> = world[Z].packets.iter().map(|packet| packet.rid.as_deref().unwrap_or("none")).collect();
    assert_eq!(told, ["q", "f"]);
}

#[test]
fn who_is_refused_sends_one_stream() {
    let (mut world, id) = publishing(712, 1);
    let negotiated = world[A].connection.transceiver(id).unwrap().negotiated.clone().unwrap();
    assert!(negotiated.send_layers.is_empty());
    for n in 0..10 {
        world[A].connection.write_frame(id, picture(2, n)).unwrap();
        assert!(matches!(world[A].connection.write_layer_frame(id, "q", picture(0, n)), Err(MediaError::NoSuchLayer)));
        world.run_for(Duration::from_millis(33));
    }
    world.run_for(Duration::from_secs(1));
    assert!(world[Z].packets.iter().all(|packet| packet.rid.is_none()));
    assert_eq!(world[Z].packets.iter().filter(|packet| packet.packet.marker).count(), 10);
}

/// W3C `rid` and `active` of what is sent, in the order of `encodingIndex`.
fn encodings(world: &World<Peer>) -> Vec<(String, bool)> {
    let report = world[A].connection.stats(world.now());
    let sent = report.iter().filter_map(|stats| match stats {
        Stats::OutboundRtp(stats) => Some(stats),
        _ => None,
    });
    let mut sent: Vec<_> = sent.collect();
    sent.sort_by_key(|stats| stats.encoding_index);
    let indices: Vec<_> = sent.iter().filter_map(|stats| stats.encoding_index).collect();
    assert_eq!(indices, [0, 1, 2]);
    sent.iter().map(|stats| (stats.rid.clone().unwrap_or_default(), stats.active)).collect()
}

/// What SRTP relies on: a number is never used for other bytes, also when a layer is refused and taken again.
#[test]
fn layers_that_the_peer_takes_again_go_on_where_they_were() {
    let (mut world, id) = publishing(713, 3);
    publish(&mut world, id, 0..20);
    world.run_for(Duration::from_secs(1));
    let numbers = |world: &World<Peer>| -> BTreeMap<u32, BTreeSet<u64>> {
        let mut numbers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for packet in &world[Z].packets {
            assert!(numbers.entry(packet.ssrc).or_default().insert(packet.extended_sequence), "twice");
        }
        numbers
    };
    let before = numbers(&world);
    for layers in ["q", "q;h;f"] {
        let offer = crate::common::offer(&mut world, A);
        let mut answer = crate::common::answer(&mut world, Z, offer);
        answer.sdp = answer.sdp.replace("recv q;h;f", &format!("recv {layers}"));
        world[A].connection.set_remote_description(answer).unwrap();
        assert_eq!(encodings(&world), RIDS.map(|rid| (rid.to_owned(), layers.contains(rid))), "{layers}");
    }
    publish(&mut world, id, 20..40);
    world.run_for(Duration::from_secs(1));
    let after = numbers(&world);
    assert!(before.keys().eq(after.keys()), "the same sources");
    assert!(before.iter().all(|(ssrc, numbers)| numbers.is_subset(&after[ssrc]) && after[ssrc].len() > numbers.len()));
}

/// One more than a section without layers has sources.
#[test]
fn frames_of_seven_layers_come_side_by_side() {
    let rids = ["1", "2", "3", "4", "5", "6", "7"];
    let mut world = pair_with(715, |_, config| config.negotiation.receive_layers_max = 16);
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    world[A].connection.set_send_layers(id, rids).unwrap();
    negotiate_from(&mut world, A);
    until_connected(&mut world);
    let to = received_on(&world);
    world[Z].connection.receive_frames(to).unwrap();
    for n in 0..30 {
        for rid in rids {
            world[A].connection.write_layer_frame(id, rid, picture(0, n)).unwrap();
        }
        world.run_for(Duration::from_millis(33));
    }
    world.run_for(Duration::from_secs(1));
    let frames = world[Z].frames.iter().filter(|told| told.what.is_ok()).count();
    let asked = world[A].events.iter().filter(|event| event.starts_with("KeyFrameRequested")).count();
    assert_eq!((frames, asked), (7 * 30, 0));
}

#[test]
fn layers_that_are_offered_stay_as_they_were_said_until_the_offer_is_taken_back() {
    let mut world = pair_with(716, |_, config| config.negotiation.receive_layers_max = 3);
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    world[A].connection.set_send_layers(id, ["q", "h"]).unwrap();
    crate::common::offer(&mut world, A);
    assert_eq!(world[A].connection.set_send_layers(id, ["x"]), Err(Error::LayersAreNegotiated));
    world[A].connection.set_local_description(SessionDescription::rollback()).unwrap();
    world[A].connection.set_send_layers(id, ["x", "y"]).unwrap();
    let offer = crate::common::offer(&mut world, A);
    let answer = crate::common::answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    let negotiated = world[A].connection.transceiver(id).unwrap().negotiated.as_ref().unwrap();
    let agreed: Vec<_> = negotiated.send_layers.iter().map(|layer| layer.rid.as_str()).collect();
    assert_eq!(agreed, ["x", "y"]);
}

#[test]
fn who_could_not_name_layers_is_told_so() {
    let mut world = pair(717);
    let id = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendonly).unwrap();
    assert_eq!(world[A].connection.set_send_layers(id, ["q", "h"]), Err(Error::LayersWithoutNames));
    assert_eq!(world[A].connection.set_receive_layers(id, ["q", "h"]), Err(Error::LayersWithoutNames));
}

#[test]
fn names_that_cannot_be_and_layers_that_come_too_late_are_refused() {
    let mut world = pair(714);
    let connection = &mut world[A].connection;
    let id = connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    for rid in ["", "a b", "a.b", "seventeenletters1", "ä", "a-b", "a_b"] {
        assert_eq!(connection.set_send_layers(id, [rid]), Err(Error::InvalidLayer(rid.to_owned())));
    }
    assert_eq!(connection.set_send_layers(id, ["a", "b", "a"]), Err(Error::InvalidLayer("a".to_owned())));
    // RFC 8851: a name is one of the whole section, whatever its direction.
    connection.set_send_layers(id, ["q"]).unwrap();
    assert_eq!(connection.set_receive_layers(id, ["f", "q"]), Err(Error::InvalidLayer("q".to_owned())));
    connection.set_receive_layers(id, ["f"]).unwrap();
    assert_eq!(connection.set_send_layers(id, ["q", "f"]), Err(Error::InvalidLayer("f".to_owned())));
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    assert_eq!(connection.set_receive_layers(id, many), Err(Error::InvalidLayer("16".to_owned())));
    connection.set_send_layers(id, ["sixteen0letters0", "b"]).unwrap();
    negotiate(&mut world);
    assert_eq!(world[A].connection.set_send_layers(id, ["a"]), Err(Error::LayersAreNegotiated));
}
