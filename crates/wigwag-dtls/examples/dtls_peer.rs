//! A DTLS peer over UDP, to try the crate against another implementation by hand.
//!
//! ```text
//! dtls_peer server 127.0.0.1:4444 [fingerprint]
//! dtls_peer client 127.0.0.1:4444 [fingerprint]
//! ```
//! Prints its own fingerprint and, once connected, what was negotiated and 60 bytes of the exporter of DTLS-SRTP. Sends a
//! line, and prints what comes; a server sends it back in capitals. Without a fingerprint that of the peer cannot be
//! checked, so it is refused; what it would have been is printed by the peer. `--key FILE` (PKCS #8 in DER) and
//! `--certificate FILE` (DER) take a certificate instead of making one. If KEY_LOG is set
//! in the environment, the line of the key log is printed; if COOKIE is, a server asks for a cookie.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example is a program, not a machine")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use wigwag_dtls::{Certificate, Config, Connection, CookieExchange, CookieSecret, Event, HashAlgorithm, Role};
use wigwag_sansio::Seed;

const USAGE: &str = "dtls_peer server|client ADDRESS [FINGERPRINT] [--certificate FILE --key FILE]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let certificate = certificate(&mut arguments)?;
    println!("our fingerprint: {}", certificate.fingerprint(HashAlgorithm::Sha256));
    let [role, address, fingerprint @ ..] = &arguments[..] else { return Err(USAGE.into()) };
    let address: SocketAddr = address.parse()?;
    let (role, socket, remote) = match &**role {
        "server" => (Role::Server, UdpSocket::bind(address)?, None),
        "client" => (Role::Client, UdpSocket::bind((address.ip(), 0))?, Some(address)),
        _ => return Err(USAGE.into()),
    };
    let mut config = Config::new(role, certificate);
    config.key_log = std::env::var_os("KEY_LOG").is_some();
    if std::env::var_os("COOKIE").is_some() {
        // The first who speaks is the only client, so any name for its address will do.
        let secret = CookieSecret::new(Seed::from_secure_source(random)?);
        config.cookie_exchange = Some(CookieExchange::new(Arc::new(secret), Vec::new()));
    }
    if !fingerprint.is_empty() {
        config.remote_fingerprints = vec![fingerprint.join(" ").parse()?];
    }
    run(Connection::new(config, Seed::from_secure_source(random)?), &socket, remote)
}

/// The loop of `docs/sans-io.md`: time, events, packets, then wait.
fn run(mut connection: Connection, socket: &UdpSocket, mut remote: Option<SocketAddr>) -> Result<(), Box<dyn Error>> {
    let (mut out, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        let now = Instant::now();
        connection.handle_timeout(now);
        let mut is_over = false;
        if let Some(line) = connection.poll_key_log() {
            println!("{line}");
        }
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected { .. } => {
                    report(&connection)?;
                    send(&mut connection, socket, remote, b"hello from wigwag\n");
                }
                Event::Closed(reason) => {
                    println!("closed: {reason}");
                    is_over = true;
                }
                event => println!("{event:?}"),
            }
        }
        while let Some(to) = remote
            && connection.poll_packet(now, 1200, &mut out)
        {
            socket.send_to(&out, to)?;
            out.clear();
        }
        if is_over {
            return Ok(());
        }
        let wait =
            connection.poll_timeout(now).map(|at| at.saturating_duration_since(now).max(Duration::from_millis(1)));
        socket.set_read_timeout(wait)?;
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                // The first who speaks to a server is its client: ICE would know better.
                if from == *remote.get_or_insert(from) {
                    let mut lines = Vec::new();
                    connection.handle_input(&mut buffer[..len], Instant::now(), |data| lines.push(data.to_vec()));
                    for line in lines {
                        println!("received: {}", String::from_utf8_lossy(&line).trim_end());
                        if connection.config().role == Role::Server {
                            send(&mut connection, socket, remote, &line.to_ascii_uppercase());
                        }
                    }
                }
            }
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::ConnectionRefused
                ) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn send(connection: &mut Connection, socket: &UdpSocket, remote: Option<SocketAddr>, line: &[u8]) {
    let mut out = Vec::new();
    let has_written = connection.protect(1200, &mut out, |room, out| {
        out.extend_from_slice(&line[..line.len().min(room)]);
        true
    });
    if let (true, Some(remote)) = (has_written, remote)
        && let Err(e) = socket.send_to(&out, remote)
    {
        println!("not sent: {e}");
    }
}

fn report(connection: &Connection) -> Result<(), Box<dyn Error>> {
    if let (Some(suite), Some(group)) = (connection.cipher_suite(), connection.group()) {
        println!("connected: {suite}, {group}");
    }
    if let Some(profile) = connection.srtp_profile() {
        println!("SRTP profile: {profile}");
    }
    let mut material = [0; 60];
    connection.export_keying_material("EXTRACTOR-dtls_srtp", None, &mut material)?;
    println!("keying material: {}", material.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
    Ok(())
}

fn certificate(arguments: &mut Vec<String>) -> Result<Arc<Certificate>, Box<dyn Error>> {
    let mut option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.drain(at..(at + 2).min(arguments.len())).nth(1)
    };
    let files = option("--certificate").zip(option("--key"));
    let certificate = match files {
        Some((certificate, key)) => Certificate::from_der(&std::fs::read(certificate)?, &std::fs::read(key)?)?,
        None => {
            let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            Certificate::generate(since_1970, Seed::from_secure_source(random)?)?
        }
    };
    Ok(Arc::new(certificate))
}

/// A real program takes `getrandom`; an example takes no dependency for it.
fn random(bytes: &mut [u8]) -> Result<(), std::io::Error> {
    use std::io::Read;
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}
