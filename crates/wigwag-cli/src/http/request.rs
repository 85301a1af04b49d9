//! A request of HTTP/1.1: one a connection, which is answered and closed, or upgraded to a WebSocket.

use super::Response;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;

/// A request's line and headers are at most this long, in bytes.
const HEAD_LEN_MAX: usize = 8192;
const HEADERS_MAX: usize = 64;
/// What frames a piece of content is at most this long.
const CHUNK_LINE_LEN_MAX: usize = 256;

/// A request, whose content waits to be [read](Self::read_content).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// Some proxies speak HTTP/1.0 to us.
    is_old: bool,
    /// What came after the headers.
    pub(crate) rest: Vec<u8>,
}

/// Why a request gets no answer but this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client left, or sent nothing.
    Gone,
    /// It was too slow.
    Slow,
    /// Its head is too long.
    Long,
    /// It has more content than so many bytes.
    Large(usize),
    /// It frames its content in a way that is not understood.
    Coded,
    /// It is no HTTP/1.1 request.
    Malformed,
}

impl Refusal {
    pub(crate) fn response(&self) -> Option<Response> {
        Some(match self {
            Self::Gone => return None,
            Self::Slow => Response::text(408, "The request did not come in time."),
            Self::Long => Response::text(431, "The request's headers are too long."),
            Self::Large(max) => Response::text(413, format!("At most {max} bytes are taken.")),
            Self::Coded => Response::text(501, "Of transfer codings, chunked alone is understood."),
            Self::Malformed => Response::text(400, "That is no HTTP/1.1 request."),
        })
    }
}

impl Request {
    /// Reads the head from a stream that gives up in time.
    pub(crate) fn read(stream: &mut impl Read) -> Result<Self, Refusal> {
        let mut head = Vec::with_capacity(1024);
        loop {
            match Self::parse(&head)? {
                Some(request) => return Ok(request),
                None if head.len() >= HEAD_LEN_MAX => return Err(Refusal::Long),
                None => read_more(stream, &mut head)?,
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
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Refusal::Malformed);
        };
        let path = path_of(target).split(['?', '#']).next().unwrap_or_default();
        let owned = |header: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(header.value);
            (header.name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: parsed.headers.iter().map(owned).collect(),
            is_old: minor == 0,
            rest: head.get(len..).unwrap_or_default().to_vec(),
        };
        // RFC 9112 §3.2: a request without a Host, or with two, is answered by 400.
        let has_host = request.header("host").is_some() || request.is_old && !request.has_header("host");
        if has_host { Ok(Some(request)) } else { Err(Refusal::Malformed) }
    }

    /// The one header of this name, which is in lower case. Of two, one might be meant for somebody between us and the client.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(of, _)| of == name);
        let (_, value) = found.next().filter(|_| found.next().is_none())?;
        Some(value)
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(of, _)| of == name)
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    }

    /// Whether the page that asks is one that this server has served. A browser tells the truth of it; another site's
    /// page could otherwise speak to us through its visitor.
    ///
    /// A server that listens for its own machine alone has no name but `localhost`: one that another site made its own
    /// name point to would be that site's page.
    pub(crate) fn is_same_origin(&self, listen: IpAddr) -> bool {
        match (self.header("origin"), self.header("host")) {
            // No browser: nobody is deceived.
            (None, _) => !self.has_header("origin"),
            (Some(origin), Some(host)) => {
                let is_ours = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
                is_ours && (!listen.is_loopback() || is_local(host))
            }
            (Some(_), None) => false,
        }
    }

    /// The client's key, if it asks for a WebSocket as RFC 6455 §4.2.1 demands.
    pub(crate) fn websocket_key(&self) -> Option<&str> {
        let is_upgrade = self.has_token("upgrade", "websocket") && self.has_token("connection", "upgrade");
        // RFC 6455 §4.2.1: "A |Sec-WebSocket-Version| header field, with a value of 13."
        let is_version_13 = self.header("sec-websocket-version") == Some("13");
        self.header("sec-websocket-key").filter(|key| is_upgrade && is_version_13 && key.len() == 24 && !self.is_old)
    }

    /// Whether the content is said to be of this media type; its parameters do not matter.
    pub(crate) fn has_content_type(&self, expected: &str) -> bool {
        let of = self.header("content-type").and_then(|value| value.split(';').next());
        of.is_some_and(|of| of.trim().eq_ignore_ascii_case(expected))
    }

    /// Reads the content, of which so many bytes are taken at most.
    pub(crate) fn read_content(
        &mut self,
        stream: &mut (impl Read + Write),
        len_max: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let len = self.content_len()?;
        if len.is_some_and(|len| len > len_max) {
            return Err(Refusal::Large(len_max));
        }
        // RFC 9110 §10.1.1: a client that expects this waits for it.
        if self.rest.is_empty() && len != Some(0) && !self.is_old && self.has_token("expect", "100-continue") {
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .and_then(|()| stream.flush())
                .map_err(|_| Refusal::Gone)?;
        }
        let mut content = Content { stream, waiting: std::mem::take(&mut self.rest) };
        match len {
            Some(len) => content.take(len),
            None => content.take_chunks(len_max),
        }
    }

    /// RFC 9112 §6.3: how long the content is; `None` if it comes in chunks.
    fn content_len(&self) -> Result<Option<usize>, Refusal> {
        if self.has_header("transfer-encoding") {
            // RFC 9112 §6.1: both might mean that somebody between us and the client has understood another length.
            let is_chunked =
                self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
            return match (is_chunked, self.has_header("content-length") || self.is_old) {
                (true, false) => Ok(None),
                (false, false) => Err(Refusal::Coded),
                (_, true) => Err(Refusal::Malformed),
            };
        }
        if !self.has_header("content-length") {
            return Ok(Some(0));
        }
        let digits = self.header("content-length").filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.ok_or(Refusal::Malformed)?.parse() {
            Ok(len) => Ok(Some(len)),
            Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Ok(Some(usize::MAX)),
            Err(_) => Err(Refusal::Malformed),
        }
    }
}

