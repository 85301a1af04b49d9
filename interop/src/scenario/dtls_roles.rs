//! wigwag insists on being the DTLS client, or the server.

use super::{Stage, sizes};
use crate::call::Call;
use anyhow::{Result, ensure};
use wigwag::Setup;

pub(super) fn active(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Setup::Active, "server")
}

pub(super) fn passive(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Setup::Passive, "client")
}

fn run(stage: &mut Stage<'_>, setup: Setup, expected: &str) -> Result<String> {
    let is_chromium = stage.browser.name() == "chromium";
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| config.negotiation.setup = Some(setup))?;
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    sizes::echoed_by_browser(&mut call, &[1200])?;
    if is_chromium {
        let stats = call.stats()?;
        let role = &stats["transport"][0]["dtlsRole"];
        ensure!(role == expected, "the browser says it is the DTLS {role}");
    }
    Ok(format!("the browser is the {expected}"))
}
