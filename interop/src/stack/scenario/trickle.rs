//! Candidates that follow the descriptions one by one.

use super::{Stage, sizes};
use crate::stack::call::Call;
use anyhow::Result;

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::new(stage, &[], |_| {})?;
    call.connect_trickling()?;
    sizes::echoed_by_wigwag(&mut call, &[100])?;
    Ok("connected".into())
}
