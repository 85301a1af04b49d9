//! What a connection shows of itself to whoever debugs it: its keys, its datagrams, and what is in them.

use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::Path;
use wigwag_pcapng::{self as pcapng, Direction, Dissector, Passage};
use wigwag_sansio::{Protocol, WallClock};
use zeroize::Zeroizing;

/// What a packet costs beside its bytes, so that empty ones are not free.
const OVERHEAD: usize = 128;
/// How many key lines wait: DTLS 1.3 has five, and nobody who polls leaves any.
const KEY_LINES_MAX: usize = 16;

/// What [`poll_tap`](crate::PeerConnection::poll_tap) gives away, for debugging: nothing by default.
///
/// Nothing is copied for what is off. Whoever turns something on holds the secrets of the call in plain sight, and polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapConfig {
    /// The secrets of DTLS, as lines for a file of the format SSLKEYLOGFILE. Off by default.
    pub key_log: bool,
    /// Every datagram, and the SCTP, RTP and RTCP packets in them without encryption. Off by default.
    pub packets: bool,
    /// How many bytes of packets wait to be polled, each with 128 more than it has; what comes when there is no room is left
    /// out, and counted as `tap.no_room` in [`drops`](crate::PeerConnection::drops). 4 MiB by default.
    pub buffer: usize,
}

impl Default for TapConfig {
    fn default() -> Self {
        Self { key_log: false, packets: false, buffer: 4 << 20 }
    }
}

/// Something that a connection shows.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tapped {
    /// A secret of DTLS. It comes before the first packet that it opens.
    KeyLog(KeyLogLine),
    /// A packet that was sent or received.
    Packet(TappedPacket),
}

impl Tapped {
    /// Appends this to a capture that [`pcapng::begin`] has begun: a line of the key log as secrets, a packet as a packet. What
    /// travels over a stream (TCP, TLS) has no datagrams to write; its decrypted packets are written all the same.
    pub fn append_pcapng(&self, out: &mut Vec<u8>) {
        match self {
            Self::KeyLog(line) => pcapng::key_log(out, line.as_str()),
            Self::Packet(packet) => packet.append_pcapng(out),
        }
    }
}

/// A line for a file of the format SSLKEYLOGFILE, without its end. Wiped when dropped, and never printed by `Debug`.
pub struct KeyLogLine(Zeroizing<String>);

impl KeyLogLine {
    /// The line: a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLogLine(…)")
    }
}

/// What a tapped packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PacketKind {
    /// As it is on the wire, whatever is inside.
    Datagram,
    /// What DTLS carries: SCTP, decrypted.
    Sctp,
    /// RTP, decrypted.
    Rtp,
    /// RTCP, decrypted; several packets in one, as a rule.
    Rtcp,
}

/// A packet that was sent or received. `Debug` tells how long it is, not what is in it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TappedPacket {
    /// When, since 1970, by [`Config::clock`](crate::Config::clock).
    pub time: Duration,
    /// Which way it went.
    pub direction: Direction,
    /// What it is.
    pub kind: PacketKind,
    /// Over what it travels.
    pub protocol: Protocol,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Its bytes.
    pub payload: Bytes,
}

impl TappedPacket {
    fn append_pcapng(&self, out: &mut Vec<u8>) {
        let (from, to) = match self.direction {
            Direction::Sent => (self.local, self.remote),
            Direction::Received => (self.remote, self.local),
        };
        let passage = Passage { time: self.time, direction: Some(self.direction), from, to };
        match self.kind {
            PacketKind::Datagram => {
                if self.protocol == Protocol::Udp {
                    pcapng::datagram(out, &passage, &self.payload);
                }
            }
            PacketKind::Sctp => pcapng::plain(out, &passage, Dissector::Sctp, &self.payload),
            PacketKind::Rtp => pcapng::plain(out, &passage, Dissector::Rtp, &self.payload),
            PacketKind::Rtcp => pcapng::plain(out, &passage, Dissector::Rtcp, &self.payload),
        }
    }
}

impl fmt::Debug for TappedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, direction, kind, protocol, local, remote, payload } = self;
        f.debug_struct("TappedPacket")
            .field("time", time)
            .field("direction", direction)
            .field("kind", kind)
            .field("protocol", protocol)
            .field("local", local)
            .field("remote", remote)
            .field("len", &payload.len())
            .finish()
    }
}

/// What waits to be polled.
pub(crate) struct Tap {
    config: TapConfig,
    clock: WallClock,
    /// That of the last datagram: decrypted packets have none of their own.
    path: Option<Path>,
    keys: VecDeque<KeyLogLine>,
    packets: VecDeque<TappedPacket>,
    /// What the packets count as, in bytes.
    held: usize,
    no_room: u64,
}

impl Tap {
    /// `None` if nothing is to be shown.
    pub(crate) fn new(config: TapConfig, clock: WallClock) -> Option<Box<Self>> {
        let (keys, packets) = (VecDeque::new(), VecDeque::new());
        let tap = Self { config, clock, path: None, keys, packets, held: 0, no_room: 0 };
        (config.key_log || config.packets).then(|| Box::new(tap))
    }

    /// The decrypted packets from now on belong to this path.
    pub(crate) const fn set_path(&mut self, path: Path) {
        self.path = Some(path);
    }

    pub(crate) fn datagram(&mut self, direction: Direction, path: Path, payload: &[u8], now: Instant) {
        self.set_path(path);
        self.packet(direction, PacketKind::Datagram, payload, now);
    }

