//! Simulcast: the browser sends its camera in several sizes, and the conference server gives another page the one that its path takes.

use super::{Stage, conference};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wigwag::ConnectionId;

/// As much as a picture of the smaller size takes, with the sound, and less than the larger one does.
const NARROW: u64 = 150_000;
const WIDE: u64 = 10_000_000;
/// So many frames are seen of a size before it counts.
const FRAMES: f64 = 10.0;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut conference = conference::open(stage)?;
    let encodings = json!([
        { "rid": "q", "scaleResolutionDownBy": 4, "maxBitrate": 60_000 },
        { "rid": "f", "maxBitrate": 600_000 },
    ]);
    conference.join_with("ann", &encodings, true)?;
    let bob = conference.join_with("bob", &Value::Null, false)?;
    let began = Instant::now();
    until_wide(&mut conference, 640).context("nothing is in the way")?;
    let first = began.elapsed();
    limit(&conference, bob, NARROW)?;
    until_wide(&mut conference, 160).context("bob takes little")?;
    limit(&conference, bob, WIDE)?;
    until_wide(&mut conference, 640).context("bob takes much again")?;
    for name in ["ann", "bob"] {
        conference.browser.evaluate(&format!("members.{name}.pc.close()"))?;
    }
    Ok(format!("640, 160 and 640 pixels, the first after {:.1} s", first.as_secs_f64()))
}

/// The server sends bob no more than so many bit/s.
fn limit(conference: &conference::Conference<'_>, bob: ConnectionId, max: u64) -> Result<()> {
    conference.server.run(move |_, endpoint| {
        let bob = endpoint.connection_mut(bob)?;
        bob.set_bitrate_limits(5_000, max).ok()
    })?;
    Ok(())
}

/// Waits until bob sees pictures of this width, and that they move.
fn until_wide(conference: &mut conference::Conference<'_>, width: u64) -> Result<()> {
    let (deadline, mut since) = (Instant::now() + 2 * PATIENCE, None);
    loop {
        conference.carry()?;
        let seen = conference.browser.evaluate("members.width('bob')")?;
        let frames = seen["frames"].as_f64().context("frames are counted")?;
        since = since.filter(|_| seen["width"] == width).or((seen["width"] == width).then_some(frames));
        if since.is_some_and(|since| frames - since >= FRAMES) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "bob sees {seen} instead of {width} pixels");
        std::thread::sleep(Duration::from_millis(50));
    }
}
