//! MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5 to §14.7).

use super::header::{HEADER_LEN, Header};
use crate::crypto::{self, SHA256_TAG_LEN, TAG_LEN};
use crate::{IntegrityKey, IntegrityKeySha256};

/// What MESSAGE-INTEGRITY takes: four bytes of header and a tag.
const INTEGRITY_LEN: u16 = 24;
/// What MESSAGE-INTEGRITY-SHA256 takes: four bytes of header and a tag.
const INTEGRITY_SHA256_LEN: u16 = 36;
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

/// The tag over a message of which `attributes` stand before MESSAGE-INTEGRITY-SHA256.
pub(super) fn tag_sha256(key: &IntegrityKeySha256, header: Header, attributes: &[u8]) -> Option<[u8; SHA256_TAG_LEN]> {
    // RFC 8489 §14.6: "The Length field of the STUN message header is adjusted to point to the end of the
    // MESSAGE-INTEGRITY-SHA256 attribute."
    let length = u16::try_from(attributes.len()).ok()?.checked_add(INTEGRITY_SHA256_LEN)?;
    let header: [u8; HEADER_LEN] = header.encode(length);
    Some(key.0.tag([&header, attributes]))
}

/// A tag of SHA-256 that was read, and where. A truncated one is read, and never right.
#[derive(Clone, Copy, Debug)]
pub(super) struct IntegritySha256<'a> {
    covered: &'a [u8],
    tag: &'a [u8],
}

impl<'a> IntegritySha256<'a> {
    /// RFC 8489 §14.6: "The value will be at most 32 bytes, but it MUST be at least 16 bytes and MUST be a multiple of 4
    /// bytes."
    pub(super) fn read(covered: &'a [u8], tag: &'a [u8]) -> Option<Self> {
        ((16..=SHA256_TAG_LEN).contains(&tag.len()) && tag.len().is_multiple_of(4)).then_some(Self { covered, tag })
    }

    pub(super) fn verify(self, key: &IntegrityKeySha256, header: Header) -> bool {
        // RFC 8489 §14.6: "The value must be the full 32 bytes unless the STUN Usage explicitly specifies that
        // truncation is allowed."
        let tag = tag_sha256(key, header, self.covered).filter(|_| self.tag.len() == SHA256_TAG_LEN);
        tag.is_some_and(|tag| crypto::is_equal(&tag, self.tag))
    }
}
