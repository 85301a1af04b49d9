//! Keys of a telephone (RFC 4733) that are pressed in the streams that we send, and those that the peer presses.

use super::{Level, Media, Streams};
use crate::event::Event;
use crate::jsep::TransceiverId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::telephone_event::{self, Report};
use wigwag_rtp::payload::{Dialer, ToneStream};
use wigwag_rtp::{Received, Session};

/// Those who press keys now.
#[derive(Debug, Default)]
pub(super) struct Tones {
    dialers: BTreeMap<TransceiverId, Dialer>,
    due: Due,
}

/// When to look at them.
#[derive(Clone, Copy, Debug, Default)]
enum Due {
    #[default]
    Never,
    At(Instant),
    /// A command was given.
    Now,
}

impl Tones {
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self.due {
            Due::Never => None,
            Due::At(at) => Some(at.max(now)),
            Due::Now => Some(now),
        }
    }

    /// Whether a key is pressed in this stream now.
    pub(super) fn is_pressing(&self, id: TransceiverId) -> bool {
        self.dialers.get(&id).is_some_and(Dialer::is_pressing)
    }

    pub(super) fn waiting(&self, id: TransceiverId) -> String {
        self.dialers.get(&id).map(Dialer::waiting).unwrap_or_default()
    }

    /// `Err` with a character that is no key.
    pub(super) fn insert(&mut self, id: TransceiverId, keys: &str, press: Duration, gap: Duration) -> Result<(), char> {
        self.dialers.entry(id).or_default().insert(keys, press, gap)?;
        self.due = Due::Now;
        Ok(())
    }
}

impl Media {
    /// Queues the packets of keys that are owed now.
    pub(crate) fn press(&mut self, now: Instant, session: &mut Session) {
        match self.tones.due {
            Due::Never => return,
            Due::At(at) if at > now => return,
            Due::At(_) | Due::Now => {}
        }
        let streams = &self.streams;
        let mut next = None;
        self.tones.dialers.retain(|id, dialer| {
            let stream = streams.get(id);
            let sender = stream.and_then(|stream| stream.outlets.first());
            while let Some(packet) = dialer.poll_packet(now, || tone_stream(stream?, now, session)) {
                // What finds no room is lost, as if by the network: that of the end leaves three times.
                sender.into_iter().for_each(|sender| _ = session.send(sender, packet.clone()));
            }
            let due = dialer.poll_timeout(now);
            next = [next, due].into_iter().flatten().min();
            due.is_some()
        });
        self.tones.due = next.map_or(Due::Never, Due::At);
    }

    /// Whether keys can be pressed in what we send.
    pub(crate) fn can_press(&self, id: TransceiverId) -> bool {
        let takes_events = |streams: &Streams| streams.outgoing.codecs.iter().any(|codec| codec.is_event);
        self.streams.get(&id).is_some_and(|streams| is_ours(streams) && takes_events(streams))
    }

    /// A report of the peer's. An event is told once, by whichever of its packets comes first.
    pub(super) fn heard(&mut self, transceiver: TransceiverId, packet: &Received) -> Option<Event> {
        let report = Report::parse(&packet.packet.payload).ok()?;
        let (ssrc, timestamp) = (packet.ssrc, packet.packet.timestamp);
        let last = &mut self.streams.get_mut(&transceiver)?.incoming.last_event;
        let is_older = last.is_some_and(|(known, before)| known == ssrc && timestamp.wrapping_sub(before) as i32 <= 0);
        if is_older {
            return None;
        }
        *last = Some((ssrc, timestamp));
        let (event, key) = (report.event, telephone_event::key(report.event));
        Some(Event::KeyPressed { transceiver, ssrc, event, key })
    }
}

/// Whether something is sent, and it is our own: among packets that are forwarded, a number of ours would be one of theirs.
fn is_ours(streams: &Streams) -> bool {
    streams.is_sending && streams.outgoing.level != Level::Forwarded
}

/// How events are written in a stream: with the clock of its sound.
// RFC 4733 §2.1: events are part of the stream of sound, with its sequence numbers and its clock.
fn tone_stream(streams: &Streams, now: Instant, session: &Session) -> Option<ToneStream> {
    let sender = streams.outlets.first().filter(|_| is_ours(streams))?;
    let codecs = &streams.outgoing.codecs;
    let (timestamp, clock_rate_hz) = session.rtp_time(sender, now).or_else(|| {
        let sound = codecs.iter().find(|codec| !codec.is_event)?;
        Some((0, sound.clock_rate_hz))
    })?;
    let events = || codecs.iter().filter(|codec| codec.is_event);
    let codec = events().find(|codec| codec.clock_rate_hz == clock_rate_hz)?;
    Some(ToneStream { payload_type: codec.payload_type, clock_rate_hz, timestamp })
}

/// The packet of an event, for those who put sound together: nothing to hear, until as far as the event has come.
pub(super) fn silent(mut packet: Received) -> Received {
    let lasted = Report::parse(&packet.packet.payload).map_or(0, |report| report.duration);
    packet.packet.timestamp = packet.packet.timestamp.wrapping_add(lasted.into());
    packet.packet.payload = Bytes::new();
    packet
}
