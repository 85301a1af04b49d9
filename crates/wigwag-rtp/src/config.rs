//! What the application decides before a session or a stream starts.

use crate::extension::Extensions;
use crate::header::Form;
use std::sync::Arc;
use std::time::Duration;
use wigwag_sansio::WallClock;

/// How a [`Session`](crate::Session) behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The canonical name that all our streams share (RFC 3550 §6.5.1, RFC 7022); at most 255 bytes are sent.
    pub cname: String,
    /// Where wall time comes from; without it, sender reports count from the session's first instant, which
    /// synchronises our streams with each other but not with another machine's.
    pub clock: Option<WallClock>,
    /// Whether feedback may be sent without a report and a canonical name around it (`a=rtcp-rsize`, RFC 5506). That is
    /// to be negotiated, so it is not the default; [`Session::set_reduced_size`](crate::Session::set_reduced_size) says
    /// so later.
    pub is_reduced_size: bool,
    /// The mean time between two reports; each is drawn between a half and one and a half of it.
    pub report_interval: Duration,
    /// The time between two reports of arrivals while packets arrive: of transport-wide feedback, and of congestion control feedback, for
    /// which 50 to 200 ms are usual (RFC 8888).
    pub transport_feedback_interval: Duration,
    /// How long an RTP packet may be, in bytes: what the path takes less what SRTP and a relay add. Whoever polls offers
    /// as much from time to time, so that no packet waits for ever.
    pub packet_len_max: usize,
    /// How many packets of one sender may wait to be polled.
    pub send_queue_packets_max: usize,
    /// How many bytes of payload of one sender may wait to be polled.
    pub send_queue_bytes_max: usize,
    /// How many sent packets of a sender are kept for the peer to ask for again, rounded up to a power of two; at most
    /// 1024, since SRTP remembers no more of what it sealed.
    pub resend_cache_packets: usize,
    /// How many received packets may wait for `poll_event`; then the oldest is dropped and counted.
    pub event_packets_max: usize,
}

impl Config {
    /// The defaults, with this canonical name.
    pub fn new(cname: impl Into<String>) -> Self {
        Self {
            cname: cname.into(),
            clock: None,
            is_reduced_size: false,
            report_interval: Duration::from_secs(1),
            transport_feedback_interval: Duration::from_millis(100),
            packet_len_max: 1180,
            send_queue_packets_max: 1024,
            send_queue_bytes_max: 2 << 20,
            resend_cache_packets: 512,
            event_packets_max: 1024,
        }
    }
}

/// What a stream carries: audio leaves before video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// A payload type and its clock rate in Hz (`a=rtpmap`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadType {
    /// 0 to 127.
    pub number: u8,
    /// Ticks of the RTP timestamp in a second.
    pub clock_rate_hz: u32,
}

/// The payload type of packets that are sent again (RFC 4588 §8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtxPayloadType {
    /// 0 to 127.
    pub number: u8,
    /// That of the packets as they were sent first (`apt`).
    pub apt: u8,
}

/// The stream in which packets of another one are sent again (RFC 4588 §4).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RtxStream {
    /// Its source, as described to the peer (`a=ssrc-group:FID`).
    pub ssrc: u32,
    /// What may be sent in it.
    pub payload_types: Vec<RtxPayloadType>,
}

impl RtxPayloadType {
    /// That under which packets of the payload type `apt` are sent again.
    pub const fn new(number: u8, apt: u8) -> Self {
        Self { number, apt }
    }
}

impl RtxStream {
    /// A stream of this source.
    pub const fn new(ssrc: u32, payload_types: Vec<RtxPayloadType>) -> Self {
        Self { ssrc, payload_types }
    }

    /// The payload type under which packets of this one are sent again, if they are.
    pub(crate) fn number(&self, apt: u8) -> Option<u8> {
        self.payload_types.iter().find(|known| known.apt == apt).map(|known| known.number)
    }
}

