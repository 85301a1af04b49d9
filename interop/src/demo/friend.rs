//! Two browsers call each other by a link; wigwag introduces them.

use super::{Demo, say, take_picture, wait, wait_for_line, watch};
use crate::browser::{self, Browser, Options};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Two browsers that draw, encode and decode share this machine.
const FRAMES_MIN: f64 = 10.0;

pub(super) fn run(browser: &mut dyn Browser, program: &Path, screenshot: Option<&Path>) -> Result<String> {
    let demo = Demo::start(program)?;
    let mut friend = browser::start("chromium", &Options::USUAL)?;
    browser.navigate(&format!("{}?auto=friend", demo.url))?;
    wait(browser, "an invitation", "!document.getElementById('invitation').hidden")?;
    let link = browser.evaluate("document.getElementById('invitation-link').value")?;
    let link = link.as_str().context("the invitation has no link")?;
    // A link may be opened by a browser that asks for nothing but the link.
    friend.navigate(link)?;
    friend.evaluate("document.getElementById('start-friend').click()")?;
    let (here, there) = (watch(browser, FRAMES_MIN)?, watch(friend.as_mut(), FRAMES_MIN)?);
    say(browser, "do you see me?")?;
    wait_for_line(friend.as_mut(), "do you see me?", 1)?;
    say(friend.as_mut(), "clearly ✓")?;
    wait_for_line(browser, "clearly ✓", 1)?;
    friend.evaluate(
        "(() => { const files = new DataTransfer(); files.items.add(new File([new Uint8Array(3000000).fill(7)], 'gift.bin'));
        const input = document.getElementById('file-input'); input.files = files.files; input.dispatchEvent(new Event('change')); })()",
    )?;
    for page in [&mut *browser, friend.as_mut()] {
        wait(page, "the file of the friend", "document.querySelector('#file-list li')?.dataset.state === 'done'")?;
    }
    let expected = Sha256::digest([7; 3_000_000]).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for page in [&mut *browser, friend.as_mut()] {
        let hashes =
            page.evaluate("[...document.querySelectorAll('#file-list code')].map((code) => code.dataset.hash)")?;
        ensure!(hashes == serde_json::json!([expected, expected]), "the hashes are {hashes}, not {expected} twice");
    }
    let name = browser.evaluate("document.querySelector('#file-list a').download")?;
    ensure!(name == "gift.bin", "the file would be saved as {name}");
    take_picture(browser, screenshot)?;
    friend.evaluate("document.getElementById('hang-up').click()")?;
    wait(browser, "the friend to be gone", "!document.getElementById('invitation').hidden")?;
    Ok(format!("{here} and {there} frames in 2 s, with {}", friend.name()))
}
