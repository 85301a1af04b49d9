//! What one side says of a channel, the other side sees.

use super::Stage;
use crate::call::Call;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use wigwag::{DataChannelInit, Reliability};

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    call.open_in_browser("größe ✓", &json!({"ordered": false, "maxRetransmits": 7, "protocol": "π/1"}))?;
    let channel = call.peer.wait_open("größe ✓")?;
    let (protocol, is_ordered, reliability, id) = call
        .peer
        .run(move |connection| {
            let channel = connection.data_channel(channel)?;
            Some((channel.protocol().to_owned(), channel.is_ordered(), channel.reliability(), channel.stream()))
        })?
        .context("the channel is gone")?;
    ensure!(
        protocol == "π/1" && !is_ordered && reliability == Reliability::MaxRetransmits(7),
        "wigwag sees {protocol} {is_ordered} {reliability:?}"
    );
    let theirs = call.browser.evaluate("peer.opened('größe ✓')")?;
    ensure!(theirs["id"] == json!(id), "the browser's id is {}, wigwag's {id:?}", theirs["id"]);
    call.open_in_wigwag("ours", DataChannelInit::default().unordered().max_retransmits(3).protocol("p"))?;
    let seen = call.browser.evaluate("peer.opened('ours')")?;
    ensure!(
        seen["protocol"] == "p" && seen["ordered"] == false && seen["maxRetransmits"] == 3,
        "the browser sees {seen}"
    );
    ensure!(
        seen["id"].as_u64().map(|id| id % 2) != theirs["id"].as_u64().map(|id| id % 2),
        "both sides use the same parity"
    );
    Ok("as they were opened".into())
}
