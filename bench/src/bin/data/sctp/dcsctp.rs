//! dcsctp, which would make a dump of each packet for its log, whether that is on or not: here it asks first.

use super::{Checksum, End, MTU, STREAM, WINDOW};
use bytes::Bytes;
use dcsctp_unlogged::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, SocketEvent, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use std::collections::VecDeque;
use std::time::Instant;

pub(super) struct Dcsctp {
    socket: Box<dyn DcSctpSocket>,
    epoch: Instant,
    packets: VecDeque<Vec<u8>>,
    is_connected: bool,
}

impl Dcsctp {
    fn advance(&mut self, now: Instant) {
        self.socket.advance_time(SocketTime::zero() + now.saturating_duration_since(self.epoch));
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.packets.push_back(packet),
                SocketEvent::OnConnected() => self.is_connected = true,
                SocketEvent::OnAborted(_, text) => panic!("{text}"),
                _ => {}
            }
        }
    }
}

impl End for Dcsctp {
    type Packet = Vec<u8>;

    fn new(is_client: bool, checksum: Checksum, now: Instant) -> Self {
        let mut options = Options { mtu: MTU, max_receiver_window_buffer_size: WINDOW as usize, ..Options::default() };
        if checksum == Checksum::Zero {
            options.zero_checksum_alternate_error_detection_method =
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS;
        }
        let mut socket = dcsctp_unlogged::new_socket("peer", &options);
        if is_client {
            socket.connect();
        }
        Self { socket, epoch: now, packets: VecDeque::new(), is_connected: false }
    }

    fn handle_input(&mut self, packet: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        self.advance(now);
        self.socket.handle_input(&packet);
        self.poll_events();
        None
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.poll_events();
    }

    fn poll_timeout(&self, _: Instant) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        (at != SocketTime::infinite_future()).then(|| self.epoch + (at - SocketTime::zero()))
    }

    fn poll_packet(&mut self, _: Instant) -> Option<Vec<u8>> {
        self.poll_events();
        self.packets.pop_front()
    }

    fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn buffered(&mut self) -> usize {
        self.socket.buffered_amount(StreamId(STREAM))
    }

    fn send(&mut self, message: &Bytes, now: Instant) {
        self.advance(now);
        let message = Message::new(StreamId(STREAM), PpId(53), message.to_vec());
        self.socket.send(message, &SendOptions::default()).expect("room");
    }

    fn receive(&mut self) -> Option<usize> {
        self.socket.get_next_message().map(|message| message.payload.len())
    }
}
