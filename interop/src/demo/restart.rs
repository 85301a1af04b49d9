//! The button that begins ICE anew: the picture goes on, and lines of chat come back.

use super::{Demo, say, wait, wait_for_line, watch};
use crate::browser::Browser;
use anyhow::{Context, Result, ensure};
use std::path::Path;

pub(super) fn run(browser: &mut dyn Browser, program: &Path, _: Option<&Path>) -> Result<String> {
    let demo = Demo::start(program)?;
    browser.navigate(&demo.url)?;
    // What the page's own scripts know of the connection is theirs alone.
    browser.evaluate(
        "(() => { const seen = (window.seen = {}); const Original = RTCPeerConnection;
        window.RTCPeerConnection = class extends Original { constructor(...all) { super(...all); seen.peer = this; } };
        return true; })()",
    )?;
    browser.evaluate("document.getElementById('start-test').click()")?;
    watch(browser, 20.0)?;
    let names = |browser: &mut dyn Browser| {
        let found = browser.evaluate(
            "[seen.peer.currentLocalDescription, seen.peer.currentRemoteDescription]
             .map((description) => /a=ice-ufrag:(\\S+)/.exec(description.sdp)[1])",
        )?;
        found.as_array().cloned().context("no names")
    };
    let before = names(browser)?;
    browser.evaluate("document.getElementById('restart-ice').click()")?;
    let first = before.first().context("no name")?;
    wait(
        browser,
        "the answer",
        &format!("!seen.peer.currentLocalDescription.sdp.includes({first}) && seen.peer.signalingState === 'stable'"),
    )?;
    let after = names(browser)?;
    ensure!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} and {after:?}");
    let frames = watch(browser, 20.0)?;
    say(browser, "still there?")?;
    wait_for_line(browser, "still there?", 2)?;
    Ok(format!("{frames} frames in 2 s after it"))
}
