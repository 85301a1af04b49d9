//! What a packet costs in allocations.

use crate::common::{Link, at, packet, receiver, sender};
use crate::formats::{PICTURES, frame_of};
use crate::simulcast::{again, media, three_layers};
use allocation_counter::measure;
use wigwag_rtp::Event;
use wigwag_rtp::payload::{Assembler, Format, Frame, Packetizer};
use wigwag_rtp::rtcp::{Compound, Message};
use wigwag_sansio::Ecn;

#[test]
fn a_packet_sent_allocates_nothing_in_the_steady_state() {
    let mut link = Link::new();
    let mut out = Vec::with_capacity(2000);
    let mut send = |link: &mut Link, n: u32, packet| {
        link.a.send(link.sender, packet).expect("room");
        out.clear();
        assert!(link.a.poll_rtp(at(n), 1180, &mut out));
        link.a.handle_timeout(at(n));
        out.clear();
        while link.a.poll_rtcp(at(n), 1180, &mut out) {
            out.clear();
        }
        while link.a.poll_event().is_some() {}
        let _ = link.a.poll_timeout(at(n));
    };
    // Until the cache and the history are as long as they get.
    for n in 0..5000 {
        send(&mut link, n, packet(n));
    }
    let packets: Vec<_> = (5000..10_000).map(|n| (n, packet(n))).collect();
    let cost = measure(|| packets.into_iter().for_each(|(n, packet)| send(&mut link, n, packet)));
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

#[test]
fn a_packet_received_allocates_its_payload() {
    let mut link = Link::new();
    for n in 0..3000u32 {
        link.send(packet(n));
        link.deliver(at(n));
        link.received();
        link.run(at(n));
    }
    link.received();
    let mut sent = Vec::new();
    let mut out = Vec::new();
    for n in 3000..4000u32 {
        link.send(packet(n));
        assert!(link.a.poll_rtp(at(n), 1180, &mut out));
        sent.push(std::mem::take(&mut out));
    }
    out.reserve(2000);
    let mut feedback = 0;
    let cost = measure(|| {
        for (n, bytes) in (3000..).zip(&sent) {
            link.z.handle_rtp(bytes, Ecn::NotEct, at(n));
            assert!(link.z.poll_event().is_some());
            link.z.handle_timeout(at(n));
            while link.z.poll_rtcp(at(n), 1180, &mut out) {
                let is_feedback = |message| {
                    matches!(message, Ok(Message::TransportFeedback(_) | Message::CongestionControlFeedback(_)))
                };
                feedback += u32::from(Compound::new(&out).any(is_feedback));
                out.clear();
            }
        }
    });
    assert_eq!((cost.count_total, feedback), (1000, 10), "{cost:?}");
}

/// Named in each packet, and of every hundred one came again in a stream of its own (RFC 4588, RFC 8852).
#[test]
fn a_packet_of_a_layer_allocates_its_payload() {
    let (mut z, _) = three_layers();
    let layers = [(1u32, "q"), (2, "h"), (3, "f")];
    let packets = |numbers: std::ops::Range<u16>| -> Vec<Vec<u8>> {
        let of_number = |n: u16| {
            let late = n.is_multiple_of(100);
            let of_layer = move |(ssrc, rid)| {
                if late { again(ssrc + 10, n / 100, n - 10, Some(rid)) } else { media(ssrc, n, Some(rid)) }
            };
            layers.map(of_layer)
        };
        // What is to come again is left out.
        numbers.filter(|n| n % 100 != 90).flat_map(of_number).collect()
    };
    let mut out = Vec::with_capacity(2000);
    let mut take = |packets: &[Vec<u8>], begin: u32| {
        let mut told = 0u64;
        for (n, bytes) in (begin..).zip(packets) {
            z.handle_rtp(bytes, Ecn::NotEct, at(n));
            while let Some(event) = z.poll_event() {
                told += u64::from(matches!(event, Event::Packet(_)));
            }
            z.handle_timeout(at(n));
            out.clear();
            while z.poll_rtcp(at(n), 1180, &mut out) {
                out.clear();
            }
        }
        told
    };
    let (warm_up, measured) = (packets(1..2000), packets(2000..4000));
    take(&warm_up, 0);
    let mut told = 0;
    let cost = measure(|| told = take(&measured, 6000));
    assert_eq!((cost.count_total, told), (3 * (2000 - 20), 3 * (2000 - 20)), "{cost:?}");
}

/// A server asks with each packet that it cannot forward.
#[test]
fn to_ask_for_a_key_frame_again_and_again_costs_no_allocation() {
    let (mut z, id) = three_layers();
    let named = [(1, "q"), (2, "h"), (3, "f")].map(|(ssrc, rid)| media(ssrc, 1, Some(rid)));
    named.iter().for_each(|bytes| z.handle_rtp(bytes, Ecn::NotEct, at(0)));
    let mut out = Vec::with_capacity(2000);
    let mut ask = |numbers: std::ops::Range<u32>| {
        let mut asked = 0;
        for n in numbers {
            ["q", "h", "f", "none"].into_iter().for_each(|rid| z.request_key_frame_of_layer(id, rid));
            z.request_key_frame(id);
            z.handle_timeout(at(n));
            out.clear();
            while z.poll_rtcp(at(n), 1180, &mut out) {
                asked += Compound::new(&out).filter(|message| matches!(message, Ok(Message::PictureLoss(_)))).count();
                out.clear();
            }
        }
        asked
    };
    ask(0..2_000);
    let mut asked = 0;
    let cost = measure(|| asked = ask(2_000..4_000));
    assert!(cost.count_total == 0 && asked > 3, "{asked}: {cost:?}");
}

/// Of every hundred packets one is lost, asked for, and sent again.
#[test]
fn loss_costs_no_allocation_but_the_packets() {
    assert_eq!(loss_costs(Link::new()), 0);
}

/// Where packets are reported by their streams, what is remembered of each stream grows until it has what is remembered of all.
#[test]
fn reports_by_stream_cost_no_allocation_but_the_packets() {
    let mut link = Link::new();
    let (mut ours, mut theirs) = (sender(link.ssrc), receiver());
    ours.ccfb = true;
    (theirs.ccfb, theirs.transport_cc) = (true, false);
    link.a.update_sender(link.sender, ours).expect("there");
    link.z.update_receiver(link.receiver, theirs).expect("there");
    let doublings = loss_costs(link);
    assert!(doublings < 12, "{doublings}");
}

/// What sending costs; that receiving costs nothing is seen to.
fn loss_costs(mut link: Link) -> u64 {
    let (mut out, mut back) = (Vec::with_capacity(2000), Vec::with_capacity(2000));
    let (mut sending, mut receiving, mut delivered, mut passed) = (0, 0, 0u64, 0u32);
    for n in 0..10_100 {
        if n == 100 {
            (sending, receiving, delivered) = (0, 0, 0);
        }
        let (now, data) = (at(n), packet(n));
        sending += measure(|| {
            link.a.handle_timeout(now);
            link.a.send(link.sender, data).expect("room");
        })
        .count_total;
        loop {
            out.clear();
            let mut is_sent = false;
            sending += measure(|| is_sent = link.a.poll_rtp(now, 1180, &mut out)).count_total;
            if !is_sent {
                break;
            }
            passed += 1;
            if !passed.is_multiple_of(100) {
                receiving += measure(|| {
                    link.z.handle_rtp(&out, Ecn::NotEct, now);
                    while let Some(event) = link.z.poll_event() {
                        delivered += u64::from(matches!(event, Event::Packet(_)));
                    }
                })
                .count_total;
            }
        }
        receiving += measure(|| link.z.handle_timeout(now)).count_total;
        loop {
            back.clear();
            let mut is_sent = false;
            receiving += measure(|| is_sent = link.z.poll_rtcp(now, 1180, &mut back)).count_total;
            if !is_sent {
                break;
            }
            let is_feedback =
                |message| matches!(message, Ok(Message::TransportFeedback(_) | Message::CongestionControlFeedback(_)));
            let told = u64::from(Compound::new(&back).any(is_feedback));
            // What feedback reports is told as an event, which owns it.
            sending += measure(|| {
                link.a.handle_rtcp(&back, now);
                while link.a.poll_event().is_some() {}
            })
            .count_total
            .saturating_sub(told);
        }
    }
    assert!(delivered >= 9_990, "{delivered}");
    let resent = link.a.sender_stats(link.sender).map_or(0, |stats| stats.packets_resent);
    assert!(resent >= 100, "{resent} packets were lost and sent again");
    assert_eq!(receiving, delivered);
    sending
}

/// However many packets it is cut into.
#[test]
fn a_frame_costs_a_few_allocations_on_either_side() {
    for format in PICTURES {
        let (mut packetizer, mut assembler) = (Packetizer::new(format, 0), Assembler::new(format));
        let limit = if format == Format::H264SingleNal { 60_000 } else { 1_000 };
        let (mut sequence, mut packets) = (0, Vec::with_capacity(200));
        let (mut sending, mut receiving) = (0, 0);
        for n in 0..30 {
            let frame = Frame::new(96, n * 3000, frame_of(format, n as usize, 100_000, n == 0));
            sending = measure(|| {
                let payloads = packetizer.payloads(&frame.data, limit).expect("possible");
                packets.extend(packetizer.packets(&frame, payloads));
            })
            .count_total;
            assert!(format == Format::H264SingleNal || packets.len() > 90, "{}", packets.len());
            let mut frames = 0;
            receiving = measure(|| {
                for packet in &packets {
                    sequence += 1;
                    frames += assembler.push(sequence, packet, at(0)).count();
                }
            })
            .count_total;
            assert_eq!(frames, 1);
            packets.clear();
        }
        // All payloads, and what shares them; of AV1 also those that go together. The frame, and what shares it.
        assert!(sending <= 3 && receiving <= 2, "{format:?}: {sending} {receiving}");
    }
}
