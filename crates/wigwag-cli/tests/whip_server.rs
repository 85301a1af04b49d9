//! `wigwag whip-server` as publishers and viewers meet it: over HTTP, and with media that come through.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wigwag::jsep::Codec;
use wigwag::{
    Config, ConnectionId, Direction, EndpointConfig, EndpointEvent, Event, Frame, MediaKind, PeerConnection,
    SessionDescription, TransceiverId,
};
use wigwag_mio::{Driver, DriverConfig, wall_clock};
use wigwag_sansio::Seed;

const PATIENCE: Duration = Duration::from_secs(20);
const OFFER: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

struct Server {
    child: Child,
    address: String,
    banner: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wigwag"));
        command.args(["whip-server", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Ctrl-C") {
            assert!(out.read_line(&mut banner).unwrap() > 0, "{banner}");
        }
        // What it says later is read by nobody, and it goes on.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let url = banner.split_whitespace().find(|word| word.contains("://")).unwrap();
        let address = url.split('/').nth(2).unwrap().to_owned();
        Self { child, address, banner }
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str], content: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        if !head.contains("Transfer-Encoding") && !content.is_empty() {
            head += &format!("Content-Length: {}\r\n", content.len());
        }
        stream.write_all(format!("{head}\r\n{content}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer(text)
    }

    fn post(&self, path: &str, offer: &str) -> Answer {
        self.ask("POST", path, &["Content-Type: application/sdp"], offer)
    }

    fn patch(&self, session: &str, etag: &str, fragment: &str) -> Answer {
        let headers = [format!("Content-Type: {FRAGMENT}"), format!("If-Match: {etag}")];
        self.ask("PATCH", session, &[&headers[0], &headers[1]], fragment)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn content(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }
}

/// Somebody who sends pictures, or sees them.
struct Peer {
    driver: Driver,
    id: ConnectionId,
    track: TransceiverId,
    session: String,
    etag: String,
    answer: String,
    number: u32,
    wants_key: bool,
}

impl Peer {
    /// Begins a session with these headers, or tells the status of the refusal.
    fn begin(server: &Server, path: &str, headers: &[&str]) -> Result<Self, u16> {
        Self::begin_with(server, path, headers, Codec::vp8())
    }

    fn begin_with(server: &Server, path: &str, headers: &[&str], codec: Codec) -> Result<Self, u16> {
        let bind = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
        let mut driver = Driver::bind(&bind, EndpointConfig::default()).unwrap();
        let mut config = Config::new(wall_clock());
        config.negotiation.codecs = vec![codec];
        let id = driver.endpoint_mut().create(config).unwrap();
        let connection = driver.endpoint_mut().connection_mut(id).unwrap();
        let direction = if path.starts_with("/whip") { Direction::Sendonly } else { Direction::Recvonly };
        let track = connection.add_transceiver(MediaKind::Video, direction).unwrap();
        let offer = offer_of(connection);
        let answer = server.ask("POST", path, &[&["Content-Type: application/sdp"], headers].concat(), &offer);
        if answer.status() != 201 {
            return Err(answer.status());
        }
        assert_eq!(answer.header("Content-Type"), Some(OFFER), "{}", answer.0);
        let text = answer.content().to_owned();
        let expected = if direction == Direction::Sendonly { "a=recvonly" } else { "a=sendonly" };
        assert!(text.contains(expected) && text.contains("a=candidate:"), "{text}");
        connection.set_remote_description(SessionDescription::answer(text.clone())).unwrap();
        let session = answer.header("Location").unwrap().to_owned();
        let etag = answer.header("ETag").unwrap().to_owned();
        Ok(Self { driver, id, track, session, etag, answer: text, number: 0, wants_key: true })
    }

    fn connection(&mut self) -> &mut PeerConnection {
        self.driver.endpoint_mut().connection_mut(self.id).unwrap()
    }

    /// Sends a picture that begins as one of its codec does, and holds this word.
    fn send(&mut self, word: &str) {
        let (track, number, is_key) = (self.track, self.number, self.wants_key);
        let connection = self.connection();
        let negotiated = connection.transceiver(track).unwrap().negotiated.clone().unwrap();
        let codec = negotiated.send_codecs.first().unwrap();
        // VP8 says in its first bit whether a frame needs another (RFC 6386 §9.1), H.264 in the first type of a NAL unit.
        let begin = match (codec.name.as_str(), is_key) {
            ("H264", true) => vec![0, 0, 0, 1, 0x67, 0x42, 0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65],
            ("H264", false) => vec![0, 0, 0, 1, 0x41],
            _ => vec![u8::from(!is_key), 0, 0],
        };
        let picture = [&begin[..], b"<", word.as_bytes(), b">", &[7; 2000]].concat();
        let frame = Frame::new(codec.payload_type, number * 1800, picture.into());
        let is_sent = connection.write_frame(track, frame).is_ok();
        (self.number, self.wants_key) = (number + 1, is_key && !is_sent);
    }

    /// Lets a little time pass, and tells the words that came.
    fn turn(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        self.driver.run_once(Some(Duration::from_millis(5))).unwrap();
        while let Some(EndpointEvent::Connection(_, event)) = self.driver.poll_event() {
            let track = self.track;
            match event {
                Event::Track(_) => self.connection().receive_frames(track).unwrap(),
                Event::KeyFrameRequested { .. } => self.wants_key = true,
                Event::Frame { frame, .. } if frame.is_decodable => {
                    let text = String::from_utf8_lossy(&frame.data);
                    words.extend(text.split(['<', '>']).nth(1).map(str::to_owned));
                }
                Event::Closed(_) => words.push("closed".to_owned()),
                _ => {}
            }
        }
        words
    }

    /// Begins ICE anew over HTTP, with nothing but its part of descriptions.
    fn restart(&mut self, server: &Server) {
        let connection = self.connection();
        connection.restart_ice().unwrap();
        let offer = offer_of(connection);
        let lines = |text: &str, names: &[&str]| {
            let is_wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
            text.lines().filter(is_wanted).map(|line| format!("{line}\r\n")).collect::<String>()
        };
        let fragment = lines(&offer, &["a=ice-ufrag", "a=ice-pwd", "m=", "a=mid", "a=candidate"]);
        let answer = server.patch(&self.session, "*", &fragment);
        assert_eq!((answer.status(), answer.header("Content-Type")), (200, Some(FRAGMENT)), "{}", answer.0);
        assert_ne!(answer.header("ETag").unwrap(), self.etag);
        let news = lines(answer.content(), &["a=ice-ufrag", "a=ice-pwd", "a=candidate"]);
        let kept = self.answer.lines().filter(|line| !line.starts_with("a=ice-") && !line.starts_with("a=cand"));
        self.answer = kept.map(|line| format!("{line}\r\n")).collect::<String>() + &news;
        self.etag = answer.header("ETag").unwrap().to_owned();
        let answer = SessionDescription::answer(self.answer.clone());
        self.connection().set_remote_description(answer).unwrap();
    }
}

fn offer_of(connection: &mut PeerConnection) -> String {
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
    connection.local_description().unwrap().sdp
}

/// Until this publisher's word has come so often.
fn wait_for(publishers: &mut [(&mut Peer, &str)], viewer: &mut Peer, word: &str, times: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = 0;
    while seen < times {
        assert!(Instant::now() < deadline, "{word} came {seen} times");
        for (publisher, word) in &mut *publishers {
            publisher.send(word);
            publisher.turn();
        }
        seen += viewer.turn().iter().filter(|of| *of == word).count();
    }
}

/// The viewer's session, as soon as there is something to be seen.
fn watch(server: &Server, publisher: &mut Peer, path: &str) -> Peer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        publisher.turn();
        match Peer::begin(server, path, &[]) {
            Ok(viewer) => return viewer,
            Err(status) => assert_eq!((status, Instant::now() < deadline), (409, true)),
        }
    }
}

