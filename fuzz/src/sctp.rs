//! SCTP associations.

use crate::duel::{Player, duel};
use crate::script::Script;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{
    Association, Config, CongestionControl, Event, PeerInit, Reliability, ResumeError, Scheduler, SendError,
    SendOptions, State,
};

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

/// Any bytes as two associations that were exported elsewhere, some bytes of one overwritten, and then any packets. The first byte says
/// of which configuration.
pub fn sctp_migration(data: &[u8]) {
    _ = resumed_and_played(data);
}

/// Whether associations came of them.
fn resumed_and_played(data: &[u8]) -> bool {
    let script = &mut Script::new(data);
    let config = migration_config(script.byte());
    let mut states = [(); 2].map(|()| {
        let len = script.u16().into();
        script.take(len).to_vec()
    });
    for _ in 0..script.byte() % 8 {
        let (at, byte) = (script.u16().into(), script.byte());
        if let Some(place) = states[0].get_mut::<usize>(at) {
            *place = byte;
        }
    }
    let resume = |state: Vec<u8>| Peer::resume(config.clone(), &state);
    let [Some(a), Some(z)] = states.map(resume) else { return false };
    _ = duel([a, z], script.rest());
    true
}

/// Of the associations in the corpus, with the controller of RFC 9260; they may go on with another one.
pub fn migration_config(kind: u8) -> Config {
    let with_everything = kind & 1 != 0;
    let mut config = if with_everything { small(everything(1)) } else { small(Config::default()) };
    config.congestion_control =
        [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr][usize::from(kind >> 1) % 3];
    // A state is short, and has messages in pieces nevertheless.
    config.mtu = 512;
    config.partial_delivery_from = with_everything.then_some(300);
    config
}

/// I-DATA, no checksums, a scheduler, and a peer that may ask for anything.
fn everything(seed: u64) -> Config {
    let mut config = Config::default();
    (config.interleaving, config.zero_checksum) = (true, true);
    config.scheduler = if seed == 1 { Scheduler::WeightedFair } else { Scheduler::Priority };
    config.takes_stream_reset_requests = true;
    config.takes_association_resets = true;
    config.takes_stream_additions = true;
    config.outbound_streams_max = Some(90);
    config
}

fn small(mut config: Config) -> Config {
    config.receive_window = 50_000;
    (config.send_buffer, config.send_buffer_max) = (SEND_BUFFER, 0);
    config.message_len_max_send = MESSAGE_MAX;
    config.message_len_max_receive = MESSAGE_MAX;
    config.streams_max = 100;
    config.initial_tsn = Some(u32::MAX - 3);
    config
}

/// The same between two that the script tunes: who controls congestion, how long packets may be, whose turn it is, in what parts
/// messages are handed out.
pub fn sctp_tuned(data: &[u8]) {
    _ = play_tuned(data);
}

fn play_tuned(data: &[u8]) -> [Peer; 2] {
    let script = &mut Script::new(data);
    let players = [1, 2].map(|seed| Peer::tuned(seed, script));
    duel(players, script.rest())
}

struct Peer {
    association: Association,
    config: Config,
    /// When it was told the time last.
    now: Instant,
    /// Streams with messages that are given in parts, and how much has come of those that are handed out in parts.
    open: BTreeSet<u16>,
    receiving: BTreeMap<u16, usize>,
    /// The verification tag that its packets carry.
    tag: [u8; 4],
    limit: usize,
    /// It was made of any bytes, and may have more than it would have taken.
    is_anybody: bool,
}

/// Small limits are reached.
const MESSAGE_MAX: usize = 10_000;
const SEND_BUFFER: usize = 50_000;
/// What the layer below takes, which is never less than the MTU.
const LIMIT: usize = 1200;

impl Peer {
    fn new(seed: u64) -> Self {
        Self::with(seed, small(Config::default()))
    }

    fn with_everything(seed: u64) -> Self {
        Self::with(seed, small(everything(seed)))
    }

    fn tuned(seed: u64, script: &mut Script<'_>) -> Self {
        let mut config = Config::default();
        let [controls, lens, others] = [script.byte(), script.byte(), script.byte()];
        config.congestion_control =
            [CongestionControl::Cubic, CongestionControl::Bbr, CongestionControl::Rfc9260][usize::from(controls % 3)];
        config.scheduler =
            [Scheduler::RoundRobin, Scheduler::FirstComeFirstServed, Scheduler::WeightedFair, Scheduler::Priority]
                [usize::from(controls / 3 % 4)];
        config.mtu = 512 + usize::from(lens & 0x1f) * 16;
        config.mtu_max = (usize::from(lens >> 5) * 200).min(LIMIT);
        (config.interleaving, config.zero_checksum) = (others & 1 != 0, others & 2 != 0);
        config.partial_delivery_from = (others & 4 != 0).then_some(usize::from(others >> 3) * 100);
        Self::with(seed, small(config))
    }

    fn with(seed: u64, config: Config) -> Self {
        let association = Association::new(config.clone(), Seed::for_test(seed));
        Self {
            association,
            config,
            now: wigwag_sim::origin(),
            open: BTreeSet::new(),
            receiving: BTreeMap::new(),
            tag: [0; 4],
            limit: LIMIT,
            is_anybody: false,
        }
    }

