//! `wigwag turn-server` with our client, over UDP and TCP.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol, Seed};
use wigwag_turn::{Client, ClientConfig, ClientEvent, Credentials};

const PATIENCE: Duration = Duration::from_secs(20);

struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wigwag"));
        command.args(["turn-server", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').find_map(|word| word.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("{line}")) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A client, and its way to the server.
struct Somebody {
    client: Client,
    way: Way,
}

impl Somebody {
    fn new(protocol: Protocol, server: SocketAddr, credentials: Credentials) -> Self {
        let way = match protocol {
            Protocol::Udp => Way::Udp(UdpSocket::bind("127.0.0.1:0").unwrap()),
            Protocol::Tcp | Protocol::Tls => Way::Tcp(TcpStream::connect(server).unwrap()),
        };
        let wait = Some(Duration::from_millis(5));
        let local = match &way {
            Way::Udp(socket) => socket.set_read_timeout(wait).and_then(|()| socket.local_addr()),
            Way::Tcp(stream) => stream.set_read_timeout(wait).and_then(|()| stream.local_addr()),
        };
        let config = ClientConfig::new(local.unwrap(), server, credentials).over(protocol);
        Self { client: Client::new(config, Seed::for_test(1)), way }
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.way {
            Way::Udp(socket) => _ = socket.send_to(bytes, self.client.server()).unwrap(),
            Way::Tcp(stream) => stream.write_all(bytes).unwrap(),
        }
    }

    /// One turn of a loop: what has happened, and what peers have sent.
    fn turn(&mut self) -> (Option<ClientEvent>, Vec<Vec<u8>>) {
        let (mut out, mut buffer, mut heard) = (Vec::new(), [0; 4096], Vec::new());
        self.client.handle_timeout(Instant::now());
        while self.client.poll_transmit(Instant::now(), &mut out).is_some() {
            self.write(&out);
        }
        let len = match &mut self.way {
            Way::Udp(socket) => socket.recv(&mut buffer),
            Way::Tcp(stream) => stream.read(&mut buffer),
        };
        if let Ok(len) = len {
            let (protocol, local, remote) = (self.client.protocol(), self.client.local(), self.client.server());
            let datagram = Datagram { protocol, ..Datagram::udp(local, remote, &mut buffer[..len]) };
            self.client.handle_input(datagram, Instant::now(), |inner| heard.push(inner.payload.to_vec()));
        }
        (self.client.poll_event(), heard)
    }

    /// Whether an address was given.
    fn allocated(&mut self) -> Result<SocketAddr, String> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.turn().0 {
                Some(ClientEvent::Allocated { relayed, .. }) => return Ok(relayed),
                Some(event) => return Err(format!("{event:?}")),
                None => {}
            }
        }
        Err("nothing".into())
    }
}

#[test]
fn a_client_talks_with_a_peer_over_udp_and_tcp() {
    let program = Program::start(&["--user", "alice:secret", "--allow", "127.0.0.1", "--ports", "40000-48000"]);
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut alice = Somebody::new(protocol, program.address, Credentials::new("alice", "secret"));
        let relayed = alice.allocated().unwrap();
        assert!((40_000..=48_000).contains(&relayed.port()));
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        alice.client.bind(peer.local_addr().unwrap());
        let (begin, mut buffer) = (Instant::now(), [0; 100]);
        loop {
            assert!(begin.elapsed() < PATIENCE, "{protocol:?}");
            peer.send_to(b"hello", relayed).unwrap();
            if alice.turn().1.iter().any(|data| data == b"hello") {
                break;
            }
        }
        let mut out = b"hello to you".to_vec();
        assert!(alice.client.enclose(peer.local_addr().unwrap(), &mut out));
        alice.write(&out);
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let (len, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"hello to you"[..], relayed), "{protocol:?}");
    }
}

#[test]
fn whoever_has_no_password_or_one_that_has_run_out_is_refused() {
    let program = Program::start(&["--secret", "north"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let allocated = |credentials| Somebody::new(Protocol::Udp, program.address, credentials).allocated();
    assert!(allocated(Credentials::ephemeral(b"north", now + PATIENCE, "ann")).is_ok());
    for credentials in [
        Credentials::ephemeral(b"north", now - PATIENCE, "ann"),
        Credentials::ephemeral(b"south", now + PATIENCE, "ann"),
        Credentials::new("alice", "secret"),
    ] {
        assert!(allocated(credentials).unwrap_err().contains("401"));
    }
}

#[test]
fn peers_near_it_are_refused_unless_they_are_allowed() {
    let program = Program::start(&["--user", "alice:secret"]);
    let mut alice = Somebody::new(Protocol::Udp, program.address, Credentials::new("alice", "secret"));
    alice.allocated().unwrap();
    alice.client.allow([127, 0, 0, 2].into());
    let begin = Instant::now();
    let refused = loop {
        assert!(begin.elapsed() < PATIENCE);
        if let (Some(event), _) = alice.turn() {
            break event;
        }
    };
    assert!(matches!(refused, ClientEvent::PeerRefused { .. }), "{refused:?}");
}
