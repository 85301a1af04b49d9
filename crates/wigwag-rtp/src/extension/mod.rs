//! Header extensions (RFC 8285), and what WebRTC puts into them.

pub(crate) mod abs_send_time;
mod audio_level;
mod dependency_descriptor;
mod elements;
mod video_layers_allocation;

pub use audio_level::AudioLevel;
pub use dependency_descriptor::{
    DecodeTarget, DependencyDescriptor, DependencyReader, DependencyStructure, DescriptorFields, Indication, Template,
};
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
}

impl Extensions {
    /// None negotiated.
    pub const NONE: Self =
        Self { mid: None, rid: None, repaired_rid: None, abs_send_time: None, audio_level: None, transport_cc: None };

    /// Those that can be written. Number 0 is padding (RFC 8285 §4.2), and of two with one number the first counts.
    pub(crate) fn distinct(mut self) -> Self {
        let mut seen = [0; 6];
        let Self { mid, rid, repaired_rid, abs_send_time, audio_level, transport_cc } = &mut self;
        for (at, number) in [mid, rid, repaired_rid, abs_send_time, audio_level, transport_cc].into_iter().enumerate() {
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
        self.mid = self.mid.or(other.mid);
        self.rid = self.rid.or(other.rid);
        self.repaired_rid = self.repaired_rid.or(other.repaired_rid);
        self.abs_send_time = self.abs_send_time.or(other.abs_send_time);
        self.audio_level = self.audio_level.or(other.audio_level);
        self.transport_cc = self.transport_cc.or(other.transport_cc);
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
}
