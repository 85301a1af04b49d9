//! Unordered channels that give up.

use super::Stage;
use crate::stack::call::Call;
use anyhow::{Result, ensure};
use serde_json::json;

const COUNT: usize = 200;

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    let mut arrived = 0;
    for (label, init) in [
        ("echo unordered", json!({"ordered": false})),
        ("echo retransmits", json!({"ordered": false, "maxRetransmits": 0})),
        ("echo life time", json!({"ordered": false, "maxPacketLifeTime": 500})),
    ] {
        call.theirs(label, init)?;
        // Nothing is lost here, so everything must come back, in whatever order.
        let different = call.driver.ask("burst", json!({"label": label, "count": COUNT}))?;
        ensure!(different == COUNT, "of {COUNT} messages {different} came back on {label}");
        arrived += COUNT;
    }
    Ok(format!("{arrived} messages"))
}
