//! `wigwag turn-server` relays for a browser that shows no other address.

use super::{Stage, sizes};
use crate::call::Call;
use crate::namespace;
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The server, ended when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(program: &Path) -> Result<Self> {
        let ip = namespace::ADDRESS;
        let mut command = Command::new(program);
        command.args([
            "turn-server",
            "--listen",
            &format!("{ip}:0"),
            "--user",
            "alice:secret",
            "--allow",
            "10.98.0.0/24",
        ]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting the server")?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("no output")?).read_line(&mut line)?;
        match line.split(' ').find_map(|word| word.parse().ok()) {
            Some(address) => Ok(Self { child, address }),
            None => {
                let _ = child.kill();
                bail!("it does not tell where it listens: {line}")
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let server = Server::start(stage.program.context("no program")?)?;
    for transport in ["udp", "tcp"] {
        let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
        let url = format!("turn:{}?transport={transport}", server.address);
        let server = json!({"urls": url, "username": "alice", "credential": "secret"});
        let configuration = json!({"configuration": {"iceServers": [server], "iceTransportPolicy": "relay"}});
        call.browser.evaluate(&format!("peer.make({configuration})"))?;
        call.open_by_offerer("first")?;
        call.connect_trickling()?;
        sizes::echoed_by_wigwag(&mut call, &[0, 1, 1200, 65_536])?;
        sizes::echoed_by_browser(&mut call, &[0, 1, 1200, 65_536])?;
        let stats = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
        ensure!(stats.contains("\"candidateType\":\"relay\""), "{transport}: {stats}");
    }
    Ok("through wigwag, by udp and by tcp".into())
}
