//! `wigwag loopback`: two peers in two threads of this process talk over real UDP sockets, as fast as they can.

mod cpu;
mod data;
mod media;
mod peer;
mod progress;
mod report;
mod sum;

use crate::console;
use crate::failure::Failure;
use crate::recording;
use peer::{Peer, Role, Shared};
use report::Report;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use wigwag::{EndpointConfig, Version};
use wigwag_mio::{Driver, DriverConfig};

/// What `wigwag loopback` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The bytes of both directions are compared by their SHA-256 sums. Meanwhile 50 packets a second of \
                        sound and 2.6 Mbit/s of pictures go both ways. The exit code is 1 if anything was lost or changed. Ctrl-C ends it \
                        early, with the result so far."
)]
pub(crate) struct Args {
    /// How long to send, in seconds; what is on its way then still arrives
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = parse_seconds, allow_negative_numbers = true)]
    seconds: u64,
    /// Print the result as one line of JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// The newest version of DTLS to speak, 1.2 or 1.3; programs that read recordings may not know 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.3", value_parser = parse_version)]
    dtls: Version,
    #[command(flatten)]
    recording: recording::Files,
}

fn parse_version(text: &str) -> Result<Version, String> {
    match text {
        "1.2" => Ok(Version::Dtls12),
        "1.3" => Ok(Version::Dtls13),
        _ => Err("write 1.2 or 1.3".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.ok_or_else(|| "write a whole number of seconds, from 1 to 3600".to_owned())
}

/// Measures, and prints what was measured.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match measure(args) {
        Ok(report) => {
            console::result(if args.json { report.to_json() } else { report.to_table() })?;
            report.verdict()
        }
        Err(failure) => {
            if args.json {
                console::result(serde_json::json!({ "connected": false, "error": failure.to_string() }))?;
            }
            Err(failure)
        }
    }
}

fn measure(args: &Args) -> Result<Report, Failure> {
    let recording = args.recording.open()?;
    let (a, z) = (driver()?, driver()?);
    let shared = Arc::new(Shared::default());
    let stopped = Arc::clone(&shared);
    console::on_stop(move || stopped.is_stopped.store(true, Ordering::Relaxed))?;
    let duration = Duration::from_secs(args.seconds);
    let (a, z) = Peer::pair(a, z, duration, args.dtls, &shared, recording);
    let threads = [(Role::Offerer, a), (Role::Answerer, z)]
        .map(|(role, peer)| thread::Builder::new().name(format!("{role:?}").to_lowercase()).spawn(move || peer.run()));
    if !args.json {
        progress::show(&shared, duration);
    }
    let mut outcomes = Vec::new();
    for thread in threads {
        let thread = thread.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        let result = thread.join().map_err(|_| Failure::new("a peer's thread has ended by a fault of the program"))?;
        outcomes.push(result.map_err(Failure::new));
    }
    let mut outcomes = outcomes.into_iter();
    match (outcomes.next(), outcomes.next()) {
        (Some(a), Some(z)) => Ok(Report::new(a?, z?)),
        _ => Err(Failure::new("a peer has no result")),
    }
}

/// A socket can be bound though nothing would arrive at it.
fn check_loopback(mut present: impl Iterator<Item = IpAddr>) -> Result<(), Failure> {
    if present.any(|address| address == Ipv4Addr::LOCALHOST) {
        return Ok(());
    }
    Err(Failure::new("the loopback interface is down, or has not the address 127.0.0.1: `ip link set lo up`"))
}

fn driver() -> Result<Driver, Failure> {
    // Who may not look at the interfaces may still have them.
    if let Ok(present) = wigwag_mio::interfaces(true) {
        check_loopback(present.into_iter().map(|interface| interface.address))?;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Driver::bind(&DriverConfig::new([address]), EndpointConfig::default())
        .map_err(|error| Failure::new(format!("cannot open a socket on the loopback interface: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_loopback_interface_it_says_so_at_once() {
        let check = |present: &[&str]| {
            let present: Vec<IpAddr> = present.iter().map(|address| address.parse().unwrap()).collect();
            check_loopback(present.into_iter()).map_err(|failure| failure.to_string())
        };
        assert!(check(&["10.0.0.1", "::1"]).unwrap_err().contains("ip link set lo up"));
        assert!(check(&[]).is_err());
        assert_eq!(check(&["10.0.0.1", "127.0.0.1"]), Ok(()));
    }
}
