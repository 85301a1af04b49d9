//! Header extensions (RFC 8285), and what WebRTC puts into them.

pub(crate) mod abs_send_time;
mod audio_level;
mod dependency_descriptor;
mod element_data;
mod elements;
mod video_layers_allocation;

pub use audio_level::AudioLevel;
pub use dependency_descriptor::{
    DecodeTarget, DependencyDescriptor, DependencyReader, DependencyStructure, DescriptorFields, Indication, Template,
};
pub(crate) use element_data::ELEMENT_LEN_MAX;
pub use element_data::ElementData;
pub use elements::Elements;
pub use video_layers_allocation::{LayerAllocation, LayerFormat, VideoLayersAllocation};

/// The numbers under which header extensions were negotiated (`a=extmap`): 1 to 14, or to 255 with two-byte headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 9143 §15).
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id` (RFC 8852).
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id` (RFC 8852).
    pub repaired_rid: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`.
    pub abs_send_time: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub transport_cc: Option<u8>,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension` (AV1 RTP, appendix A).
    pub dependency_descriptor: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00`.
    pub video_layers_allocation: Option<u8>,
}

impl Extensions {
    /// None negotiated.
    pub const NONE: Self = Self {
        mid: None,
        rid: None,
        repaired_rid: None,
        abs_send_time: None,
        audio_level: None,
        transport_cc: None,
        dependency_descriptor: None,
        video_layers_allocation: None,
    };

    const fn all(&self) -> [Option<u8>; 8] {
        let Self { mid, rid, repaired_rid, abs_send_time, audio_level, transport_cc, .. } = *self;
        let Self { dependency_descriptor, video_layers_allocation, .. } = *self;
        [
            mid,
            rid,
            repaired_rid,
            abs_send_time,
            audio_level,
            transport_cc,
            dependency_descriptor,
            video_layers_allocation,
        ]
    }

    const fn all_mut(&mut self) -> [&mut Option<u8>; 8] {
        [
            &mut self.mid,
            &mut self.rid,
            &mut self.repaired_rid,
            &mut self.abs_send_time,
            &mut self.audio_level,
            &mut self.transport_cc,
            &mut self.dependency_descriptor,
            &mut self.video_layers_allocation,
        ]
    }

    /// Those that can be written. Number 0 is padding (RFC 8285 §4.2), and of two with one number the first counts.
    pub(crate) fn distinct(mut self) -> Self {
        let mut seen = [0; 8];
        for (at, number) in self.all_mut().into_iter().enumerate() {
            if number.is_some_and(|number| seen.contains(&number)) {
                *number = None;
            }
            if let (Some(slot), Some(number)) = (seen.get_mut(at), *number) {
                *slot = number;
            }
        }
        self
    }

    /// Takes what `other` has and this has not.
    pub(crate) fn merge(&mut self, other: Self) {
        for (number, other) in self.all_mut().into_iter().zip(other.all()) {
            *number = number.or(other);
        }
    }

    /// Whether one of them has a number that headers of one byte do not have (RFC 8285 §4.2).
    pub(crate) fn needs_two_bytes(&self) -> bool {
        self.all().into_iter().flatten().any(|number| number > 14)
    }

    /// What `elements` say by these numbers; an element of a wrong length says nothing.
    pub(crate) fn read<'a>(&self, elements: Elements<'a>) -> Values<'a> {
        let mut values = Values::default();
        for (id, data) in elements {
            let id = Some(id);
            if id == self.mid {
                values.mid = Some(data);
            } else if id == self.rid {
                values.rid = Some(data);
            } else if id == self.repaired_rid {
                values.repaired_rid = Some(data);
            } else if id == self.abs_send_time {
                values.abs_send_time = <[u8; 3]>::try_from(data).ok().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]));
            } else if id == self.audio_level {
                values.audio_level = data.first().copied().map(AudioLevel::from_byte);
            } else if id == self.transport_cc {
                values.transport_sequence = data.first_chunk().copied().map(u16::from_be_bytes);
            } else if id == self.dependency_descriptor {
                values.dependency_descriptor = Some(data);
            } else if id == self.video_layers_allocation {
                values.video_layers_allocation = Some(data);
            }
        }
        values
    }
}

/// What the header extensions of a packet say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values<'a> {
    pub(crate) mid: Option<&'a [u8]>,
    pub(crate) rid: Option<&'a [u8]>,
    pub(crate) repaired_rid: Option<&'a [u8]>,
    pub(crate) abs_send_time: Option<u32>,
    pub(crate) audio_level: Option<AudioLevel>,
    pub(crate) transport_sequence: Option<u16>,
    pub(crate) dependency_descriptor: Option<&'a [u8]>,
    pub(crate) video_layers_allocation: Option<&'a [u8]>,
}
