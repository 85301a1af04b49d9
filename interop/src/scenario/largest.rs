//! The largest message that the peer declares, and one byte more.

use super::{Stage, sizes};
use crate::call::Call;
use anyhow::{Context, Result, ensure};
use wigwag::SendError;

/// Chromium takes 256 KiB, Firefox nearly everything, of which a mebibyte is tried.
pub(super) fn len(stage: &Stage<'_>) -> usize {
    if stage.browser.name() == "chromium" { 262_144 } else { 1 << 20 }
}

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let is_chromium = stage.browser.name() == "chromium";
    let largest = len(stage);
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| {
        config.negotiation.max_message_size = 1 << 20;
    })?;
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_browser(&mut call, &[largest])?;
    sizes::echoed_by_wigwag(&mut call, &[largest])?;
    if is_chromium {
        let channel = call.peer.wait_open("first")?;
        let refused = call.peer.run(move |connection| connection.send(channel, vec![0; 262_145].into(), true))?;
        let error = refused.err().context("262,145 bytes were taken")?;
        ensure!(
            matches!(error, SendError::TooLarge { len: 262_145, max: 262_144 }),
            "refused for another reason: {error}"
        );
        ensure!(
            error.to_string().contains("262144") || error.to_string().contains("262,144"),
            "the error does not name the limit: {error}"
        );
    }
    Ok(format!("{largest} bytes"))
}

/// Firefox sends a piece of each in turn, so that none is whole before all have come in part.
pub(super) fn at_once(stage: &mut Stage<'_>) -> Result<String> {
    const LEN: usize = 262_144;
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let labels: Vec<_> = (0..16).map(|n| format!("echo {n}")).collect();
    for label in &labels {
        call.open_in_browser(label, &serde_json::json!({}))?;
    }
    let labels = serde_json::json!(labels);
    call.browser.evaluate(&format!("peer.openedEach({labels})"))?;
    call.browser
        .evaluate(&format!("Promise.all({labels}.map((label, n) => peer.roundTrip(label, {LEN}, false, n)))"))?;
    Ok(format!("16 x {LEN} bytes"))
}
