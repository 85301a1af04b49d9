//! The sockets of the server: for clients, for peers, and of streams.

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;
use wigwag_sansio::{Datagram, Protocol, Transmit};

/// So much of one socket is taken at once, so that the others have their turn.
const TURN: usize = 64;
/// So much is kept for a client that reads slowly, in bytes; then what is relayed to it is lost, as at any router.
const BACKLOG_MAX: usize = 256 << 10;

/// A stream, and what it has not taken yet.
struct Stream {
    stream: TcpStream,
    remote: SocketAddr,
    backlog: VecDeque<u8>,
}

enum Socket {
    Listener(TcpListener),
    /// Of clients, or of peers of one of them.
    Udp(UdpSocket, SocketAddr),
    Stream(Stream),
}

pub(super) struct Sockets {
    /// Where clients are served.
    pub(super) address: SocketAddr,
    poll: Poll,
    events: Events,
    sockets: BTreeMap<Token, Socket>,
    /// Sockets for UDP by their addresses, streams by those of their clients.
    udp: BTreeMap<SocketAddr, Token>,
    streams: BTreeMap<SocketAddr, Token>,
    /// Those of which more may be read.
    ready: VecDeque<Token>,
    last: usize,
    buffer: Vec<u8>,
}

/// What comes of reading.
enum Reading {
    Empty,
    More,
    Ended,
}

impl Sockets {
    pub(super) fn listening(address: SocketAddr) -> io::Result<Self> {
        let udp = UdpSocket::bind(address)?;
        let address = udp.local_addr()?; // a port of 0 is one for both
        let listener = TcpListener::bind(address)?;
        let mut sockets = Self {
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(256),
            sockets: BTreeMap::new(),
            udp: BTreeMap::new(),
            streams: BTreeMap::new(),
            ready: VecDeque::new(),
            last: 0,
            buffer: vec![0; 65_536],
        };
        let token = sockets.add(Socket::Udp(udp, address))?;
        sockets.udp.insert(address, token);
        sockets.add(Socket::Listener(listener))?;
        Ok(sockets)
    }

    fn add(&mut self, mut socket: Socket) -> io::Result<Token> {
        self.last = self.last.wrapping_add(1);
        let (token, registry) = (Token(self.last), self.poll.registry());
        match &mut socket {
            Socket::Listener(listener) => registry.register(listener, token, Interest::READABLE)?,
            Socket::Udp(socket, _) => registry.register(socket, token, Interest::READABLE)?,
            Socket::Stream(stream) => {
                registry.register(&mut stream.stream, token, Interest::READABLE | Interest::WRITABLE)?;
            }
        }
        self.sockets.insert(token, socket);
        self.ready.push_back(token);
        Ok(token)
    }

    /// One for the peers of a client.
    pub(super) fn open(&mut self, relayed: SocketAddr) -> io::Result<()> {
        let token = self.add(Socket::Udp(UdpSocket::bind(relayed)?, relayed))?;
        self.udp.insert(relayed, token);
        Ok(())
    }

    pub(super) fn close(&mut self, relayed: SocketAddr) {
        let token = self.udp.remove(&relayed);
        token.map(|token| self.sockets.remove(&token));
    }

    /// What the network does not take is lost.
    pub(super) fn send(&mut self, transmit: &Transmit, bytes: &[u8]) {
        if transmit.protocol == Protocol::Udp {
            let token = self.udp.get(&transmit.local);
            if let Some(Socket::Udp(socket, _)) = token.and_then(|token| self.sockets.get(token)) {
                let _ = socket.send_to(bytes, transmit.remote);
            }
        } else if bytes.is_empty() {
            self.end(transmit.remote);
        } else if let Some(Socket::Stream(stream)) =
            self.streams.get(&transmit.remote).and_then(|token| self.sockets.get_mut(token))
            && stream.backlog.len() < BACKLOG_MAX
        {
            stream.backlog.extend(bytes);
            stream.flush();
        }
    }

    fn end(&mut self, remote: SocketAddr) {
        let token = self.streams.remove(&remote);
        if let Some(Socket::Stream(stream)) = token.and_then(|token| self.sockets.remove(&token)) {
            let _ = stream.stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until something has come, and hands it in.
    pub(super) fn read(&mut self, wait: Duration, mut input: impl FnMut(Datagram<'_>)) -> io::Result<()> {
        let wait = if self.ready.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        for event in &self.events {
            if let Some(Socket::Stream(stream)) = self.sockets.get_mut(&event.token())
                && event.is_writable()
            {
                stream.flush();
            }
            if !self.ready.contains(&event.token()) {
                self.ready.push_back(event.token());
            }
        }
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop_front() else { break };
            match self.read_one(token, &mut input)? {
                Reading::Empty => {}
                Reading::More => self.ready.push_back(token),
                Reading::Ended => {
                    if let Some(Socket::Stream(Stream { remote, .. })) = self.sockets.get(&token) {
                        let remote = *remote;
                        self.end(remote);
                        input(Datagram::tcp(self.address, remote, &mut []));
                    }
                }
            }
        }
        Ok(())
    }

    fn read_one(&mut self, token: Token, input: &mut impl FnMut(Datagram<'_>)) -> io::Result<Reading> {
        let mut accepted = Vec::new();
        for _ in 0..TURN {
            match self.sockets.get_mut(&token) {
                None => return Ok(Reading::Empty),
                // An error is that of a datagram which was sent before and reached nobody, or of a client that has left.
                Some(Socket::Udp(socket, local)) => match socket.recv_from(&mut self.buffer) {
                    Ok((len, remote)) => {
                        let payload = self.buffer.get_mut(..len).unwrap_or_default();
                        input(Datagram::udp(*local, remote, payload));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Reading::Empty),
                    Err(_) => {}
                },
                Some(Socket::Stream(stream)) => match stream.stream.read(&mut self.buffer) {
                    Ok(0) => return Ok(Reading::Ended),
                    Ok(len) => {
                        let payload = self.buffer.get_mut(..len).unwrap_or_default();
                        input(Datagram::tcp(self.address, stream.remote, payload));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Reading::Empty),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Ok(Reading::Ended),
                },
                Some(Socket::Listener(listener)) => match listener.accept() {
                    Ok(one) => accepted.push(one),
                    // Whoever has left before its turn came keeps nobody behind from theirs.
                    Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                    Err(_) => break,
                },
            }
        }
        let is_listener = matches!(self.sockets.get(&token), Some(Socket::Listener(_)));
        let has_more = !is_listener || accepted.len() == TURN;
        for (stream, remote) in accepted {
            let _ = stream.set_nodelay(true);
            let token = self.add(Socket::Stream(Stream { stream, remote, backlog: VecDeque::new() }))?;
            self.streams.insert(remote, token);
        }
        Ok(if has_more { Reading::More } else { Reading::Empty })
    }
}

impl Stream {
    /// What cannot be written is known when the stream is read.
    fn flush(&mut self) {
        while !self.backlog.is_empty() {
            let (first, _) = self.backlog.as_slices();
            match self.stream.write(first) {
                Ok(len @ 1..) => _ = self.backlog.drain(..len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}
