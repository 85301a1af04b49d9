//! The signalling channel of one page: messages to the calls and from them, waiting for neither alone.

use super::calls::{Calls, Outbox};
use super::signalling::{ClientMessage, MESSAGE_LEN_MAX, ServerMessage};
use crate::http::Stream;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket};

const STREAM: Token = Token(0);
const WAKE: Token = Token(1);
/// A page that is gone without a word is noticed by its silence.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Carries signalling until the page leaves. `rest` is what came with the request that opened the channel.
pub(super) fn serve(stream: Stream, rest: Vec<u8>, calls: &Calls) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let mut stream = stream.into_mio()?;
    poll.registry().register(stream.socket_mut(), STREAM, Interest::READABLE | Interest::WRITABLE)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .max_message_size(Some(MESSAGE_LEN_MAX))
        .max_frame_size(Some(MESSAGE_LEN_MAX))
        .max_write_buffer_size(4 * MESSAGE_LEN_MAX);
    let socket = WebSocket::from_partially_read(stream, rest, Role::Server, Some(config));
    let (outbox, messages) = Outbox::new(waker);
    let Some(page) = calls.open(outbox) else { return Ok(()) };
    let mut channel =
        Channel { socket, messages, last_heard: Instant::now(), next_ping: Instant::now() + PING_INTERVAL };
    let result = channel.run(&mut poll, |message| calls.tell(page, message));
    calls.leave(page);
    result
}

struct Channel {
    socket: WebSocket<Stream<mio::net::TcpStream>>,
    messages: Receiver<ServerMessage>,
    last_heard: Instant,
    next_ping: Instant,
}

impl Channel {
    fn run(&mut self, poll: &mut Poll, mut tell: impl FnMut(ClientMessage)) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        while self.read(&mut tell)? && self.write()? {
            let now = Instant::now();
            if now.saturating_duration_since(self.last_heard) >= SILENCE_MAX {
                return Ok(());
            }
            match poll.poll(&mut events, Some(self.next_ping.saturating_duration_since(now))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads all there is. False if the page has left, or broke the rules.
    fn read(&mut self, tell: &mut impl FnMut(ClientMessage)) -> io::Result<bool> {
        loop {
            match self.socket.read() {
                Ok(message) => self.handle(message, tell)?,
                Err(error) => return proceed(error),
            }
        }
    }

    fn handle(&mut self, message: Message, tell: &mut impl FnMut(ClientMessage)) -> io::Result<()> {
        self.last_heard = Instant::now();
        let Message::Text(text) = message else { return Ok(()) };
        match ClientMessage::parse(&text) {
            Ok(message) => tell(message),
            Err(reason) => {
                self.queue(Message::text(ServerMessage::Error(reason).to_json()))?;
            }
        }
        Ok(())
    }

    /// Writes what the calls say, and a ping when it is time. False if the page takes nothing any more.
    fn write(&mut self) -> io::Result<bool> {
        loop {
            match self.messages.try_recv() {
                Ok(message) if !self.queue(Message::text(message.to_json()))? => return Ok(false),
                Ok(_) => {}
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                // The calls have ended.
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    let _ = self.socket.close(None);
                    let _ = self.socket.flush();
                    return Ok(false);
                }
            }
        }
        let now = Instant::now();
        if now >= self.next_ping {
            self.next_ping = now + PING_INTERVAL;
            if !self.queue(Message::Ping(Bytes::new()))? {
                return Ok(false);
            }
        }
        self.socket.flush().map_or_else(proceed, |()| Ok(true))
    }

    fn queue(&mut self, message: Message) -> io::Result<bool> {
        self.socket.write(message).map_or_else(proceed, |()| Ok(true))
    }
}

/// Whether the channel goes on after this error, ends, or is broken.
fn proceed(error: Error) -> io::Result<bool> {
    match error {
        Error::Io(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Error::Io(error) => Err(error),
        Error::ConnectionClosed | Error::AlreadyClosed => Ok(false),
        other => {
            tracing::info!(%other, "a page broke the rules of WebSockets, or reads nothing");
            Ok(false)
        }
    }
}
