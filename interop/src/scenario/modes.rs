//! Every mode of a channel: whoever opens it, both say the same of it, and it carries the largest message there and back.

use super::{Stage, largest};
use crate::call::Call;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;
use wigwag::{DataChannelInit, Reliability};

/// As often, or as long, as it takes without loss; and what the numbers' ends are.
const LIMITS: [Reliability; 7] = [
    Reliability::Reliable,
    Reliability::MaxRetransmits(0),
    Reliability::MaxRetransmits(1000),
    Reliability::MaxRetransmits(65_535),
    Reliability::MaxPacketLifeTime(Duration::ZERO),
    Reliability::MaxPacketLifeTime(Duration::from_secs(60)),
    Reliability::MaxPacketLifeTime(Duration::from_millis(65_535)),
];

/// How a channel is opened.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    pub(super) is_ordered: bool,
    pub(super) reliability: Reliability,
}

impl Mode {
    /// As a browser tells it: what there is not is null.
    pub(super) fn json(self) -> Value {
        let (retransmits, life_time) = match self.reliability {
            Reliability::MaxRetransmits(times) => (json!(times), Value::Null),
            Reliability::MaxPacketLifeTime(age) => (Value::Null, json!(age.as_millis() as u64)),
            _ => (Value::Null, Value::Null),
        };
        json!({"ordered": self.is_ordered, "maxRetransmits": retransmits, "maxPacketLifeTime": life_time})
    }

    pub(super) fn init(self) -> DataChannelInit {
        let mut init = DataChannelInit::default();
        (init.is_ordered, init.reliability) = (self.is_ordered, self.reliability);
        init
    }

    /// Whether all arrives where nothing is lost.
    fn is_patient(self) -> bool {
        match self.reliability {
            Reliability::MaxRetransmits(times) => times > 0,
            Reliability::MaxPacketLifeTime(age) => !age.is_zero(),
            _ => true,
        }
    }
}

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let largest = largest::len(stage);
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| {
        config.negotiation.max_message_size = 1 << 20;
    })?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let mut carried = 0;
    for (n, reliability) in LIMITS.into_iter().enumerate() {
        for is_ordered in [true, false] {
            let mode = Mode { is_ordered, reliability };
            let (theirs, ours) = (format!("echo theirs {n} {is_ordered}"), format!("echo ours {n} {is_ordered}"));
            opened_by_browser(&mut call, &theirs, mode)?;
            opened_by_wigwag(&mut call, &ours, mode)?;
            if mode.is_patient() {
                call.browser.evaluate(&format!("peer.roundTrip({theirs:?}, {largest}, false, {n})"))?;
                echoed_by_browser(&call, &ours, largest, n)?;
                carried += 1;
            }
        }
    }
    Ok(format!("{} modes, {carried} with {largest} bytes", 2 * LIMITS.len()))
}

fn opened_by_browser(call: &mut Call<'_>, label: &str, mode: Mode) -> Result<()> {
    call.open_in_browser(label, &mode.json())?;
    let channel = call.peer.wait_open(label)?;
    let of = move |connection: &wigwag::PeerConnection| {
        connection.data_channel(channel).map(|channel| (channel.is_ordered(), channel.reliability()))
    };
    let seen = call.peer.run(move |connection| of(connection))?.context("the channel is gone")?;
    ensure!(seen == (mode.is_ordered, mode.reliability), "{label}: wigwag sees {seen:?}, not {}", mode.json());
    call.browser.evaluate(&format!("peer.opened({label:?})"))?;
    Ok(())
}

fn opened_by_wigwag(call: &mut Call<'_>, label: &str, mode: Mode) -> Result<()> {
    call.open_in_wigwag(label, mode.init())?;
    let seen = call.browser.evaluate(&format!("peer.opened({label:?})"))?;
    for (name, value) in mode.json().as_object().into_iter().flatten() {
        ensure!(seen[name] == *value, "{label}: the browser sees {seen}, not {}", mode.json());
    }
    Ok(())
}

fn echoed_by_browser(call: &Call<'_>, label: &str, len: usize, seed: usize) -> Result<()> {
    let channel = call.peer.wait_open(label)?;
    let sent: Bytes = (0..len).map(|at| (at * 13 + (at >> 8) + seed) as u8).collect::<Vec<_>>().into();
    call.peer.send(channel, sent.clone(), true)?;
    let echo = |seen: &mut crate::peer::Seen| seen.messages.get_mut(label).and_then(Vec::pop);
    let (echo, is_binary) = call.peer.wait("the browser's echo", PATIENCE, echo)?;
    ensure!(echo == sent && is_binary, "{label}: {len} bytes came back as {} others", echo.len());
    Ok(())
}
