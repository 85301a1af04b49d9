//! Layers of simulcast on a path that loses: each comes under its name, and so does what is sent again of it (RFC 8852). In the one role
//! the browser offers them, in the other it is asked for them.

use super::Stage;
use crate::call::{Call, Role};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Result, bail, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use wigwag::{Direction, MediaKind};

/// Of a hundred.
const LOSS: u64 = 5;
const RIDS: [&str; 2] = ["q", "f"];
/// So many packets of each layer while there is loss, and so many that were sent again.
const PACKETS: u64 = 50;
const AGAIN: u64 = 3;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    if !namespace::is_inside() {
        bail!("a relay is in a network namespace only: run this as root");
    }
    let takes_layers = |config: &mut wigwag::Config| config.negotiation.receive_layers_max = RIDS.len();
    let mut call = Call::new(stage.browser, stage.page, stage.role, takes_layers)?;
    let camera = json!({ "video": { "width": 640, "height": 480 } });
    match stage.role {
        Role::BrowserOffers => {
            let encodings = json!([{ "rid": RIDS[0], "scaleResolutionDownBy": 4 }, { "rid": RIDS[1] }]);
            call.browser.evaluate(&format!("peer.addMedia({camera}, {encodings})"))?;
        }
        Role::WigwagOffers => {
            call.browser.evaluate(&format!("peer.holdMedia({camera})"))?;
            call.peer.run(|connection| {
                let id = connection.add_transceiver(MediaKind::Video, Direction::Recvonly)?;
                connection.set_receive_layers(id, RIDS)
            })??;
        }
    }
    let relay = call.connect_through_relay()?;
    // A browser sends the larger one when it has found out that the path takes it.
    until_more(&call, 0)?;
    relay.lose(LOSS);
    let layers = until_more(&call, PACKETS)?;
    let received = call.peer.run(|connection| {
        let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
        let stats = ids.iter().flat_map(|id| connection.receiver_stats(*id)).collect::<Vec<_>>();
        let named = |ssrc: u32| connection.source_rid(ssrc).map(str::to_owned);
        stats.into_iter().map(|stats| (named(stats.ssrc), stats)).collect::<Vec<_>>()
    })?;
    ensure!(received.len() == RIDS.len() && received.iter().all(|(rid, _)| rid.is_some()), "{received:?}");
    let again: Vec<_> = received.iter().map(|(_, stats)| stats.retransmitted_packets_received).collect();
    let given_up: u64 = received.iter().map(|(_, stats)| stats.packets_given_up).sum();
    ensure!(again.iter().sum::<u64>() > AGAIN && given_up < 10, "too little came again: {received:?}");
    Ok(format!("{layers:?} packets, {again:?} of them sent again"))
}

/// Waits for so many more packets of each layer.
fn until_more(call: &Call<'_>, packets: u64) -> Result<BTreeMap<String, u64>> {
    let before = call.peer.wait("what has come", PATIENCE, |seen| Some(seen.layers.clone()))?;
    let wanted = |rid: &str| before.get(rid).unwrap_or(&0) + packets;
    call.peer.wait("packets of both layers", 2 * PATIENCE, |seen| {
        let has_all = RIDS.iter().all(|rid| seen.layers.get(*rid).is_some_and(|count| *count > wanted(rid)));
        (has_all && seen.layers.len() == RIDS.len()).then(|| seen.layers.clone())
    })
}
