//! Sound and pictures that look like a call: 50 packets of sound a second, and 30 pictures of ten packets.

use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag::{MediaError, MediaKind, PeerConnection, RtpPacket, TransceiverId};

/// Opus of 48 kbit/s: 120 bytes every 20 ms.
const SOUND: Pace = Pace { interval: Duration::from_millis(20), packets: 1, len: 120, ticks: 960 };
/// VP8 of 2.64 Mbit/s: 11,000 bytes every 33 ms.
const PICTURES: Pace = Pace { interval: Duration::from_nanos(33_333_333), packets: 10, len: 1100, ticks: 3000 };
/// A loop that was held up for longer goes on from where it is, as a camera would.
const DELAY_MAX: Duration = Duration::from_millis(500);

struct Pace {
    interval: Duration,
    packets: usize,
    /// Of a payload, in bytes.
    len: usize,
    /// Of the RTP clock, in an interval.
    ticks: u32,
}

struct Stream {
    pace: &'static Pace,
    transceiver: TransceiverId,
    payload_type: u8,
    payload: Bytes,
    timestamp: u32,
    due: Instant,
}

/// What one peer sends and has received.
#[derive(Default)]
pub(super) struct Media {
    streams: Vec<Stream>,
    pub(super) packets_sent: u64,
    pub(super) packets_refused: u64,
    pub(super) packets_received: u64,
}

impl Media {
    /// Begins to send on all transceivers that may.
    pub(super) fn start(&mut self, connection: &PeerConnection, now: Instant) {
        self.streams = connection
            .transceivers()
            .filter_map(|transceiver| {
                let codec = transceiver.negotiated.as_ref()?.send_codecs.first()?;
                let pace = match transceiver.kind {
                    MediaKind::Audio => &SOUND,
                    _ => &PICTURES,
                };
                let payload = Bytes::from(vec![0x10; pace.len]);
                Some(Stream {
                    pace,
                    transceiver: transceiver.id,
                    payload_type: codec.payload_type,
                    payload,
                    timestamp: 0,
                    due: now,
                })
            })
            .collect();
    }

    pub(super) fn stop(&mut self) {
        self.streams.clear();
    }

    /// When something is to be sent next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.streams.iter().map(|stream| stream.due).min()
    }

    /// Sends what is due.
    pub(super) fn send(&mut self, connection: &mut PeerConnection, now: Instant) {
        for stream in &mut self.streams {
            if now.saturating_duration_since(stream.due) > DELAY_MAX {
                stream.due = now;
            }
            while stream.due <= now {
                stream.due += stream.pace.interval;
                stream.timestamp = stream.timestamp.wrapping_add(stream.pace.ticks);
                for number in 1..=stream.pace.packets {
                    let mut packet = RtpPacket::new(stream.payload_type, stream.timestamp, stream.payload.clone());
                    packet.marker = number == stream.pace.packets;
                    match connection.write_packet(stream.transceiver, packet) {
                        Ok(()) => self.packets_sent += 1,
                        Err(MediaError::Full(_)) => self.packets_refused += 1,
                        Err(error) => {
                            tracing::warn!(%error, "a packet of media was not taken");
                            self.packets_refused += 1;
                        }
                    }
                }
            }
        }
    }
}
