//! SCTP associations.

use crate::duel::{Player, duel};
use crate::script::Script;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, PeerInit, Reliability, Scheduler, SendError, SendOptions, State};

/// Any packets, with right checksum and tag or without, between two associations.
pub fn sctp_association(data: &[u8]) {
    _ = duel([Peer::new(1), Peer::new(2)], data);
}

/// The same between two that have everything: I-DATA, no checksums, a scheduler, and a peer that may ask for anything.
pub fn sctp_interleaved(data: &[u8]) {
    _ = duel([Peer::with_everything(1), Peer::with_everything(2)], data);
}

/// Any bytes as the INIT chunk of the peer's description, and then any packets.
pub fn sctp_init(data: &[u8]) {
    let script = &mut Script::new(data);
    let Ok(init) = PeerInit::decode(script.bytes()) else { return };
    let peer = Peer::new(1).introduced(init);
    _ = duel([peer, Peer::new(2)], script.rest());
}

struct Peer {
    association: Association,
    /// The verification tag that its packets carry.
    tag: [u8; 4],
}

/// Small limits are reached.
const MESSAGE_MAX: usize = 10_000;
/// What the layer below takes, which is never less than the MTU.
const LIMIT: usize = 1200;

impl Peer {
    fn new(seed: u64) -> Self {
        Self::with(seed, Config::default())
    }

    fn with_everything(seed: u64) -> Self {
        let mut config = Config::default();
        (config.interleaving, config.zero_checksum) = (true, true);
        config.scheduler = if seed == 1 { Scheduler::WeightedFair } else { Scheduler::Priority };
        config.takes_stream_reset_requests = true;
        config.takes_association_resets = true;
        config.takes_stream_additions = true;
        config.outbound_streams_max = Some(90);
        Self::with(seed, config)
    }

    fn with(seed: u64, mut config: Config) -> Self {
        config.receive_window = 50_000;
        config.send_buffer = 50_000;
        config.message_len_max_send = MESSAGE_MAX;
        config.message_len_max_receive = MESSAGE_MAX;
        config.streams_max = 100;
        config.initial_tsn = Some(u32::MAX - 3);
        Self { association: Association::new(config, Seed::for_test(seed)), tag: [0; 4] }
    }

    /// It knows the peer before a first packet.
    fn introduced(mut self, peer: PeerInit) -> Self {
        let init = self.association.init_chunk();
        assert!(PeerInit::decode(&init).is_ok(), "ours is one");
        self.association.set_peer_init(peer);
        self.association.connect();
        assert_eq!(self.association.state(), State::Established);
        self
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        let data = Bytes::from(vec![7; usize::from(script.u16()) % (MESSAGE_MAX + 2)]);
        let kind = script.byte();
        let reliability = match kind >> 1 & 3 {
            0 => Reliability::MaxRetransmits(u16::from(kind >> 3)),
            1 => Reliability::MaxLifetime(Duration::from_millis(u64::from(kind >> 3) * 10)),
            2 if kind >> 3 > 16 => Reliability::Priority(u32::from(kind >> 3)),
            _ => Reliability::Reliable,
        };
        let options = SendOptions { unordered: kind & 1 != 0, reliability };
        if let Err(SendError::Full(returned)) = self.association.send(stream, 51, data.clone(), options) {
            assert_eq!(returned, data, "a refused message is given back");
        }
    }
}

impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        self.association.handle_input(packet, now);
    }

    fn timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        out.clear();
        let wrote = self.association.poll_packet(now, LIMIT, out);
        assert!(out.len() <= LIMIT, "the limit holds");
        match out.get(4..8) {
            Some(tag) if tag != [0; 4] => self.tag.copy_from_slice(tag),
            _ => {}
        }
        wrote
    }

    fn event(&mut self) -> bool {
        match self.association.poll_event() {
            Some(Event::Message { data, .. }) => {
                assert!(!data.is_empty() && data.len() <= MESSAGE_MAX);
                true
            }
            event => event.is_some(),
        }
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.association.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        match script.byte() {
            0..=63 => self.association.connect(),
            64..=191 => self.send(script),
            192..=207 => drop(self.association.reset_stream(script.u16() % 120)),
            208..=210 => drop(self.association.request_reset(&[script.u16() % 120])),
            211 => drop(self.association.reset_association()),
            212 => drop(self.association.add_streams(script.u16() % 4, script.u16() % 4)),
            213..=215 => self.association.set_stream_priority(script.u16() % 120, script.u16()),
            216..=227 => self.association.set_mtu(usize::from(script.u16()) % (LIMIT + 1)),
            228..=239 => self.association.set_buffered_amount_low_threshold(script.u16() % 120, script.u16().into()),
            240..=243 => self.association.set_remote_max_message_size(script.u16().into()),
            244..=249 => self.association.shutdown(),
            _ => self.association.abort(),
        }
        let stats = self.association.stats();
        assert!(stats.buffered_amount <= 50_000 + MESSAGE_MAX, "the send buffer is bounded");
    }

    /// Ports, tag and checksum; an INIT is sent without a tag.
    fn repair(&self, packet: &mut Vec<u8>) {
        if packet.len() < 12 {
            packet.resize(12, 0);
        }
        packet[..4].copy_from_slice(&[0x13, 0x88, 0x13, 0x88]);
        let is_init = packet.get(12) == Some(&1);
        packet[4..8].copy_from_slice(if is_init { &[0; 4] } else { &self.tag });
        packet[8..12].fill(0);
        let checksum = crc32c::crc32c(packet);
        packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(seed: &[u8]) -> [Association; 2] {
        duel([Peer::new(1), Peer::new(2)], seed).map(|peer| peer.association)
    }

    #[test]
    fn the_seeds_get_where_they_want() {
        for seed in [
            include_bytes!("../corpus/sctp_association/messages").as_slice(),
            include_bytes!("../corpus/sctp_association/loss"),
        ] {
            let [a, z] = play(seed);
            assert_eq!([a.state(), z.state()], [State::Established; 2]);
            assert!(z.stats().messages_received >= 3, "{:?}", z.stats());
        }
        let [a, z] = play(include_bytes!("../corpus/sctp_association/shutdown"));
        assert_eq!([a.state(), z.state()], [State::Closed; 2]);
    }

    #[test]
    fn the_seeds_get_where_they_want_with_everything() {
        let play = |seed| duel([Peer::with_everything(1), Peer::with_everything(2)], seed).map(|peer| peer.association);
        for seed in [
            include_bytes!("../corpus/sctp_interleaved/messages").as_slice(),
            include_bytes!("../corpus/sctp_interleaved/loss"),
        ] {
            let [a, z] = play(seed);
            assert!(a.is_interleaving() && z.is_interleaving());
            assert!(z.stats().messages_received >= 3, "{:?}", z.stats());
        }
        let [a, z] = play(include_bytes!("../corpus/sctp_interleaved/asked"));
        assert_eq!([a.outbound_streams(), z.inbound_streams()], [92, 92], "streams were added");
    }

    #[test]
    fn forged_packets_are_repaired() {
        let [_, z] = play(include_bytes!("../corpus/sctp_association/forged1"));
        let discarded = z.stats().discarded;
        assert_eq!([discarded.checksum, discarded.verification_tag, discarded.port], [0; 3], "{discarded:?}");
    }
}
