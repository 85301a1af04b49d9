//! A session, the program that uses it, and its books.

use super::book::{Received, Sent, frame, index_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::{Format, Frame, FrameEvent, FrameReceiver, Packetizer};
use wigwag_rtp::{
    Config, Event, Extensions, JitterConfig, Kind, OrderedPacket, PayloadType, ReceiverConfig, ReceiverId, RtpPacket,
    SendError, SenderConfig, SenderId, Session,
};
use wigwag_sansio::{Datagram, Ecn, Rng, Transmit, earliest};
use wigwag_sim::swarm::Draw;
use wigwag_sim::{Node, Wire};

/// So long that all that can come is waited for.
const GAP_WAIT: Duration = Duration::from_secs(5);
const OPUS: PayloadType = PayloadType { number: 111, clock_rate_hz: 48_000 };
const VP8: PayloadType = PayloadType { number: 96, clock_rate_hz: 90_000 };

const fn payload_type(format: Format) -> PayloadType {
    match format {
        Format::Opus => OPUS,
        _ => VP8,
    }
}

fn kind(format: Format) -> Kind {
    if format == Format::Opus { Kind::Audio } else { Kind::Video }
}

/// A stream of ours.
struct Outgoing {
    id: SenderId,
    mid: String,
    packetizer: Packetizer,
    timestamp: u32,
    began: Option<Instant>,
    wants_key: bool,
    sent: Sent,
}

/// A stream of the peer's.
pub(super) struct Incoming {
    pub(super) book: Received,
    frames: FrameReceiver,
}

pub(super) struct Party {
    pub(super) session: Session,
    wire: Wire,
    pub(super) is_reading: bool,
    /// A program that is stopped finds later what has arrived meanwhile.
    pub(super) is_stopped: bool,
    socket: Vec<Vec<u8>>,
    began: Option<Instant>,
    now: Option<Instant>,
    outgoing: Vec<Outgoing>,
    pub(super) incoming: BTreeMap<u32, Incoming>,
    receivers: BTreeMap<ReceiverId, (String, Format)>,
    /// What SRTP would take for replayed: by source, which arrived.
    arrived: BTreeMap<u32, BTreeSet<i64>>,
    mtu: usize,
    /// From one packet to the next, of what leaves at a pace.
    pace: Duration,
    departure: Option<Instant>,
    pub(super) is_reduced: bool,
    /// When sender reports left, by the middle of their time.
    pub(super) reports_sent: BTreeMap<u32, Instant>,
    reported: BTreeMap<u64, bool>,
    pub(super) notes: Vec<&'static str>,
}

fn extensions() -> Extensions {
    let mut extensions = Extensions::NONE;
    (extensions.mid, extensions.transport_cc, extensions.abs_send_time) = (Some(1), Some(2), Some(3));
    extensions
}

impl Party {
    pub(super) fn new(draw: &mut Draw, n: u64, wire: Wire) -> Self {
        let mut config = Config::new(["a", "z"][n as usize]);
        let is_reduced = draw.chance("reduced size", 50);
        config.is_reduced_size = is_reduced;
        config.resend_cache_packets = draw.pick("cache", &[512, 1000, 1024]);
        config.packet_len_max = draw.number("packet", 300..=1180) as usize;
        config.send_queue_packets_max = draw.pick("queue", &[1024, 80]);
        let mtu = config.packet_len_max;
        let seed = draw.seed().wrapping_mul(2).wrapping_add(n);
        let mut party = Self {
            session: Session::new(config, wigwag_sansio::Seed::for_test(seed)),
            wire,
            is_reading: true,
            is_stopped: false,
            socket: Vec::new(),
            began: None,
            now: None,
            outgoing: Vec::new(),
            incoming: BTreeMap::new(),
            receivers: BTreeMap::new(),
            arrived: BTreeMap::new(),
            mtu,
            pace: Duration::from_micros(draw.pick("pace", &[0, 0, 500, 3000])),
            departure: None,
            is_reduced,
            reports_sent: BTreeMap::new(),
            reported: BTreeMap::new(),
            notes: Vec::new(),
        };
        party.session.set_paced(!party.pace.is_zero());
        let before = draw.number("numbers before they wrap", 1..=400) as u16;
        for (mid, format) in [("s", Format::Opus), ("p", Format::Vp8), ("q", Format::Vp8)] {
            party.begin(mid, format, u16::MAX - before);
        }
        party
    }

    fn begin(&mut self, mid: &str, format: Format, first: u16) {
        let ssrc = self.session.unused_ssrc();
        let mut config = SenderConfig::new(ssrc, kind(format), vec![payload_type(format)]);
        (config.mid, config.extensions, config.nack) = (Some(mid.into()), extensions(), true);
        let id = self.session.add_sender(config).expect("added");
        // A stream begins with padding, as some that probe do.
        let timestamp = u32::MAX - 50_000;
        let mut packet = RtpPacket::new(payload_type(format).number, timestamp, bytes::Bytes::new());
        packet.sequence = Some(first);
        self.session.send(id, packet).expect("room");
        self.outgoing.push(Outgoing {
            id,
            mid: mid.into(),
            packetizer: Packetizer::new(format, 0x7ff0),
            timestamp,
            began: None,
            wants_key: true,
            sent: Sent::new(ssrc, format),
        });
    }

    pub(super) fn speaks(&self) -> Vec<(String, Format)> {
        self.outgoing.iter().map(|stream| (stream.mid.clone(), stream.packetizer.format())).collect()
    }

    pub(super) fn expect(&mut self, streams: &[(String, Format)]) {
        for (mid, format) in streams {
            let mut config = ReceiverConfig::new(kind(*format), vec![payload_type(*format)]);
            (config.mid, config.extensions) = (Some(mid.clone()), extensions());
            (config.nack, config.pli, config.transport_cc) = (*format != Format::Opus, true, true);
            let id = self.session.add_receiver(config).expect("added");
            self.receivers.insert(id, (mid.clone(), *format));
        }
    }

    /// Sends some frames.
    pub(super) fn act(&mut self, rng: &mut Rng, now: Instant) {
        if self.is_stopped {
            return;
        }
        for stream in &mut self.outgoing {
            if rng.one_in(4) {
                continue;
            }
            let format = stream.packetizer.format();
            let lens: [u64; 4] = if format == Format::Opus { [1, 20, 80, 200] } else { [1, 500, 3000, 20_000] };
            let most = lens[rng.below(4) as usize];
            let len = 1 + rng.below(most) as usize;
            let is_key = format == Format::Opus || stream.wants_key;
            let elapsed = now - *stream.began.get_or_insert(now);
            let ticks = elapsed.as_micros() * u128::from(format.clock_rate_hz()) / 1_000_000;
            let data = frame(stream.sent.ssrc, format, stream.sent.frames, is_key, len);
            let frame = Frame::new(payload_type(format).number, stream.timestamp.wrapping_add(ticks as u32), data);
            match self.session.send_frame(stream.id, &mut stream.packetizer, frame) {
                Ok(()) => {
                    stream.sent.frames += 1;
                    stream.wants_key = false;
                    self.notes.push("frame");
                }
                Err(SendError::Full(_)) => self.notes.push("refused for want of room"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(super) fn go_on(&mut self, now: Instant) {
        self.is_stopped = false;
        for packet in std::mem::take(&mut self.socket) {
            self.take(&packet, now);
        }
    }

    fn take(&mut self, packet: &[u8], now: Instant) {
        self.now = Some(now);
        if (192..=223).contains(&packet[1]) {
            self.take_rtcp(packet, now);
        } else {
            self.take_rtp(packet, now);
        }
    }

    fn take_rtp(&mut self, bytes: &[u8], now: Instant) {
        let packet = Packet::parse(bytes).expect("whole");
        let arrived = self.arrived.entry(packet.ssrc).or_default();
        let last = arrived.last().copied();
        let index = last.map_or(packet.sequence.into(), |last| index_of(last, packet.sequence));
        if !arrived.insert(index) || last.is_some_and(|last| index <= last - 1024) {
            return;
        }
        let format = if packet.payload_type == OPUS.number { Format::Opus } else { Format::Vp8 };
        let elapsed = now - *self.began.get_or_insert(now);
        let incoming = self.incoming.entry(packet.ssrc).or_insert_with(|| {
            let mut config = match format {
                Format::Opus => JitterConfig::audio(OPUS.clock_rate_hz),
                _ => JitterConfig::video(VP8.clock_rate_hz),
            };
            if format == Format::Vp8 {
                config.gap_wait = GAP_WAIT;
            }
            Incoming { book: Received::new(packet.ssrc, format, index), frames: FrameReceiver::new(format, config) }
        });
        incoming.book.take(index, packet.timestamp, packet.payload.len(), elapsed);
        self.session.handle_rtp(bytes, Ecn::NotEct, now);
    }

    fn hear(&mut self, event: Event, now: Instant) {
        match event {
            Event::Packet(received) => {
                let incoming = self.incoming.get_mut(&received.ssrc).expect("it was sent");
                let index = index_of(incoming.book.highest, received.packet.sequence.expect("told"));
                let extended = received.extended_sequence as i64;
                let circles = incoming.book.first.div_euclid(1 << 16);
                assert_eq!(extended - (1 << 16), index - (circles << 16), "the same number all the time");
                let ordered = OrderedPacket { extended_sequence: received.extended_sequence, packet: received.packet };
                incoming.frames.insert(ordered, now);
            }
            Event::KeyFrameRequested { sender } => {
                self.notes.push("key frame asked for");
                self.outgoing
                    .iter_mut()
                    .filter(|stream| stream.id == sender)
                    .for_each(|stream| stream.wants_key = true);
            }
            Event::TransportFeedback(reported) => {
                for packet in reported {
                    let before = self.reported.insert(packet.sequence, packet.arrival.is_some());
                    assert!(before != Some(true), "nothing is told of what has arrived");
                    assert!(before.is_none() || packet.arrival.is_some(), "it is missing once");
                    assert!(packet.sent <= now);
                }
            }
            Event::Writable { .. } => {}
            event => panic!("{event:?}"),
        }
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.outgoing.iter().map(|stream| stream.sent.clone()).collect()
    }

    pub(super) fn agrees(&self, sent: &[Sent], is_all: bool) {
        let all: Vec<_> = self.receivers.keys().flat_map(|receiver| self.session.receiver_stats(*receiver)).collect();
        for sent in sent {
            let incoming = &self.incoming[&sent.ssrc];
            let is_whole = is_all && sent.format == Format::Vp8 && self.session.stats().dropped_events == 0;
            incoming.book.agrees(sent, is_whole);
            let stats = all.iter().find(|stats| stats.ssrc == sent.ssrc).expect("there");
            assert_eq!(stats.packets_received as i64, incoming.book.count);
            assert_eq!(stats.bytes_received, incoming.book.payload_bytes);
            assert_eq!(stats.packets_lost, incoming.book.lost());
            // Of what came before the first that arrived, nobody knows.
            assert_eq!(
                incoming.book.expected(),
                stats.packets_received as i64 + stats.packets_lost,
                "sent = received + lost"
            );
            assert_eq!(stats.remote_packets_sent as usize, sent.packets.len(), "the last report tells of all");
            assert_eq!(stats.remote_bytes_sent, sent.payload_bytes);
        }
    }

    /// What was sent is counted, and nothing is owed or waited for.
    pub(super) fn is_at_rest(&self) {
        for stream in &self.outgoing {
            let stats = self.session.sender_stats(stream.id).expect("there");
            assert_eq!(stats.packets_sent, stream.sent.packets.len() as u64);
            assert_eq!((stats.bytes_sent, stats.packets_resent), (stream.sent.payload_bytes, stream.sent.sent_again));
        }
        let arrived = self.reported.values().filter(|arrived| **arrived).count() as u64;
        let stats = self.session.stats();
        // Feedback that nobody polled for is worth nothing, and goes.
        assert!(stats.transport_arrived >= arrived, "{stats:?}");
        assert_eq!(stats.dropped_malformed_rtp + stats.dropped_malformed_rtcp + stats.dropped_unknown_stream, 0);
        assert_eq!(stats.dropped_out_of_sequence + stats.dropped_unknown_payload_type, 0);
        assert_eq!(self.poll_timeout(self.began.expect("something came")), None, "all is quiet");
    }

    pub(super) fn has_arrived(&self, ssrc: u32, index: i64) -> bool {
        self.arrived.get(&ssrc).is_some_and(|arrived| arrived.contains(&index))
    }

    pub(super) fn sent_of(&self, ssrc: u32) -> (u64, u64) {
        let stream = self.outgoing.iter().find(|stream| stream.sent.ssrc == ssrc).expect("ours");
        (stream.sent.packets.len() as u64, stream.sent.payload_bytes)
    }

    /// What is to leave at a pace does.
    fn poll_paced(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let is_time = self.departure.is_none_or(|departure| departure <= now);
        let has_left = is_time && self.session.poll_paced(now, limit, out);
        if has_left {
            self.departure = Some(now + self.pace);
            self.notes.push("packet at its pace");
        }
        has_left
    }

    fn is_bounded(&self) {
        let loads = self.incoming.values().map(|incoming| incoming.frames.load()).chain([self.session.load()]);
        loads.for_each(|load| assert!(load.held <= load.bound, "{load:?}"));
    }
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        if self.is_stopped {
            self.socket.push(datagram.payload.to_vec());
        } else {
            self.take(datagram.payload, now);
        }
        self.is_bounded();
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !self.is_stopped {
            (self.began, self.now) = (self.began.or(Some(now)), Some(now));
            self.session.handle_timeout(now);
            self.incoming.values_mut().for_each(|incoming| incoming.frames.handle_timeout(now));
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if self.is_stopped {
            return None;
        }
        (self.began, self.now) = (self.began.or(Some(now)), Some(now));
        let mut wire = self.wire;
        wire.limit = self.mtu;
        if let Some(transmit) = wire.transmit(out, |limit, out| self.session.poll_rtcp(now, limit, out)) {
            self.check_rtcp(out, now);
            return Some(transmit);
        }
        let transmit = wire
            .transmit(out, |limit, out| self.session.poll_rtp(now, limit, out) || self.poll_paced(now, limit, out))?;
        let packet = Packet::parse(out).expect("whole");
        let stream = self.outgoing.iter_mut().find(|stream| stream.sent.ssrc == packet.ssrc).expect("ours");
        if stream.sent.take(out, packet.payload.len()) {
            self.notes.push("packet sent again");
        }
        Some(transmit)
    }

    fn poll_event(&mut self) -> bool {
        if !self.is_reading || self.is_stopped {
            return false;
        }
        if let (Some(event), Some(now)) = (self.session.poll_event(), self.now) {
            self.hear(event, now);
            return true;
        }
        for incoming in self.incoming.values_mut() {
            if let Some(event) = incoming.frames.poll_event() {
                self.notes.extend(incoming.book.hear(&event));
                if event == FrameEvent::KeyFrameNeeded {
                    self.session.request_key_frame_of(incoming.book.ssrc);
                }
                return true;
            }
        }
        false
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_stopped || !self.is_reading {
            return None;
        }
        let frames = self.incoming.values().map(|incoming| incoming.frames.poll_timeout(now));
        let paced = (self.session.paced_queue().packets > 0).then(|| self.departure.unwrap_or(now).max(now));
        earliest(frames.chain([self.session.poll_timeout(now), paced]))
    }
}
