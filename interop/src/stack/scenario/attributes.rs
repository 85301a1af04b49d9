//! What one side says of a channel, the other side sees.

use super::Stage;
use crate::stack::Fault;
use crate::stack::call::Call;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wigwag::{DataChannelInit, Reliability};

pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut call = Call::connected(stage)?;
    let is_ascii = stage.stack.has(Fault::CountsCharacters);
    let is_ordered = stage.stack.has(Fault::ForgetsUnordered);
    let (label, protocol) = if is_ascii { ("label", "p/1") } else { ("größe ✓", "π/1") };
    let init = json!({"ordered": is_ordered, "maxRetransmits": 7, "protocol": protocol});
    let (theirs, channel) = call.theirs(label, init)?;
    let (seen, id) = call
        .peer
        .run(move |connection| {
            let channel = connection.data_channel(channel)?;
            Some(((channel.protocol().to_owned(), channel.is_ordered(), channel.reliability()), channel.stream()))
        })?
        .context("the channel is gone")?;
    ensure!(seen == (protocol.to_owned(), is_ordered, Reliability::MaxRetransmits(7)), "wigwag sees {seen:?}");
    ensure!(theirs["id"] == json!(id), "the peer's id is {}, wigwag's {id:?}", theirs["id"]);
    call.open_ours("größe ✗", DataChannelInit::default().unordered().max_retransmits(3).protocol("π"))?;
    let seen = call.driver.ask("opened", json!({"label": "größe ✗"}))?;
    ensure!(seen["protocol"] == "π", "the peer sees {seen}");
    // Not every library tells the reliability of a channel that the other side opened.
    let is_as_opened = |name: &str, value: Value| seen.get(name).is_none_or(|told| *told == value);
    ensure!(is_as_opened("ordered", json!(false)) && is_as_opened("maxRetransmits", json!(3)), "the peer sees {seen}");
    let parity = |of: &Value| of["id"].as_u64().map(|id| id % 2);
    ensure!(parity(&seen) != parity(&theirs), "both sides use the same parity");
    Ok("as they were opened".into())
}
