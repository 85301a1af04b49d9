//! Records: how they are cut from datagrams, protected and opened (RFC 6347 §4.1, RFC 9147 §4).

pub(crate) mod epoch;
pub(crate) mod plaintext;
pub(crate) mod unified;

/// What a record carries (RFC 5246 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    /// RFC 9147 §7.
    Ack,
}

impl ContentType {
    pub(crate) const fn from_wire(number: u8) -> Option<Self> {
        match number {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            26 => Some(Self::Ack),
            _ => None,
        }
    }

    pub(crate) const fn wire(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::Ack => 26,
        }
    }
}

/// RFC 5246 §6.2.1: "The length MUST NOT exceed 2^14."
pub(crate) const PLAINTEXT_LEN_MAX: usize = 1 << 14;

/// RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048."
pub(crate) const CIPHERTEXT_LEN_MAX: usize = PLAINTEXT_LEN_MAX + 2048;

/// How many records of one key may fail to authenticate, in either version and with each of our ciphers.
///
/// RFC 9147 §4.5.3: "For AEAD_AES_128_GCM, AEAD_AES_256_GCM, and AEAD_CHACHA20_POLY1305, the limit on the number of records
/// that fail authentication is 2^36."
pub(crate) const FORGERIES_MAX: u64 = 1 << 36;

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discard {
    Malformed,
    WrongVersion,
    UnknownContentType,
    UnknownEpoch,
    Replayed,
    NotAuthentic,
}
