//! A thousand channels at once, opened by both sides, with an echo on each that both sides check; closed by one side, by the other,
//! and by both at once. Then a thousand more, on the same streams and in the same memory.

use super::Stage;
use crate::call::Call;
use crate::peer::{PATIENCE, Peer};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use wigwag::{ChannelId, ChannelState, DataChannelInit};

/// Half of them are opened by each side: with the call's first channel, nobody needs more than 1,024 streams.
const HALF: usize = 500;
/// So many are closed at once: of more than it can, Chromium leaves some open, and all that are closed later (`docs/interop.md`).
const BATCH: usize = 100;
/// How much more may be held after the second round than after the first, in percent of what this process holds for the call.
const GROWTH_MAX: usize = 5;
/// After two heartbeats without data, nothing is kept for more (RFC 9260 §15: each 30 s).
const REST: Duration = Duration::from_secs(65);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let [first, second] = held_after_each_round(stage, Duration::ZERO)?;
    Ok(format!("2 x {} channels, {} and {} KiB held", 2 * HALF, first / 1024, second / 1024))
}

/// Compares what is held when what is kept for more was given back.
pub(super) fn at_rest(stage: &mut Stage<'_>) -> Result<String> {
    let [first, second] = held_after_each_round(stage, REST)?;
    let most = first + first * GROWTH_MAX / 100;
    ensure!(second <= most, "{first} bytes were held after the first round, {second} after the second");
    Ok(format!("2 x {} channels, {} and {} KiB held", 2 * HALF, first / 1024, second / 1024))
}

/// What this process holds for the call, in bytes, so long after the end of the last channel.
fn held_after_each_round(stage: &mut Stage<'_>, rest: Duration) -> Result<[usize; 2]> {
    let before = crate::HEAP.allocated();
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let mut rounds = Vec::new();
    for round in 0..2 {
        let ids = Flock::open(&mut call, round)?.live(&mut call)?;
        thread::sleep(rest);
        rounds.push((ids, crate::HEAP.allocated().saturating_sub(before)));
    }
    let [(ids, first), (ids_again, second)] = rounds.try_into().ok().context("two rounds")?;
    let new: Vec<_> = ids_again.difference(&ids).collect();
    ensure!(new.is_empty(), "{} of {} streams are new: {new:?}", new.len(), ids.len());
    Ok([first, second])
}

/// Who closes a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closer {
    Browser,
    Wigwag,
    /// Neither knows of the other.
    Both,
}

/// The channels of a round.
struct Flock {
    /// Each with wigwag's name for it.
    channels: Vec<(String, ChannelId)>,
    /// What wigwag had seen closed before.
    closed: usize,
}

impl Flock {
    fn open(call: &mut Call<'_>, round: usize) -> Result<Self> {
        let name = |who: &str| (0..HALF).map(|n| format!("{round} {who} {n}")).collect::<Vec<_>>();
        let (theirs, ours) = (name("theirs"), name("ours"));
        call.browser.evaluate(&format!("{}.forEach((label) => peer.open(label)), 0", json!(theirs)))?;
        let wanted = ours.clone();
        call.peer.run(move |connection| {
            wanted
                .iter()
                .try_for_each(|label| connection.create_data_channel(label, DataChannelInit::default()).map(|_| ()))
        })??;
        // Neither side's come together.
        let labels: Vec<_> = theirs.into_iter().zip(ours).flat_map(|(theirs, ours)| [theirs, ours]).collect();
        let (opened, closed) = call.peer.wait("all channels", PATIENCE, |seen| {
            (seen.opened.len() > labels.len()).then(|| (seen.opened.clone(), seen.closed_channels))
        })?;
        let channels = labels.into_iter().map(|label| Some((label.clone(), *opened.get(&label)?)));
        Ok(Self { channels: channels.collect::<Option<_>>().context("other channels were opened")?, closed })
    }

    /// From their opening to their end. Returns their streams.
    fn live(self, call: &mut Call<'_>) -> Result<BTreeSet<u16>> {
        let ids = self.agree_on_ids(call)?;
        self.echo(call)?;
        self.close(call)?;
        Ok(ids)
    }

    fn labels(&self) -> String {
        json!(self.channels.iter().map(|(label, _)| label).collect::<Vec<_>>()).to_string()
    }

    /// Both sides say the same, and no two channels share a stream.
    fn agree_on_ids(&self, call: &mut Call<'_>) -> Result<BTreeSet<u16>> {
        let theirs = call.browser.evaluate(&format!("peer.openedEach({})", self.labels()))?;
        let names: Vec<_> = self.channels.iter().map(|(_, channel)| *channel).collect();
        let ours = call.peer.run(move |connection| {
            let stream = |name: &ChannelId| connection.data_channel(*name).and_then(|channel| channel.stream());
            names.iter().map(stream).collect::<Option<Vec<u16>>>()
        })?;
        let ours = ours.context("a channel has no stream")?;
        ensure!(theirs == json!(ours), "the browser's ids are {theirs}, wigwag's {ours:?}");
        let different = BTreeSet::from_iter(ours);
        ensure!(different.len() == self.channels.len(), "there are {} different ids", different.len());
        Ok(different)
    }