    /// What anybody says is an association.
    fn resume(config: Config, state: &[u8]) -> Option<Self> {
        let association = Association::resume(config.clone(), Seed::for_test(3), state, wigwag_sim::origin()).ok()?;
        Some(Self { association, limit: usize::from(u16::MAX), is_anybody: true, ..Self::with(1, config) })
    }

    /// Goes on as if it had moved, unless it has ended.
    fn migrate(&mut self) {
        let placeholder = Association::new(Config::default(), Seed::for_test(0));
        let association = std::mem::replace(&mut self.association, placeholder);
        let Ok(state) = association.export(self.now) else {
            self.open.clear();
            self.receiving.clear();
            return self.association.abort();
        };
        let (mut config, mtu) = (self.config.clone(), self.config.mtu);
        let resume =
            |bytes: &[u8], config: &Config| Association::resume(config.clone(), Seed::for_test(4), bytes, self.now);
        if let Err(ResumeError::Mtu { needed, .. }) = resume(state.as_bytes(), &config) {
            // It was told of a shorter MTU while longer packets were in flight: it is told again.
            config.mtu = needed;
        }
        let again = resume(state.as_bytes(), &config).expect("its own").export(self.now).expect("it goes on");
        let is_same = config.mtu == mtu && !self.is_anybody;
        assert!(state.as_bytes() == again.as_bytes() || !is_same, "exported again, it is the same");
        self.association = resume(again.as_bytes(), &config).expect("its own");
        if config.mtu != mtu {
            self.association.set_mtu(mtu);
        }
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

    fn set_mtu(&mut self, mtu: usize) {
        self.association.set_mtu(mtu);
        self.config.mtu = mtu;
    }

    fn options(script: &mut Script<'_>) -> SendOptions {
        let kind = script.byte();
        let reliability = match kind >> 1 & 3 {
            0 => Reliability::MaxRetransmits(u16::from(kind >> 3)),
            1 => Reliability::MaxLifetime(Duration::from_millis(u64::from(kind >> 3) * 10)),
            2 if kind >> 3 > 16 => Reliability::Priority(u32::from(kind >> 3)),
            _ => Reliability::Reliable,
        };
        SendOptions { unordered: kind & 1 != 0, reliability }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        let data = Bytes::from(vec![7; usize::from(script.u16()) % (MESSAGE_MAX + 2)]);
        let options = Self::options(script);
        if let Err(SendError::Full(returned)) = self.association.send(stream, 51, data.clone(), options) {
            assert_eq!(returned, data, "a refused message is given back");
        }
    }

    fn begin(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        // Whoever begins another message is not told any more that the one before was given up.
        if self.association.begin_message(stream, 53, Self::options(script)).is_ok() {
            self.open.insert(stream);
        }
    }

    fn append(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        let part = Bytes::from(vec![7; usize::from(script.u16()) % (MESSAGE_MAX + 2)]);
        let is_open = self.open.contains(&stream);
        match self.association.append_part(stream, part.clone()) {
            Err(SendError::Full(returned)) => assert!(returned == part && is_open, "a refused part is given back"),
            Err(SendError::NoMessageOpen(returned)) => assert!(returned == part && !is_open),
            Err(SendError::Abandoned) => assert!(self.open.remove(&stream), "told once"),
            Ok(()) | Err(SendError::TooLarge { .. }) => assert!(is_open),
            Err(error) => assert_eq!(error, SendError::Closed),
        }
    }

    fn finish(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        match self.association.finish_message(stream) {
            Ok(()) | Err(SendError::Empty | SendError::Abandoned) => assert!(self.open.remove(&stream)),
            Err(SendError::NoMessageOpen(_)) => assert!(!self.open.contains(&stream)),
            Err(error) => assert_eq!(error, SendError::Closed),
        }
    }

    fn abandon(&mut self, script: &mut Script<'_>) {
        let stream = script.u16() % 120;
        if self.association.abandon_message(stream).is_ok() {
            assert!(self.open.remove(&stream));
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            _ if self.is_anybody => {}
            Event::Message { data, .. } => assert!(!data.is_empty() && data.len() <= MESSAGE_MAX),
            Event::MessagePart { stream, data, is_first, is_last, .. } => {
                assert_eq!(*is_first, !self.receiving.contains_key(stream), "one of a stream at a time");
                let len = self.receiving.entry(*stream).or_default();
                *len += data.len();
                assert!(!data.is_empty() && *len <= MESSAGE_MAX);
                if *is_last {
                    self.receiving.remove(stream);
                }
            }
            Event::MessageIncomplete { stream } => assert!(self.receiving.remove(stream).is_some(), "told once"),
            Event::Closed(_) => assert!(self.receiving.is_empty(), "what never ends is told before"),
            _ => {}
        }
    }
}

impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        self.now = now;
        self.association.handle_input(packet, now);
    }

    fn timeout(&mut self, now: Instant) {
        self.now = now;
        self.association.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        out.clear();
        self.now = now;
        let wrote = self.association.poll_packet(now, self.limit, out);
        assert!(out.len() <= self.limit, "the limit holds");
        match out.get(4..8) {
            Some(tag) if tag != [0; 4] => self.tag.copy_from_slice(tag),
            _ => {}
        }
        wrote
    }

    fn event(&mut self) -> bool {
        let event = self.association.poll_event();
        event.iter().for_each(|event| self.note(event));
        event.is_some()
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.association.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        match script.byte() {
            0..=63 => self.association.connect(),
            64..=127 => self.send(script),
            128..=143 => self.begin(script),
            144..=167 => self.append(script),
            168..=183 => self.finish(script),
            184..=191 => self.abandon(script),
            192..=207 => drop(self.association.reset_stream(script.u16() % 120)),
            208..=210 => drop(self.association.request_reset(&[script.u16() % 120])),
            211 => drop(self.association.reset_association()),
            212 => drop(self.association.add_streams(script.u16() % 4, script.u16() % 4)),
            213..=215 => self.association.set_stream_priority(script.u16() % 120, script.u16()),
            216..=223 => self.set_mtu(usize::from(script.u16()) % (LIMIT + 1)),
            224..=227 => self.migrate(),
            228..=239 => self.association.set_buffered_amount_low_threshold(script.u16() % 120, script.u16().into()),
            240..=243 => self.association.set_remote_max_message_size(script.u16().into()),
            244..=249 => self.association.shutdown(),
            _ => self.association.abort(),
        }
        let stats = self.association.stats();
        // One more message than it holds, or a part of each that would come to a halt without it.
        let more = (1 + self.open.len()) * MESSAGE_MAX;
        assert!(self.is_anybody || stats.buffered_amount <= SEND_BUFFER + more, "the send buffer is bounded");
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

    /// Of states of which some bytes are others, many are refused, and the rest are associations.
    #[test]
    fn exported_associations_with_other_bytes_keep_the_laws() {
        let (mut all, mut resumed) = (0, 0);
        for seed in wigwag_sim::seeds(500) {
            let mut rng = wigwag_sansio::Rng::new(Seed::for_test(seed));
            let corpus = [
                include_bytes!("../corpus/sctp_migration/begun").as_slice(),
                include_bytes!("../corpus/sctp_migration/data"),
                include_bytes!("../corpus/sctp_migration/pieces"),
                include_bytes!("../corpus/sctp_migration/end"),
            ];
            let data = corpus[rng.below(4) as usize];
            let len = |at: usize| usize::from(u16::from_be_bytes([data[at], data[at + 1]]));
            let (first, end) = (len(1), 5 + len(1) + len(3 + len(1)));
            let patches = 1 + rng.below(3);
            let mut patched = data[..end].to_vec();
            patched[0] |= (rng.below(3) as u8) << 1;
            patched.push(patches as u8);
            for _ in 0..patches {
                let at = rng.below(first as u64) as u16;
                let old = data[3 + usize::from(at)];
                let new =
                    [0, 1, 2, 3, 0x3f, 0x7f, 0xff, old ^ 1 << rng.below(8), old.wrapping_add(1), old.wrapping_sub(1)];
                patched.extend(at.to_be_bytes());
                patched.push(new[rng.below(10) as usize]);
            }
            patched.extend(&data[end + 1..]);
            let result = std::panic::catch_unwind(|| resumed_and_played(&patched));
            assert!(result.is_ok(), "WIGWAG_SEED={seed}: {:02x?}", &patched[end..]);
            (all, resumed) = (all + 1, resumed + usize::from(result.is_ok_and(|resumed| resumed)));
        }
        assert!(all == 1 || resumed > all / 10 && resumed < all, "{resumed} of {all}");
    }

    #[test]
    fn the_seeds_of_parts_get_where_they_want() {
        let parts = include_bytes!("../corpus/sctp_association/parts");
        let [a, z] = play(parts);
        assert_eq!([z.stats().messages_received, a.stats().messages_abandoned], [2, 2], "{:?}", z.stats());
    }

    /// Each controller has been asked, a longer packet was found, and messages came in parts.
    #[test]
    fn the_seeds_get_where_they_want_when_they_tune() {
        for seed in [
            include_bytes!("../corpus/sctp_tuned/cubic").as_slice(),
            include_bytes!("../corpus/sctp_tuned/model"),
            include_bytes!("../corpus/sctp_tuned/rfc9260"),
        ] {
            let [a, z] = play_tuned(seed).map(|peer| peer.association);
            assert!(z.stats().messages_received >= 3, "{:?}", z.stats());
            assert!(a.stats().mtu >= 1000, "{:?}", a.stats());
            assert!(a.stats().retransmitted > 0, "{:?}", a.stats());
            assert_ne!(a.stats().congestion_window, 10 * (512 - 12), "{:?}", a.stats());
        }
    }

    #[test]
    fn forged_packets_are_repaired() {
        let [_, z] = play(include_bytes!("../corpus/sctp_association/forged1"));
        let discarded = z.stats().discarded;
        assert_eq!([discarded.checksum, discarded.verification_tag, discarded.port], [0; 3], "{discarded:?}");
    }
}
