//! What the application sends: packets, and frames as the packets that come of them.

use super::queue::Waiting;
use super::{Session, queue};
use crate::error::SendError;
use crate::event::{Received, RtpPacket, SenderId};
use crate::header::Given;
use crate::payload::{Format, Frame, Packetizer, Unfit};
use crate::stream::forward::Refused;
use bytes::Bytes;
use std::time::Instant;

impl Session {
    /// Queues a packet.
    ///
    /// # Errors
    /// If the queue is full, the sender unknown, the packet too long, its number long gone or the payload type not the sender's; the
    /// payload is given back.
    pub fn send(&mut self, id: SenderId, packet: RtpPacket) -> Result<(), SendError> {
        self.enqueue(id, packet, None)
    }

    /// `made`: when it was heard or seen, if that is known.
    fn enqueue(&mut self, id: SenderId, packet: RtpPacket, made: Option<Instant>) -> Result<(), SendError> {
        let Some(sender) = self.senders.get_mut(&id).filter(|_| !self.is_ending) else {
            return Err(SendError::UnknownSender(packet.payload));
        };
        if sender.clock_rate_hz(packet.payload_type).is_none() {
            return Err(SendError::PayloadType(packet.payload));
        }
        if sender.header_len_max(&sender.given(&packet)) + packet.payload.len() > self.config.packet_len_max {
            return Err(SendError::TooLong(packet.payload));
        }
        if packet.sequence.is_some_and(|sequence| sender.is_late(sequence)) {
            return Err(SendError::Late(packet.payload));
        }
        let bytes = sender.queued_bytes + queue::charge(&packet);
        if sender.queued_packets >= self.config.send_queue_packets_max || bytes > self.config.send_queue_bytes_max {
            sender.is_room_wanted = true;
            return Err(SendError::Full(packet.payload));
        }
        sender.queued_packets += 1;
        sender.queued_bytes = bytes;
        packet.sequence.into_iter().for_each(|sequence| sender.reach(sequence));
        sender.is_numbered_by_others |= packet.sequence.is_some();
        self.queue.push(sender.config.kind, Waiting::new(id, packet, self.now.seen(), made));
        self.invariants();
        Ok(())
    }

    /// Queues a packet that another session received as one of this sender's, with this payload type. Its sequence numbers begin where
    /// all of ours do, in the lower half, and they and the timestamps go on when another source takes the place of the one before, and
    /// when the same one goes on after a [cut](Self::cut_forwarding): with `format`, where a decoder can begin. So do the
    /// numbers of pictures within payloads of VP8 and VP9 (`PictureID`, `TL0PICIDX`) and within descriptors of dependencies: another source's first
    /// picture follows the last of the one before. Gaps of the source stay gaps. A stream is forwarded or [sent](Self::send), not both: the numbers would meet.
    ///
    /// # Errors
    /// As of [`send`](Self::send); [`SendError::Late`] also for what is older than what was begun with, and
    /// [`SendError::KeyFrameNeeded`]. When the queue is full, a stream of pictures is cut.
    pub fn forward(
        &mut self,
        id: SenderId,
        received: &Received,
        payload_type: u8,
        format: Option<Format>,
    ) -> Result<(), SendError> {
        let payload = &received.packet.payload;
        let Some(sender) = self.senders.get(&id) else { return Err(SendError::UnknownSender(payload.clone())) };
        let Some(clock_rate_hz) = sender.clock_rate_hz(payload_type) else {
            return Err(SendError::PayloadType(payload.clone()));
        };
        let placed = sender.forwarding.place(received, format, sender.behind_all(), clock_rate_hz);
        let mut placed = placed.map_err(|refused| match refused {
            Refused::Late => SendError::Late(payload.clone()),
            Refused::KeyFrameNeeded => SendError::KeyFrameNeeded(payload.clone()),
        })?;
        let mut packet = RtpPacket { payload_type, ..received.packet.clone() };
        placed.renumber(&mut packet);
        let sent = self.enqueue(id, packet, Some(received.arrival));
        match (&sent, self.senders.get_mut(&id)) {
            (Ok(()), Some(sender)) => sender.forwarding.advance(placed),
            (Err(SendError::Full(_)), Some(sender)) if format.is_some_and(Format::has_key_frames) => {
                sender.forwarding.cut();
            }
            _ => {}
        }
        sent
    }

