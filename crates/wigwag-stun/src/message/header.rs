//! The first 20 bytes: class, method, length, cookie, transaction id (RFC 8489 §5).

use crate::DecodeError;
use std::fmt;
use wigwag_sansio::Rng;

/// The length of the header, in bytes.
pub(crate) const HEADER_LEN: usize = 20;
/// Tells STUN from other protocols, and hides addresses from boxes that would rewrite them.
pub(crate) const MAGIC_COOKIE: u32 = 0x2112_A442;

/// What a message is to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Asks for a response.
    Request,
    /// Asks for none.
    Indication,
    /// Says yes.
    SuccessResponse,
    /// Says no, with an ERROR-CODE.
    ErrorResponse,
}

/// What a message is about, 12 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl Method {
    /// Which address do you see me at? Also a connectivity check of ICE.
    pub const BINDING: Self = Self(0x001);

    /// A method of 0 to 0xFFF; `None` for more.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xFFF { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 0xFFF.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// 96 random bits that join a response to its request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl TransactionId {
    /// A new one that nobody can guess who does not know the seed.
    pub fn random(rng: &mut Rng) -> Self {
        // RFC 8489 §5: "the transaction ID MUST be uniformly and randomly chosen from the interval 0 .. 2**96-1"
        Self(rng.bytes())
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) class: Class,
    pub(crate) method: Method,
    pub(crate) transaction: TransactionId,
}

impl Header {
    /// Reads the header and hands back the attributes behind it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (header, attributes) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DecodeError::NotStun)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *header;
        let (class, method) = decode_type(u16::from_be_bytes([t0, t1])).ok_or(DecodeError::NotStun)?;
        // RFC 8489 §5: "The Magic Cookie field MUST contain the fixed value 0x2112A442 in network byte order."
        if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(DecodeError::NotStun);
        }
        // RFC 8489 §5: "Since all STUN attributes are padded to a multiple of 4 bytes, the last 2 bits of this field
        // are always zero."
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if !length.is_multiple_of(4) || length != attributes.len() {
            return Err(DecodeError::Length);
        }
        Ok((Self { class, method, transaction: TransactionId(transaction) }, attributes))
    }

    /// The header of a message whose attributes take `length` bytes.
    pub(crate) fn encode(self, length: u16) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields = [encode_type(self.class, self.method), length].into_iter().flat_map(u16::to_be_bytes);
        let fields = fields.chain(MAGIC_COOKIE.to_be_bytes()).chain(self.transaction.0);
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }
}

/// RFC 8489 figure 3: the class is bits 4 and 8, the method is all others but the two highest.
fn decode_type(bits: u16) -> Option<(Class, Method)> {
    // RFC 8489 §5: "The most significant 2 bits of every STUN message MUST be zeroes."
    if bits & 0xC000 != 0 {
        return None;
    }
    let class = match (bits & 0x0100 != 0, bits & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::SuccessResponse,
        (true, true) => Class::ErrorResponse,
    };
    Some((class, Method(bits & 0x000F | (bits & 0x00E0) >> 1 | (bits & 0x3E00) >> 2)))
}

fn encode_type(class: Class, Method(method): Method) -> u16 {
    let class = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::SuccessResponse => 0x0100,
        Class::ErrorResponse => 0x0110,
    };
    class | method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8489 §5: "a Binding request has class=0b00 (request) and method=0b000000000001 (Binding) and is encoded
    /// into the first 16 bits as 0x0001. A Binding response has class=0b10 […] and is encoded […] as 0x0101."
    #[test]
    fn binding_has_the_types_of_the_rfc() {
        assert_eq!(decode_type(0x0001), Some((Class::Request, Method::BINDING)));
        assert_eq!(decode_type(0x0101), Some((Class::SuccessResponse, Method::BINDING)));
        assert_eq!(decode_type(0x0111), Some((Class::ErrorResponse, Method::BINDING)));
        assert_eq!(decode_type(0x0011), Some((Class::Indication, Method::BINDING)));
    }

    #[test]
    fn every_type_is_read_as_it_is_written() {
        for bits in 0..=u16::MAX {
            match decode_type(bits) {
                Some((class, method)) => assert_eq!(encode_type(class, method), bits),
                None => assert!(bits > 0x3FFF),
            }
        }
    }

    #[test]
    fn a_method_has_twelve_bits() {
        assert_eq!(Method::new(0xFFF).map(Method::number), Some(0xFFF));
        assert_eq!(Method::new(0x1000), None);
    }
}