/// What is on its way, and what of it came with the head.
struct Content<'a, S> {
    stream: &'a mut S,
    waiting: Vec<u8>,
}

impl<S: Read> Content<'_, S> {
    fn take(&mut self, len: usize) -> Result<Vec<u8>, Refusal> {
        while self.waiting.len() < len {
            self.read_more()?;
        }
        Ok(self.waiting.drain(..len).collect())
    }

    /// RFC 9112 §7.1.
    fn take_chunks(&mut self, len_max: usize) -> Result<Vec<u8>, Refusal> {
        let mut content = Vec::new();
        loop {
            let len = self.take_chunk_len()?;
            if len == 0 {
                return Ok(content);
            }
            if len > len_max.saturating_sub(content.len()) {
                return Err(Refusal::Large(len_max));
            }
            content.extend(self.take(len)?);
            if self.take(2)? != b"\r\n" {
                return Err(Refusal::Malformed);
            }
        }
    }

    fn take_chunk_len(&mut self) -> Result<usize, Refusal> {
        loop {
            match httparse::parse_chunk_size(&self.waiting) {
                Ok(httparse::Status::Complete((line, len))) => {
                    self.waiting.drain(..line);
                    return Ok(usize::try_from(len).unwrap_or(usize::MAX));
                }
                Ok(httparse::Status::Partial) if self.waiting.len() < CHUNK_LINE_LEN_MAX => self.read_more()?,
                _ => return Err(Refusal::Malformed),
            }
        }
    }

    fn read_more(&mut self) -> Result<(), Refusal> {
        read_more(self.stream, &mut self.waiting)
    }
}

/// RFC 9112 §3.2.2: what is asked for may be written with our name before it.
fn path_of(target: &str) -> &str {
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        _ => target,
    }
}

/// Appends what comes next.
fn read_more(stream: &mut impl Read, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut chunk = [0; 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(Refusal::Gone),
            Ok(len) => {
                out.extend_from_slice(chunk.get(..len).unwrap_or_default());
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(if out.is_empty() { Refusal::Gone } else { Refusal::Slow }),
            Err(_) => return Err(Refusal::Gone),
        }
    }
}

