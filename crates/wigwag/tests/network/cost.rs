//! What a packet costs the whole stack.

use crate::common::{Peer, config, connect_with_channel, connection, negotiate, pair};
use allocation_counter::measure;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag::sansio::Datagram;
use wigwag::{DataChannelInit, Direction, Event, MediaKind, PeerConnection, RtpPacket, TransceiverId};
use wigwag_sim::{A, Host, World, Z, address};

const PACKETS: u32 = 10_000;

/// Two connected machines, taken out of their world.
struct Two {
    world: World<Peer>,
    now: Instant,
    out: Vec<u8>,
    /// Reused: a socket's buffer.
    buffer: Vec<u8>,
}

impl Two {
    fn new(world: World<Peer>) -> Self {
        let now = world.now();
        Self { world, now, out: Vec::with_capacity(2000), buffer: Vec::with_capacity(2000) }
    }

    fn of(&mut self, host: Host) -> &mut PeerConnection {
        &mut self.world[host].connection
    }

    /// Passes on what `from` sends, and returns how many datagrams that were.
    fn carry(&mut self, from: Host) -> usize {
        let to = if from == A { Z } else { A };
        let mut count = 0;
        loop {
            let mut out = std::mem::take(&mut self.out);
            let now = self.now;
            let transmit = self.of(from).poll_transmit(now, &mut out);
            self.buffer.clear();
            self.buffer.extend_from_slice(&out);
            self.out = out;
            if transmit.is_none() {
                return count;
            }
            count += 1;
            let mut buffer = std::mem::take(&mut self.buffer);
            self.of(to).handle_input(Datagram::udp(address(to), address(from), &mut buffer), now);
            self.buffer = buffer;
        }
    }

    /// A turn of each loop. Returns how many messages and packets were delivered.
    fn turn(&mut self) -> usize {
        let mut delivered = 0;
        for host in [A, Z] {
            let now = self.now;
            self.of(host).handle_timeout(now);
        }
        while self.carry(A) + self.carry(Z) > 0 {}
        for host in [A, Z] {
            while let Some(event) = self.of(host).poll_event() {
                delivered += usize::from(matches!(event, Event::Message { .. } | Event::RtpPacket { .. }));
            }
        }
        delivered
    }
}

fn with_channel(init: DataChannelInit) -> Two {
    let mut world = pair(60);
    connect_with_channel(&mut world, "chat", init);
    world.run_for(Duration::from_secs(1));
    Two::new(world)
}

/// The message's own bytes are given, not copied into a new place; the receiver makes one place for each.
#[test]
fn a_small_message_costs_one_allocation_and_that_is_the_receivers() {
    let mut two = with_channel(DataChannelInit::default());
    let channel = two.world[A].channels["chat"];
    let data = Bytes::from_static(&[7; 200]);
    let run = |two: &mut Two, count: u32| {
        let mut delivered = 0;
        for _ in 0..count {
            two.of(A).send(channel, data.clone(), true).unwrap();
            two.now += Duration::from_millis(1);
            delivered += two.turn();
        }
        delivered
    };
    run(&mut two, 2000);
    let mut delivered = 0;
    let cost = measure(|| delivered = run(&mut two, PACKETS));
    assert_eq!(delivered, PACKETS as usize);
    // Consent checks and the like, twice in ten seconds, may cost something.
    assert!(cost.count_total <= u64::from(PACKETS) + 50, "{cost:?}");
    assert!(cost.count_current.abs() < 20 && cost.bytes_current.abs() < 20_000, "nothing stays: {cost:?}");
}

#[test]
fn sending_a_small_message_allocates_nothing() {
    let mut two = with_channel(DataChannelInit::default());
    let channel = two.world[A].channels["chat"];
    let data = Bytes::from_static(&[7; 200]);
    let mut allocations = 0;
    for n in 0..PACKETS {
        two.now += Duration::from_millis(1);
        let now = two.now;
        let mut out = Vec::with_capacity(2000);
        let sent = measure(|| {
            two.of(A).send(channel, data.clone(), true).unwrap();
            assert!(two.of(A).poll_transmit(now, &mut out).is_some());
            let _ = two.of(A).poll_timeout(now);
        });
        two.of(Z).handle_input(Datagram::udp(address(Z), address(A), &mut out), now);
        two.turn();
        if n >= 2000 {
            allocations += sent.count_total;
        }
    }
    assert_eq!(allocations, 0, "of {PACKETS} messages");
}

fn with_video() -> (Two, TransceiverId) {
    let mut world = pair(61);
    let id = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
    world[Z].connection.add_track(MediaKind::Video).unwrap();
    negotiate(&mut world);
    world.run_for(Duration::from_secs(2));
    (Two::new(world), id)
}

