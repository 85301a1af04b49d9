//! The page that plays the browser's part, served from memory.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const INDEX: &str = include_str!("index.html");
const SCRIPT: &str = include_str!("page.js");

/// Serves the page for as long as the program runs; returns its URL.
pub(crate) fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    Ok(url)
}

fn answer(mut stream: TcpStream) -> Result<()> {
    let mut request = [0; 2048];
    let len = stream.read(&mut request)?;
    let is_script = request.get(..len).is_some_and(|request| request.starts_with(b"GET /page.js"));
    let (kind, body) = if is_script { ("text/javascript", SCRIPT) } else { ("text/html", INDEX) };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}
