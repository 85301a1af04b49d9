//! Frames into packets, and back.

use crate::codecs::{captured, files, test_data};
use crate::common::{Link, VIDEO, at, sender, session};
use crate::formats::ALL;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::vp8::{self, Descriptor, PictureId};
use wigwag_rtp::payload::{Assembled, Assembler, Format, Frame, FrameEvent, FrameReceiver, Packetizer, Unfit};
use wigwag_rtp::{
    AudioLevel, Event, JitterConfig, Kind, OrderedPacket, PayloadType, RtpPacket, SendError, SenderConfig,
};

/// A packet as [`Assembler`] takes it.
pub(crate) fn packet(timestamp: u32, marker: bool, payload: &[u8]) -> RtpPacket {
    let mut packet = RtpPacket::new(96, timestamp, Bytes::copy_from_slice(payload));
    packet.marker = marker;
    packet
}

/// All that comes of a stream: packets with their sequence numbers, from any number on.
pub(crate) fn assemble(format: Format, packets: impl IntoIterator<Item = (u64, RtpPacket)>) -> Vec<Assembled> {
    let mut assembler = Assembler::new(format);
    packets
        .into_iter()
        .flat_map(|(sequence, packet)| assembler.push(sequence, &packet, at(0)).collect::<Vec<_>>())
        .collect()
}

pub(crate) fn frames(assembled: &[Assembled]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    for assembled in assembled {
        if let Assembled::Frame(frame) = assembled {
            frames.push(&*frame.data);
        }
    }
    frames
}

/// Captured packets by source, each with its number continued from the first.
pub(crate) fn streams<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> BTreeMap<u32, Vec<(u64, RtpPacket)>> {
    let mut streams: BTreeMap<u32, Vec<(u64, RtpPacket)>> = BTreeMap::new();
    for bytes in packets {
        let parsed = Packet::parse(bytes).expect("valid");
        let stream = streams.entry(parsed.ssrc).or_default();
        let sequence = stream.last().map_or(u64::from(parsed.sequence), |(last, _)| {
            last + u64::from(parsed.sequence.wrapping_sub(*last as u16))
        });
        stream.push((sequence, packet(parsed.timestamp, parsed.marker, parsed.payload)));
    }
    streams
}

/// Whatever was captured without loss is put together without loss. Returns how many frames, and how many key frames.
fn all_assemble(packets: &[(u64, RtpPacket)]) -> (usize, usize) {
    let assembled = assemble(Format::Vp8, packets.iter().cloned());
    let (mut count, mut key_frames) = (0, 0);
    for assembled in &assembled {
        let Assembled::Frame(frame) = assembled else { panic!("{assembled:?}") };
        assert!(frame.is_decodable);
        assert_eq!(frame.is_key_frame, vp8::size(&frame.data).is_some(), "a key frame has its start code");
        count += 1;
        key_frames += usize::from(frame.is_key_frame);
    }
    assert_eq!(count, packets.iter().filter(|(_, packet)| packet.marker).count(), "each marker ends a frame");
    (count, key_frames)
}

#[test]
fn all_vp8_of_a_capture_is_put_together() {
    let Some(folder) = test_data() else { return };
    let capture = std::fs::read(folder.join("str0m-rtp/vp8.pcap")).expect("readable");
    let text = std::fs::read_to_string(folder.join("str0m-rtp/vp8.txt")).expect("readable");
    let streams = streams(captured(&capture));
    let (mut count, mut key_frames) = (0, 0);
    for packets in streams.values() {
        let (some, key) = all_assemble(packets);
        (count, key_frames) = (count + some, key_frames + key);
    }
    assert_eq!(count, text.lines().filter(|line| line.contains("Mark")).count());
    assert_eq!(key_frames, text.lines().filter(|line| line.contains("Keyframe")).count());
}

#[test]
fn all_vp8_that_others_recorded_is_put_together() {
    let Some(folder) = test_data() else { return };
    let mut dumps: Vec<_> =
        files(&folder.join("werift-vp8")).into_iter().filter(|(name, _)| name.ends_with(".rtp")).collect();
    dumps.sort_by_key(|(name, _)| {
        name.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u32>().expect("a number")
    });
    for packets in streams(dumps.iter().map(|(_, bytes)| &**bytes)).values() {
        let (count, key_frames) = all_assemble(packets);
        assert!(count > 10 && key_frames > 0, "{count} {key_frames}");
    }
    // rtpdump: a line, 16 bytes of a header, then each packet after its length, its length on the wire and its time.
    let dump = std::fs::read(folder.join("libwebrtc-fuzz/rtpdump-corpus/vp8.rtpdump")).expect("readable");
    let line = dump.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let (mut rest, mut packets) = (&dump[line + 16..], Vec::new());
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let (bytes, after) = after.split_at(usize::from(u16::from_be_bytes([header[0], header[1]])) - 8);
        // What is of another payload type is RTCP and an empty packet.
        packets.extend((bytes[1] & 0x7f == 125).then_some(bytes));
        rest = after;
    }
    let streams = streams(packets);
    let total: usize = streams.values().map(|packets| all_assemble(packets).0).sum();
    assert!(total > 50, "{total}");
}

