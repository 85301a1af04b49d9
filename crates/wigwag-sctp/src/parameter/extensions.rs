//! Supported Extensions (RFC 5061 §4.2.7), Forward-TSN-Supported (RFC 3758 §3.1) and Zero Checksum Acceptable (RFC 9653 §4).

use super::kind;
use crate::Config;
use crate::chunk;
use crate::migration::{Reader, State, Writer};
use crate::wire::{Tlv, put_framed, put_u32};

/// RFC 9653 §7: the error detection method of SCTP over DTLS (RFC 8261).
const SCTP_OVER_DTLS: [u8; 4] = [0, 0, 0, 1];

/// What goes beyond RFC 9260.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// Messages can be given up (RFC 3758).
    pub(crate) has_forward_tsn: bool,
    /// Streams can be reset (RFC 6525).
    pub(crate) has_reconfig: bool,
    /// Messages of several streams may be on their way in pieces at once (RFC 8260).
    pub(crate) has_interleaving: bool,
    /// Packets need no checksum (RFC 9653).
    pub(crate) accepts_zero_checksum: bool,
}

/// What is read after it is of chunks as it tells.
impl State for Extensions {
    fn write(&self, out: &mut Writer) {
        self.bits().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let bits = u8::read(from)?;
        from.extensions = Self::from_bits(bits);
        (from.extensions.bits() == bits).then_some(from.extensions)
    }
}

impl Extensions {
    /// What we support.
    pub(crate) const fn ours(config: &Config) -> Self {
        Self {
            has_forward_tsn: true,
            has_reconfig: true,
            has_interleaving: config.interleaving,
            accepts_zero_checksum: config.zero_checksum,
        }
    }

    /// What we answer to a peer that has told of `theirs`: what both support, and whether we need checksums ourselves.
    pub(crate) const fn answer(self, theirs: Self) -> Self {
        let accepts_zero_checksum = self.accepts_zero_checksum;
        Self { accepts_zero_checksum, ..self.and(theirs) }
    }

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
                // RFC 8260 §2.2.1: "an endpoint supporting the extension defined in this document […] MUST list the I-DATA
                // chunk in the Supported Extensions Parameter"; I-FORWARD-TSN goes with it.
                self.has_interleaving |= parameter.value.contains(&chunk::kind::I_DATA);
            }
            // RFC 9653 §5.2: only the method that protects this association counts.
            kind::ZERO_CHECKSUM_ACCEPTABLE => self.accepts_zero_checksum |= parameter.value == SCTP_OVER_DTLS,
            _ => return false,
        }
        true
    }

    /// Returns the padding of the last parameter.
    pub(crate) fn write(self, out: &mut Vec<u8>) -> usize {
        if self.accepts_zero_checksum {
            put_framed(kind::ZERO_CHECKSUM_ACCEPTABLE.to_be_bytes(), out, |out| {
                put_u32(u32::from_be_bytes(SCTP_OVER_DTLS), out);
            });
        }
        if self.has_forward_tsn {
            put_framed(kind::FORWARD_TSN_SUPPORTED.to_be_bytes(), out, |_| ());
        }
        let chunks = [
            (self.has_forward_tsn, chunk::kind::FORWARD_TSN),
            (self.has_reconfig, chunk::kind::RECONFIG),
            (self.has_interleaving, chunk::kind::I_DATA),
            (self.has_interleaving && self.has_forward_tsn, chunk::kind::I_FORWARD_TSN),
        ];
        if chunks.iter().all(|(is_supported, _)| !is_supported) {
            return 0;
        }
        put_framed(kind::SUPPORTED_EXTENSIONS.to_be_bytes(), out, |out| {
            out.extend(chunks.iter().filter_map(|(is_supported, kind)| is_supported.then_some(*kind)));
        })
    }

    pub(crate) const fn bits(self) -> u8 {
        self.has_forward_tsn as u8
            | (self.has_reconfig as u8) << 1
            | (self.has_interleaving as u8) << 2
            | (self.accepts_zero_checksum as u8) << 3
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self {
            has_forward_tsn: bits & 1 != 0,
            has_reconfig: bits & 2 != 0,
            has_interleaving: bits & 4 != 0,
            accepts_zero_checksum: bits & 8 != 0,
        }
    }
}
