//! Elements of header extensions that users give: descriptors of dependencies and allocations of layers, in headers of one and of two bytes.

use crate::common::{Link, VIDEO, at, packet, receiver, sender, session};
use crate::structures::{L1T3, structure};
use allocation_counter::measure;
use bytes::Bytes;
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::Format;
use wigwag_rtp::{DependencyReader, DescriptorFields, LayerSelector, Selection};
use wigwag_rtp::{ElementData, Extensions, RtpPacket, RtxPayloadType, RtxStream, SenderConfig};

fn extensions(descriptor: u8, allocation: u8) -> Extensions {
    let mut extensions = Extensions::NONE;
    (extensions.dependency_descriptor, extensions.video_layers_allocation) = (Some(descriptor), Some(allocation));
    extensions
}

fn sends(ssrc: u32, numbers: (u8, u8), allows_mixed: bool) -> SenderConfig {
    let mut config = sender(ssrc);
    (config.mid, config.extensions, config.allows_mixed) = (None, extensions(numbers.0, numbers.1), allows_mixed);
    config
}

fn given(descriptor: &[u8], allocation: &[u8]) -> RtpPacket {
    let mut packet = packet(7);
    packet.marker = true;
    let element = |bytes: &[u8]| if bytes.is_empty() { None } else { ElementData::new(bytes) };
    (packet.dependency_descriptor, packet.video_layers_allocation) = (element(descriptor), element(allocation));
    packet
}

fn with_payload(mut packet: RtpPacket, payload: &[u8]) -> RtpPacket {
    packet.payload = Bytes::copy_from_slice(payload);
    packet
}

/// What is behind the fixed header of such packets.
fn extensions_of(numbers: (u8, u8), allows_mixed: bool, packets: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    let mut a = session("a", 1);
    let id = a.add_sender(sends(1, numbers, allows_mixed)).expect("a stream");
    let mut all = Vec::new();
    for (descriptor, allocation) in packets {
        a.send(id, given(descriptor, allocation)).expect("room");
        let mut out = Vec::new();
        assert!(a.poll_rtp(at(0), 1180, &mut out));
        assert_eq!(out[0], if out.len() > 16 { 0x90 } else { 0x80 });
        assert_eq!(Packet::parse(&out).map(|packet| packet.payload), Ok(&7u32.to_be_bytes()[..]));
        all.push(out[12..out.len() - 4].to_vec());
    }
    all
}

/// RFC 8285 §4.2, §4.3, by hand.
#[test]
fn elements_have_headers_of_two_bytes_where_that_is_agreed_and_one_needs_it() {
    let long = [9; 17];
    let two_bytes = [&[0x10, 0, 0, 6, 5, 17][..], &long, &[6, 1, 8, 0, 0]].concat();
    let packets: [(&[u8], &[u8]); 4] = [(&[1, 2, 3], &[]), (&long, &[8]), (&[], &[]), (&[1, 2, 3], &[8])];
    let one_byte = [&[0xbe, 0xde, 0, 1, 0x52, 1, 2, 3][..], &[], &[0xbe, 0xde, 0, 2, 0x52, 1, 2, 3, 0x60, 8, 0, 0]];
    let expected = [one_byte[0], &two_bytes, one_byte[1], one_byte[2]];
    assert_eq!(extensions_of((5, 6), true, &packets), expected);
    // Without the agreement a stream has one form: what does not fit is not sent.
    let expected = [one_byte[0], &[0xbe, 0xde, 0, 1, 0x60, 8, 0, 0], one_byte[1], one_byte[2]];
    assert_eq!(extensions_of((5, 6), false, &packets), expected);
    let expected = [&[0x10, 0, 0, 2, 16, 3, 1, 2, 3, 0, 0, 0][..], &[], &[0x10, 0, 0, 2, 16, 3, 1, 2, 3, 6, 1, 8]];
    let all = extensions_of((16, 6), false, &packets);
    assert_eq!([&all[0][..], &all[2], &all[3]], expected);
    // A number above 14 needs two where it stands, and 255 bytes are the most.
    let expected = [&[0x10, 0, 0, 2, 16, 3, 1, 2, 3, 0, 0, 0][..], &[0xbe, 0xde, 0, 1, 0x60, 8, 0, 0]];
    assert_eq!(extensions_of((16, 6), true, &[(&[1, 2, 3], &[]), (&[], &[8])]), expected);
    assert_eq!(extensions_of((5, 6), true, &[(&[1; 255], &[])])[0].len(), 4 + 260);
}

#[test]
fn what_is_given_comes_with_its_packet_also_when_it_is_sent_again() {
    for has_rtx in [false, true] {
        let mut link = Link::new();
        let rtx = RtxPayloadType::new(97, VIDEO.number);
        let mut config = sends(link.ssrc, (5, 16), true);
        config.rtx = has_rtx.then(|| RtxStream::new(link.ssrc + 1, vec![rtx]));
        link.a.update_sender(link.sender, config).expect("there");
        let mut config = receiver();
        (config.mid, config.extensions, config.rtx) = (None, extensions(5, 16), vec![rtx]);
        link.z.update_receiver(link.receiver, config).expect("there");
        link.loses(|n| n == 2);
        for n in 0..6u8 {
            link.send(given(&vec![n + 1; 10 * usize::from(n) + 1], &[n]));
            link.run(at(20 * u32::from(n)));
        }
        link.run(at(1_000));
        let mut told: Vec<_> = link.received().into_iter().map(|received| received.packet).collect();
        told.sort_by_key(|packet| packet.dependency_descriptor.as_ref().map(|descriptor| descriptor.len()));
        assert_eq!(told.len(), 6);
        for (n, packet) in (0..6u8).zip(told) {
            assert_eq!(packet.dependency_descriptor.as_deref(), Some(&vec![n + 1; 10 * usize::from(n) + 1][..]));
            assert_eq!(packet.video_layers_allocation.as_deref(), Some(&[n][..]));
        }
    }
}

