//! What comes is sent back: packets of media as they are, never decoded, and messages of data channels.

use bytes::Bytes;
use std::collections::VecDeque;
use wigwag::{ChannelId, Event, MediaError, PeerConnection, Received, SendError, TransceiverId};

/// How much may wait for a peer that sends messages and reads no answers, in bytes; a message costs some itself.
const BACKLOG_MAX: usize = 16 << 20;
const MESSAGE_COST: usize = 64;

/// One peer's echo.
#[derive(Default)]
pub(super) struct Echo {
    backlog: VecDeque<(ChannelId, Bytes, bool)>,
    backlog_len: usize,
}

impl Echo {
    /// What happened to the connection.
    pub(super) fn handle_event(&mut self, connection: &mut PeerConnection, event: Event) {
        match event {
            Event::RtpPacket { transceiver, packet } => relay(connection, transceiver, &packet),
            // The peer cannot show its own picture: it must make a key frame, nobody else can.
            Event::KeyFrameRequested { transceiver, .. } => connection.request_key_frame(transceiver),
            Event::Message { channel, data, is_binary } => self.send_back(connection, channel, data, is_binary),
            Event::Writable => self.send_backlog(connection),
            event => tracing::trace!(?event),
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

/// The peer gets its own packets back, as those of a server that forwards.
fn relay(connection: &mut PeerConnection, id: TransceiverId, received: &Received) {
    let negotiated = connection.transceiver(id).and_then(|transceiver| transceiver.negotiated.as_ref());
    let codec = negotiated.and_then(|negotiated| negotiated.receive_codec(received.packet.payload_type));
    let Some(codec) = codec.map(|codec| codec.index) else { return };
    match connection.forward_packet(id, received, codec) {
        Ok(()) => {}
        Err(MediaError::KeyFrameNeeded | MediaError::Full(_)) => connection.request_key_frame(id),
        Err(error) => tracing::debug!(%error, "a packet is not echoed"),
    }
}
