//! Unordered channels that give up.

use super::Stage;
use crate::call::Call;
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;
use wigwag::DataChannelInit;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let mut arrived = 0;
    for (label, init) in [
        ("echo retransmits", json!({"ordered": false, "maxRetransmits": 0})),
        ("echo life time", json!({"ordered": false, "maxPacketLifeTime": 500})),
    ] {
        call.open_in_browser(label, &init)?;
        call.browser.evaluate(&format!("peer.opened({label:?})"))?;
        // Nothing is lost here, so everything must come back, in whatever order.
        let script = format!(
            "(async () => {{ const held = peer.channels[{label:?}]; for (let i = 0; i < 200; i++) held.channel.send(new Uint16Array([i]).buffer);
            await peer.until(() => held.messages.length >= 200, '200 echoes');
            return new Set(held.messages.map((m) => new Uint16Array(m)[0])).size; }})()"
        );
        let different = call.browser.evaluate(&script)?;
        ensure!(different == 200, "of 200 messages {different} came back");
        arrived += 200;
    }
    call.open_in_wigwag(
        "echo",
        DataChannelInit::default().unordered().max_packet_life_time(Duration::from_millis(300)),
    )?;
    let seen = call.browser.evaluate("peer.opened('echo')")?;
    ensure!(seen["ordered"] == false && seen["maxPacketLifeTime"] == 300, "the browser sees {seen}");
    Ok(format!("{arrived} messages"))
}
