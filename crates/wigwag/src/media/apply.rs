//! What was negotiated, brought to the session's streams.

use super::{Codec, Media, Streams};
use crate::jsep::{Direction, Jsep, NegotiatedCodec, Transceiver};
use crate::mapping;
use std::sync::Arc;
use wigwag_rtp as rtp;

pub(super) fn apply(media: &mut Media, jsep: &Jsep, session: &mut rtp::Session) {
    forget_those_that_ended(media, jsep, session);
    // RFC 5506 §5: feedback without a report around it is negotiated; the session is one for all sections.
    let mut negotiated = jsep.transceivers().filter_map(|transceiver| transceiver.negotiated.as_ref());
    session.set_reduced_size(negotiated.all(|parameters| parameters.rtcp_rsize));
    for transceiver in jsep.transceivers() {
        let streams = media.streams.entry(transceiver.id).or_default();
        let before = streams.receiver;
        if apply_receiver(streams, transceiver, session) && !media.tracks.contains(&transceiver.id) {
            media.tracks.push_back(transceiver.id);
        }
        before.filter(|_| streams.receiver != before).into_iter().for_each(|gone| media.frames.remove_receiver(gone));
        apply_sender(streams, transceiver, session);
    }
    media.by_receiver = media.streams.iter().filter_map(|(id, streams)| Some((streams.receiver?, *id))).collect();
    let of_each =
        media.streams.iter().flat_map(|(id, streams)| streams.outlets.iter().map(|(sender, ..)| (sender, *id)));
    media.by_sender = of_each.collect();
}

/// Of a transceiver that was stopped, or that a rollback took away, nothing is sent or taken any more. If it was the peer who
/// ended it while it sent, that is told. An offer that ends it may be taken back: until it is answered all goes on, for a stream that
/// began anew under its number would be none to SRTP.
fn forget_those_that_ended(media: &mut Media, jsep: &Jsep, session: &mut rtp::Session) {
    let (frames, tracks) = (&mut media.frames, &mut media.tracks);
    media.streams.retain(|id, streams| {
        let exists = jsep.transceiver(*id).is_some();
        if !exists {
            if streams.is_receiving && !tracks.contains(id) {
                tracks.push_back(*id);
            }
            streams.outlets.end(session);
            streams.receiver.into_iter().for_each(|receiver| {
                session.remove_receiver(receiver);
                frames.remove_receiver(receiver);
            });
        }
        exists
    });
}

fn apply_sender(streams: &mut Streams, transceiver: &Transceiver, session: &mut rtp::Session) {
    streams.is_sending = !transceiver.is_stopping && transceiver.current_direction.is_some_and(Direction::sends);
    if transceiver.is_stopping {
        return streams.outlets.end(session);
    }
    let (Some(parameters), Some(send)) = (&transceiver.negotiated, &transceiver.send) else { return };
    streams.outgoing.codecs = codecs(&parameters.send_codecs);
    if !streams.is_sending && streams.outlets.is_empty() {
        return;
    }
    let configs = mapping::sender_configs(transceiver, parameters, send);
    streams.is_sending &= streams.outlets.apply(configs, session);
}

/// Returns whether the peer began or ceased to send; that we have stopped listening is no news.
fn apply_receiver(streams: &mut Streams, transceiver: &Transceiver, session: &mut rtp::Session) -> bool {
    let is_receiving = !transceiver.is_stopping && transceiver.current_direction.is_some_and(Direction::receives);
    let has_changed = std::mem::replace(&mut streams.is_receiving, is_receiving) != is_receiving;
    match (&transceiver.negotiated, streams.receiver) {
        (Some(parameters), before) if is_receiving => {
            let config = mapping::receiver_config(transceiver, parameters);
            streams.incoming.codecs = codecs(&parameters.receive_codecs);
            streams.incoming.nack = config.nack;
            streams.incoming.layers = config.rids.len();
            match before {
                None => {
                    streams.receiver = session.add_receiver(config).ok();
                    let sources = std::mem::take(&mut streams.incoming.sources);
                    let expected =
                        streams.receiver.into_iter().flat_map(|receiver| sources.iter().map(move |it| (receiver, it)));
                    expected.for_each(|(receiver, (ssrc, rid))| session.expect_layer(receiver, *ssrc, Arc::clone(rid)));
                }
                Some(receiver) => _ = session.update_receiver(receiver, config),
            }
        }
        (_, Some(receiver)) if !is_receiving => {
            streams.incoming.sources = session.layers(receiver);
            session.remove_receiver(receiver);
            streams.receiver = None;
        }
        _ => {}
    }
    has_changed && !transceiver.is_stopping
}

fn codecs(negotiated: &[NegotiatedCodec]) -> Vec<Codec> {
    let codec = |codec: &NegotiatedCodec| Codec {
        index: codec.index,
        payload_type: codec.payload_type,
        clock_rate_hz: codec.clock_rate,
        format: mapping::payload_format(&codec.name, &codec.parameters),
        is_event: codec.name.eq_ignore_ascii_case("telephone-event"),
    };
    negotiated.iter().map(codec).collect()
}
