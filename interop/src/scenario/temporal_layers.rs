//! A page sends pictures with three temporal layers and tells which frame needs which (dependency descriptors). The lowest goes back to it, then all:
//! both are decoded, the first with fewer frames, and nothing is missed.

use super::Stage;
use crate::call::{Call, Media};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wigwag::jsep::HeaderExtension;

/// So many packets of the highest layer are sent before it is watched.
const PACKETS: u64 = 10;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| {
        let told = [HeaderExtension::dependency_descriptor(), HeaderExtension::video_layers_allocation()];
        config.negotiation.header_extensions.extend(told);
    })?;
    call.add_media(Media { audio: false, video: true })?;
    call.open_by_offerer("first")?;
    call.peer.select_temporal_layers(0)?;
    call.connect()?;
    call.browser.evaluate(
        "(() => { const sender = peer.pc.getSenders().find(({ track }) => track);
          const parameters = sender.getParameters();
          parameters.encodings[0].scalabilityMode = 'L1T3';
          return sender.setParameters(parameters).then(() => true); })()",
    )?;
    call.peer.wait("packets of three layers", PATIENCE, |seen| {
        let told = &seen.told;
        let has_all = told.arrived.get(&2).is_some_and(|count| *count > PACKETS) && told.layers == Some((0, 0));
        (has_all && told.allocation.is_some()).then_some(())
    })?;
    let few = watch(&mut call)?;
    call.peer.select_temporal_layers(u8::MAX)?;
    call.peer.wait("all layers forwarded", PATIENCE, |seen| {
        (seen.told.layers? >= (0, 2) && seen.told.forwarded.get(&2)? > &PACKETS).then_some(())
    })?;
    let all = watch(&mut call)?;
    let told = call.peer.wait("what was told", PATIENCE, |seen| Some(seen.told.clone()))?;
    let frames = |progress: &Value| progress["frames"].as_u64().context("no count of frames");
    let (fewer, more) = (frames(&few)?, frames(&all)?);
    ensure!(fewer >= 8 && more >= 2 * fewer, "{few} with the lowest layer, and {all} with all: {told:?}");
    ensure!(told.unread == 0 && told.allocations_unread == 0 && told.structures > 0, "{told:?}");
    let theirs = call.browser.evaluate("peer.inbound('video')")?;
    ensure!(theirs["packetsLost"] == 0 && theirs["nackCount"] == 0, "the page misses packets: {theirs}");
    let events = call.peer.wait("", PATIENCE, |seen| Some(seen.events.join("\n")))?;
    ensure!(!events.contains("not echoed") && !events.contains("not forwarded"), "{events}");
    if std::env::var_os("WIGWAG_SAMPLES").is_some() {
        println!("{:#?}", told.samples);
    }
    Ok(format!("{fewer} frames of the lowest layer and {more} of all in 2 s each"))
}

/// What is decoded in two seconds.
fn watch(call: &mut Call<'_>) -> Result<Value> {
    let before = call.browser.evaluate("peer.inbound('video')")?;
    let progress = call.browser.evaluate("peer.mediaProgress(2000)")?;
    let after = call.browser.evaluate("peer.inbound('video')")?;
    ensure!(before["pliCount"] == after["pliCount"], "the page could not go on: {before} {after}");
    Ok(progress)
}
