//! How much waits is told, and told once when it is little.

use super::Stage;
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Result, ensure};
use wigwag::DataChannelInit;

const MESSAGES: usize = 64;
const SIZE: usize = 16_384;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    call.open_in_wigwag("bulk", DataChannelInit::default())?;
    let channel = call.peer.wait_open("bulk")?;
    let most = call.peer.run(move |connection| {
        connection.set_buffered_amount_low_threshold(channel, 65_536);
        for _ in 0..MESSAGES {
            connection.send(channel, vec![7; SIZE].into(), true)?;
        }
        Ok::<_, wigwag::SendError>(connection.buffered_amount(channel))
    })??;
    ensure!(most > MESSAGES * SIZE / 2, "only {most} bytes were buffered");
    call.peer.wait("BufferedAmountLow", PATIENCE, |seen| {
        seen.events.iter().any(|event| event.starts_with("BufferedAmountLow")).then_some(())
    })?;
    call.browser
        .evaluate(&format!("peer.until(() => peer.channels.bulk?.messages.length === {MESSAGES}, 'all messages')"))?;
    let left = call.peer.run(move |connection| connection.buffered_amount(channel))?;
    ensure!(left == 0, "{left} bytes stayed buffered");
    let lows = call.peer.wait("", PATIENCE, |seen| {
        Some(seen.events.iter().filter(|event| event.starts_with("BufferedAmountLow")).count())
    })?;
    ensure!(lows == 1, "the threshold was told {lows} times");
    Ok(format!("{most} bytes at most"))
}