fn picture(n: u32, data: &Bytes) -> RtpPacket {
    RtpPacket::new(96, n * 90, data.clone())
}

#[test]
fn a_packet_of_media_costs_one_allocation_and_that_is_the_receivers() {
    let (mut two, id) = with_video();
    let data = Bytes::from_static(&[7; 1000]);
    let run = |two: &mut Two, from: u32, count: u32| {
        let mut delivered = 0;
        for n in from..from + count {
            two.of(A).write_packet(id, picture(n, &data)).unwrap();
            two.now += Duration::from_millis(1);
            delivered += two.turn();
        }
        delivered
    };
    run(&mut two, 0, 3000);
    let mut delivered = 0;
    let cost = measure(|| delivered = run(&mut two, 3000, PACKETS));
    assert_eq!(delivered, PACKETS as usize);
    // A hundred transport-wide feedback messages are told as an event each, with what they say; consent and reports.
    assert!(cost.count_total <= u64::from(PACKETS) + 150, "{cost:?}");
    assert!(cost.count_current.abs() < 20 && cost.bytes_current.abs() < 20_000, "nothing stays: {cost:?}");
}

#[test]
fn sending_a_packet_of_media_allocates_nothing() {
    let (mut two, id) = with_video();
    let data = Bytes::from_static(&[7; 1000]);
    let mut allocations = 0;
    for n in 0..PACKETS {
        two.now += Duration::from_millis(1);
        let now = two.now;
        let mut out = Vec::with_capacity(2000);
        let sent = measure(|| {
            two.of(A).write_packet(id, picture(n, &data)).unwrap();
            assert!(two.of(A).poll_transmit(now, &mut out).is_some());
            let _ = two.of(A).poll_timeout(now);
        });
        two.of(Z).handle_input(Datagram::udp(address(Z), address(A), &mut out), now);
        two.turn();
        if n >= 3000 {
            allocations += sent.count_total;
        }
    }
    assert_eq!(allocations, 0, "of {PACKETS} packets");
}

/// What A and Z allocate, each by itself, while the network loses every hundredth datagram of A.
#[derive(Debug, Default)]
struct Costs {
    sending: u64,
    receiving: u64,
    delivered: u64,
    lost: u64,
    /// Each is told as an event that owns what it says.
    feedbacks: u64,
}

impl Two {
    fn lossy(&mut self, count: u32, mut send: impl FnMut(&mut PeerConnection, u32)) -> Costs {
        let (mut costs, mut datagrams) = (Costs::default(), 0u32);
        for n in 0..count {
            self.now += Duration::from_millis(1);
            let now = self.now;
            costs.sending += measure(|| {
                self.of(A).handle_timeout(now);
                send(self.of(A), n);
            })
            .count_total;
            costs.receiving += measure(|| self.of(Z).handle_timeout(now)).count_total;
            while self.pass(A, &mut costs, &mut datagrams) | self.pass(Z, &mut costs, &mut datagrams) {}
        }
        costs
    }

    /// Passes on a datagram of one of them, and what the other has to tell then.
    fn pass(&mut self, from: Host, costs: &mut Costs, datagrams: &mut u32) -> bool {
        let (to, now) = (if from == A { Z } else { A }, self.now);
        let (mut out, mut is_sent, mut told) = (std::mem::take(&mut self.out), false, (0, 0));
        let sent = measure(|| is_sent = self.of(from).poll_transmit(now, &mut out).is_some()).count_total;
        *datagrams += u32::from(from == A && is_sent);
        let is_lost = from == A && is_sent && datagrams.is_multiple_of(100);
        costs.lost += u64::from(is_lost);
        let received = measure(|| {
            if is_sent && !is_lost {
                self.of(to).handle_input(Datagram::udp(address(to), address(from), &mut out), now);
            }
            while let Some(event) = self.of(to).poll_event() {
                told.0 += u64::from(matches!(event, Event::Message { .. } | Event::RtpPacket { .. }));
                told.1 += u64::from(matches!(event, Event::TransportFeedback(_)));
            }
        })
        .count_total;
        let (of_a, of_z) = if from == A { (sent, received) } else { (received, sent) };
        (costs.sending, costs.receiving) = (costs.sending + of_a, costs.receiving + of_z);
        (costs.delivered, costs.feedbacks) = (costs.delivered + told.0, costs.feedbacks + told.1);
        self.out = out;
        is_sent
    }
}

