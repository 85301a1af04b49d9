//! Layers of simulcast on a path that loses: each comes under its name, and so does what is sent again of it (RFC 8852). In the one role
//! the browser offers them, in the other it is asked for them.

use super::Stage;
use crate::call::{Call, Role, text, without_candidates};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Result, bail, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag::{Direction, MediaKind};

/// Of a hundred.
const LOSS: u64 = 5;
const RIDS: [&str; 2] = ["q", "f"];
/// So many packets of each layer while there is loss, and so many that were sent again.
const PACKETS: u64 = 50;
const AGAIN: u64 = 3;
/// So long the larger layer is switched off: longer than a report waits.
const SILENCE: Duration = Duration::from_secs(3);

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
    let again = until_again(&call)?;
    relay.lose(0);
    let later = switched_off_and_on(&mut call)?;
    held_and_resumed(&mut call)?;
    Ok(format!("{layers:?} packets, {again:?} of them sent again; {later} after it was switched off and on"))
}

/// Waits until some packets came again that were lost, each as one of its layer. Returns how many of each layer.
fn until_again(call: &Call<'_>) -> Result<Vec<u64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let received = call.peer.run(|connection| {
            let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
            let stats = ids.iter().flat_map(|id| connection.receiver_stats(*id)).collect::<Vec<_>>();
            let named = |ssrc: u32| connection.source_rid(ssrc).map(str::to_owned);
            stats.into_iter().map(|stats| (named(stats.ssrc), stats)).collect::<Vec<_>>()
        })?;
        ensure!(received.len() == RIDS.len() && received.iter().all(|(rid, _)| rid.is_some()), "{received:?}");
        let given_up: u64 = received.iter().map(|(_, stats)| stats.packets_given_up).sum();
        ensure!(given_up < 10, "{given_up} packets never came: {received:?}");
        let again: Vec<_> = received.iter().map(|(_, stats)| stats.retransmitted_packets_received).collect();
        if again.iter().sum::<u64>() > AGAIN {
            return Ok(again);
        }
        ensure!(Instant::now() < deadline, "too little came again: {received:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The page holds its camera, and goes on: the layers are what they were, though the browser may name them no more.
fn held_and_resumed(call: &mut Call<'_>) -> Result<()> {
    for direction in ["inactive", "sendonly"] {
        call.browser.evaluate(&format!(
            "peer.pc.getTransceivers().forEach((transceiver) => {{ transceiver.direction = '{direction}'; }})"
        ))?;
        let offer = text(&call.browser.evaluate("peer.offer()")?)?;
        let answer = call.answer(without_candidates(&offer))?;
        call.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
        std::thread::sleep(Duration::from_secs(1));
    }
    until_more(call, PACKETS)?;
    Ok(())
}

/// A page switches the larger layer off, and later on again. What comes then is that layer, though the browser may name it no more. Returns
/// how many packets of it came then.
fn switched_off_and_on(call: &mut Call<'_>) -> Result<u64> {
    let count = |seen: &crate::peer::Seen| seen.layers.get(RIDS[1]).copied().unwrap_or_default();
    for is_active in [false, true] {
        call.browser.evaluate(&format!(
            "(() => {{ const sender = peer.pc.getSenders().find(({{ track }}) => track);
              const parameters = sender.getParameters();
              parameters.encodings[1].active = {is_active};
              return sender.setParameters(parameters).then(() => true); }})()"
        ))?;
        if !is_active {
            std::thread::sleep(SILENCE);
        }
    }
    let before = call.peer.wait("what has come", PATIENCE, |seen| Some(count(seen)))?;
    call.peer.wait("the larger layer again", PATIENCE, |seen| Some(count(seen) - before).filter(|more| *more > PACKETS))
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
