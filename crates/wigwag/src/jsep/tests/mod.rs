//! Tests of the whole machine.

mod captured;
mod ccfb;
mod codecs;
mod cryptex;
mod hostile;
mod mutations;
mod negotiate;
mod odd;
mod properties;
mod refused;
mod simulcast;
mod states;

use super::{
    Config, Direction, Jsep, LocalTransport, MediaKind, SdpType, SendStream, SignalingState, TransceiverId,
    TransceiverInit,
};
use wigwag_sansio::Seed;
use wigwag_sdp::{Candidate, Fingerprint, SessionDescription};

/// A machine and its transport.
pub(super) struct Peer {
    pub(super) jsep: Jsep,
    pub(super) local: LocalTransport,
}

impl Peer {
    pub(super) fn new(name: char) -> Self {
        Self::with(name, Config::default())
    }

    pub(super) fn with(name: char, config: Config) -> Self {
        let candidate = Candidate::parse("1 1 udp 2130706431 192.0.2.1 54321 typ host").expect("a candidate");
        let local = LocalTransport {
            ufrag: format!("ufrag{name}"),
            pwd: format!("a-password-of-22-chars{name}"),
            fingerprints: vec![Fingerprint { hash: "sha-256".into(), digest: vec![name as u8; 32] }],
            candidates: vec![candidate],
            end_of_candidates: false,
            sctp_init: None,
        };
        Self { jsep: Jsep::new(config, Seed::for_test(name as u64)), local }
    }

    pub(super) fn add(&mut self, kind: MediaKind, direction: Direction, ssrc: u32) -> TransceiverId {
        let send = SendStream {
            ssrc,
            rtx_ssrc: None,
            cname: "c".to_owned(),
            stream_ids: vec!["s".to_owned()],
            track_id: format!("t{ssrc}"),
            layers: Vec::new(),
        };
        self.jsep.add_transceiver(kind, TransceiverInit { direction, send: Some(send), ..TransceiverInit::default() })
    }

    /// Makes an offer or answer, reads what it prints, and sets that.
    pub(super) fn describe(&mut self) -> SessionDescription {
        let (kind, made) = match self.jsep.signaling_state() {
            SignalingState::HaveRemoteOffer => (SdpType::Answer, self.jsep.create_answer(&self.local)),
            _ => (SdpType::Offer, self.jsep.create_offer(&self.local)),
        };
        let made = made.expect("the state allows it");
        let read = SessionDescription::parse(&made.to_string()).expect("what we print reads");
        assert_eq!(read, made);
        self.jsep.set_local_description(kind, read.clone()).expect("what was made can be set");
        read
    }

    pub(super) fn set_remote(&mut self, sdp: SessionDescription) {
        let kind = match self.jsep.signaling_state() {
            SignalingState::HaveLocalOffer | SignalingState::HaveRemotePranswer => SdpType::Answer,
            _ => SdpType::Offer,
        };
        self.jsep.set_remote_description(kind, sdp).expect("the description is acceptable");
    }

    pub(super) fn transceiver(&self, id: TransceiverId) -> &super::Transceiver {
        self.jsep.transceiver(id).expect("a transceiver")
    }
}

/// An offer and its answer.
pub(super) fn negotiate(a: &mut Peer, z: &mut Peer) -> (SessionDescription, SessionDescription) {
    let offer = a.describe();
    z.set_remote(offer.clone());
    let answer = z.describe();
    a.set_remote(answer.clone());
    assert_eq!(a.jsep.signaling_state(), SignalingState::Stable);
    assert_eq!(z.jsep.signaling_state(), SignalingState::Stable);
    (offer, answer)
}

/// The `m=` lines and what stands out, a line each.
pub(super) fn outline(sdp: &SessionDescription) -> String {
    let lines = sdp.to_string();
    let shown = ["m=", "a=mid", "a=group", "a=setup", "a=send", "a=recv", "a=inactive", "a=bundle-only"];
    lines
        .lines()
        .filter(|line| shown.iter().any(|start| line.starts_with(start)))
        .map(|line| format!("{line}\n"))
        .collect()
}
