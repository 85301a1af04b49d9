//! What becomes of a datagram.

use std::fmt;

/// What became of a datagram. One fault hits it at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It arrives once and as it was.
    Passed,
    /// It arrives with one bit turned over.
    Corrupted,
    /// It arrives without its end.
    Truncated,
    /// It arrives twice.
    Duplicated,
    /// It is held back, so that others overtake it.
    Reordered,
    /// It does not arrive.
    Lost,
    /// It does not arrive, as others before or after it.
    LostInBurst,
    /// It does not arrive, because the link was down.
    Down,
    /// It does not arrive, because the queue before the link was full.
    QueueFull,
    /// It does not arrive, because it is longer than the link carries.
    TooLarge,
    /// It does not arrive, because one of the addresses belongs to nobody, or not to its sender.
    NoRoute,
    /// It does not arrive, because a NAT has no place, or no port, for one more session.
    NatFull,
    /// It does not arrive, because a NAT has no binding for where it goes.
    NoBinding,
    /// It does not arrive, because a NAT has a binding for where it goes, but does not let in who sent it.
    Filtered,
}

impl Fate {
    /// Whether it does not arrive.
    pub const fn is_lost(self) -> bool {
        match self {
            Self::Passed | Self::Corrupted | Self::Truncated | Self::Duplicated | Self::Reordered => false,
            Self::Lost
            | Self::LostInBurst
            | Self::Down
            | Self::QueueFull
            | Self::TooLarge
            | Self::NoRoute
            | Self::NatFull
            | Self::NoBinding
            | Self::Filtered => true,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Corrupted => "corrupted",
            Self::Truncated => "truncated",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Lost => "lost",
            Self::LostInBurst => "lost in a burst",
            Self::Down => "link down",
            Self::QueueFull => "queue full",
            Self::TooLarge => "too large",
            Self::NoRoute => "no route",
            Self::NatFull => "NAT full",
            Self::NoBinding => "no binding",
            Self::Filtered => "filtered",
        })
    }
}
