//! Keys of a telephone (RFC 4733) that are pressed in the streams that we send, and those that the peer presses.

use super::frames::LATE_MAX;
use super::{Level, Media, Streams};
use crate::event::Event;
use crate::jsep::TransceiverId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::telephone_event::{self, Report};
use wigwag_rtp::payload::{Dialer, ToneStream};
use wigwag_rtp::{Received, RtpPacket, Session};

/// Those who press keys now.
#[derive(Debug, Default)]
pub(super) struct Tones {
    dialers: BTreeMap<TransceiverId, Dialer>,
    due: Due,
}

/// How much later than a segment of an event the next one begins, in ticks: when its field is full, or, of those who begin it with the
/// packet that tells so, a packet later.
const SEGMENT: RangeInclusive<u32> = 0xffff..=0x10fff;

/// The event of which the last packet came that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    ssrc: u32,
    /// The packet's.
    sequence: u64,
    /// When the event began, or the segment of it (RFC 4733 §2.5.1.3).
    timestamp: u32,
    event: u8,
    has_ended: bool,
}

impl Heard {
    /// Whether that one came too late to tell anything. What is further behind is of a source that began anew.
    const fn is_after(&self, other: &Self) -> bool {
        self.sequence > other.sequence && self.sequence - other.sequence <= LATE_MAX
    }

    /// Whether it is of the event that is known. Numbers tell what comes later, and timestamps what is the same: between two events
    /// there may be half of all timestamps.
    // RFC 4733 §2.5.1.3: an event that lasts longer than its field can tell goes on in another segment, without the marker.
    fn continues(&self, known: &Self, marker: bool) -> bool {
        let is_next_segment = SEGMENT.contains(&self.timestamp.wrapping_sub(known.timestamp));
        self.timestamp == known.timestamp
            || (is_next_segment && self.event == known.event && !marker && !known.has_ended)
    }
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
        let known = &mut self.streams.get_mut(&transceiver)?.incoming.last_event;
        let (ssrc, event, key) = (packet.ssrc, report.event, telephone_event::key(report.event));
        is_news(known, ssrc, packet.extended_sequence, &packet.packet, report).then_some(Event::KeyPressed {
            transceiver,
            ssrc,
            event,
            key,
        })
    }
}

/// Whether an event begins with this report, or with one that did not come.
fn is_news(known: &mut Option<Heard>, ssrc: u32, sequence: u64, packet: &RtpPacket, report: Report) -> bool {
    // RFC 4733 §2.3.5: "The receiver SHOULD ignore an event report with zero duration if the event is not a state." No key is one.
    if report.duration == 0 && telephone_event::key(report.event).is_some() {
        return false;
    }
    // An end with a full field may be that of a segment.
    let has_ended = report.is_end && report.duration < u16::MAX;
    let heard = Heard { ssrc, sequence, timestamp: packet.timestamp, event: report.event, has_ended };
    let before = known.filter(|before| before.ssrc == ssrc);
    if before.is_some_and(|before| before.is_after(&heard)) {
        return false;
    }
    *known = Some(heard);
    !before.is_some_and(|before| heard.continues(&before, packet.marker))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of one source, in the order of their arrival: their numbers, timestamps and markers, and what they say. Which are news?
    fn news(reports: &[(u64, u32, bool, Report)]) -> Vec<bool> {
        let mut known = None;
        let of = |&(sequence, timestamp, marker, report): &(u64, u32, bool, Report)| {
            let mut packet = RtpPacket::new(126, timestamp, Bytes::copy_from_slice(&report.to_bytes()));
            packet.marker = marker;
            is_news(&mut known, 1, sequence, &packet, report)
        };
        reports.iter().map(of).collect()
    }

    const fn report(event: u8, is_end: bool, duration: u16) -> Report {
        Report { event, is_end, volume: 10, duration }
    }

    /// RFC 4733 §2.5.1.3, and as libwebrtc does it: the next segment begins with the packet that tells that the field is full.
    #[test]
    fn a_key_that_is_held_for_longer_than_its_field_can_tell_is_one() {
        for later in [0xffff, 66_240] {
            let begin = 0xffff_0000_u32;
            let [second, third] = [begin.wrapping_add(later), begin.wrapping_add(2 * later)];
            let held = [
                (1, begin, true, report(5, false, 960)),
                (2, begin, false, report(5, false, 0xffff)),
                (3, second, false, report(5, false, 705)),
                // One of them may end just when its field is full.
                (4, second, false, report(5, true, 0xffff)),
                (5, third, false, report(5, true, 300)),
            ];
            assert_eq!(news(&held), [true, false, false, false, false], "{later}");
            let again = [
                // The same key once more, as its marker says, or because it was over.
                (6, third.wrapping_add(0xffff), true, report(5, false, 960)),
                (7, third.wrapping_add(0xffff), false, report(5, true, 1_920)),
                (8, third.wrapping_add(2 * 0xffff), false, report(5, false, 960)),
                // Another one, and one after a pause.
                (9, third.wrapping_add(3 * 0xffff), false, report(6, false, 960)),
                (10, third.wrapping_add(5 * 0xffff), false, report(6, false, 960)),
            ];
            assert_eq!(news(&[&held[..], &again[..]].concat())[5..], [true, false, true, true, true], "{later}");
        }
    }

    /// At 48,000 Hz half of all timestamps are twelve hours.
    #[test]
    fn a_key_after_any_pause_is_news_and_one_from_before_is_not() {
        let pressed = [
            (10, 1_000, true, report(1, false, 960)),
            (20, 1_000 + 0x9000_0000, true, report(2, false, 960)),
            // What was under way for long, of the first and of one in between.
            (11, 1_000, false, report(1, true, 1_920)),
            (15, 70_000, true, report(3, true, 1_920)),
            (21, 1_000 + 0x9000_0000, false, report(2, true, 1_920)),
            // The source began anew.
            (21 + LATE_MAX + 1, 9, true, report(4, false, 960)),
            (20, 99_000, true, report(5, false, 960)),
        ];
        assert_eq!(news(&pressed), [true, true, false, false, false, true, true]);
    }

    #[test]
    fn a_key_that_lasts_for_no_time_is_none_yet() {
        let pressed = [
            (1, 1_000, true, report(1, false, 0)),
            (2, 1_000, false, report(1, false, 160)),
            // Something that is not a key may be a state (RFC 4733 §2.3.5).
            (3, 5_000, true, report(64, false, 0)),
        ];
        assert_eq!(news(&pressed), [false, true, true]);
    }
}