    /// The browser sends a message of its own on each; wigwag looks at it and sends it back; the browser looks at that.
    fn echo(&self, call: &mut Call<'_>) -> Result<()> {
        let labels = self.labels();
        call.browser.evaluate(&format!("peer.sendOnEach({labels})"))?;
        let mut messages = call.peer.wait("a message on each", PATIENCE, |seen| {
            (seen.messages.len() == self.channels.len()).then(|| std::mem::take(&mut seen.messages))
        })?;
        let mut echoes = Vec::new();
        for (n, (label, channel)) in self.channels.iter().enumerate() {
            let arrived = messages.remove(label).unwrap_or_default();
            ensure!(arrived == [(pattern(n), true)], "{label}: something else arrived");
            echoes.extend(arrived.into_iter().map(|(data, _)| (*channel, data)));
        }
        call.peer.run(|connection| {
            echoes.into_iter().try_for_each(|(channel, data)| connection.send(channel, data, true))
        })??;
        let right = call.browser.evaluate(&format!("peer.echoedOnEach({labels})"))?;
        ensure!(right == self.channels.len(), "only {right} echoes are what was sent");
        Ok(())
    }

    /// In turn by the browser, by wigwag and by both.
    fn close(&self, call: &mut Call<'_>) -> Result<()> {
        let closers = [Closer::Browser, Closer::Wigwag, Closer::Both].into_iter().cycle();
        let mut closed = self.closed;
        for (batch, closer) in self.channels.chunks(BATCH).zip(closers) {
            close_batch(call, batch, closer)?;
            closed += batch.len();
            call.peer.wait("ChannelClosed on each", PATIENCE, |seen| (seen.closed_channels >= closed).then_some(()))?;
        }
        let left = call.peer.run(|connection| connection.data_channels().count())?;
        let told = call.peer.wait("", PATIENCE, |seen| Some(seen.closed_channels))?;
        ensure!((left, told) == (1, closed), "{left} channels are left, of {told} it is said that they are closed");
        Ok(())
    }
}

/// Returns when the browser says of each that it is closed.
fn close_batch(call: &mut Call<'_>, batch: &[(String, ChannelId)], closer: Closer) -> Result<()> {
    let labels = json!(batch.iter().map(|(label, _)| label).collect::<Vec<_>>());
    let names: Vec<_> = batch.iter().map(|(_, name)| *name).collect();
    let script = format!("peer.closeEach({labels})");
    match closer {
        Closer::Browser => _ = call.browser.evaluate(&script)?,
        Closer::Wigwag => {
            call.peer.run(move |connection| names.into_iter().for_each(|name| connection.close_data_channel(name)))?;
        }
        Closer::Both => {
            let were_open = deafened(&call.peer, || call.browser.evaluate(&script), names)?;
            let all = (json!(batch.len()), batch.len());
            ensure!(were_open == all, "of {} channels that both close, {were_open:?} were open", batch.len());
        }
    }
    call.browser.evaluate(&format!("peer.closedEach({labels})"))?;
    Ok(())
}

/// While wigwag hears nothing, the browser closes its ends; then wigwag closes `names`, before it has heard of that. How many were
/// open for the browser, and for wigwag.
fn deafened<R>(peer: &Peer, close: impl FnOnce() -> Result<R>, names: Vec<ChannelId>) -> Result<(R, usize)> {
    let (tell_deaf, deaf) = mpsc::channel();
    let (tell_closed, closed) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let ours = scope.spawn(|| {
            peer.run(move |connection| {
                let _ = tell_deaf.send(());
                let _ = closed.recv_timeout(PATIENCE);
                let is_open = |name: &&ChannelId| {
                    connection.data_channel(**name).is_some_and(|channel| channel.state() == ChannelState::Open)
                };
                let count = names.iter().filter(is_open).count();
                names.iter().for_each(|name| connection.close_data_channel(*name));
                count
            })
        });
        deaf.recv_timeout(PATIENCE).context("wigwag is busy")?;
        let theirs = close();
        drop(tell_closed);
        let ours = ours.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        Ok((theirs?, ours?))
    })
}

/// What `peer.sendOnEach` sends on the channel with this number.
fn pattern(n: usize) -> Bytes {
    (0..n * 7 % 2000).map(|at| (at * 31 + (at >> 8) + n) as u8).collect::<Vec<_>>().into()
}
