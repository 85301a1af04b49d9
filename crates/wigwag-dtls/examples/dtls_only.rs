//! DTLS over UDP, without the rest of WebRTC. Both ends, each on a thread of its own; or, given an address and the
//! fingerprint of its certificate, a client of any other DTLS server:
//!
//! ```sh
//! cargo run -p wigwag-dtls --example dtls_only
//! cargo run -p wigwag-dtls --example dtls_only 127.0.0.1:4444 "sha-256 A1:B2:…"
//! ```
//!
//! The server may be `openssl s_server -dtls1_2 -accept 4444 -cert cert.pem -key key.pem`, whose certificate is of the kind
//! that browsers have, and whose fingerprint `openssl x509 -noout -fingerprint -sha256 -in cert.pem` tells:
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me -keyout key.pem -out cert.pem
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machine has none"
)]

use std::error::Error;
use std::io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use wigwag_dtls::{Certificate, CloseReason, Config, Connection, Event, Fingerprint, HashAlgorithm, Role};
use wigwag_sansio::Seed;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// The largest datagram, in bytes above UDP.
const MTU: usize = 1200;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let own = Arc::new(new_certificate()?);
    if let [address, fingerprint @ ..] = &arguments[..] {
        let fingerprint: Fingerprint = fingerprint.join(" ").parse()?;
        return run(Role::Client, own, fingerprint, &UdpSocket::bind("0.0.0.0:0")?, address.parse()?);
    }
    // What the two must know of each other before they begin: addresses, and fingerprints of certificates. In WebRTC the
    // session descriptions tell both, and ICE finds out which address works.
    let other = Arc::new(new_certificate()?);
    let fingerprints = [&own, &other].map(|certificate| certificate.fingerprint(HashAlgorithm::Sha256));
    let [client, server] = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let [client_address, server_address] = [client.local_addr()?, server.local_addr()?];
    let [of_client, of_server] = fingerprints;
    let server = thread::spawn(move || run(Role::Server, other, of_client, &server, client_address));
    run(Role::Client, own, of_server, &client, server_address)?;
    server.join().map_err(|_| "the server's thread panicked")?
}

fn new_certificate() -> Result<Certificate> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Certificate::generate(since_1970, Seed::from_secure_source(getrandom::fill)?)?)
}

/// A client sends a line, waits for one, and says goodbye. A server sends back what comes.
fn run(
    role: Role,
    certificate: Arc<Certificate>,
    remote: Fingerprint,
    socket: &UdpSocket,
    peer: SocketAddr,
) -> Result<()> {
    let mut config = Config::new(role, certificate);
    config.remote_fingerprints = vec![remote]; // nobody else is accepted
    config.srtp_profiles.clear(); // or the handshake would agree on keys for media
    let mut connection = Connection::new(config, Seed::from_secure_source(getrandom::fill)?);
    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    let mut to_say: Option<Vec<u8>> = None;
    loop {
        let now = Instant::now();
        connection.handle_timeout(now);
        let mut end = None;
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected { .. } => {
                    println!("{role:?}: connected: {:?}, {:?}", connection.version(), connection.cipher_suite());
                    to_say = (role == Role::Client).then(|| b"hello from wigwag\n".to_vec());
                }
                Event::Closed(reason) => end = Some(reason),
                event => println!("{role:?}: {event:?}"),
            }
        }
        // The handshake, what is to be said inside, and the last alert: each is appended as a datagram of its own.
        while connection.poll_packet(now, MTU, &mut out) {
            let _ = socket.send_to(&out, peer);
            out.clear();
        }
        if let Some(line) = to_say.take() {
            connection.protect(MTU, &mut out, |room, out| {
                out.extend_from_slice(&line[..line.len().min(room)]);
                true
            });
            let _ = socket.send_to(&out, peer);
            out.clear();
        }
        match end {
            Some(CloseReason::Local | CloseReason::CloseNotify) => {
                println!("{role:?}: goodbye");
                return Ok(());
            }
            Some(reason) => return Err(reason.into()),
            None => {}
        }
        let wait = connection.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        match socket.recv_from(&mut buffer) {
            // Records are opened where they lie, and lent to whoever is above.
            Ok((len, from)) if from == peer => connection.handle_input(&mut buffer[..len], Instant::now(), |data| {
                println!("{role:?}: heard {:?}", String::from_utf8_lossy(data).trim_end());
                to_say = (role == Role::Server).then(|| data.to_vec());
            }),
            Ok(_) => continue, // a stranger: anybody can send to a socket
            // A server that is not there yet is asked again.
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused) => continue,
            Err(error) => return Err(error.into()),
        }
        if role == Role::Client && connection.stats().application_records_received > 0 {
            connection.close();
        }
    }
}
