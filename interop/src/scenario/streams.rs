//! A browser whose UDP is blocked opens a stream to where wigwag listens (RFC 6544).

use super::{Stage, media, sizes};
use crate::call::{Call, Media};
use crate::namespace;
use crate::peer::Peer;
use anyhow::{Result, ensure};
use std::time::Instant;
use wigwag::Protocol;

fn call<'a>(stage: &'a mut Stage<'_>) -> Result<Call<'a>> {
    ensure!(namespace::is_inside(), "browsers open no streams to loopback addresses");
    let peer = Peer::start_listening(namespace::ADDRESS.parse()?, |_| {})?;
    Call::with(peer, stage.browser, stage.page, stage.role)
}

/// What the call's path is, by our own statistics.
fn ensure_stream(call: &Call<'_>) -> Result<()> {
    let path = call.peer.run(|connection| connection.transport_stats().path)?;
    ensure!(path.is_some_and(|path| path.protocol == Protocol::Tcp), "the path is {path:?}");
    let stats = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
    ensure!(stats.contains("\"tcpType\":\"passive\""), "{stats}");
    Ok(())
}

pub(super) fn data(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = call(stage)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[0, 1, 1200, 65_536])?;
    sizes::echoed_by_browser(&mut call, &[0, 1, 1200, 65_536])?;
    ensure_stream(&call)?;
    Ok("over a stream that the browser has opened".into())
}

pub(super) fn media(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = call(stage)?;
    let wanted = Media { audio: true, video: true };
    call.add_media(wanted)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let text = media::watch(&mut call, wanted)?;
    ensure_stream(&call)?;
    Ok(text)
}
