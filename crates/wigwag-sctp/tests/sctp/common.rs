//! Associations on the hosts of a simulated world, and the names of what they send.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sctp::{Association, Config, Event, Reliability, SendOptions};
use wigwag_sim::{Node, Wire, World};

pub(crate) const ORDERED: SendOptions = SendOptions { unordered: false, reliability: Reliability::Reliable };
pub(crate) const UNORDERED: SendOptions = SendOptions { unordered: true, reliability: Reliability::Reliable };

/// An association, what it has told, and whether anybody listens.
pub(crate) struct Peer {
    pub(crate) association: Association,
    pub(crate) wire: Wire,
    pub(crate) events: Vec<Event>,
    pub(crate) is_reading: bool,
    out_max: usize,
}

impl Peer {
    pub(crate) fn new(config: Config, seed: u64, wire: Wire) -> Self {
        let association = Association::new(config, Seed::for_test(seed));
        Self { association, wire, events: Vec::new(), is_reading: true, out_max: 0 }
    }

    pub(crate) fn send(&mut self, stream: u16, data: &[u8]) {
        self.association.send(stream, 51, Bytes::copy_from_slice(data), ORDERED).unwrap();
    }

    /// What has arrived: streams and messages.
    pub(crate) fn received(&self) -> Vec<(u16, Vec<u8>)> {
        let message = |event: &Event| match event {
            Event::Message { stream, data, .. } => Some((*stream, data.to_vec())),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }

    /// Everything but messages and what is told of buffers.
    pub(crate) fn notices(&self) -> Vec<Event> {
        let is_plain =
            |event: &&Event| matches!(event, Event::Message { .. } | Event::BufferedAmountLow { .. } | Event::Writable);
        self.events.iter().filter(|event| !is_plain(event)).cloned().collect()
    }
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.association.handle_input(datagram.payload, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let Self { association, wire, out_max, .. } = self;
        let transmit = wire.transmit(out, |limit, out| association.poll_packet(now, limit, out))?;
        *out_max = (*out_max).max(transmit.segment_size);
        Some(transmit)
    }

    fn poll_event(&mut self) -> bool {
        let event = if self.is_reading { self.association.poll_event() } else { None };
        event.map(|event| self.events.push(event)).is_some()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_reading {
            return self.association.poll_timeout(now);
        }
        // Nobody fetches the events that are owed, so the loop only looks again some time later.
        self.association.poll_timeout(now).map(|at| if at <= now { now + Duration::from_millis(10) } else { at })
    }
}

/// A and Z, of whom neither has begun.
pub(crate) fn world(seed: u64, a: Config, z: Config) -> World<Peer> {
    let [wire_a, wire_z] = Wire::pair();
    World::pair(seed, [Peer::new(a, 2 * seed, wire_a), Peer::new(z, 2 * seed + 1, wire_z)])
}

/// A and Z, of whom A has connected to Z.
pub(crate) fn connected(seed: u64) -> World<Peer> {
    connected_with(seed, Config::default(), Config::default())
}

pub(crate) fn connected_with(seed: u64, a: Config, z: Config) -> World<Peer> {
    let mut world = world(seed, a, z);
    world[wigwag_sim::A].association.connect();
    world.run();
    assert_eq!(world[wigwag_sim::A].events, [Event::Connected]);
    assert_eq!(world[wigwag_sim::Z].events, [Event::Connected]);
    for host in [wigwag_sim::A, wigwag_sim::Z] {
        world[host].events.clear();
    }
    world
}

pub(crate) fn config(configure: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    configure(&mut config);
    config
}

/// Whether a packet has a chunk of this type.
pub(crate) fn has_chunk(packet: &[u8], kind: u8) -> bool {
    chunks(packet).iter().any(|chunk| chunk[0] == kind)
}

pub(crate) fn chunks(packet: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = &packet[12..];
    while rest.len() >= 4 {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        chunks.push(&rest[..len]);
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    chunks
}

/// The chunks of a packet in words; TSNs are told relative to `base`.
pub(crate) fn dissector(base: u32) -> impl Fn(&[u8]) -> String {
    move |packet| chunks(packet).iter().map(|chunk| describe(chunk, base)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn dissect(packet: &[u8]) -> String {
    dissector(0)(packet)
}

fn describe(chunk: &[u8], base: u32) -> String {
    let u16_at = |at: usize| u16::from_be_bytes([chunk[at], chunk[at + 1]]);
    let tsn_at = |at: usize| u32::from_be_bytes([chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]]);
    let tsn = |at| tsn_at(at).wrapping_sub(base);
    match chunk[0] {
        0 => {
            let flags: String = [(8, 'I'), (4, 'U'), (2, 'B'), (1, 'E')]
                .iter()
                .filter(|(bit, _)| chunk[1] & bit != 0)
                .map(|(_, f)| *f)
                .collect();
            format!("DATA {} {flags} {}:{} ({})", tsn(4), u16_at(8), u16_at(10), chunk.len() - 16)
        }
        1 => "INIT".into(),
        2 => "INIT ACK".into(),
        3 => {
            let gaps: String = (0..usize::from(u16_at(12)))
                .map(|gap| format!(" +{}..{}", u16_at(16 + 4 * gap), u16_at(18 + 4 * gap)))
                .collect();
            let duplicates = u16_at(14);
            let duplicates = if duplicates > 0 { format!(" dup {duplicates}") } else { String::new() };
            format!("SACK {}{gaps}{duplicates}", tsn(4) as i32)
        }
        4 => "HEARTBEAT".into(),
        5 => "HEARTBEAT ACK".into(),
        6 if chunk.len() > 4 => format!("ABORT cause {}", u16_at(4)),
        6 => "ABORT".into(),
        7 => format!("SHUTDOWN {}", tsn(4) as i32),
        8 => "SHUTDOWN ACK".into(),
        9 => format!("ERROR cause {}", u16_at(4)),
        10 => "COOKIE ECHO".into(),
        11 => "COOKIE ACK".into(),
        14 => "SHUTDOWN COMPLETE".into(),
        64 => {
            let flags: String = [(8, 'I'), (4, 'U'), (2, 'B'), (1, 'E')]
                .iter()
                .filter(|(bit, _)| chunk[1] & bit != 0)
                .map(|(_, f)| *f)
                .collect();
            format!("I-DATA {} {flags} {}:{} ({})", tsn(4), u16_at(8), tsn_at(12), chunk.len() - 20)
        }
        130 if u16_at(4) == 13 => {
            let streams: Vec<_> = (20..4 + usize::from(u16_at(6))).step_by(2).map(u16_at).collect();
            format!("RE-CONFIG reset {streams:?}")
        }
        130 => format!("RE-CONFIG result {}", tsn_at(12)),
        192 => {
            let skips: String =
                (8..chunk.len()).step_by(4).map(|at| format!(" {}:{}", u16_at(at), u16_at(at + 2))).collect();
            format!("FORWARD TSN {}{skips}", tsn(4) as i32)
        }
        194 => {
            let skip = |at: usize| {
                format!(" {}:{}{}", u16_at(at), tsn_at(at + 4), if u16_at(at + 2) & 1 == 0 { "" } else { "U" })
            };
            let skips: String = (8..chunk.len()).step_by(8).map(skip).collect();
            format!("I-FORWARD TSN {}{skips}", tsn(4) as i32)
        }
        kind => format!("chunk {kind}"),
    }
}

/// The ladder with TSNs told relative to the first, which `Config` has set to 1000 on both sides.
pub(crate) fn ladder(world: &World<Peer>) -> String {
    world.ladder(dissector(1000))
}

pub(crate) fn plain() -> Config {
    config(|config| config.initial_tsn = Some(1000))
}
