//! An answer of HTTP/1.1, after which the connection closes.

use std::borrow::Cow;
use std::io::{self, Write};

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    content_type: &'static str,
    body: Cow<'static, str>,
}

impl Response {
    pub(crate) const fn new(status: u16, content_type: &'static str, body: &'static str) -> Self {
        Self { status, headers: Vec::new(), content_type, body: Cow::Borrowed(body) }
    }

    /// Says in words why.
    pub(crate) fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self { body: body.into(), ..Self::new(status, "text/plain; charset=utf-8", "") }
    }

    /// One with nothing in it.
    pub(crate) const fn empty(status: u16) -> Self {
        Self::new(status, "", "")
    }

    pub(crate) fn with_body(mut self, content_type: &'static str, body: String) -> Self {
        (self.content_type, self.body) = (content_type, Cow::Owned(body));
        self
    }

    /// `value` is ours: nothing that a client has chosen.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn write(&self, stream: &mut impl Write, with_body: bool) -> io::Result<()> {
        let Self { status, headers, content_type, body } = self;
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n", reason = reason(*status));
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !content_type.is_empty() {
            head += &format!("Content-Type: {content_type}\r\n");
        }
        // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx
        // (Informational) or 204 (No Content)."
        if *status != 204 {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += POLICY;
        stream.write_all(head.as_bytes())?;
        if with_body {
            stream.write_all(body.as_bytes())?;
        }
        stream.flush()
    }
}

/// What pages of ours may do, and the end of the head.
const POLICY: &str = "Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
                      media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
                      Permissions-Policy: camera=(self), microphone=(self), display-capture=(self), autoplay=(self)\r\n\
                      X-Content-Type-Options: nosniff\r\n\
                      Referrer-Policy: no-referrer\r\n\
                      Cache-Control: no-store\r\n\
                      Connection: close\r\n\r\n";

/// RFC 6455 §4.2.2: the server's part of the handshake.
pub(crate) fn write_upgrade(stream: &mut impl Write, key: &str) -> io::Result<()> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.flush()
}

/// RFC 9110 §15.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, with_body: bool) -> String {
        let mut out = Vec::new();
        response.write(&mut out, with_body).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn answers_tell_their_length_and_close() {
        let text = written(&Response::text(404, "no\n"), true);
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n") && text.ends_with("\r\nConnection: close\r\n\r\nno\n"));
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(written(&Response::text(404, "no\n"), false).ends_with("\r\n\r\n"));
    }

    #[test]
    fn an_answer_without_content_tells_no_length() {
        let text = written(&Response::empty(204), true);
        assert!(text.starts_with("HTTP/1.1 204 No Content\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        assert!(!text.contains("\nContent-Length") && !text.contains("\nContent-Type"), "{text}");
        assert!(written(&Response::empty(200), true).contains("\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn headers_stand_before_the_content() {
        let response =
            Response::empty(201).with_header("Location", "/session/1").with_body("application/sdp", "v=0".to_owned());
        let text = written(&response, true);
        assert!(
            text.contains("\r\nLocation: /session/1\r\n") && text.contains("\r\nContent-Type: application/sdp\r\n")
        );
        assert!(text.ends_with("\r\n\r\nv=0"), "{text}");
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
}
