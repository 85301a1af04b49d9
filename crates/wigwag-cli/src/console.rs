//! What the program says to a person.

use crate::failure::Failure;
use std::fmt::Display;
use std::io::{self, Write};

/// Says something on standard output. Nobody may be listening, as behind `| head`: that is no failure.
pub(crate) fn say(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Says in one line what went wrong.
pub(crate) fn complain(failure: &Failure) {
    let _ = writeln!(io::stderr().lock(), "wigwag: {failure}");
}
