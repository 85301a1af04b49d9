//! What the caller did wrong.

use std::fmt;

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A field, or an argument of that name, has a value that cannot be.
    Config {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// What to choose.
        problem: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { field, problem } => write!(f, "{field} is out of range: {problem}"),
        }
    }
}

impl std::error::Error for Error {}
