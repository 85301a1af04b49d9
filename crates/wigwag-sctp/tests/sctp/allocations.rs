//! What a packet and a message cost in allocations, and in memory what a hostile peer can hold.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use allocation_counter::measure;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Seed};
use wigwag_sctp::{Association, Config, CongestionControl, Event, Reliability, Scheduler, SendOptions};

/// Carries packets between two associations until neither has one.
fn exchange(a: &mut Association, z: &mut Association, now: Instant, out: &mut Vec<u8>, mut read: impl FnMut(Event)) {
    loop {
        let mut is_quiet = true;
        for is_from_a in [true, false] {
            let (from, to) = if is_from_a { (&mut *a, &mut *z) } else { (&mut *z, &mut *a) };
            out.clear();
            while from.poll_packet(now, 1200, out) {
                to.handle_input(out, now);
                out.clear();
                is_quiet = false;
            }
            while let Some(event) = to.poll_event() {
                read(event);
            }
        }
        if is_quiet {
            return;
        }
    }
}

fn connected(now: Instant, config: Config) -> (Association, Association, Vec<u8>) {
    let mut a = Association::new(config.clone(), Seed::for_test(1));
    let mut z = Association::new(config, Seed::for_test(2));
    let mut out = Vec::new();
    a.connect();
    exchange(&mut a, &mut z, now, &mut out, |_| ());
    (a, z, out)
}

/// How many allocations it costs to carry `message` 100 times, both ends together, once everything is warm.
fn cost(message: &Bytes, config: Config) -> u64 {
    let mut now = wigwag_sim::origin();
    let (mut a, mut z, mut out) = connected(now, config);
    let mut turn = || {
        let mut received = 0;
        for at in 0..100 {
            a.send(at % 3, 53, message.clone(), SendOptions::default()).unwrap();
        }
        now += Duration::from_millis(50);
        exchange(&mut a, &mut z, now, &mut out, |event| {
            received += usize::from(matches!(event, Event::Message { .. }));
        });
        now += Duration::from_millis(50);
        z.handle_timeout(now);
        exchange(&mut a, &mut z, now, &mut out, |_| ());
        assert_eq!(received, 100);
    };
    for _ in 0..10 {
        turn();
    }
    measure(turn).count_total
}

#[test]
fn a_message_costs_one_allocation_and_a_packet_none() {
    for config in formats() {
        assert_eq!(cost(&Bytes::from_static(&[7; 1000]), config.clone()), 100);
        assert_eq!(cost(&Bytes::from_static(&[7; 20_000]), config), 100);
    }
}

/// One end, what it has allocated, and what has come to it.
struct End {
    association: Association,
    allocations: u64,
    delivered: u64,
    packets: u64,
    /// What is on its way to it.
    incoming: VecDeque<(Instant, Vec<u8>)>,
}

impl End {
    fn count(&mut self, call: impl FnOnce(&mut Association)) {
        self.allocations += measure(|| call(&mut self.association)).count_total;
    }
}

/// What becomes of packets on their way.
enum Loss {
    None,
    /// Of each end every hundredth is lost.
    Regular,
    /// Of so many one is lost, whichever.
    Random(u64, Rng),
}

/// Two ends and the path between them, which takes 5 ms.
struct Path {
    ends: [End; 2],
    now: Instant,
    /// The network's own memory.
    spare: Vec<Vec<u8>>,
    loss: Loss,
    /// Messages of each end.
    sent: u64,
}

impl Path {
    fn new(config: &Config, loss: Loss) -> Self {
        let now = wigwag_sim::origin();
        let (a, z, _) = connected(now, config.clone());
        let end =
            |association| End { association, allocations: 0, delivered: 0, packets: 0, incoming: VecDeque::new() };
        Self { ends: [end(a), end(z)], now, spare: Vec::new(), loss, sent: 0 }
    }

    /// A millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        for at in [0, 1] {
            let end = &mut self.ends[at];
            end.count(|association| association.handle_timeout(now));
            while end.incoming.front().is_some_and(|(due, _)| *due <= now)
                && let Some((_, packet)) = end.incoming.pop_front()
            {
                end.count(|association| association.handle_input(&packet, now));
                self.spare.push(packet);
            }
            let mut delivered = 0;
            end.count(|association| {
                while let Some(event) = association.poll_event() {
                    delivered += u64::from(matches!(event, Event::Message { .. }));
                }
            });
            end.delivered += delivered;
            loop {
                let mut packet = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(2000));
                packet.clear();
                let mut is_sent = false;
                self.ends[at].count(|association| is_sent = association.poll_packet(now, 1200, &mut packet));
                if !is_sent {
                    break;
                }
                self.ends[at].packets += 1;
                let is_lost = match &mut self.loss {
                    Loss::None => false,
                    Loss::Regular => self.ends[at].packets.is_multiple_of(100),
                    Loss::Random(count, rng) => rng.one_in(*count),
                };
                if !is_lost {
                    self.ends[1 - at].incoming.push_back((now + Duration::from_millis(5), packet));
                }
            }
            self.ends[at].count(|association| _ = association.poll_timeout(now));
        }
    }

    fn send(&mut self, message: &Bytes, options: SendOptions) {
        self.sent += 1;
        let stream = (self.sent % 3) as u16;
        for end in &mut self.ends {
            end.count(|association| association.send(stream, 53, message.clone(), options).unwrap());
        }
    }

    /// Each end sends `count` messages, a packet's worth of them in two milliseconds, and waits until all has come that will.
    fn carry(&mut self, count: u64, message: &Bytes, options: SendOptions) {
        let interval = 2 * message.len().div_ceil(1150) as u64;
        for step in 0..count * interval + 3000 {
            if step.is_multiple_of(interval) && step / interval < count {
                self.send(message, options);
            }
            self.step();
        }
        let has_come = self.ends.iter().all(|end| end.association.stats().messages_received == self.sent);
        assert!(has_come || !matches!(options.reliability, Reliability::Reliable | Reliability::Priority(_)));
    }
}

