//! ICE begins anew, at either side's wish, while numbers go there and back: not one is lost.

use super::Stage;
use crate::call::{Call, Media, Role, candidate_of, text};
use crate::peer::PATIENCE;
use anyhow::{Result, bail, ensure};
use serde_json::json;
use std::time::{Duration, Instant};
use wigwag::ice::Deed;
use wigwag::{SessionDescription, SignalingState};

/// One side offers, and the other answers.
pub(super) type Restart = fn(&mut Call<'_>) -> Result<()>;

/// Numbers that leave the browser every 10 ms and come back from wigwag.
const FLOW: &str = "(() => {
    const held = peer.channels['echo flow'];
    const flow = (peer.flow = { sent: 0, echoed: 0, wrong: 0 });
    held.channel.onmessage = ({ data }) => { if (data !== String(flow.echoed)) flow.wrong++; flow.echoed++; };
    flow.timer = setInterval(() => { if (held.channel.readyState === 'open') held.channel.send(String(flow.sent++)); }, 10);
    return true;
})()";

pub(super) fn begin_flow(call: &mut Call<'_>) -> Result<()> {
    call.open_in_browser("echo flow", &json!({}))?;
    call.browser.evaluate("peer.opened('echo flow')")?;
    call.browser.evaluate(FLOW)?;
    Ok(())
}

/// Waits until a hundred more numbers have come back.
pub(super) fn flows(call: &mut Call<'_>, when: &str) -> Result<()> {
    call.browser.evaluate(&format!(
        "(async () => {{ const before = peer.flow.echoed;
            return peer.until(() => peer.flow.echoed >= before + 100, 'a hundred echoes {when}', 40000); }})()"
    ))?;
    Ok(())
}

/// Every number came back, once and in order; how many.
pub(super) fn end_flow(call: &mut Call<'_>) -> Result<u64> {
    let flow = call.browser.evaluate(
        "(async () => { clearInterval(peer.flow.timer);
            await peer.until(() => peer.flow.echoed === peer.flow.sent, 'the last echo');
            return { sent: peer.flow.sent, wrong: peer.flow.wrong }; })()",
    )?;
    ensure!(flow["wrong"] == 0, "numbers came back in another order, or others: {flow}");
    Ok(flow["sent"].as_u64().unwrap_or_default())
}

pub(super) fn by_browser(stage: &mut Stage<'_>) -> Result<String> {
    data(stage, browser_restarts)
}

pub(super) fn by_wigwag(stage: &mut Stage<'_>) -> Result<String> {
    data(stage, wigwag_restarts)
}

/// Twice, for what works once may have used something up.
fn data(stage: &mut Stage<'_>, restart: Restart) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    begin_flow(&mut call)?;
    flows(&mut call, "before")?;
    for generation in 1..=2 {
        anew(&mut call, restart)?;
        flows(&mut call, &format!("after restart {generation}"))?;
    }
    Ok(format!("{} numbers through two restarts", end_flow(&mut call)?))
}

pub(super) fn with_media(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.add_media(Media { audio: true, video: true })?;
    call.open_by_offerer("first")?;
    call.connect()?;
    begin_flow(&mut call)?;
    let mut frames = Vec::new();
    for restart in [None, Some(browser_restarts as Restart), Some(wigwag_restarts)] {
        if let Some(restart) = restart {
            anew(&mut call, restart)?;
        }
        call.browser.evaluate(
            "(async () => { for (let i = 0; i < 100; i++) { if ((await peer.inbound('video'))?.framesDecoded > 0) return true;
            await new Promise((r) => setTimeout(r, 100)); } throw new Error('no frame was decoded; ' + peer.log.join(', ')); })()",
        )?;
        let progress = call.browser.evaluate("peer.mediaProgress(2000)")?;
        ensure!(
            progress["frames"].as_f64() >= Some(20.0),
            "too few frames after {} restarts: {progress}",
            frames.len()
        );
        ensure!(progress["audioPackets"].as_f64() >= Some(80.0), "too little sound: {progress}");
        frames.push(progress["frames"].to_string());
    }
    Ok(format!("{} numbers, and {} frames in 2 s each", end_flow(&mut call)?, frames.join(", ")))
}