/// A frame of so many bytes, that says which it is.
fn frame_of(n: usize, len: usize, is_key_frame: bool) -> Bytes {
    let mut data = vec![n as u8; len.max(1)];
    data[0] = if is_key_frame { 0x10 } else { 0x11 };
    data.into()
}

proptest! {
    #[test]
    fn a_frame_in_packets_is_the_same_frame(len in 1usize..20_000, limit in 5usize..1500, id in any::<u16>()) {
        let mut packetizer = Packetizer::new(Format::Vp8, id);
        let data = frame_of(7, len, true);
        let payloads = packetizer.payloads(&data, limit).expect("possible");
        let count = payloads.len();
        let packets: Vec<_> = packetizer.packets(&Frame::new(96, 9, data.clone()), payloads).collect();
        prop_assert_eq!(packets.len(), count);
        prop_assert!(packets.iter().all(|packet| packet.payload.len() <= limit));
        prop_assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        let (first, _) = Descriptor::parse(&packets[0].payload).expect("ours");
        prop_assert_eq!((first.is_frame_start(), first.picture_id), (true, Some(PictureId::Long(id & 0x7fff))));
        let assembled = assemble(Format::Vp8, (1..).zip(packets));
        prop_assert_eq!(frames(&assembled), [&data[..]]);
    }

    #[test]
    fn any_bytes_are_taken(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), any::<bool>(), 0u32..3, 0u64..3), 0..50)) {
        for format in ALL {
            let mut sequence = 0;
            let packets = payloads.iter().map(|(payload, marker, timestamp, step)| {
                sequence += step;
                (sequence, packet(*timestamp, *marker, payload))
            });
            let packets: Vec<_> = packets.collect();
            let bytes: usize = payloads.iter().map(|(payload, ..)| payload.len()).sum();
            let assembled = assemble(format, packets);
            // A start code is at most four times as long as what it stands before.
            prop_assert!(frames(&assembled).iter().map(|frame| frame.len()).sum::<usize>() <= 5 * bytes);
        }
    }
}

#[test]
fn a_frame_that_cannot_be_cut_is_refused() {
    let vp8 = Packetizer::new(Format::Vp8, 0);
    let opus = Packetizer::new(Format::Opus, 0);
    let data = Bytes::from(vec![0x78; 10]);
    assert_eq!(vp8.payloads(&data, 4).err(), Some(Unfit::TooLong), "the descriptor takes all");
    assert_eq!(vp8.payloads(&data, 5).expect("a byte in each").count(), 10);
    assert_eq!(opus.payloads(&data, 9).err(), Some(Unfit::TooLong));
    assert!(opus.payloads(&data, 10).expect("fits").eq([data]));
    for packetizer in [vp8, opus] {
        assert_eq!(packetizer.payloads(&Bytes::new(), 100).err(), Some(Unfit::Malformed));
    }
}

/// The payload of a VP8 packet whose frame has this number.
fn part(is_start: bool, id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Descriptor { is_start, picture_id: Some(PictureId::Long(id)), ..Descriptor::default() }.write(&mut bytes);
    bytes.extend_from_slice(data);
    bytes
}

const KEY: &[u8] = &[0x10, 1, 2];
const INTER: &[u8] = &[0x11, 1, 2];

