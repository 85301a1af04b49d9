//! wigwag.

use super::{Peer, Use, address};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag::sansio::{Datagram, Seed};
use wigwag::{Config, DataChannelInit, Direction, Event, MediaKind, PeerConnection, WallClock};

pub(super) struct Ours {
    connection: PeerConnection,
    side: usize,
    is_open: bool,
    timeout: Instant,
    out: Vec<u8>,
}

impl Peer for Ours {
    fn poll(&mut self, now: Instant, out: &mut VecDeque<Vec<u8>>) {
        self.connection.handle_timeout(now);
        while let Some(event) = self.connection.poll_event() {
            self.is_open |= matches!(event, Event::ChannelOpened(_));
        }
        while self.connection.poll_transmit(now, &mut self.out).is_some() {
            out.push_back(self.out.clone());
        }
        self.timeout = self.connection.poll_timeout(now).unwrap_or(now + Duration::from_secs(1));
        self.out = Vec::new();
    }

    fn handle_input(&mut self, mut datagram: Vec<u8>, now: Instant) {
        let (local, remote) = (address(self.side), address(1 - self.side));
        self.connection.handle_input(Datagram::udp(local, remote, &mut datagram), now);
    }

    fn timeout(&self) -> Instant {
        self.timeout
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

pub(super) fn pair(uses: Use, now: Instant) -> [Ours; 2] {
    let mut pair = [0, 1].map(|side| {
        let config = Config::new(WallClock::new(now, Duration::from_secs(1_767_225_600)));
        let mut connection = PeerConnection::new(config, Seed::for_test(side as u64));
        connection.add_local_address(address(side)).expect("an address");
        Ours { connection, side, is_open: false, timeout: now, out: Vec::new() }
    });
    let [a, z] = pair.each_mut().map(|peer| &mut peer.connection);
    a.create_data_channel("chat", DataChannelInit::default()).expect("a channel");
    if uses.has_media {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            a.add_transceiver(kind, Direction::Recvonly).expect("a transceiver");
        }
    }
    let offer = a.create_offer().expect("an offer");
    a.set_local_description(offer).expect("our own");
    z.set_remote_description(a.local_description().expect("it was set")).expect("a right offer");
    let answer = z.create_answer().expect("an answer");
    z.set_local_description(answer).expect("our own");
    a.set_remote_description(z.local_description().expect("it was set")).expect("a right answer");
    pair
}
