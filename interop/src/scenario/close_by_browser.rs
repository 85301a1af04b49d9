//! The browser hangs up.

use super::{Stage, sizes};
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::Result;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[10])?;
    call.browser.evaluate("peer.close()")?;
    let reason = call.peer.wait("Closed", PATIENCE, |seen| seen.closed.clone())?;
    Ok(reason)
}
