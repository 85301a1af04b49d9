//! coturn, other people's TURN server, as a process of our own.

use crate::browser::wait_for;
use crate::namespace;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use wigwag::TurnServer;
use wigwag_mio::Tls;

const PROGRAM: &str = "turnserver";
const PATIENCE: Duration = Duration::from_secs(15);
pub(crate) const USERNAME: &str = "alice";
pub(crate) const PASSWORD: &str = "secret";
/// Whom its certificate is for.
pub(crate) const NAME: &str = "turn.wigwag.test";

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Tcp,
    Tls,
}

impl Way {
    /// As statistics tell it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Whether it is installed.
pub(crate) fn exists() -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()))
}

/// A server that asks for a long-term credential, ended when this is dropped.
pub(crate) struct Coturn {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    tls_address: SocketAddr,
}

impl Coturn {
    pub(crate) fn start() -> Result<Self> {
        let ip: IpAddr = if namespace::is_inside() { namespace::ADDRESS } else { "127.0.0.1" }.parse()?;
        // Free now, and nobody else is here to take it.
        let address = UdpSocket::bind((ip, 0))?.local_addr()?;
        let tls_address = TcpListener::bind((ip, 0))?.local_addr()?;
        let folder = std::env::temp_dir().join(format!("wigwag-coturn-{}-{}", std::process::id(), address.port()));
        std::fs::create_dir_all(&folder)?;
        let file = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new(PROGRAM);
        command.args(["-n", "--no-cli", "--no-dtls", "--verbose", "--fingerprint", "--lt-cred-mech"]);
        command.args(["--allow-loopback-peers", "--simple-log", "--log-file=stdout", "--realm=wigwag.test"]);
        certify(&file("cert"), &file("key"))?;
        command.args([format!("--cert={}", file("cert")), format!("--pkey={}", file("key"))]);
        command.arg(format!("--tls-listening-port={}", tls_address.port()));
        command.args([format!("--listening-ip={ip}"), format!("--listening-port={}", address.port())]);
        command.args([format!("--relay-ip={ip}"), format!("--user={USERNAME}:{PASSWORD}")]);
        command.args([format!("--pidfile={}", file("pid")), format!("--userdb={}", file("users"))]);
        command.stdin(Stdio::null()).stdout(std::fs::File::create(folder.join("log"))?).stderr(Stdio::null());
        let child = command.spawn().context("starting turnserver")?;
        let server = Self { child, folder, address, tls_address };
        server.wait().with_context(|| server.log())?;
        Ok(server)
    }

    /// Until it answers.
    fn wait(&self) -> Result<()> {
        let socket = UdpSocket::bind((self.address.ip(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut request = Vec::new();
        wigwag_stun::MessageWriter::request(&mut request, wigwag_stun::TransactionId(*b"are you here")).fingerprint();
        wait_for(PATIENCE, || {
            socket.send_to(&request, self.address)?;
            Ok(socket.recv_from(&mut [0; 1500]).ok())
        })?;
        for address in [self.address, self.tls_address] {
            wait_for(PATIENCE, || Ok(TcpStream::connect(address).ok()))?;
        }
        Ok(())
    }

    /// Whom to trust of its TLS.
    pub(crate) fn trusted(&self) -> Result<Tls> {
        Ok(Tls::trusting_pem(&std::fs::read(self.folder.join("cert"))?)?)
    }

    /// What it says of what has happened.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// As wigwag is told of it.
    pub(crate) fn server(&self, way: Way, password: &str) -> TurnServer {
        let server = TurnServer::new(self.address, USERNAME, password);
        match way {
            Way::Udp => server,
            Way::Tcp => server.over_tcp(),
            Way::Tls => TurnServer::new(self.tls_address, USERNAME, password).over_tls(NAME),
        }
    }

    /// As a browser is told of it that may use nothing else.
    pub(crate) fn configuration(&self) -> Value {
        let server = json!({"urls": format!("turn:{}?transport=udp", self.address), "username": USERNAME, "credential": PASSWORD});
        json!({"configuration": {"iceServers": [server], "iceTransportPolicy": "relay"}})
    }
}

/// A certificate that nobody else vouches for.
fn certify(certificate: &str, key: &str) -> Result<()> {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-keyout", key, "-out", certificate, "-subj", &format!("/CN={NAME}")])
        .args(["-addext", &format!("subjectAltName=DNS:{NAME}"), "-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .context("starting openssl, which makes a certificate")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