/// Both sides have other names then, and a pair that was nominated since; or one that works since, if the browser has the choice: one
/// that finds nothing but its loopback interface for the new generation keeps its old pair.
pub(super) fn anew(call: &mut Call<'_>, restart: Restart) -> Result<()> {
    let before = names(call)?;
    restart(call)?;
    let after = names(call)?;
    ensure!(before[0] != after[0] && before[1] != after[1], "the names are the same: {before:?}");
    let deadline = Instant::now() + PATIENCE;
    while !has_since(call, Deed::Nominated)? {
        if Instant::now() > deadline {
            if call.role == Role::BrowserOffers && has_since(call, Deed::Succeeded)? {
                let found = call.browser.evaluate("peer.pc.localDescription.sdp.match(/a=candidate:.*/g)")?;
                eprintln!("the browser keeps its old pair; for the new generation it has found {found}");
                return Ok(());
            }
            let trace = call
                .peer
                .run(|connection| connection.ice_decisions().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
            bail!("nothing was nominated after the restart:\n{trace}");
        }
        carry_late_candidates(call)?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Whether ICE has done this since it began anew.
fn has_since(call: &Call<'_>, deed: Deed) -> Result<bool> {
    call.peer.run(move |connection| {
        let decisions: Vec<_> = connection.ice_decisions().map(|decision| decision.deed).collect();
        let since = decisions.iter().rposition(|deed| *deed == Deed::Restarted);
        since.is_some_and(|since| decisions.iter().skip(since).any(|done| *done == deed))
    })
}

/// Those that the browser has found since it described itself; of what is no news, or of a generation before, nothing comes.
fn carry_late_candidates(call: &mut Call<'_>) -> Result<()> {
    let theirs = call.browser.evaluate("peer.takeCandidates()")?;
    for candidate in theirs.as_array().into_iter().flatten() {
        let candidate = candidate_of(candidate);
        let _ = call.peer.run(move |connection| connection.add_ice_candidate(candidate.as_ref()))?;
    }
    Ok(())
}

fn names(call: &mut Call<'_>) -> Result<[String; 2]> {
    let ours = call.peer.run(|connection| connection.local_ufrag().to_owned())?;
    let theirs = text(&call.browser.evaluate("peer.pc.localDescription.sdp.match(/a=ice-ufrag:(\\S+)/)[1]")?)?;
    Ok([ours, theirs])
}

pub(super) fn browser_restarts(call: &mut Call<'_>) -> Result<()> {
    call.browser.evaluate("peer.pc.restartIce()")?;
    let offer = text(&call.browser.evaluate("peer.offer()")?)?;
    let answer = call.peer.run(|connection| {
        connection.set_remote_description(SessionDescription::offer(offer))?;
        let answer = connection.create_answer()?;
        connection.set_local_description(answer)?;
        Ok::<_, wigwag::Error>(connection.local_description().map(|description| description.sdp).unwrap_or_default())
    })??;
    call.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
    Ok(())
}

pub(super) fn wigwag_restarts(call: &mut Call<'_>) -> Result<()> {
    let before = call.peer.wait("what was told", PATIENCE, |seen| Some(seen.negotiations_needed))?;
    call.peer.run(wigwag::PeerConnection::restart_ice)??;
    let is_needed = |seen: &mut crate::peer::Seen| (seen.negotiations_needed > before).then_some(());
    call.peer.wait("NegotiationNeeded", PATIENCE, is_needed)?;
    let offer = call.offer()?;
    let answer = text(&call.browser.evaluate(&format!("peer.answer({})", json!(offer)))?)?;
    call.accept(answer)?;
    let state = call.peer.run(|connection| connection.signaling_state())?;
    ensure!(state == SignalingState::Stable, "the signalling state is {state}");
    Ok(())
}
