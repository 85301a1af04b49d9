//! UDP reaches wigwag from nowhere, and one side opens a stream to where the other listens (RFC 6544).

use super::{Stage, sizes};
use crate::namespace;
use crate::peer::Peer;
use crate::stack::call::Call;
use anyhow::{Result, ensure};
use std::time::Instant;
use wigwag::Protocol;

/// The peer opens it.
pub(super) fn listening(stage: &Stage) -> Result<String> {
    run(stage, Peer::start_listening(namespace::ADDRESS.parse()?, |_| {})?, "passive")
}

/// wigwag opens it.
pub(super) fn opening(stage: &Stage) -> Result<String> {
    run(stage, Peer::start_opening(|_| {})?, "active")
}

fn run(stage: &Stage, peer: Peer, ours: &str) -> Result<String> {
    let mut call = Call::with(stage, peer, &[])?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[1, 1200, 65_536])?;
    sizes::echoed_by_peer(&mut call, &[1, 1200, 65_536])?;
    let path = call.peer.run(|connection| connection.transport_stats().path)?;
    ensure!(path.is_some_and(|path| path.protocol == Protocol::Tcp), "the path is {path:?}");
    let stats = call.peer.run(|connection| connection.stats(Instant::now()).to_json())?;
    ensure!(stats.contains(&format!("\"tcpType\":\"{ours}\"")), "{stats}");
    Ok(format!("wigwag is {ours}"))
}
