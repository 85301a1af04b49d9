//! Transceivers as facts of negotiation (RFC 9429 §3.4).

use super::config::MediaKind;
use super::restrictions::NegotiatedLayer;
use wigwag_sdp::{Direction, Feedback};

/// Names a transceiver; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransceiverId(pub(super) u32);

/// What a transceiver begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransceiverInit {
    /// What we want.
    pub direction: Direction,
    /// What we send, if it is known already.
    pub send: Option<SendStream>,
    /// Whether a section that the peer offers may use it, as after W3C's `addTrack`; after `addTransceiver` only a
    /// section that we offer may.
    pub may_be_offered: bool,
}

impl Default for TransceiverInit {
    fn default() -> Self {
        Self { direction: Direction::Sendrecv, send: None, may_be_offered: true }
    }
}

/// A stream that we send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendStream {
    /// Its number.
    pub ssrc: u32,
    /// That of its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Our name, the same for all that is to be heard and seen in step (RFC 3550 §6.5.1).
    pub cname: String,
    /// W3C's `MediaStream`s that it belongs to.
    pub stream_ids: Vec<String>,
    /// W3C's `MediaStreamTrack`.
    pub track_id: String,
    /// The layers of simulcast (RFC 8853), the preferred one first. Without any, and with peers that refuse them, there is one stream, of
    /// the number above; else that is the first layer's.
    pub layers: Vec<SendLayer>,
}

/// A layer of simulcast that we send: the same pictures in a size of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendLayer {
    /// Its name: up to 16 letters and digits (RFC 8852 §3).
    pub rid: String,
    /// Its number.
    pub ssrc: u32,
    /// That of its retransmissions.
    pub rtx_ssrc: Option<u32>,
}

/// A transceiver, as far as descriptions know it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transceiver {
    /// Its name here.
    pub id: TransceiverId,
    /// What it carries.
    pub kind: MediaKind,
    /// The section's name, once it has one.
    pub mid: Option<String>,
    /// What we want.
    pub direction: Direction,
    /// What was agreed upon, seen from us; `None` before the first answer.
    pub current_direction: Option<Direction>,
    /// What we send.
    pub send: Option<SendStream>,
    /// The layers of simulcast that our offers ask for, by name; of the peer's offers, see
    /// [`receive_layers_max`](field@super::Config::receive_layers_max).
    pub receive_layers: Vec<String>,
    /// Whether it ends with the next negotiation.
    pub is_stopping: bool,
    /// What was agreed upon; `None` before the first answer.
    pub negotiated: Option<MediaParameters>,
    pub(super) may_be_offered: bool,
    /// Made by an offer of the peer's that is not answered, and left alone by the application.
    pub(super) is_tentative: bool,
}

/// What both sides agreed upon for a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaParameters {
    /// What we may send, with the peer's payload types; the first is the one that the peer likes best.
    pub send_codecs: Vec<NegotiatedCodec>,
    /// What we may receive, with our payload types.
    pub receive_codecs: Vec<NegotiatedCodec>,
    /// Header extensions.
    pub extensions: Vec<NegotiatedExtension>,
    /// Whether the elements of header extensions may have headers of one byte in some packets and of two in others (RFC 8285 §6): else what is
    /// longer than 16 bytes is not sent.
    pub extmap_allow_mixed: bool,
    /// The layers of simulcast that we send (RFC 8853), and what the peer restricts them to; empty if there is one stream.
    pub send_layers: Vec<NegotiatedLayer>,
    /// Those that the peer sends, in its order if it offered them, and what it says that they are at most; likewise.
    pub receive_layers: Vec<NegotiatedLayer>,
    /// Whether RTCP may be of reduced size (RFC 5506).
    pub rtcp_rsize: bool,
    /// Whether CSRCs and header extensions are encrypted (RFC 9335): W3C `rtpHeaderEncryptionNegotiated`. It is the same for all sections.
    pub cryptex: bool,
    /// Whether arrivals are reported by sources and sequence numbers (RFC 8888), and not by transport-wide ones. It is the same for all
    /// sections.
    pub ccfb: bool,
    /// Streams that the peer announces, without their retransmissions; peers need not announce any.
    pub remote_ssrcs: Vec<u32>,
    /// Those that have retransmissions: the stream and its retransmissions' number.
    pub remote_rtx: Vec<(u32, u32)>,
    /// W3C's `MediaStream`s that the peer says the track belongs to.
    pub remote_stream_ids: Vec<String>,
    /// W3C's `MediaStreamTrack`, if the peer names it.
    pub remote_track_id: Option<String>,
}

impl MediaParameters {
    /// The codec of packets that come with this payload type. `None` if nothing comes with that number.
    pub fn receive_codec(&self, payload_type: u8) -> Option<&NegotiatedCodec> {
        self.receive_codecs.iter().find(|codec| codec.payload_type == payload_type)
    }

    /// As what to send back that which came with this payload type: the same codec, which may have another number where the
    /// peer receives it. `None` if the peer does not take it, or nothing comes with that number.
    pub fn send_codec_for(&self, received: u8) -> Option<&NegotiatedCodec> {
        let received = self.receive_codec(received)?;
        self.send_codecs.iter().find(|codec| codec.index == received.index)
    }
}

/// A codec that both sides know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedCodec {
    /// Its place in [`Config::codecs`](super::Config::codecs).
    pub index: usize,
    /// The number in each packet.
    pub payload_type: u8,
    /// Its name as we write it.
    pub name: String,
    /// Ticks of the RTP clock per second.
    pub clock_rate: u32,
    /// Channels, 1 for pictures.
    pub channels: u16,
    /// The receiver's parameters (`a=fmtp`), perhaps empty.
    pub parameters: String,
    /// Feedback that both sides know.
    pub feedback: Vec<Feedback>,
    /// The number of retransmissions, if both sides know them.
    pub rtx: Option<u8>,
}

/// A header extension that both sides know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedExtension {
    /// The number in each packet, 1 to 14.
    pub id: u8,
    /// What it is.
    pub uri: String,
    /// Whether we may send it.
    pub sends: bool,
    /// Whether we may receive it.
    pub receives: bool,
}
