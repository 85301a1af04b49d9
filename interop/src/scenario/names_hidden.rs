//! A page that was granted nothing tells only `.local` names, which wigwag asks the link for; and wigwag tells such names itself, which the
//! browser asks for.

use super::{Stage, sizes};
use crate::call::{Call, Role, text, without_candidates};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;
use wigwag::ConnectionState;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let names = names(&mut call)?;
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    Ok(format!("{names} names"))
}

/// The browser is told of no address of ours: it has nowhere to send a check to, and ours is the first.
pub(super) fn reached(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    let began = Instant::now();
    match call.role {
        Role::BrowserOffers => {
            let offer = text(&call.browser.evaluate("peer.offer()")?)?;
            let answer = without_candidates(&call.answer(offer)?);
            call.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
        }
        Role::WigwagOffers => {
            let offer = without_candidates(&call.offer()?);
            let answer = call.browser.evaluate(&format!("peer.answer({})", json!(offer)))?;
            call.accept(text(&answer)?)?;
        }
    }
    call.peer.wait_state(ConnectionState::Connected, PATIENCE)?;
    let after = began.elapsed().as_millis();
    call.browser.evaluate("peer.until(() => peer.pc.connectionState === 'connected', 'connected')")?;
    names(&mut call)?;
    sizes::echoed_by_wigwag(&mut call, &[0, 1200, 65_536])?;

    // The pair in use is the one that was told and resolved, and none that a check of the browser's has brought.
    let report = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
    let report: Value = serde_json::from_str(&report)?;
    let objects = report.as_object().context("a report")?;
    let selected = objects.values().find_map(|it| it["selectedCandidatePairId"].as_str()).context("a path")?;
    let pair = &report[selected];
    let remote = &report[pair["remoteCandidateId"].as_str().context("a candidate")?];
    ensure!(remote["candidateType"] == "host", "the path is to {remote}");
    ensure!(remote["address"].as_str().is_some_and(|it| it.ends_with(".local")), "the path is to {remote}");
    ensure!(pair["responsesReceived"].as_u64() > Some(0), "our check was answered: {pair}");
    // Whereas the browser has learned of us by our check.
    let theirs = call.stats()?;
    ensure!(theirs.to_string().contains("\"prflx\""), "the browser was told of us: {theirs}");
    Ok(format!("{after} ms"))
}

/// Nobody tells an address: each asks the link for the other.
pub(super) fn by_both(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| config.hide_local_addresses = true)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let names = names(&mut call)?;
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    tells_no_address(&call)?;
    Ok(format!("{names} names of the browser's"))
}

/// wigwag hides its address and is told of none of the browser's: the first check is the browser's, to what it was told on the link.
pub(super) fn by_wigwag(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| config.hide_local_addresses = true)?;
    call.open_by_offerer("first")?;
    let began = Instant::now();
    match call.role {
        Role::BrowserOffers => {
            let offer = text(&call.browser.evaluate("peer.offer()")?)?;
            let answer = call.answer(without_candidates(&offer))?;
            call.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
        }
        Role::WigwagOffers => {
            let offer = call.offer()?;
            let answer = call.browser.evaluate(&format!("peer.answer({})", json!(offer)))?;
            call.accept(without_candidates(&text(&answer)?))?;
        }
    }
    call.peer.wait_state(ConnectionState::Connected, PATIENCE)?;
    let after = began.elapsed().as_millis();
    call.browser.evaluate("peer.until(() => peer.pc.connectionState === 'connected', 'connected')")?;
    sizes::echoed_by_wigwag(&mut call, &[0, 1200, 65_536])?;
    tells_no_address(&call)?;
    // What the browser reaches is what it was told.
    let theirs = call.stats()?;
    let remote = theirs["remote-candidate"].as_array().context("the browser has no candidate of ours")?;
    ensure!(remote.iter().all(|it| it["candidateType"] == "host"), "the browser was reached by us: {theirs}");
    Ok(format!("{after} ms"))
}

/// Nothing that wigwag says for others has an address of the machine.
fn tells_no_address(call: &Call<'_>) -> Result<()> {
    let said = call.peer.run(|connection| {
        let description = connection.local_description().map(|it| it.sdp).unwrap_or_default();
        format!("{description}{}", connection.stats(Instant::now()).to_json())
    })?;
    let names = said.lines().filter(|line| line.starts_with("a=candidate:") && line.contains(".local ")).count();
    ensure!(names > 0, "wigwag tells no name: {said}");
    ensure!(!said.contains(namespace::ADDRESS) && !said.contains("127.0.0.1"), "wigwag tells where it is: {said}");
    Ok(())
}

/// How many names the browser tells, and that it tells nothing else.
fn names(call: &mut Call<'_>) -> Result<usize> {
    let sdp = text(&call.browser.evaluate("peer.pc.localDescription.sdp")?)?;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    ensure!(!candidates.is_empty(), "the browser told no candidate");
    ensure!(candidates.iter().all(|line| line.contains(".local ")), "the browser told an address: {candidates:?}");
    Ok(candidates.len())
}
