//! What BoringSSL's runner drives (`cargo xtask bogo`): a peer whose network, clock and settings are the runner's.
//!
//! It ends with 0 if all went as its flags say, with 1 and a word about it if not, and with 89 if a flag asks for something
//! that it does not do.
#![expect(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr, reason = "a program, not a machine")]

mod flags;
mod peer;
mod runner;

use flags::{Flags, Unknown};
use std::process::ExitCode;

/// What the runner takes for "not implemented".
const UNIMPLEMENTED: u8 = 89;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The runner asks this first, of whoever could make a handshake in another process.
    if arguments.iter().any(|argument| argument == "-is-handshaker-supported") {
        println!("No");
        return ExitCode::SUCCESS;
    }
    let flags = match Flags::parse(&arguments) {
        Ok(flags) => flags,
        Err(Unknown(flag)) => {
            eprintln!("not implemented: {flag}");
            return ExitCode::from(UNIMPLEMENTED);
        }
    };
    match peer::run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