/// Whether an authority is an address or `localhost`, with a port or without.
fn is_local(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let unbracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || unbracketed.unwrap_or(name).parse::<IpAddr>().is_ok()
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
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

    /// A stream that gives so many bytes at a time, then none for a while, and keeps what it is told.
    struct Client<'a> {
        says: &'a [u8],
        at_once: usize,
        hears: Vec<u8>,
    }

    impl Read for Client<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.at_once.min(self.says.len()).min(buffer.len());
            if len == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let (now, later) = self.says.split_at(len);
            buffer[..len].copy_from_slice(now);
            self.says = later;
            Ok(len)
        }
    }

    impl Write for Client<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.hears.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the content of this request is, however its bytes are cut, and what the client was told before.
    fn content(headers: &str, content: &str, len_max: usize) -> (Result<String, Refusal>, String) {
        let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n{content}");
        let mut results = [1, 7, 4096].map(|at_once| {
            let mut client = Client { says: text.as_bytes(), at_once, hears: Vec::new() };
            let mut request = Request::read(&mut client).unwrap();
            let read = request.read_content(&mut client, len_max).map(|read| String::from_utf8(read).unwrap());
            (read, String::from_utf8(client.hears).unwrap())
        });
        assert_eq!(results[0].0, results[2].0, "{headers}");
        assert_eq!(results[1].0, results[2].0, "{headers}");
        std::mem::replace(&mut results[0], (Ok(String::new()), String::new()))
    }

    #[test]
    fn a_request_is_read_and_what_follows_is_kept() {
        let request = read(b"GET /app.js?v=1#x HTTP/1.1\r\nhost: h\r\n\r\nrest").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/app.js"));
        assert_eq!((request.header("host"), request.rest.as_slice()), (Some("h"), b"rest".as_slice()));
    }

    #[test]
    fn a_path_is_read_behind_our_name_too() {
        for (target, path) in
            [("http://h:1/whip/cam?x=1", "/whip/cam"), ("https://h", "/"), ("/watch/a://b", "/watch/a://b"), ("*", "*")]
        {
            let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(read(text.as_bytes()).unwrap().path, path);
        }
    }

    /// As nginx does unless it is told otherwise.
    #[test]
    fn a_proxy_may_speak_an_older_version() {
        let text = "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nv=0";
        let mut client = Client { says: text.as_bytes(), at_once: 99, hears: Vec::new() };
        let mut request = Request::read(&mut client).unwrap();
        assert_eq!(request.read_content(&mut client, 3), Ok(b"v=0".to_vec()));
        assert!(client.hears.is_empty(), "it would not understand");
        let mut chunked = read(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        assert_eq!(chunked.read_content(&mut client, 3), Err(Refusal::Malformed));
        assert_eq!(read(UPGRADE.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).unwrap().websocket_key(), None);
    }

    #[test]
    fn requests_may_come_byte_by_byte() {
        let mut client = Client { says: UPGRADE.as_bytes(), at_once: 1, hears: Vec::new() };
        assert_eq!(Request::read(&mut client), read(UPGRADE.as_bytes()));
    }

    #[test]
    fn what_is_no_request_is_refused_by_its_reason() {
        assert_eq!(read(b""), Err(Refusal::Gone));
        assert_eq!(read(b"GET / HTTP/1.1\r\nhost"), Err(Refusal::Gone));
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r\n"), Err(Refusal::Malformed));
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"), Err(Refusal::Malformed));
        assert_eq!(read(b"GET / HTTP/2.0\r\nHost: h\r\n\r\n"), Err(Refusal::Malformed));
        assert_eq!(read(b"\x16\x03\x01\x02\x00\x01\x00"), Err(Refusal::Malformed));
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n", "y".repeat(2 * HEAD_LEN_MAX));
        assert_eq!(read(long.as_bytes()), Err(Refusal::Long));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(read(many.as_bytes()), Err(Refusal::Long));
        let mut silent = Client { says: b"GET / HT", at_once: 100, hears: Vec::new() };
        assert_eq!(Request::read(&mut silent), Err(Refusal::Slow));
    }

    #[test]
    fn content_is_as_long_as_it_is_said_to_be() {
        assert_eq!(content("Content-Length: 5\r\n", "v=0\r\nmore", 5).0, Ok("v=0\r\n".to_owned()));
        assert_eq!(content("", "nobody reads this", 5).0, Ok(String::new()));
        assert_eq!(content("Content-Length: 6\r\n", "", 5).0, Err(Refusal::Large(5)));
        assert_eq!(content("Content-Length: 99999999999999999999\r\n", "", 5).0, Err(Refusal::Large(5)));
        // RFC 9112 §6.3, which keeps others from understanding another length.
        for headers in ["Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: +3\r\n", "Content-Length: \r\n"]
        {
            assert_eq!(content(headers, "abcd", 9).0, Err(Refusal::Malformed), "{headers}");
        }
        let (read, _) = content("Content-Length: 4\r\n", "abc", 9);
        assert!(matches!(read, Err(Refusal::Slow | Refusal::Gone)), "{read:?}");
    }

    #[test]
    fn content_may_come_in_chunks() {
        let chunked = "Transfer-Encoding: Chunked\r\n";
        assert_eq!(
            content(chunked, "3\r\nv=0\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 13).0,
            Ok("v=00123456789".to_owned())
        );
        assert_eq!(content(chunked, "3\r\nv=0\r\nA\r\n0123456789\r\n0\r\n\r\n", 12).0, Err(Refusal::Large(12)));
        assert_eq!(content(chunked, "ffffffffffffffff\r\nx", 12).0, Err(Refusal::Large(12)));
        for wrong in ["x\r\n", "3\r\nv=0xx0\r\n\r\n", "11111111111111111\r\n"] {
            assert_eq!(content(chunked, wrong, 12).0, Err(Refusal::Malformed), "{wrong}");
        }
        let endless = format!("3;{}", "x".repeat(2000));
        assert_eq!(content(chunked, &endless, 12).0, Err(Refusal::Malformed));
        assert_eq!(content("Transfer-Encoding: gzip\r\n", "", 12).0, Err(Refusal::Coded));
        assert_eq!(content("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "", 12).0, Err(Refusal::Malformed));
    }

    #[test]
    fn a_client_that_asks_whether_to_go_on_is_told_so_before() {
        let headers = "Content-Length: 1\r\nExpect: 100-Continue\r\n";
        assert_eq!(content(headers, "x", 1), (Ok("x".to_owned()), "HTTP/1.1 100 Continue\r\n\r\n".to_owned()));
        assert_eq!(content("Content-Length: 1\r\n", "x", 1).1, "");
        assert_eq!(
            content("Content-Length: 2\r\nExpect: 100-continue\r\n", "", 1),
            (Err(Refusal::Large(1)), String::new())
        );
    }

    #[test]
    fn a_media_type_is_compared_without_its_parameters() {
        let of = |value: &str| {
            read(format!("POST / HTTP/1.1\r\nHost: h\r\n{value}\r\n").as_bytes())
                .unwrap()
                .has_content_type("application/sdp")
        };
        assert!(of("Content-Type: application/sdp\r\n") && of("content-type: Application/SDP ; charset=utf-8\r\n"));
        assert!(!of("") && !of("Content-Type: application/sdp2\r\n") && !of("Content-Type: text/plain\r\n"));
    }

    #[test]
    fn a_websocket_is_asked_for_with_all_that_the_rfc_demands() {
        assert_eq!(read(UPGRADE.as_bytes()).unwrap().websocket_key(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        for (part, other) in [("WebSocket", "h2c"), ("keep-alive, Upgrade", "close"), (": 13", ": 8"), ("dGhl", "")] {
            let without = UPGRADE.replacen(part, other, 1);
            assert_eq!(read(without.as_bytes()).unwrap().websocket_key(), None, "{without}");
        }
    }

    #[test]
    fn another_sites_page_is_not_of_the_same_origin() {
        let anywhere = "0.0.0.0".parse().unwrap();
        let is_same = |text: &str| read(text.as_bytes()).unwrap().is_same_origin(anywhere);
        let with = |origin: &str| is_same(&UPGRADE.replace("http://h:1", origin));
        assert!(with("http://h:1") && with("https://h:1"));
        for origin in ["http://evil.example", "http://h:2", "http://h:1.evil.example", "null", ""] {
            assert!(!with(origin), "{origin}");
        }
        assert!(!is_same(&UPGRADE.replace("Origin: http://h:1", "Origin: http://h:1\r\nOrigin: http://x")));
        assert!(is_same("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_not_this_machine() {
        let is_same = |host: &str, listen: &str| {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n");
            read(text.as_bytes()).unwrap().is_same_origin(listen.parse().unwrap())
        };
        for host in ["127.0.0.1:8080", "localhost:8080", "LocalHost", "[::1]:8080", "[::1]", "127.0.0.1"] {
            assert!(is_same(host, "127.0.0.1") && is_same(host, "::1"), "{host}");
        }
        for host in ["evil.example:8080", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ":1"] {
            assert!(!is_same(host, "127.0.0.1") && !is_same(host, "::1"), "{host}");
            assert!(is_same(host, "192.0.2.1"), "{host}");
        }
    }
}