#[test]
fn a_stream_reaches_its_viewers_through_a_restart_and_the_publisher_that_follows() {
    let server = Server::start(&[]);
    assert_eq!(Peer::begin(&server, "/whep/cam", &[]).err(), Some(409), "nobody publishes yet");
    let mut first = Peer::begin(&server, "/whip/cam", &[]).unwrap();
    let mut viewer = watch(&server, &mut first, "/whep/cam");
    wait_for(&mut [(&mut first, "first")], &mut viewer, "first", 20);
    assert_eq!(Peer::begin(&server, "/whep/another", &[]).err(), Some(409));

    let before = first.etag.clone();
    first.restart(&server);
    viewer.restart(&server);
    wait_for(&mut [(&mut first, "again")], &mut viewer, "again", 20);
    let stale = server.patch(&first.session, &before, "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n");
    assert_eq!(stale.status(), 412, "{}", stale.0);

    // Somebody comes in the place of the first, who is sent away; viewers stay, and see what is new.
    let mut second = Peer::begin(&server, "/whip/cam", &[]).unwrap();
    wait_for(&mut [(&mut second, "second")], &mut viewer, "second", 20);
    let deadline = Instant::now() + PATIENCE;
    while !first.turn().contains(&"closed".to_owned()) {
        assert!(Instant::now() < deadline, "the first is still there");
        second.turn();
    }
    assert_eq!(server.ask("DELETE", &first.session, &[], "").status(), 404);

    // When the second leaves, too, the viewer waits, and somebody else finds nothing.
    assert_eq!(server.ask("DELETE", &second.session, &["If-Match: \"whatever\""], "").status(), 200);
    assert_eq!(Peer::begin(&server, "/whep/cam", &[]).err(), Some(409));
    let mut third = Peer::begin(&server, "/whip/cam", &[]).unwrap();
    wait_for(&mut [(&mut third, "third")], &mut viewer, "third", 20);
}

