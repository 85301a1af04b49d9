//! Layers of simulcast that a server forwards: all of them to another server, one at a time to a listener.

use crate::common::{Peer, negotiate, pair, pair_with};
use crate::media::until_connected;
use crate::simulcast::{RIDS, picture, publishing};
use std::collections::BTreeMap;
use std::time::Duration;
use wigwag::jsep::Codec;
use wigwag::{Direction, Event, Frame, MediaError, MediaKind, Received, RtpPacket, TransceiverId};
use wigwag_sim::{A, World, Z};

/// The place of VP8 in `jsep::Config::codecs`.
const VP8: usize = 2;
const FRAME: Duration = Duration::from_millis(33);

/// A publisher and a server, which is the Z of that world and the A of the two others: with another server, and with a listener.
struct Server {
    publisher: (World<Peer>, TransceiverId),
    other: (World<Peer>, TransceiverId),
    listener: (World<Peer>, TransceiverId),
    /// The next picture.
    number: u32,
}

impl Server {
    fn new(seed: u64) -> Self {
        let mut listener = pair(seed + 2);
        let outlet = listener[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
        negotiate(&mut listener);
        until_connected(&mut listener);
        Self { publisher: publishing(seed, 3), other: publishing(seed + 1, 3), listener: (listener, outlet), number: 0 }
    }

    /// The peers of the server take frames.
    fn receive_frames(&mut self) {
        for (world, _) in [&mut self.other, &mut self.listener] {
            let id = world[Z].connection.transceivers().next().unwrap().id;
            world[Z].connection.receive_frames(id).unwrap();
        }
    }

    /// The publisher's packets of the next picture.
    fn come(&mut self) -> Vec<Received> {
        let (world, id) = &mut self.publisher;
        for (layer, rid) in RIDS.iter().enumerate() {
            world[A].connection.write_layer_frame(*id, rid, picture(layer, self.number)).unwrap();
        }
        self.number += 1;
        world.run_for(FRAME);
        std::mem::take(&mut world[Z].packets)
    }

    fn forward(&mut self, packet: &Received) -> Result<(), MediaError> {
        let (world, id) = &mut self.other;
        world[A].connection.forward_layer_packet(*id, packet.rid.as_deref().unwrap(), packet, VP8)
    }

    fn run(&mut self) {
        self.other.0.run_for(FRAME);
        self.listener.0.run_for(FRAME);
    }
}

/// Those of a layer that came whole, as the numbers of pictures, each compared with what was sent.
fn seen(world: &World<Peer>) -> BTreeMap<String, Vec<u32>> {
    let mut seen: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for told in &world[Z].frames {
        let Ok((frame, _)) = &told.what else { continue };
        let rid = world[Z].connection.source_rid(told.ssrc).unwrap_or("none").to_owned();
        let [layer, number] = [4, 8].map(|at| u32::from_be_bytes(frame.data[at..at + 4].try_into().unwrap()));
        assert_eq!(frame.data, picture(layer as usize, number).data);
        assert!(rid == "none" || rid == RIDS[layer as usize], "{rid} is not {layer}");
        seen.entry(rid).or_default().push(number);
    }
    seen
}

#[test]
fn a_server_forwards_layer_by_layer_to_another_and_one_layer_at_a_time_to_a_listener() {
    let mut server = Server::new(740);
    server.receive_frames();
    server.other.0.links(A, Z, |link| {
        link.loss(3.0);
    });
    let (mut current, mut switched) = (0, 0);
    for n in 0..400 {
        // Every hundredth picture is a key frame: the listener goes up a layer with each, and down again.
        let wanted = [0, 1, 2, 1][n / 100];
        for packet in server.come() {
            server.forward(&packet).unwrap();
            let layer = RIDS.iter().position(|rid| packet.rid.as_deref() == Some(rid)).unwrap();
            if layer == current || layer == wanted {
                let (world, id) = &mut server.listener;
                let result = world[A].connection.forward_packet(*id, &packet, VP8);
                if layer == wanted && layer != current && result.is_ok() {
                    (current, switched) = (wanted, switched + 1);
                }
            }
        }
        server.run();
    }
    for _ in 0..60 {
        server.run();
    }
    let other = seen(&server.other.0);
    for rid in RIDS {
        let numbers = &other[rid];
        assert!(numbers.len() > 380 && numbers.is_sorted_by(|a, b| a < b), "{rid}: {} of 400", numbers.len());
    }
    let connection = &server.other.0[Z].connection;
    let stats = connection.receiver_stats(connection.transceivers().next().unwrap().id);
    let has_missed_some = stats.iter().all(|stats| stats.retransmitted_packets_received > 3);
    assert!(stats.len() == 3 && has_missed_some, "what is lost is sent again in streams of their own: {stats:?}");
    let listener = &seen(&server.listener.0)["none"];
    assert!(switched == 3 && listener.len() > 390 && listener.is_sorted(), "{switched}, {} of 400", listener.len());
}

/// A layer that was left out begins anew with a key frame of its own; the others go on, and no number is missing.
#[test]
fn each_layer_has_numbers_and_a_beginning_of_its_own() {
    let mut server = Server::new(750);
    let mut refused: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for n in 0..210 {
        let (world, id) = &mut server.other;
        match n {
            20 => world[A].connection.cut_layer_forwarding(*id, "h"),
            150 => world[A].connection.cut_forwarding(*id),
            _ => {}
        }
        for packet in server.come() {
            if let Err(error) = server.forward(&packet) {
                assert_eq!(error, MediaError::KeyFrameNeeded);
                let of = refused.entry(packet.rid.as_deref().unwrap().to_owned()).or_default();
                if of.last() != Some(&n) {
                    of.push(n);
                }
            }
        }
        server.run();
    }
    let after: Vec<u32> = (150..200).collect();
    let expected: Vec<u32> = (20..100).chain(after.iter().copied()).collect();
    assert_eq!(
        refused,
        [("q", &after), ("h", &expected), ("f", &after)].map(|(rid, of)| (rid.to_owned(), of.clone())).into()
    );
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for packet in &server.other.0[Z].packets {
        numbers.entry(packet.rid.clone()).or_default().push(packet.extended_sequence);
    }
    assert_eq!(numbers.len(), 3);
    assert!(numbers.values().all(|of| of.windows(2).all(|two| two[0] + 1 == two[1])), "{numbers:?}");
}

#[test]
fn what_cannot_be_forwarded_as_a_layer_is_said() {
    let mut server = Server::new(760);
    let packet = server.come().remove(0);
    let (world, id) = &mut server.other;
    let connection = &mut world[A].connection;
    assert_eq!(connection.forward_layer_packet(*id, "x", &packet, VP8), Err(MediaError::NoSuchLayer));
    connection.forward_layer_packet(*id, "h", &packet, VP8).unwrap();
    let own = RtpPacket::new(96, 0, packet.packet.payload.clone());
    let forwards = Err(MediaError::Forwards(own.payload.clone()));
    assert_eq!(connection.write_layer_packet(*id, "q", own), forwards, "a transceiver does one or the other");
    let (world, id) = &mut server.listener;
    let connection = &mut world[A].connection;
    assert_eq!(connection.forward_layer_packet(*id, "q", &packet, VP8), Err(MediaError::NoSuchLayer));
    connection.close();
    assert_eq!(connection.forward_layer_packet(*id, "q", &packet, VP8), Err(MediaError::NotSending));
}

/// RFC 8851 §6.4: the other server takes the middle layer as VP9 alone, so a picture in VP8 is not for it.
#[test]
fn no_layer_is_sent_as_what_the_peer_does_not_take_it_as() {
    let vp9 = Codec::vp9().payload_type;
    let mut world = pair_with(770, |host, config| {
        config.negotiation.receive_layers_max = if host == Z { 3 } else { 1 };
        config.negotiation.codecs.push(Codec::vp9());
    });
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    world[A].connection.set_send_layers(id, RIDS).unwrap();
    let offer = crate::common::offer(&mut world, A);
    let mut answer = crate::common::answer(&mut world, Z, offer);
    answer.sdp = answer.sdp.replace("a=rid:h recv", &format!("a=rid:h recv pt={vp9};max-width=640"));
    world[A].connection.set_remote_description(answer).unwrap();
    until_connected(&mut world);
    let layers = world[A].connection.transceiver(id).unwrap().negotiated.clone().unwrap().send_layers;
    assert_eq!((layers[1].payload_types.as_slice(), layers[1].restrictions.width_max), (&[vp9][..], Some(640)));
    let connection = &mut world[A].connection;
    for (rid, is_taken) in [("q", true), ("h", false), ("f", true)] {
        let frame = picture(1, 0);
        let expected = if is_taken { Ok(()) } else { Err(MediaError::PayloadType(frame.data.clone())) };
        assert_eq!(connection.write_layer_frame(id, rid, frame), expected, "{rid}");
    }
    let frame = Frame::new(vp9, 0, picture(1, 0).data);
    connection.write_layer_frame(id, "h", frame).unwrap();
}

/// Each layer has a queue of its own, and which has room again is told.
#[test]
fn it_is_told_of_which_layer_the_queue_has_room_again() {
    let (mut world, id) = publishing(780, 3);
    let own = |n: u32| RtpPacket::new(96, n, vec![0x10, 0, 1].into());
    for n in 0.. {
        if let Err(error) = world[A].connection.write_layer_packet(id, "h", own(n)) {
            assert!(matches!(error, MediaError::Full(_)));
            break;
        }
    }
    world[A].connection.write_layer_packet(id, "f", own(0)).unwrap();
    world.run_for(Duration::from_secs(1));
    let told: Vec<_> = world[A].events.iter().filter(|event| event.starts_with("MediaWritable")).collect();
    assert_eq!(told, [&format!("{:?}", Event::MediaWritable { transceiver: id, rid: Some("h".into()) })]);
    world[A].connection.write_layer_packet(id, "h", own(0)).unwrap();
}
