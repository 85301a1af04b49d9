//! Pictures on a path that loses: what is lost comes again in a stream of its own (RFC 4588), in both directions, and is decoded.

use super::{Stage, media};
use crate::call::{Call, Media};
use crate::namespace;
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// Of a hundred.
const LOSS: u64 = 5;

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
    std::thread::sleep(Duration::from_secs(3));
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
    ensure!(ours > 3, "nothing came again from the browser: {received:?}");
    ensure!(resent > 3 && heard.is_none_or(|heard| heard > 3), "we sent {resent} packets again: {theirs}");
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
