//! A connection of a browser, with TLS or without.

use super::Response;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a client may take to read an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// What a client may still send after our answer, and how long it may wait with it.
const LINGER_LEN_MAX: u64 = 256 << 10;
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// A socket that blocks, until then.
pub(crate) struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Timed {
    pub(crate) fn new(socket: TcpStream, time: Duration) -> Self {
        Self { socket, until: Instant::now() + time }
    }

    /// How long a call may wait: TLS reads again and again for one byte of what is in it, so each may not have its own time.
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Over a socket that blocks, for a limited time, or over one of mio that does not.
pub(crate) enum Stream<Socket: Read + Write = Timed> {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Stream {
    /// From now on, all together may take so long.
    pub(crate) fn allow(&mut self, time: Duration) {
        let timed = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.sock,
        };
        timed.until = Instant::now() + time;
    }

    /// Says that nothing more will come, and lets the client read to the end: what it still sends would otherwise be
    /// answered by a reset, which overtakes our answer.
    pub(crate) fn finish(mut self) {
        self.allow(LINGER_TIME_MAX);
        let timed = match &mut self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                &mut tls.sock
            }
        };
        let _ = timed.socket.shutdown(Shutdown::Write);
        let _ = io::copy(&mut timed.take(LINGER_LEN_MAX), &mut io::sink());
    }

    /// The same connection, no longer blocking.
    pub(crate) fn into_mio(self) -> io::Result<Stream<mio::net::TcpStream>> {
        let convert = |timed: Timed| {
            timed.socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(mio::net::TcpStream::from_std(timed.socket))
        };
        Ok(match self {
            Self::Plain(socket) => Stream::Plain(convert(socket)?),
            Self::Tls(tls) => {
                let (connection, socket) = tls.into_parts();
                Stream::Tls(Box::new(StreamOwned::new(connection, convert(socket)?)))
            }
        })
    }
}

impl Stream<mio::net::TcpStream> {
    pub(crate) fn socket_mut(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

impl<Socket: Read + Write> Read for Stream<Socket> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl<Socket: Read + Write> Write for Stream<Socket> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A client that closes early is no failure of ours.
pub(crate) fn answer(mut stream: Stream, response: &Response, with_body: bool) -> io::Result<()> {
    stream.allow(ANSWER_TIME_MAX);
    match response.write(&mut stream, with_body) {
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            stream.finish();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn bytes_that_drip_give_no_more_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut timed = Timed::new(listener.accept().unwrap().0, Duration::from_millis(200));
        let began = Instant::now();
        let mut read = 0;
        let error = loop {
            client.write_all(b"x").unwrap();
            match timed.read(&mut [0]) {
                Ok(len) => read += len,
                Err(error) => break error,
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
        assert!(read > 0 && began.elapsed() < Duration::from_secs(5), "{read} bytes");
    }
}
