//! What holds for every payload format: whatever the network does, a frame that comes is one that was sent.

use crate::payload::assemble;
use crate::{av1, common::at, h264};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;
use wigwag_rtp::payload::{Assembled, Format, Frame, FrameEvent, FrameReceiver, Packetizer};
use wigwag_rtp::{JitterConfig, OrderedPacket, RtpPacket};

/// Every format.
pub(crate) const ALL: [Format; 8] = [
    Format::Opus,
    Format::G711,
    Format::G722,
    Format::Vp8,
    Format::H264,
    Format::H264SingleNal,
    Format::Vp9,
    Format::Av1,
];
/// Those of pictures.
pub(crate) const PICTURES: [Format; 5] = [Format::Vp8, Format::H264, Format::H264SingleNal, Format::Vp9, Format::Av1];
/// Ticks between two frames.
const STEP: u32 = 3000;

/// A frame of about so many bytes, that says which it is.
pub(crate) fn frame_of(format: Format, n: usize, len: usize, is_key_frame: bool) -> Bytes {
    match format {
        Format::H264 | Format::H264SingleNal => h264::frame_of(n, len, is_key_frame),
        Format::Av1 => av1::frame_of(n, len, is_key_frame),
        Format::Vp9 => {
            let mut data = vec![n as u8; len.max(1)];
            data[0] = if is_key_frame { 0x82 } else { 0x86 };
            data.into()
        }
        _ => {
            let mut data = vec![n as u8; len.max(1)];
            data[0] = if is_key_frame { 0x10 } else { 0x11 };
            data.into()
        }
    }
}

/// Frames, the first of which is a key frame, and their packets.
#[derive(Debug)]
struct Sent {
    frames: Vec<Bytes>,
    packets: Vec<RtpPacket>,
}

fn send(format: Format, lens: &[(usize, bool)], limit: usize) -> Sent {
    let mut packetizer = Packetizer::new(format, 0x7ff0);
    let mut sent = Sent { frames: Vec::new(), packets: Vec::new() };
    for (n, (len, is_key_frame)) in lens.iter().enumerate() {
        let frame = Frame::new(96, STEP * n as u32, frame_of(format, n, *len, n == 0 || *is_key_frame && n % 5 == 0));
        let payloads = packetizer.payloads(&frame.data, limit).expect("possible");
        sent.packets.extend(packetizer.packets(&frame, payloads));
        sent.frames.push(frame.data);
    }
    sent
}

