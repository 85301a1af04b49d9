//! A message as it is written.

use super::header::{Class, HEADER_LEN, Header, Method, TransactionId};
use super::integrity::{self, FINGERPRINT_LEN};
use super::{AttributeType, ErrorCode, address};
use crate::{IntegrityKey, IntegrityKeySha256};
use std::net::SocketAddr;

/// Appends a message to a buffer, which may hold other things before it. The message is whole after every call.
///
/// No attribute is written that would make the attributes longer than the 65,535 bytes that the header can tell.
#[derive(Debug)]
#[must_use]
pub struct MessageWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    header: Header,
}

/// A message with its MESSAGE-INTEGRITY, behind which only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT may stand.
#[derive(Debug)]
pub struct Protected<'o>(MessageWriter<'o>);

impl<'o> MessageWriter<'o> {
    /// Begins a message at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>, class: Class, method: Method, transaction: TransactionId) -> Self {
        let start = out.len();
        let header = Header { class, method, transaction };
        out.extend_from_slice(&header.encode(0));
        Self { out, start, header }
    }

    /// Begins a Binding request.
    pub fn request(out: &'o mut Vec<u8>, transaction: TransactionId) -> Self {
        Self::new(out, Class::Request, Method::BINDING, transaction)
    }

    /// Begins the answer to a Binding request: `address` is where it came from.
    pub fn success(out: &'o mut Vec<u8>, transaction: TransactionId, address: SocketAddr) -> Self {
        Self::new(out, Class::SuccessResponse, Method::BINDING, transaction).xor_mapped_address(address)
    }

    /// Begins the refusal of a Binding request.
    pub fn error(out: &'o mut Vec<u8>, transaction: TransactionId, error: ErrorCode<'_>) -> Self {
        Self::new(out, Class::ErrorResponse, Method::BINDING, transaction).error_code(error)
    }

    /// Appends an attribute of any type.
    pub fn attribute(self, kind: AttributeType, value: &[u8]) -> Self {
        self.attribute_of(kind, [value])
    }

    /// Appends an attribute whose value `write` appends to the buffer, or has none of it: if `write` says `false`, or appends more than
    /// 65,535 bytes or than the message has room for, the attribute is taken out again and this is `None`.
    pub fn attribute_with(
        mut self,
        kind: AttributeType,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> Option<MessageWriter<'o>> {
        let before = self.out.len();
        self.out.extend_from_slice(&kind.0.to_be_bytes());
        self.out.extend_from_slice(&[0; 2]);
        let has_written = write(self.out);
        let value_len = self.out.len().saturating_sub(before).saturating_sub(4);
        let padded = value_len.next_multiple_of(4);
        let total =
            before.saturating_sub(self.start.saturating_add(HEADER_LEN)).saturating_add(4).saturating_add(padded);
        let (true, Ok(value_len), Ok(total)) = (has_written, u16::try_from(value_len), u16::try_from(total)) else {
            self.out.truncate(before);
            return None;
        };
        let field = self.out.get_mut(before..).and_then(|attribute| attribute.get_mut(2..4));
        field.into_iter().for_each(|field| field.copy_from_slice(&value_len.to_be_bytes()));
        self.out.resize(before.saturating_add(4).saturating_add(padded), 0);
        self.write_length(total);
        Some(self)
    }

    /// Appends an attribute of any type whose value is an address that is hidden as that of XOR-MAPPED-ADDRESS is.
    pub fn xor_address(mut self, kind: AttributeType, address: SocketAddr) -> Self {
        let transaction = self.header.transaction;
        address::encode_xor(address, transaction, |value| self.push(kind, [value]));
        self
    }

    /// USERNAME.
    pub fn username(self, username: &str) -> Self {
        self.attribute(AttributeType::USERNAME, username.as_bytes())
    }

    /// XOR-MAPPED-ADDRESS.
    pub fn xor_mapped_address(self, address: SocketAddr) -> Self {
        self.xor_address(AttributeType::XOR_MAPPED_ADDRESS, address)
    }

    /// ERROR-CODE.
    pub fn error_code(self, error: ErrorCode<'_>) -> Self {
        self.attribute_of(AttributeType::ERROR_CODE, [&error.encode(), error.reason.as_bytes()])
    }

    /// UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(mut self, unknown: impl Iterator<Item = AttributeType> + Clone) -> Self {
        self.push_all(AttributeType::UNKNOWN_ATTRIBUTES, unknown.map(|AttributeType(number)| number.to_be_bytes()));
        self
    }

    /// PRIORITY.
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(AttributeType::PRIORITY, &priority.to_be_bytes())
    }

    /// USE-CANDIDATE.
    pub fn use_candidate(self) -> Self {
        self.attribute(AttributeType::USE_CANDIDATE, &[])
    }

    /// ICE-CONTROLLED with a tie-breaker.
    pub fn ice_controlled(self, tie_breaker: u64) -> Self {
        self.attribute(AttributeType::ICE_CONTROLLED, &tie_breaker.to_be_bytes())
    }

    /// ICE-CONTROLLING with a tie-breaker.
    pub fn ice_controlling(self, tie_breaker: u64) -> Self {
        self.attribute(AttributeType::ICE_CONTROLLING, &tie_breaker.to_be_bytes())
    }

    /// Ends with MESSAGE-INTEGRITY.
    pub fn integrity(mut self, key: &IntegrityKey) -> Protected<'o> {
        if let Some(tag) = integrity::tag(key, self.header, self.attributes()) {
            self.push(AttributeType::MESSAGE_INTEGRITY, [&tag]);
        }
        Protected(self)
    }

    /// Ends with MESSAGE-INTEGRITY-SHA256.
    pub fn integrity_sha256(mut self, key: &IntegrityKeySha256) -> ProtectedSha256<'o> {
        if let Some(tag) = integrity::tag_sha256(key, self.header, self.attributes()) {
            self.push(AttributeType::MESSAGE_INTEGRITY_SHA256, [&tag]);
        }
        ProtectedSha256(self)
    }

    /// Ends with FINGERPRINT, without MESSAGE-INTEGRITY.
    pub fn fingerprint(mut self) {
        // The checksum covers the length that counts FINGERPRINT itself.
        let length = u16::try_from(self.attributes().len()).ok().and_then(|len| len.checked_add(FINGERPRINT_LEN));
        let Some(length) = length else { return };
        self.write_length(length);
        let checksum = integrity::fingerprint(self.out.get(self.start..).unwrap_or_default());
        self.push(AttributeType::FINGERPRINT, [&checksum.to_be_bytes()]);
    }

    fn attribute_of<const N: usize>(mut self, kind: AttributeType, parts: [&[u8]; N]) -> Self {
        self.push(kind, parts);
        self
    }

    fn push<const N: usize>(&mut self, kind: AttributeType, parts: [&[u8]; N]) {
        self.push_all(kind, parts.into_iter());
    }

    fn push_all<P: AsRef<[u8]>>(&mut self, kind: AttributeType, parts: impl Iterator<Item = P> + Clone) {
        let value_len = parts.clone().fold(0usize, |sum, part| sum.saturating_add(part.as_ref().len()));
        let total = self.attributes().len().saturating_add(4).saturating_add(value_len.next_multiple_of(4));
        let (Ok(value_len), Ok(total)) = (u16::try_from(value_len), u16::try_from(total)) else { return };
        self.out.extend_from_slice(&kind.0.to_be_bytes());
        self.out.extend_from_slice(&value_len.to_be_bytes());
        parts.for_each(|part| self.out.extend_from_slice(part.as_ref()));
        let end = self.start.saturating_add(HEADER_LEN).saturating_add(usize::from(total));
        self.out.resize(end, 0);
        self.write_length(total);
    }

    fn attributes(&self) -> &[u8] {
        self.out.get(self.start.saturating_add(HEADER_LEN)..).unwrap_or_default()
    }

    fn write_length(&mut self, length: u16) {
        let field = self.out.get_mut(self.start..).and_then(|message| message.get_mut(2..4));
        field.into_iter().for_each(|field| field.copy_from_slice(&length.to_be_bytes()));
    }
}

/// A message with its MESSAGE-INTEGRITY-SHA256, behind which only FINGERPRINT may stand.
#[derive(Debug)]
pub struct ProtectedSha256<'o>(MessageWriter<'o>);

impl ProtectedSha256<'_> {
    /// Ends with FINGERPRINT.
    pub fn fingerprint(self) {
        self.0.fingerprint();
    }
}

impl<'o> Protected<'o> {
    /// Ends with MESSAGE-INTEGRITY-SHA256 too, for a peer of whom it is not known which it understands.
    pub fn integrity_sha256(self, key: &IntegrityKeySha256) -> ProtectedSha256<'o> {
        self.0.integrity_sha256(key)
    }

    /// Ends with FINGERPRINT.
    pub fn fingerprint(self) {
        self.0.fingerprint();
    }
}
