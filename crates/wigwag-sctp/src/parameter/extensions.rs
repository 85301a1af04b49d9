//! Supported Extensions (RFC 5061 §4.2.7) and Forward-TSN-Supported (RFC 3758 §3.1).

use super::kind;
use crate::chunk;
use crate::wire::{Tlv, put_framed};

/// What goes beyond RFC 9260.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// Messages can be given up (RFC 3758).
    pub(crate) has_forward_tsn: bool,
    /// Streams can be reset (RFC 6525).
    pub(crate) has_reconfig: bool,
}

impl Extensions {
    /// What we support.
    pub(crate) const ALL: Self = Self { has_forward_tsn: true, has_reconfig: true };

    /// What both support.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self::from_bits(self.bits() & other.bits())
    }

    /// Takes note of a parameter, if it is about extensions.
    pub(crate) fn read(&mut self, parameter: Tlv<'_>) -> bool {
        match parameter.kind {
            kind::FORWARD_TSN_SUPPORTED => self.has_forward_tsn = true,
            kind::SUPPORTED_EXTENSIONS => {
                self.has_forward_tsn |= parameter.value.contains(&chunk::kind::FORWARD_TSN);
                self.has_reconfig |= parameter.value.contains(&chunk::kind::RECONFIG);
            }
            _ => return false,
        }
        true
    }

    /// Returns the padding of the last parameter.
    pub(crate) fn write(self, out: &mut Vec<u8>) -> usize {
        if self.has_forward_tsn {
            put_framed(kind::FORWARD_TSN_SUPPORTED.to_be_bytes(), out, |_| ());
        }
        if self.bits() == 0 {
            return 0;
        }
        put_framed(kind::SUPPORTED_EXTENSIONS.to_be_bytes(), out, |out| {
            out.extend(self.has_forward_tsn.then_some(chunk::kind::FORWARD_TSN));
            out.extend(self.has_reconfig.then_some(chunk::kind::RECONFIG));
        })
    }

    pub(crate) const fn bits(self) -> u8 {
        self.has_forward_tsn as u8 | (self.has_reconfig as u8) << 1
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self { has_forward_tsn: bits & 1 != 0, has_reconfig: bits & 2 != 0 }
    }
}
