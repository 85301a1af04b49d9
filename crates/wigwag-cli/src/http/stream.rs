//! A connection of a browser, with TLS or without.

use super::Response;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// What a client may still send after our answer, and how long it may wait with it.
const LINGER_LEN_MAX: u64 = 256 << 10;
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// Over a socket that blocks, with time limits, or over one of mio that does not.
pub(crate) enum Stream<Socket: Read + Write = TcpStream> {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Stream {
    /// Says that nothing more will come, and lets the client read to the end: what it still sends would otherwise be
    /// answered by a reset, which overtakes our answer.
    pub(crate) fn finish(mut self) {
        let socket = match &mut self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                &mut tls.sock
            }
        };
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.set_read_timeout(Some(LINGER_TIME_MAX));
        let _ = io::copy(&mut socket.take(LINGER_LEN_MAX), &mut io::sink());
    }

    /// The same connection, no longer blocking.
    pub(crate) fn into_mio(self) -> io::Result<Stream<mio::net::TcpStream>> {
        let convert = |socket: TcpStream| {
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(mio::net::TcpStream::from_std(socket))
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
    match response.write(&mut stream, with_body) {
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            stream.finish();
            Ok(())
        }
    }
}
