//! Pictures on a path that loses: what is lost comes again in a stream of its own (RFC 4588), in both directions, and is decoded.

use super::{Stage, media};
use crate::call::{Call, Media};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};

/// Of a hundred.
const LOSS: u64 = 5;
/// So many packets are lost, and come again, each way.
const AGAIN: u64 = 3;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    if !namespace::is_inside() {
        bail!("a relay is in a network namespace only: run this as root");
    }
    let mut call = Call::new(stage.browser, stage.page, stage.role, |_| {})?;
    let pictures = Media { audio: false, video: true };
    call.add_media(pictures)?;
    call.open_by_offerer("first")?;
    let relay = call.connect_through_relay()?;
    relay.lose(LOSS);
    until_lost(&call)?;
    let watched = media::watch(&mut call, pictures)?;
    let theirs = call.browser.evaluate("peer.inbound('video')")?;
    let heard = theirs["retransmittedPacketsReceived"].as_u64();
    let sent = call.peer.run(|connection| {
        let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
        let received: Vec<_> = ids.iter().flat_map(|id| connection.receiver_stats(*id)).collect();
        let sent =
            ids.iter().filter_map(|id| connection.sender_stats(*id)).map(|sent| sent.packets_resent).sum::<u64>();
        (received.iter().map(|stats| stats.retransmitted_packets_received).sum::<u64>(), sent, received)
    })?;
    let (ours, resent, received) = sent;
    ensure!(ours > AGAIN, "nothing came again from the browser: {received:?}");
    ensure!(resent > AGAIN && heard.is_none_or(|heard| heard > AGAIN), "we sent {resent} packets again: {theirs}");
    // Firefox counts none, and asks for a picture to begin anew with if one cannot be made whole.
    ensure!(heard.is_some() || theirs["pliCount"] == 0, "the browser could not make a picture whole: {theirs}");
    let lost = relay.counts().map(|counts| counts.lost);
    ensure!(lost.iter().all(|lost| *lost > 10), "of datagrams {lost:?} were lost");
    let given_up: u64 = received.iter().map(|stats| stats.packets_given_up).sum();
    ensure!(given_up < 10, "{given_up} packets never came: {received:?}");
    received.first().context("nothing was received")?;
    let heard = heard.map_or_else(|| "some".to_owned(), |heard| heard.to_string());
    Ok(format!("{watched}; {lost:?} datagrams lost, {ours} packets came again, and {heard} of {resent} there"))
}

/// Waits until the path has lost some packets of pictures each way: of the datagrams that it loses, some are reports.
fn until_lost(call: &Call<'_>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let (asked, resent) = call.peer.run(|connection| {
            let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
            let received = ids.iter().flat_map(|id| connection.receiver_stats(*id)).map(|stats| stats.packets_lost);
            let sent = ids.iter().filter_map(|id| connection.sender_stats(*id)).map(|stats| stats.packets_resent);
            (received.sum::<i64>(), sent.sum::<u64>())
        })?;
        if asked > 2 * AGAIN as i64 && resent > 2 * AGAIN {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "of what the browser sent {asked} packets were lost, and {resent} of ours came again"
        );
    }
}
