//! Every mode of a channel on a path that loses a fifth of all datagrams: what is reliable arrives, what is not is given up.

use super::{Stage, modes::Mode};
use crate::call::Call;
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use wigwag::{ChannelId, Reliability};

const LIMITS: [Reliability; 3] =
    [Reliability::Reliable, Reliability::MaxRetransmits(0), Reliability::MaxPacketLifeTime(Duration::from_millis(40))];
/// Each side sends so many messages on each channel,
const COUNT: u64 = 100;
/// one after another,
const PAUSE: Duration = Duration::from_millis(20);
/// and this again and again when nothing is lost any more, until it has arrived.
const LAST: u64 = COUNT;
/// Of a hundred.
const LOSS: u64 = 20;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    if !namespace::is_inside() {
        bail!("a relay is in a network namespace only: run this as root");
    }
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    let relay = call.connect_through_relay()?;
    let modes =
        LIMITS.into_iter().flat_map(|reliability| [true, false].map(|is_ordered| Mode { is_ordered, reliability }));
    let modes: Vec<_> = modes.map(|mode| (mode.json().to_string(), mode)).collect();
    let mut channels = Vec::new();
    for (label, mode) in &modes {
        call.open_in_wigwag(label, mode.init())?;
        channels.push(call.peer.wait_open(label)?);
        call.browser.evaluate(&format!("peer.opened({label:?})"))?;
    }
    let labels = json!(modes.iter().map(|(label, _)| label).collect::<Vec<_>>());
    relay.lose(LOSS);
    call.browser.evaluate(&format!("peer.count({labels}, {COUNT}, {}), 0", PAUSE.as_millis()))?;
    for number in 0..COUNT {
        channels.iter().try_for_each(|channel| call.peer.send(*channel, message(number), true))?;
        std::thread::sleep(PAUSE);
    }
    call.browser.evaluate("peer.counting")?;
    relay.lose(0);
    let mut told = Vec::new();
    for ((label, mode), channel) in modes.iter().zip(channels) {
        for (who, numbers) in arrived(&mut call, label, *mode, channel)? {
            let count = check(*mode, numbers).with_context(|| format!("{label}: {who}"))?;
            told.push(count.to_string());
        }
    }
    let lost = relay.counts().map(|counts| counts.lost);
    ensure!(lost.iter().all(|lost| *lost > 10), "of datagrams {lost:?} were lost");
    Ok(format!("{lost:?} datagrams lost; of {COUNT} messages arrived {}", told.join(", ")))
}

/// What has arrived on a channel at either side, once that is all.
fn arrived(call: &mut Call<'_>, label: &str, mode: Mode, channel: ChannelId) -> Result<[(&'static str, Vec<u64>); 2]> {
    let is_all = |numbers: &[u64]| {
        let different = BTreeSet::from_iter(numbers).len() as u64;
        numbers.contains(&LAST) && (mode.reliability != Reliability::Reliable || different > COUNT)
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        call.peer.send(channel, message(LAST), true)?;
        call.browser.evaluate(&format!("peer.count([{label:?}], 1, 50, {LAST}), peer.counting"))?;
        let theirs = serde_json::from_value(call.browser.evaluate(&format!("peer.counted({label:?})"))?)?;
        let ours = call.peer.wait(label, PATIENCE, |seen| Some(numbers(seen.messages.get(label)?)))?;
        let found = [("the browser", theirs), ("wigwag", ours)];
        if found.iter().all(|(_, numbers)| is_all(numbers)) {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{label}: this is all that has arrived: {found:?}");
    }
}

/// How many have arrived of those that count; those that were sent to see the end do not.
fn check(mode: Mode, mut numbers: Vec<u64>) -> Result<usize> {
    numbers.retain(|number| *number != LAST);
    ensure!(!mode.is_ordered || numbers.is_sorted(), "out of order: {numbers:?}");
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    ensure!(numbers.len() == count, "something arrived twice");
    let is_right = match mode.reliability {
        Reliability::Reliable => count as u64 == COUNT,
        Reliability::MaxRetransmits(_) => (COUNT / 4..COUNT).contains(&(count as u64)),
        _ => count > 0,
    };
    ensure!(is_right, "{count} of {COUNT} arrived");
    Ok(count)
}

fn message(number: u64) -> Bytes {
    let mut message = number.to_le_bytes()[..4].to_vec();
    message.resize(200, number as u8);
    message.into()
}

/// Of what has arrived whole.
fn numbers(messages: &[(Bytes, bool)]) -> Vec<u64> {
    let number = |data: &Bytes| data.first_chunk().map(|head| u64::from(u32::from_le_bytes(*head)));
    let is_whole = |data: &Bytes, number: &u64| *data == message(*number);
    messages.iter().filter_map(|(data, _)| number(data).filter(|number| is_whole(data, number))).collect()
}
