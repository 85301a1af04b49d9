//! Why the program could not do what it was asked to, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use wigwag_sansio::Seed;

/// One line for a person: what failed, why, and what would help.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A listener or a socket could not be opened at `address`, which `option` chose.
    pub(crate) fn bind(what: &str, address: SocketAddr, option: &str, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let other =
                    SocketAddr::new(address.ip(), if address.port() == u16::MAX { 1024 } else { address.port() + 1 });
                format!("another program uses that port: stop it, or choose another port with {option} {other}")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine has no such address: choose one of its own with {option}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need privileges: choose a higher one with {option}")
            }
            _ => error.to_string(),
        };
        Self::new(format!("cannot open {what} {address}: {advice}"))
    }

    /// No sockets for calls on any address of this machine, on the port that `option` chose; `error` says where.
    pub(crate) fn sockets(option: &str, error: &io::Error) -> Self {
        Self::new(match error.kind() {
            // One that has vanished is passed over: there is none.
            io::ErrorKind::AddrNotAvailable => {
                format!("{error}: connect it to a network, or bring its loopback interface up")
            }
            _ => format!("cannot open {error}: choose another port with {option}"),
        })
    }

    /// A file that `option` chose could not be written.
    pub(crate) fn write(path: &Path, option: &str, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "its folder does not exist: make it first, or choose another path".to_owned(),
            io::ErrorKind::PermissionDenied => "you may not write there: choose another path".to_owned(),
            io::ErrorKind::IsADirectory => "it is a folder: name a file in it".to_owned(),
            io::ErrorKind::StorageFull => "the disk is full: choose another path".to_owned(),
            _ => error.to_string(),
        };
        Self::new(format!("cannot write {} ({option}): {advice}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, also where a library's message has several.
        let mut lines = self.0.lines();
        f.write_str(lines.next().unwrap_or("something went wrong"))?;
        lines.try_for_each(|line| write!(f, "; {}", line.trim()))
    }
}

/// Randomness of the system's.
pub(crate) fn random_seed() -> Result<Seed, Failure> {
    wigwag_mio::seed().map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_next_one() {
        let failure = |address: &str| {
            let address = address.parse().unwrap();
            Failure::bind("TCP", address, "--listen", &io::ErrorKind::AddrInUse.into()).to_string()
        };
        assert!(failure("127.0.0.1:8080").ends_with("--listen 127.0.0.1:8081"));
        assert!(failure("[::1]:65535").ends_with("--listen [::1]:1024"));
    }

    #[test]
    fn a_machine_without_addresses_is_not_told_to_choose_another_port() {
        let failure = |kind, text: &str| Failure::sockets("--media-port", &io::Error::new(kind, text)).to_string();
        let nowhere = failure(io::ErrorKind::AddrNotAvailable, "this machine has no address");
        assert_eq!(nowhere, "this machine has no address: connect it to a network, or bring its loopback interface up");
        let taken = failure(io::ErrorKind::AddrInUse, "UDP 127.0.0.1:9: it is in use");
        assert_eq!(taken, "cannot open UDP 127.0.0.1:9: it is in use: choose another port with --media-port");
    }

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::new("one\n  two\nthree").to_string(), "one; two; three");
        assert_eq!(Failure::new("").to_string(), "something went wrong");
    }
}
