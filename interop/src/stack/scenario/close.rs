//! Either side hangs up.

use super::{Stage, sizes};
use crate::peer::PATIENCE;
use crate::stack::Fault;
use crate::stack::call::Call;
use anyhow::Result;
use serde_json::json;
use wigwag::ConnectionState;

pub(super) fn by_peer(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    sizes::echoed_by_wigwag(&mut call, &[10])?;
    call.driver.ask("close", json!({}))?;
    if stage.stack.has(Fault::ClosesSilently) {
        call.peer.wait_state(ConnectionState::Disconnected, PATIENCE)?;
        return Ok("silently: it is noticed that consent is not renewed".into());
    }
    call.peer.wait("Closed", PATIENCE, |seen| seen.closed.clone())
}

pub(super) fn by_wigwag(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    sizes::echoed_by_wigwag(&mut call, &[10])?;
    call.peer.run(wigwag::PeerConnection::close)?;
    call.peer.wait("Closed", PATIENCE, |seen| seen.closed.clone())?;
    call.driver.ask("closed", json!({"label": "echo by wigwag"}))?;
    Ok("the peer's channel closed".into())
}
