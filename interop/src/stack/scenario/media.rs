//! Media that the peer sends come back, and are what it sent.

use super::Stage;
use crate::stack::Judge;
use crate::stack::call::{Call, name_of};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wigwag::{Config, MediaKind};

pub(super) const BOTH: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

pub(super) fn both(stage: &Stage) -> Result<String> {
    echoed(stage, &BOTH, |_| {})
}

pub(super) fn audio(stage: &Stage) -> Result<String> {
    echoed(stage, &BOTH[..1], |_| {})
}

pub(super) fn video(stage: &Stage) -> Result<String> {
    echoed(stage, &BOTH[1..], |_| {})
}

/// The peer sends for two seconds, wigwag sends it back.
pub(super) fn echoed(stage: &Stage, kinds: &[MediaKind], adapt: impl FnOnce(&mut Config)) -> Result<String> {
    let mut call = Call::new(stage, kinds, adapt)?;
    call.connect()?;
    let judge = stage.stack.media.context("this peer has no media")?;
    let played = call.driver.ask("play", json!({"ms": 2000}));
    let told = call.peer.run(|connection| {
        let drops: Vec<_> = connection.drops().into_iter().filter(|(_, count)| *count > 0).collect();
        format!("{drops:?} {:?}", connection.remote_description().map(|it| it.sdp))
    })?;
    let played = played.with_context(|| told.clone())?;
    let texts: Result<Vec<_>> = kinds.iter().map(|kind| judged(judge, *kind, &played)).collect();
    Ok(texts.with_context(|| told)?.join(", "))
}

fn judged(judge: Judge, kind: MediaKind, played: &Value) -> Result<String> {
    let name = name_of(kind);
    let result = &played[name];
    let number = |of: &str| result[of].as_u64().with_context(|| format!("no {of} of {name}: {played}"));
    let (received, right, different) = (number("received")?, number("right")?, number("different")?);
    // Of decoded sound there is one result a tenth of a second, of pictures and packets at least 20 a second.
    let (unit, least) = match (judge, kind) {
        (Judge::Decoded, MediaKind::Audio) => ("tenths of a second", 15),
        (Judge::Decoded, _) => ("pictures", 30),
        (Judge::Packets, _) => ("packets", 60),
    };
    ensure!(received >= least, "only {received} {unit} of {name} came back: {played}");
    match judge {
        // A codec may take a moment to become good.
        Judge::Decoded => ensure!(right * 10 >= received * 9, "{right} of {received} {unit} are right: {played}"),
        Judge::Packets => {
            ensure!(right == received && different == received, "{name} changed on its way: {played}");
            ensure!(number("missing")? == 0, "packets of {name} did not come back: {played}");
        }
    }
    ensure!(kind == MediaKind::Audio || different > 5, "the picture stands still: {played}");
    Ok(format!("{right} {unit}"))
}
