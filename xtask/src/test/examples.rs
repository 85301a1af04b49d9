//! The examples run, and say what they promise.

use crate::{Error, Tally, process};
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Its name, and what the output must contain.
const EXAMPLES: [(&str, &[&str]); 11] = [
    ("own_loop", &["ann: Message", "bob: Message", "ann: Closed(Local)", "bob: Closed(Peer)"]),
    ("one_port", &["client 2: client 2 came back", "server: 3 messages went back, over one port"]),
    ("tokio", &["ann: Message", "bob: Message", "ann: Closed(Local)", "bob: Closed(Peer)"]),
    ("sfu", &["cem has seen {\"ann\": ", "server: ann has left", "server: bob has left", "server: cem has left"]),
    ("file_transfer", &["sender: 8000001 bytes are there", "receiver: report.bin is whole"]),
    ("threads", &["300 messages of 3 workers came over one channel", "closed by the peer"]),
    ("ice_only", &["ann: heard \"hello from bob\"", "bob: heard \"hello from ann\"", "bob: PathSelected"]),
    ("names", &[".local is 127.0.0.1"]),
    ("dtls_only", &["Server: heard \"hello from wigwag\"", "Client: goodbye", "Server: goodbye"]),
    ("sctp_only", &["server: 100000 bytes on stream 0", "client: 10 bytes on stream 1", "closed: Shutdown"]),
    ("congestion_only", &["10 s: the link carries 2000 kbit/s", "30 s: the link carries 1500 kbit/s"]),
];

/// How long an example may take.
const TIME_MAX: Duration = Duration::from_secs(60);

pub(super) fn run() -> Result<Tally, Error> {
    let mut tally = process::build_programs()?;
    if tally.failed > 0 {
        return Ok(tally);
    }
    for (name, wanted) in EXAMPLES {
        let mut example = example(name);
        process::announce(&example);
        tally += verdict(&run_within(&mut example)?, wanted);
    }
    tally += against("openssl", "openssl", 1, against_openssl)?;
    tally += against("turnserver", "coturn", 2, against_coturn)?;
    tally += among_ourselves()?;
    tally += against("turnutils_uclient", "coturn", 2, against_coturns_client)?;
    Ok(tally)
}

fn example(name: &str) -> Command {
    process::built(&format!("examples/{name}"))
}

/// What a program printed, and whether it ended well.
struct Output {
    text: String,
    is_success: bool,
}

fn run_within(command: &mut Command) -> Result<Output, Error> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    finish(child)
}

/// Waits for the end, and brings it about if it does not come.
fn finish(mut child: Child) -> Result<Output, Error> {
    let mut out = child.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let deadline = Instant::now() + TIME_MAX;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                break None;
            }
            None => {
                thread::sleep(Duration::from_millis(20));
                interrupt(&child)?;
            }
        }
    };
    let text = reader.join().map_err(|_| "the reader panicked")??;
    Ok(Output { text, is_success: status.is_some_and(|status| status.success()) })
}

/// Stops a program and lets it go on, as a shell, a debugger or a suspended machine does: a system call that waits with a time
/// limit then fails with EINTR, though the program handles no signal.
fn interrupt(child: &Child) -> Result<(), Error> {
    if cfg!(unix) {
        let id = child.id().to_string();
        process::program("sh", &["-c", "kill -STOP $0 && kill -CONT $0", &id]).stderr(Stdio::null()).status()?;
    }
    Ok(())
}

fn verdict(output: &Output, wanted: &[&str]) -> Tally {
    let missing: Vec<_> = wanted.iter().filter(|wanted| !output.text.contains(**wanted)).collect();
    let passed = output.is_success && missing.is_empty();
    if passed {
        println!("passed");
    } else {
        println!("{}\nFAILED: ended well: {}, not said: {missing:?}", output.text, output.is_success);
    }
    Tally::of(passed)
}

