//! What a session tells its owner.

use crate::extension::{AudioLevel, ElementData};
use crate::payload::numbers::Head;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_sansio::Ecn;

/// A stream of ours; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderId(pub(crate) u64);

/// A media section that we receive; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverId(pub(crate) u64);

/// A packet as the application sees it, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpPacket {
    /// 0 to 127.
    pub payload_type: u8,
    /// What the payload format says it is: for video, the last packet of a picture.
    pub marker: bool,
    /// When sending: `None` to count on from the packet before; a number more than 1,023 behind the furthest is refused. Whoever forwards a
    /// stream lets [`Session::forward`](crate::Session::forward) make the numbers. When received: always `Some`.
    pub sequence: Option<u16>,
    /// In ticks of the payload type's clock.
    pub timestamp: u32,
    /// How loud the packet is, if its extension was negotiated (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// Which frames its frame needs, if its extension was negotiated ([`DependencyReader`](crate::DependencyReader)).
    pub dependency_descriptor: Option<ElementData>,
    /// How much the sender's layers take, likewise, in some packets
    /// ([`VideoLayersAllocation`](crate::VideoLayersAllocation)).
    pub video_layers_allocation: Option<ElementData>,
    /// What the packet carries, without padding.
    pub payload: Bytes,
    /// What leaves in place of the payload's first bytes.
    pub(crate) head: Head,
}

impl RtpPacket {
    /// A packet without marker that takes the next sequence number.
    pub const fn new(payload_type: u8, timestamp: u32, payload: Bytes) -> Self {
        Self {
            payload_type,
            marker: false,
            sequence: None,
            timestamp,
            audio_level: None,
            dependency_descriptor: None,
            video_layers_allocation: None,
            payload,
            head: Head::NONE,
        }
    }

    /// What it holds in memory that can be long, in bytes.
    pub(crate) fn held_len(&self) -> usize {
        let elements = [&self.dependency_descriptor, &self.video_layers_allocation];
        self.payload.len() + elements.into_iter().flatten().map(|element| element.len()).sum::<usize>()
    }
}

/// A packet that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The media section it belongs to (RFC 9143 §9.2).
    pub receiver: ReceiverId,
    /// Its source.
    pub ssrc: u32,
    /// The layer of simulcast that the source is, if its packets have told (RFC 8852).
    pub rid: Option<Arc<str>>,
    /// Its sequence number, continued beyond 16 bits; the low 16 are the packet's own.
    pub extended_sequence: u64,
    /// When it was handed in.
    pub arrival: Instant,
    /// What the network said of its congestion.
    pub ecn: Ecn,
    /// When the sender says it left, in 2⁻¹⁸ s modulo 64 s.
    pub abs_send_time: Option<u32>,
    /// The packet.
    pub packet: RtpPacket,
}

/// What the peer's reports of arrivals say of a packet that we sent: transport-wide feedback, or congestion control feedback (RFC 8888).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reported {
    /// Its number among all packets that are reported on: the transport-wide sequence number, continued beyond 16 bits, where there is one.
    pub sequence: u64,
    /// When the packet left.
    pub sent: Instant,
    /// Its size in bytes, with RTP header, without anything below.
    pub size: usize,
    /// When it arrived, by the peer's clock, whose origin is arbitrary and wraps after 12.4 days; `None`: not yet.
    pub arrival: Option<Duration>,
    /// What the network said of its congestion. Transport-wide feedback does not tell.
    pub ecn: Ecn,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A packet arrived, in the order of arrival.
    Packet(Received),
    /// The peer cannot go on without a key frame (PLI or FIR), or could not, for a picture was refused for want of room. It is told no sooner than 300 ms after the one before, however often the peer
    /// asks.
    KeyFrameRequested {
        /// Of which stream.
        sender: SenderId,
    },
    /// The peer ended a stream. It comes after the stream's packets; if more packets of the source come, they begin a new
    /// stream.
    Ended {
        /// The media section.
        receiver: ReceiverId,
        /// The source that said BYE.
        ssrc: u32,
    },
    /// The peer reported arrivals, for congestion control.
    TransportFeedback(Vec<Reported>),
    /// A sender's queue that was full takes packets again.
    Writable {
        /// Which one.
        sender: SenderId,
    },
}
