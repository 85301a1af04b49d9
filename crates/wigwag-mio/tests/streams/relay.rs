//! A TURN server on sockets: the one of wigwag-turn's tests, driven by a thread.

use crate::server::Server;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Ecn, Protocol};

/// How many addresses it lends.
const LENT: usize = 4;

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    is_over: Arc<AtomicBool>,
    streams: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

struct Loop {
    listener: TcpListener,
    lent: Vec<UdpSocket>,
    clients: BTreeMap<SocketAddr, TcpStream>,
    server: Server,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let lent: Vec<_> = (0..LENT).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        lent.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
        let addresses: Vec<_> = lent.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let mut carrier = Loop { listener, lent, clients: BTreeMap::new(), server: Server::new(address, &addresses) };
        let (is_over, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (told, count) = (Arc::clone(&is_over), Arc::clone(&streams));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if !carrier.turn() {
                    thread::sleep(Duration::from_millis(1));
                }
                count.store(carrier.clients.len(), Ordering::Relaxed);
            }
        });
        Self { address, is_over, streams, thread: Some(thread) }
    }

    /// Streams that are open.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Loop {
    /// Whether there was anything.
    fn turn(&mut self) -> bool {
        let (mut is_busy, mut buffer, now) = (false, vec![0; 1 << 16], Instant::now());
        while let Ok((stream, from)) = self.listener.accept() {
            stream.set_nonblocking(true).unwrap();
            self.clients.insert(from, stream);
        }
        let local = self.listener.local_addr().unwrap();
        self.clients.retain(|remote, stream| {
            let (len, is_open) = match stream.read(&mut buffer) {
                Ok(len) => (len, len > 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => (0, false),
            };
            is_busy = true;
            let payload = &mut buffer[..len];
            let (protocol, remote, ecn) = (Protocol::Tcp, *remote, Ecn::NotEct);
            self.server.handle_input(Datagram { protocol, local, remote, ecn, payload }, now);
            is_open
        });
        for socket in &self.lent {
            while let Ok((len, remote)) = socket.recv_from(&mut buffer) {
                is_busy = true;
                let local = socket.local_addr().unwrap();
                self.server.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), now);
            }
        }
        while let Some(transmit) = self.server.poll_transmit(&mut buffer) {
            is_busy = true;
            if let Some(socket) = self.lent.iter().find(|socket| socket.local_addr().unwrap() == transmit.local) {
                let _ = socket.send_to(&buffer, transmit.remote);
            } else if let Some(stream) = self.clients.get_mut(&transmit.remote) {
                write_all(stream, &buffer);
            }
        }
        is_busy
    }
}

/// The client reads, sooner or later.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !bytes.is_empty() && Instant::now() < deadline {
        match stream.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(100)),
            Err(_) => return,
        }
    }
}
