//! Payload formats, and packets on their way to be frames.

use crate::script::Script;
use bytes::Bytes;
use std::time::Duration;
use wigwag_rtp::payload::telephone_event::{self, Report};
use wigwag_rtp::payload::vp8::{self, Descriptor};
use wigwag_rtp::payload::{
    Assembled, Assembler, Dialer, Format, Frame, FrameEvent, FrameReceiver, Packetizer, ToneStream,
};
use wigwag_rtp::payload::{av1, h264, opus, vp9};
use wigwag_rtp::{JitterConfig, OrderedPacket, RtpPacket};

/// Any bytes as a packet of Opus: it lasts as long as one may.
pub fn rtp_opus(data: &[u8]) {
    if let Ok(duration) = opus::duration(data) {
        assert!((2_500..=120_000).contains(&duration.as_micros()), "{duration:?}");
    }
}

/// Any bytes as a packet of VP8: what parses is written the same, and cut into packets it is put together again.
pub fn rtp_vp8(data: &[u8]) {
    let Ok((descriptor, part)) = Descriptor::parse(data) else { return };
    assert!(!part.is_empty(), "something is carried");
    let mut written = Vec::new();
    descriptor.write(&mut written);
    written.extend_from_slice(part);
    assert_eq!(Descriptor::parse(&written), Ok((descriptor, part)));
    let _ = (vp8::is_key_frame(part), vp8::size(part));
    let mut assembler = Assembler::new(Format::Vp8);
    let payloads = vp8::packetize(part, descriptor, 20).expect("there is room beside any descriptor");
    let last = payloads.len();
    let packets = (1..).zip(payloads).map(|(n, payload)| (n, packet(0, n == last, payload)));
    let frames: Vec<_> = packets
        .flat_map(|(n, packet)| assembler.push(n as u64, &packet, wigwag_sim::origin()).collect::<Vec<_>>())
        .collect();
    assert!(matches!(&frames[..], [Assembled::Frame(frame)] if frame.data == part), "{frames:?}");
}

/// Any bytes as a packet of H.264, and as a frame: what is cut into packets is put together again.
pub fn rtp_h264(data: &[u8]) {
    if let Ok(h264::Payload::Aggregate(units)) = h264::Payload::parse(data) {
        let len: usize = units.map(|unit| 2 + unit.len()).sum();
        assert_eq!(1 + len, data.len(), "all units of an aggregate are whole");
    }
    if let Some(frame) = cut(Format::H264, data) {
        let units = |data| h264::units(data).expect("start codes").map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(units(&frame), units(data));
    }
}

/// Any bytes as a packet of VP9, which is written the same, and as a frame.
pub fn rtp_vp9(data: &[u8]) {
    if let Ok((descriptor, part)) = vp9::Descriptor::parse(data) {
        let mut written = Vec::new();
        descriptor.write(&mut written);
        written.extend_from_slice(part);
        assert_eq!(vp9::Descriptor::parse(&written), Ok((descriptor, part)));
        let sizes = descriptor.structure.map_or(0, |structure| structure.sizes().count());
        assert!(sizes <= 8, "there are eight spatial layers");
    }
    if let Some(frame) = cut(Format::Vp9, data) {
        assert_eq!(frame, data);
    }
}

/// Any bytes as a packet of AV1, and as a temporal unit: what is cut into packets is put together again.
pub fn rtp_av1(data: &[u8]) {
    if let Ok(payload) = av1::Payload::parse(data) {
        assert!(payload.elements.map(<[u8]>::len).sum::<usize>() < data.len(), "elements are after the header");
    }
    if let Some(frame) = cut(Format::Av1, data) {
        let obus = |data| av1::obus(data).map(|obu| obu.expect("whole")).collect::<Vec<_>>();
        let mut sent = obus(data);
        sent.retain(|obu| !matches!(obu.kind(), 2 | 8));
        assert_eq!(obus(&frame), sent);
    }
}

