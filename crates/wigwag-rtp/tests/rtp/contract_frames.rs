//! The nine laws, of the machines that turn packets into frames.

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_rtp::payload::{Format, Frame, FrameEvent, FrameReceiver, Packetizer};
use wigwag_rtp::{JitterBuffer, JitterConfig, Load, OrderedPacket, RtpPacket};
use wigwag_sansio::{Datagram, Rng, Seed, Transmit};
use wigwag_sim::contract::{self, Law, Network, Subject};
use wigwag_sim::{Node, Wire};

/// So many packets wait to be sent; then the user is refused.
const QUEUE_MAX: usize = 200;
const PAYLOAD_LEN_MAX: usize = 300;

/// The machine that is tested: packets go in, and what comes out is kept in words.
trait Machine {
    fn new(config: JitterConfig) -> Self;
    fn insert(&mut self, packet: OrderedPacket, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_event(&mut self) -> Option<String>;
    fn poll_timeout(&self, now: Instant) -> Option<Instant>;
    fn load(&self) -> Load;
}

/// One that is patient keeps packets until none can come too late, however they overtake each other; one that is not
/// tells them as soon as it may.
fn config(is_patient: bool) -> JitterConfig {
    let mut config = JitterConfig::video(90_000);
    (config.packets_max, config.bytes_max) = (200, 60_000);
    if is_patient {
        (config.delay_min, config.delay_max) = (Duration::from_secs(10), Duration::from_secs(10));
    }
    config
}

impl Machine for JitterBuffer {
    fn new(config: JitterConfig) -> Self {
        Self::new(config)
    }
    fn insert(&mut self, packet: OrderedPacket, now: Instant) {
        self.insert(packet, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }
    fn poll_event(&mut self) -> Option<String> {
        self.poll_event().map(|ordered| format!("{}:{}", ordered.extended_sequence, ordered.packet.payload.len()))
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.poll_timeout(now)
    }
    fn load(&self) -> Load {
        self.load()
    }
}

impl Machine for FrameReceiver {
    fn new(config: JitterConfig) -> Self {
        Self::new(Format::Vp8, config)
    }
    fn insert(&mut self, packet: OrderedPacket, now: Instant) {
        self.insert(packet, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }
    fn poll_event(&mut self) -> Option<String> {
        self.poll_event().map(|event| match event {
            FrameEvent::Frame(frame) => format!("{}:{}", frame.rtp_time, frame.data.len()),
            event => format!("{event:?}"),
        })
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.poll_timeout(now)
    }
    fn load(&self) -> Load {
        self.load()
    }
}

/// Sends pictures in packets, and receives those of the other.
struct Peer<M, const IS_PATIENT: bool> {
    wire: Wire,
    packetizer: Packetizer,
    queue: VecDeque<OrderedPacket>,
    next_sequence: u64,
    machine: M,
    told: Vec<String>,
}

/// What the machine is told of a packet, in bytes.
fn written(ordered: &OrderedPacket) -> Vec<u8> {
    let OrderedPacket { extended_sequence, packet } = ordered;
    let head = [&extended_sequence.to_be_bytes()[..], &packet.timestamp.to_be_bytes(), &[u8::from(packet.marker)]];
    [&head.concat()[..], &packet.payload].concat()
}

/// As [`written`]; of damaged bytes, whatever they say.
fn read(bytes: &[u8]) -> Option<OrderedPacket> {
    let (sequence, rest) = bytes.split_first_chunk::<8>()?;
    let (timestamp, rest) = rest.split_first_chunk::<4>()?;
    let (marker, payload) = rest.split_first()?;
    let mut packet = RtpPacket::new(96, u32::from_be_bytes(*timestamp), Bytes::copy_from_slice(payload));
    packet.marker = *marker != 0;
    Some(OrderedPacket { extended_sequence: u64::from_be_bytes(*sequence), packet })
}

impl<M: Machine, const IS_PATIENT: bool> Node for Peer<M, IS_PATIENT> {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match read(datagram.payload) {
            Some(ordered) => self.machine.insert(ordered, now),
            None => self.machine.handle_timeout(now),
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }
    fn poll_transmit(&mut self, _now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let queue = &mut self.queue;
        self.wire.transmit(out, |limit, out| {
            let Some(bytes) = queue.front().map(written).filter(|bytes| bytes.len() <= limit) else { return false };
            queue.pop_front();
            out.extend_from_slice(&bytes);
            true
        })
    }
    fn poll_event(&mut self) -> bool {
        let event = self.machine.poll_event();
        let has_told = event.is_some();
        self.told.extend(event);
        has_told
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.queue.is_empty() { self.machine.poll_timeout(now) } else { Some(now) }
    }
}

impl<M: Machine, const IS_PATIENT: bool> Subject for Peer<M, IS_PATIENT> {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (
            Law::InputsCannotFail,
            "what comes in was authenticated and numbered by a session; the fuzz target rtp_frames and tests/rtp/payload.rs hand in what is hostile",
        ),
        (Law::CostFollowsWork, "it is one stream: many of them are a connection's, whose contract has them"),
    ];
    const COMMANDS: usize = 30;
    const NETWORK: Network = if IS_PATIENT { Network::Reordering } else { Network::Ordered };

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        let mut rng = Rng::new(Seed::for_test(seed));
        Wire::pair().map(|wire| Self {
            wire,
            packetizer: Packetizer::new(Format::Vp8, rng.u16()),
            queue: VecDeque::new(),
            next_sequence: rng.u64() >> 40,
            machine: M::new(config(IS_PATIENT)),
            told: Vec::new(),
        })
    }

    fn command(&mut self, n: usize) -> bool {
        let mut data = vec![n as u8; 1 + n * 131 % 1_000];
        data[0] = u8::from(n > 0);
        let frame = Frame::new(96, n as u32 * 3_000, data.into());
        let payloads = self.packetizer.payloads(&frame.data, PAYLOAD_LEN_MAX).expect("it is not empty");
        if self.queue.len() + payloads.len() > QUEUE_MAX {
            return false;
        }
        for packet in self.packetizer.packets(&frame, payloads) {
            self.queue.push_back(OrderedPacket { extended_sequence: self.next_sequence, packet });
            self.next_sequence += 1;
        }
        true
    }

    fn outcome(&self) -> String {
        format!("{:?}", self.told)
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        Some(&mut self.wire)
    }

    /// Too short to be a packet: any other bytes would be one.
    fn hostile(rng: &mut Rng) -> Vec<u8> {
        vec![7; rng.below(13) as usize]
    }

    fn load(&self) -> Option<contract::Load> {
        let Load { held, bound, .. } = self.machine.load();
        Some(contract::Load { held, bound })
    }
}

#[test]
fn a_jitter_buffer_keeps_the_laws() {
    contract::check::<Peer<JitterBuffer, true>>();
    contract::check::<Peer<JitterBuffer, false>>();
}

#[test]
fn a_frame_receiver_keeps_the_laws() {
    contract::check::<Peer<FrameReceiver, true>>();
    contract::check::<Peer<FrameReceiver, false>>();
}

const _: () = contract::is_send_and_sync::<JitterBuffer>();
const _: () = contract::is_send_and_sync::<FrameReceiver>();
