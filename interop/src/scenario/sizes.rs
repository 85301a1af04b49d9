//! Messages of several sizes, as bytes and as strings, in both directions.

use super::Stage;
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Result, ensure};
use bytes::Bytes;

const SIZES: [usize; 5] = [0, 1, 1200, 16_385, 65_536];

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    echoed_by_wigwag(&mut call, &SIZES)?;
    echoed_by_browser(&mut call, &SIZES)?;
    Ok(format!("{} messages each way", 2 * SIZES.len()))
}

/// The browser opens a channel that wigwag echoes.
pub(super) fn echoed_by_wigwag(call: &mut Call<'_>, sizes: &[usize]) -> Result<()> {
    call.open_in_browser("echo by wigwag", &serde_json::json!({}))?;
    call.browser.evaluate("peer.opened('echo by wigwag')")?;
    for size in sizes {
        for is_text in [false, true] {
            let answer = call.browser.evaluate(&format!("peer.roundTrip('echo by wigwag', {size}, {is_text})"))?;
            let kind = if is_text { "string" } else { "binary" };
            ensure!(answer["kind"] == kind, "{size} bytes came back as {answer}, not as {kind}");
        }
    }
    Ok(())
}

/// wigwag opens a channel that the browser echoes.
pub(super) fn echoed_by_browser(call: &mut Call<'_>, sizes: &[usize]) -> Result<()> {
    let label = "echo";
    call.open_in_wigwag(label, wigwag::DataChannelInit::default())?;
    let channel = call.peer.wait_open(label)?;
    for (i, size) in sizes.iter().enumerate() {
        for is_binary in [true, false] {
            let sent: Bytes = (0..*size).map(|at| b'a' + ((at * 7 + i) % 26) as u8).collect::<Vec<_>>().into();
            call.peer.send(channel, sent.clone(), is_binary)?;
            let (echo, echo_is_binary) = call
                .peer
                .wait("the browser's echo", PATIENCE, |seen| seen.messages.get_mut(label).and_then(Vec::pop))?;
            ensure!(echo == sent, "{size} bytes came back as {} others", echo.len());
            ensure!(echo_is_binary == is_binary, "a message came back as another kind");
        }
    }
    Ok(())
}
