//! What a packet costs in allocations.

use crate::common::{Link, at, packet};
use allocation_counter::measure;
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
                let is_feedback = |message| matches!(message, Ok(Message::TransportFeedback(_)));
                feedback += u32::from(Compound::new(&out).any(is_feedback));
                out.clear();
            }
        }
    });
    assert_eq!((cost.count_total, feedback), (1000, 10), "{cost:?}");
}
