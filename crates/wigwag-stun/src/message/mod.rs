//! A message as it was received (RFC 8489 §5, §6.3).

mod address;
mod attribute;
mod error_code;
mod header;
mod integrity;
mod writer;

pub use attribute::{AttributeType, Attributes};
pub use error_code::ErrorCode;
pub use header::{Class, Method, TransactionId};
pub use writer::{MessageWriter, Protected, ProtectedSha256};

use crate::{DecodeError, IntegrityKey, IntegrityKeySha256};
use attribute::Reader;
use header::{HEADER_LEN, Header};
use integrity::{Integrity, IntegritySha256};
use std::net::SocketAddr;
use std::ops::Range;

/// A STUN message that was read where it lies: nothing is copied.
///
/// What it says is believed only after [`is_authentic`](Self::is_authentic).
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    header: Header,
    /// The attributes that are known.
    pub attributes: Attributes<'a>,
    /// All attributes up to MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT.
    read: &'a [u8],
    integrity: Option<Integrity<'a>>,
    integrity_sha256: Option<IntegritySha256<'a>>,
    has_fingerprint: bool,
    has_unknown_required: bool,
}

impl<'a> Message<'a> {
    /// Whether these bytes may be STUN among other protocols, by the first of them only (RFC 7983 §7). Methods from 0x100 on, which
    /// nobody uses, look like the others, though they [decode](Self::decode).
    pub const fn is_likely(payload: &[u8]) -> bool {
        matches!(payload, [0..=3, ..]) && payload.len() >= HEADER_LEN
    }

    /// Reads a whole datagram.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not exactly one well-formed message, or its FINGERPRINT is wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, all) = Header::decode(bytes)?;
        let mut message = Self {
            header,
            attributes: Attributes::default(),
            read: all,
            integrity: None,
            integrity_sha256: None,
            has_fingerprint: false,
            has_unknown_required: false,
        };
        let mut reader = Reader(all);
        loop {
            let rest = reader.0;
            let Some(next) = reader.next() else { return Ok(message) };
            let (kind, value) = next?;
            let before = all.len().checked_sub(rest.len()).and_then(|len| all.get(..len)).unwrap_or_default();
            if message.has_fingerprint {
                // RFC 8489 §14.7: "When present, the FINGERPRINT attribute MUST be the last attribute in the message"
                return Err(DecodeError::AfterFingerprint);
            } else if kind == AttributeType::FINGERPRINT {
                message.read_fingerprint(bytes, before, value)?;
            } else if message.integrity_sha256.is_some() {
                // RFC 8489 §9: "Similarly, agents MUST ignore all attributes that follow the MESSAGE-INTEGRITY-SHA256
                // attribute if the MESSAGE-INTEGRITY attribute is not present, with the exception of the FINGERPRINT
                // attribute."
            } else if kind == AttributeType::MESSAGE_INTEGRITY_SHA256 {
                let integrity = IntegritySha256::read(before, value).ok_or(DecodeError::Malformed(kind))?;
                message.integrity_sha256 = Some(integrity);
                if message.integrity.is_none() {
                    message.read = before;
                }
            } else if message.integrity.is_some() {
                // RFC 8489 §14.5: "Note that agents MUST ignore all attributes that follow MESSAGE-INTEGRITY, with the
                // exception of the MESSAGE-INTEGRITY-SHA256 and FINGERPRINT attributes."
            } else if kind == AttributeType::MESSAGE_INTEGRITY {
                let tag = value.try_into().map_err(|_| DecodeError::Malformed(kind))?;
                message.integrity = Some(Integrity { covered: before, tag });
                message.read = before;
            } else {
                message.has_unknown_required |= kind.is_required() && !kind.is_known();
                message.attributes.read(kind, value, header.transaction)?;
            }
        }
    }

    fn read_fingerprint(&mut self, bytes: &[u8], before: &'a [u8], value: &[u8]) -> Result<(), DecodeError> {
        let value = value.try_into().map_err(|_| DecodeError::Malformed(AttributeType::FINGERPRINT))?;
        let covered = bytes.get(..HEADER_LEN.saturating_add(before.len())).unwrap_or_default();
        if u32::from_be_bytes(value) != integrity::fingerprint(covered) {
            return Err(DecodeError::Fingerprint);
        }
        self.has_fingerprint = true;
        if self.integrity.is_none() && self.integrity_sha256.is_none() {
            self.read = before;
        }
        Ok(())
    }

    /// Whether it asks, tells or answers.
    pub const fn class(&self) -> Class {
        self.header.class
    }

    /// What it is about.
    pub const fn method(&self) -> Method {
        self.header.method
    }

    /// Which transaction it belongs to.
    pub const fn transaction(&self) -> TransactionId {
        self.header.transaction
    }

    /// Whether MESSAGE-INTEGRITY is there, right or wrong.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether FINGERPRINT is there; a wrong one does not decode.
    pub const fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// Whether MESSAGE-INTEGRITY is there and was made with `key`; compared in constant time.
    pub fn is_authentic(&self, key: &IntegrityKey) -> bool {
        self.integrity.is_some_and(|integrity| integrity.verify(key, self.header))
    }

    /// Whether MESSAGE-INTEGRITY-SHA256 is there, right or wrong.
    pub const fn has_integrity_sha256(&self) -> bool {
        self.integrity_sha256.is_some()
    }

    /// Whether MESSAGE-INTEGRITY-SHA256 is there in full and was made with `key`; compared in constant time.
    pub fn is_authentic_sha256(&self, key: &IntegrityKeySha256) -> bool {
        self.integrity_sha256.is_some_and(|integrity| integrity.verify(key, self.header))
    }

    /// Whether there is an attribute that must be understood and is not: a request is answered with 420 then, a
    /// response is a failure (RFC 8489 §6.3).
    pub const fn has_unknown_required(&self) -> bool {
        self.has_unknown_required
    }

    /// The attributes that must be understood and are not, in their order.
    pub fn unknown_required(&self) -> impl Iterator<Item = AttributeType> + Clone + use<'a> {
        self.iter().map(|(kind, _)| kind).filter(|kind| kind.is_required() && !kind.is_known())
    }

    /// The address in the value of an attribute that is as plain as that of MAPPED-ADDRESS is; `None` if there is none.
    pub fn address(&self, value: &[u8]) -> Option<SocketAddr> {
        address::decode(value)
    }

    /// The address in the value of an attribute that is hidden as that of XOR-MAPPED-ADDRESS is; `None` if there is none.
    pub fn xor_address(&self, value: &[u8]) -> Option<SocketAddr> {
        address::decode_xor(value, self.header.transaction)
    }

    /// Where in the message the value of the first attribute of this type lies, without its padding, in bytes from the beginning; only
    /// of those that [`iter`](Self::iter) tells.
    pub fn position(&self, kind: AttributeType) -> Option<Range<usize>> {
        let mut reader = Reader(self.read);
        loop {
            let before = self.read.len().saturating_sub(reader.0.len());
            let (found, value) = reader.next()?.ok()?;
            if found == kind {
                let start = HEADER_LEN.saturating_add(before).saturating_add(4);
                return Some(start..start.saturating_add(value.len()));
            }
        }
    }

    /// All attributes up to MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT, known or not, as they came, without their padding.
    pub fn iter(&self) -> impl Iterator<Item = (AttributeType, &'a [u8])> + Clone + use<'a> {
        Reader(self.read).map_while(Result::ok)
    }
}
