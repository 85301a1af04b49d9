//! What a text has that a session description has not.

/// The text is not a session description: where, what stands there, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found {found:?}, expected {expected}")]
#[non_exhaustive]
pub struct Error {
    /// The line, counted from 1.
    pub line: usize,
    /// The beginning of that line.
    pub found: String,
    /// What would have been right.
    pub expected: &'static str,
}

/// How much of a line an error repeats, in characters: enough to find it, too little to flood a log.
const SHOWN: usize = 80;

/// The beginnings of lines that hold keys or passwords.
const SECRETS: [&str; 3] = ["a=ice-pwd:", "a=crypto:", "k="];

impl Error {
    pub(crate) fn new(line: usize, found: &str, expected: Expected) -> Self {
        // What is secret is not repeated, for errors go into logs.
        let secret = SECRETS.iter().find(|secret| found.starts_with(**secret));
        let found = secret.map_or_else(|| found.chars().take(SHOWN).collect(), |secret| format!("{secret}…"));
        Self { line, found, expected: expected.0 }
    }
}

/// What the reader of a value expected; the reader of lines knows where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(pub(crate) &'static str);
