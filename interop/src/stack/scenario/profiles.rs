//! Media under each SRTP protection profile that both sides have.

use super::{Stage, media};
use anyhow::{Context, Result};
use wigwag::MediaKind;

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut done = Vec::new();
    for profile in stage.stack.profiles {
        media::echoed(stage, &[MediaKind::Audio], |config| config.srtp_profiles = vec![*profile])
            .with_context(|| format!("{profile:?}"))?;
        done.push(format!("{profile:?}"));
    }
    Ok(done.join(", "))
}
