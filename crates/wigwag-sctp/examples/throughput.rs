//! How long a packet takes, both ends in one thread and nothing between them: `cargo run --release --example throughput`,
//! with how many megabytes each if not 2000, and how many bytes a message if not all of these.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement reads the clock and prints")]

use bytes::Bytes;
use std::time::Instant;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, SendError, SendOptions};

const MEGABYTES: usize = 2000;
const LENS: [usize; 5] = [100, 1000, 16_384, 65_536, 262_144];
/// As a driver that hands several packets to the kernel in one call.
const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |at| std::env::args().nth(at).map(|argument| argument.parse()).transpose();
    let megabytes = argument(1)?.unwrap_or(MEGABYTES);
    let lens = argument(2)?.map_or(LENS.to_vec(), |len| vec![len]);
    for len in lens {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok::<(), std::io::Error>(())
        };
        let mut a = Association::new(Config::default(), Seed::from_secure_source(fill)?.fork("a"));
        let mut z = Association::new(Config::default(), Seed::from_secure_source(fill)?.fork("z"));
        a.connect();
        let message = Bytes::from(vec![7; len]);
        let total = (megabytes * 1_000_000).min(len * 2_000_000);
        let (mut sent, mut received) = (0, 0);
        let began = Instant::now();
        let mut out = Vec::with_capacity(2048);
        while received < total {
            while sent < total {
                match a.send(0, 53, message.clone(), SendOptions::default()) {
                    Ok(()) => sent += len,
                    Err(SendError::Full(_)) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            let now = Instant::now();
            a.handle_timeout(now);
            z.handle_timeout(now);
            carry(&mut a, &mut z, now, &mut out);
            while let Some(event) = z.poll_event() {
                received += if let Event::Message { data, .. } = event { data.len() } else { 0 };
            }
            carry(&mut z, &mut a, now, &mut out);
            while a.poll_event().is_some() {}
        }
        let elapsed = began.elapsed();
        let packets = a.stats().packets_sent + z.stats().packets_sent;
        println!(
            "{len:6} bytes a message: {:5.0} MB/s, {:4.0} ns a packet (SACKs included), cwnd {}, again {}",
            received as f64 / elapsed.as_secs_f64() / 1e6,
            elapsed.as_nanos() as f64 / packets as f64,
            a.stats().congestion_window,
            a.stats().retransmitted,
        );
    }
    Ok(())
}

fn carry(from: &mut Association, to: &mut Association, now: Instant, out: &mut Vec<u8>) {
    for _ in 0..BATCH {
        out.clear();
        if !from.poll_packet(now, 1200, out) {
            return;
        }
        to.handle_input(out, now);
    }
}
