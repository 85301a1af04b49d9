//! wigwag insists on being the DTLS client, or the server.

use super::{Stage, sizes};
use crate::call::{Call, Role};
use anyhow::{Result, ensure};

pub(super) fn active(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, true)
}

pub(super) fn passive(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, false)
}

/// The offer that the answerer gets leaves it no choice.
fn run(stage: &mut Stage<'_>, wigwag_is_client: bool) -> Result<String> {
    let is_chromium = stage.browser.name() == "chromium";
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    let offerer_is_client = wigwag_is_client == (call.role == Role::WigwagOffers);
    call.setup = if offerer_is_client { "active" } else { "passive" };
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    sizes::echoed_by_browser(&mut call, &[1200])?;
    let expected = if wigwag_is_client { "server" } else { "client" };
    if is_chromium {
        let stats = call.stats()?;
        let role = &stats["transport"][0]["dtlsRole"];
        ensure!(role == expected, "the browser says it is the DTLS {role}");
    }
    Ok(format!("the browser is the {expected}"))
}
