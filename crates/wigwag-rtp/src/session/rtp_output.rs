//! RTP packets, written when they are polled for.

use super::Session;
use super::queue::{Lane, RESEND_AGE_MAX, Turn, Waiting, charge};
use crate::config::{Kind, SenderConfig};
use crate::event::{Event, SenderId};
use crate::extension::{AudioLevel, abs_send_time};
use crate::header::{Fixed, Given, Header};
use crate::stream::resend::SentPacket;
use crate::stream::send::Sender;
use std::time::{Duration, Instant};

/// What the extensions of a packet say that leaves now.
#[derive(Clone, Copy)]
pub(super) struct Departure {
    elapsed: Duration,
    transport_sequence: u64,
}

impl Session {
    /// Of the packet that leaves next.
    pub(super) fn departure(&self, now: Instant) -> Departure {
        Departure { elapsed: self.clock.elapsed(now), transport_sequence: self.history.next() }
    }

    pub(super) fn write_rtp(&mut self, lane: Lane, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if lane != Lane::Audio {
            self.discard_stale_resends(now);
        }
        loop {
            match self.queue.turn(lane) {
                None => return false,
                Some(Turn::Fresh(kind)) => {
                    if let Some(has_written) = self.write_fresh(kind, now, limit, out) {
                        return has_written;
                    }
                }
                Some(Turn::Resend(id, sequence)) => {
                    if let Some(has_written) = self.write_resend(id, sequence, now, limit, out) {
                        return has_written;
                    }
                    // It is no longer there.
                    self.queue.pop_resend();
                }
            }
        }
    }

    /// `None` if the packet can no longer be sent: else it would keep all others waiting, for ever.
    fn write_fresh(&mut self, kind: Kind, now: Instant, limit: usize, out: &mut Vec<u8>) -> Option<bool> {
        let departure = self.departure(now);
        // Looked at before it is taken: what does not fit stays owed.
        let Some(Waiting { sender, packet, .. }) = self.queue.front(kind) else { return Some(false) };
        let Some(sender) = self.senders.get(sender) else { return Some(false) };
        let fixed = Fixed {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: packet.sequence.unwrap_or(sender.next_sequence),
            timestamp: packet.timestamp,
            ssrc: sender.config.ssrc,
        };
        let header = header(&sender.config, fixed, packet.audio_level, sender.given(packet), departure);
        let header_len = header.len();
        let len = header_len + packet.payload.len();
        let is_possible = len <= self.config.packet_len_max && sender.clock_rate_hz(packet.payload_type).is_some();
        if is_possible && len > limit {
            return Some(false);
        }
        let Some(Waiting { sender: id, packet, made, .. }) = self.queue.pop(kind) else { return Some(false) };
        self.stats.visits += 1;
        self.unqueue(id, charge(&packet), now);
        let Some(sender) = self.senders.get_mut(&id) else { return Some(false) };
        if !is_possible {
            sender.stats.packets_discarded += 1;
            return None;
        }
        let sequence = packet.sequence.unwrap_or(sender.next_sequence);
        let made = made.unwrap_or(now);
        let made = sender.leaves_as(sequence).then_some(made);
        sender.is_between_pictures = packet.marker;
        if !sender.is_report_due {
            self.unreported.senders.push_back(id);
        }
        sender.stats.markers_sent += u64::from(packet.marker);
        sender.sent(packet.payload_type, packet.timestamp, header_len, packet.payload.len(), made);
        let is_reported = sender.config.is_reported();
        let transport_sequence = is_reported.then(|| self.history.next());
        if is_reported {
            let source = sender.config.ccfb.then_some((sender.config.ssrc, sequence));
            self.history.sent(len, source, now);
        }
        if is_reported && kind == Kind::Video {
            self.padder = Some(id);
        }
        let sent = SentPacket::new(sequence, header, packet.payload, transport_sequence).with_head(packet.head);
        sent.write(out);
        if sender.config.nack {
            sender.cache.keep(sent);
        }
        self.arm_report(now);
        Some(true)
    }

    /// What could not leave for long is worth nothing: it would only take the place of what is new.
    fn discard_stale_resends(&mut self, now: Instant) {
        while let Some((id, sequence)) = self.queue.stale_resend(now) {
            let sender = self.senders.get_mut(&id);
            let is_wanted = |sender: &&mut Sender| sender.cache.was_asked(sequence, RESEND_AGE_MAX, now);
            if sender.as_ref().is_some_and(is_wanted) {
                return;
            }
            self.queue.discard_resend();
            if let Some(sender) = sender {
                sender.cache.disown(sequence);
                sender.stats.nacks_unanswered += 1;
            }
        }
    }

    /// There is more room: whoever waits for it is told.
    fn unqueue(&mut self, id: SenderId, charge: usize, now: Instant) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        let was_picture_refused = std::mem::take(&mut sender.is_picture_refused);
        if sender.unqueue(charge) {
            self.stats.dropped_events += self.events.push(Event::Writable { sender: id });
        }
        if was_picture_refused {
            self.tell_of_key_frame(id, now);
        }
    }
}

pub(super) fn header(
    config: &SenderConfig,
    fixed: Fixed,
    audio_level: Option<AudioLevel>,
    given: Given,
    departure: Departure,
) -> Header {
    let extensions = config.extensions;
    // RFC 8852 §3: the layer that a stream is, or that it sends again.
    let rid = if fixed.ssrc == config.ssrc { extensions.rid } else { extensions.repaired_rid };
    let [_, abs_send_time @ ..] = abs_send_time::from_duration(departure.elapsed).to_be_bytes();
    let audio_level = audio_level.map(|level| [level.byte()]);
    let transport_sequence = (departure.transport_sequence as u16).to_be_bytes();
    let all: [Option<(u8, &[u8])>; 5] = [
        extensions.abs_send_time.map(|id| (id, abs_send_time.as_slice())),
        extensions.transport_cc.map(|id| (id, transport_sequence.as_slice())),
        extensions.audio_level.zip(audio_level.as_ref().map(<[u8; 1]>::as_slice)),
        extensions.mid.zip(config.mid.as_deref().map(str::as_bytes)),
        rid.zip(config.rid.as_deref().map(str::as_bytes)),
    ];
    let mut elements = [(0, &[][..]); 5];
    let mut len = 0;
    for (slot, element) in elements.iter_mut().zip(all.into_iter().flatten()) {
        *slot = element;
        len += 1;
    }
    Header::new(fixed, config.form(), elements.get(..len).unwrap_or_default(), given)
}