/// Browsers agree upon few profiles, and decode all.
#[test]
fn h264_reaches_viewers_who_agreed_upon_another_profile() {
    let server = Server::start(&[]);
    let profile = |id: &str| {
        let mut codec = Codec::h264();
        codec.parameters = format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={id}");
        codec
    };
    for (published, watched) in [("640028", "42e01f"), ("42001f", "42e01f"), ("4d001f", "640c1f"), ("42e01f", "42e01f")]
    {
        let mut publisher = Peer::begin_with(&server, "/whip/cam", &[], profile(published)).unwrap();
        let mut viewer = loop {
            publisher.turn();
            match Peer::begin_with(&server, "/whep/cam", &[], profile(watched)) {
                Ok(viewer) => break viewer,
                Err(status) => assert_eq!(status, 409),
            }
        };
        wait_for(&mut [(&mut publisher, published)], &mut viewer, published, 5);
        assert_eq!(server.ask("DELETE", &publisher.session, &[], "").status(), 200);
    }
    // Another codec is not taken for one of these.
    let mut publisher = Peer::begin_with(&server, "/whip/pictures", &[], Codec::vp8()).unwrap();
    let mut viewer = loop {
        publisher.turn();
        if let Ok(viewer) = Peer::begin_with(&server, "/whep/pictures", &[], profile("42e01f")) {
            break viewer;
        }
    };
    for _ in 0..100 {
        publisher.send("vp8");
        publisher.turn();
        assert_eq!(viewer.turn(), Vec::<String>::new());
    }
}

