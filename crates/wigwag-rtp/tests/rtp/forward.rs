//! Packets of other sessions, forwarded as one stream of ours.

use crate::common::{VIDEO, at, receiver, sender, session};
use std::time::Instant;
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::Format;
use wigwag_rtp::{Event, Received, SendError, SenderId, Session};
use wigwag_sansio::Ecn;

/// The first bytes of VP8: a descriptor, and what follows. A key frame begins, another frame begins, and a frame goes on.
const KEY: &[u8] = &[0x10, 0x00, 1];
const DELTA: &[u8] = &[0x10, 0x01, 1];
const MORE: &[u8] = &[0x00, 0x00, 1];

/// What somebody sends, as it comes.
pub(crate) struct Source {
    session: Session,
    ssrc: u32,
}

impl Source {
    pub(crate) fn new(ssrc: u32) -> Self {
        let mut session = session("source", u64::from(ssrc));
        session.add_receiver(receiver()).expect("a section");
        Self { session, ssrc }
    }

    pub(crate) fn came(&mut self, sequence: u16, timestamp: u32, payload: &[u8], now: Instant) -> Received {
        let mut packet = vec![0x80, VIDEO.number];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(payload);
        self.session.handle_rtp(&packet, Ecn::NotEct, now);
        match self.session.poll_event() {
            Some(Event::Packet(received)) => received,
            other => panic!("{other:?}"),
        }
    }
}

/// Who forwards.
pub(crate) struct Out {
    pub(crate) session: Session,
    pub(crate) sender: SenderId,
}

impl Out {
    pub(crate) fn new(seed: u64) -> Self {
        let mut session = session("forwards", seed);
        let sender = session.add_sender(sender(9)).expect("a stream");
        Self { session, sender }
    }

    pub(crate) fn forward(&mut self, received: &Received) -> Result<(), SendError> {
        self.session.forward(self.sender, received, VIDEO.number, Some(Format::Vp8))
    }

    /// Number, timestamp and payload of what leaves.
    pub(crate) fn left(&mut self, now: Instant) -> Vec<(u16, u32, Vec<u8>)> {
        let (mut all, mut out) = (Vec::new(), Vec::new());
        while self.session.poll_rtp(now, 1180, &mut out) {
            let packet = Packet::parse(&out).expect("our own");
            assert_eq!((packet.ssrc, packet.payload_type), (9, VIDEO.number));
            all.push((packet.sequence, packet.timestamp, packet.payload.to_vec()));
            out.clear();
        }
        all
    }
}

fn is_key_frame_needed(result: &Result<(), SendError>) -> bool {
    matches!(result, Err(SendError::KeyFrameNeeded(_)))
}

/// RFC 3711 §3.3.1: whoever misses the first packets finds the rollover counter only if the numbers do not wrap meanwhile.
#[test]
fn numbers_begin_in_the_lower_half_and_gaps_stay_gaps() {
    for seed in 0..50 {
        let (mut source, mut out) = (Source::new(1), Out::new(seed));
        let mut first = None;
        for (sequence, payload) in [(65_533, KEY), (65_535, MORE), (65_534, MORE), (2, DELTA), (1, DELTA)] {
            let received = source.came(sequence, 7000, payload, at(0));
            assert_eq!(out.forward(&received), Ok(()));
            let left = out.left(at(0));
            assert_eq!(left.len(), 1);
            let first = *first.get_or_insert(left[0].0);
            assert!(first < 1 << 15);
            assert_eq!((left[0].0, left[0].1), (first + sequence.wrapping_sub(65_533), 7000));
        }
    }
}

#[test]
fn nothing_leaves_before_a_key_frame_and_nothing_that_belongs_before_it() {
    let (mut source, mut out) = (Source::new(1), Out::new(1));
    for (sequence, payload) in [(10, DELTA), (11, MORE), (12, &[0x11, 0, 0][..]), (13, &[0x10])] {
        assert!(is_key_frame_needed(&out.forward(&source.came(sequence, 0, payload, at(0)))), "{payload:?}");
    }
    assert_eq!(out.forward(&source.came(15, 0, KEY, at(0))), Ok(()));
    let late = source.came(14, 0, DELTA, at(0));
    assert_eq!(out.forward(&late), Err(SendError::Late(late.packet.payload.clone())));
    assert_eq!(out.left(at(0)).len(), 1);
}

