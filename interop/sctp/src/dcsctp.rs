use crate::{End, How, MESSAGE_LEN_MAX, MTU, Options, State, WINDOW};
use bytes::Bytes;
use dcsctp::api::{
    DcSctpSocket, ErrorKind, Message, PpId, SendError, SendOptions, SocketEvent, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) struct Dcsctp {
    socket: Box<dyn DcSctpSocket>,
    epoch: Instant,
    packets: VecDeque<Vec<u8>>,
    resets: Vec<u16>,
    state: State,
}

impl Dcsctp {
    pub(crate) fn new(options: Options, now: Instant) -> Self {
        let mut theirs = dcsctp::api::Options {
            mtu: MTU,
            max_receiver_window_buffer_size: WINDOW as usize,
            max_message_size: MESSAGE_LEN_MAX as usize,
            enable_message_interleaving: options.interleaving,
            // As libwebrtc has it.
            max_timer_backoff_duration: Some(Duration::from_secs(3)),
            max_init_retransmits: None,
            ..dcsctp::api::Options::default()
        };
        if options.zero_checksum {
            theirs.zero_checksum_alternate_error_detection_method =
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS;
        }
        Self {
            socket: dcsctp::new_socket("peer", &theirs),
            epoch: now,
            packets: VecDeque::new(),
            resets: Vec::new(),
            state: State::Connecting,
        }
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.packets.push_back(packet),
                SocketEvent::OnConnected() => self.state = State::Connected,
                SocketEvent::OnClosed() => self.state = State::Closed,
                SocketEvent::OnAborted(kind, text) => {
                    assert_eq!(kind, ErrorKind::PeerReported, "{text}");
                    self.state = State::Closed;
                }
                SocketEvent::OnIncomingStreamReset(streams) => {
                    self.resets.extend(streams.iter().map(|stream| stream.0))
                }
                SocketEvent::OnStreamsResetFailed(streams) => panic!("{streams:?} were not reset"),
                _ => {}
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        self.socket.advance_time(SocketTime::zero() + now.saturating_duration_since(self.epoch));
    }
}

impl End for Dcsctp {
    fn connect(&mut self, now: Instant) {
        self.advance(now);
        self.socket.connect();
    }

    fn handle_input(&mut self, packet: &[u8], now: Instant) {
        self.advance(now);
        self.socket.handle_input(packet);
        self.poll_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.poll_events();
    }

    fn poll_timeout(&self, _: Instant) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        (at != SocketTime::infinite_future()).then(|| self.epoch + (at - SocketTime::zero()))
    }

    fn poll_packet(&mut self, _: Instant, out: &mut Vec<u8>) -> bool {
        self.poll_events();
        let packet = self.packets.pop_front();
        out.extend(packet.iter().flatten());
        packet.is_some()
    }

    fn send(&mut self, stream: u16, data: &Bytes, how: How, now: Instant) -> bool {
        self.advance(now);
        let options = SendOptions {
            unordered: how.unordered,
            lifetime: how.lifetime,
            max_retransmissions: how.retransmits_max,
            ..SendOptions::default()
        };
        let message = Message::new(StreamId(stream), PpId(53), data.to_vec());
        match self.socket.send(message, &options) {
            Ok(()) => true,
            Err(SendError::ResourceExhaustion) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn poll_message(&mut self) -> Option<(u16, Bytes)> {
        let message = self.socket.get_next_message()?;
        Some((message.stream_id.0, message.payload.into()))
    }

    fn reset(&mut self, stream: u16, now: Instant) {
        self.advance(now);
        self.socket.reset_streams(&[StreamId(stream)]).expect("an association");
    }

    fn peer_resets(&mut self) -> Vec<u16> {
        self.poll_events();
        std::mem::take(&mut self.resets)
    }

    fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        self.socket.shutdown();
    }

    fn state(&self) -> State {
        self.state
    }

    fn agreed(&self) -> Options {
        let metrics = self.socket.get_metrics().expect("an association");
        Options {
            zero_checksum: metrics.uses_zero_checksum,
            interleaving: metrics.uses_message_interleaving,
            in_parts: false,
        }
    }
}
