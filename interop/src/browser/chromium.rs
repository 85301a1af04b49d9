//! Chromium over the Chrome DevTools Protocol.

use super::process::{Process, profile_folder};
use super::socket::RpcSocket;
use super::{Browser, Options, wait_for};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(super) const PROGRAM: &str = "chromium";

pub(super) struct Chromium {
    socket: RpcSocket,
    session: String,
    process: Process,
}

const SWITCHES: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--remote-debugging-port=0",
];

impl Chromium {
    pub(super) fn start(options: &Options) -> Result<Self> {
        let profile = profile_folder("chromium")?;
        let mut command = Command::new(PROGRAM);
        command.args(SWITCHES).arg(format!("--user-data-dir={}", profile.display()));
        command.arg("--window-size=1280,900");
        if !options.hides_addresses {
            // A page that was granted media is told real addresses; so is every page without this feature.
            command.args(["--use-fake-ui-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns"]);
        }
        if options.tells_layers {
            command.arg(
                "--force-fieldtrials=WebRTC-DependencyDescriptorAdvertised/Enabled/\
                 WebRTC-VideoLayersAllocationAdvertised/Enabled/",
            );
        }
        if options.reports_by_stream {
            command.arg("--force-fieldtrials=WebRTC-RFC8888CongestionControlFeedback/Enabled,offer:true/");
        }
        if options.encrypts_headers {
            command.arg("--enable-blink-features=RtcRtpHeaderEncryptionPolicy");
        }
        command.arg("about:blank");
        let port_file = profile.join("DevToolsActivePort");
        let log = PathBuf::from(format!("{}.log", profile.display()));
        let mut process = Process::start(command, profile, &log)?;
        let address = wait_for(Duration::from_secs(30), || match std::fs::read_to_string(&port_file) {
            Ok(text) if text.lines().count() >= 2 => Ok(Some(text)),
            _ if process.has_exited() => bail!("Chromium ended early; see {}", log.display()),
            _ => Ok(None),
        })
        .context("waiting for Chromium's debugging port")?;
        let (port, path) = address.split_once('\n').context("Chromium's port file has two lines")?;
        let mut socket = RpcSocket::connect(&format!("ws://127.0.0.1:{port}{}", path.trim()))?;
        let target = socket.request("Target.createTarget", json!({"url": "about:blank"}), None, PATIENCE)?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = socket.request("Target.attachToTarget", attach, None, PATIENCE)?;
        let session = attached["sessionId"].as_str().context("no session id")?.to_owned();
        Ok(Self { socket, session, process })
    }

    fn request(&mut self, method: &str, params: Value, patience: Duration) -> Result<Value> {
        self.socket.request(method, params, Some(&self.session), patience)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Browser for Chromium {
    fn name(&self) -> &'static str {
        "chromium"
    }

    fn navigate(&mut self, url: &str) -> Result<()> {
        self.request("Page.navigate", json!({"url": url}), PATIENCE)?;
        let expression = format!("document.readyState === 'complete' && location.href.startsWith({url:?})");
        wait_for(PATIENCE, || {
            let params = json!({"expression": expression, "returnByValue": true});
            let answer = self.request("Runtime.evaluate", params, PATIENCE)?;
            Ok((answer["result"]["value"] == json!(true)).then_some(()))
        })
        .with_context(|| format!("opening {url}"))
    }

    fn evaluate_text(&mut self, expression: &str, patience: Duration) -> Result<String> {
        let params =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.request("Runtime.evaluate", params, patience)?;
        match answer["result"]["value"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("{}", answer["exceptionDetails"]["exception"]["description"].as_str().unwrap_or("no result")),
        }
    }

    fn screenshot(&mut self) -> Result<Vec<u8>> {
        let answer = self.request("Page.captureScreenshot", json!({"format": "png"}), PATIENCE)?;
        super::base64(answer["data"].as_str().context("no picture")?)
    }

    fn signal(&mut self, name: &str) {
        self.process.signal(name);
    }
}
