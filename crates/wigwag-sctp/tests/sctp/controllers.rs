//! Losses found by time, paced packets, and controllers of the user's (RFC 8985, RFC 9438).

use crate::common::{ORDERED, Peer, config, connected_with, has_chunk, ladder, plain};
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{
    Acknowledgement, Association, CloseReason, Config, CongestionControl, CongestionController, Event, Loss,
    Reliability, SendOptions,
};
use wigwag_sim::{A, World, Z, address};

fn with(control: CongestionControl) -> Config {
    let mut config = plain();
    config.congestion_control = control;
    config
}

/// A and Z, who know how long a round trip takes; what follows is in the ladder.
fn acquainted(control: CongestionControl) -> World<Peer> {
    let mut world = connected_with(1, with(control), plain());
    world[A].send(0, b"hello");
    world.run_for(Duration::from_secs(1));
    world
}

/// The rest of the ladder, from this number of milliseconds on.
fn ladder_from(world: &World<Peer>, from_ms: u64) -> String {
    let at = |line: &str| line.split_whitespace().next().and_then(|at| at.parse::<u64>().ok());
    ladder(world).lines().filter(|line| at(line) >= Some(from_ms)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_probe_finds_a_lost_tail_long_before_the_timeout() {
    let mut world = acquainted(CongestionControl::Cubic);
    let number = world.link(A, Z).counts().values().sum::<u64>();
    world.link(A, Z).drop_nth(number + 3).drop_nth(number + 4);
    world[A].send(0, &[7; 4000]);
    world.run_for(Duration::from_secs(2));
    expect_test::expect![[r#"
        1080 ms  A → Z  DATA 1 B 0:1 (1132)
        1082 ms  A → Z  DATA 2  0:1 (1132)
        1084 ms  A ✗ Z  DATA 3  0:1 (1132)  lost
        1086 ms  A ✗ Z  DATA 4 E 0:1 (604)  lost
        1102 ms  A ← Z  SACK 2
        1202 ms  A → Z  DATA 4 E 0:1 (604)
        1222 ms  A ← Z  SACK 2 +2..2
        1242 ms  A → Z  DATA 3  0:1 (1132)
        1262 ms  A ← Z  SACK 4
    "#]]
    .assert_eq(&ladder_from(&world, 1000));
    assert_eq!(world[A].association.stats().timeouts, 0);
}

#[test]
fn what_was_lost_twice_is_found_without_the_timeout() {
    let mut world = acquainted(CongestionControl::Cubic);
    let mut seen = 0;
    world.link(A, Z).drop_if(move |passing| {
        let is_it = has_chunk(passing.payload, 0) && passing.payload[16..20] == 1003u32.to_be_bytes();
        seen += u32::from(is_it);
        is_it && seen <= 2
    });
    world[A].send(0, &[7; 200_000]);
    world.run();
    let stats = world[A].association.stats();
    assert_eq!((stats.timeouts, stats.retransmitted), (0, 2));
    assert_eq!(world[Z].received().len(), 2);
}

/// How often something was sent again over a link that holds one packet in ten back by 4 ms, and loses none.
fn needless(control: CongestionControl) -> u64 {
    let mut world = acquainted(control);
    world.link(A, Z).reordering(10.0, Duration::from_millis(4)).rate(50_000_000, 1 << 20);
    for _ in 0..10 {
        world[A].send(0, &[7; 200_000]);
    }
    world.run();
    assert_eq!(world[Z].received().len(), 11);
    world[A].association.stats().retransmitted
}

#[test]
fn packets_that_overtake_one_another_are_not_taken_for_lost_for_long() {
    let by_misses = needless(CongestionControl::Rfc9260);
    let by_time = needless(CongestionControl::Cubic);
    assert!(by_time <= 5 && by_misses > 4 * by_time.max(1), "{by_time} by time, {by_misses} by misses");
}

#[test]
fn packets_leave_at_a_pace() {
    for control in [CongestionControl::Cubic, CongestionControl::Bbr] {
        let mut world = acquainted(control);
        world[A].send(0, &[7; 250_000]);
        world.run();
        let mut burst: (Option<Duration>, usize) = (None, 0);
        let mut longest = 0;
        for record in
            world.trace().records().iter().filter(|record| record.from == address(A) && record.payload.len() > 1000)
        {
            let at = Some(record.at);
            burst = if burst.0 == at { (at, burst.1 + 1) } else { (at, 1) };
            longest = longest.max(burst.1);
        }
        // A window of 60 packets and more passes, of which one millisecond's are a fraction.
        assert!(longest <= 12, "{control:?}: {longest} packets at once");
        assert!(world[A].association.stats().congestion_window > 60_000);
    }
}

/// Lets two packets be on their way, or none.
#[derive(Debug)]
struct Fixed(usize);

impl CongestionController for Fixed {
    fn window(&self) -> usize {
        self.0
    }
    fn set_packet_len(&mut self, _packet_len: usize) {}
    fn acknowledged(&mut self, news: &Acknowledgement) {
        assert!(news.acked > 0);
    }
    fn congested(&mut self, _loss: &Loss) {}
    fn timed_out(&mut self, _now: Instant) {}
    fn idled(&mut self, _timeouts: u32) {}
}

#[test]
fn a_user_brings_a_controller() {
    let control = CongestionControl::Custom(|packet_len| Box::new(Fixed(2 * packet_len)));
    let mut world = connected_with(1, with(control), Config::default());
    world[A].send(0, &[7; 100_000]);
    let mut most = 0;
    while world[Z].received().is_empty() {
        world.run_for(Duration::from_millis(5));
        most = most.max(world[A].association.stats().in_flight);
    }
    assert!((1149..=2 * 1148).contains(&most), "{most} bytes");
}

/// RFC 9260 §9.2: it answers a packet with a SHUTDOWN chunk alone, which tells what has arrived as a SACK does.
#[test]
fn what_is_sent_to_a_peer_that_shuts_down_becomes_faster_again() {
    for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
        let mut world = acquainted(control);
        world[A].send(0, &[7; 200_000]);
        world[Z].association.shutdown();
        world.run_for(Duration::from_millis(50));
        world.links(A, Z, |link| _ = link.loss(100.0));
        world.run_for(Duration::from_secs(2));
        world.links(A, Z, |link| _ = link.heal());
        world.run_for(Duration::from_secs(4));
        assert_eq!(world[Z].received().len(), 2, "{control:?}: {:?}", world[A].association.stats());
        assert_eq!(world[Z].events.last(), Some(&Event::Closed(CloseReason::Shutdown)));
    }
}

#[test]
fn a_window_of_nothing_lets_one_packet_through() {
    let control = CongestionControl::Custom(|_| Box::new(Fixed(0)));
    let mut world = connected_with(1, with(control), config(|_| {}));
    world[A].send(0, &[7; 20_000]);
    world.run();
    assert_eq!(world[Z].received().len(), 1);
    assert!(world[A].association.stats().congestion_window > 0);
}

/// RFC 3758 §3.5 A5 and C3: the peer is told at once, whatever found the loss.
#[test]
fn what_is_given_up_when_its_time_has_come_is_told_at_once() {
    let mut world = acquainted(CongestionControl::Cubic);
    let number = world.link(A, Z).counts().values().sum::<u64>();
    world.link(A, Z).drop_nth(number + 1);
    let once = SendOptions { unordered: false, reliability: Reliability::MaxRetransmits(0) };
    for message in ["lost", "next"] {
        world[A].association.send(0, 51, message.into(), once).unwrap();
        world.run_for(Duration::from_millis(1));
    }
    world.run_for(Duration::from_secs(2));
    expect_test::expect![[r#"
        1080 ms  A ✗ Z  DATA 1 BE 0:1 (4)  lost
        1081 ms  A → Z  DATA 2 BE 0:2 (4)
        1101 ms  A ← Z  SACK 0 +2..2
        1130 ms  A → Z  FORWARD TSN 1 0:1
        1150 ms  A ← Z  SACK 2
    "#]]
    .assert_eq(&ladder_from(&world, 1000));
    assert_eq!(world[A].association.stats().timeouts, 0);
}

/// A program that was stopped finds answers that have waited for it: they say little of the path.
#[test]
fn who_was_stopped_while_packets_were_on_their_way_goes_on_at_once() {
    for control in [CongestionControl::Rfc9260, CongestionControl::Cubic, CongestionControl::Bbr] {
        let configs = [with(control), plain()];
        let [mut a, mut z] = configs.map(|config| Association::new(config, Seed::for_test(1)));
        let mut now = wigwag_sim::origin();
        let carry = |from: &mut Association, to: &mut Association, now: Instant| {
            from.handle_timeout(now);
            let mut out = Vec::new();
            while from.poll_packet(now, 1200, &mut out) {
                to.handle_input(&out, now);
                out.clear();
            }
        };
        let send = |a: &mut Association| (0..20).for_each(|_| a.send(0, 51, vec![7; 1000].into(), ORDERED).unwrap());
        a.connect();
        send(&mut a);
        let (mut rounds, mut received) = (0, 0);
        while received < 40 {
            carry(&mut a, &mut z, now);
            now += Duration::from_millis(10);
            if rounds == 2 {
                now += Duration::from_secs(90);
                send(&mut a);
            }
            carry(&mut z, &mut a, now);
            now += Duration::from_millis(10);
            received +=
                std::iter::from_fn(|| z.poll_event()).filter(|event| matches!(event, Event::Message { .. })).count();
            rounds += 1;
            assert!(rounds < 250, "{control:?}: {received} after five seconds");
        }
    }
}