proptest! {
    #[test]
    fn a_frame_in_packets_is_the_same_frame(format in select(&PICTURES[..]), len in 1usize..20_000, limit in 8usize..1500, is_key_frame: bool) {
        let limit = if format == Format::H264SingleNal { limit + 20_000 } else { limit };
        let mut packetizer = Packetizer::new(format, 9);
        let data = frame_of(format, 7, len, is_key_frame);
        let payloads = packetizer.payloads(&data, limit).expect("possible");
        let count = payloads.len();
        let packets: Vec<_> = packetizer.packets(&Frame::new(96, 9, data.clone()), payloads).collect();
        prop_assert_eq!(packets.len(), count);
        prop_assert!(packets.iter().all(|packet| (1..=limit).contains(&packet.payload.len())));
        prop_assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        prop_assert!(packets[count - 1].marker);
        // The end of a frame before it, which is not seen whole.
        let mut first = packets[count - 1].clone();
        first.timestamp = 8;
        let assembled = assemble(format, (1..).zip(std::iter::once(first).chain(packets)));
        let last = assembled.last();
        prop_assert!(matches!(last, Some(Assembled::Frame(frame)) if frame.data == data && frame.is_key_frame == is_key_frame), "{:?}", last);
    }

    /// Whatever is lost, a frame is one that was sent, in order, and what is said to be decodable is.
    #[test]
    fn loss_is_told_and_never_makes_a_frame_of_two(
        format in select(&PICTURES[..]),
        lens in prop::collection::vec((1usize..400, any::<bool>()), 1..40),
        lost in prop::collection::vec(any::<bool>(), 1..60),
    ) {
        let limit = if format == Format::H264SingleNal { 500 } else { 100 };
        let sent = send(format, &lens, limit);
        let count = sent.packets.len();
        let arrived: Vec<_> = (100u64..).zip(sent.packets).enumerate()
            .filter(|(n, _)| *n == 0 || *n + 1 == count || !lost[n % lost.len()]).map(|(_, packet)| packet).collect();
        let missing = (count - arrived.len()) as u64;
        let (mut next, mut told, mut is_whole) = (0, 0, true);
        for assembled in assemble(format, arrived) {
            match assembled {
                Assembled::Frame(frame) => {
                    let at = (frame.rtp_time / STEP) as usize;
                    prop_assert_eq!(&frame.data, &sent.frames[at]);
                    prop_assert!(at >= next);
                    is_whole = frame.is_key_frame || is_whole && at == next;
                    prop_assert_eq!(frame.is_decodable, is_whole, "frame {}", at);
                    next = at + 1;
                }
                Assembled::Lost { packets } => told += packets,
                _ => unreachable!(),
            }
        }
        prop_assert!(told <= missing);
        prop_assert!(next == sent.frames.len() || told > 0 || missing > 0);
    }

    /// Through a jitter buffer: packets that come late, twice or not at all.
    #[test]
    fn disorder_and_repetition_make_no_other_frame(
        format in select(&PICTURES[..]),
        lens in prop::collection::vec((1usize..400, any::<bool>()), 1..30),
        fates in prop::collection::vec((0u32..10, 0u64..60), 1..80),
    ) {
        let limit = if format == Format::H264SingleNal { 500 } else { 100 };
        let sent = send(format, &lens, limit);
        let mut arrivals = Vec::new();
        for (n, packet) in sent.packets.iter().enumerate() {
            let (fate, late) = fates[n % fates.len()];
            let sent_at = u64::from(packet.timestamp / 90);
            let copies = match fate { 0 => 0, 1 => 2, _ => 1 };
            arrivals.extend((0..copies).map(|copy| (sent_at + late + copy * 25, n)));
        }
        arrivals.sort_unstable();
        let mut receiver = FrameReceiver::new(format, JitterConfig::video(90_000));
        let (mut told, mut next) = (Vec::new(), arrivals.iter());
        let mut take = |receiver: &mut FrameReceiver, now| {
            receiver.handle_timeout(now);
            while let Some(event) = receiver.poll_event() {
                told.extend(if let FrameEvent::Frame(frame) = event { Some(frame) } else { None });
            }
        };
        for ms in 0u32..5_000 {
            let now = at(0) + Duration::from_millis(ms.into());
            while let Some((_, n)) = next.as_slice().first().filter(|(arrival, _)| *arrival <= u64::from(ms)) {
                next.next();
                let packet = OrderedPacket { extended_sequence: 70_000 + *n as u64, packet: sent.packets[*n].clone() };
                receiver.insert(packet, now);
            }
            take(&mut receiver, now);
        }
        let (mut last, mut is_whole, mut count) = (None, false, 0);
        for frame in &told {
            let at = (frame.rtp_time / STEP) as usize;
            prop_assert_eq!(&frame.data, &sent.frames[at]);
            prop_assert!(last < Some(at), "in order, once");
            is_whole = frame.is_key_frame || is_whole && last == at.checked_sub(1);
            prop_assert!(is_whole || !frame.is_decodable, "frame {}", at);
            (last, count) = (Some(at), count + 1);
        }
        let all_came = sent.packets.iter().enumerate().all(|(n, _)| fates[n % fates.len()].0 > 0);
        prop_assert!(!all_came || count == sent.frames.len() || receiver.stats().jitter.dropped_late > 0, "{} of {}", count, sent.frames.len());
    }
}
