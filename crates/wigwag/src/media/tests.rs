//! What negotiations make of the session's streams.

use super::Media;
use crate::event::Event;
use crate::jsep::{
    Config, Direction, Jsep, LocalTransport, MediaKind, SdpType, SendLayer, SendStream, TransceiverInit,
};
use wigwag_rtp as rtp;
use wigwag_sansio::{Ecn, Seed};
use wigwag_sdp::Fingerprint;

fn negotiate(offerer: &mut Jsep, answerer: &mut Jsep) {
    let local = |n: u8| LocalTransport {
        ufrag: format!("ufrag{n}"),
        pwd: format!("a-password-of-22-chars{n}"),
        fingerprints: vec![Fingerprint { hash: "sha-256".into(), digest: vec![n; 32] }],
        candidates: Vec::new(),
        end_of_candidates: false,
        sctp_init: None,
    };
    let names = |jsep: &Jsep| local(if jsep.config().receive_layers_max > 1 { 2 } else { 1 });
    let offer = offerer.set_local(&names(offerer)).expect("an offer").sdp.clone();
    answerer.set_remote_description(SdpType::Offer, offer).expect("taken");
    let answer = answerer.set_local(&names(answerer)).expect("an answer").sdp.clone();
    offerer.set_remote_description(SdpType::Answer, answer).expect("taken");
}

/// Of the one source, with its name or without (RFC 8285 §4.2).
fn packet(number: u8, rid: Option<u8>) -> Vec<u8> {
    let element = rid.map_or([0, 0], |rid| [10 << 4, rid]);
    let fixed = [0x90, 96, 0, number, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 1];
    [&fixed[..], &element, &[0, 0], b"picture"].concat()
}

/// Browsers name a layer until it was reported on, and not again when a hold of the peer's ends.
#[test]
fn a_layer_is_known_again_after_a_hold() {
    let mut a = Jsep::new(Config::default(), Seed::for_test(1));
    let mut z = Jsep::new(Config { receive_layers_max: 3, ..Config::default() }, Seed::for_test(2));
    let layers = [("q", 1), ("h", 2)].map(|(rid, ssrc)| SendLayer { rid: rid.into(), ssrc, rtx_ssrc: None });
    let send = Some(SendStream { ssrc: 1, layers: layers.to_vec(), ..SendStream::default() });
    let init = TransceiverInit { direction: Direction::Sendonly, send, ..TransceiverInit::default() };
    a.add_transceiver(MediaKind::Video, init);
    negotiate(&mut a, &mut z);
    let id = z.transceivers().next().expect("one").id;

    let mut session = rtp::Session::new(rtp::Config::new("z"), Seed::for_test(3));
    let mut media = Media::new(Seed::for_test(4));
    let told = |media: &mut Media, session: &mut rtp::Session, bytes: &[u8]| {
        session.handle_rtp(bytes, Ecn::NotEct, wigwag_sim::origin());
        std::iter::from_fn(|| media.poll_event(session)).find_map(|event| match event {
            Event::RtpPacket { packet, .. } => Some(packet.rid.map(|rid| rid.to_string())),
            _ => None,
        })
    };
    media.apply(&z, &mut session);
    assert_eq!(told(&mut media, &mut session, &packet(1, Some(b'h'))), Some(Some("h".into())));
    for (n, direction) in [(2, Direction::Inactive), (3, Direction::Recvonly), (4, Direction::Recvonly)] {
        z.set_direction(id, direction).expect("there");
        negotiate(&mut z, &mut a);
        media.apply(&z, &mut session);
        let expected = (direction == Direction::Recvonly).then(|| Some("h".to_owned()));
        assert_eq!(told(&mut media, &mut session, &packet(n, None)), expected, "{direction:?}");
    }
}
