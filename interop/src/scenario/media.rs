//! Media that the browser sends comes back, is decoded, and moves.

use super::{Stage, dtls_roles};
use crate::call::{Call, Media};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use wigwag::Config;

pub(super) fn both(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Media { audio: true, video: true }, |_| {})
}

/// The keys of SRTP come from DTLS 1.2.
pub(super) fn over_dtls_12(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Media { audio: true, video: true }, dtls_roles::old)
}

pub(super) fn audio(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Media { audio: true, video: false }, |_| {})
}

pub(super) fn video(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Media { audio: false, video: true }, |_| {})
}

fn run(stage: &mut Stage<'_>, media: Media, adapt: fn(&mut Config)) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, adapt)?;
    call.add_media(media)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    watch(&mut call, media)
}

/// Watches for two seconds what comes back.
pub(super) fn watch(call: &mut Call<'_>, media: Media) -> Result<String> {
    if media.video {
        call.browser.evaluate("peer.until(async () => true, 'a turn')")?;
        call.browser.evaluate(
            "(async () => { for (let i = 0; i < 100; i++) { if ((await peer.inbound('video'))?.framesDecoded > 0) return true;
            await new Promise((r) => setTimeout(r, 100)); } throw new Error('no frame was decoded; ' + peer.log.join(', ')); })()",
        )?;
    }
    let progress = call.browser.evaluate("peer.mediaProgress(2000)")?;
    let seen = call.peer.run(|connection| {
        let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
        let streams: Vec<_> =
            ids.iter().map(|id| (connection.sender_stats(*id), connection.receiver_stats(*id))).collect();
        let drops: Vec<_> = connection.drops().into_iter().filter(|(_, count)| *count > 0).collect();
        format!("{drops:?} {streams:#?}")
    })?;
    let events = call.peer.wait("", PATIENCE, |seen| Some(seen.events.join("\n")))?;
    judge(call, media, &progress).with_context(|| format!("{seen}\n{events}"))?;
    Ok(format!("{} frames, {} audio packets in 2 s", progress["frames"], progress["audioPackets"]))
}

fn judge(call: &mut Call<'_>, media: Media, progress: &Value) -> Result<()> {
    ensure!(media.video || progress["frames"] == 0, "nobody asked for pictures: {progress}");
    ensure!(media.audio || progress["audioPackets"] == 0, "nobody asked for sound: {progress}");
    if media.video {
        ensure!(
            progress["frames"].as_f64() >= Some(20.0),
            "only {} frames were decoded in 2 s: {progress}",
            progress["frames"]
        );
        let before = call.browser.evaluate("peer.picture()")?;
        std::thread::sleep(Duration::from_millis(500));
        let after = call.browser.evaluate("peer.picture()")?;
        ensure!(before["sum"] != after["sum"], "the picture stands still");
        ensure!(after["light"].as_f64() > Some(0.0), "the picture is black");
    }
    if media.audio {
        ensure!(
            progress["audioPackets"].as_f64() >= Some(80.0),
            "only {} audio packets came back",
            progress["audioPackets"]
        );
        ensure!(progress["energy"].as_f64() > Some(0.0), "there is silence");
    }
    Ok(())
}
