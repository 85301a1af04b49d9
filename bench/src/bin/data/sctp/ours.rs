//! wigwag-sctp.

use super::{Checksum, End, MTU, STREAM, WINDOW};
use bytes::Bytes;
use std::time::Instant;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, SendOptions, State};

pub(super) struct Ours {
    association: Association,
    spare: Vec<Vec<u8>>,
}

impl End for Ours {
    type Packet = Vec<u8>;

    fn new(is_client: bool, checksum: Checksum, _: Instant) -> Self {
        let mut config = Config::default();
        config.mtu = MTU;
        config.zero_checksum = checksum == Checksum::Zero;
        (config.receive_window, config.receive_window_max) = (WINDOW, WINDOW);
        let mut association = Association::new(config, Seed::for_test(is_client.into()));
        if is_client {
            association.connect();
        }
        Self { association, spare: Vec::new() }
    }

    fn handle_input(&mut self, mut packet: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        self.association.handle_input(&packet, now);
        packet.clear();
        Some(packet)
    }

    fn recycle(&mut self, packet: Vec<u8>) {
        self.spare.push(packet);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.association.poll_timeout(now)
    }

    fn poll_packet(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut out = self.spare.pop().unwrap_or_default();
        if self.association.poll_packet(now, MTU, &mut out) {
            return Some(out);
        }
        self.spare.push(out);
        None
    }

    fn is_connected(&self) -> bool {
        self.association.state() == State::Established
    }

    fn buffered(&mut self) -> usize {
        self.association.buffered_amount(STREAM)
    }

    fn send(&mut self, message: &Bytes, _: Instant) {
        self.association.send(STREAM, 53, message.clone(), SendOptions::default()).expect("room");
    }

    fn receive(&mut self) -> Option<usize> {
        while let Some(event) = self.association.poll_event() {
            if let Event::Message { data, .. } = event {
                return Some(data.len());
            }
        }
        None
    }
}