/// After a warm-up: a stream of what is sent again begins with the first that is lost.
#[test]
fn loss_costs_no_allocation_but_what_is_delivered() {
    let mut two = with_channel(DataChannelInit::default());
    let (channel, data) = (two.world[A].channels["chat"], Bytes::from_static(&[7; 1000]));
    let send = |a: &mut PeerConnection, _| a.send(channel, data.clone(), true).unwrap();
    two.lossy(100, send);
    let messages = two.lossy(PACKETS, send);

    let (mut two, video) = with_video();
    two.lossy(300, |a, n| a.write_packet(video, picture(n, &data)).unwrap());
    let packets = two.lossy(PACKETS, |a, n| a.write_packet(video, picture(300 + n, &data)).unwrap());

    for costs in [messages, packets] {
        // More is delivered than was not lost, so that it was sent again.
        assert!(costs.lost >= 100 && costs.delivered >= u64::from(PACKETS) - costs.lost / 10, "{costs:?}");
        assert_eq!((costs.sending, costs.receiving), (costs.feedbacks, costs.delivered), "{costs:?}");
    }
}

/// What does nothing allocates nothing, with many channels and sections as with none.
#[test]
fn idle_calls_allocate_nothing() {
    let mut world = pair(62);
    for n in 0..200 {
        world[A].connection.create_data_channel(&n.to_string(), DataChannelInit::default()).unwrap();
    }
    for _ in 0..20 {
        world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
    }
    negotiate(&mut world);
    world.run_for(Duration::from_secs(10));
    let mut two = Two::new(world);
    two.turn();
    let now = two.now;
    let mut out = Vec::with_capacity(2000);
    for host in [A, Z] {
        let connection = two.of(host);
        let costs = [
            ("handle_timeout", measure(|| (0..1000).for_each(|_| connection.handle_timeout(now)))),
            ("poll_event", measure(|| (0..1000).for_each(|_| assert!(connection.poll_event().is_none())))),
            (
                "poll_transmit",
                measure(|| (0..1000).for_each(|_| assert!(connection.poll_transmit(now, &mut out).is_none()))),
            ),
            ("poll_timeout", measure(|| assert!(connection.poll_timeout(now).is_some_and(|at| at > now)))),
        ];
        for (call, cost) in costs {
            assert_eq!(cost.count_total, 0, "{call} of {host:?}: {cost:?}");
        }
    }
}

/// What a stranger sends, and what a peer repeats, stays nowhere.
#[test]
fn a_flood_of_strangers_leaves_no_memory() {
    let mut world = pair(63);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let mut two = Two::new(world);
    let mut rng = wigwag::sansio::Rng::new(wigwag::Seed::for_test(63));
    let mut bytes = vec![0; 200];
    let mut flood = |two: &mut Two, count: u32| {
        for n in 0..count {
            rng.fill(&mut bytes);
            // STUN, DTLS, SRTP and SRTCP, from the peer's address and from everywhere.
            let (first, second) = [(0, 1), (22, 254), (0x80, 96), (0x80, 200)][n as usize % 4];
            (bytes[0], bytes[1]) = (first, second);
            let from = if n % 8 < 4 { address(A) } else { ([192, 0, (n >> 8) as u8, n as u8], 5).into() };
            let now = two.now;
            two.of(Z).handle_input(Datagram::udp(address(Z), from, &mut bytes), now);
        }
        two.turn()
    };
    flood(&mut two, 1000);
    let cost = measure(|| _ = flood(&mut two, 100_000));
    assert!(cost.bytes_current.abs() < 1000, "{cost:?}");
    assert!(cost.bytes_max < 10_000, "{cost:?}");
    let channel = two.world[A].channels["chat"];
    two.of(A).send(channel, "still here".into(), false).unwrap();
    assert_eq!(two.turn(), 1);
}

/// A connection that nobody uses is small: a server has a hundred thousand.
#[test]
fn a_connection_that_waits_is_small() {
    let mut config = config();
    config.certificate = Some(std::sync::Arc::new(
        wigwag::Certificate::generate(crate::common::UNIX_TIME, wigwag::Seed::for_test(1)).unwrap(),
    ));
    let mut connection_of_cost = None;
    let cost = measure(|| connection_of_cost = Some(Box::new(connection(64, A, config.clone()))));
    assert!(cost.bytes_current < 20_000, "{cost:?}");
}

/// One that is connected, with a channel open and nothing on its way, as most of a server's are most of the time.
#[test]
fn a_connection_that_is_idle_is_small() {
    let mut world = pair(65);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    world.run_for(Duration::from_secs(60));
    for host in [A, Z] {
        let idle = std::mem::replace(&mut world[host].connection, connection(66, host, config()));
        let freed = measure(|| drop(idle));
        let (held, size) = (-freed.bytes_current, size_of::<PeerConnection>() as i64);
        assert!(held > 1000 && held + size < 32_000, "{host:?}: {held} bytes, and {size} of itself");
    }
}
