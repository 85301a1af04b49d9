//! RTP and RTCP.

use crate::duel::{Player, duel};
use crate::script::Script;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use wigwag_rtp::header::Packet;
use wigwag_rtp::rtcp::{Compound, Message};
use wigwag_rtp::{Config, Event, Extensions, Kind, PayloadType, ReceiverConfig, ReceiverId};
use wigwag_rtp::{RtpPacket, RtxPayloadType, RtxStream, SendError, SenderConfig, SenderId, Session};
use wigwag_sansio::{Ecn, Seed};

/// Any bytes as a packet: what parses can be read to its end.
pub fn rtp_packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else { return };
    let elements: usize = packet.extensions().map(|(_, element)| element.len()).sum();
    assert!(packet.payload.len() + 4 * packet.csrcs().count() + elements + 12 <= data.len(), "nothing is read twice");
}

/// Any bytes as a compound: what parses can be read to its end.
pub fn rtcp_compound(data: &[u8]) {
    let messages = Compound::new(data).inspect(|message| {
        if let Ok(message) = message {
            assert!(!format!("{message:?}").is_empty());
            read(message);
        }
    });
    assert!(messages.count() <= data.len() / 4 + 1, "every message has a header");
}

fn read(message: &Message<'_>) {
    if let Message::TransportFeedback(feedback) = message {
        assert!(feedback.arrivals().count() <= usize::from(u16::MAX));
    }
    if let Message::CongestionControlFeedback(report) = message {
        let packets: usize = report.streams().map(|stream| stream.metrics().len()).sum();
        assert!(packets <= usize::from(u16::MAX) * 2, "each has two bytes, and a message 65,536 words");
    }
}

/// Any packets between two sessions, each with a stream towards the other.
pub fn rtp_session(data: &[u8]) {
    _ = duel([Peer::new(1), Peer::new(2)], data);
}

const PAYLOAD_TYPE: PayloadType = PayloadType { number: 96, clock_rate_hz: 90_000 };
const RTX: RtxPayloadType = RtxPayloadType::new(97, PAYLOAD_TYPE.number);
const LAYERS: [&str; 3] = ["q", "h", "f"];

struct Peer {
    session: Session,
    sender: SenderId,
    receiver: ReceiverId,
    timestamp: u32,
}

impl Peer {
    fn new(number: u32) -> Self {
        let mut session = Session::new(Config::new("fuzz"), Seed::for_test(number.into()));
        let mut extensions = Extensions::NONE;
        extensions.mid = Some(1);
        extensions.abs_send_time = Some(2);
        extensions.transport_cc = Some(3);
        extensions.audio_level = Some(4);
        (extensions.rid, extensions.repaired_rid) = (Some(5), Some(6));
        (extensions.dependency_descriptor, extensions.video_layers_allocation) = (Some(7), Some(16));
        let mut config = SenderConfig::new(number, Kind::Video, vec![PAYLOAD_TYPE]);
        (config.mid, config.extensions, config.nack) = (Some("0".to_owned()), extensions, true);
        (config.rid, config.allows_mixed) = (Some(LAYERS[0].to_owned()), true);
        config.rtx = Some(RtxStream::new(number + 100, vec![RTX]));
        // The one is reported on by numbers of its streams, the other by those of the transport.
        config.ccfb = number == 2;
        let sender = session.add_sender(config).expect("the first sender");
        let mut config = ReceiverConfig::new(Kind::Video, vec![PAYLOAD_TYPE]);
        (config.mid, config.extensions) = (Some("0".to_owned()), extensions);
        (config.nack, config.pli, config.transport_cc) = (true, true, true);
        config.ccfb = number == 1;
        (config.rids, config.rtx) = (LAYERS.map(Arc::from).to_vec(), vec![RTX]);
        let receiver = session.add_receiver(config).expect("the first receiver");
        Self { session, sender, receiver, timestamp: 0 }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let step = script.u16();
        self.timestamp = self.timestamp.wrapping_add(step.into());
        let payload = Bytes::from(vec![7; usize::from(script.u16()) % 1100]);
        let mut packet = RtpPacket::new(PAYLOAD_TYPE.number, self.timestamp, payload.clone());
        packet.marker = step & 1 != 0;
        packet.sequence = (step & 0xc0 == 0xc0).then_some(step);
        if let Err(SendError::Full(returned)) = self.session.send(self.sender, packet) {
            assert_eq!(returned, payload, "a refused packet is given back");
        }
    }
}

const RTP: u8 = 0;
const RTCP: u8 = 1;

/// On the wire of a duel, the first byte says what a packet is.
impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        match packet {
            [RTP, packet @ ..] => self.session.handle_rtp(packet, Ecn::default(), now),
            [_, packet @ ..] => self.session.handle_rtcp(packet, now),
            [] => self.session.handle_rtp(packet, Ecn::default(), now),
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        for kind in [RTCP, RTP] {
            out.clear();
            out.push(kind);
            let wrote = match kind {
                RTP => self.session.poll_rtp(now, 1200, out),
                _ => self.session.poll_rtcp(now, 1200, out),
            };
            assert!(out.len() <= 1201, "the limit holds");
            assert_eq!(wrote, out.len() > 1, "it says whether it wrote");
            if wrote {
                return true;
            }
        }
        false
    }

    fn event(&mut self) -> bool {
        match self.session.poll_event() {
            Some(Event::Packet(received)) => {
                assert_eq!(received.receiver, self.receiver);
                assert_eq!(received.packet.payload_type, PAYLOAD_TYPE.number, "others were not negotiated");
                assert!(received.rid.is_none_or(|rid| LAYERS.contains(&&*rid)), "nor other layers");
                true
            }
            event => event.is_some(),
        }
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.session.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        match script.byte() {
            0..=223 => self.send(script),
            224..=239 => self.session.request_key_frame(self.receiver),
            240..=247 => {
                let rid = LAYERS[usize::from(script.byte() % 3)];
                self.session.request_key_frame_of_layer(self.receiver, rid);
            }
            248..=251 => self.session.remove_sender(self.sender),
            _ => self.session.remove_receiver(self.receiver),
        }
        let _ = (self.session.stats(), self.session.sender_stats(self.sender));
        assert!(self.session.receiver_stats(self.receiver).count() <= 10_000, "sources are bounded");
    }

    /// The version, and the length of the first message.
    fn repair(&self, packet: &mut Vec<u8>) {
        if let [RTCP, first, _, high, low, body @ ..] = packet.as_mut_slice() {
            *first = 0x80 | *first & 0x3f;
            [*high, *low] = u16::try_from(body.len() / 4).unwrap_or(u16::MAX).to_be_bytes();
        } else if let [RTP, first, ..] = packet.as_mut_slice() {
            *first = 0x80 | *first & 0x3f;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        for seed in
            [include_bytes!("../corpus/rtp_session/stream").as_slice(), include_bytes!("../corpus/rtp_session/nack")]
        {
            let [_, z] = duel([Peer::new(1), Peer::new(2)], seed);
            let sources: Vec<_> = z.session.receiver_stats(z.receiver).collect();
            assert!(sources.len() == 1 && sources[0].packets_received > 1, "{sources:?}");
        }
    }
}
