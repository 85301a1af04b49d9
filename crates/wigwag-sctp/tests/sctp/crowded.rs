//! More messages in pieces at once than there is room for, from a peer that sends a piece of each in turn (RFC 8260 §3.3), as usrsctp and
//! dcsctp do: it looks at the window, but not at how many it has begun.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{chunks, config, plain};
use crate::hostile::{chunk, packet};
use crate::interleaving::i_data;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Seed};
use wigwag_sctp::{Association, CloseReason, Config, Event};

const PIECE: usize = 1000;
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// The peer, and what it has not heard to have arrived.
struct Turns {
    z: Association,
    tag: u32,
    now: Instant,
    next_tsn: u32,
    waiting: VecDeque<Vec<u8>>,
    flight: BTreeMap<u32, Vec<u8>>,
    window: usize,
    loss_percent: u32,
    rng: Rng,
    is_reading: bool,
    told: Vec<Event>,
    /// The cause of Z's ABORT.
    abort: Option<u16>,
}

impl Turns {
    fn new(z: Config, loss_percent: u32) -> Self {
        let mut ends = [
            Association::new(
                config(|config| (config.interleaving, config.initial_tsn) = (true, Some(1000))),
                Seed::for_test(1),
            ),
            Association::new(z, Seed::for_test(2)),
        ];
        let now = wigwag_sim::origin();
        let (mut tag, mut out) = (0, Vec::new());
        ends[0].connect();
        for turn in 0..4 {
            out.clear();
            assert!(ends[turn % 2].poll_packet(now, 1200, &mut out));
            if turn % 2 == 0 {
                tag = u32::from_be_bytes(out[4..8].try_into().unwrap());
            }
            ends[1 - turn % 2].handle_input(&out, now);
        }
        let [_, z] = ends;
        assert!(z.is_interleaving());
        let (window, rng) = (z.stats().receive_window as usize, Rng::new(Seed::for_test(3)));
        let (waiting, flight, told) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        Self {
            z,
            tag,
            now,
            next_tsn: 1000,
            waiting,
            flight,
            window,
            loss_percent,
            rng,
            is_reading: true,
            told,
            abort: None,
        }
    }

    /// A message of so many bytes on each stream, a piece of each in turn.
    fn give(&mut self, lens: &[usize]) {
        self.give_on(0, lens);
    }

    fn give_on(&mut self, first: u16, lens: &[usize]) {
        let pieces = |len: &usize| len.div_ceil(PIECE);
        for fsn in 0..lens.iter().map(pieces).max().unwrap_or(0) {
            for (stream, len) in (first..).zip(lens).filter(|(_, len)| fsn < pieces(len)) {
                let flags = if fsn == 0 { 2 } else { 0 } | u8::from(fsn + 1 == pieces(len));
                let payload = vec![stream as u8; PIECE.min(len - fsn * PIECE)];
                let ppid_or_fsn = if fsn == 0 { 51 } else { fsn as u32 };
                let tsn = self.next_tsn;
                self.waiting.push_back(i_data(flags, tsn, stream, 0, ppid_or_fsn, &payload));
                self.next_tsn += 1;
            }
        }
    }

    /// Gives up the message of the piece that asks for room, and of the streams after it, so many in all (RFC 8260 §2.3.1).
    fn give_up(&mut self, count: u16) {
        let stream_of = |piece: &[u8]| u16::from_be_bytes([piece[8], piece[9]]);
        let (mut tsn, piece) = self.flight.pop_first().unwrap();
        let of = stream_of(&piece)..stream_of(&piece) + count;
        let mut value = tsn.to_be_bytes().to_vec();
        for stream in of.clone() {
            value.extend_from_slice(&[stream.to_be_bytes(), [0; 2], [0; 2], [0; 2]].concat());
        }
        self.send(&chunk(194, 0, &value));
        self.waiting.retain(|piece| !of.contains(&stream_of(piece)));
        for piece in &mut self.waiting {
            tsn += 1;
            piece[4..8].copy_from_slice(&tsn.to_be_bytes());
        }
        self.next_tsn = tsn + 1;
    }

    fn send(&mut self, chunk: &[u8]) {
        if self.rng.u32() % 100 >= self.loss_percent {
            self.z.handle_input(&packet(self.tag, chunk), self.now);
        }
    }

    /// What is missing goes again; then what the window has room for, or one piece to ask whether there is any.
    fn round_trip(&mut self) {
        self.now += ROUND_TRIP;
        let again: Vec<_> = self.flight.values().cloned().collect();
        again.iter().for_each(|chunk| self.send(chunk));
        let mut budget = self.window;
        while let Some(piece) = self.waiting.front()
            && (piece.len() <= budget || self.flight.is_empty())
            && self.flight.len() < 2000
        {
            let piece = self.waiting.pop_front().unwrap();
            budget = budget.saturating_sub(piece.len());
            let tsn = u32::from_be_bytes(piece[4..8].try_into().unwrap());
            self.send(&piece);
            self.flight.insert(tsn, piece);
        }
        self.now += ROUND_TRIP;
        self.z.handle_timeout(self.now);
        self.hear();
        while self.is_reading
            && let Some(event) = self.z.poll_event()
        {
            self.told.push(event);
        }
        self.hear();
    }

