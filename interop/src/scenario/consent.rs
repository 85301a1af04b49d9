//! The browser falls silent: wigwag notices, and recovers when it comes back before consent expires (RFC 7675).

use super::{Stage, sizes};
use crate::call::Call;
use anyhow::Result;
use std::time::Duration;
use wigwag::ConnectionState;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[10])?;
    call.browser.signal("STOP");
    let noticed = call.peer.wait_state(ConnectionState::Disconnected, Duration::from_secs(25));
    call.browser.signal("CONT");
    noticed?;
    call.peer.wait_state(ConnectionState::Connected, Duration::from_secs(25))?;
    call.browser.evaluate("peer.roundTrip('echo by wigwag', 1200)")?;
    call.browser.signal("STOP");
    let failed = call.peer.wait_state(ConnectionState::Failed, Duration::from_secs(45));
    call.browser.signal("CONT");
    failed?;
    Ok("disconnected, connected, failed".into())
}
