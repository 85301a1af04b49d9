use crate::{End, How, MESSAGE_LEN_MAX, MTU, Options, State, WINDOW};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, PeerInit, Reliability, SendError, SendOptions};

pub(crate) struct Ours {
    association: Association,
    /// A packet without a checksum has left.
    has_left_unchecked: bool,
    messages: VecDeque<(u16, Bytes)>,
    in_parts: bool,
    /// What is left to give, and what has come, of messages in parts.
    giving: BTreeMap<u16, Bytes>,
    taking: BTreeMap<u16, Vec<u8>>,
    resets: Vec<u16>,
    state: State,
}

impl Ours {
    pub(crate) fn new(options: Options, seed: u64) -> Self {
        let mut config = Config::default();
        config.mtu = MTU;
        config.receive_window = WINDOW;
        config.message_len_max_send = MESSAGE_LEN_MAX as usize;
        if options.in_parts {
            config.partial_delivery_from = Some(10_000);
            (config.receive_window, config.receive_window_max) = (64_000, 0);
            (config.send_buffer, config.send_buffer_max) = (64_000, 0);
        }
        (config.zero_checksum, config.interleaving) = (options.zero_checksum, options.interleaving);
        Self {
            association: Association::new(config, Seed::for_test(seed)),
            has_left_unchecked: false,
            messages: VecDeque::new(),
            in_parts: options.in_parts,
            giving: BTreeMap::new(),
            taking: BTreeMap::new(),
            resets: Vec::new(),
            state: State::Connecting,
        }
    }

    /// Gives the next parts of messages, of any length, as far as there is room.
    fn give(&mut self) {
        for (stream, rest) in &mut self.giving {
            while !rest.is_empty() {
                let part = rest.slice(..rest.len().min(1 + rest.len() * 7 % 9000));
                match self.association.append_part(*stream, part.clone()) {
                    Ok(()) => *rest = rest.slice(part.len()..),
                    Err(SendError::Full(_)) => break,
                    Err(SendError::Abandoned) => *rest = Bytes::new(),
                    Err(error) => panic!("{error}"),
                }
                if rest.is_empty() {
                    let result = self.association.finish_message(*stream);
                    assert!(matches!(result, Ok(()) | Err(SendError::NoMessageOpen(_) | SendError::Abandoned)));
                }
            }
        }
        self.giving.retain(|_, rest| !rest.is_empty());
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::Connected => self.state = State::Connected,
                Event::Message { stream, data, .. } => self.messages.push_back((stream, data)),
                Event::MessagePart { stream, data, is_last, .. } => {
                    self.taking.entry(stream).or_default().extend_from_slice(&data);
                    if is_last {
                        let message = self.taking.remove(&stream).unwrap_or_default();
                        self.messages.push_back((stream, message.into()));
                    }
                }
                Event::MessageIncomplete { stream } => _ = self.taking.remove(&stream),
                Event::IncomingStreamReset { streams } => self.resets.extend(streams),
                Event::Closed(_) => self.state = State::Closed,
                _ => {}
            }
        }
        self.give();
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
        let options = SendOptions { unordered: how.unordered, reliability };
        if self.in_parts && self.giving.contains_key(&stream) {
            return false;
        }
        let result = if self.in_parts {
            self.association.begin_message(stream, 53, options)
        } else {
            self.association.send(stream, 53, data.clone(), options)
        };
        match result {
            Ok(()) if self.in_parts => {
                self.giving.insert(stream, data.clone());
                self.give();
                true
            }
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
        let interleaving = self.association.is_interleaving();
        Options { interleaving, zero_checksum: self.has_left_unchecked, in_parts: self.in_parts }
    }
}
