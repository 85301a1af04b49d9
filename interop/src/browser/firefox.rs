//! Firefox over WebDriver BiDi, which it speaks by itself.

use super::process::{Process, profile_folder};
use super::socket::RpcSocket;
use super::{Browser, Options, wait_for};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(super) const PROGRAM: &str = "firefox-esr";

pub(super) struct Firefox {
    socket: RpcSocket,
    context: String,
    process: Process,
}

const PREFERENCES: [(&str, &str); 18] = [
    ("media.navigator.permission.disabled", "true"),
    ("media.navigator.streams.fake", "true"),
    ("media.peerconnection.ice.loopback", "true"),
    ("media.autoplay.default", "0"),
    ("media.gmp-manager.updateEnabled", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("toolkit.telemetry.enabled", "false"),
    ("app.normandy.enabled", "false"),
    ("app.update.enabled", "false"),
    ("extensions.update.enabled", "false"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("browser.safebrowsing.downloads.remote.enabled", "false"),
    ("services.settings.server", "\"data:,#remote-settings-dummy/v1\""),
    ("network.dns.disablePrefetch", "true"),
];
const PATIENCE: Duration = Duration::from_secs(60);

impl Firefox {
    pub(super) fn start(options: &Options) -> Result<Self> {
        let profile = profile_folder("firefox")?;
        let mut preferences: String =
            PREFERENCES.iter().map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect();
        let hides = options.hides_addresses;
        preferences += &format!("user_pref(\"media.peerconnection.ice.obfuscate_host_addresses\", {hides});\n");
        let sends = !options.withholds_share;
        preferences += &format!("user_pref(\"media.webrtc.send_mlkem_keyshare\", {sends});\n");
        std::fs::write(profile.join("user.js"), preferences)?;
        let mut command = Command::new(PROGRAM);
        command.env("HOME", &profile).args(["--headless", "--no-remote", "--remote-debugging-port=0", "--profile"]);
        command.arg(&profile).arg("about:blank");
        let log = PathBuf::from(format!("{}.log", profile.display()));
        let mut process = Process::start(command, profile, &log)?;
        let url = wait_for(PATIENCE, || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let url = text.split("WebDriver BiDi listening on ").nth(1).and_then(|rest| rest.split_whitespace().next());
            match url {
                Some(url) => Ok(Some(url.to_owned())),
                None if process.has_exited() => bail!("Firefox ended early; see {}", log.display()),
                None => Ok(None),
            }
        })
        .context("waiting for Firefox's debugging port")?;
        let mut socket = RpcSocket::connect(&format!("{url}/session"))?;
        socket.request("session.new", json!({"capabilities": {}}), None, PATIENCE)?;
        let tree = socket.request("browsingContext.getTree", json!({}), None, PATIENCE)?;
        let context = tree["contexts"][0]["context"].as_str().context("Firefox has no tab")?.to_owned();
        Ok(Self { socket, context, process })
    }
}

impl Browser for Firefox {
    fn name(&self) -> &'static str {
        "firefox"
    }

    fn navigate(&mut self, url: &str) -> Result<()> {
        let params = json!({"context": self.context, "url": url, "wait": "complete"});
        self.socket.request("browsingContext.navigate", params, None, PATIENCE)?;
        Ok(())
    }

    fn evaluate_text(&mut self, expression: &str, patience: Duration) -> Result<String> {
        let params = json!({"target": {"context": self.context}, "awaitPromise": true, "expression": expression, "userActivation": true});
        let answer = self.socket.request("script.evaluate", params, None, patience)?;
        match answer["result"]["value"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("{}", answer["exceptionDetails"]["text"].as_str().unwrap_or("no result")),
        }
    }

    fn screenshot(&mut self) -> Result<Vec<u8>> {
        let answer = self.socket.request(
            "browsingContext.captureScreenshot",
            json!({"context": self.context}),
            None,
            PATIENCE,
        )?;
        super::base64(answer["data"].as_str().context("no picture")?)
    }

    fn signal(&mut self, name: &str) {
        self.process.signal(name);
    }
}
