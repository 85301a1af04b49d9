//! The page and its signalling.

use super::calls::Calls;
use super::websocket;
use crate::failure::Failure;
use crate::http::{Listener, Request, Response, Stream, answer, write_upgrade};
use std::io;
use std::net::IpAddr;

static PAGE: Response = Response::new(200, "text/html; charset=utf-8", include_str!("page/index.html"));
static STYLE: Response = Response::new(200, "text/css; charset=utf-8", include_str!("page/style.css"));
static SCRIPT: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/app.js"));
static SIDES: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/sides.js"));
static CHARTS: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/charts.js"));
static FILE: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/file.js"));
static SHA256: Response = Response::new(200, "text/javascript; charset=utf-8", include_str!("page/sha256.js"));

/// Serves until the process ends.
pub(super) fn serve(listener: Listener, calls: Calls) -> Result<(), Failure> {
    let listen = listener.ip();
    listener.serve_in_background(move |stream, request| serve_request(stream, request, &calls, listen))
}

fn serve_request(mut stream: Stream, request: Request, calls: &Calls, listen: IpAddr) -> io::Result<()> {
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/signalling") => match request.websocket_key() {
            Some(_) if !request.is_same_origin(listen) => {
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
