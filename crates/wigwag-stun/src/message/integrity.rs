//! MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 §14.5, §14.7).

use super::header::{HEADER_LEN, Header};
use crate::IntegrityKey;
use crate::crypto::{self, TAG_LEN};

/// What MESSAGE-INTEGRITY takes: four bytes of header and a tag.
const INTEGRITY_LEN: u16 = 24;
/// What FINGERPRINT takes: four bytes of header and a checksum.
pub(super) const FINGERPRINT_LEN: u16 = 8;

/// RFC 8489 §14.7: "the CRC-32 of the STUN message up to (but excluding) the FINGERPRINT attribute itself, XOR'ed with
/// the 32-bit value 0x5354554e"
pub(super) fn fingerprint(message: &[u8]) -> u32 {
    crypto::crc32(message) ^ 0x5354_554e
}

/// The tag over a message of which `attributes` stand before MESSAGE-INTEGRITY.
pub(super) fn tag(key: &IntegrityKey, header: Header, attributes: &[u8]) -> Option<[u8; TAG_LEN]> {
    // RFC 8489 §14.5: "the Length field of the STUN message header is adjusted to point to the end of the
    // MESSAGE-INTEGRITY attribute"
    let length = u16::try_from(attributes.len()).ok()?.checked_add(INTEGRITY_LEN)?;
    let header: [u8; HEADER_LEN] = header.encode(length);
    Some(key.0.tag([&header, attributes]))
}

/// A tag that was read, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integrity<'a> {
    /// The attributes before it.
    pub(super) covered: &'a [u8],
    pub(super) tag: &'a [u8; TAG_LEN],
}

impl Integrity<'_> {
    pub(super) fn verify(self, key: &IntegrityKey, header: Header) -> bool {
        tag(key, header, self.covered).is_some_and(|tag| crypto::is_equal(&tag, self.tag))
    }
}
