//! Answers that need no association, or end one (RFC 9260 §8.4). One packet each, with a tag of its own.

use super::connect::InitAck;
use crate::chunk::{Abort, REFLECTED, write_error, write_shutdown_complete};
use crate::wire::Tlv;

/// See the module.
#[derive(Debug)]
pub(crate) enum Reply {
    InitAck(InitAck),
    Abort {
        tag: u32,
        /// Code and value.
        cause: Option<(u16, Vec<u8>)>,
    },
    /// To a packet that belongs to nothing: its own tag comes back.
    Reflected {
        tag: u32,
        is_shutdown_complete: bool,
    },
    ShutdownComplete {
        tag: u32,
    },
    Error {
        tag: u32,
        cause: u16,
        value: Vec<u8>,
    },
}

impl Reply {
    pub(crate) fn abort(tag: u32, cause: u16, value: &[u8]) -> Self {
        Self::Abort { tag, cause: Some((cause, value.to_vec())) }
    }

    pub(crate) const fn bare_abort(tag: u32) -> Self {
        Self::Abort { tag, cause: None }
    }

    pub(crate) fn error(tag: u32, cause: u16, value: &[u8]) -> Self {
        Self::Error { tag, cause, value: value.to_vec() }
    }

    pub(crate) const fn tag(&self) -> u32 {
        match self {
            Self::InitAck(ack) => ack.tag(),
            Self::Abort { tag, .. }
            | Self::Reflected { tag, .. }
            | Self::ShutdownComplete { tag }
            | Self::Error { tag, .. } => *tag,
        }
    }

    /// Appends the chunk; of an INIT ACK the association does.
    pub(crate) fn write(&self, out: &mut Vec<u8>, init_ack: impl FnOnce(&InitAck, &mut Vec<u8>)) {
        match self {
            Self::InitAck(ack) => init_ack(ack, out),
            Self::Abort { cause, .. } => {
                Abort::write(0, cause.as_ref().map(|(kind, value)| Tlv { kind: *kind, value }), out);
            }
            Self::Reflected { is_shutdown_complete: false, .. } => Abort::write(REFLECTED, None, out),
            Self::Reflected { is_shutdown_complete: true, .. } => write_shutdown_complete(REFLECTED, out),
            Self::ShutdownComplete { .. } => write_shutdown_complete(0, out),
            Self::Error { cause, value, .. } => {
                let mut causes = Vec::new();
                Tlv { kind: *cause, value }.write(&mut causes);
                write_error(&causes, out);
            }
        }
    }
}
