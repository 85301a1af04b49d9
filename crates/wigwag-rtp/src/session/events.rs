//! What has happened and was not told yet.

use crate::event::{Event, Received, ReceiverId, Reported, SenderId};
use std::collections::VecDeque;

/// Bytes of payload and overhead that may wait: five seconds of video at 6 Mbit/s.
const BYTES_MAX: usize = 4 << 20;
/// What a packet costs beside its payload, or empty ones would be free.
const PACKET_OVERHEAD: usize = 128;
/// One packet waits, however long it is.
const PACKET_MAX: usize = u16::MAX as usize + PACKET_OVERHEAD;
/// Feedback older than that is worth nothing.
const FEEDBACKS_MAX: usize = 16;
/// More than streams can begin and end with one set of SRTP keys.
const OTHERS_MAX: usize = 4096;

/// Packets and other events; the others come first.
#[derive(Debug)]
pub(super) struct Events {
    packets: VecDeque<Received>,
    packets_max: usize,
    bytes: usize,
    /// How many packets were ever put in.
    pushed: u64,
    /// Two of each sender at most.
    others: VecDeque<Event>,
    /// The ends of streams, each with how many packets came before it.
    ends: VecDeque<(u64, Event)>,
    feedbacks: VecDeque<Vec<Reported>>,
}

impl Events {
    pub(super) const fn new(packets_max: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            packets_max,
            bytes: 0,
            pushed: 0,
            others: VecDeque::new(),
            ends: VecDeque::new(),
            feedbacks: VecDeque::new(),
        }
    }

    /// Makes room for what the peer will report.
    pub(super) fn prepare(&mut self) {
        self.feedbacks.reserve(FEEDBACKS_MAX);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.others.is_empty() && self.ends.is_empty() && self.feedbacks.is_empty()
    }

    /// Returns how many older ones were dropped to make room.
    pub(super) fn push_packet(&mut self, packet: Received) -> u64 {
        self.bytes += charge(&packet);
        self.packets.push_back(packet);
        self.pushed += 1;
        let mut dropped = 0;
        while self.packets.len() > self.packets_max.max(1) || (self.bytes > BYTES_MAX && self.packets.len() > 1) {
            self.pop_packet();
            dropped += 1;
        }
        dropped
    }

    /// Of what the peer reports, the oldest is dropped if too much waits; that is not counted, as it is no state.
    pub(super) fn push_feedback(&mut self, reported: Vec<Reported>) {
        if self.feedbacks.len() >= FEEDBACKS_MAX {
            self.feedbacks.pop_front();
        }
        self.feedbacks.push_back(reported);
    }

    /// Returns how many were dropped. Whoever pushes sees to it that nothing is told twice.
    pub(super) fn push(&mut self, event: Event) -> u64 {
        if self.others.len() >= OTHERS_MAX {
            return 1;
        }
        self.others.push_back(event);
        0
    }

    /// A stream ends after the packets that came before. Returns how many ends were dropped.
    pub(super) fn push_end(&mut self, receiver: ReceiverId, ssrc: u32) -> u64 {
        if self.ends.len() >= OTHERS_MAX {
            return 1;
        }
        self.ends.push_back((self.pushed, Event::Ended { receiver, ssrc }));
        0
    }

    pub(super) fn poll(&mut self) -> Option<Event> {
        let event = self.others.pop_front();
        let event = event.or_else(|| self.pop_feedback().map(Event::TransportFeedback));
        event.or_else(|| self.pop_end()).or_else(|| self.pop_packet().map(Event::Packet))
    }

    pub(super) fn pop_feedback(&mut self) -> Option<Vec<Reported>> {
        self.feedbacks.pop_front()
    }

    /// The next end, if all packets before it were told or dropped.
    fn pop_end(&mut self) -> Option<Event> {
        let gone = self.pushed - self.packets.len() as u64;
        self.ends.front().filter(|(before, _)| *before <= gone)?;
        self.ends.pop_front().map(|(_, event)| event)
    }

    /// Nothing more is told of a sender that is gone.
    pub(super) fn remove_sender(&mut self, id: SenderId) {
        self.others.retain(|event| match event {
            Event::KeyFrameRequested { sender } | Event::Writable { sender } => *sender != id,
            Event::Packet(_) | Event::Ended { .. } | Event::TransportFeedback(_) => true,
        });
    }

    /// How much is in each list, and may be.
    pub(super) fn loads(&self) -> [(usize, usize); 5] {
        [
            (self.packets.len(), self.packets_max.max(1)),
            (self.bytes, BYTES_MAX + PACKET_MAX),
            (self.others.len(), OTHERS_MAX),
            (self.ends.len(), OTHERS_MAX),
            (self.feedbacks.len(), FEEDBACKS_MAX),
        ]
    }

    fn pop_packet(&mut self) -> Option<Received> {
        let packet = self.packets.pop_front()?;
        self.bytes -= charge(&packet);
        Some(packet)
    }
}

fn charge(packet: &Received) -> usize {
    packet.packet.held_len() + PACKET_OVERHEAD
}
