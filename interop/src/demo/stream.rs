//! A camera that a page publishes by WHIP, and this browser watches by WHEP: through a restart of ICE on either side, and a publisher
//! who goes and comes again.

use super::{Demo, PATIENCE, Screen, decoded, take_picture, wait, watch_on};
use crate::browser::{self, Browser, Options};
use anyhow::{Context, Result, ensure};
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
    let frames = watch_on(browser, &SCREEN, FRAMES_MIN)?;
    // Firefox lets nobody listen to a page that no person has touched; both count what they have decoded.
    let energy = "(async () => [...(await wigwag.peer().getStats()).values()] \
                  .reduce((sum, it) => sum + (it.type === 'inbound-rtp' && it.totalAudioEnergy || 0), 0))()";
    let energy = browser.evaluate(energy)?.as_f64().context("no energy")?;
    ensure!(energy > 0.0, "what is watched is silent");
    take_picture(browser, screenshot)?;

    for page in [camera.as_mut(), &mut *browser] {
        let before = page.evaluate(UFRAGS)?;
        page.evaluate("wigwag.session().restart()")?;
        wait(page, "other credentials", &format!("{UFRAGS} !== {:?}", before.as_str().unwrap_or_default()))?;
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
    Ok(format!(
        "{frames}, {restarted} and {again} frames in 2 s, audio energy {energy:.3}, published by {}",
        camera.name()
    ))
}
