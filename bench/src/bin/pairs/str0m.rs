//! str0m, whose version of RustCrypto is not published.

use super::{Peer, Use, address};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use str0m::channel::ChannelConfig;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub(super) const NAME: &str = "str0m 0.25, aws-lc-rs";

pub(super) struct Str0m {
    rtc: Rtc,
    side: usize,
    is_open: bool,
    timeout: Instant,
}

impl Peer for Str0m {
    fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>) {
        self.rtc.handle_input(Input::Timeout(now)).expect("time passes");
        loop {
            match self.rtc.poll_output().expect("it lives") {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
                Output::Transmit(transmit) => out.push_back(transmit.contents.to_vec()),
                Output::Event(event) => self.is_open |= matches!(event, Event::ChannelOpen(..)),
            }
        }
    }

    fn handle_input(&mut self, datagram: Vec<u8>, now: Instant) {
        let contents = datagram.as_slice().try_into().expect("a datagram");
        let (source, destination) = (address(1 - self.side), address(self.side));
        let receive = Receive { proto: Protocol::Udp, source, destination, contents };
        self.rtc.handle_input(Input::Receive(now, receive)).expect("it lives");
    }

    fn timeout(&self) -> Instant {
        self.timeout
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

pub(super) fn pair(uses: Use, now: Instant) -> [Str0m; 2] {
    let provider = Arc::new(str0m_aws_lc_rs::default_provider());
    let mut pair = [0, 1].map(|side| {
        let mut rtc = RtcConfig::new().set_crypto_provider(provider.clone()).build(now);
        rtc.add_local_candidate(Candidate::host(address(side), "udp").expect("a candidate"));
        Str0m { rtc, side, is_open: false, timeout: now }
    });
    let [a, z] = pair.each_mut().map(|peer| &mut peer.rtc);
    let mut api = a.sdp_api();
    api.add_channel_with_config(ChannelConfig { label: "chat".into(), ..Default::default() });
    if uses.has_media {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            api.add_media(kind, Direction::RecvOnly, None, None, None);
        }
    }
    let (offer, pending) = api.apply().expect("something is wanted");
    let answer = z.sdp_api().accept_offer(offer).expect("a right offer");
    a.sdp_api().accept_answer(pending, answer).expect("a right answer");
    pair
}
