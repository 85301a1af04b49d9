//! Session descriptions, beside Mozilla's parser.

use crate::Row;
use std::hint::black_box;
use wigwag::{Config, DataChannelInit, Direction, MediaKind, PeerConnection};

/// An offer of ours with sound, pictures, data and a candidate.
pub(crate) fn offer() -> String {
    let seed = wigwag_mio::seed().expect("the system has randomness");
    let mut connection = PeerConnection::new(Config::new(wigwag_mio::wall_clock()), seed);
    connection.add_local_address(([192, 0, 2, 1], 50_000).into()).expect("an address");
    for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Audio, MediaKind::Video] {
        connection.add_transceiver(kind, Direction::Sendrecv).expect("a new connection takes transceivers");
    }
    connection.create_data_channel("data", DataChannelInit::default()).expect("a new connection takes channels");
    connection.create_offer().expect("there is something to offer").sdp
}

pub(crate) fn parse(offer: &str) -> Row<'_> {
    Row {
        work: "SDP: an offer with five sections, parsed".into(),
        peer_name: "webrtc-sdp",
        ours: Box::new(|| {
            drop(black_box(wigwag_sdp::SessionDescription::parse(black_box(offer)).expect("our own offer")))
        }),
        peer: Box::new(|| drop(black_box(webrtc_sdp::parse_sdp(black_box(offer), false).expect("an offer")))),
    }
}

pub(crate) fn print(offer: &str) -> Row<'_> {
    let ours = wigwag_sdp::SessionDescription::parse(offer).expect("our own offer");
    let peer = webrtc_sdp::parse_sdp(offer, false).expect("an offer");
    Row {
        work: "SDP: the same, printed".into(),
        peer_name: "webrtc-sdp",
        ours: Box::new(move || drop(black_box(black_box(&ours).to_string()))),
        peer: Box::new(move || drop(black_box(black_box(&peer).to_string()))),
    }
}
