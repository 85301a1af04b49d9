//! wigwag and wigwag-mio.

use super::{Peer, WAIT};
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wigwag::{ChannelId, Config, ConnectionId, DataChannelInit, EndpointConfig, EndpointEvent, Event, PeerConnection};
use wigwag_mio::{Driver, DriverConfig, wall_clock};

pub(super) struct Ours {
    driver: Driver,
    id: ConnectionId,
    channel: Option<ChannelId>,
    received: u64,
    /// The message, which all that are sent share.
    message: Bytes,
}

impl Ours {
    fn new() -> Self {
        let config = DriverConfig::new([SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
        let mut driver = Driver::bind(&config, EndpointConfig::default()).expect("a socket");
        let id = driver.endpoint_mut().create(Config::new(wall_clock())).expect("a connection");
        Self { driver, id, channel: None, received: 0, message: Bytes::new() }
    }

    fn connection(&mut self) -> &mut PeerConnection {
        self.driver.endpoint_mut().connection_mut(self.id).expect("it lives")
    }
}

impl Peer for Ours {
    fn pair() -> [Self; 2] {
        let mut pair = [Self::new(), Self::new()];
        let [a, z] = pair.each_mut().map(Self::connection);
        a.create_data_channel("bench", DataChannelInit::default()).expect("a channel");
        let offer = a.create_offer().expect("an offer");
        a.set_local_description(offer).expect("our own");
        z.set_remote_description(a.local_description().expect("it was set")).expect("a right offer");
        let answer = z.create_answer().expect("an answer");
        z.set_local_description(answer).expect("our own");
        a.set_remote_description(z.local_description().expect("it was set")).expect("a right answer");
        while pair.iter().any(|peer| peer.channel.is_none()) {
            pair.iter_mut().for_each(|peer| peer.turn(Duration::ZERO));
        }
        pair
    }

    fn fill(&mut self, message: &[u8], buffered_max: usize) {
        if self.message != message {
            self.message = Bytes::copy_from_slice(message);
        }
        let (message, channel) = (self.message.clone(), self.channel.expect("a channel"));
        let connection = self.connection();
        while connection.buffered_amount(channel) + message.len() <= buffered_max {
            if connection.send(channel, message.clone(), true).is_err() {
                break;
            }
        }
    }

    fn turn(&mut self, wait: Duration) {
        debug_assert!(wait <= WAIT);
        self.driver.run_once(Some(wait)).expect("sockets");
        while let Some(event) = self.driver.poll_event() {
            match event {
                EndpointEvent::Connection(_, Event::ChannelOpened(channel)) => self.channel = Some(channel),
                EndpointEvent::Connection(_, Event::Message { data, .. }) => self.received += data.len() as u64,
                _ => {}
            }
        }
    }

    fn received(&self) -> u64 {
        self.received
    }
}