#[test]
fn another_source_takes_the_place_with_a_key_frame_and_numbers_and_time_go_on() {
    let (mut ann, mut bob, mut out) = (Source::new(1), Source::new(2), Out::new(1));
    out.forward(&ann.came(100, 1000, KEY, at(0))).unwrap();
    out.forward(&ann.came(102, 4000, DELTA, at(33))).unwrap();
    assert!(is_key_frame_needed(&out.forward(&bob.came(60_000, 900_000, DELTA, at(40)))));
    // What comes meanwhile, or again, of the first goes on.
    out.forward(&ann.came(101, 1000, MORE, at(41))).unwrap();
    out.forward(&bob.came(60_001, 903_000, KEY, at(53))).unwrap();
    assert!(is_key_frame_needed(&out.forward(&ann.came(103, 7000, DELTA, at(60)))), "it is over");
    out.forward(&bob.came(60_002, 906_000, DELTA, at(86))).unwrap();
    let left = out.left(at(90));
    let first = left[0].0;
    let numbers: Vec<_> = left.iter().map(|(sequence, timestamp, _)| (sequence - first, *timestamp)).collect();
    // 20 ms are 1,800 ticks.
    assert_eq!(numbers, [(0, 1000), (2, 4000), (1, 1000), (3, 5800), (4, 8800)]);
}

#[test]
fn what_did_not_fit_is_a_cut_without_a_gap_and_ends_with_a_key_frame() {
    let (mut source, mut out) = (Source::new(1), Out::new(1));
    let mut sequence = 0;
    let refused = loop {
        let received = source.came(sequence, u32::from(sequence), if sequence == 0 { KEY } else { DELTA }, at(0));
        match out.forward(&received) {
            Ok(()) => sequence += 1,
            Err(refused) => break refused,
        }
        assert!(sequence < 10_000, "the queue has a limit");
    };
    assert!(matches!(refused, SendError::Full(_)));
    let before = out.left(at(0));
    assert_eq!(before.len(), usize::from(sequence));
    assert!(is_key_frame_needed(&out.forward(&source.came(sequence + 1, 1, DELTA, at(0)))));
    out.forward(&source.came(sequence + 2, 2, KEY, at(10))).unwrap();
    // It was lost before the cut and found behind it: nobody misses it.
    let late = out.forward(&source.came(sequence, 0, DELTA, at(10)));
    assert!(matches!(late, Err(SendError::Late(_))));
    let after = out.left(at(10));
    assert_eq!(after.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [before.last().unwrap().0 + 1]);
    assert_eq!(after[0].1, 2, "the source's own time goes on");
}

#[test]
fn a_source_that_leaps_begins_anew() {
    let (mut source, mut out) = (Source::new(1), Out::new(1));
    out.forward(&source.came(0, 0, KEY, at(0))).unwrap();
    out.forward(&source.came(3000, 90, DELTA, at(1))).unwrap();
    assert!(is_key_frame_needed(&out.forward(&source.came(6001, 180, DELTA, at(2)))));
    out.forward(&source.came(6002, 1_000_000, KEY, at(2))).unwrap();
    let left = out.left(at(3));
    let first = left[0].0;
    let numbers: Vec<_> = left.iter().map(|(sequence, timestamp, _)| (sequence - first, *timestamp)).collect();
    assert_eq!(numbers, [(0, 0), (3000, 90), (3001, 180)]);
}

