//! A channel that both sides agreed on without a word.

use super::Stage;
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Result, ensure};
use serde_json::json;
use wigwag::DataChannelInit;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_in_browser("agreed", &json!({"negotiated": true, "id": 77}))?;
    call.open_in_wigwag("agreed", DataChannelInit::default().negotiated(77))?;
    call.connect()?;
    let channel = call.peer.wait_open("agreed")?;
    call.browser.evaluate("peer.opened('agreed')")?;
    call.peer.send(channel, "from wigwag", false)?;
    call.browser.evaluate("peer.until(() => peer.channels.agreed.messages[0] === 'from wigwag', 'a message')")?;
    call.browser.evaluate("peer.channels.agreed.channel.send('from the browser')")?;
    let (message, is_binary) =
        call.peer.wait("a message", PATIENCE, |seen| seen.messages.get_mut("agreed").and_then(Vec::pop))?;
    ensure!(message == "from the browser" && !is_binary, "something else arrived");
    Ok("id 77".into())
}
