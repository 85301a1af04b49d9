//! As much HTTP/1.1 as a page needs: one request a connection, answered and closed, or upgraded to a WebSocket.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// A request's line and headers are at most this long, in bytes.
const HEAD_LEN_MAX: usize = 8192;
const HEADERS_MAX: usize = 64;
/// How long a client may take to send them.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// A request without a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) host: Option<String>,
    pub(super) origin: Option<String>,
    /// The client's key, if it asks for a WebSocket as RFC 6455 §4.2.1 demands.
    pub(super) websocket_key: Option<String>,
    /// What came after the headers.
    pub(super) rest: Vec<u8>,
}

/// Why a request gets no answer but this.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client left, or sent nothing.
    Gone,
    /// It was too slow.
    Slow,
    /// Its head is too long.
    Long,
    /// It is no HTTP/1.1 request.
    Malformed,
}

impl Refusal {
    pub(super) fn response(&self) -> Option<Response> {
        match self {
            Self::Gone => None,
            Self::Slow => Some(Response::text(408, "The request did not come in time.")),
            Self::Long => Some(Response::text(431, "The request's headers are too long.")),
            Self::Malformed => Some(Response::text(400, "That is no HTTP/1.1 request.")),
        }
    }
}

impl Request {
    /// Reads from a stream whose reads time out.
    pub(super) fn read(stream: &mut impl Read) -> Result<Self, Refusal> {
        let deadline = Instant::now() + HEAD_TIME_MAX;
        let mut head = Vec::with_capacity(1024);
        let mut chunk = [0; 1024];
        loop {
            match Self::parse(&head)? {
                Some(request) => return Ok(request),
                None if head.len() >= HEAD_LEN_MAX => return Err(Refusal::Long),
                None if Instant::now() >= deadline => return Err(Refusal::Slow),
                None => {}
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Err(Refusal::Gone),
                Ok(len) => head.extend_from_slice(chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(if head.is_empty() { Refusal::Gone } else { Refusal::Slow });
                }
                Err(_) => return Err(Refusal::Gone),
            }
        }
    }

    /// The request, or `None` if there must come more.
    fn parse(head: &[u8]) -> Result<Option<Self>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let len = match parsed.parse(head) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::Long),
            Err(_) => return Err(Refusal::Malformed),
        };
        let (Some(method), Some(target), Some(1)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Refusal::Malformed);
        };
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let header = |name: &str| {
            let mut found = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            // Of two, one might be meant for somebody between us and the client.
            let value = found.next().filter(|_| found.next().is_none())?;
            std::str::from_utf8(value.value).ok().map(|value| value.trim().to_owned())
        };
        Ok(Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            host: header("host"),
            origin: header("origin"),
            websocket_key: websocket_key(header),
            rest: head.get(len..).unwrap_or_default().to_vec(),
        }))
    }

    /// Whether the page that asks is one that this server has served. A browser tells the truth of it; another site's
    /// page could otherwise speak to us through its visitor.
    pub(super) fn is_same_origin(&self) -> bool {
        match (&self.origin, &self.host) {
            // No browser: nobody is deceived.
            (None, _) => true,
            (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
            (Some(_), None) => false,
        }
    }
}

fn websocket_key(header: impl Fn(&str) -> Option<String>) -> Option<String> {
    let has_token = |name: &str, token: &str| {
        header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    let is_upgrade = has_token("upgrade", "websocket") && has_token("connection", "upgrade");
    // RFC 6455 §4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13."
    let is_version_13 = header("sec-websocket-version").is_some_and(|version| version == "13");
    header("sec-websocket-key").filter(|key| is_upgrade && is_version_13 && key.len() == 24)
}

/// An answer, after which the connection closes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: u16,
    content_type: &'static str,
    body: &'static str,
}

impl Response {
    pub(super) const fn new(status: u16, content_type: &'static str, body: &'static str) -> Self {
        Self { status, content_type, body }
    }