#[test]
fn a_packet_that_is_too_long_with_what_is_given_is_refused() {
    let mut a = session("a", 1);
    let id = a.add_sender(sends(1, (5, 6), true)).expect("a stream");
    let room = a.payload_len_max(id).expect("there");
    let with = |len: usize| with_payload(given(&[1; 20], &[]), &vec![0; len]);
    // Twelve bytes are there anyway; four for the extension, 22 for the element, and padding.
    assert!(a.send(id, with(room - 27)).is_err());
    assert!(a.send(id, with(room - 28)).is_ok());
    let mut out = Vec::new();
    assert!(a.poll_rtp(at(0), 1180, &mut out));
    assert_eq!(out.len(), 1180);
}

/// A server reads, decides, and forwards what it read.
#[test]
fn a_layer_is_forwarded_with_its_descriptors_and_costs_nothing_but_its_payload() {
    let structure = structure(0, L1T3);
    let mut link = Link::new();
    link.a.update_sender(link.sender, sends(link.ssrc, (5, 16), true)).expect("there");
    let mut config = receiver();
    (config.mid, config.extensions) = (None, extensions(5, 16));
    link.z.update_receiver(link.receiver, config).expect("there");
    let mut server = session("server", 3);
    let outlet = server.add_sender(sends(77, (9, 10), true)).expect("a stream");
    let (mut reader, mut selector, mut descriptor) = (DependencyReader::new(), LayerSelector::new(), Vec::new());
    selector.set_layers_max(0, 0);
    let (mut arrived, mut left) = (Vec::new(), Vec::new());
    for n in 0..6000u16 {
        let template = [usize::from(n > 0), 3, 2, 4][usize::from(n % 4)];
        let mut fields = DescriptorFields::new(template, n);
        fields.brings_structure = n == 0;
        fields.write(&structure, &mut descriptor).expect("a template");
        let payload = if n == 0 { &[0x10, 0x00, 1][..] } else { &[0x10, 0x01, 1] };
        link.send(with_payload(given(&descriptor, &[]), payload));
        link.deliver(at(n.into()));
        arrived.extend(link.received());
    }
    let mut out = Vec::with_capacity(2000);
    let mut forward = |received: &wigwag_rtp::Received, out: &mut Vec<u8>| {
        let given = received.packet.dependency_descriptor.as_ref().expect("it was given");
        let read = reader.read(received.extended_sequence, given).expect("ours");
        let packet = &received.packet;
        match selector.select(&read, received.extended_sequence, packet.timestamp, packet.marker) {
            Selection::Forward { .. } => {
                server.forward(outlet, received, VIDEO.number, Some(Format::Vp8)).expect("room");
            }
            _ => server.leave_out(outlet, received, VIDEO.number, Some(Format::Vp8)),
        }
        out.clear();
        server.poll_rtp(received.arrival, 1180, out)
    };
    for received in &arrived[..5000] {
        if forward(received, &mut out) {
            let packet = Packet::parse(&out).expect("RTP");
            let (number, bytes) = packet.extensions().next().expect("an element");
            assert_eq!((number, Some(bytes)), (9, received.packet.dependency_descriptor.as_deref()));
            left.push(packet.sequence);
        }
    }
    assert_eq!(left.len(), 1250);
    assert!(left.windows(2).all(|two| two[1] == two[0].wrapping_add(1)), "no gaps");
    let cost = measure(|| arrived[5000..].iter().for_each(|received| _ = forward(received, &mut out)));
    // The payload is shared from its second owner on: one allocation where it becomes so.
    assert!(cost.count_total <= 250, "{cost:?}");
}

/// RFC 4588 §4: whatever fits a packet fits it when it comes again in a stream of its own, also where the name of its layer needs a longer header there.
#[test]
fn the_longest_packet_comes_again_in_a_stream_of_its_own() {
    for (rid, repaired_rid) in [(10, 11), (10, 16), (16, 10)] {
        let mut a = session("a", 1);
        let mut config = sends(1, (5, 6), true);
        (config.mid, config.rid) = (Some("0".into()), Some("a".into()));
        (config.extensions.mid, config.extensions.rid) = (Some(4), Some(rid));
        (config.extensions.repaired_rid, config.extensions.abs_send_time) = (Some(repaired_rid), Some(2));
        config.extensions.transport_cc = Some(3);
        config.rtx = Some(RtxStream::new(2, vec![RtxPayloadType::new(97, VIDEO.number)]));
        let id = a.add_sender(config).expect("a stream");
        let longest = vec![7; a.payload_len_max(id).expect("there")];
        a.send(id, with_payload(packet(0), &longest)).expect("it fits");
        let mut out = Vec::new();
        assert!(a.poll_rtp(at(0), 1180, &mut out));
        let sequence = Packet::parse(&out).expect("our own").sequence;
        let nack = [&[0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, 1][..], &sequence.to_be_bytes(), &[0, 0]].concat();
        a.handle_rtcp(&nack, at(50));
        out.clear();
        assert!(a.poll_rtp(at(50), 1180, &mut out));
        let again = Packet::parse(&out).expect("our own");
        assert_eq!(
            (again.ssrc, again.payload_type, again.payload.len()),
            (2, 97, longest.len() + 2),
            "{rid} {repaired_rid}"
        );
    }
}
