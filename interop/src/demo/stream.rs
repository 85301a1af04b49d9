//! A camera that a page publishes by WHIP, and this browser watches by WHEP: through a restart of ICE on either side, and a publisher
//! who goes and comes again.

use super::{Demo, PATIENCE, Screen, decoded, take_picture, wait, watch_on};
use crate::browser::{self, Browser, Options};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

const SCREEN: Screen = Screen { video: "video", facts: "figures" };
/// Names the credentials of ICE on both sides.
const UFRAGS: &str = "[wigwag.peer().localDescription, wigwag.peer().remoteDescription].map((it) => /ice-ufrag:(\\S+)/.exec(it.sdp)[1]).join()";
/// Two browsers that draw, encode and decode share this machine.
const FRAMES_MIN: f64 = 10.0;

pub(super) fn run(browser: &mut dyn Browser, program: &Path, screenshot: Option<&Path>) -> Result<String> {
    let server = Demo::serve(program, "whip-server", &["--publish-token", "let-me", "--watch-token", "see"])?;
    let mut camera = browser::start("chromium", &Options::USUAL)?;
    let state = |state: &str| format!("document.body.dataset.state === '{state}'");

    // Who comes first, waits.
    browser.navigate(&format!("{}watch/cam#see", server.url))?;
    wait(browser, "to be told that nobody publishes", &state("waiting"))?;
    camera.navigate(&format!("{}publish/cam#let-me", server.url))?;
    camera.evaluate("document.getElementById('camera').click()")?;
    for page in [camera.as_mut(), &mut *browser] {
        wait(page, "the stream to be live", &state("live"))?;
    }
    let frames = watch_on(browser, &SCREEN, FRAMES_MIN);
    let frames = frames.with_context(|| format!("{}; published: {}", counts(browser), counts(camera.as_mut())))?;
    // Chromium decodes what somebody hears, and Firefox lets nobody hear a page that no person has touched, but decodes it.
    const ENERGY: &str = "(async () => [...(await wigwag.peer().getStats()).values()] \
                          .reduce((sum, it) => sum + (it.type === 'inbound-rtp' && it.totalAudioEnergy || 0), 0))()";
    browser::wait_for(PATIENCE, || {
        let energy = browser.evaluate(ENERGY)?.as_f64().filter(|energy| *energy > 0.0);
        if energy.is_none() {
            browser.evaluate("document.getElementById('unmute').click()")?;
        }
        Ok(energy)
    })
    .context("waiting for sound")?;
    take_picture(browser, screenshot)?;

    for page in [camera.as_mut(), &mut *browser] {
        let before = page.evaluate(UFRAGS)?;
        page.evaluate("wigwag.session().restart()")?;
        let before = before.as_str().unwrap_or_default();
        let are_others = format!("{UFRAGS}.split(',').every((it, side) => it !== {before:?}.split(',')[side])");
        wait(page, "other credentials of both", &are_others)?;
    }
    let restarted = watch_on(browser, &SCREEN, FRAMES_MIN)?;

    camera.evaluate("document.getElementById('stop').click()")?;
    wait(camera.as_mut(), "the camera to be off", &state("idle"))?;
    browser::wait_for(PATIENCE, || {
        let before = decoded(browser, &SCREEN)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok((decoded(browser, &SCREEN)? == before).then_some(()))
    })
    .context("waiting for the picture to stand still")?;
    camera.evaluate("document.getElementById('camera').click()")?;
    let again = watch_on(browser, &SCREEN, FRAMES_MIN)?;

    // A name is not enough.
    camera.navigate(&format!("{}watch/cam#guessed", server.url))?;
    wait(camera.as_mut(), "to be refused", &state("failed"))?;
    Ok(format!("{frames}, {restarted} and {again} frames in 2 s; with sound, published by {}", camera.name()))
}

/// What a page counts of its pictures.
fn counts(browser: &mut dyn Browser) -> String {
    let script = "(async () => [...(await wigwag.peer().getStats()).values()].filter((it) => it.kind === 'video' && /bound-rtp/.test(it.type)) \
                  .flatMap((it) => ['framesReceived', 'framesDecoded', 'keyFramesDecoded', 'framesDropped', 'framesEncoded', 'keyFramesEncoded', \
                  'packetsReceived', 'packetsSent', 'packetsLost', 'nackCount', 'pliCount', 'freezeCount'].map((name) => `${name} ${it[name]}`)) \
                  .filter((it) => !/undefined/.test(it)).join())()";
    browser.evaluate(script).map_or_else(|error| error.to_string(), |counts| counts.to_string())
}
