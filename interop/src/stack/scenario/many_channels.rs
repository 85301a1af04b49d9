//! A hundred channels, half of them opened by each side, with an echo on each.

use super::Stage;
use crate::peer::PATIENCE;
use crate::stack::call::Call;
use anyhow::{Result, ensure};
use serde_json::json;
use std::collections::BTreeSet;
use wigwag::DataChannelInit;

const HALF: usize = 50;

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    for i in 0..HALF {
        call.open_theirs(&format!("echo theirs {i}"), json!({}))?;
        call.open_ours(&format!("echo ours {i}"), DataChannelInit::default())?;
    }
    let mut ids = BTreeSet::new();
    for i in 0..HALF {
        let (theirs, ours) = (format!("echo theirs {i}"), format!("echo ours {i}"));
        let seen = call.driver.ask("opened", json!({"label": theirs}))?;
        ids.extend(seen["id"].as_u64());
        call.round_trip(&theirs, 100 + i, i % 2 == 0, i)?;
        let seen = call.driver.ask("opened", json!({"label": ours}))?;
        ids.extend(seen["id"].as_u64());
        let channel = call.peer.wait_open(&ours)?;
        call.peer.send(channel, ours.clone(), false)?;
        let echo = call.peer.wait("an echo", PATIENCE, |seen| seen.messages.get_mut(&ours).and_then(Vec::pop))?;
        ensure!(echo.0 == ours && !echo.1, "{ours}: another message came back");
    }
    ensure!(ids.len() == 2 * HALF, "there are {} different ids", ids.len());
    Ok(format!("{} channels", 2 * HALF))
}