    pub(super) const fn text(status: u16, body: &'static str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    pub(super) fn write(&self, stream: &mut impl Write, with_body: bool) -> io::Result<()> {
        let Self { status, content_type, body } = self;
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\n\
             Content-Type: {content_type}\r\n\
             Content-Length: {len}\r\n\
             Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
             media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Permissions-Policy: camera=(self), microphone=(self), autoplay=(self)\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\n\
             Cache-Control: no-store\r\n\
             Connection: close\r\n\r\n",
            reason = reason(*status),
            len = body.len(),
        );
        stream.write_all(head.as_bytes())?;
        if with_body {
            stream.write_all(body.as_bytes())?;
        }
        stream.flush()
    }
}

/// RFC 6455 §4.2.2: the server's part of the handshake.
pub(super) fn write_upgrade(stream: &mut impl Write, key: &str) -> io::Result<()> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.flush()
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "GET /signalling?x=1 HTTP/1.1\r\nHost: h:1\r\nOrigin: http://h:1\r\nUpgrade: WebSocket\r\n\
                           Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn read(bytes: &[u8]) -> Result<Request, Refusal> {
        Request::read(&mut &*bytes)
    }

    #[test]
    fn a_request_is_read_and_what_follows_is_kept() {
        let request = read(b"GET /app.js?v=1#x HTTP/1.1\r\nhost: h\r\n\r\nrest").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/app.js"));
        assert_eq!((request.host.as_deref(), request.rest.as_slice()), (Some("h"), b"rest".as_slice()));
    }

    #[test]
    fn requests_may_come_byte_by_byte() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
                self.0 = rest;
                buffer[0] = *first;
                Ok(1)
            }
        }
        assert_eq!(Request::read(&mut Drip(UPGRADE.as_bytes())), read(UPGRADE.as_bytes()));
    }

    #[test]
    fn what_is_no_request_is_refused_by_its_reason() {
        assert_eq!(read(b""), Err(Refusal::Gone));
        assert_eq!(read(b"GET / HTTP/1.1\r\nhost"), Err(Refusal::Gone));
        assert_eq!(read(b"GET / HTTP/1.0\r\n\r\n"), Err(Refusal::Malformed));
        assert_eq!(read(b"\x16\x03\x01\x02\x00\x01\x00"), Err(Refusal::Malformed));
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n", "y".repeat(2 * HEAD_LEN_MAX));
        assert_eq!(read(long.as_bytes()), Err(Refusal::Long));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(read(many.as_bytes()), Err(Refusal::Long));
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::WouldBlock.into())
            }
        }
        assert_eq!(Request::read(&mut b"GET / HT".chain(Silent)), Err(Refusal::Slow));
    }

    #[test]
    fn a_websocket_is_asked_for_with_all_that_the_rfc_demands() {
        assert_eq!(read(UPGRADE.as_bytes()).unwrap().websocket_key.as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        for (part, other) in [("WebSocket", "h2c"), ("keep-alive, Upgrade", "close"), (": 13", ": 8"), ("dGhl", "")] {
            let without = UPGRADE.replacen(part, other, 1);
            assert_eq!(read(without.as_bytes()).unwrap().websocket_key, None, "{without}");
        }
    }

    /// RFC 6455 §1.3.
    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        let mut out = Vec::new();
        write_upgrade(&mut out, "dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    }

    #[test]
    fn another_sites_page_is_not_of_the_same_origin() {
        let with = |origin: &str| read(UPGRADE.replace("http://h:1", origin).as_bytes()).unwrap().is_same_origin();
        assert!(with("http://h:1") && with("https://h:1"));
        for origin in ["http://evil.example", "http://h:2", "http://h:1.evil.example", "null", ""] {
            assert!(!with(origin), "{origin}");
        }
        let twice = UPGRADE.replace("Origin: http://h:1", "Origin: http://h:1\r\nOrigin: http://x");
        assert!(read(twice.as_bytes()).unwrap().origin.is_none());
        assert!(read(b"GET / HTTP/1.1\r\n\r\n").unwrap().is_same_origin());
    }

    #[test]
    fn answers_tell_their_length_and_close() {
        let mut out = Vec::new();
        Response::text(404, "no\n").write(&mut out, true).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n") && text.ends_with("\r\nConnection: close\r\n\r\nno\n"));
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        let mut out = Vec::new();
        Response::text(404, "no\n").write(&mut out, false).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("\r\n\r\n"));
    }
}
