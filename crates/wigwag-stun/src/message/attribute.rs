//! What an attribute is, and the values of all that are known (RFC 8489 §14, RFC 8445 §16.1).

use super::address;
use super::error_code::ErrorCode;
use super::header::TransactionId;
use crate::DecodeError;
use std::fmt;
use std::net::SocketAddr;

/// The number of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u16);

macro_rules! attribute_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Whether this crate knows what the attribute means.
            pub const fn is_known(self) -> bool {
                matches!(self, $(Self::$name)|*)
            }

            const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    Self(_) => None,
                }
            }
        }
    };
}

attribute_types! {
    /// An address, as plain as boxes like to rewrite it.
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS";
    /// Whose message it is.
    USERNAME = 0x0006, "USERNAME";
    /// HMAC-SHA1 of what is before it.
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY";
    /// Why a request was refused.
    ERROR_CODE = 0x0009, "ERROR-CODE";
    /// Which attributes were not understood.
    UNKNOWN_ATTRIBUTES = 0x000A, "UNKNOWN-ATTRIBUTES";
    /// Where a long-term credential is valid.
    REALM = 0x0014, "REALM";
    /// Against replays of long-term credentials.
    NONCE = 0x0015, "NONCE";
    /// HMAC-SHA256 of what is before it.
    MESSAGE_INTEGRITY_SHA256 = 0x001C, "MESSAGE-INTEGRITY-SHA256";
    /// An address that boxes do not recognise.
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS";
    /// The priority of a peer-reflexive candidate, should one come of this check.
    PRIORITY = 0x0024, "PRIORITY";
    /// The controlling agent nominates.
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE";
    /// Who wrote the software.
    SOFTWARE = 0x8022, "SOFTWARE";
    /// CRC-32, which tells STUN from other protocols.
    FINGERPRINT = 0x8028, "FINGERPRINT";
    /// The tie-breaker of an agent that takes itself for controlled.
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED";
    /// The tie-breaker of an agent that takes itself for controlling.
    ICE_CONTROLLING = 0x802A, "ICE-CONTROLLING";
}

impl AttributeType {
    /// Whether a message cannot be processed by somebody who does not know the attribute.
    pub const fn is_required(self) -> bool {
        // RFC 8489 §14: "Attributes with type values between 0x0000 and 0x7FFF are comprehension-required attributes"
        self.0 < 0x8000
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The attributes of a message that this crate knows, each as it came first.
///
/// Only what stands before MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 is here, so once either is verified, all of this
/// is genuine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes<'a> {
    /// USERNAME; for ICE the ufrag of who is asked, a colon, the ufrag of who asks.
    pub username: Option<&'a str>,
    /// REALM.
    pub realm: Option<&'a str>,
    /// NONCE.
    pub nonce: Option<&'a [u8]>,
    /// SOFTWARE, if it is UTF-8.
    pub software: Option<&'a str>,
    /// MAPPED-ADDRESS.
    pub mapped_address: Option<SocketAddr>,
    /// XOR-MAPPED-ADDRESS.
    pub xor_mapped_address: Option<SocketAddr>,
    /// ERROR-CODE.
    pub error_code: Option<ErrorCode<'a>>,
    /// PRIORITY.
    pub priority: Option<u32>,
    /// Whether USE-CANDIDATE is there.
    pub use_candidate: bool,
    /// The tie-breaker in ICE-CONTROLLED.
    pub ice_controlled: Option<u64>,
    /// The tie-breaker in ICE-CONTROLLING.
    pub ice_controlling: Option<u64>,
}

impl<'a> Attributes<'a> {
    /// Takes in one attribute; of one that was seen before, nothing.
    pub(super) fn read(
        &mut self,
        kind: AttributeType,
        value: &'a [u8],
        transaction: TransactionId,
    ) -> Result<(), DecodeError> {
        let read = match kind {
            AttributeType::USERNAME => first(&mut self.username, text(value)),
            AttributeType::REALM => first(&mut self.realm, text(value)),
            AttributeType::NONCE => first(&mut self.nonce, Some(value)),
            AttributeType::SOFTWARE => {
                self.software = self.software.or(text(value));
                Some(())
            }
            AttributeType::MAPPED_ADDRESS => first(&mut self.mapped_address, address::decode(value)),
            AttributeType::XOR_MAPPED_ADDRESS => {
                first(&mut self.xor_mapped_address, address::decode_xor(value, transaction))
            }
            AttributeType::ERROR_CODE => first(&mut self.error_code, ErrorCode::decode(value)),
            AttributeType::PRIORITY => first(&mut self.priority, value.try_into().ok().map(u32::from_be_bytes)),
            AttributeType::USE_CANDIDATE => {
                self.use_candidate = true;
                Some(())
            }
            AttributeType::ICE_CONTROLLED => {
                first(&mut self.ice_controlled, value.try_into().ok().map(u64::from_be_bytes))
            }
            AttributeType::ICE_CONTROLLING => {
                first(&mut self.ice_controlling, value.try_into().ok().map(u64::from_be_bytes))
            }
            AttributeType(_) => Some(()),
        };
        read.ok_or(DecodeError::Malformed(kind))
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// RFC 8489 §14: "only the first occurrence needs to be processed by a receiver, and any duplicates MAY be ignored by a
/// receiver"
fn first<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    let value = value?;
    slot.get_or_insert(value);
    Some(())
}

/// Cuts the bytes behind a header into attributes; ends after the first error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(AttributeType, &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The length of all attributes is a multiple of four, so fewer bytes than a header are none.
        let ([t0, t1, l0, l1], rest) = self.0.split_first_chunk()?;
        let kind = AttributeType(u16::from_be_bytes([*t0, *t1]));
        let length = u16::from_be_bytes([*l0, *l1]);
        // RFC 8489 §14: "The padding bits MUST be set to zero on sending and MUST be ignored by the receiver."
        let padded = rest.split_at_checked(usize::from(length).next_multiple_of(4));
        let Some((value, (_, rest))) = rest.get(..usize::from(length)).zip(padded) else {
            self.0 = &[];
            return Some(Err(DecodeError::Truncated(kind)));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_the_first_counts() {
        let mut attributes = Attributes::default();
        let id = TransactionId([0; 12]);
        assert_eq!(attributes.read(AttributeType::PRIORITY, &[0, 0, 0, 1], id), Ok(()));
        assert_eq!(attributes.read(AttributeType::PRIORITY, &[0, 0, 0, 2], id), Ok(()));
        assert_eq!(attributes.priority, Some(1));
    }

    #[test]
    fn a_number_of_another_width_is_malformed() {
        for kind in [AttributeType::PRIORITY, AttributeType::ICE_CONTROLLED, AttributeType::ICE_CONTROLLING] {
            for length in [0, 3, 5, 9] {
                let read = Attributes::default().read(kind, &vec![0; length], TransactionId([0; 12]));
                assert_eq!(read, Err(DecodeError::Malformed(kind)));
            }
        }
    }

    #[test]
    fn an_attribute_is_named_as_in_the_registry() {
        assert_eq!(AttributeType::USE_CANDIDATE.to_string(), "USE-CANDIDATE");
        assert_eq!(AttributeType(0xC057).to_string(), "0xc057");
    }
}
