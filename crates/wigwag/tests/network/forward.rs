//! Packets that another connection told, forwarded through the whole stack.

use crate::common::{Peer, negotiate, offer, pair, pair_with};
use crate::media::{negotiate_from, until_connected};
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag::jsep::HeaderExtension;
use wigwag::sansio::{Ecn, Seed};
use wigwag::{Direction, ElementData, Frame, MediaError, MediaKind, Received, RtpPacket, TransceiverId, rtp};
use wigwag_sim::{A, World, Z};

/// The places of Opus and VP8 in `jsep::Config::codecs`.
const OPUS: usize = 0;
const VP8: usize = 2;
const MS: Duration = Duration::from_millis(1);

/// What somebody else sends, as it comes.
struct Source {
    session: rtp::Session,
    sequence: u16,
}

impl Source {
    fn new(sequence: u16) -> Self {
        let mut session = rtp::Session::new(rtp::Config::new("source"), Seed::for_test(9));
        let payload_type = rtp::PayloadType { number: 120, clock_rate_hz: 90_000 };
        session.add_receiver(rtp::ReceiverConfig::new(rtp::Kind::Video, vec![payload_type])).unwrap();
        Self { session, sequence }
    }

    /// The next frame, of one packet.
    fn came(&mut self, is_key: bool, now: Instant) -> Received {
        let mut packet = vec![0x80, 120];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&(u32::from(self.sequence) * 3000).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 7, 0x10, u8::from(!is_key), 1, 1]);
        self.sequence = self.sequence.wrapping_add(1);
        self.session.handle_rtp(&packet, Ecn::NotEct, now);
        match self.session.poll_event() {
            Some(rtp::Event::Packet(received)) => received,
            other => panic!("{other:?}"),
        }
    }
}

/// A sends pictures to Z, or will.
fn outlet(world: &mut World<Peer>) -> TransceiverId {
    world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap()
}

fn forward(world: &mut World<Peer>, id: TransceiverId, packet: &Received) -> Result<(), MediaError> {
    world[A].connection.forward_packet(id, packet, VP8)
}

/// RFC 3711 §3.3.1: a listener joins just before the publisher's numbers wrap, and misses the first packets. With the publisher's
/// own numbers it would take the wrong rollover counter, and nothing could be opened any more. (Ours tries both; libsrtp does not.)
#[test]
fn a_listener_that_misses_the_first_packets_has_all_the_others() {
    let mut world = pair(60);
    let id = outlet(&mut world);
    negotiate(&mut world);
    until_connected(&mut world);
    world.run_for(100 * MS);
    let mut source = Source::new(65_500);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    for n in 0..200 {
        if n == 10 {
            world.links(A, Z, |link| {
                link.loss(0.0);
            });
        }
        let packet = source.came(n == 0, world.now());
        forward(&mut world, id, &packet).unwrap();
        world.run_for(10 * MS);
    }
    world.run_for(Duration::from_secs(1));
    assert!(world[Z].packets.len() >= 190, "{} of 200", world[Z].packets.len());
    let numbers: Vec<_> = world[Z].packets.iter().filter_map(|found| found.packet.sequence).collect();
    assert!(numbers.is_sorted() && numbers[0] < 0x8000 + 20, "{numbers:?}");
}

#[test]
fn each_listener_has_its_own_payload_type_and_a_codec_that_it_lacks_is_refused() {
    let mut world = pair_with(61, |host, config| {
        if host == Z {
            for codec in &mut config.negotiation.codecs {
                codec.payload_type = if codec.kind == MediaKind::Video { 100 } else { codec.payload_type };
            }
        }
    });
    world[Z].connection.add_transceiver(MediaKind::Video, Direction::Recvonly).unwrap();
    let offer = offer(&mut world, Z);
    world[A].connection.set_remote_description(offer).unwrap();
    let id = world[A].connection.add_track(MediaKind::Video).unwrap();
    let answer = world[A].connection.create_answer().unwrap();
    world[A].connection.set_local_description(answer).unwrap();
    let answer = world[A].connection.local_description().unwrap();
    world[Z].connection.set_remote_description(answer).unwrap();
    until_connected(&mut world);
    let packet = Source::new(5).came(true, world.now());
    assert_eq!(packet.packet.payload_type, 120);
    let refused = world[A].connection.forward_packet(id, &packet, OPUS);
    assert_eq!(refused, Err(MediaError::PayloadType(packet.packet.payload.clone())));
    forward(&mut world, id, &packet).unwrap();
    world.run_for(100 * MS);
    let arrived: Vec<_> = world[Z].packets.iter().map(|found| found.packet.payload_type).collect();
    assert_eq!(arrived, [100]);
    let parameters = world[Z].connection.transceivers().next().and_then(|found| found.negotiated.clone()).unwrap();
    assert_eq!(parameters.receive_codec(100).map(|codec| codec.index), Some(VP8));
    assert_eq!(parameters.receive_codec(120), None);
}

