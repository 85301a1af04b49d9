//! A hundred channels at once, opened by both sides, with an echo on each.

use super::Stage;
use crate::call::Call;
use anyhow::{Result, ensure};

const COUNT: usize = 100;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let script = format!(
        "(async () => {{ const labels = Array.from({{ length: {COUNT} }}, (_, i) => 'echo ' + i);
        labels.forEach((label) => peer.open(label));
        await Promise.all(labels.map((label) => peer.opened(label)));
        const echoes = await Promise.all(labels.map((label, i) => peer.roundTrip(label, 100 + i, i % 2 === 0, i)));
        return new Set(labels.map((label) => peer.channels[label].channel.id)).size * (echoes.length === {COUNT}); }})()"
    );
    let ids = call.browser.evaluate(&script)?;
    ensure!(ids == COUNT, "there are {ids} different ids");
    Ok(format!("{COUNT} channels"))
}
