//! Media as whole frames, codec by codec: what the browser sends is put together, cut anew, and decoded by the browser.

use super::Stage;
use crate::call::{Call, Media, Role};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wigwag::MediaKind;
use wigwag::jsep::Codec;

/// What is judged of a codec.
struct Trial {
    codec: fn() -> Codec,
    /// As the browser's statistics name it.
    mime_type: &'static str,
}

const VP8: Trial = Trial { codec: Codec::vp8, mime_type: "video/VP8" };
const H264: Trial = Trial { codec: Codec::h264, mime_type: "video/H264" };
const H264_SINGLE: Trial = Trial { codec: single, mime_type: "video/H264" };
const VP9: Trial = Trial { codec: Codec::vp9, mime_type: "video/VP9" };
const AV1: Trial = Trial { codec: Codec::av1, mime_type: "video/AV1" };
const OPUS: Trial = Trial { codec: Codec::opus, mime_type: "audio/opus" };
const PCMU: Trial = Trial { codec: Codec::pcmu, mime_type: "audio/PCMU" };
const PCMA: Trial = Trial { codec: Codec::pcma, mime_type: "audio/PCMA" };
const G722: Trial = Trial { codec: Codec::g722, mime_type: "audio/G722" };

/// Packetization mode 0.
fn single() -> Codec {
    let mut codec = Codec::h264();
    codec.parameters = codec.parameters.replace("packetization-mode=1", "packetization-mode=0");
    codec
}

pub(super) fn vp8(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &VP8)
}

pub(super) fn h264(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &H264)
}

pub(super) fn h264_single(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &H264_SINGLE)
}

pub(super) fn vp9(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &VP9)
}

pub(super) fn av1(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &AV1)
}

pub(super) fn opus(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &OPUS)
}

pub(super) fn pcmu(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &PCMU)
}

pub(super) fn pcma(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &PCMA)
}

pub(super) fn g722(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, &G722)
}

fn run(stage: &mut Stage<'_>, trial: &Trial) -> Result<String> {
    let codec = (trial.codec)();
    let is_video = codec.kind == MediaKind::Video;
    let call = call(stage, vec![codec], is_video)?;
    let kind = if is_video { "video" } else { "audio" };
    let progress = call.browser.evaluate(&format!("peer.decodes({}, 2000)", Value::from(kind)));
    let told = call.peer.wait("a frame", PATIENCE, |seen| {
        let (events, lost) = (seen.events.join("\n"), seen.frames_lost);
        Some((seen.frames.clone(), lost, events))
    })?;
    let progress = progress.with_context(|| format!("{told:?}"))?;
    let (frames, lost, events) = told;
    let what = || format!("{progress} {frames:?} {lost}\n{events}");
    ensure!(progress["mimeType"] == trial.mime_type, "another codec came back: {}", what());
    let grown = progress["grown"].as_f64().unwrap_or(0.0);
    let least = if is_video { 20.0 } else { 80.0 };
    ensure!(grown >= least, "only {grown} came back and were decoded in 2 s: {}", what());
    let (count, key_frames) = frames.values().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    ensure!(count > 0 && key_frames > 0, "no frames were put together: {}", what());
    ensure!(is_video || progress["energy"].as_f64() > Some(0.0), "there is silence: {}", what());
    Ok(format!("{} in 2 s, {count} frames, {key_frames} of them key frames", progress["grown"]))
}

/// A call of these codecs alone, that wigwag takes and gives as frames.
fn call<'a>(stage: &'a mut Stage<'_>, codecs: Vec<Codec>, video: bool) -> Result<Call<'a>> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| config.negotiation.codecs = codecs)?;
    call.add_media(Media { audio: !video, video })?;
    call.open_by_offerer("first")?;
    if call.role == Role::BrowserOffers {
        call.receives_frames = true;
    } else {
        call.receive_frames()?;
    }
    call.connect()?;
    Ok(call)
}

/// Keys that the browser presses are heard, those that wigwag presses are taken.
pub(super) fn keys(stage: &mut Stage<'_>) -> Result<String> {
    let codecs = vec![Codec::pcmu(), Codec::telephone_event(8_000)];
    let call = call(stage, codecs, false)?;
    call.browser.evaluate("peer.decodes('audio', 500)")?;
    call.browser.evaluate("peer.press('1590#', 100, 70)")?;
    call.peer.wait("the keys", PATIENCE, |seen| (seen.keys_pressed == "1590#").then_some(()))?;
    Ok("five keys".to_owned())
}