/// A stream that we send.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SenderConfig {
    /// The stream's source, as described to the peer; [`Session::unused_ssrc`](crate::Session::unused_ssrc) draws one.
    pub ssrc: u32,
    /// Audio or video.
    pub kind: Kind,
    /// The media section's identification tag (RFC 9143), sent with every packet if its extension was negotiated.
    pub mid: Option<String>,
    /// The name of a layer of simulcast (RFC 8852), likewise.
    pub rid: Option<String>,
    /// What may be sent.
    pub payload_types: Vec<PayloadType>,
    /// The numbers of the negotiated header extensions.
    pub extensions: Extensions,
    /// Whether the elements of header extensions may have headers of one byte in some packets and of two in others (`a=extmap-allow-mixed`, RFC 8285 §6).
    /// Without it all have two, if a number is above 14, or else one, and what does not fit there is left out.
    pub allows_mixed: bool,
    /// Whether packets are kept to be sent again when the peer misses them (`a=rtcp-fb:* nack`).
    pub nack: bool,
    /// The stream in which they are sent again, if that is not done in this one.
    pub rtx: Option<RtxStream>,
    /// Whether the peer reports the arrival of packets by their sources and sequence numbers (`a=rtcp-fb:* ack ccfb`, RFC 8888): a
    /// transport-wide number ([`Extensions::transport_cc`]) is not written then. All streams of a session are reported on in one
    /// way, if they are, for each has a clock of its own.
    pub ccfb: bool,
}

impl SenderConfig {
    /// A stream without extensions or feedback.
    pub const fn new(ssrc: u32, kind: Kind, payload_types: Vec<PayloadType>) -> Self {
        Self {
            ssrc,
            kind,
            mid: None,
            rid: None,
            payload_types,
            extensions: Extensions::NONE,
            allows_mixed: false,
            nack: false,
            rtx: None,
            ccfb: false,
        }
    }

    /// Whether the peer reports when packets arrive.
    pub(crate) const fn is_reported(&self) -> bool {
        self.ccfb || self.extensions.transport_cc.is_some()
    }

    /// The headers that elements have.
    pub(crate) fn form(&self) -> Form {
        match (self.allows_mixed, self.extensions.needs_two_bytes()) {
            (true, _) => Form::Mixed,
            (false, true) => Form::TwoBytes,
            (false, false) => Form::OneByte,
        }
    }
}

/// The streams of a media section that we receive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// Audio or video.
    pub kind: Kind,
    /// The media section's identification tag (RFC 9143).
    pub mid: Option<String>,
    /// The sources that the peer's description names (`a=ssrc`); others are learned.
    pub ssrcs: Vec<u32>,
    /// The names of the layers of simulcast that may arrive (RFC 8852), each a source of its own; packets that name another are dropped.
    /// Without any, what packets say of it is not read.
    pub rids: Vec<Arc<str>>,
    /// What may arrive; packets of other payload types are dropped.
    pub payload_types: Vec<PayloadType>,
    /// The numbers of the negotiated header extensions, the same in all sections of a bundle.
    pub extensions: Extensions,
    /// Whether missing packets are asked for (`a=rtcp-fb:* nack`).
    pub nack: bool,
    /// What packets that are sent again in streams of their own arrive as (RFC 4588).
    pub rtx: Vec<RtxPayloadType>,
    /// The sources that send again what others sent, behind those (`a=ssrc-group:FID`); of one that is not named it is found out.
    pub rtx_ssrcs: Vec<(u32, u32)>,
    /// Whether key frames may be asked for (`a=rtcp-fb:* nack pli`).
    pub pli: bool,
    /// Whether they may be asked for as somebody who never had one (`a=rtcp-fb:* ccm fir`, RFC 5104); only used where
    /// `pli` is not, which asks for less.
    pub fir: bool,
    /// Whether arrivals are reported (`a=rtcp-fb:* transport-cc`): those of all sections, if one asks for it, for their packets are numbered
    /// together.
    pub transport_cc: bool,
    /// Whether arrivals are reported by sources and sequence numbers (`a=rtcp-fb:* ack ccfb`, RFC 8888).
    pub ccfb: bool,
}

impl ReceiverConfig {
    /// A section without extensions or feedback.
    pub const fn new(kind: Kind, payload_types: Vec<PayloadType>) -> Self {
        Self {
            kind,
            mid: None,
            ssrcs: Vec::new(),
            rids: Vec::new(),
            payload_types,
            extensions: Extensions::NONE,
            nack: false,
            rtx: Vec::new(),
            rtx_ssrcs: Vec::new(),
            pli: false,
            fir: false,
            transport_cc: false,
            ccfb: false,
        }
    }
}