    fn hear(&mut self) {
        let mut out = Vec::new();
        while self.z.poll_packet(self.now, 1200, &mut out) {
            for chunk in chunks(&out) {
                let u16_at = |at: usize| u16::from_be_bytes([chunk[at], chunk[at + 1]]);
                let u32_at = |at: usize| u32::from_be_bytes(chunk[at..at + 4].try_into().unwrap());
                match chunk[0] {
                    3 => {
                        self.window = u32_at(8) as usize;
                        let cumulative = u32_at(4);
                        let gaps = (0..usize::from(u16_at(12))).map(|gap| {
                            cumulative + u32::from(u16_at(16 + 4 * gap))..=cumulative + u32::from(u16_at(18 + 4 * gap))
                        });
                        let gaps: Vec<_> = gaps.collect();
                        self.flight.retain(|tsn, _| *tsn > cumulative && !gaps.iter().any(|gap| gap.contains(tsn)));
                    }
                    6 if chunk.len() > 4 => self.abort = Some(u16_at(4)),
                    _ => {}
                }
            }
            out.clear();
        }
    }

    /// Until everything has arrived or the association has ended, for a minute at most.
    fn run(&mut self) {
        for _ in 0..600 {
            self.round_trip();
            if self.abort.is_some() || self.waiting.is_empty() && self.flight.is_empty() {
                break;
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.round_trip();
        }
    }

    fn lens(&self) -> Vec<usize> {
        let message = |event: &Event| match event {
            Event::Message { data, .. } => Some(data.len()),
            _ => None,
        };
        self.told.iter().filter_map(message).collect()
    }
}

fn room_for(messages: u32, len: usize) -> Config {
    let mut room = plain();
    (room.interleaving, room.message_len_max_receive) = (true, len);
    (room.receive_window, room.receive_window_max) = (0, messages * len as u32);
    room
}

#[test]
fn as_many_messages_as_the_window_may_hold_become_whole_at_once() {
    for (count, len) in [(4, 262_144), (16, 262_144), (16, 100_001), (150, 20_000), (300, 20_001), (300, 3_001)] {
        for loss_percent in [0, 5] {
            let mut turns = Turns::new(room_for(count, len), loss_percent);
            turns.give(&vec![len; count as usize]);
            turns.run();
            assert_eq!(
                turns.lens(),
                vec![len; count as usize],
                "{count} of {len}, {loss_percent} % lost, {:?}",
                turns.abort
            );
        }
    }
}

/// None of them can become whole, so nothing would ever happen again. Neither end may be left to find that out by itself.
#[test]
fn more_messages_at_once_than_can_ever_become_whole_end_the_association() {
    for (count, len) in [(40, 262_144), (1000, 20_000)] {
        for loss_percent in [0, 5] {
            let mut turns = Turns::new(room_for(16, len), loss_percent);
            let held = allocation_counter::measure(|| {
                turns.give(&vec![len; count]);
                turns.run();
            });
            assert_eq!(turns.told, [Event::Connected, Event::Closed(CloseReason::OutOfResource)]);
            assert_eq!(turns.abort, Some(4));
            // What the peer wanted to send, more than once, and what was kept of it.
            assert!(held.bytes_max < (4 * count * len + 4 * 17 * len) as u64, "{} bytes", held.bytes_max);
        }
    }
}

#[test]
fn more_messages_at_once_than_can_ever_be_whole_all_come_in_parts() {
    for loss_percent in [0, 5] {
        let mut room = room_for(4, 262_144);
        room.partial_delivery_from = Some(65_536);
        let mut turns = Turns::new(room, loss_percent);
        turns.give(&[262_144; 40]);
        turns.run();
        let ends = turns.told.iter().filter(|event| matches!(event, Event::MessagePart { is_last: true, .. }));
        assert_eq!((ends.count(), turns.abort), (40, None));
    }
}

/// To know of one takes room too, though all of it is handed out.
#[test]
fn of_messages_in_parts_there_may_be_as_many_as_half_the_window_knows_of() {
    const KNOWN: usize = 128;
    for (count, is_ended) in [(80_000 / 2 / KNOWN, false), (80_000 / KNOWN, true)] {
        let mut room = room_for(4, 20_000);
        room.partial_delivery_from = Some(5_000);
        let mut turns = Turns::new(room, 0);
        turns.give(&vec![2_500; count]);
        turns.run();
        assert_eq!(turns.abort, is_ended.then_some(4), "{count}");
    }
}

/// However many are begun, by whoever does not look at the window.
#[test]
fn pieces_of_more_messages_than_can_become_whole_hold_no_more_than_is_said() {
    let Turns { mut z, tag, now, .. } = Turns::new(room_for(8, 50_000), 0);
    let held = allocation_counter::measure(|| {
        for at in 0..20_000 {
            z.handle_input(&packet(tag, &i_data(2, 1000 + at, at as u16, 0, 51, &[7; PIECE])), now);
        }
    });
    assert_eq!(z.stats().receive_window_max, 8 * 50_000 * 9 / 8 + 50_000);
    assert!(held.bytes_current < 2 * 500_000, "{} bytes", held.bytes_current);
}

/// It is the user whose turn it is then, however long that takes.
#[test]
fn what_the_user_has_not_fetched_ends_nothing() {
    let mut turns = Turns::new(room_for(4, 10_000), 0);
    turns.is_reading = false;
    turns.give(&[10_000; 4]);
    turns.give(&[5_000; 8].map(|len| len - 1));
    turns.run_for(Duration::from_secs(100));
    assert!(turns.window == 0 && turns.abort.is_none());
}

/// A message may yet be given up, and makes room then.
#[test]
fn a_peer_that_gives_messages_up_in_time_goes_on() {
    let mut turns = Turns::new(room_for(4, 100_000), 0);
    turns.give(&[100_000; 7]);
    turns.run_for(Duration::from_secs(5));
    assert_eq!((turns.window, turns.abort), (0, None));
    turns.give_up(3);
    turns.run();
    assert_eq!((turns.lens(), turns.abort), (vec![100_000; 4], None));
    // What is closed anew is given as much time anew.
    turns.give_on(10, &[100_000; 7]);
    turns.run_for(Duration::from_secs(9));
    assert_eq!((turns.window, turns.abort), (0, None));
    turns.run_for(Duration::from_secs(5));
    assert_eq!(turns.told.last(), Some(&Event::Closed(CloseReason::OutOfResource)));
}

/// While the path is cut the peer cannot say that it gives messages up. What it says first afterwards may be something else.
#[test]
fn a_peer_that_was_not_heard_for_a_while_may_still_give_messages_up() {
    const HEARTBEAT: u8 = 4;
    let mut turns = Turns::new(room_for(4, 100_000), 0);
    turns.give(&[100_000; 7]);
    turns.run_for(Duration::from_secs(5));
    assert_eq!((turns.window, turns.abort), (0, None));
    turns.now += Duration::from_secs(30);
    turns.z.handle_timeout(turns.now);
    turns.send(&chunk(HEARTBEAT, 0, &[0, 1, 0, 8, 1, 2, 3, 4]));
    turns.hear();
    turns.give_up(3);
    turns.run();
    assert_eq!((turns.lens(), turns.abort), (vec![100_000; 4], None));
}

/// However seldom it is heard.
#[test]
fn a_peer_that_is_heard_seldom_and_gives_nothing_up_ends_the_association() {
    let mut turns = Turns::new(room_for(4, 100_000), 0);
    turns.give(&[100_000; 7]);
    turns.run_for(Duration::from_secs(1));
    for _ in 0..5 {
        turns.now += Duration::from_secs(60);
        turns.round_trip();
    }
    assert_eq!(turns.told.last(), Some(&Event::Closed(CloseReason::OutOfResource)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// What the window holds when it is whole arrives. Of more, all arrives or the association ends: nobody waits for ever.
    #[test]
    fn whatever_is_begun_at_once_arrives_or_ends_the_association(
        lens in prop::collection::vec(1..30_000usize, 1..100), messages in 4..40u32, loss_percent in 0..20u32, in_parts in prop::option::of(1..30_000usize),
        full in prop::option::of(4..400usize),
    ) {
        let mut room = room_for(messages, 30_000);
        room.partial_delivery_from = in_parts;
        let limit = room.receive_window_max as usize;
        let lens = full.filter(|count| *count >= messages as usize).map_or(lens, |count| vec![limit / count; count]);
        let mut turns = Turns::new(room, loss_percent);
        turns.give(&lens);
        turns.run();
        let mut come = 0;
        for event in &turns.told {
            match event {
                Event::Message { data, .. } | Event::MessagePart { data, .. } => come += data.len(),
                _ => {}
            }
        }
        let sum = lens.iter().sum::<usize>();
        let is_ended = turns.told.last() == Some(&Event::Closed(CloseReason::OutOfResource));
        prop_assert!(come == sum && !is_ended || is_ended && sum > limit && in_parts.is_none(), "{come} of {sum} within {limit}");
    }
}
