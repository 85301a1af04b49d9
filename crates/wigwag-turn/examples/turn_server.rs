//! A TURN server over UDP and TCP: one thread, and what `std` has.
//!
//! ```sh
//! cargo run -p wigwag-turn --example turn_server -- 192.0.2.1:3478 alice secret
//! ```
//!
//! Whoever wants peers of this machine or its network to be reached, for a test, says so: `… alice secret 127.0.0.0/8`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets and an output; the machine has none"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind::{Interrupted, WouldBlock};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol, Seed, Transmit};
use wigwag_turn::{Credentials, Server, ServerConfig, ServerEvent};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "name an address, a user, a password, and what may be reached near: turn_server 192.0.2.1:3478 alice secret 127.0.0.0/8";
/// How long it rests when nothing has come: a server that has many clients waits for its sockets with `epoll` or the like.
const REST: Duration = Duration::from_micros(500);
/// So much of one socket is taken at once, so that the others have their turn.
const TURN: usize = 32;
/// So much is kept for a client that reads slowly, in bytes; then what is relayed to it is dropped, as by any router.
const BACKLOG_MAX: usize = 64 << 10;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, username, password, near @ ..] = &*arguments else { return Err(USAGE.into()) };
    let mut sockets = Sockets::listening(address.parse()?)?;
    let mut config = ServerConfig::new("wigwag.test", [sockets.address], [sockets.address.ip()])?;
    config.add_user(&Credentials::new(username, password));
    config.peers.allow = near.iter().map(|prefix| prefix.parse()).collect::<std::result::Result<_, _>>()?;
    let mut server = Server::new(config, Seed::from_secure_source(getrandom::fill)?);
    println!("listening at {} over UDP and TCP", sockets.address);

    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        let now = Instant::now();
        server.handle_timeout(now);
        while let Some(event) = server.poll_event() {
            println!("{event:?}");
            match event {
                ServerEvent::RelayRequested { relayed, .. } => {
                    let is_open = sockets.open(relayed).is_ok();
                    server.relay_opened(relayed, is_open);
                }
                ServerEvent::RelayClosed { relayed, .. } => _ = sockets.relays.remove(&relayed),
                _ => {}
            }
        }
        while let Some(transmit) = server.poll_transmit(now, &mut out) {
            sockets.send(&transmit, &out);
        }
        let has_read = sockets.read(&mut buffer, |datagram| server.handle_input(datagram, Instant::now()))?;
        if !has_read && server.poll_timeout(now).is_none_or(|at| at > Instant::now()) {
            std::thread::sleep(REST);
        }
    }
}

struct Sockets {
    address: SocketAddr,
    udp: UdpSocket,
    listener: TcpListener,
    /// The sockets of clients, by their relayed addresses.
    relays: BTreeMap<SocketAddr, UdpSocket>,
    /// The streams of clients, and what they have not taken yet.
    streams: BTreeMap<SocketAddr, (TcpStream, Vec<u8>)>,
}

impl Sockets {
    fn listening(address: SocketAddr) -> Result<Self> {
        let (udp, listener) = (UdpSocket::bind(address)?, TcpListener::bind(address)?);
        udp.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address, udp, listener, relays: BTreeMap::new(), streams: BTreeMap::new() })
    }

    fn open(&mut self, relayed: SocketAddr) -> io::Result<()> {
        let socket = UdpSocket::bind(relayed)?;
        socket.set_nonblocking(true)?;
        self.relays.insert(relayed, socket);
        Ok(())
    }

    /// What the network does not take is lost.
    fn send(&mut self, transmit: &Transmit, bytes: &[u8]) {
        if transmit.protocol == Protocol::Udp {
            let socket =
                if transmit.local == self.address { Some(&self.udp) } else { self.relays.get(&transmit.local) };
            let _ = socket.map(|socket| socket.send_to(bytes, transmit.remote));
        } else if bytes.is_empty() {
            let stream = self.streams.remove(&transmit.remote);
            let _ = stream.map(|(stream, _)| stream.shutdown(Shutdown::Both));
        } else if let Some((_, backlog)) = self.streams.get_mut(&transmit.remote)
            && backlog.len() < BACKLOG_MAX
        {
            backlog.extend_from_slice(bytes);
        }
    }

    /// Hands in what has come; whether anything has.
    fn read(&mut self, buffer: &mut [u8], mut input: impl FnMut(Datagram<'_>)) -> Result<bool> {
        let mut has_read = false;
        for (local, socket) in std::iter::once((&self.address, &self.udp)).chain(&self.relays) {
            for _ in 0..TURN {
                // An error is that of a datagram which was sent before and reached nobody.
                let Ok((len, remote)) = socket.recv_from(buffer) else { break };
                input(Datagram::udp(*local, remote, &mut buffer[..len]));
                has_read = true;
            }
        }
        if let Ok((stream, remote)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.streams.insert(remote, (stream, Vec::new()));
            has_read = true;
        }
        let (address, mut ended) = (self.address, Vec::new());
        for (remote, (stream, backlog)) in &mut self.streams {
            let written = stream.write(backlog);
            backlog.drain(..written.unwrap_or_default());
            match stream.read(buffer) {
                Ok(0) => ended.push(*remote),
                Ok(len) => {
                    input(Datagram::tcp(address, *remote, &mut buffer[..len]));
                    has_read = true;
                }
                Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
                Err(_) => ended.push(*remote),
            }
        }
        for remote in ended {
            self.streams.remove(&remote);
            input(Datagram::tcp(address, remote, &mut []));
        }
        Ok(has_read)
    }
}
