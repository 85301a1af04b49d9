#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod config;
mod demultiplex;
mod error;
mod event;
mod extension;
pub mod header;
pub mod payload;
mod read;
mod record;
pub mod rtcp;
mod selector;
mod session;
mod stats;
mod stream;
mod stream_feedback;
mod time;
mod transport_wide;

pub use config::{Config, Kind, PayloadType, ReceiverConfig, RtxPayloadType, RtxStream, SenderConfig};
pub use error::{DecodeError, Error, SendError};
pub use event::{Event, Received, ReceiverId, Reported, RtpPacket, SenderId};
pub use extension::{AudioLevel, ElementData, Elements, Extensions};
pub use extension::{
    DecodeTarget, DependencyDescriptor, DependencyReader, DependencyStructure, DescriptorFields, Indication, Template,
};
pub use extension::{LayerAllocation, LayerFormat, VideoLayersAllocation};
pub use selector::{LayerSelector, Selection};
pub use session::Session;
pub use session::pacing::PacedQueue;
pub use stats::{Load, ReceiverStats, SenderStats, Stats};
pub use stream::jitter_buffer::{JitterBuffer, JitterConfig, JitterStats, OrderedPacket};
