//! Where a program serves HTTP: a bounded number of connections, each with a thread, for a bounded time.

use super::stream::Timed;
use super::tls::Tls;
use super::{Request, Stream, answer};
use crate::failure::{Failure, random_seed};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wigwag_dtls::Certificate;

/// A page needs three, and one of them for as long as it is open.
const CONNECTIONS_MAX: usize = 256;
/// How long a client may take with its head, and the handshake of TLS before it.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Where to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Listen {
    /// Where to serve HTTP: ADDRESS:PORT, or a PORT of this machine alone
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Serve HTTPS, with a certificate made for this run
    #[arg(long)]
    tls: bool,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
    if port.parse::<u128>().is_ok_and(|port| port > u128::from(u16::MAX)) {
        return Err("ports go up to 65535".to_owned());
    }
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        "write an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080, or a port alone".to_owned()
    })
}

/// A socket on which nobody is served yet.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Listener {
    pub(crate) fn bind(args: &Listen) -> Result<Self, Failure> {
        let tls = args.tls.then(make_certificate).transpose()?.map(|certificate| Tls::new(&certificate)).transpose()?;
        let socket =
            TcpListener::bind(args.listen).map_err(|error| Failure::bind("TCP", args.listen, "--listen", &error))?;
        let address = socket.local_addr().unwrap_or(args.listen);
        Ok(Self { socket, address, tls })
    }

    pub(crate) const fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    pub(crate) const fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// By which a person can recognise our certificate.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| &*tls.fingerprint)
    }

    /// What a browser can open: all addresses of this machine instead of "any", the loopback first. They end in a slash.
    pub(crate) fn urls(&self) -> Vec<String> {
        let scheme = if self.is_https() { "https" } else { "http" };
        addresses(self.address).into_iter().map(|address| format!("{scheme}://{address}/")).collect()
    }

    /// Accepts connections until the process ends, and has `handle` answer what each asks for.
    pub(crate) fn serve_in_background(
        self,
        handle: impl Fn(Stream, Request) -> io::Result<()> + Clone + Send + 'static,
    ) -> Result<(), Failure> {
        thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || self.serve(&handle))
            .map(drop)
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))
    }

    fn serve(&self, handle: &(impl Fn(Stream, Request) -> io::Result<()> + Clone + Send + 'static)) {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let socket = match self.socket.accept() {
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
            let (tls, handle) = (self.tls.as_ref().map(|tls| Arc::clone(&tls.config)), handle.clone());
            let serve = move || {
                let _place = place;
                if let Err(error) = serve_connection(socket, tls, handle) {
                    tracing::debug!(%error, "a connection ended");
                }
            };
            if let Err(error) = thread::Builder::new().name("page".to_owned()).spawn(serve) {
                tracing::warn!(%error, "no thread for a connection");
            }
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
    socket.write_all(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
}

fn serve_connection(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    handle: impl FnOnce(Stream, Request) -> io::Result<()>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = Timed::new(socket, HEAD_TIME_MAX);
    let mut stream = match tls {
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(connection, socket)))
        }
        None => Stream::Plain(socket),
    };
    match Request::read(&mut stream) {
        Ok(request) => handle(stream, request),
        Err(refusal) => refusal.response().map_or(Ok(()), |response| answer(stream, &response, true)),
    }
}

fn make_certificate() -> Result<Certificate, Failure> {
    Certificate::generate(wigwag_mio::wall_clock().unix_time(Instant::now()), random_seed()?)
        .map_err(|error| Failure::new(format!("cannot make a certificate: {error} (is the clock right?)")))
}

fn addresses(listen: SocketAddr) -> Vec<SocketAddr> {
    let is_wanted = |ip: &IpAddr| ip.is_ipv4() || listen.is_ipv6();
    match wigwag_mio::interfaces(true) {
        Ok(found) if listen.ip().is_unspecified() && !found.is_empty() => {
            let (here, there): (Vec<_>, Vec<_>) =
                found.into_iter().map(|found| found.address).filter(is_wanted).partition(IpAddr::is_loopback);
            here.into_iter().chain(there).map(|ip| SocketAddr::new(ip, listen.port())).collect()
        }
        _ => vec![listen],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_port_alone_says_where_to_listen() {
        for (text, expected) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:80", "[::1]:80"),
            ("8443", "127.0.0.1:8443"),
            ("localhost:1", "127.0.0.1:1"),
        ] {
            assert_eq!(parse_listen(text), Ok(expected.parse().unwrap()));
        }
        for text in ["", "70000", "example.org:80", "127.0.0.1", "::1:80:"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
        for text in ["127.0.0.1:99999", "65536", "[::1]:70000"] {
            assert!(parse_listen(text).unwrap_err().contains("65535"), "{text}");
        }
    }

    #[test]
    fn any_address_is_told_as_those_that_a_browser_can_open() {
        let any = addresses("0.0.0.0:8080".parse().unwrap());
        assert_eq!(any.first(), Some(&"127.0.0.1:8080".parse().unwrap()));
        assert!(any.iter().all(|address| address.is_ipv4() && !address.ip().is_unspecified()), "{any:?}");
        let one = "192.0.2.1:80".parse().unwrap();
        assert_eq!(addresses(one), [one]);
    }
}
