//! The demo's server as a browser meets it: pages, refusals, signalling, and a clean end.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};
use wigwag::{Config, DataChannelInit, EndpointConfig, EndpointEvent, Event, SessionDescription};
use wigwag_mio::{Driver, DriverConfig, wall_clock};

struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
    banner: String,
    address: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wigwag"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Ctrl-C") {
            assert!(out.read_line(&mut banner).unwrap() > 0, "{banner}");
        }
        let url = banner.split_whitespace().find(|word| word.contains("://")).unwrap();
        let address = url.split('/').nth(2).unwrap().to_owned();
        Self { child, out, banner, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// What comes back for these bytes.
    fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    fn signalling(&self) -> WebSocket<TcpStream> {
        tungstenite::client(format!("ws://{}/signalling", self.address), self.connect()).unwrap().0
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next message of this type; others are passed over.
fn hear(socket: &mut WebSocket<TcpStream>, kind: &str) -> Value {
    loop {
        let text = match socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(_) => continue,
            // The process was stopped for a while, and waited with a time limit.
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => panic!("{error}"),
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == kind {
            return message;
        }
    }
}

fn say(socket: &mut WebSocket<TcpStream>, message: &Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

/// A browser's offer of a data channel alone, with the certificate of nobody.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
    a=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\na=fingerprint:sha-256 \
    12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

#[test]
fn the_page_and_its_parts_come_from_this_server_alone() {
    let demo = Demo::start(&[]);
    assert!(demo.banner.contains(&format!("http://{}/", demo.address)), "{}", demo.banner);
    let page = demo.get("/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<title>wigwag"), "{page}");
    for part in ["/style.css", "/app.js", "/charts.js", "/sides.js", "/file.js", "/sha256.js"] {
        assert!(demo.get(part).starts_with("HTTP/1.1 200 OK\r\n"), "{part}");
    }
    for text in [
        page,
        demo.get("/style.css"),
        demo.get("/app.js"),
        demo.get("/charts.js"),
        demo.get("/sides.js"),
        demo.get("/file.js"),
        demo.get("/sha256.js"),
    ] {
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let elsewhere = body.matches("https://").count() + body.matches("src=\"//").count();
        assert_eq!(elsewhere, 0, "the page works without the internet");
    }
}

#[test]
fn what_is_not_there_or_not_understood_is_refused() {
    let demo = Demo::start(&[]);
    for (request, status) in [
        ("GET /../Cargo.toml HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        ("GET /secret HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET /signalling HTTP/1.1\r\nHost: h\r\n\r\n", 426),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("hello\r\n\r\n", 400),
    ] {
        let answer = demo.exchange(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
    let answer = demo.exchange(&format!("GET / HTTP/1.1\r\nx: {}\r\n", "y".repeat(20_000)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let elsewhere = format!(
        "GET /signalling HTTP/1.1\r\nHost: {}\r\nOrigin: http://elsewhere.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        demo.address
    );
    assert!(demo.exchange(&elsewhere).starts_with("HTTP/1.1 403 "), "another site's page may not call");
    assert!(demo.get("/").starts_with("HTTP/1.1 200 "), "and it serves on");
}

#[test]
fn an_offer_is_answered_with_candidates_and_mistakes_are_explained() {
    let demo = Demo::start(&[]);
    let mut socket = demo.signalling();
    for (message, reason) in [
        (json!({"type": "dance"}), "not known"),
        (json!({"type": "offer", "sdp": "nonsense"}), ""),
        (json!({"type": "offer"}), "sdp"),
    ] {
        say(&mut socket, &message);
        let error = hear(&mut socket, "error");
        let text = error["message"].as_str().unwrap();
        assert!(!text.is_empty() && text.contains(reason), "{message}: {text}");
    }
    say(&mut socket, &json!({"type": "offer", "sdp": OFFER}));
    let answer = hear(&mut socket, "answer");
    let sdp = answer["sdp"].as_str().unwrap();
    assert!(sdp.starts_with("v=0\r\n") && sdp.contains("\r\na=fingerprint:sha-256 "), "{sdp}");
    let candidate = hear(&mut socket, "ice-candidate");
    let text = candidate["candidate"]["candidate"].as_str().unwrap();
    assert!(text.starts_with("candidate:") && text.contains(" typ host"), "{candidate}");
    say(&mut socket, &json!({"type": "bye"}));
    say(&mut socket, &json!({"type": "offer", "sdp": OFFER}));
    let answer = hear(&mut socket, "answer");
    assert_ne!(answer["sdp"].as_str().unwrap(), sdp, "another call may begin at once");
}

#[test]
fn a_page_is_told_what_the_server_counts_with_the_names_of_w3c() {
    let demo = Demo::start(&[]);
    let mut socket = demo.signalling();
    let ask = |socket: &mut WebSocket<TcpStream>| {
        say(socket, &json!({"type": "stats"}));
        hear(socket, "stats")["report"].clone()
    };
    assert_eq!(ask(&mut socket), Value::Null, "there is no call yet");
    say(&mut socket, &json!({"type": "offer", "sdp": OFFER}));
    hear(&mut socket, "answer");
    let report = ask(&mut socket);
    let objects = report.as_object().unwrap();
    assert!(objects.iter().all(|(id, object)| object["id"] == *id && object["timestamp"].is_f64()), "{report}");
    let of = |kind: &str| objects.values().find(|object| object["type"] == kind).unwrap_or(&Value::Null);
    assert_eq!(of("transport")["dtlsState"], "connecting");
    assert_eq!(of("local-candidate")["candidateType"], "host");
    assert_eq!(of("certificate")["fingerprintAlgorithm"], "sha-256");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
    assert!((of("peer-connection")["timestamp"].as_f64().unwrap() - now).abs() < 10_000.0, "the time is told in ms");
    say(&mut socket, &json!({"type": "bye"}));
    assert_eq!(ask(&mut socket), Value::Null, "it is over");
}

#[test]
fn two_pages_meet_in_a_room_and_what_they_say_is_carried() {
    let demo = Demo::start(&[]);
    let [mut first, mut second, mut third] = [(); 3].map(|()| demo.signalling());
    let join = json!({"type": "join", "room": "a-room_1"});
    say(&mut first, &join);
    assert_eq!(hear(&mut first, "joined")["friend"], false);
    say(&mut second, &join);
    assert_eq!(hear(&mut second, "joined")["friend"], true);
    hear(&mut first, "friend-joined");
    for (room, reason) in [("a-room_1", "two are in this room"), ("a room", "1 to 64")] {
        say(&mut third, &json!({"type": "join", "room": room}));
        let error = hear(&mut third, "error");
        assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
    }
    let candidate = json!({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "f"});
    for message in [
        json!({"type": "offer", "sdp": "their own business"}),
        json!({"type": "ice-candidate", "candidate": candidate}),
        json!({"type": "ice-candidate", "candidate": null}),
    ] {
        say(&mut second, &message);
        assert_eq!(hear(&mut first, message["type"].as_str().unwrap()), message);
    }
    say(&mut first, &json!({"type": "answer", "sdp": "theirs, too"}));
    assert_eq!(hear(&mut second, "answer")["sdp"], "theirs, too");
    say(&mut first, &json!({"type": "bye"}));
    hear(&mut second, "friend-left");
    say(&mut third, &join);
    assert_eq!(hear(&mut third, "joined")["friend"], true);
    drop(third);
    hear(&mut second, "friend-joined");
    hear(&mut second, "friend-left");
    // Who has left the room talks to the server again.
    say(&mut first, &json!({"type": "offer", "sdp": OFFER}));
    hear(&mut first, "answer");
}

#[test]
fn the_server_offers_when_it_is_asked_to() {
    let demo = Demo::start(&[]);
    let mut socket = demo.signalling();
    say(&mut socket, &json!({"type": "call-me"}));
    let offer = hear(&mut socket, "offer");
    let sdp = offer["sdp"].as_str().unwrap();
    for part in ["m=audio ", "m=video ", "m=application ", "a=setup:actpass"] {
        assert!(sdp.contains(part), "{part}: {sdp}");
    }
}

#[test]
fn a_call_is_recorded_while_it_lasts() {
    const LINE: &str = "does this come back, and is it recorded?";
    let file = |name: &str| std::env::temp_dir().join(format!("wigwag-demo-{name}-{}", std::process::id()));
    let (capture, keys) = (file("capture"), file("keys"));
    let demo = Demo::start(&["--pcap", capture.to_str().unwrap(), "--keylog", keys.to_str().unwrap()]);
    let mut socket = demo.signalling();
    let bind = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
    let mut driver = Driver::bind(&bind, EndpointConfig::default()).unwrap();
    let id = driver.endpoint_mut().create(Config::new(wall_clock())).unwrap();
    let connection = driver.endpoint_mut().connection_mut(id).unwrap();
    connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    say(&mut socket, &json!({"type": "offer", "sdp": connection.local_description().unwrap().sdp}));
    let answer = hear(&mut socket, "answer")["sdp"].as_str().unwrap().to_owned();
    connection.set_remote_description(SessionDescription::answer(answer)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut has_come_back = false;
    while !has_come_back {
        assert!(Instant::now() < deadline, "nothing comes back");
        driver.run_once(Some(Duration::from_millis(100))).unwrap();
        while let Some(EndpointEvent::Connection(id, event)) = driver.poll_event() {
            match event {
                Event::ChannelOpened(channel) => {
                    driver.endpoint_mut().connection_mut(id).unwrap().send(channel, LINE.into(), false).unwrap();
                }
                Event::Message { data, .. } => has_come_back = data == LINE,
                _ => {}
            }
        }
    }
    drop(demo); // it is killed, and has no time to write anything more
    let (captured, lines) = (std::fs::read(&capture).unwrap(), std::fs::read_to_string(&keys).unwrap());
    [capture, keys].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    assert!(captured.windows(LINE.len()).any(|window| window == LINE.as_bytes()));
    let line = lines.lines().next().unwrap();
    assert!(line.len() > 100 && captured.windows(line.len()).any(|window| window == line.as_bytes()), "{line}");
}

#[test]
fn https_shows_the_fingerprint_and_speaks_tls() {
    let demo = Demo::start(&["--tls"]);
    assert!(demo.banner.contains("https://") && demo.banner.contains("sha-256 "), "{}", demo.banner);
    // Plain HTTP gets no page, and does the server no harm.
    let mut stream = demo.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_it_cleanly_and_soon() {
    let mut demo = Demo::start(&[]);
    let mut socket = demo.signalling();
    say(&mut socket, &json!({"type": "offer", "sdp": OFFER}));
    hear(&mut socket, "answer");
    let began = Instant::now();
    let pid = demo.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = demo.child.wait().unwrap();
    assert!(status.success() && began.elapsed() < Duration::from_secs(5), "{status}");
    let mut rest = String::new();
    demo.out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("Goodbye."), "{rest}");
}