/// What is live is not kept for somebody who is not there (yet), and begins with a key frame for whoever is.
#[test]
fn nothing_waits_for_a_listener_that_is_not_connected() {
    let mut world = pair(62);
    let id = outlet(&mut world);
    let mut source = Source::new(5);
    let packet = source.came(true, world.now());
    assert_eq!(forward(&mut world, id, &packet), Err(MediaError::NotConnected));
    negotiate(&mut world);
    for _ in 0..2000 {
        let packet = source.came(true, world.now());
        assert_eq!(forward(&mut world, id, &packet), Err(MediaError::NotConnected));
    }
    until_connected(&mut world);
    let mut send = |world: &mut World<Peer>, is_key| {
        let packet = source.came(is_key, world.now());
        let result = forward(world, id, &packet);
        world.run_for(30 * MS);
        result
    };
    assert_eq!(send(&mut world, false), Err(MediaError::KeyFrameNeeded));
    assert_eq!([true, false].map(|is_key| send(&mut world, is_key)), [Ok(()), Ok(())]);
    assert_eq!(world[Z].packets.len(), 2);
    // Silence: the same, and the numbers have no gap.
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    let refused = (0..2000).find_map(|_| send(&mut world, false).err());
    assert_eq!(refused, Some(MediaError::NotConnected));
    world.links(A, Z, |link| {
        link.loss(0.0);
    });
    until_connected(&mut world);
    assert_eq!(send(&mut world, false), Err(MediaError::KeyFrameNeeded));
    let before = world[Z].packets.len();
    assert_eq!(send(&mut world, true), Ok(()));
    assert_eq!(world[Z].packets.len(), before + 1);
    world[A].connection.cut_forwarding(id);
    assert_eq!(send(&mut world, false), Err(MediaError::KeyFrameNeeded));
    world[A].connection.close();
    assert_eq!(send(&mut world, true), Err(MediaError::NotSending));
}

#[test]
fn a_stream_is_forwarded_or_written() {
    let mut world = pair(63);
    let ids = [(); 3].map(|()| outlet(&mut world));
    negotiate(&mut world);
    until_connected(&mut world);
    let packet = Source::new(5).came(true, world.now());
    let payload = packet.packet.payload.clone();
    let own = |payload: &Bytes| (RtpPacket::new(96, 0, payload.clone()), Frame::new(96, 0, payload.clone()));
    forward(&mut world, ids[0], &packet).unwrap();
    let (written, frame) = own(&payload);
    let connection = &mut world[A].connection;
    assert_eq!(connection.write_packet(ids[0], written), Err(MediaError::Forwards(payload.clone())));
    assert_eq!(connection.write_frame(ids[0], frame), Err(MediaError::Forwards(payload.clone())));
    let (written, frame) = own(&payload);
    connection.write_packet(ids[1], written).unwrap();
    connection.write_frame(ids[2], frame).unwrap();
    assert_eq!(forward(&mut world, ids[1], &packet), Err(MediaError::SendsPackets(payload.clone())));
    assert_eq!(forward(&mut world, ids[2], &packet), Err(MediaError::SendsFrames(payload)));
    world[A].connection.stop_transceiver(ids[0]).unwrap();
    assert_eq!(forward(&mut world, ids[0], &packet), Err(MediaError::NotSending));
    negotiate_from(&mut world, A);
}

/// Of a layer that the listener does not get.
#[test]
fn a_packet_is_forwarded_with_its_descriptor_and_one_that_is_left_out_leaves_no_gap() {
    let mut world = pair_with(62, |_, config| {
        let told = [HeaderExtension::dependency_descriptor(), HeaderExtension::video_layers_allocation()];
        config.negotiation.header_extensions.extend(told);
    });
    let id = outlet(&mut world);
    negotiate(&mut world);
    until_connected(&mut world);
    let mut source = Source::new(5);
    let descriptor = |n: u8| vec![n; 3 + 10 * usize::from(n) % 60];
    for n in 0..20 {
        let mut packet = source.came(n == 0, world.now());
        packet.packet.dependency_descriptor = ElementData::new(&descriptor(n));
        packet.packet.video_layers_allocation = ElementData::new(&[n]);
        match n % 3 {
            1 => world[A].connection.leave_out_packet(id, &packet, VP8),
            _ => forward(&mut world, id, &packet).unwrap(),
        }
        world.run_for(10 * MS);
    }
    world.run_for(Duration::from_secs(1));
    let told: Vec<_> = world[Z].packets.iter().map(|found| &found.packet).collect();
    let forwarded: Vec<_> = (0..20).filter(|n| n % 3 != 1).collect();
    assert_eq!(told.len(), forwarded.len());
    for (n, packet) in forwarded.iter().zip(&told) {
        assert_eq!(packet.dependency_descriptor.as_deref(), Some(&descriptor(*n)[..]));
        assert_eq!(packet.video_layers_allocation.as_deref(), Some(&[*n][..]));
    }
    let numbers: Vec<_> = told.iter().filter_map(|packet| packet.sequence).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0].wrapping_add(1)), "{numbers:?}");
}