#[test]
fn sound_begins_anywhere_and_has_no_cut_where_it_did_not_fit() {
    let (mut source, mut other, mut out) = (Source::new(1), Source::new(2), Out::new(1));
    let mut forward = |received: &Received| out.session.forward(out.sender, received, VIDEO.number, Some(Format::Opus));
    let mut sequence = 0;
    while forward(&source.came(sequence, 0, DELTA, at(0))) == Ok(()) {
        sequence += 1;
    }
    let first = out.left(at(0))[0].0;
    let mut forward = |received: &Received| out.session.forward(out.sender, received, VIDEO.number, Some(Format::Opus));
    forward(&source.came(sequence + 1, 0, DELTA, at(0))).unwrap();
    forward(&other.came(5, 0, DELTA, at(0))).unwrap();
    out.session.cut_forwarding(out.sender);
    out.session.forward(out.sender, &other.came(9, 0, DELTA, at(0)), VIDEO.number, Some(Format::Opus)).unwrap();
    let numbers: Vec<_> = out.left(at(0)).iter().map(|(number, ..)| number - first - sequence).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

/// Some publishers have the same SSRC each time: whoever comes back on another connection is another source, whatever its numbers.
#[test]
fn a_source_that_comes_back_on_another_session_begins_anew() {
    let mut out = Out::new(1);
    let mut first = Source::new(1);
    out.forward(&first.came(40_000, 1000, KEY, at(0))).unwrap();
    let mut again = Source::new(1);
    assert!(is_key_frame_needed(&out.forward(&again.came(5, 70, DELTA, at(10)))));
    out.forward(&again.came(6, 80, KEY, at(20))).unwrap();
    out.forward(&again.came(7, 90, DELTA, at(30))).unwrap();
    let left = out.left(at(30));
    let first = left[0].0;
    let numbers: Vec<_> = left.iter().map(|(sequence, timestamp, _)| (sequence - first, *timestamp)).collect();
    assert_eq!(numbers, [(0, 1000), (1, 2800), (2, 2810)]);
}

/// The layers that a listener does not get.
#[test]
fn what_is_left_out_on_purpose_is_missed_by_nobody() {
    for seed in 0..50 {
        let (mut source, mut out, now) = (Source::new(1), Out::new(seed), at(0));
        // Numbers of the source wrap on the way; every second one is of a layer that is left out, and each seventh is lost.
        let sequence = |n: u16| 65_400u16.wrapping_add(n);
        let is_lost = |n: u16| n % 7 == 3;
        for n in (0..500).filter(|n| !is_lost(*n)) {
            let received = source.came(sequence(n), 3000 * u32::from(n), if n == 0 { KEY } else { DELTA }, now);
            match n % 2 {
                0 => out.forward(&received).expect("a packet"),
                _ => out.session.leave_out(out.sender, &received, VIDEO.number, Some(Format::Vp8)),
            }
        }
        let left = out.left(now);
        let first = left[0].0;
        let mut expected = (Vec::new(), first);
        for n in 0..500u16 {
            if is_lost(n) || n % 2 == 0 {
                if !is_lost(n) {
                    expected.0.push((expected.1, 3000 * u32::from(n)));
                }
                expected.1 = expected.1.wrapping_add(1);
            }
        }
        let numbers: Vec<_> = left.iter().map(|(sequence, timestamp, _)| (*sequence, *timestamp - left[0].1)).collect();
        assert_eq!(numbers, expected.0, "{seed}");
        // What was lost comes late: its number is free, and filled if it is of no use.
        for (n, payload) in [(493, &[][..]), (486, DELTA)] {
            let received = source.came(sequence(n), 3000 * u32::from(n), DELTA, now);
            match payload.len() {
                0 => out.session.leave_out(out.sender, &received, VIDEO.number, Some(Format::Vp8)),
                _ => out.forward(&received).expect("it is not too late"),
            }
            let before = (0..n).filter(|n| is_lost(*n) || n % 2 == 0).count() as u16;
            let timestamp = left[0].1.wrapping_add(3000 * u32::from(n));
            assert_eq!(out.left(now), [(first.wrapping_add(before), timestamp, payload.to_vec())], "{seed}");
        }
    }
}

#[test]
fn what_was_left_out_is_not_forwarded_later_and_what_begins_may_be_left_out() {
    let (mut source, mut out, now) = (Source::new(1), Out::new(1), at(0));
    let mut came = |sequence: u16, payload: &[u8]| source.came(sequence, 3000, payload, now);
    let leave_out = |out: &mut Out, received: &Received| {
        out.session.leave_out(out.sender, received, VIDEO.number, Some(Format::Vp8));
    };
    leave_out(&mut out, &came(9, DELTA));
    assert!(is_key_frame_needed(&out.forward(&came(10, DELTA))), "nothing has begun");
    // The first layer of a key frame, and of another one the rest.
    leave_out(&mut out, &came(11, KEY));
    out.forward(&came(12, DELTA)).expect("it goes on");
    let left_out = came(13, MORE);
    leave_out(&mut out, &left_out);
    assert!(matches!(out.forward(&left_out), Err(SendError::Late(_))));
    leave_out(&mut out, &left_out);
    out.forward(&came(14, MORE)).expect("it goes on");
    let numbers: Vec<_> = out.left(now).iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(numbers.len(), 2, "one after another, and nothing else");
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
    // After a cut it begins behind all others.
    out.session.cut_forwarding(out.sender);
    leave_out(&mut out, &came(15, DELTA));
    assert!(is_key_frame_needed(&out.forward(&came(16, DELTA))));
    out.forward(&came(17, KEY)).expect("a key frame");
    leave_out(&mut out, &came(18, DELTA));
    out.forward(&came(19, DELTA)).expect("it goes on");
    let left: Vec<_> = out.left(now).iter().map(|(sequence, ..)| sequence.wrapping_sub(numbers[0])).collect();
    assert_eq!(left, [2, 3]);
}

/// Who comes back in a new session may begin with the number of before.
#[test]
fn a_source_that_begins_anew_with_the_same_number_takes_no_number_twice() {
    let (mut source, mut out, now) = (Source::new(1), Out::new(1), at(0));
    let mut came = |sequence: u16, payload: &[u8]| source.came(sequence, 3000, payload, now);
    out.forward(&came(0, KEY)).expect("it begins");
    let mut all = out.left(now);
    for sequence in 1..4000 {
        let received = came(sequence, DELTA);
        match sequence % 2 {
            0 => out.forward(&received).expect("it goes on"),
            _ => out.session.leave_out(out.sender, &received, VIDEO.number, Some(Format::Vp8)),
        }
        all.extend(out.left(now));
    }
    let mut anew = Source::new(1);
    for (sequence, payload) in [(0, KEY), (1, DELTA), (2, DELTA)] {
        out.forward(&anew.came(sequence, 3000, payload, now)).expect("it begins anew");
    }
    all.extend(out.left(now));
    assert_eq!(all.len(), 2003);
    assert!(all.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)), "{:?}", &all[1998..]);
}

