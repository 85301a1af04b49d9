//! The nine laws.

use crate::common::{VIDEO, receiver, sender};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use wigwag_rtp::{
    Config, Event, Kind, PayloadType, ReceiverConfig, ReceiverId, RtpPacket, SenderConfig, SenderId, Session,
};
use wigwag_sansio::{Datagram, Ecn, Rng, Seed, Transmit, WallClock};
use wigwag_sim::contract::{self, Load, Network, Subject};
use wigwag_sim::{Node, Wire};

const AUDIO: PayloadType = PayloadType { number: 111, clock_rate_hz: 48_000 };

/// A session that sends and receives sound and pictures, RTP and RTCP on one wire (RFC 5761).
struct Peer {
    wire: Wire,
    session: Session,
    senders: [SenderId; 2],
    receivers: [ReceiverId; 2],
    received: BTreeSet<(ReceiverId, u32)>,
    key_frames: usize,
}

impl Peer {
    fn new(name: &str, wire: Wire, seed: Seed, now: Instant) -> Self {
        let mut config = Config::new(name);
        config.clock = Some(WallClock::new(now, Duration::from_secs(1_700_000_000)));
        (config.event_packets_max, config.send_queue_packets_max, config.send_queue_bytes_max) = (100, 60, 40_000);
        let mut session = Session::new(config, seed);
        let ssrcs = [session.unused_ssrc(), session.unused_ssrc()];
        let audio = SenderConfig::new(ssrcs[0], Kind::Audio, vec![AUDIO]);
        let senders = [audio, sender(ssrcs[1])].map(|config| session.add_sender(config).expect("added"));
        let audio = ReceiverConfig::new(Kind::Audio, vec![AUDIO]);
        let receivers = [audio, receiver()].map(|config| session.add_receiver(config).expect("added"));
        Self { wire, session, senders, receivers, received: BTreeSet::new(), key_frames: 0 }
    }
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        // RFC 5761 §4: the payload types that RTCP's packet types look like are not used.
        if datagram.payload.get(1).is_some_and(|second| (192..=223).contains(second)) {
            self.session.handle_rtcp(datagram.payload, now);
        } else {
            self.session.handle_rtp(datagram.payload, datagram.ecn, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.wire.transmit(out, |limit, out| {
            self.session.poll_rtp(now, limit, out) || self.session.poll_rtcp(now, limit, out)
        })
    }

    fn poll_event(&mut self) -> bool {
        let event = self.session.poll_event();
        match &event {
            // A packet that was only late comes twice, once as a retransmission: SRTP knows it, nobody here.
            Some(Event::Packet(received)) => {
                self.received.insert((received.receiver, received.packet.timestamp));
            }
            Some(Event::KeyFrameRequested { .. }) => self.key_frames += 1,
            _ => {}
        }
        event.is_some()
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.session.poll_timeout(now)
    }
}

impl Subject for Peer {
    const COMMANDS: usize = 40;
    const NETWORK: Network = Network::Reordering;

    fn pair(seed: u64, now: Instant) -> [Self; 2] {
        let [a, z] = Wire::pair();
        [Self::new("a", a, Seed::for_test(seed), now), Self::new("z", z, Seed::for_test(seed + 1_000_000), now)]
    }

    fn command(&mut self, n: usize) -> bool {
        let is_video = !n.is_multiple_of(3);
        let payload_type = if is_video { VIDEO } else { AUDIO };
        let payload = Bytes::from(vec![n as u8; if is_video { 900 } else { 100 }]);
        if n % 10 == 7 {
            self.session.request_key_frame(self.receivers[1]);
        }
        let packet = RtpPacket::new(payload_type.number, n as u32 * 960, payload);
        self.session.send(self.senders[usize::from(is_video)], packet).is_ok()
    }

    fn outcome(&self) -> String {
        format!("{:?}", self.received)
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        Some(&mut self.wire)
    }

    fn hostile(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; rng.below(200) as usize];
        rng.fill(&mut bytes);
        // Of no payload type that was negotiated, and no version 2 if it looks like RTCP: a random report is a report.
        if let Some(second) = bytes.get_mut(1) {
            *second = if *second < 128 { 97 } else { 200 };
            let is_rtcp = *second == 200;
            bytes[0] = if is_rtcp { bytes[0] & 0x3f } else { bytes[0] };
        }
        bytes
    }

    fn dropped(&self) -> Option<u64> {
        let stats = self.session.stats();
        Some(
            stats.dropped_malformed_rtp
                + stats.dropped_malformed_rtcp
                + stats.dropped_unknown_stream
                + stats.dropped_unknown_payload_type
                + stats.dropped_out_of_sequence
                + stats.dropped_too_many_sources,
        )
    }

    fn load(&self) -> Option<Load> {
        let load = self.session.load();
        Some(Load { held: load.held, bound: load.bound })
    }

    /// As many streams in each direction; of each that arrives, a packet is missing.
    fn crowd(seed: u64, parts: usize, now: Instant) -> Option<Self> {
        let [wire, _] = Wire::pair();
        let mut peer = Self::new("a", wire, Seed::for_test(seed), now);
        for n in 0..parts as u32 {
            let id = peer.session.add_sender(sender(n)).expect("added");
            peer.session.send(id, crate::common::packet(0)).expect("room");
            for sequence in [1, 3] {
                peer.session.handle_rtp(&arriving(n, sequence), Ecn::NotEct, now);
            }
        }
        peer.session.request_key_frame(peer.receivers[1]);
        Some(peer)
    }

    fn visits(&self) -> Option<u64> {
        Some(self.session.stats().visits)
    }
}

/// A packet of the video section.
fn arriving(ssrc: u32, sequence: u16) -> Vec<u8> {
    [&[0x80, VIDEO.number], &sequence.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes(), b"payload"].concat()
}

#[test]
fn keeps_the_nine_laws() {
    contract::check::<Peer>();
}

/// What one of many streams wants costs as much as if it were alone.
#[test]
fn timers_look_at_the_streams_that_armed_them() {
    let now = wigwag_sim::origin();
    let mut session = Session::new(Config::new("z"), Seed::for_test(1));
    let section = session.add_receiver(receiver()).expect("added");
    for ssrc in 0..500 {
        session.handle_rtp(&arriving(ssrc, 1), Ecn::NotEct, now);
    }
    let mut out = Vec::new();
    let mut turn = |session: &mut Session, millis| {
        let now = now + Duration::from_millis(millis);
        session.handle_timeout(now);
        while session.poll_rtcp(now, 1180, &mut out) || session.poll_event().is_some() {
            out.clear();
        }
    };
    turn(&mut session, 2_000);
    let settled = session.stats().visits;
    assert!(settled >= 1_000, "all arrived, and all were reported");
    session.handle_rtp(&arriving(7, 3), Ecn::NotEct, now + Duration::from_millis(2_000));
    (2_000..6_000).for_each(|millis| turn(&mut session, millis));
    let stats = session.receiver_stats(section).nth(7).expect("there");
    assert_eq!((stats.nacks_sent, stats.packets_given_up), (10, 1));
    let visits = session.stats().visits - settled;
    assert!(visits < 40, "{visits}");
}

const _: () = contract::is_send_and_sync::<Session>();
