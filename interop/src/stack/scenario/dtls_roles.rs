//! wigwag insists on being the DTLS client, or the server.

use super::{Stage, sizes};
use crate::call::Role;
use crate::stack::call::Call;
use anyhow::{Context, Result, ensure};

pub(super) fn active(stage: &Stage) -> Result<String> {
    run(stage, true)
}

pub(super) fn passive(stage: &Stage) -> Result<String> {
    run(stage, false)
}

/// The offer that the answerer gets leaves it no choice.
fn run(stage: &Stage, wigwag_is_client: bool) -> Result<String> {
    let mut call = Call::new(stage, &[], |_| {})?;
    let offerer_is_client = wigwag_is_client == (call.role == Role::WigwagOffers);
    call.setup = if offerer_is_client { "active" } else { "passive" };
    call.connect()?;
    let (theirs, _) = call.theirs("echo parity", serde_json::json!({}))?;
    // RFC 8832 §6: the side acting as the DTLS client has the even ids.
    let id = theirs["id"].as_u64().context("the channel has no id")?;
    ensure!((id % 2 == 0) != wigwag_is_client, "the peer opened {id}: it has the other role");
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    sizes::echoed_by_peer(&mut call, &[1200])?;
    Ok(format!("the peer is the {}", if wigwag_is_client { "server" } else { "client" }))
}
