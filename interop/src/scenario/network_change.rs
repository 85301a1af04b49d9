//! wigwag's address vanishes in the middle of a call, and another one comes: numbers go there and back all the while.

use super::{Stage, restart};
use crate::call::Call;
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const BEFORE: &str = "10.99.0.1";
const AFTER: &str = "10.99.1.1";

/// An interface that is wigwag's alone, so that the browser's network stays as it is.
struct Interface;

impl Interface {
    const NAME: &str = "wigwag1";

    fn create() -> Result<Self> {
        if !namespace::is_inside() {
            bail!("addresses are changed in a network namespace only: run this as root");
        }
        namespace::run(&["ip", "link", "add", Self::NAME, "type", "bridge"])?;
        let interface = Self;
        namespace::run(&["ip", "link", "set", Self::NAME, "up"])?;
        interface.address("add", BEFORE)?;
        Ok(interface)
    }

    fn address(&self, what: &str, address: &str) -> Result<()> {
        namespace::run(&["ip", "address", what, &format!("{address}/24"), "dev", Self::NAME])
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        let _ = namespace::run(&["ip", "link", "delete", Self::NAME]);
    }
}

/// How long there is no address at all.
const GAP: Duration = Duration::from_secs(2);

/// The new address is there before the old one goes. Chromium follows; Firefox wants a restart.
pub(super) fn handover(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, None, None)
}

/// There is none for a while.
pub(super) fn gap(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Some(GAP), None)
}

pub(super) fn wigwag_restarts(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Some(GAP), Some(restart::wigwag_restarts))
}

pub(super) fn browser_restarts(stage: &mut Stage<'_>) -> Result<String> {
    run(stage, Some(GAP), Some(restart::browser_restarts))
}

fn run(stage: &mut Stage<'_>, gap: Option<Duration>, restarts: Option<restart::Restart>) -> Result<String> {
    let interface = Interface::create()?;
    let mut call = Call::at(BEFORE.parse()?, stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    restart::begin_flow(&mut call)?;
    restart::flows(&mut call, "before")?;
    let told = |seen: &mut crate::peer::Seen| Some(std::mem::take(&mut seen.candidates));
    call.peer.wait("the candidates so far", PATIENCE, told)?;
    match gap {
        None => {
            interface.address("add", AFTER)?;
            call.peer.bind(AFTER.parse()?)?;
            call.tell_candidates()?;
            interface.address("delete", BEFORE)?;
        }
        Some(gap) => {
            interface.address("delete", BEFORE)?;
            std::thread::sleep(gap);
            interface.address("add", AFTER)?;
            call.peer.bind(AFTER.parse()?)?;
            call.tell_candidates()?;
        }
    }
    if let Some(restarts) = restarts {
        restart::anew(&mut call, restarts)?;
    }
    let began = Instant::now();
    restart::flows(&mut call, "after")?;
    let outage = began.elapsed();
    moved(&mut call)?;
    restart::flows(&mut call, "long after")?;
    let sent = restart::end_flow(&mut call)?;
    Ok(format!("{sent} numbers, a hundred more {:.1} s after the change", outage.as_secs_f64()))
}

/// Both sides use the new address.
fn moved(call: &mut Call<'_>) -> Result<()> {
    let after: IpAddr = AFTER.parse()?;
    let path = call.peer.run(|connection| connection.transport_stats().path)?.context("wigwag has no path")?;
    ensure!(path.local.ip() == after, "wigwag still uses {}", path.local);
    let used = call.browser.evaluate(&format!(
        "(async () => {{ let seen = null; for (let i = 0; i < 300; i++) {{
            const all = await peer.stats();
            const id = all.transport?.[0]?.selectedCandidatePairId;
            const pair = all['candidate-pair'].find((pair) => (id ? pair.id === id : pair.selected));
            const remote = pair && all['remote-candidate'].find((remote) => remote.id === pair.remoteCandidateId);
            seen = remote && (remote.address ?? remote.ip);
            if (seen === {}) return seen;
            await new Promise((r) => setTimeout(r, 100));
        }} return seen; }})()",
        json!(AFTER)
    ))?;
    ensure!(used == AFTER, "the browser uses {used}");
    Ok(())
}