/// What an example does with a program of other people, in a folder of its own; so many tests, if it is not there.
fn against(program: &str, package: &str, tests: u64, run: fn(&Path) -> Result<Tally, Error>) -> Result<Tally, Error> {
    if process::find(program).is_none() {
        println!("skipped: an example against {package}: apt-get install {package}");
        return Ok(Tally { skipped: tests, ..Tally::default() });
    }
    let folder = std::env::temp_dir().join(format!("wigwag-{package}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let tally = run(&folder);
    fs::remove_dir_all(&folder)?;
    tally
}

/// `dtls_only` as its page says, with a server of other people.
fn against_openssl(folder: &Path) -> Result<Tally, Error> {
    let openssl = |arguments: &str| {
        let mut command = process::program("openssl", &arguments.split(' ').collect::<Vec<_>>());
        command.current_dir(folder).stderr(Stdio::null());
        command
    };
    let made = openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=me -keyout key.pem -out cert.pem",
    )
    .status()?;
    let text = String::from_utf8(openssl("x509 -noout -fingerprint -sha256 -in cert.pem").output()?.stdout)?;
    let (true, Some((_, fingerprint))) = (made.success(), text.trim().split_once('=')) else {
        return Err("openssl makes no certificate".into());
    };
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = openssl(&format!("s_server -dtls1_2 -accept 127.0.0.1:{port} -cert cert.pem -key key.pem -quiet"));
    // It waits for input, which never comes, and prints what it hears.
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut client = example("dtls_only");
    client.arg(format!("127.0.0.1:{port}")).arg(format!("sha-256 {fingerprint}"));
    process::announce(&client);
    let mut client = client.stdout(Stdio::piped()).spawn()?;
    let mut heard = server.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || {
        let mut line = [0; 18];
        heard.read_exact(&mut line).map(|()| line)
    });
    let deadline = Instant::now() + TIME_MAX;
    while !reader.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    // Nobody answers, so nobody says goodbye.
    client.kill()?;
    server.kill()?;
    server.wait()?;
    let output = finish(client)?;
    let has_heard = matches!(reader.join(), Ok(Ok(line)) if line == *b"hello from wigwag\n");
    Ok(verdict(&Output { is_success: has_heard, ..output }, &["Client: connected"]))
}

/// `turn_only` with a server of other people, whom it says the right password, and a wrong one.
fn against_coturn(folder: &Path) -> Result<Tally, Error> {
    let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let mut server = process::program("turnserver", &[]);
    server.args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--lt-cred-mech", "--allow-loopback-peers"]);
    server.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=wigwag.test", "--user=alice:secret"]);
    server.args(["--log-file=stdout", "--pidfile=pid", "--userdb=users"]);
    server.arg(format!("--listening-port={}", address.port())).current_dir(folder).stdout(Stdio::null());
    let mut server = server.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let with = |password: &str| {
        let mut client = example("turn_only");
        client.args([&address.to_string(), "alice", password]);
        process::announce(&client);
        run_within(&mut client)
    };
    let tallies = with("secret").and_then(|right| {
        let mut tally =
            verdict(&right, &["relayed at 127.0.0.1:", "heard \"hello\"", "heard \"hello to you\"", "given back"]);
        let wrong = with("wrong")?;
        tally += Tally::of(!wrong.is_success && !wrong.text.contains("relayed at"));
        Ok(tally)
    });
    server.kill()?;
    server.wait()?;
    tallies
}

/// `turn_server`, until it is dropped.
struct OurServer {
    child: Child,
    address: SocketAddr,
}

impl OurServer {
    fn start() -> Result<Self, Error> {
        // A port that is free for both.
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let address = TcpListener::bind(udp.local_addr()?)?.local_addr()?;
        drop(udp);
        let mut server = example("turn_server");
        server.args([&address.to_string(), "alice", "secret", "127.0.0.0/8"]);
        process::announce(&server);
        let mut child = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        // It says that it listens.
        let mut first = [0; 9];
        child.stdout.as_mut().ok_or("no output")?.read_exact(&mut first)?;
        Ok(Self { child, address })
    }
}

impl Drop for OurServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `turn_only` with `turn_server`, and the right password or a wrong one.
fn among_ourselves() -> Result<Tally, Error> {
    let server = OurServer::start()?;
    let with = |password: &str| {
        let mut client = example("turn_only");
        client.args([&server.address.to_string(), "alice", password]);
        process::announce(&client);
        run_within(&mut client)
    };
    let mut tally = verdict(&with("secret")?, &["heard \"hello\"", "heard \"hello to you\"", "given back"]);
    let wrong = with("wrong")?;
    tally += Tally::of(!wrong.is_success && !wrong.text.contains("relayed at"));
    Ok(tally)
}

/// A client of other people with `turn_server`, over UDP and TCP at once: two of its clients send to each other, and nothing is lost.
///
/// It sends in indications: the numbers of its channels are drawn by lot from those of RFC 5766, most of which RFC 8656 has not.
fn against_coturns_client(folder: &Path) -> Result<Tally, Error> {
    let server = OurServer::start()?;
    let mut clients = Vec::new();
    for over in [&["-y"][..], &["-y", "-t"]] {
        let mut client = process::program("turnutils_uclient", over);
        client.args(["-v", "-c", "-s", "-n", "2", "-z", "1", "-u", "alice", "-w", "secret", "-p"]);
        client.arg(server.address.port().to_string()).arg("127.0.0.1").current_dir(folder);
        process::announce(&client);
        clients.push(client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    }
    let mut tally = Tally::default();
    for client in clients {
        tally += verdict(&finish(client)?, &["Total lost packets 0 (0.000000%)", "tot_recv_bytes ~ 400"]);
    }
    Ok(tally)
}
