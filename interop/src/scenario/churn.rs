//! Channels closed from alternating sides; their ids are used again.

use super::Stage;
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};

const ROUNDS: usize = 20;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let mut first_id = None;
    for round in 0..ROUNDS {
        let label = format!("echo {round}");
        call.open_in_browser(&label, &serde_json::json!({}))?;
        let opened = call.browser.evaluate(&format!("peer.opened({label:?})"))?;
        let id = opened["id"].as_u64().context("the channel has no id")?;
        ensure!(*first_id.get_or_insert(id) == id, "round {round} got id {id}: ids are not freed");
        call.browser.evaluate(&format!("peer.roundTrip({label:?}, 100, true, {round})"))?;
        let channel = call.peer.wait_open(&label)?;
        if round % 2 == 0 {
            call.browser.evaluate(&format!("peer.channels[{label:?}].channel.close()"))?;
        } else {
            call.peer.run(move |connection| connection.close_data_channel(channel))?;
        }
        call.browser.evaluate(&format!("peer.until(() => peer.channels[{label:?}].closed, 'onclose')"))?;
        call.peer.wait("ChannelClosed", PATIENCE, |seen| (seen.closed_channels > round).then_some(()))?;
    }
    Ok(format!("{ROUNDS} rounds on id {}", first_id.unwrap_or_default()))
}
