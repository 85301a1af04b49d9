//! What a pair did, and where two records differ.

use std::fmt;
use std::time::Duration;

/// What a pair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One of them sent something.
    Sent { at: Duration, who: usize, route: String, payload: Vec<u8> },
    /// One of them told its user something.
    Told { at: Duration, who: usize },
    /// Both slept.
    Slept { at: Duration, until: Duration },
}

impl Entry {
    /// The same without bytes and addresses: what a machine does when.
    fn shape(&self) -> Self {
        match self {
            Self::Sent { at, who, payload, .. } => {
                Self::Sent { at: *at, who: *who, route: String::new(), payload: vec![0; payload.len()] }
            }
            Self::Told { .. } | Self::Slept { .. } => self.clone(),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { at, who, payload, route } => {
                write!(f, "{} sends {} bytes at {at:?} {route}", name(*who), payload.len())?;
                payload.iter().take(32).try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Told { at, who } => write!(f, "{} tells something at {at:?}", name(*who)),
            Self::Slept { at, until } => write!(f, "both sleep from {at:?} until {until:?}"),
        }
    }
}

/// How much of two records is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Times, lengths and order.
    Shape,
    /// Every byte.
    Bytes,
}

/// The first place where two records differ.
pub(super) struct Difference {
    pub(super) index: usize,
    expected: Option<Entry>,
    actual: Option<Entry>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |entry: &Option<Entry>| entry.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        write!(f, "{}, but then {}", show(&self.expected), show(&self.actual))
    }
}

/// The first difference between two records.
pub(super) fn difference(expected: &[Entry], actual: &[Entry], detail: Detail) -> Option<Difference> {
    (0..expected.len().max(actual.len())).find_map(|index| {
        let (one, other) = (expected.get(index), actual.get(index));
        let is_equal = match detail {
            Detail::Shape => one.map(Entry::shape) == other.map(Entry::shape),
            Detail::Bytes => one == other,
        };
        (!is_equal).then(|| Difference { index, expected: one.cloned(), actual: other.cloned() })
    })
}

pub(super) const fn name(who: usize) -> &'static str {
    if who == 0 { "A" } else { "Z" }
}