/// Any bytes as a report of a key, and as a script of keys that are pressed: each ends, and nothing spins.
pub fn rtp_telephone_event(data: &[u8]) {
    if let Ok(report) = Report::parse(data) {
        assert_eq!(Report::parse(&report.to_bytes()), Ok(report));
    }
    let script = &mut Script::new(data);
    let mut dialer = Dialer::new();
    let (mut now, begin) = (wigwag_sim::origin(), wigwag_sim::origin());
    while !script.is_over() {
        let op = script.byte();
        let keys: String = script.bytes().iter().map(|byte| char::from(*byte & 0x7f)).collect();
        let (press, gap) = (u64::from(script.u16()), u64::from(script.u16()));
        let before = dialer.waiting();
        let taken = dialer.insert(&keys, Duration::from_millis(press), Duration::from_millis(gap));
        assert_eq!(dialer.waiting(), if taken.is_ok() { keys } else { before }, "all or nothing");
        for _ in 0..op % 32 {
            let Some(due) = dialer.poll_timeout(now) else { break };
            now = due + Duration::from_millis(u64::from(op >> 5));
            let timestamp = 8 * now.duration_since(begin).as_millis() as u32;
            let stream = (op & 1 == 0).then_some(ToneStream { payload_type: 101, clock_rate_hz: 8_000, timestamp });
            while let Some(packet) = dialer.poll_packet(now, || stream) {
                let report = Report::parse(&packet.payload).expect("ours");
                assert!(telephone_event::key(report.event).is_some());
            }
            assert!(dialer.poll_timeout(now).is_none_or(|due| due > now), "nothing is owed, but it is due");
        }
    }
}

/// As the second frame of a stream, in packets of 20 bytes and together again. `None` if it cannot be cut.
fn cut(format: Format, data: &[u8]) -> Option<Bytes> {
    let mut packetizer = Packetizer::new(format, 7);
    let frame = Frame::new(96, 3_000, Bytes::copy_from_slice(data));
    let payloads = packetizer.payloads(&frame.data, 20).ok()?;
    let mut assembler = Assembler::new(format);
    // It is of none of the formats that number frames: what it is of others does not matter, but that it ends something.
    let before = packet(0, true, Bytes::from_static(&[0x41, 1]));
    let packets = std::iter::once(before).chain(packetizer.packets(&frame, payloads));
    let put: Vec<_> = (1..)
        .zip(packets)
        .flat_map(|(n, packet)| assembler.push(n, &packet, wigwag_sim::origin()).collect::<Vec<_>>())
        .collect();
    match put.last() {
        Some(Assembled::Frame(frame)) if frame.rtp_time == 3_000 => Some(frame.data.clone()),
        _ => panic!("a frame in packets is a frame: {put:?}"),
    }
}

fn packet(timestamp: u32, marker: bool, payload: Bytes) -> RtpPacket {
    let mut packet = RtpPacket::new(96, timestamp, payload);
    packet.marker = marker;
    packet
}

/// By the first byte of a script.
const FORMATS: [Format; 6] = [Format::Vp8, Format::Opus, Format::H264, Format::Vp9, Format::Av1, Format::G722];

/// Any packets at any time: in order, not much more than came in, and nothing spins.
pub fn rtp_frames(data: &[u8]) {
    let script = &mut Script::new(data);
    let format = FORMATS[usize::from(script.byte()) % FORMATS.len()];
    let mut config = JitterConfig::video(format.clock_rate_hz());
    (config.packets_max, config.bytes_max) = (8, 4_000);
    let mut frames = FrameReceiver::new(format, config);
    let (mut now, mut timestamp, mut sequence) = (wigwag_sim::origin(), script.u32(), 1_000u64);
    let (mut carried, mut told) = (0, 0);
    for _ in 0..400 {
        if script.is_over() {
            break;
        }
        let op = script.byte();
        if op & 1 == 0 {
            timestamp = timestamp.wrapping_add(if op & 2 == 0 { 3_000 } else { script.u32() });
        }
        sequence = if op & 4 == 0 { sequence + 1 } else { sequence.wrapping_add_signed(script.byte() as i8 as i64) };
        let payload = Bytes::copy_from_slice(script.bytes());
        carried += payload.len();
        let packet = packet(timestamp, op & 8 != 0, payload);
        frames.insert(OrderedPacket { extended_sequence: sequence, packet }, now);
        now += Duration::from_millis(u64::from(op >> 4) * 10);
        if op & 0x10 == 0 {
            continue;
        }
        let is_due = frames.poll_timeout(now).is_some_and(|at| at <= now);
        let mut was_told = false;
        frames.handle_timeout(now);
        while let Some(event) = frames.poll_event() {
            was_told = true;
            if let FrameEvent::Frame(frame) = event {
                told += frame.data.len();
            }
        }
        assert!(is_due || !was_told, "an event was owed, but no wake-up due");
        assert!(frames.poll_timeout(now).is_none_or(|at| at > now), "nothing is owed, but it is due");
        assert!(frames.load().held <= frames.load().bound, "{:?}", frames.load());
    }
    // A start code is four times as long as the least that it stands before.
    assert!(told <= 5 * carried, "frames are made of what came");
}