#[test]
fn the_candidates_of_a_fragment_are_tried() {
    let server = Server::start(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let answer = server.post("/whip/cam", &offer(1, Direction::Sendonly));
    let (session, etag) = (answer.header("Location").unwrap(), answer.header("ETag").unwrap());
    let port = socket.local_addr().unwrap().port();
    let sent = offer(1, Direction::Sendonly);
    let is_ice = |line: &&str| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd");
    let ice = sent.lines().filter(is_ice).map(|line| format!("{line}\r\n")).collect::<String>();
    let fragment = format!(
        "{ice}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2122260223 nobody.example 9 typ host\r\n\
         a=candidate:2 1 udp 2122260223 127.0.0.1 {port} typ host\r\na=end-of-candidates\r\n"
    );
    let without_tag = server.ask("PATCH", session, &[&format!("Content-Type: {FRAGMENT}")], &fragment);
    assert_eq!(without_tag.status(), 428, "{}", without_tag.0);
    assert_eq!(server.patch(session, "\"another\"", &fragment).status(), 412);
    assert_eq!(server.ask("PATCH", session, &["Content-Type: text/plain"], &fragment).status(), 415);
    assert_eq!(server.patch(session, etag, "a=mid:0\r\n").status(), 400);
    assert_eq!(server.patch("/session/0123", etag, &fragment).status(), 404);
    let taken = server.patch(session, etag, &fragment);
    assert_eq!((taken.status(), taken.header("ETag"), taken.content()), (204, None, ""), "{}", taken.0);
    let mut check = [0; 1500];
    let len = socket.recv(&mut check).unwrap();
    // RFC 8489 §5: a Binding request.
    assert!(len >= 20 && check.starts_with(&[0, 1]) && check[4..8] == [0x21, 0x12, 0xA4, 0x42], "{:?}", &check[..len]);
}

/// An offer with so many video sections, as a peer makes it that knows what browsers know.
fn offer(sections: usize, direction: Direction) -> String {
    let mut config = Config::new(wall_clock());
    config.negotiation.codecs = vec![Codec::vp8(), Codec::h264()];
    let mut peer = PeerConnection::new(config, Seed::for_test(7));
    for _ in 0..sections {
        peer.add_transceiver(MediaKind::Video, direction).unwrap();
    }
    offer_of(&mut peer)
}

#[test]
fn what_is_no_offer_of_its_kind_is_refused_with_a_reason() {
    let server = Server::start(&[]);
    let (sends, receives) = (offer(1, Direction::Sendonly), offer(1, Direction::Recvonly));
    for (path, content, status) in [
        ("/whip/cam", "", 400),
        ("/whip/cam", "v=1\r\n", 400),
        ("/whip/cam", receives.as_str(), 400),
        ("/whip/cam", &sends.replace("a=sendonly", "a=inactive"), 400),
        ("/whip/cam", &offer(2, Direction::Sendonly), 406),
        ("/whip/cam", &sends.replace("VP8/90000", "VP0/90000"), 201),
        ("/whip/cam", &no_codec(&sends), 406),
        ("/whip/cam", &sends, 201),
        ("/whip/cam", &sends.replace("a=sendonly", "a=sendrecv"), 201),
        ("/whep/cam", &sends, 400),
        ("/whep/cam", &receives, 409),
        ("/whip/a.b", &sends, 404),
        ("/whip/", &sends, 404),
        ("/whip/cam/more", &sends, 404),
        ("/whip/cam", &"v=0\r\n".repeat(100_000), 413),
    ] {
        let answer = server.post(path, content);
        assert_eq!(answer.status(), status, "{path}: {content:.60}: {}", answer.0);
        assert!(status == 201 || !answer.content().is_empty(), "a refusal has a reason");
    }
    assert!(server.post("/whep/cam", &receives).header("Retry-After").is_some());
    assert_eq!(server.ask("POST", "/whip/cam", &["Content-Type: text/plain"], &sends).status(), 415);
    assert_eq!(server.ask("POST", "/whip/cam", &[], &sends).status(), 415);
    let chunks = format!("{:x}\r\n{sends}\r\n0\r\n\r\n", sends.len());
    let chunked = ["Content-Type: application/sdp; charset=utf-8", "Transfer-Encoding: chunked"];
    assert_eq!(server.ask("POST", "/whip/cam", &chunked, &chunks).status(), 201);
}

/// Codecs that nobody knows.
fn no_codec(offer: &str) -> String {
    offer.replace("/90000", "x/90000")
}

#[test]
fn methods_are_those_of_the_rfc() {
    let server = Server::start(&[]);
    for path in ["/whip/cam", "/whep/cam", "/session/0"] {
        assert_eq!((server.ask("GET", path, &[], "").status(), server.ask("HEAD", path, &[], "").status()), (204, 204));
        let put = server.ask("PUT", path, &[], "");
        assert!(put.status() == 405 && put.header("Allow").unwrap().contains("OPTIONS"), "{}", put.0);
    }
    assert_eq!(server.ask("PATCH", "/whip/cam", &[], "").status(), 405);
    assert_eq!(server.ask("POST", "/session/0", &[], "").status(), 405);
    assert_eq!(server.ask("DELETE", "/session/0", &[], "").status(), 404);
    let options = server.ask("OPTIONS", "/whip/cam", &[], "");
    assert_eq!((options.status(), options.header("Accept-Post")), (200, Some(OFFER)), "{}", options.0);
    for path in ["/", "/publish/cam", "/watch/cam", "/app.js", "/client.js", "/style.css"] {
        let page = server.ask("GET", path, &[], "");
        assert!(page.status() == 200 && page.header("Content-Security-Policy").is_some(), "{path}");
    }
    assert_eq!(server.ask("GET", "/watch/a%20b", &[], "").status(), 404);
    assert!(server.banner.contains("/whip/NAME") && server.banner.contains("/watch/NAME"), "{}", server.banner);
}

#[test]
fn tokens_and_origins_say_who_is_let_in() {
    let open = Server::start(&[]);
    let sends = offer(1, Direction::Sendonly);
    let post = |server: &Server, headers: &[&str]| {
        server.ask("POST", "/whip/cam", &[&["Content-Type: application/sdp"], headers].concat(), &sends)
    };
    // A page of another site would publish or watch what its visitor may.
    let ours = format!("Origin: http://{}", open.address);
    assert_eq!(post(&open, &[&ours]).status(), 201);
    for other in ["Origin: https://evil.example", "Origin: null"] {
        let answer = post(&open, &[other]);
        assert!(answer.status() == 403 && answer.header("Access-Control-Allow-Origin").is_none(), "{}", answer.0);
    }
    let preflight = open.ask("OPTIONS", "/whip/cam", &["Origin: https://evil.example"], "");
    assert_eq!(preflight.header("Access-Control-Allow-Origin"), None);

    let server = Server::start(&["--publish-token", "s3cret", "--watch-token", "other"]);
    for wrong in [
        "X: y",
        "Authorization: Bearer s3cre",
        "Authorization: Bearer s3cretx",
        "Authorization: Basic s3cret",
        "Authorization: Bearer other",
    ] {
        let answer = post(&server, &[wrong]);
        assert_eq!((answer.status(), answer.header("WWW-Authenticate")), (401, Some("Bearer")), "{wrong}");
    }
    let answer = post(&server, &["Authorization: bearer s3cret", "Origin: https://studio.example"]);
    assert_eq!((answer.status(), answer.header("Access-Control-Allow-Origin")), (201, Some("*")), "{}", answer.0);
    assert!(answer.header("Access-Control-Expose-Headers").unwrap().contains("Location"));
    let preflight = server.ask("OPTIONS", "/whip/cam", &["Origin: https://studio.example"], "");
    assert!(preflight.header("Access-Control-Allow-Headers").unwrap().contains("Authorization"), "{}", preflight.0);
    assert_eq!(Peer::begin(&server, "/whep/cam", &["Authorization: Bearer s3cret"]).err(), Some(401));
    assert_eq!(Peer::begin(&server, "/whep/cam", &["Authorization: Bearer other"]).err(), Some(409));
}

#[test]
fn no_more_sessions_are_begun_than_there_may_be() {
    let server = Server::start(&["--sessions-max", "2"]);
    let sends = offer(1, Direction::Sendonly);
    let sessions = [(); 2].map(|()| server.post("/whip/cam", &sends));
    let one_more = server.post("/whip/cam", &sends);
    assert!(one_more.status() == 503 && one_more.header("Retry-After").is_some(), "{}", one_more.0);
    assert_ne!(sessions[0].header("Location"), sessions[1].header("Location"));
    assert_eq!(server.ask("DELETE", sessions[0].header("Location").unwrap(), &[], "").status(), 200);
    let deadline = Instant::now() + PATIENCE;
    while server.post("/whip/cam", &sends).status() != 201 {
        assert!(Instant::now() < deadline, "a session that was ended is still there");
    }
}