fn formats() -> [Config; 2] {
    let mut interleaved = Config::default();
    (interleaved.interleaving, interleaved.zero_checksum) = (true, true);
    interleaved.scheduler = Scheduler::WeightedFair;
    [Config::default(), interleaved]
}

fn with_controllers() -> Vec<Config> {
    let controls = [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr];
    let with = |control| {
        formats().map(|mut config| {
            config.congestion_control = control;
            config
        })
    };
    controls.into_iter().flat_map(with).collect()
}

/// Carries `count` messages either way after `warm_up` of them, and counts what that costs. With a seed, loss is at random, and
/// worse while it warms up.
fn assert_costs_only_messages(seed: Option<u64>, warm_up: u64, count: u64, len: usize, options: SendOptions) {
    let message = Bytes::from_static(Box::leak(vec![7; len].into_boxed_slice()));
    // How many messages are in pieces at once, and are put together in memory that is used again, depends on the window as well:
    // of long ones only the smallest windows have seen all before it is counted.
    let configs = if len < 2000 { with_controllers() } else { formats().to_vec() };
    for config in &configs {
        // The first packet that is lost may be one that counts; but long messages fill what is there, which is to happen before.
        let loss = if len < 2000 { Loss::None } else { Loss::Regular };
        let mut path = Path::new(config, loss);
        path.carry(warm_up, &message, options);
        path.loss = Loss::Regular;
        if let Some(seed) = seed {
            path.loss = Loss::Random(30, Rng::new(Seed::for_test(seed)));
            path.carry(100 * warm_up, &message, options);
            path.loss = Loss::Random(100, Rng::new(Seed::for_test(seed)));
        }
        let before = path.ends.each_ref().map(|end| (end.association.stats(), end.packets));
        for end in &mut path.ends {
            (end.allocations, end.delivered) = (0, 0);
        }
        path.carry(count, &message, options);
        for (end, (before, packets_before)) in path.ends.iter().zip(before) {
            let (stats, packets) = (end.association.stats(), end.packets - packets_before);
            let lost =
                stats.retransmitted - before.retransmitted + stats.messages_abandoned - before.messages_abandoned;
            assert!(packets >= 10_000 && lost > packets / 300, "{lost} of {packets}");
            assert!(end.delivered >= count * 95 / 100, "{}", end.delivered);
            assert_eq!(
                end.allocations, end.delivered,
                "{len} bytes, {options:?}, {:?}, {:?}",
                config.scheduler, config.congestion_control
            );
        }
    }
}

/// What is lost is sent again from where it lies, and what waits behind it is held in memory that is used again.
#[test]
fn loss_costs_no_allocation_but_the_messages() {
    let (in_time, important) = (Reliability::MaxLifetime(Duration::from_millis(10)), Reliability::Priority(1));
    for (unordered, reliability) in [(false, Reliability::Reliable), (true, in_time), (false, important)] {
        assert_costs_only_messages(None, 100, 10_000, 1000, SendOptions { unordered, reliability });
    }
}

/// Who has met worse has room for whatever loss brings: for what waits while a packet is lost twice, say.
#[test]
fn loss_at_random_costs_no_allocation_but_the_messages() {
    for seed in 0..3 {
        assert_costs_only_messages(Some(seed), 100, 10_000, 1000, SendOptions::default());
    }
}

#[test]
fn messages_of_many_packets_cost_one_allocation_each_despite_loss() {
    assert_costs_only_messages(None, 200, 1000, 16 * 1024, SendOptions::default());
    assert_costs_only_messages(None, 30, 60, 256 * 1024, SendOptions::default());
}

#[test]
fn an_idle_association_is_small() {
    let now = wigwag_sim::origin();
    let info = measure(|| {
        let (a, z, out) = connected(now, Config::default());
        std::mem::forget((a, z, out));
    });
    assert!(info.bytes_current < 2 * 20_000, "{} bytes", info.bytes_current);
}
