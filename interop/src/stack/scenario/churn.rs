//! Channels closed from alternating sides; their ids are used again.

use super::Stage;
use crate::peer::PATIENCE;
use crate::stack::call::Call;
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeSet;

const ROUNDS: usize = 10;

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    let mut ids = BTreeSet::new();
    for round in 0..ROUNDS {
        let label = format!("echo {round}");
        let (opened, channel) = call.theirs(&label, json!({}))?;
        ids.extend(opened["id"].as_u64());
        call.round_trip(&label, 100, true, round)?;
        if round % 2 == 0 {
            call.driver.ask("closeChannel", json!({"label": label}))?;
        } else {
            call.peer.run(move |connection| connection.close_data_channel(channel))?;
        }
        call.driver.ask("closed", json!({"label": label}))?;
        call.peer.wait("ChannelClosed", PATIENCE, |seen| (seen.closed_channels > round).then_some(()))?;
    }
    Ok(format!("{ROUNDS} rounds on {} ids", ids.len()))
}
