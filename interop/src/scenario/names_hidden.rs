//! A page that was granted nothing tells only `.local` names, which wigwag keeps and cannot use.

use super::{Stage, sizes};
use crate::call::Call;
use anyhow::{Result, ensure};

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let sdp = call.browser.evaluate("peer.pc.localDescription.sdp")?;
    let sdp = crate::call::text(&sdp)?;
    let candidates: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    ensure!(!candidates.is_empty(), "the browser told no candidate");
    ensure!(candidates.iter().all(|line| line.contains(".local ")), "the browser told an address: {candidates:?}");
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    Ok(format!("{} names", candidates.len()))
}
