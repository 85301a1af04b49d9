//! Asks a TURN server for an address, sends it a datagram from elsewhere, and answers: whether a server works, and what it costs.
//!
//! ```sh
//! cargo run -p wigwag-turn --example turn_only -- 192.0.2.1:3478 alice secret
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets and an output; the machine has none"
)]

use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Seed};
use wigwag_turn::{Client, ClientConfig, ClientEvent, Credentials};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// The peer tries so often.
const TRIES: u32 = 50;

fn main() -> Result<()> {
    let [server, username, password] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| USAGE)?;
    let server: SocketAddr = server.parse()?;
    let (socket, local) = bound_towards(server)?;
    let (mut peer, peer_address) = (Peer::new(server)?, bound_towards(server)?.1.ip());
    let config = ClientConfig::new(local, server, Credentials::new(username, password));
    let mut client = Client::new(config, Seed::from_secure_source(getrandom::fill)?);

    let (mut out, mut buffer, mut has_answered) = (Vec::new(), vec![0; 65_536], false);
    loop {
        let now = Instant::now();
        client.handle_timeout(now);
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Allocated { relayed, mapped } => {
                    println!("relayed at {relayed}, seen at {mapped}");
                    // The peer is on this machine: the server sees it where it sees us.
                    client.allow(mapped.ip());
                    client.allow(peer_address);
                    peer.target = Some(relayed);
                }
                ClientEvent::Ended(failure) if has_answered => println!("the server ends it: {failure}"),
                ClientEvent::Ended(failure) => return Err(failure.to_string().into()),
                event => println!("{event:?}"),
            }
        }
        while let Some(transmit) = client.poll_transmit(now, &mut out) {
            let _ = socket.send_to(&out, transmit.remote);
        }
        if client.is_over() {
            println!("given back");
            return Ok(());
        }
        if peer.turn(now)? && !has_answered {
            has_answered = true;
            client.release();
            continue;
        }
        let wait = client.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        match socket.recv_from(&mut buffer) {
            Ok((len, remote)) => {
                let mut heard = Vec::new();
                client.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), Instant::now(), |datagram| {
                    println!("heard {:?} from {}", String::from_utf8_lossy(datagram.payload), datagram.remote);
                    heard.push(datagram.remote);
                });
                for peer in heard {
                    out.clear();
                    if client.wrap(peer, 1200, &mut out, |_, out| write_answer(out)) {
                        socket.send_to(&out, client.server())?;
                    }
                }
            }
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

const USAGE: &str = "name a server, a user and a password: turn_only 192.0.2.1:3478 alice secret";

fn write_answer(out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"hello to you");
    true
}

/// A socket, and the address of this machine that the server is reached from.
fn bound_towards(server: SocketAddr) -> Result<(UdpSocket, SocketAddr)> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let way = UdpSocket::bind(any)?;
    way.connect(server)?;
    let socket = UdpSocket::bind(SocketAddr::new(way.local_addr()?.ip(), 0))?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// Somebody who knows of no relay: sends to its address until an answer comes.
struct Peer {
    socket: UdpSocket,
    target: Option<SocketAddr>,
    sent: u32,
    sent_at: Option<Instant>,
}

impl Peer {
    fn new(server: SocketAddr) -> Result<Self> {
        let (socket, _) = bound_towards(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, target: None, sent: 0, sent_at: None })
    }

    /// Whether the answer has come.
    fn turn(&mut self, now: Instant) -> Result<bool> {
        let (Some(target), mut buffer) = (self.target, [0; 100]) else { return Ok(false) };
        if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            let age = self.sent_at.map(|at| now.saturating_duration_since(at)).unwrap_or_default();
            println!("the peer heard {:?} from {from} after {age:?}", String::from_utf8_lossy(&buffer[..len]));
            return Ok(true);
        }
        if self.sent_at.is_none_or(|at| now.saturating_duration_since(at) > Duration::from_millis(200)) {
            if self.sent == TRIES {
                return Err("the server relays nothing: it may not let us reach ourselves".into());
            }
            self.socket.send_to(b"hello", target)?;
            (self.sent, self.sent_at) = (self.sent.saturating_add(1), Some(now));
        }
        Ok(false)
    }
}
