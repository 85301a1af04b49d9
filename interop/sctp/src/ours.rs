use crate::{End, How, MESSAGE_LEN_MAX, MTU, Options, State, WINDOW};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, PeerInit, Reliability, SendError, SendOptions};

pub(crate) struct Ours {
    association: Association,
    /// A packet without a checksum has left.
    has_left_unchecked: bool,
    messages: VecDeque<(u16, Bytes)>,
    resets: Vec<u16>,
    state: State,
}

impl Ours {
    pub(crate) fn new(options: Options, seed: u64) -> Self {
        let mut config = Config::default();
        config.mtu = MTU;
        config.receive_window = WINDOW;
        config.message_len_max_send = MESSAGE_LEN_MAX as usize;
        (config.zero_checksum, config.interleaving) = (options.zero_checksum, options.interleaving);
        Self {
            association: Association::new(config, Seed::for_test(seed)),
            has_left_unchecked: false,
            messages: VecDeque::new(),
            resets: Vec::new(),
            state: State::Connecting,
        }
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::Connected => self.state = State::Connected,
                Event::Message { stream, data, .. } => self.messages.push_back((stream, data)),
                Event::IncomingStreamReset { streams } => self.resets.extend(streams),
                Event::Closed(_) => self.state = State::Closed,
                _ => {}
            }
        }
    }
}

impl End for Ours {
    fn init(&mut self) -> Option<Bytes> {
        Some(self.association.init_chunk().into())
    }

    fn set_peer_init(&mut self, init: Bytes) {
        self.association.set_peer_init(PeerInit::decode(&init).expect("an INIT chunk"));
    }

    fn connect(&mut self, _: Instant) {
        self.association.connect();
    }

    fn handle_input(&mut self, packet: &[u8], now: Instant) {
        self.association.handle_input(packet, now);
        self.poll_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
        self.poll_events();
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.association.poll_timeout(now)
    }

    fn poll_packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let has_written = self.association.poll_packet(now, MTU, out);
        self.has_left_unchecked |= out.get(start..).and_then(|packet| packet.get(8..12)) == Some(&[0; 4][..]);
        self.poll_events();
        has_written
    }

    fn send(&mut self, stream: u16, data: &Bytes, how: How, _: Instant) -> bool {
        let reliability = match (how.retransmits_max, how.lifetime) {
            (Some(max), _) => Reliability::MaxRetransmits(max),
            (None, Some(lifetime)) => Reliability::MaxLifetime(lifetime),
            (None, None) => Reliability::Reliable,
        };
        match self.association.send(stream, 53, data.clone(), SendOptions { unordered: how.unordered, reliability }) {
            Ok(()) => true,
            Err(SendError::Full(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn poll_message(&mut self) -> Option<(u16, Bytes)> {
        self.poll_events();
        self.messages.pop_front()
    }

    fn reset(&mut self, stream: u16, _: Instant) {
        self.association.reset_stream(stream).expect("a stream that can be reset");
    }

    fn peer_resets(&mut self) -> Vec<u16> {
        self.poll_events();
        std::mem::take(&mut self.resets)
    }

    fn shutdown(&mut self, _: Instant) {
        self.association.shutdown();
    }

    fn state(&self) -> State {
        self.state
    }

    fn agreed(&self) -> Options {
        Options { interleaving: self.association.is_interleaving(), zero_checksum: self.has_left_unchecked }
    }
}
