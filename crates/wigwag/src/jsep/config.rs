//! What we can do, before anybody asks.

use super::cryptex::HeaderEncryption;
use wigwag_sdp::Feedback;

/// What a section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl MediaKind {
    /// As it stands in the `m=` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    pub(super) fn from_media(media: &str) -> Option<Self> {
        [Self::Audio, Self::Video].into_iter().find(|kind| kind.as_str() == media)
    }
}

/// The role in the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DtlsRole {
    /// Says ClientHello: `a=setup:active`.
    Client,
    /// Waits for it: `a=setup:passive`.
    Server,
}

/// What we offer and accept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Codecs, the preferred one first: so we offer them. An answer keeps the order of the offer (RFC 3264 §6.1), so leave out what you
    /// cannot encode, or take the first of [`send_codecs`](field@super::MediaParameters::send_codecs) that you can.
    pub codecs: Vec<Codec>,
    /// RTP header extensions. Of those that have no name in [`HeaderExtension`] nothing is written or read, though they are negotiated:
    /// a peer may then leave to you what it would else do itself, as browsers do with `urn:3gpp:video-orientation`.
    pub header_extensions: Vec<HeaderExtension>,
    /// How many streams of a section we take where the peer offers the same pictures in several sizes (simulcast, RFC 8853), as browsers do for
    /// `sendEncodings`: a server that forwards chooses among them for each listener. By default 1: simulcast is refused, and the peer sends
    /// one stream. At most 16 are taken.
    pub receive_layers_max: usize,
    /// Whether CSRCs and header extensions are encrypted with what they are before (RFC 9335, W3C `rtpHeaderEncryptionPolicy`). By default
    /// not; whether it was agreed upon, [`MediaParameters::cryptex`](field@super::MediaParameters::cryptex) says.
    pub header_encryption: HeaderEncryption,
    /// Whether we report the arrival of packets as RFC 8888 has it (`a=rtcp-fb:* ack ccfb`), where the peer does, too: by sources and sequence
    /// numbers, with what the network says of its congestion (ECN), and without a number more in each packet. It takes the place of
    /// [`Feedback::TransportCc`], which is offered beside it, for peers that know only that. By default not: of browsers Chromium
    /// has it, and only behind a switch.
    pub ccfb: bool,
    /// Our role when we answer an offer that leaves the choice; without it, the client's, which saves a round trip
    /// (RFC 5763 §5). When we offer, the peer chooses.
    pub dtls_role: Option<DtlsRole>,
    /// The largest data channel message that we take, in bytes (RFC 8841 §6), for which memory is held
    /// ([`receive_buffer`](field@crate::Config::receive_buffer)); 0: any. That, and more than 1 GiB, needs
    /// [`partial_delivery_from`](field@crate::Config::partial_delivery_from): without it an endpoint refuses the configuration, and a connection by
    /// itself takes, and tells, a quarter of `receive_buffer`, but no less than the default, 262,144.
    pub max_message_size: u64,
    /// Our SCTP port (RFC 8841 §5).
    pub sctp_port: u16,
    /// Whether data channels may begin without SCTP's handshake, which takes up to two round trips: both sides tell one another what it
    /// would have told in their descriptions (SNAP, draft-hancke-tsvwg-snap). With a peer that does not, there is the handshake. By
    /// default not, for it is a draft.
    pub sctp_snap: bool,
    /// Whether an offer's sections but the first say `a=bundle-only` and port 0, as RFC 9143 §7.2.1 has it for those who
    /// would bundle or not talk at all. Without it they say what browsers say by default, which every peer reads.
    pub bundle_only: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            codecs: vec![Codec::opus(), Codec::pcmu(), Codec::vp8()],
            header_extensions: HeaderExtension::all(),
            receive_layers_max: 1,
            header_encryption: HeaderEncryption::default(),
            ccfb: false,
            dtls_role: None,
            max_message_size: 262_144,
            sctp_port: 5000,
            sctp_snap: false,
            bundle_only: false,
        }
    }
}

/// A codec that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Codec {
    /// What it carries.
    pub kind: MediaKind,
    /// Its name in `a=rtpmap`; case does not matter.
    pub name: String,
    /// Ticks of the RTP clock per second.
    pub clock_rate: u32,
    /// Channels, 1 for pictures.
    pub channels: u16,
    /// The payload type when we offer: 0 to 63 or 96 to 127 (RFC 5761 §4), and of one codec only; else another one that is free is
    /// offered. When we answer, it is the offer's.
    pub payload_type: u8,
    /// Our parameters (`a=fmtp`), perhaps empty.
    pub parameters: String,
    /// Feedback that we send and understand. Of [`Feedback::AckCcfb`] nothing is to be said here, but in [`Config::ccfb`](field@Config::ccfb).
    pub feedback: Vec<Feedback>,
    /// The payload type of what is sent again in a stream of its own (RFC 4588) when we offer. Without it, and with peers that do not offer
    /// it, what is missing is sent again under its own number. Either is done only where it is asked for ([`Feedback::Nack`]).
    pub rtx: Option<u8>,
}

