//! The program's own pages, used as a person would.

mod echo;
mod file;
mod friend;
mod restart;
mod stream;

use crate::browser::{self, Browser};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Something that a person does with the page.
pub(crate) struct Use {
    pub(crate) name: &'static str,
    /// Asked of Chromium only: it wants a camera from the other side.
    pub(crate) has_media: bool,
    pub(crate) is_smoke: bool,
    /// `screenshot` is where a picture of the page goes.
    pub(crate) run: fn(&mut dyn Browser, program: &Path, screenshot: Option<&Path>) -> Result<String>,
}

pub(crate) const ALL: [Use; 5] = [
    Use { name: "the demo page: a call and a line of chat", has_media: true, is_smoke: true, run: echo::run },
    Use { name: "the demo page: a file of 50 MB there and back", has_media: false, is_smoke: true, run: file::run },
    Use { name: "the demo page: ICE restarted by its button", has_media: false, is_smoke: false, run: restart::run },
    Use { name: "the demo page: a call with a friend", has_media: false, is_smoke: false, run: friend::run },
    Use { name: "published by WHIP, watched by WHEP", has_media: false, is_smoke: false, run: stream::run },
];

/// A server of the program, ended when this is dropped.
struct Demo {
    child: Child,
    url: String,
}

impl Demo {
    fn start(program: &Path) -> Result<Self> {
        Self::serve(program, "demo", &[])
    }

    fn serve(program: &Path, what: &str, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([what, "--listen", "127.0.0.1:0"]).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let url = output.lines().map_while(Result::ok).find_map(|line| {
            let from = line.find("http://")?;
            let end = line.get(from + 7..)?.find('/')? + from + 8;
            line.get(from..end).map(str::to_owned)
        });
        match url {
            Some(url) => Ok(Self { child, url }),
            None => {
                let _ = child.kill();
                anyhow::bail!("`wigwag {what}` ended without telling its address")
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the program, as `cargo run --release` does, so that nothing is built twice; that may want the network, which
/// there is none of in a namespace of our own.
pub(crate) fn program() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo =
        |arguments: &[&str]| Command::new("cargo").args(arguments).current_dir(&root).stderr(Stdio::inherit()).output();
    let built = cargo(&["build", "--release", "--quiet", "--bin", "wigwag"]).context("running cargo")?;
    ensure!(built.status.success(), "`cargo build --release --bin wigwag` failed");
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(target).join("release/wigwag"))
}

/// Writes a picture of the page, if a place for it is given.
fn take_picture(browser: &mut dyn Browser, path: Option<&Path>) -> Result<()> {
    path.map_or(Ok(()), |path| {
        std::fs::write(path, browser.screenshot()?).with_context(|| format!("writing {}", path.display()))
    })
}

/// Types a line of chat and sends it.
fn say(browser: &mut dyn Browser, line: &str) -> Result<()> {
    browser.evaluate(&format!(
        "(() => {{ const input = document.getElementById('chat-input'); input.value = {line:?}; document.getElementById('chat-send').click(); }})()"
    ))?;
    Ok(())
}

/// Waits until `count` lines of chat hold this text.
fn wait_for_line(browser: &mut dyn Browser, line: &str, count: usize) -> Result<()> {
    let script = format!(
        "[...document.querySelectorAll('#chat-log li')].filter((line) => line.textContent.includes({line:?})).length >= {count}"
    );
    wait(browser, "a line of chat", &script)
}

/// Where a page shows what comes, and tells how many pictures were decoded: names of elements.
struct Screen {
    video: &'static str,
    facts: &'static str,
}

const DEMO: Screen = Screen { video: "remote-video", facts: "fact-video" };

/// Watches the remote video for two seconds; how many frames were decoded in them, which must be `frames_min`.
fn watch(browser: &mut dyn Browser, frames_min: f64) -> Result<f64> {
    watch_on(browser, &DEMO, frames_min)
}

fn watch_on(browser: &mut dyn Browser, screen: &Screen, frames_min: f64) -> Result<f64> {
    let has_picture = format!("document.getElementById('{}').videoWidth > 0", screen.video);
    wait(browser, "a picture of the remote video", &has_picture)?;
    let before = decoded(browser, screen)?;
    let first = picture(browser, screen)?;
    std::thread::sleep(Duration::from_millis(500));
    let second = picture(browser, screen)?;
    std::thread::sleep(Duration::from_millis(1500));
    let frames = decoded(browser, screen)? - before;
    ensure!(frames >= frames_min, "only {frames} frames were decoded in 2 s");
    ensure!(first != second, "two pictures half a second apart are the same");
    Ok(frames)
}

fn wait(browser: &mut dyn Browser, what: &str, condition: &str) -> Result<()> {
    browser::wait_for(PATIENCE, || Ok((browser.evaluate(condition)? == true).then_some(())))
        .with_context(|| format!("waiting for {what}"))
}

/// Firefox counts what is decoded in getStats alone, which the page shows.
fn decoded(browser: &mut dyn Browser, Screen { video, facts }: &Screen) -> Result<f64> {
    let frames = browser.evaluate(&format!(
        "Math.max(document.getElementById('{video}').getVideoPlaybackQuality().totalVideoFrames,
        Number(/(\\d+) pictures decoded/.exec(document.getElementById('{facts}').textContent)?.[1] ?? 0))"
    ))?;
    frames.as_f64().context("no count of frames")
}

fn picture(browser: &mut dyn Browser, Screen { video, .. }: &Screen) -> Result<Value> {
    browser.evaluate(&format!(
        "(() => {{ const canvas = document.createElement('canvas'); [canvas.width, canvas.height] = [64, 48];
        const context = canvas.getContext('2d'); context.drawImage(document.getElementById('{video}'), 0, 0, 64, 48);
        return context.getImageData(0, 0, 64, 48).data.reduce((sum, byte) => (sum * 31 + byte) % 4294967291, 0); }})()"
    ))
}

/// The loudest that the remote audio was in a second.
fn sound(browser: &mut dyn Browser, Screen { video, .. }: &Screen) -> Result<f64> {
    let script = "(async () => { const context = new AudioContext(); await context.resume();
        const analyser = context.createAnalyser();
        context.createMediaStreamSource(document.getElementById('VIDEO').srcObject).connect(analyser);
        const samples = new Float32Array(analyser.fftSize); let loudest = 0;
        for (let i = 0; i < 50; i++) { analyser.getFloatTimeDomainData(samples);
          loudest = Math.max(loudest, ...samples.map(Math.abs)); await new Promise((resolve) => setTimeout(resolve, 40)); }
        await context.close(); return loudest; })()";
    let loudest = browser.evaluate(&script.replace("VIDEO", video))?;
    loudest.as_f64().context("no measure of sound")
}
