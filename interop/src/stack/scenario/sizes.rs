//! Messages of several sizes, as bytes and as strings, in both directions.

use super::Stage;
use crate::peer::PATIENCE;
use crate::stack::Fault;
use crate::stack::call::Call;
use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::json;
use wigwag::DataChannelInit;

const SIZES: [usize; 5] = [0, 1, 1200, 16_384, 65_536];

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    let sizes = if stage.stack.has(Fault::SwallowsEmptyMessages) {
        received_empty(&mut call, stage.stack.has(Fault::SwapsEmptyKinds))?;
        &SIZES[1..]
    } else {
        &SIZES
    };
    echoed_by_wigwag(&mut call, sizes)?;
    echoed_by_peer(&mut call, sizes)?;
    Ok(format!("{} messages each way", 2 * sizes.len()))
}

/// What cannot come back can at least arrive.
fn received_empty(call: &mut Call, are_kinds_swapped: bool) -> Result<()> {
    let channel = call.ours("kept", DataChannelInit::default())?;
    for is_binary in [true, false] {
        call.peer.send(channel, Bytes::new(), is_binary)?;
    }
    let received = call.driver.ask("kept", json!({"label": "kept", "count": 2}))?;
    let mut kinds = ["binary", "string"];
    if are_kinds_swapped {
        kinds.reverse();
    }
    let expected = kinds.map(|kind| json!({"kind": kind, "length": 0}));
    ensure!(received == json!(expected), "two empty messages arrived as {received}");
    Ok(())
}

/// The peer opens a channel that wigwag echoes.
pub(super) fn echoed_by_wigwag(call: &mut Call, sizes: &[usize]) -> Result<()> {
    call.theirs("echo by wigwag", json!({}))?;
    for (seed, size) in sizes.iter().enumerate() {
        for is_text in [false, true] {
            call.round_trip("echo by wigwag", *size, is_text, seed)?;
        }
    }
    Ok(())
}

/// wigwag opens a channel that the peer echoes.
pub(super) fn echoed_by_peer(call: &mut Call, sizes: &[usize]) -> Result<()> {
    let label = "echo";
    let channel = call.ours(label, DataChannelInit::default())?;
    for (i, size) in sizes.iter().enumerate() {
        for is_binary in [true, false] {
            let sent: Bytes = (0..*size).map(|at| b'a' + ((at * 7 + i) % 26) as u8).collect::<Vec<_>>().into();
            call.peer.send(channel, sent.clone(), is_binary)?;
            let (echo, echo_is_binary) =
                call.peer.wait(&format!("the peer's echo of {size} bytes"), PATIENCE, |seen| {
                    seen.messages.get_mut(label).and_then(Vec::pop)
                })?;
            ensure!(echo == sent, "{size} bytes came back as {} others", echo.len());
            ensure!(echo_is_binary == is_binary, "a message of {size} bytes came back as another kind");
        }
    }
    Ok(())
}
