//! What the program says to a person.

use crate::failure::Failure;
use std::fmt::Display;
use std::io::{self, Write};

/// Says something on standard output. Nobody may be listening, as behind `| head`: that is no failure.
pub(crate) fn say(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what the program was run for. Whoever has stopped reading, as `| head`, has had enough; anything else is a
/// failure, for a script would take nothing for a result.
pub(crate) fn result(text: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write the result to the standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Runs `stop` on Ctrl-C, and on the signals that ask a program to end.
pub(crate) fn on_stop(stop: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(stop).map_err(|error| Failure::new(format!("cannot listen for Ctrl-C: {error}")))
}

/// Says in one line what went wrong.
pub(crate) fn complain(failure: &Failure) {
    let _ = writeln!(io::stderr().lock(), "wigwag: {failure}");
}
