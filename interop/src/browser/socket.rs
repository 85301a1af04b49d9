//! Requests and answers as JSON over a WebSocket: what CDP and WebDriver BiDi have in common.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

pub(super) struct RpcSocket {
    socket: WebSocket<Uninterrupted>,
    next_id: u64,
}

impl RpcSocket {
    /// `url` is `ws://127.0.0.1:PORT/PATH`.
    pub(super) fn connect(url: &str) -> Result<Self> {
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).context("not a ws:// URL")?;
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        // A browser that has just started may be slow to answer; to tungstenite a timeout here is the end.
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (socket, _) = tungstenite::client(url, Uninterrupted(stream))
            .map_err(|error| anyhow::anyhow!("WebSocket {url}: {error}"))?;
        socket.get_ref().0.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Self { socket, next_id: 0 })
    }

    /// Sends a request and waits for its answer; other messages are passed over.
    pub(super) fn request(
        &mut self,
        method: &str,
        params: Value,
        session: Option<&str>,
        patience: Duration,
    ) -> Result<Value> {
        self.next_id += 1;
        let mut request = json!({"id": self.next_id, "method": method, "params": params});
        if let Some(session) = session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string()))?;
        let deadline = Instant::now() + patience;
        loop {
            if Instant::now() > deadline {
                bail!("the browser has not answered {method} within {} s", patience.as_secs());
            }
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(_)) => bail!("the browser closed its debugging socket"),
                Ok(_) => continue,
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let answer: Value = serde_json::from_str(&text)?;
            if answer["id"] != json!(self.next_id) {
                continue;
            }
            if !answer["error"].is_null() {
                bail!("{method}: {} {}", answer["error"], answer["message"]);
            }
            return Ok(answer["result"].clone());
        }
    }
}

/// Reads on where the process was stopped and went on, as a suspended machine's do: what waits with a time limit then fails with
/// EINTR, and to tungstenite that is the end.
struct Uninterrupted(TcpStream);

impl Read for Uninterrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Uninterrupted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_process_that_was_stopped_goes_on_waiting_for_the_answer() {
    use std::process::Command;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("its address"));
    let stop = || {
        std::thread::sleep(Duration::from_millis(100));
        let id = std::process::id().to_string();
        Command::new("sh").args(["-c", "kill -STOP $0; kill -CONT $0", &id]).status().expect("a shell")
    };
    let browser = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("the other end");
        stop();
        let mut socket = tungstenite::accept(stream).expect("a WebSocket");
        let request: Value = serde_json::from_str(socket.read()?.to_text()?).expect("a request");
        stop();
        socket.send(Message::text(json!({"id": request["id"], "result": 7}).to_string()))
    });
    let mut socket = RpcSocket::connect(&url).expect("connected");
    let answer = socket.request("any", json!({}), None, Duration::from_secs(10));
    assert_eq!(answer.expect("an answer"), json!(7));
    browser.join().expect("no panic").expect("sent");
}
