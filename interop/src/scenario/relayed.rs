//! Calls through coturn: wigwag shows no address but its relay's, and reaches it in datagrams or over a stream.

use super::{Stage, media, sizes};
use crate::call::{Call, Media};
use crate::coturn::{Coturn, PASSWORD, Way};
use crate::peer::{PATIENCE, Peer};
use anyhow::{Result, ensure};
use std::time::Instant;
use wigwag::{Config, DataChannelInit, IceTransportPolicy, TurnServer};
use wigwag_mio::Tls;

fn relay_only(server: TurnServer) -> impl FnOnce(&mut Config) {
    |config| {
        config.turn_servers = vec![server];
        config.ice_transport_policy = IceTransportPolicy::Relay;
    }
}

/// A call that is relayed, this way.
fn call<'a>(stage: &'a mut Stage<'_>, coturn: &Coturn, way: Way) -> Result<Call<'a>> {
    let peer =
        Peer::start_trusting(coturn.address.ip(), Some(coturn.trusted()?), relay_only(coturn.server(way, PASSWORD)))?;
    Call::with(peer, stage.browser, stage.page, stage.role)
}

/// What the call's path is, by our own statistics.
fn ensure_relayed(call: &Call<'_>, way: Way) -> Result<()> {
    let stats = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
    let protocol = format!("\"relayProtocol\":\"{}\"", way.text());
    let is_relayed = stats.contains("\"candidateType\":\"relay\"") && stats.contains(&protocol);
    ensure!(is_relayed, "{stats}");
    let sdp = call.peer.run(|connection| connection.local_description().map(|local| local.sdp).unwrap_or_default())?;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    let is_hidden = |line: &&str| line.contains(" typ relay raddr 0.0.0.0 rport 9");
    ensure!(!candidates.is_empty() && candidates.iter().all(is_hidden), "{candidates:?}");
    Ok(())
}

pub(super) fn data(stage: &mut Stage<'_>) -> Result<String> {
    data_over(stage, Way::Udp)
}

pub(super) fn data_over_tcp(stage: &mut Stage<'_>) -> Result<String> {
    data_over(stage, Way::Tcp)
}

pub(super) fn data_over_tls(stage: &mut Stage<'_>) -> Result<String> {
    data_over(stage, Way::Tls)
}

fn data_over(stage: &mut Stage<'_>, way: Way) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = call(stage, &coturn, way)?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[0, 1, 1200, 65_536])?;
    sizes::echoed_by_browser(&mut call, &[0, 1, 1200, 65_536])?;
    ensure_relayed(&call, way)?;
    let log = coturn.log();
    ensure!(log.contains("CHANNEL_BIND processed, success"), "no channel was bound: {log}");
    Ok(format!("through coturn, by {}", way.text()))
}

/// Neither side shows another address, and two relays talk to each other.
pub(super) fn both(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = call(stage, &coturn, Way::Udp)?;
    call.browser.evaluate(&format!("peer.make({})", coturn.configuration()))?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[1200, 65_536])?;
    ensure_relayed(&call, Way::Udp)?;
    Ok("through two relays of coturn's".into())
}

pub(super) fn media(stage: &mut Stage<'_>) -> Result<String> {
    media_over(stage, Way::Udp)
}

pub(super) fn media_over_tcp(stage: &mut Stage<'_>) -> Result<String> {
    media_over(stage, Way::Tcp)
}

pub(super) fn media_over_tls(stage: &mut Stage<'_>) -> Result<String> {
    media_over(stage, Way::Tls)
}

fn media_over(stage: &mut Stage<'_>, way: Way) -> Result<String> {
    let coturn = Coturn::start()?;
    let mut call = call(stage, &coturn, way)?;
    let wanted = Media { audio: true, video: true };
    call.add_media(wanted)?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    let text = media::watch(&mut call, wanted)?;
    ensure_relayed(&call, way)?;
    Ok(text)
}

/// Whoever is told of a server that will not do, or must not be believed, is told so at once.
fn refused(coturn: &Coturn, trusted: Option<Tls>, server: TurnServer, words: &[&'static str]) -> Result<()> {
    let stranger = Peer::start_trusting(coturn.address.ip(), trusted, relay_only(server))?;
    stranger.run(|connection| {
        connection.create_data_channel("first", DataChannelInit::default())?;
        let offer = connection.create_offer()?;
        Ok::<_, anyhow::Error>(connection.set_local_description(offer)?)
    })??;
    let told = stranger.wait("a refusal", PATIENCE, |seen| {
        seen.events.iter().find(|event| event.contains("IceCandidateError")).cloned()
    })?;
    ensure!(words.iter().all(|word| told.contains(word)), "{told}");
    Ok(())
}

pub(super) fn wrong_certificates(stage: &mut Stage<'_>) -> Result<String> {
    let (coturn, other) = (Coturn::start()?, Coturn::start()?);
    let server = || coturn.server(Way::Tls, PASSWORD);
    refused(
        &coturn,
        Some(coturn.trusted()?),
        server().over_tls("turn.example.org"),
        &["error_code: 701", "give over_tls"],
    )?;
    refused(&coturn, Some(other.trusted()?), server(), &["error_code: 701", "invalid peer certificate"])?;
    refused(&coturn, None, server(), &["error_code: 701", "set DriverConfig::tls"])?;
    // Then a call, which needs the right one.
    data_over(stage, Way::Tls)?;
    Ok("another name, another signer, nobody trusted: each refused, and told why".into())
}

/// Whoever has the wrong password is told at once, and the address of whoever hangs up is given back.
pub(super) fn refused_and_released(stage: &mut Stage<'_>) -> Result<String> {
    let coturn = Coturn::start()?;
    for way in [Way::Udp, Way::Tcp, Way::Tls] {
        refused(&coturn, Some(coturn.trusted()?), coturn.server(way, "wrong"), &["error_code: 401"])?;
    }
    let mut call = call(stage, &coturn, Way::Udp)?;
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