/// RFC 3550 §6.4.1: what reports say of the clock is of the packet that came furthest, and since it came; one that was recovered, or an empty
/// one for what was left out, takes nothing back.
#[test]
fn what_comes_late_does_not_turn_back_the_clock() {
    for is_left_out in [false, true] {
        let (mut source, mut out) = (Source::new(1), Out::new(1));
        for (sequence, millis) in [(1, 0), (2, 100), (4, 300)] {
            let payload = if sequence == 1 { KEY } else { DELTA };
            let received = source.came(sequence, 9000 * u32::from(sequence), payload, at(millis));
            out.forward(&received).expect("a packet");
            assert_eq!(out.left(at(millis)).len(), 1);
        }
        let (before, rate) = out.session.rtp_time(out.sender, at(300)).expect("it has begun");
        let received = source.came(3, 9000 * 3, DELTA, at(500));
        match is_left_out {
            true => out.session.leave_out(out.sender, &received, VIDEO.number, Some(Format::Vp8)),
            false => out.forward(&received).expect("it is not too late"),
        }
        assert_eq!(out.left(at(500)).len(), 1);
        assert_eq!(out.session.rtp_time(out.sender, at(500)), Some((before + rate / 5, rate)), "{is_left_out}");
    }
}

/// Who forwards keeps packets for a while, as until a listener is there: they are of when they came.
#[test]
fn what_is_forwarded_is_of_when_it_came() {
    let (mut source, mut out) = (Source::new(1), Out::new(1));
    let received = source.came(1, 9000, KEY, at(0));
    out.session.handle_timeout(at(700));
    out.forward(&received).expect("a packet");
    assert_eq!(out.left(at(700)).len(), 1);
    assert_eq!(out.session.rtp_time(out.sender, at(1_000)), Some((9000 + 90_000, 90_000)));
}
