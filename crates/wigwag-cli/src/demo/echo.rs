//! What comes is sent back: packets of media as they are, never decoded, and messages of data channels.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use wigwag::{ChannelId, Event, PeerConnection, Received, RtpPacket, SendError, TransceiverId};

/// How much may wait for a peer that sends messages and reads no answers, in bytes; a message costs some itself.
const BACKLOG_MAX: usize = 16 << 20;
const MESSAGE_COST: usize = 64;

/// One peer's echo.
#[derive(Default)]
pub(super) struct Echo {
    streams: BTreeMap<TransceiverId, Stream>,
    backlog: VecDeque<(ChannelId, Bytes, bool)>,
    backlog_len: usize,
}

impl Echo {
    /// What happened to the connection.
    pub(super) fn handle_event(&mut self, connection: &mut PeerConnection, event: Event) {
        match event {
            Event::RtpPacket { transceiver, packet } => self.relay(connection, transceiver, packet),
            // The peer cannot show its own picture: it must make a key frame, nobody else can.
            Event::KeyFrameRequested(transceiver) => connection.request_key_frame(transceiver),
            Event::Message { channel, data, is_binary } => self.send_back(connection, channel, data, is_binary),
            Event::Writable => self.send_backlog(connection),
            event => tracing::trace!(?event),
        }
    }

    fn relay(&mut self, connection: &mut PeerConnection, id: TransceiverId, received: Received) {
        let Some(payload_type) = map_payload_type(connection, id, received.packet.payload_type) else { return };
        let stream = self.streams.entry(id).or_default();
        let packet = stream.continued(payload_type, received.ssrc, received.packet);
        if let Err(error) = connection.write_packet(id, packet) {
            tracing::debug!(%error, "a packet is not echoed");
        }
    }

    fn send_back(&mut self, connection: &mut PeerConnection, channel: ChannelId, data: Bytes, is_binary: bool) {
        self.backlog_len = self.backlog_len.saturating_add(data.len() + MESSAGE_COST);
        self.backlog.push_back((channel, data, is_binary));
        self.send_backlog(connection);
        if self.backlog_len > BACKLOG_MAX {
            tracing::info!("a peer sends messages and reads no answers");
            connection.close();
        }
    }

    fn send_backlog(&mut self, connection: &mut PeerConnection) {
        while let Some((channel, data, is_binary)) = self.backlog.pop_front() {
            let cost = data.len() + MESSAGE_COST;
            if let Err(SendError::Full(data)) = connection.send(channel, data, is_binary) {
                self.backlog.push_front((channel, data, is_binary));
                return;
            }
            self.backlog_len = self.backlog_len.saturating_sub(cost);
        }
    }
}

/// The number by which the peer knows what we received under `payload_type`.
fn map_payload_type(connection: &PeerConnection, id: TransceiverId, payload_type: u8) -> Option<u8> {
    let negotiated = connection.transceiver(id)?.negotiated.as_ref()?;
    let received = negotiated.receive_codecs.iter().find(|codec| codec.payload_type == payload_type)?;
    negotiated.send_codecs.iter().find(|codec| codec.index == received.index).map(|codec| codec.payload_type)
}

/// Keeps one outgoing stream's numbers going on when the peer begins a new stream.
///
/// The peer's own numbers are kept otherwise: a packet that comes late is sent late under its own number, and what was
/// lost on the way here is missing on the way back.
#[derive(Debug, Default)]
struct Stream {
    source: Option<u32>,
    sequence_offset: u16,
    timestamp_offset: u32,
    last_sequence: u16,
    last_timestamp: u32,
}

impl Stream {
    fn continued(&mut self, payload_type: u8, source: u32, mut packet: RtpPacket) -> RtpPacket {
        let (sequence, timestamp) = (packet.sequence.unwrap_or_default(), packet.timestamp);
        let is_first = self.source.is_none();
        if !is_first && self.source != Some(source) {
            self.sequence_offset = self.last_sequence.wrapping_add(1).wrapping_sub(sequence);
            self.timestamp_offset = self.last_timestamp.wrapping_add(1).wrapping_sub(timestamp);
        }
        self.source = Some(source);
        let (sequence, timestamp) =
            (sequence.wrapping_add(self.sequence_offset), timestamp.wrapping_add(self.timestamp_offset));
        if is_first || wigwag_sansio::serial_after(sequence, self.last_sequence) {
            (self.last_sequence, self.last_timestamp) = (sequence, timestamp);
        }
        packet.payload_type = payload_type;
        packet.sequence = Some(sequence);
        packet.timestamp = timestamp;
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(stream: &mut Stream, source: u32, sequence: u16, timestamp: u32) -> (u16, u32) {
        let mut packet = RtpPacket::new(1, timestamp, Bytes::new());
        packet.sequence = Some(sequence);
        let packet = stream.continued(96, source, packet);
        assert_eq!(packet.payload_type, 96);
        (packet.sequence.unwrap(), packet.timestamp)
    }

    #[test]
    fn numbers_are_kept_also_of_packets_that_come_late() {
        let mut stream = Stream::default();
        for number in [65_534, 65_535, 1, 0, 2] {
            assert_eq!(echoed(&mut stream, 7, number, 3000), (number, 3000));
        }
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_ended() {
        let mut stream = Stream::default();
        echoed(&mut stream, 7, 65_535, 900);
        echoed(&mut stream, 7, 65_534, 800);
        assert_eq!(echoed(&mut stream, 8, 5000, 77), (0, 901));
        assert_eq!(echoed(&mut stream, 8, 5002, 80), (2, 904));
        assert_eq!(echoed(&mut stream, 9, 1, 1), (3, 905));
    }
}
