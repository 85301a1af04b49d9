//! What messages of any length cost the whole stack, on a path that takes its time and loses some.

use crate::common::{connect_with_channel, pair};
use crate::gathering::{Party, peer};
use crate::relays;
use crate::turn_server::Server;
use allocation_counter::measure;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag::sansio::Datagram;
use wigwag::{ChannelId, DataChannelInit, Event, PeerConnection};
use wigwag_sim::{A, Z, address};

struct End {
    connection: PeerConnection,
    channel: ChannelId,
    allocations: u64,
    delivered: u64,
    sent: u64,
    /// What is on its way to it, when it is there, and its two addresses.
    incoming: VecDeque<(Instant, [SocketAddr; 2], Vec<u8>)>,
}

impl End {
    fn new(connection: PeerConnection, channel: ChannelId) -> Self {
        Self { connection, channel, allocations: 0, delivered: 0, sent: 0, incoming: VecDeque::new() }
    }

    fn count(&mut self, call: impl FnOnce(&mut PeerConnection)) {
        self.allocations += measure(|| call(&mut self.connection)).count_total;
    }
}

/// Two ends and the path between them, which takes 5 ms and loses datagrams of each.
struct Path {
    ends: [End; 2],
    /// Between them, if they have a relay.
    server: Option<Box<Server>>,
    now: Instant,
    /// The network's own memory.
    spare: Vec<Vec<u8>>,
    /// Of so many datagrams one is lost.
    loss: u64,
}

impl Path {
    fn new() -> Self {
        let mut world = pair(70);
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        world.run_for(Duration::from_secs(1));
        let now = world.now();
        let ends = [A, Z].map(|host| {
            let channel = world[host].channels["chat"];
            let unused = crate::common::connection(71, host, crate::common::config());
            let connection = std::mem::replace(&mut world[host].connection, unused);
            End::new(connection, channel)
        });
        Self { ends, server: None, now, spare: Vec::new(), loss: 100 }
    }

    /// The same, where the first has nothing but a relay.
    fn through_a_relay() -> Self {
        let mut world = wigwag_sim::World::new(5);
        let turn = relays::add_server(&mut world);
        let mut n = 0;
        let hosts = [(A, relays::relay_only()), (Z, relays::with_stun())].map(|(host, config)| {
            n += 1;
            let connection = crate::common::connection(72, host, config);
            world.add(["A", "Z"][n - 1], &[address(host)], Party::Peer(Box::new(crate::common::Peer::new(connection))))
        });
        relays::connect(&mut world, hosts);
        world.run_for(Duration::from_secs(1));
        let now = world.now();
        let ends = hosts.map(|host| {
            let channel = peer(&mut world, host).channels["c"];
            let unused = crate::common::connection(71, A, crate::common::config());
            End::new(std::mem::replace(&mut peer(&mut world, host).connection, unused), channel)
        });
        let unused = Server::new(relays::turn(), &[]);
        let server = std::mem::replace(relays::server(&mut world, turn), unused);
        Self { ends, server: Some(Box::new(server)), now, spare: Vec::new(), loss: 100 }
    }

    /// A millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        for at in 0..2 {
            let end = &mut self.ends[at];
            end.count(|connection| connection.handle_timeout(now));
            while end.incoming.front().is_some_and(|(due, ..)| *due <= now)
                && let Some((_, [local, remote], mut bytes)) = end.incoming.pop_front()
            {
                end.count(|connection| connection.handle_input(Datagram::udp(local, remote, &mut bytes), now));
                self.spare.push(bytes);
            }
            let mut delivered = 0;
            end.count(|connection| {
                while let Some(event) = connection.poll_event() {
                    delivered += u64::from(matches!(event, Event::Message { .. }));
                }
            });
            end.delivered += delivered;
            self.send(at);
            self.ends[at].count(|connection| _ = connection.poll_timeout(now));
        }
    }

    fn send(&mut self, at: usize) {
        loop {
            let mut bytes = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(2000));
            let (mut sent, now) = (None, self.now);
            self.ends[at].count(|connection| sent = connection.poll_transmit(now, &mut bytes));
            let Some(sent) = sent else {
                self.spare.push(bytes);
                return;
            };
            self.ends[at].sent += 1;
            if self.ends[at].sent.is_multiple_of(self.loss) {
                self.spare.push(bytes);
            } else {
                self.route([sent.remote, sent.local], bytes);
            }
        }
    }

    /// To one of the two, by the server if it is for that.
    fn route(&mut self, addresses: [SocketAddr; 2], mut bytes: Vec<u8>) {
        let [local, remote] = addresses;
        if let Some(end) = [A, Z].iter().position(|host| address(*host) == local) {
            self.ends[end].incoming.push_back((self.now + Duration::from_millis(5), addresses, bytes));
            return;
        }
        let server = self.server.as_mut().expect("there is nobody else");
        server.handle_input(Datagram::udp(local, remote, &mut bytes), self.now);
        self.spare.push(bytes);
        let mut out = Vec::new();
        while let Some(sent) = self.server.as_mut().and_then(|server| server.poll_transmit(&mut out)) {
            let mut bytes = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(2000));
            bytes.clear();
            bytes.extend_from_slice(&out);
            self.route([sent.remote, sent.local], bytes);
        }
    }

    /// Each end sends `count` messages, a packet's worth of them in two milliseconds, and waits until they are there.
    fn carry(&mut self, count: u64, message: &Bytes) {
        let interval = 2 * message.len().div_ceil(1150) as u64;
        let goal = self.ends[0].delivered + count;
        for step in 0..count * interval + 3000 {
            if step.is_multiple_of(interval) && step / interval < count {
                for end in &mut self.ends {
                    let channel = end.channel;
                    end.count(|connection| connection.send(channel, message.clone(), true).unwrap());
                }
            }
            self.step();
        }
        assert_eq!(self.ends.each_ref().map(|end| end.delivered), [goal; 2], "none is lost in the end");
    }
}

/// Both ways at once; consent is asked for and reports are told meanwhile, which costs nothing either.
#[test]
fn a_message_of_any_length_costs_one_allocation_despite_loss() {
    for (warm_up, count, len) in [(100, 10_000, 1000), (200, 1000, 16 * 1024), (30, 60, 256 * 1024)] {
        costs_one_allocation_a_message(Path::new(), warm_up, count, len);
    }
}

/// A relay costs nothing besides: neither four bytes before each datagram, nor a second look at what comes.
#[test]
fn a_message_through_a_relay_costs_no_more_allocations() {
    costs_one_allocation_a_message(Path::through_a_relay(), 100, 10_000, 1000);
}

fn costs_one_allocation_a_message(mut path: Path, warm_up: u64, count: u64, len: usize) {
    let message = Bytes::from_static(Box::leak(vec![7; len].into_boxed_slice()));
    // Long messages wait for one another if packets are lost twice, which is to happen before.
    path.loss = if len > 1000 { 30 } else { 100 };
    path.carry(warm_up, &message);
    path.loss = 100;
    let sent = path.ends.each_ref().map(|end| end.sent);
    path.ends.iter_mut().for_each(|end| (end.allocations, end.delivered) = (0, 0));
    path.carry(count, &message);
    for (end, before) in path.ends.iter().zip(sent) {
        let retransmitted = end.connection.transport_stats().retransmissions;
        assert!(end.sent - before >= 10_000 && retransmitted >= 100, "{retransmitted} of {}", end.sent);
        assert_eq!((end.delivered, end.allocations), (count, count), "{len} bytes");
    }
}
