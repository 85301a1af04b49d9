//! Calls through coturn: wigwag shows no address but its relay's.

use super::{Stage, media, sizes};
use crate::call::{Call, Media};
use crate::coturn::{Coturn, PASSWORD};
use crate::peer::{PATIENCE, Peer};
use anyhow::{Result, ensure};
use std::time::Instant;
use wigwag::{Config, DataChannelInit, IceTransportPolicy};

fn relay_only(coturn: &Coturn, password: &str) -> impl FnOnce(&mut Config) + use<> {
    let server = coturn.server(password);
    |config| {
        config.turn_servers = vec![server];
        config.ice_transport_policy = IceTransportPolicy::Relay;
    }
}

/// What the call's path is, by our own statistics.
fn ensure_relayed(call: &Call<'_>) -> Result<()> {
    let stats = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
    let is_relayed = stats.contains("\"candidateType\":\"relay\"") && stats.contains("\"relayProtocol\":\"udp\"");
    ensure!(is_relayed, "{stats}");
    let sdp = call.peer.run(|connection| connection.local_description().map(|local| local.sdp).unwrap_or_default())?;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    let is_hidden = |line: &&str| line.contains(" typ relay raddr 0.0.0.0 rport 9");
    ensure!(!candidates.is_empty() && candidates.iter().all(is_hidden), "{candidates:?}");
    Ok(())
}

pub(super) fn data(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = Call::new(stage.browser, stage.page, stage.role, relay_only(&coturn, PASSWORD))?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[0, 1, 1200, 65_536])?;
    sizes::echoed_by_browser(&mut call, &[0, 1, 1200, 65_536])?;
    ensure_relayed(&call)?;
    let log = coturn.log();
    ensure!(log.contains("CHANNEL_BIND processed, success"), "no channel was bound: {log}");
    Ok("through coturn".into())
}

/// Neither side shows another address, and two relays talk to each other.
pub(super) fn both(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = Call::new(stage.browser, stage.page, stage.role, relay_only(&coturn, PASSWORD))?;
    call.browser.evaluate(&format!("peer.make({})", coturn.configuration()))?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[1200, 65_536])?;
    ensure_relayed(&call)?;
    Ok("through two relays of coturn's".into())
}

pub(super) fn media(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = Call::new(stage.browser, stage.page, stage.role, relay_only(&coturn, PASSWORD))?;
    let wanted = Media { audio: true, video: true };
    call.add_media(wanted)?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    let text = media::watch(&mut call, wanted)?;
    ensure_relayed(&call)?;
    Ok(text)
}

/// Whoever has the wrong password is told at once, and the address of whoever hangs up is given back.
pub(super) fn refused_and_released(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    let stranger = Peer::start(coturn.address.ip(), relay_only(&coturn, "wrong"))?;
    stranger.run(|connection| {
        connection.create_data_channel("first", DataChannelInit::default())?;
        let offer = connection.create_offer()?;
        Ok::<_, anyhow::Error>(connection.set_local_description(offer)?)
    })??;
    stranger.wait("a refusal", PATIENCE, |seen| {
        seen.events
            .iter()
            .any(|event| event.contains("IceCandidateError") && event.contains("error_code: 401"))
            .then_some(())
    })?;
    let mut call = Call::new(stage.browser, stage.page, stage.role, relay_only(&coturn, PASSWORD))?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    call.peer.run(wigwag::PeerConnection::close)?;
    call.peer.wait("the end", PATIENCE, |seen| seen.closed.clone())?;
    crate::browser::wait_for(PATIENCE, || {
        let log = coturn.log();
        Ok((log.contains("refreshed") && log.contains("lifetime=0")).then_some(()))
    })
    .map_err(|error| error.context(coturn.log()))?;
    Ok("401, and lifetime 0".into())
}
