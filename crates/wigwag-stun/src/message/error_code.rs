//! ERROR-CODE (RFC 8489 §14.8).

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people; empty if it was not UTF-8.
    pub reason: &'a str,
}

impl ErrorCode<'static> {
    /// The request was malformed.
    pub const BAD_REQUEST: Self = Self { code: 400, reason: "Bad Request" };
    /// The request lacked what authenticates it, or that was wrong.
    pub const UNAUTHENTICATED: Self = Self { code: 401, reason: "Unauthenticated" };
    /// An attribute that had to be understood was not.
    pub const UNKNOWN_ATTRIBUTE: Self = Self { code: 420, reason: "Unknown Attribute" };
    /// Both agents take the same role (RFC 8445 §16.2).
    pub const ROLE_CONFLICT: Self = Self { code: 487, reason: "Role Conflict" };
}

impl<'a> ErrorCode<'a> {
    pub(crate) fn decode(value: &'a [u8]) -> Option<Self> {
        let ([_, _, class, number], reason) = value.split_first_chunk()?;
        // RFC 8489 §14.8: "The Class represents the hundreds digit of the error code. The value MUST be between 3 and
        // 6. The Number represents the binary encoding of the error code modulo 100, and its value MUST be between 0
        // and 99."
        let (class, number) = (class & 7, *number);
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let code = u16::from(class).saturating_mul(100).saturating_add(u16::from(number));
        Some(Self { code, reason: std::str::from_utf8(reason).unwrap_or_default() })
    }

    /// The four bytes before the reason; a code outside of 300 to 699 is taken to the nearest within.
    pub(crate) fn encode(self) -> [u8; 4] {
        let code = self.code.clamp(300, 699);
        let digits = |number: u16| u8::try_from(number).unwrap_or_default();
        [0, 0, digits(code / 100), digits(code % 100)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_hundreds_and_rest() {
        assert_eq!(ErrorCode::decode(&[0, 0, 4, 87, b'h', b'i']), Some(ErrorCode { code: 487, reason: "hi" }));
        assert_eq!(ErrorCode::ROLE_CONFLICT.encode(), [0, 0, 4, 87]);
        assert_eq!(ErrorCode::decode(&[0, 0, 2, 0]), None);
        assert_eq!(ErrorCode::decode(&[0, 0, 7, 0]), None);
        assert_eq!(ErrorCode::decode(&[0, 0, 4, 100]), None);
        assert_eq!(ErrorCode::decode(&[0, 0, 4]), None);
        assert_eq!(ErrorCode::decode(&[0, 0, 4, 0, 0xff]), Some(ErrorCode { code: 400, reason: "" }));
    }
}
