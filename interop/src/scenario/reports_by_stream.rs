//! Arrivals that are reported by the numbers of each stream (RFC 8888): each side finds out by the other's reports what the path takes.

use super::{Stage, media, narrow_path};
use crate::call::{Call, Media};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use wigwag::Config;
use wigwag::jsep::HeaderExtension;
use wigwag::stats::Stats;

/// More than either side begins with, in bit/s.
const RISEN: f64 = 500_000.0;

fn by_stream(config: &mut Config) {
    config.negotiation.ccfb = true;
}

/// The browser's estimate rises by what we report, and it reports on what comes back to it.
pub(super) fn echoed(stage: &mut Stage<'_>) -> Result<String> {
    let both = Media { audio: true, video: true };
    let mut call = Call::new(stage.browser, stage.page, stage.role, by_stream)?;
    call.add_media(both)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let watched = media::watch(&mut call, both)?;
    let estimate = risen(&mut call)?;
    let counts = counted(&mut call)?;
    let reported = call.peer.wait("", PATIENCE, |seen| Some(seen.arrivals_reported))?;
    ensure!(reported > 100, "of {reported} packets it was told whether they arrived: {counts}");
    let lost = call.peer.run(|connection| {
        let unread = connection.drops().into_iter().filter(|(name, _)| name.starts_with("rtp.dropped_feedback"));
        unread.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    })?;
    ensure!(lost.is_empty(), "reports that are not understood: {lost:?}");
    Ok(format!("{watched}; the browser's estimate is {estimate} bit/s; {counts}, of {reported} packets"))
}

/// Ours follows the path.
pub(super) fn narrow(stage: &mut Stage<'_>) -> Result<String> {
    let mut counts = String::new();
    let told = narrow_path::with(stage, by_stream, |call| {
        counts = received(call)?;
        Ok(())
    })?;
    Ok(format!("{told}; {counts}"))
}

/// Waits until the browser's estimate is more than what it began with.
fn risen(call: &mut Call<'_>) -> Result<f64> {
    const ESTIMATE: &str = "peer.stats().then((all) => Math.max(0, ...(all['candidate-pair'] ?? [])
        .map((pair) => pair.availableOutgoingBitrate ?? 0)))";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let estimate = call.browser.evaluate(ESTIMATE)?.as_f64().context("no number")?;
        if estimate > RISEN {
            return Ok(estimate);
        }
        if Instant::now() > deadline {
            bail!("the browser's estimate stays at {estimate} bit/s; {}", counted(call)?);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How many reports were sent and received, and that there is nothing else.
fn counted(call: &mut Call<'_>) -> Result<String> {
    let received = received(call)?;
    let sent = of_transport(call)?.0;
    ensure!(sent > 10, "{sent} reports were sent");
    let theirs = call.browser.evaluate("peer.stats().then((all) => all.transport[0])")?;
    // Chromium counts them since it counts them at all.
    if let Some(count) = theirs["ccfbMessagesReceived"].as_u64() {
        ensure!(count > 10, "the browser received {count} of {sent} reports: {theirs}");
    }
    Ok(format!("{sent} reports sent, {received}"))
}

fn received(call: &mut Call<'_>) -> Result<String> {
    let received = of_transport(call)?.1;
    ensure!(received > 10, "{received} reports were received");
    let has_number = call.peer.run(|connection| {
        let agreed = connection.transceivers().filter_map(|transceiver| transceiver.negotiated.as_ref());
        let is_number = |extension: &wigwag::jsep::NegotiatedExtension| extension.uri == HeaderExtension::TRANSPORT_CC;
        agreed.map(|agreed| (agreed.ccfb, agreed.extensions.iter().any(is_number))).collect::<Vec<_>>()
    })?;
    ensure!(has_number.iter().all(|agreed| *agreed == (true, false)), "by stream, with a number: {has_number:?}");
    Ok(format!("{received} received"))
}

/// How many reports we sent and received.
fn of_transport(call: &mut Call<'_>) -> Result<(u64, u64)> {
    let stats = call.peer.run(|connection| connection.stats(Instant::now()))?;
    let transport = stats.iter().find_map(|found| match found {
        Stats::Transport(transport) => Some((transport.ccfb_messages_sent, transport.ccfb_messages_received)),
        _ => None,
    });
    transport.context("no transport")
}