    pub(crate) fn packet(&mut self, direction: Direction, kind: PacketKind, payload: &[u8], now: Instant) {
        let Some(Path { protocol, local, remote }) = self.path.filter(|_| self.config.packets) else { return };
        if self.held + cost(payload) > self.config.buffer {
            self.no_room += 1;
            return;
        }
        self.held += cost(payload);
        let (time, payload) = (self.clock.unix_time(now), Bytes::copy_from_slice(payload));
        self.packets.push_back(TappedPacket { time, direction, kind, protocol, local, remote, payload });
    }

    pub(crate) fn key(&mut self, line: String) {
        let line = KeyLogLine(Zeroizing::new(line));
        if self.keys.len() < KEY_LINES_MAX {
            self.keys.push_back(line);
        } else {
            self.no_room += 1;
        }
    }

    /// Takes back the packets after the first `len`: they were not sent after all.
    fn truncate(&mut self, len: usize) {
        self.held -=
            self.packets.range(len.min(self.packets.len())..).map(|packet| cost(&packet.payload)).sum::<usize>();
        self.packets.truncate(len);
    }

    /// Keys first: whoever reads the packets needs them before.
    pub(crate) fn poll(&mut self) -> Option<Tapped> {
        if let Some(line) = self.keys.pop_front() {
            return Some(Tapped::KeyLog(line));
        }
        let packet = self.packets.pop_front()?;
        self.held -= cost(&packet.payload);
        Some(Tapped::Packet(packet))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.packets.is_empty()
    }

    pub(crate) const fn no_room(&self) -> u64 {
        self.no_room
    }
}

/// How many packets wait.
pub(crate) fn len(tap: &Option<Box<Tap>>) -> usize {
    tap.as_ref().map_or(0, |tap| tap.packets.len())
}

/// Shows what arrived.
pub(crate) fn received(tap: &mut Option<Box<Tap>>, kind: PacketKind, packet: &[u8], now: Instant) {
    if let Some(tap) = tap {
        tap.packet(Direction::Received, kind, packet, now);
    }
}

/// Shows what `write` appends.
pub(crate) fn sent(
    tap: &mut Option<Box<Tap>>,
    kind: PacketKind,
    now: Instant,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> bool,
) -> bool {
    let start = out.len();
    let has_written = write(out);
    if has_written && let (Some(tap), Some(packet)) = (tap, out.get(start..)) {
        tap.packet(Direction::Sent, kind, packet, now);
    }
    has_written
}

/// Of what was written after the first `len` nothing was sent, unless it was sealed.
pub(crate) fn keep(tap: &mut Option<Box<Tap>>, is_sealed: bool, len: usize) -> bool {
    if let (Some(tap), false) = (tap, is_sealed) {
        tap.truncate(len);
    }
    is_sealed
}

const fn cost(payload: &[u8]) -> usize {
    payload.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(buffer: usize) -> Box<Tap> {
        let config = TapConfig { key_log: true, packets: true, buffer };
        let mut tap = Tap::new(config, WallClock::new(wigwag_sim::origin(), Duration::ZERO)).unwrap();
        let (local, remote) = (([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into());
        tap.set_path(Path { protocol: Protocol::Udp, local, remote });
        tap
    }

    fn push(tap: &mut Tap, payload: &[u8]) {
        tap.packet(Direction::Sent, PacketKind::Sctp, payload, wigwag_sim::origin());
    }

    #[test]
    fn nothing_is_held_by_who_asks_for_nothing() {
        assert!(Tap::new(TapConfig::default(), WallClock::new(wigwag_sim::origin(), Duration::ZERO)).is_none());
    }

    #[test]
    fn what_has_no_room_is_left_out_and_counted_and_room_comes_back() {
        let mut tap = tap(2 * (OVERHEAD + 10));
        for _ in 0..1000 {
            push(&mut tap, &[7; 10]);
            tap.key("a secret".to_owned());
        }
        assert_eq!((tap.packets.len(), tap.keys.len()), (2, KEY_LINES_MAX));
        assert_eq!(tap.no_room() as usize, 998 + 1000 - KEY_LINES_MAX);
        while tap.poll().is_some() {}
        assert!(tap.is_empty() && tap.held == 0);
        push(&mut tap, &[7; 10]);
        assert_eq!(tap.packets.len(), 1);
    }

    #[test]
    fn what_was_not_sent_is_taken_back() {
        let mut tap = tap(10_000);
        push(&mut tap, b"first");
        let before = tap.packets.len();
        push(&mut tap, b"second");
        tap.truncate(before);
        tap.truncate(5);
        assert_eq!((tap.packets.len(), tap.held), (1, OVERHEAD + 5));
    }

    #[test]
    fn keys_come_first_and_are_never_printed() {
        let mut tap = tap(10_000);
        push(&mut tap, b"a packet");
        tap.key("a secret".to_owned());
        let all: Vec<_> = std::iter::from_fn(|| tap.poll()).collect();
        assert!(
            matches!(&all[..], [Tapped::KeyLog(line), Tapped::Packet(_)] if line.as_str() == "a secret"),
            "{all:?}"
        );
        let text = format!("{all:?} {:?}", Bytes::from_static(b"a packet"));
        assert!(!text.contains("secret") && text.matches("a packet").count() == 1, "{text}");
    }
}
