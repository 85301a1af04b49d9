//! Transport-wide feedback, where packets come late.

use crate::common::{Link, at, packet};
use wigwag_rtp::rtcp::{Compound, Message};
use wigwag_sansio::Ecn;

/// Of twenty packets the second comes after the others were told of.
fn late_after_feedback() -> Link {
    let mut link = Link::new();
    link.no_nack();
    link.z.set_reduced_size(true);
    let mut out = Vec::new();
    for n in 0..20u32 {
        link.send(packet(n));
        assert!(link.a.poll_rtp(at(n), 1180, &mut out));
        if n != 1 {
            link.z.handle_rtp(&out, Ecn::NotEct, at(n));
        }
        link.a_to_z.push(std::mem::take(&mut out));
    }
    link.z.handle_timeout(at(100));
    while link.z.poll_event().is_some() {}
    assert!(link.z.poll_rtcp(at(100), 1180, &mut out));
    assert_eq!((told(&out)[1], told(&out).len()), ((1, false), 20));
    let late = link.a_to_z[1].clone();
    link.z.handle_rtp(&late, Ecn::NotEct, at(110));
    while link.z.poll_event().is_some() {}
    link.z.handle_timeout(at(210));
    link
}

/// What a compound says of each packet: its transport-wide number, and whether it arrived.
fn told(compound: &[u8]) -> Vec<(u16, bool)> {
    let arrivals = |message| match message {
        Ok(Message::TransportFeedback(feedback)) => feedback.arrivals().collect(),
        _ => Vec::new(),
    };
    let arrivals = Compound::new(compound).flat_map(arrivals);
    arrivals.map(|arrival| (arrival.sequence, arrival.ticks.is_some())).collect()
}

#[test]
fn what_has_arrived_is_not_told_to_be_missing_when_another_comes_late() {
    let mut link = late_after_feedback();
    let mut out = Vec::new();
    assert!(link.z.poll_rtcp(at(210), 1180, &mut out));
    assert!(told(&out).contains(&(1, true)));
    assert_eq!(told(&out).into_iter().find(|(_, has_arrived)| !has_arrived), None);
}

#[test]
fn feedback_that_finds_little_room_is_not_owed_for_ever() {
    for room in 24..80 {
        let mut link = late_after_feedback();
        let mut out = Vec::new();
        link.z.poll_rtcp(at(210), room, &mut out);
        while link.z.poll_rtcp(at(210), 1180, &mut out) {}
        assert!(link.z.poll_timeout(at(210)).is_none_or(|next| next > at(210)), "after {room} bytes");
    }
}
