//! wigwag insists on being the DTLS client, or the server: of 1.3, which is spoken unless it is forbidden, or of 1.2.

use super::{Stage, sizes};
use crate::call::{Call, Role};
use anyhow::{Result, ensure};
use wigwag::{Config, Group, Version};

pub(super) fn active(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, true, |_| {}, Version::Dtls13)
}

pub(super) fn passive(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, false, |_| {}, Version::Dtls13)
}

pub(super) fn active_12(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, true, old, Version::Dtls12)
}

pub(super) fn passive_12(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, false, old, Version::Dtls12)
}

/// No newer than DTLS 1.2.
pub(super) fn old(config: &mut Config) {
    config.dtls_versions = Version::Dtls12..=Version::Dtls12;
}

/// The offer that the answerer gets leaves it no choice.
fn run(stage: &mut Stage<'_>, wigwag_is_client: bool, adapt: fn(&mut Config), version: Version) -> Result<String> {
    let is_chromium = stage.browser.name() == "chromium";
    let mut call = Call::new(stage.browser, stage.page, stage.role, adapt)?;
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
        let theirs = &stats["transport"][0]["tlsVersion"];
        ensure!(*theirs == format!("{:04X}", version.wire()), "the browser says it is version {theirs} of DTLS");
    }
    let transport = call.peer.run(|connection| connection.transport_stats())?;
    ensure!(transport.dtls_version == Some(version), "wigwag says it is {:?}", transport.dtls_version);
    let is_hybrid = transport.group == Some(Group::X25519MlKem768);
    ensure!(is_hybrid == (version == Version::Dtls13), "{:?} was agreed upon", transport.group);
    Ok(format!("{version:?}, {:?}; the browser is the {expected}", transport.group))
}
