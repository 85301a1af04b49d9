//! A sends video to Z.

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_rtp::{
    Config, Event, Extensions, Kind, PayloadType, Received, ReceiverConfig, ReceiverId, ReceiverStats, RtpPacket,
    SenderConfig, SenderId, Session,
};
use wigwag_sansio::{Ecn, Seed};

pub(crate) const VIDEO: PayloadType = PayloadType { number: 96, clock_rate_hz: 90_000 };
const LIMIT: usize = 1180;

pub(crate) fn at(millis: u32) -> Instant {
    wigwag_sim::origin() + Duration::from_millis(u64::from(millis))
}

pub(crate) fn session(cname: &str, seed: u64) -> Session {
    Session::new(Config::new(cname), Seed::for_test(seed))
}

fn extensions() -> Extensions {
    let mut extensions = Extensions::NONE;
    extensions.abs_send_time = Some(3);
    extensions.mid = Some(4);
    extensions.transport_cc = Some(5);
    extensions
}

pub(crate) fn sender(ssrc: u32) -> SenderConfig {
    let mut config = SenderConfig::new(ssrc, Kind::Video, vec![VIDEO]);
    config.mid = Some("v".into());
    config.extensions = extensions();
    config.nack = true;
    config
}

pub(crate) fn receiver() -> ReceiverConfig {
    let mut config = ReceiverConfig::new(Kind::Video, vec![VIDEO]);
    config.mid = Some("v".into());
    config.extensions = extensions();
    config.nack = true;
    config.pli = true;
    config.transport_cc = true;
    config
}

/// The `n`th packet of a stream of one every 20 ms.
pub(crate) fn packet(n: u32) -> RtpPacket {
    RtpPacket::new(VIDEO.number, n.wrapping_mul(1800), Bytes::from(n.to_be_bytes().to_vec()))
}

pub(crate) struct Link {
    pub(crate) a: Session,
    pub(crate) z: Session,
    pub(crate) sender: SenderId,
    pub(crate) receiver: ReceiverId,
    pub(crate) ssrc: u32,
    pub(crate) delay: Duration,
    lost: fn(usize) -> bool,
    /// All RTP that A sent, also what was lost.
    pub(crate) a_to_z: Vec<Vec<u8>>,
    pub(crate) z_to_a_rtcp: Vec<Vec<u8>>,
    in_flight: VecDeque<(Instant, To, Vec<u8>)>,
    now: Instant,
    z_events: Vec<Event>,
    a_events: Vec<Event>,
}

#[derive(Clone, Copy)]
enum To {
    ZRtp,
    ZRtcp,
    ARtcp,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self::with(Config::new("a"), Config::new("z"))
    }

    pub(crate) fn with(a: Config, z: Config) -> Self {
        let mut a = Session::new(a, Seed::for_test(1));
        let mut z = Session::new(z, Seed::for_test(2));
        let ssrc = a.unused_ssrc();
        let sender = a.add_sender(sender(ssrc)).expect("added");
        let receiver = z.add_receiver(receiver()).expect("added");
        let mut link = Self {
            a,
            z,
            sender,
            receiver,
            ssrc,
            delay: Duration::ZERO,
            lost: |_| false,
            a_to_z: Vec::new(),
            z_to_a_rtcp: Vec::new(),
            in_flight: VecDeque::new(),
            now: at(0),
            z_events: Vec::new(),
            a_events: Vec::new(),
        };
        link.a.handle_timeout(at(0));
        link
    }

    /// Which of the RTP packets are lost, by their number.
    pub(crate) fn loses(&mut self, lost: fn(usize) -> bool) {
        self.lost = lost;
    }

    pub(crate) fn no_nack(&mut self) {
        let mut config = receiver();
        config.nack = false;
        self.z.update_receiver(self.receiver, config).expect("there");
    }

    pub(crate) fn send(&mut self, packet: RtpPacket) {
        self.a.send(self.sender, packet).expect("room");
    }

    /// Lets time pass, each event at its time, until `end`.
    pub(crate) fn run(&mut self, end: Instant) {
        loop {
            self.exchange();
            let next = [
                self.a.poll_timeout(self.now),
                self.z.poll_timeout(self.now),
                self.in_flight.front().map(|(at, ..)| *at),
            ];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else { break };
            assert!(next > self.now || self.in_flight.front().is_some_and(|(at, ..)| *at <= self.now), "it spins");
            self.now = self.now.max(next);
        }
        self.now = self.now.max(end);
    }

    /// A's packets arrive at Z, and nothing else happens.
    pub(crate) fn deliver(&mut self, now: Instant) {
        let mut out = Vec::new();
        while self.a.poll_rtp(now, LIMIT, &mut out) {
            if !(self.lost)(self.a_to_z.len()) {
                self.z.handle_rtp(&out, Ecn::NotEct, now);
            }
            self.a_to_z.push(std::mem::take(&mut out));
        }
    }

    fn exchange(&mut self) {
        let now = self.now;
        while self.in_flight.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, to, bytes)) = self.in_flight.pop_front() else { break };
            match to {
                To::ZRtp => self.z.handle_rtp(&bytes, Ecn::NotEct, now),
                To::ZRtcp => self.z.handle_rtcp(&bytes, now),
                To::ARtcp => self.a.handle_rtcp(&bytes, now),
            }
        }
        self.a.handle_timeout(now);
        self.z.handle_timeout(now);
        let (arrival, mut out) = (now + self.delay, Vec::new());
        while self.a.poll_rtp(now, LIMIT, &mut out) {
            if !(self.lost)(self.a_to_z.len()) {
                self.in_flight.push_back((arrival, To::ZRtp, out.clone()));
            }
            self.a_to_z.push(std::mem::take(&mut out));
        }
        while self.a.poll_rtcp(now, LIMIT, &mut out) {
            self.in_flight.push_back((arrival, To::ZRtcp, std::mem::take(&mut out)));
        }
        while self.z.poll_rtcp(now, LIMIT, &mut out) {
            self.z_to_a_rtcp.push(out.clone());
            self.in_flight.push_back((arrival, To::ARtcp, std::mem::take(&mut out)));
        }
        self.a_events.extend(std::iter::from_fn(|| self.a.poll_event()));
        self.z_events.extend(std::iter::from_fn(|| self.z.poll_event()));
    }

    pub(crate) fn a_events(&mut self) -> Vec<Event> {
        self.a_events.extend(std::iter::from_fn(|| self.a.poll_event()));
        std::mem::take(&mut self.a_events)
    }

    pub(crate) fn z_events(&mut self) -> Vec<Event> {
        self.z_events.extend(std::iter::from_fn(|| self.z.poll_event()));
        std::mem::take(&mut self.z_events)
    }

    /// All packets that Z received since the last time.
    pub(crate) fn received(&mut self) -> Vec<Received> {
        let packet = |event| match event {
            Event::Packet(received) => Some(received),
            _ => None,
        };
        self.z_events().into_iter().filter_map(packet).collect()
    }

    pub(crate) fn receiver_stats(&self) -> ReceiverStats {
        self.z.receiver_stats(self.receiver).next().expect("something was received")
    }
}