impl Codec {
    /// A codec without parameters, feedback and retransmission.
    #[must_use]
    pub fn new(kind: MediaKind, name: &str, clock_rate: u32, channels: u16, payload_type: u8) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            clock_rate,
            channels,
            payload_type,
            parameters: String::new(),
            feedback: Vec::new(),
            rtx: None,
        }
    }

    /// Opus with in-band error correction (RFC 7587).
    #[must_use]
    pub fn opus() -> Self {
        Self {
            parameters: "minptime=10;useinbandfec=1".to_owned(),
            feedback: vec![Feedback::TransportCc],
            ..Self::new(MediaKind::Audio, "opus", 48_000, 2, 111)
        }
    }

    /// G.711 μ-law (RFC 3551).
    #[must_use]
    pub fn pcmu() -> Self {
        Self { feedback: vec![Feedback::TransportCc], ..Self::new(MediaKind::Audio, "PCMU", 8000, 1, 0) }
    }

    /// G.711 A-law (RFC 3551).
    #[must_use]
    pub fn pcma() -> Self {
        Self { feedback: vec![Feedback::TransportCc], ..Self::new(MediaKind::Audio, "PCMA", 8000, 1, 8) }
    }

    /// G.722 (RFC 3551), whose clock rate is half of its sampling rate.
    #[must_use]
    pub fn g722() -> Self {
        Self { feedback: vec![Feedback::TransportCc], ..Self::new(MediaKind::Audio, "G722", 8000, 1, 9) }
    }

    /// The keys of a telephone as events (RFC 4733), with the clock of the sound that they are beside: 8,000 for G.711 and G.722, 48,000
    /// for Opus. Put it behind those; each clock rate is a codec of its own.
    #[must_use]
    pub fn telephone_event(clock_rate: u32) -> Self {
        let payload_type = if clock_rate == 48_000 { 110 } else { 126 };
        Self {
            parameters: "0-15".to_owned(),
            ..Self::new(MediaKind::Audio, "telephone-event", clock_rate, 1, payload_type)
        }
    }

    /// VP8 (RFC 7741).
    #[must_use]
    pub fn vp8() -> Self {
        Self::pictures("VP8", 96, "")
    }

    /// H.264 (RFC 6184) as every browser that has it takes it: Constrained Baseline at level 3.1, packetization mode 1. For another
    /// profile, level or mode change [`parameters`](field@Self::parameters); each profile and each mode is a codec of its own, and needs a
    /// payload type of its own.
    #[must_use]
    pub fn h264() -> Self {
        Self::pictures("H264", 102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
    }

    /// VP9 (RFC 9628), profile 0: 8 bits, 4:2:0.
    #[must_use]
    pub fn vp9() -> Self {
        Self::pictures("VP9", 98, "profile-id=0")
    }

    /// AV1 (its RTP payload format), profile 0 (Main) up to level 3.1.
    #[must_use]
    pub fn av1() -> Self {
        Self::pictures("AV1", 45, "level-idx=5;profile=0;tier=0")
    }

    fn pictures(name: &str, payload_type: u8, parameters: &str) -> Self {
        Self {
            parameters: parameters.to_owned(),
            // RFC 8834 §5.1.1: a full intra request is to be understood by whoever sends pictures; those who mix ask by it.
            feedback: vec![Feedback::TransportCc, Feedback::Nack, Feedback::NackPli, Feedback::CcmFir],
            rtx: Some(payload_type + 1),
            ..Self::new(MediaKind::Video, name, 90_000, 1, payload_type)
        }
    }
}

/// An RTP header extension that we know (RFC 8285).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderExtension {
    /// What it is.
    pub uri: String,
    /// Its number when we offer, 1 to 14; when we answer, it is the offer's, up to 255 where headers of one and of two bytes may be mixed.
    pub id: u8,
    /// The sections that have it; none for all.
    pub kind: Option<MediaKind>,
}

impl HeaderExtension {
    /// The section's name in each packet (RFC 9143 §15).
    pub const MID: &'static str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// How loud the packet is (RFC 6464).
    pub const AUDIO_LEVEL: &'static str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// When the packet was sent.
    pub const ABS_SEND_TIME: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// The name of a layer of simulcast in its packets (RFC 8852); said only in sections that have layers.
    pub const RID: &'static str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// The name of a layer in packets that are sent again (RFC 8852); likewise.
    pub const REPAIRED_RID: &'static str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// The packet's number among all of the transport.
    pub const TRANSPORT_CC: &'static str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

    /// Which frames a frame needs, so that a server can leave out layers (AV1 RTP, appendix A): also of VP8, VP9 and H.264, if the peer writes it.
    pub const DEPENDENCY_DESCRIPTOR: &'static str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
    /// How much each layer of a sender takes.
    pub const VIDEO_LAYERS_ALLOCATION: &'static str =
        "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00";

    /// [`DEPENDENCY_DESCRIPTOR`](Self::DEPENDENCY_DESCRIPTOR), which is not offered or taken by default: for whoever forwards pictures.
    #[must_use]
    pub fn dependency_descriptor() -> Self {
        Self::new(Self::DEPENDENCY_DESCRIPTOR, 5, Some(MediaKind::Video))
    }

    /// [`VIDEO_LAYERS_ALLOCATION`](Self::VIDEO_LAYERS_ALLOCATION), likewise.
    #[must_use]
    pub fn video_layers_allocation() -> Self {
        Self::new(Self::VIDEO_LAYERS_ALLOCATION, 6, Some(MediaKind::Video))
    }

    /// An extension of all sections, or of those of a kind.
    #[must_use]
    pub fn new(uri: &str, id: u8, kind: Option<MediaKind>) -> Self {
        Self { uri: uri.to_owned(), id, kind }
    }

    fn all() -> Vec<Self> {
        vec![
            Self::new(Self::AUDIO_LEVEL, 1, Some(MediaKind::Audio)),
            Self::new(Self::ABS_SEND_TIME, 2, None),
            Self::new(Self::TRANSPORT_CC, 3, None),
            Self::new(Self::MID, 4, None),
            Self::new(Self::RID, 10, Some(MediaKind::Video)),
            Self::new(Self::REPAIRED_RID, 11, Some(MediaKind::Video)),
        ]
    }
}
