//! The largest message that the peer declares, and one byte more.

use super::Stage;
use super::sizes;
use crate::stack::call::Call;
use anyhow::{Context, Result, ensure};
use wigwag::{DataChannelInit, SendError};

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::new(stage, &[], |config| config.negotiation.max_message_size = 1 << 20)?;
    call.connect()?;
    let sdp =
        call.peer.run(|connection| connection.remote_description().map(|it| it.sdp))?.context("no description")?;
    let declared = sdp.lines().find_map(|line| line.strip_prefix("a=max-message-size:"));
    // RFC 8841 §6.1: "If the SDP 'max-message-size' attribute is not present, the default value is 64K."
    let declared: usize = declared.map_or(Ok(1 << 16), |declared| declared.trim().parse())?;
    sizes::echoed_by_peer(&mut call, &[declared])?;
    sizes::echoed_by_wigwag(&mut call, &[declared])?;
    let channel = call.ours("too large", DataChannelInit::default())?;
    let refused = call.peer.run(move |connection| connection.send(channel, vec![0; declared + 1].into(), true))?;
    let error = refused.err().context("one byte more was taken")?;
    ensure!(
        matches!(error, SendError::TooLarge { len, max } if len == declared + 1 && max == declared),
        "refused for another reason: {error}"
    );
    Ok(format!("{declared} bytes"))
}
