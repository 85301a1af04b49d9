//! Channels that both sides agreed on without a word, in every mode.

use super::Stage;
use super::modes::Mode;
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;
use wigwag::Reliability;

const LIMITS: [Reliability; 3] =
    [Reliability::Reliable, Reliability::MaxRetransmits(3), Reliability::MaxPacketLifeTime(Duration::from_secs(5))];
/// The first of their streams.
const FIRST: u16 = 77;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    let modes = LIMITS.map(|reliability| [true, false].map(|is_ordered| Mode { is_ordered, reliability }));
    let agreed: Vec<_> = (FIRST..).zip(modes.concat()).map(|(id, mode)| (id, format!("agreed {id}"), mode)).collect();
    for (id, label, mode) in &agreed {
        let mut init = mode.json();
        (init["negotiated"], init["id"]) = (json!(true), json!(id));
        call.open_in_browser(label, &init)?;
        call.open_in_wigwag(label, mode.init().negotiated(*id))?;
    }
    call.connect()?;
    for (id, label, _) in &agreed {
        let channel = call.peer.wait_open(label)?;
        let seen = call.browser.evaluate(&format!("peer.opened({label:?})"))?;
        ensure!(seen["id"] == *id && seen["negotiated"] == true, "the browser sees {seen}");
        call.peer.send(channel, "from wigwag", false)?;
        let script = format!("peer.until(() => peer.channels[{label:?}].messages[0] === 'from wigwag', 'a message')");
        call.browser.evaluate(&script)?;
        call.browser.evaluate(&format!("peer.channels[{label:?}].channel.send('from the browser')"))?;
        let arrived = |seen: &mut crate::peer::Seen| seen.messages.get_mut(label).and_then(Vec::pop);
        let (message, is_binary) = call.peer.wait("a message", PATIENCE, arrived)?;
        ensure!(message == "from the browser" && !is_binary, "something else arrived");
    }
    Ok(format!("{} channels", agreed.len()))
}
