//! Which frames of a stream with layers need which (Dependency Descriptor: AV1 RTP, appendix A).

mod bits;
mod reader;
mod structure;
mod writer;

pub use reader::{DependencyDescriptor, DependencyReader};
pub use structure::{DecodeTarget, DependencyStructure, Indication, Template};
pub use writer::DescriptorFields;