#[test]
fn padding_that_is_lost_harms_no_frame() {
    let packets = [
        (1, packet(0, true, &part(true, 10, KEY))),
        // 2 was padding, 3 was too.
        (4, packet(0, false, b"")),
        (5, packet(3000, true, &part(true, 11, INTER))),
        // 6 was a frame.
        (7, packet(9000, true, &part(true, 13, INTER))),
    ];
    let assembled = assemble(Format::Vp8, packets);
    let decodable: Vec<_> = assembled
        .iter()
        .map(|assembled| match assembled {
            Assembled::Frame(frame) => Ok(frame.is_decodable),
            Assembled::Lost { packets } => Err(*packets),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(decodable, [Ok(true), Ok(true), Err(1), Ok(false)]);
}

/// RFC 7741 §4.2: numbers of 7 or 15 bits come again after as many frames, and each of those may have been one packet.
#[test]
fn numbers_that_have_gone_around_hide_no_loss() {
    let short = |id: u8, data: &[u8]| [&[0x90, 0x80, id], data].concat();
    let cases = [
        (short(10, KEY), short(11, INTER), 127, true),
        (short(10, KEY), short(11, INTER), 128, false),
        (part(true, 10, KEY), part(true, 11, INTER), 32_767, true),
        (part(true, 10, KEY), part(true, 11, INTER), 32_768, false),
    ];
    for (first, next, missing, is_decodable) in cases {
        let packets = [(1, packet(0, true, &first)), (2 + missing, packet(3000, true, &next))];
        let assembled = assemble(Format::Vp8, packets);
        let Some(Assembled::Frame(last)) = assembled.last() else { panic!("{assembled:?}") };
        assert_eq!((last.is_decodable, assembled.len()), (is_decodable, if is_decodable { 2 } else { 3 }), "{missing}");
    }
}

/// What was lost before padding was lost before what follows it, too.
#[test]
fn padding_hides_no_loss() {
    let lost_inside = [
        (1, packet(0, false, &part(true, 1, KEY))),
        (3, packet(0, false, b"")),
        (4, packet(0, true, &part(false, 1, KEY))),
    ];
    assert_eq!(assemble(Format::Vp8, lost_inside), [Assembled::Lost { packets: 1 }]);
    let lost_at_the_end = [
        (1, packet(0, false, &part(true, 1, KEY))),
        (3, packet(0, false, b"")),
        (4, packet(3000, true, &part(true, 2, KEY))),
    ];
    assert_eq!(frames(&assemble(Format::Vp8, lost_at_the_end)), [KEY]);
}

#[test]
fn a_frame_without_its_marker_ends_where_the_next_begins() {
    let packets = [
        (1, packet(0, false, &part(true, 1, KEY))),
        (2, packet(0, false, &part(false, 1, KEY))),
        (3, packet(3000, true, &part(true, 2, INTER))),
    ];
    assert_eq!(frames(&assemble(Format::Vp8, packets)), [&[KEY, KEY].concat()[..], INTER]);
}

#[test]
fn a_frame_goes_on_only_in_its_own_time() {
    let packets = [
        (1, packet(0, false, &part(true, 1, KEY))),
        (2, packet(3000, true, &part(false, 1, INTER))),
        (3, packet(6000, true, &part(true, 2, INTER))),
    ];
    let assembled = assemble(Format::Vp8, packets);
    assert_eq!(assembled[0], Assembled::Lost { packets: 0 });
    assert!(matches!(&assembled[1..], [Assembled::Frame(frame)] if !frame.is_decodable), "{assembled:?}");
}

#[test]
fn a_frame_that_never_ends_takes_no_memory_without_end() {
    for part_len in [1, 1000] {
        let mut assembler = Assembler::new(Format::Vp8);
        assembler.set_frame_len_max(100_000);
        let first = packet(0, false, &part(true, 1, KEY));
        let next = packet(0, false, &part(false, 1, &vec![7; part_len]));
        assert_eq!(assembler.push(0, &first, at(0)).count(), 0);
        let lost = (1..).find(|sequence| assembler.push(*sequence, &next, at(0)).count() > 0).expect("at some time");
        assert!(lost as usize * (part_len + 64) <= 101_100, "{lost}");
        assert_eq!(
            (1_000_000..1_001_000).map(|sequence| assembler.push(sequence, &next, at(0)).count()).sum::<usize>(),
            0
        );
        assert_eq!((assembler.stats().dropped_too_long, assembler.stats().dropped_without_start), (1, 1_000));
    }
}

#[test]
fn packets_in_the_wrong_order_are_dropped_and_counted() {
    let mut assembler = Assembler::new(Format::Opus);
    let sound = packet(0, false, &[0x78, 1]);
    assert_eq!(assembler.push(5, &sound, at(0)).count(), 1);
    assert_eq!(assembler.push(5, &sound, at(0)).count() + assembler.push(4, &sound, at(0)).count(), 0);
    assert_eq!(assembler.push(6, &packet(0, false, &[0x7b, 0]), at(0)).count(), 0, "no frame in it");
    assert_eq!(assembler.push(8, &sound, at(0)).next(), Some(Assembled::Lost { packets: 2 }));
    assert_eq!((assembler.stats().dropped_late, assembler.stats().dropped_malformed), (2, 1));
}

#[test]
fn sound_after_silence_is_marked() {
    let mut packetizer = Packetizer::new(Format::Opus, 0);
    let mut marker = |timestamp| {
        let frame = Frame::new(111, timestamp, Bytes::from_static(&[0x78, 1, 2]));
        let payloads = packetizer.payloads(&frame.data, 100).expect("fits");
        packetizer.packets(&frame, payloads).map(|packet| packet.marker).collect::<Vec<_>>()
    };
    // 20 ms each; then half a second of nothing.
    let markers: Vec<_> = [0, 960, 1920, 26_880, 27_840].into_iter().flat_map(&mut marker).collect();
    assert_eq!(markers, [true, false, false, true, false]);
}

/// A byte is a tick, in G.722 too, whose samples are twice as many.
#[test]
fn sound_of_a_byte_a_tick_is_marked_after_silence_and_loses_what_is_missing() {
    for format in [Format::G711, Format::G722] {
        assert_eq!((format.clock_rate_hz(), format.has_key_frames(), format.begins(&[1])), (8_000, false, true));
        let mut packetizer = Packetizer::new(format, 0);
        let mut sent = Vec::new();
        for timestamp in [0, 160, 320, 800, 960] {
            let frame = Frame::new(0, timestamp, Bytes::from(vec![timestamp as u8; 160]));
            assert_eq!(packetizer.payloads(&frame.data, 159).err(), Some(Unfit::TooLong));
            let payloads = packetizer.payloads(&frame.data, 160).expect("fits");
            sent.extend(packetizer.packets(&frame, payloads));
        }
        assert_eq!(sent.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [true, false, false, true, false]);
        let arrived = (1..).zip(sent).filter(|(sequence, _)| *sequence != 2);
        let assembled = assemble(format, arrived);
        assert_eq!(assembled[1], Assembled::Lost { packets: 1 });
        assert_eq!(frames(&assembled).iter().map(|frame| frame[0]).collect::<Vec<_>>(), [0, 64, 32, 192]);
    }
}

#[test]
fn a_frame_is_queued_whole_or_not_at_all() {
    let mut a = session("a", 1);
    let id = a.add_sender(sender(7)).expect("added");
    let mut packetizer = Packetizer::new(Format::Vp8, 0);
    let limit = a.payload_len_max(id).expect("there");
    let frame = |len| Frame::new(VIDEO.number, 0, frame_of(0, len, true));
    a.send_frame(id, &mut packetizer, frame(1000 * (limit - 4))).expect("1000 packets");
    let refused = a.send_frame(id, &mut packetizer, frame(25 * (limit - 4)));
    assert!(matches!(refused, Err(SendError::Full(data)) if data.len() == 25 * (limit - 4)));
    a.send_frame(id, &mut packetizer, frame(24 * (limit - 4))).expect("24 more");
    assert!(matches!(a.send_frame(id, &mut packetizer, frame(2_000_000)), Err(SendError::TooLong(_))));
    assert!(matches!(a.send_frame(id, &mut packetizer, frame(0)), Err(SendError::Full(_))));
    let empty = Frame::new(VIDEO.number, 0, Bytes::new());
    assert!(matches!(a.send_frame(id, &mut packetizer, empty), Err(SendError::Malformed(_))));
    let mut other = frame(1);
    other.payload_type = 97;
    assert!(matches!(a.send_frame(id, &mut packetizer, other), Err(SendError::PayloadType(_))));
    let (mut out, mut lens) = (Vec::new(), Vec::new());
    while a.poll_rtp(at(0), 1180, &mut out) {
        lens.push(out.len());
        out.clear();
    }
    assert_eq!((lens.len(), lens[0]), (1024, 1180), "as long as the path takes");
}

#[test]
fn frames_cross_the_session() {
    let mut link = Link::new();
    let mut packetizer = Packetizer::new(Format::Vp8, 5);
    let sent: Vec<_> = (0..20).map(|n| frame_of(n, n * 300, n == 0)).collect();
    for (n, data) in sent.iter().enumerate() {
        let frame = Frame::new(VIDEO.number, 3000 * n as u32, data.clone());
        link.a.send_frame(link.sender, &mut packetizer, frame).expect("room");
    }
    link.run(at(0));
    let received = link.received().into_iter().map(|received| (received.extended_sequence, received.packet));
    assert_eq!(frames(&assemble(Format::Vp8, received)), sent);
}

#[test]
fn sound_crosses_the_session() {
    let opus = PayloadType { number: 111, clock_rate_hz: wigwag_rtp::payload::opus::CLOCK_RATE_HZ };
    let mut a = session("a", 1);
    let id = a.add_sender(SenderConfig::new(1, Kind::Audio, vec![opus])).expect("added");
    let mut packetizer = Packetizer::new(Format::Opus, 0);
    let frame = Frame::new(111, 960, Bytes::from_static(b"\x78sound"));
    a.send_frame(id, &mut packetizer, frame).expect("room");
    let mut out = Vec::new();
    assert!(a.poll_rtp(at(0), 1180, &mut out));
    assert_eq!((out[1], &out[12..]), (0x80 | 111, &b"\x78sound"[..]));
}

/// The encoder goes on from a picture that the receiver never gets, and nothing in the stream would tell so.
#[test]
fn after_a_picture_that_found_no_room_a_key_frame_is_asked_for_when_there_is_some() {
    let mut a = session("a", 1);
    let id = a.add_sender(sender(7)).expect("added");
    let limit = a.payload_len_max(id).expect("there");
    let frame = |count: usize, is_key| Frame::new(VIDEO.number, 0, frame_of(0, count * (limit - 4), is_key));
    let told = |a: &mut wigwag_rtp::Session| std::iter::from_fn(|| a.poll_event()).collect::<Vec<_>>();
    let mut packetizer = Packetizer::new(Format::Vp8, 0);
    a.send_frame(id, &mut packetizer, frame(1000, true)).expect("room");
    assert!(matches!(a.send_frame(id, &mut packetizer, frame(25, false)), Err(SendError::Full(_))));
    assert_eq!(told(&mut a), []);
    assert!(a.poll_rtp(at(0), 1180, &mut Vec::new()));
    assert_eq!(told(&mut a), [Event::Writable { sender: id }, Event::KeyFrameRequested { sender: id }]);
    // One that is refused again is asked for again, when an encoder may have made another.
    assert!(matches!(a.send_frame(id, &mut packetizer, frame(100, true)), Err(SendError::Full(_))));
    assert!(a.poll_rtp(at(10), 1180, &mut Vec::new()));
    assert_eq!(told(&mut a), [Event::Writable { sender: id }]);
    a.handle_timeout(at(300));
    assert_eq!(told(&mut a), [Event::KeyFrameRequested { sender: id }]);
    while a.poll_rtp(at(300), 1180, &mut Vec::new()) {}
    a.send_frame(id, &mut packetizer, frame(100, true)).expect("room");
    while a.poll_rtp(at(900), 1180, &mut Vec::new()) {}
    assert_eq!(told(&mut a), []);
}

#[test]
fn sound_that_found_no_room_needs_no_key_frame() {
    let mut a = session("a", 1);
    let mut config = sender(7);
    config.kind = Kind::Audio;
    let id = a.add_sender(config).expect("added");
    let mut packetizer = Packetizer::new(Format::Opus, 0);
    let mut frame = || a.send_frame(id, &mut packetizer, Frame::new(VIDEO.number, 0, Bytes::from_static(&[0x78, 1])));
    assert!(matches!((0..).find_map(|_| frame().err()), Some(SendError::Full(_))));
    assert!(a.poll_rtp(at(0), 1180, &mut Vec::new()));
    assert_eq!(std::iter::from_fn(|| a.poll_event()).collect::<Vec<_>>(), [Event::Writable { sender: id }]);
}

/// Who plays frames wants to know how long they were on the way, how loud they are, and which packets they were.
#[test]
fn a_frame_tells_of_its_packets() {
    let mut frames = FrameReceiver::new(Format::Vp8, JitterConfig::video(90_000));
    let packets = [(7, 10, part(true, 1, &[0; 20])), (8, 5, part(false, 1, &[1])), (9, 12, part(false, 1, &[2]))];
    for place in [1, 0, 2] {
        let (extended_sequence, millis, payload) = packets[place].clone();
        let packet = packet(0, extended_sequence == 9, &payload);
        frames.insert(OrderedPacket { extended_sequence, packet }, at(millis));
    }
    frames.handle_timeout(at(100));
    let Some(FrameEvent::Frame(picture)) = frames.poll_event() else { panic!("it is whole") };
    assert_eq!((picture.first_arrival, picture.sequences, picture.audio_level), (at(5), 7..=9, None));
    let mut assembler = Assembler::new(Format::Opus);
    let mut sound = packet(0, false, &[0x78, 1]);
    sound.audio_level = Some(AudioLevel { is_voice: true, level: 30 });
    let Some(Assembled::Frame(sound)) = assembler.push(70_000, &sound, at(3)).next() else { panic!("a frame") };
    assert_eq!((sound.first_arrival, sound.sequences), (at(3), 70_000..=70_000));
    assert_eq!(sound.audio_level, Some(AudioLevel { is_voice: true, level: 30 }));
}
