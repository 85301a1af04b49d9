//! Candidates that follow the descriptions one by one.

use super::{Stage, sizes};
use crate::call::Call;
use anyhow::Result;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[100])?;
    Ok("connected".into())
}
