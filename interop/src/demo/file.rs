//! A file, sent to wigwag and returned by it.

use super::{Demo, take_picture, wait};
use crate::browser::{self, Browser};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{Duration, Instant};

/// Not a multiple of any piece.
const LEN: usize = 50_000_001;
const PATIENCE: Duration = Duration::from_secs(120);

/// The bytes of the file, by a rule that page and test share.
fn contents() -> Vec<u8> {
    let mut word = 1_u32;
    let next = || {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (word >> 24) as u8
    };
    std::iter::repeat_with(next).take(LEN).collect()
}

pub(super) fn run(browser: &mut dyn Browser, program: &Path, screenshot: Option<&Path>) -> Result<String> {
    let demo = Demo::start(program)?;
    browser.navigate(&demo.url)?;
    let began = Instant::now();
    browser.evaluate(&format!(
        "(() => {{ const bytes = new Uint8Array({LEN}); let word = 1;
        for (let i = 0; i < bytes.length; i += 1) {{ word = (Math.imul(word, 1664525) + 1013904223) | 0; bytes[i] = word >>> 24; }}
        const files = new DataTransfer(); files.items.add(new File([bytes], 'random.bin'));
        const input = document.getElementById('file-input'); input.files = files.files; input.dispatchEvent(new Event('change')); }})()"
    ))?;
    wait(browser, "the file to be on its way", "document.querySelector('#file-list li progress')?.value > 0")?;
    let ended = "['done', 'failed'].includes(document.querySelector('#file-list li')?.dataset.state)";
    browser::wait_for(PATIENCE, || Ok((browser.evaluate(ended)? == true).then_some(())))
        .context("waiting for the end of the file")?;
    let seconds = began.elapsed().as_secs_f64();
    let hashes =
        browser.evaluate("[...document.querySelectorAll('#file-list code')].map((code) => code.dataset.hash)")?;
    let expected = Sha256::digest(contents()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    ensure!(hashes == serde_json::json!([expected, expected]), "the hashes are {hashes}, not {expected} twice");
    take_picture(browser, screenshot)?;
    Ok(format!("{LEN} bytes there and back in {seconds:.1} s, the same hash at both ends"))
}
