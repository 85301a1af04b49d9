//! Serves the page and its signalling: a bounded number of connections, each for a bounded time.

use super::calls::Calls;
use super::http::{Request, Response, write_upgrade};
use super::stream::Stream;
use super::tls::Tls;
use super::websocket;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Each connection has a thread: a page needs three, and one of them for as long as it is open.
const CONNECTIONS_MAX: usize = 256;
/// How long a read or a write may take before the client counts as gone.
const IO_TIME_MAX: Duration = Duration::from_secs(5);

const PAGE: Response = Response::new(200, "text/html; charset=utf-8", include_str!("page/index.html"));
const STYLE: Response = Response::new(200, "text/css; charset=utf-8", include_str!("page/style.css"));
const SCRIPT: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/app.js"));
const SIDES: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/sides.js"));
const CHARTS: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/charts.js"));
const FILE: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/file.js"));
const SHA256: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/sha256.js"));

/// Accepts connections until the process ends.
pub(super) fn serve(listener: &TcpListener, tls: Option<&Tls>, calls: &Calls) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Such as too many open files: it passes when connections end.
                tracing::warn!(%error, "a connection was not accepted");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        let Some(place) = Place::take(&open) else {
            let _ = refuse(socket);
            continue;
        };
        let (tls, calls) = (tls.map(|tls| Arc::clone(&tls.config)), calls.clone());
        let serve = move || {
            let _place = place;
            if let Err(error) = serve_connection(socket, tls, &calls) {
                tracing::debug!(%error, "a connection ended");
            }
        };
        if let Err(error) = thread::Builder::new().name("page".to_owned()).spawn(serve) {
            tracing::warn!(%error, "no thread for a connection");
        }
    }
}

/// One of the connections that may be open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::Relaxed) < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Without reading the request: what waits to be sent fits the socket's buffer.
fn refuse(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn serve_connection(socket: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, calls: &Calls) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(IO_TIME_MAX))?;
    socket.set_write_timeout(Some(IO_TIME_MAX))?;
    let mut stream = match tls {
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(connection, socket)))
        }
        None => Stream::Plain(socket),
    };
    match Request::read(&mut stream) {
        Ok(request) => serve_request(stream, request, calls),
        Err(refusal) => match refusal.response() {
            Some(response) => answer(stream, &response, true),
            None => Ok(()),
        },
    }
}

fn serve_request(mut stream: Stream, request: Request, calls: &Calls) -> io::Result<()> {
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/signalling") => match &request.websocket_key {
            Some(_) if !request.is_same_origin() => {
                &Response::text(403, "Only the page of this server may open its signalling.")
            }
            Some(key) => {
                write_upgrade(&mut stream, key)?;
                return websocket::serve(stream, request.rest, calls);
            }
            None => &Response::text(426, "Signalling is a WebSocket (RFC 6455, version 13)."),
        },
        ("GET" | "HEAD", "/" | "/index.html") => &PAGE,
        ("GET" | "HEAD", "/style.css") => &STYLE,
        ("GET" | "HEAD", "/app.js") => &SCRIPT,
        ("GET" | "HEAD", "/charts.js") => &CHARTS,
        ("GET" | "HEAD", "/sides.js") => &SIDES,
        ("GET" | "HEAD", "/file.js") => &FILE,
        ("GET" | "HEAD", "/sha256.js") => &SHA256,
        ("GET" | "HEAD", _) => &Response::text(404, "There is no such page."),
        _ => &Response::text(405, "Pages are read with GET."),
    };
    answer(stream, response, request.method != "HEAD")
}

/// A client that closes early is no failure of ours.
fn answer(mut stream: Stream, response: &Response, with_body: bool) -> io::Result<()> {
    match response.write(&mut stream, with_body) {
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            stream.finish();
            Ok(())
        }
    }
}