    /// A packet of what is [forwarded](Self::forward) is left out on purpose, as one of a layer that the receiver does not get: the numbers of
    /// those behind it close up, and nobody misses it. If others were forwarded before it came, its number is taken already: an empty packet leaves under it, if
    /// that finds room. As with `forward`, a source begins with it if a decoder could. What is neither forwarded nor left out is a loss.
    pub fn leave_out(&mut self, id: SenderId, received: &Received, payload_type: u8, format: Option<Format>) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        let Some(clock_rate_hz) = sender.clock_rate_hz(payload_type) else { return };
        let Ok(placed) = sender.forwarding.place(received, format, sender.behind_all(), clock_rate_hz) else { return };
        if placed.is_ahead {
            sender.forwarding.leave_out(placed);
            return;
        }
        let mut empty = RtpPacket::new(payload_type, placed.timestamp, Bytes::new());
        empty.sequence = Some(placed.sequence);
        _ = self.send(id, empty);
    }

    /// What comes next was not [forwarded](Self::forward) for a while: it goes on without a gap in its numbers, and where a decoder can
    /// begin.
    pub fn cut_forwarding(&mut self, id: SenderId) {
        if let Some(sender) = self.senders.get_mut(&id) {
            sender.forwarding.cut();
        }
    }

    /// How long a payload of this sender may be, in bytes: what the path takes, less the longest header.
    pub fn payload_len_max(&self, id: SenderId) -> Option<usize> {
        let sender = self.senders.get(&id)?;
        self.config.packet_len_max.checked_sub(sender.header_len_max(&Given::default()))
    }

    /// What the timestamp of a sender's packet would be that is heard or seen at `now`, and the rate of its clock in Hz. `None` before
    /// its first packet has left.
    pub fn rtp_time(&self, id: SenderId, now: Instant) -> Option<(u32, u32)> {
        self.senders.get(&id)?.rtp_time(now)
    }

    /// Cuts a frame into packets and queues them: all, or none.
    ///
    /// # Errors
    /// As of [`send`](Self::send), and if it is not of its format; the frame's data are given back. It is too long also if
    /// more packets would come of it than ever find room. After a picture that was refused because the queue is full, the next has to be a key
    /// frame, for the receiver sees no gap and would take another picture for the one that is missing: [`Event::KeyFrameRequested`](crate::Event::KeyFrameRequested) comes
    /// when there is room.
    pub fn send_frame(&mut self, id: SenderId, packetizer: &mut Packetizer, frame: Frame) -> Result<(), SendError> {
        let Some(limit) = self.payload_len_max(id) else { return Err(SendError::UnknownSender(frame.data)) };
        let payloads = match packetizer.payloads(&frame.data, limit) {
            Ok(payloads) => payloads,
            Err(Unfit::TooLong) => return Err(SendError::TooLong(frame.data)),
            Err(Unfit::Malformed) => return Err(SendError::Malformed(frame.data)),
        };
        let Some(sender) = self.senders.get_mut(&id).filter(|_| !self.is_ending) else {
            return Err(SendError::UnknownSender(frame.data));
        };
        if sender.clock_rate_hz(frame.payload_type).is_none() {
            return Err(SendError::PayloadType(frame.data));
        }
        let (count, bytes) = (payloads.len(), queue::charge_of(payloads.len(), payloads.bytes()));
        let (count_max, bytes_max) = (self.config.send_queue_packets_max, self.config.send_queue_bytes_max);
        if count > count_max || bytes > bytes_max {
            return Err(SendError::TooLong(frame.data));
        }
        if sender.queued_packets + count > count_max || sender.queued_bytes + bytes > bytes_max {
            sender.is_room_wanted = true;
            sender.is_picture_refused |= packetizer.format().has_key_frames();
            return Err(SendError::Full(frame.data));
        }
        sender.queued_packets += count;
        sender.queued_bytes += bytes;
        sender.captured(&frame);
        for packet in packetizer.packets(&frame, payloads) {
            self.queue.push(sender.config.kind, Waiting::new(id, packet, self.now.seen(), None));
        }
        self.invariants();
        Ok(())
    }
}
