//! An association, the program that uses it, and its books.

use super::book::{Message, Open, Received, Sent, is_reliable};
use crate::common::Peer;
use bytes::{Buf, Bytes};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Rng, Transmit};
use wigwag_sctp::{Association, CloseReason, Config, Event, Reliability, SendError, SendOptions};
use wigwag_sim::{Node, Wire};

/// Few, so that much happens on each.
pub(super) const STREAMS: u16 = 6;
pub(super) const MESSAGE_LEN_MAX: u64 = 30_000;

pub(super) struct Party {
    pub(super) peer: Peer,
    /// A program that is stopped finds later what has arrived meanwhile.
    pub(super) is_stopped: bool,
    socket: Vec<Vec<u8>>,
    pub(super) sent: Sent,
    pub(super) received: Received,
    pub(super) closed: Option<CloseReason>,
    /// What has happened, for the tally.
    pub(super) notes: Vec<&'static str>,
}

impl Party {
    pub(super) fn new(config: Config, seed: u64, mut wire: Wire) -> Self {
        wire.limit = 1400;
        Self {
            peer: Peer::new(config, seed, wire),
            is_stopped: false,
            socket: Vec::new(),
            sent: Sent::default(),
            received: Received::default(),
            closed: None,
            notes: Vec::new(),
        }
    }

    pub(super) const fn association(&mut self) -> &mut Association {
        &mut self.peer.association
    }

    pub(super) fn go_on(&mut self, now: Instant) {
        self.is_stopped = false;
        for packet in self.socket.drain(..) {
            self.peer.association.handle_input(&packet, now);
        }
    }

    /// Does something.
    pub(super) fn act(&mut self, rng: &mut Rng) {
        let stream = rng.below(STREAMS.into()) as u16;
        match rng.below(20) {
            0..=10 => self.send(stream, rng),
            11 => self.reset(stream),
            12 | 13 => self.begin(stream, rng),
            14..=17 => self.append(1 + rng.below(9000) as usize),
            18 => self.abandon(stream),
            _ => self.tune(stream, rng),
        }
    }

    fn send(&mut self, stream: u16, rng: &mut Rng) {
        let options = options(rng);
        let lens = [Message::LEN_MIN, 200, 1000, 1144, 2000, 3000, 5000, MESSAGE_LEN_MAX];
        let message = self.sent.next(stream, options, lens[rng.below(8) as usize] + rng.below(5));
        let outcome = self.peer.association.send(stream, 53, message.bytes(), options);
        if self.note("message", &outcome) {
            self.sent.begin(message);
            self.sent.finish(message, is_reliable(options));
        }
    }

    fn begin(&mut self, stream: u16, rng: &mut Rng) {
        let options = options(rng);
        let len = [Message::LEN_MIN, 3000, MESSAGE_LEN_MAX][rng.below(3) as usize];
        let message = self.sent.next(stream, options, len);
        let outcome = self.peer.association.begin_message(stream, 53, options);
        if self.note("message in parts", &outcome) {
            self.sent.begin(message);
            let open = Open { message, rest: message.bytes(), is_reliable: is_reliable(options) };
            self.sent.open.insert(stream, open);
        }
    }

    /// Gives each open message its next part, and ends it after the last one.
    pub(super) fn append(&mut self, len: usize) {
        for (stream, mut open) in std::mem::take(&mut self.sent.open) {
            let part = open.rest.slice(..len.min(open.rest.len()));
            let part_len = part.len();
            match self.give(stream, part, part_len == open.rest.len()) {
                Ok(()) if part_len == open.rest.len() => self.sent.finish(open.message, open.is_reliable),
                Ok(()) => {
                    open.rest.advance(part_len);
                    self.sent.open.insert(stream, open);
                }
                Err(SendError::Full(_)) => _ = self.sent.open.insert(stream, open),
                Err(SendError::Closed) => {}
                Err(SendError::Abandoned) => {
                    assert!(!open.is_reliable, "{:?} was given up", open.message);
                    self.notes.push("given up in parts");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn give(&mut self, stream: u16, part: Bytes, is_last: bool) -> Result<(), SendError> {
        self.peer.association.append_part(stream, part)?;
        if is_last { self.peer.association.finish_message(stream) } else { Ok(()) }
    }

    fn abandon(&mut self, stream: u16) {
        if self.peer.association.abandon_message(stream).is_ok() {
            assert!(self.sent.open.remove(&stream).is_some(), "no message is open on stream {stream}");
            self.notes.push("message abandoned");
        }
    }

    fn reset(&mut self, stream: u16) {
        if self.sent.may_reset(stream) && self.peer.association.reset_stream(stream).is_ok() {
            self.sent.begin_reset(stream);
        }
    }

    fn tune(&mut self, stream: u16, rng: &mut Rng) {
        match rng.below(2) {
            0 => self.peer.association.set_mtu(512 + rng.below(700) as usize),
            _ => self.peer.association.set_stream_priority(stream, rng.below(2000) as u16),
        }
    }

    fn note(&mut self, what: &'static str, outcome: &Result<(), SendError>) -> bool {
        self.notes.push(match outcome {
            Ok(()) => what,
            Err(SendError::StreamResetting(_)) => "refused amid a reset",
            Err(SendError::MessageOpen(_)) => "refused amid a message",
            Err(SendError::Full(_)) => "refused for want of room",
            Err(SendError::Closed) => "refused amid the end",
            Err(error) => panic!("{error}"),
        });
        outcome.is_ok()
    }

    /// Takes what was told into the books.
    pub(super) fn hear(&mut self) {
        for event in std::mem::take(&mut self.peer.events) {
            assert_eq!(self.closed, None, "nothing follows the end");
            match event {
                Event::Message { stream, unordered, data, .. } => self.received.take(stream, unordered, &data),
                Event::MessagePart { stream, unordered, data, is_first, is_last, .. } => {
                    self.received.take_part(stream, unordered, &data, [is_first, is_last]);
                    self.notes.push("part told");
                }
                Event::MessageIncomplete { stream } => {
                    self.received.give_up(stream);
                    self.notes.push("incompleteness told");
                }
                Event::IncomingStreamReset { streams } => self.received.reset(&streams),
                Event::OutgoingStreamReset { streams } => {
                    self.sent.end_resets(&streams);
                    self.notes.push("stream reset");
                }
                Event::Restarted => {
                    self.sent.restart();
                    self.received.restart();
                    self.notes.push("restart told");
                }
                Event::Closed(reason) => self.closed = Some(reason),
                Event::Connected | Event::Writable | Event::BufferedAmountLow { .. } => {}
                event => panic!("{event:?}"),
            }
        }
    }
}

fn options(rng: &mut Rng) -> SendOptions {
    let reliability = match rng.below(6) {
        0 => Reliability::MaxRetransmits(rng.below(3) as u16),
        1 => Reliability::MaxLifetime(Duration::from_millis(rng.below(300))),
        2 => Reliability::Priority(rng.below(3) as u32),
        _ => Reliability::Reliable,
    };
    SendOptions { unordered: rng.one_in(2), reliability }
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.is_stopped {
            self.socket.push(datagram.payload.to_vec());
        } else {
            self.peer.handle_input(datagram, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.peer.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> bool {
        self.peer.poll_event()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_stopped { None } else { self.peer.poll_timeout(now) }
    }
}
