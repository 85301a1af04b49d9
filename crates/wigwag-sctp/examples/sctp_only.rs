//! Two associations over UDP, each with a socket and a thread of its own: many streams of messages, ordered and reliable or
//! not. For whoever wants that and no WebRTC. **Nothing is encrypted here**: in WebRTC, DTLS carries these packets.
//!
//! ```sh
//! cargo run -p wigwag-sctp --example sctp_only
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machine has none"
)]

use bytes::Bytes;
use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, Reliability, SendOptions};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// Bytes above UDP that fit through any path of today.
const MTU: usize = 1200;
/// What the application's bytes are, for the peer: the number is the application's to choose, and 0 says nothing.
const PPID: u32 = 0;

fn main() -> Result<()> {
    let [client, server] = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let [client_address, server_address] = [client.local_addr()?, server.local_addr()?];
    let server = thread::spawn(move || run("server", &server, client_address));
    run("client", &client, server_address)?;
    server.join().map_err(|_| "the server's thread panicked")?
}

fn run(name: &str, socket: &UdpSocket, peer: SocketAddr) -> Result<()> {
    let is_client = name == "client";
    let mut association = Association::new(Config::default(), Seed::from_secure_source(getrandom::fill)?);
    if is_client {
        association.connect();
        // Taken at once, sent when the association stands.
        association.send(0, PPID, Bytes::from(vec![7; 100_000]), SendOptions::default())?;
        // Another stream does not wait for the long one; late, it is not worth sending again.
        let reliability = Reliability::MaxLifetime(Duration::from_millis(100));
        association.send(1, PPID, "where I am".into(), SendOptions { unordered: true, reliability })?;
    }
    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    let mut echoes = 0;
    loop {
        let now = Instant::now();
        association.handle_timeout(now);
        let mut is_over = false;
        while let Some(event) = association.poll_event() {
            match event {
                Event::Message { stream, data, .. } => {
                    println!("{name}: {} bytes on stream {stream}", data.len());
                    if !is_client {
                        association.send(stream, PPID, data, SendOptions::default())?;
                    }
                    echoes += u32::from(is_client);
                    if echoes == 2 {
                        association.shutdown(); // what is queued still arrives
                    }
                }
                Event::Closed(reason) => {
                    println!("{name}: closed: {reason:?}");
                    is_over = true;
                }
                event => println!("{name}: {event:?}"),
            }
        }
        // A packet is appended, and what is owed goes first: also the last word of an association that is over.
        while association.poll_packet(now, MTU, &mut out) {
            let _ = socket.send_to(&out, peer);
            out.clear();
        }
        if is_over {
            return Ok(());
        }
        let wait = association.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) if from == peer => association.handle_input(&buffer[..len], Instant::now()),
            Ok(_) => {} // a stranger
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
