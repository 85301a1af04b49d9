//! Why a request is refused (RFC 8489 §14.8, RFC 8656 §18.8).

use wigwag_stun::ErrorCode;

/// An error that is told to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal(u16);

impl Refusal {
    pub(super) const BAD_REQUEST: Self = Self(400);
    pub(super) const UNAUTHENTICATED: Self = Self(401);
    pub(super) const FORBIDDEN: Self = Self(403);
    pub(super) const UNKNOWN_ATTRIBUTE: Self = Self(420);
    pub(super) const ALLOCATION_MISMATCH: Self = Self(437);
    pub(super) const STALE_NONCE: Self = Self(438);
    pub(super) const NO_SUCH_FAMILY: Self = Self(440);
    pub(super) const WRONG_CREDENTIALS: Self = Self(441);
    pub(super) const NO_SUCH_TRANSPORT: Self = Self(442);
    pub(super) const FAMILY_MISMATCH: Self = Self(443);
    pub(super) const QUOTA_REACHED: Self = Self(486);
    pub(super) const NO_CAPACITY: Self = Self(508);

    /// Whether it asks for credentials.
    pub(super) const fn is_challenge(self) -> bool {
        matches!(self, Self::UNAUTHENTICATED | Self::STALE_NONCE)
    }

    /// As it is told to whoever is known.
    pub(super) const fn in_words(self) -> ErrorCode<'static> {
        let reason = match self {
            Self::FORBIDDEN => "Forbidden",
            Self::UNKNOWN_ATTRIBUTE => "Unknown Attribute",
            Self::ALLOCATION_MISMATCH => "Allocation Mismatch",
            Self::NO_SUCH_FAMILY => "Address Family not Supported",
            Self::WRONG_CREDENTIALS => "Wrong Credentials",
            Self::NO_SUCH_TRANSPORT => "Unsupported Transport Protocol",
            Self::FAMILY_MISMATCH => "Peer Address Family Mismatch",
            Self::QUOTA_REACHED => "Allocation Quota Reached",
            Self::NO_CAPACITY => "Insufficient Capacity",
            Self(_) => "Bad Request",
        };
        ErrorCode { code: self.0, reason }
    }

    /// As it is told to whoever is not: the answer is to be short.
    pub(super) const fn in_short(self) -> ErrorCode<'static> {
        ErrorCode { code: self.0, reason: "" }
    }
}
