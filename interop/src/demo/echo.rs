//! A call that comes back, and a line of chat.

use super::{DEMO, Demo, say, sound, take_picture, wait, wait_for_line, watch};
use crate::browser::Browser;
use anyhow::{Result, ensure};
use std::path::Path;

pub(super) fn run(browser: &mut dyn Browser, program: &Path, screenshot: Option<&Path>) -> Result<String> {
    let demo = Demo::start(program)?;
    browser.navigate(&demo.url)?;
    browser.evaluate("document.getElementById('start-echo').click()")?;
    let frames = watch(browser, 20.0)?;
    let sound = sound(browser, &DEMO)?;
    ensure!(sound > 0.0, "the remote audio is silent");
    let line = "does this come back? ✓";
    say(browser, line)?;
    wait_for_line(browser, line, 2)?;
    let state = browser.evaluate("document.getElementById('connection-state').textContent")?;
    ensure!(state == "connected", "the page says that the connection is {state}");
    for number in ["stat-sent", "stat-received"] {
        wait(browser, number, &format!("Number(document.getElementById({number:?}).textContent) > 0"))?;
    }
    // Both sides count the same call: what the browser has sent has arrived at wigwag, and comes back.
    for cell in ["browser-sent", "wigwag-received", "wigwag-sent", "browser-received"] {
        let text = format!("document.querySelector('[data-testid={cell}]').textContent");
        wait(browser, cell, &format!("/^[1-9][0-9,]* packets, /.test({text})"))?;
    }
    let cell = |name: &str| format!("document.querySelector('[data-testid=wigwag-{name}]').textContent");
    wait(browser, "wigwag's side of DTLS", &format!("/^(client|server), FEF[CD], connected$/.test({})", cell("dtls")))?;
    wait(browser, "wigwag's codecs", &format!("/opus/.test({0}) && /VP8/.test({0})", cell("codecs")))?;
    take_picture(browser, screenshot)?;
    Ok(format!("{frames} frames in 2 s, audio energy {sound:.3}"))
}
