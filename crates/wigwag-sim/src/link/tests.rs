//! What a link does, and how often.

use super::*;
use crate::{A, Z, address, origin};
use wigwag_sansio::Seed;

fn link() -> Link {
    Link::new(Rng::new(Seed::for_test(1)))
}

fn carry(link: &mut Link, protocol: Protocol, at_ms: u64, payload: &[u8]) -> (Passage, Vec<u8>) {
    let (now, mut payload) = (origin() + Duration::from_millis(at_ms), payload.to_vec());
    let passage = link.pass(protocol, [address(A), address(Z)], [origin(), now], &mut payload);
    (passage, payload)
}

fn pass(link: &mut Link, at_ms: u64, payload: &[u8]) -> (Fate, Vec<u128>) {
    let (passage, _) = carry(link, Protocol::Udp, at_ms, payload);
    let Passage { fate, arrivals, .. } = passage;
    (fate, arrivals.into_iter().map(|at| (at - origin()).as_millis()).collect())
}

fn bits(payload: &[u8]) -> u32 {
    payload.iter().map(|byte| byte.count_ones()).sum()
}

#[test]
fn passes_after_its_latency() {
    assert_eq!(pass(&mut link(), 5, &[0; 10]), (Fate::Passed, vec![25]));
}

#[test]
fn faults_hit_as_often_as_they_should_and_are_counted() {
    let mut link = link();
    link.loss(10.0).corruption(10.0).duplication(10.0).reordering(10.0, Duration::from_millis(50));
    for _ in 0..10_000 {
        let (Passage { fate, arrivals, .. }, payload) = carry(&mut link, Protocol::Udp, 0, &[0; 10]);
        assert_eq!(bits(&payload), u32::from(fate == Fate::Corrupted));
        let expected: &[u64] = match fate {
            Fate::Lost => &[],
            Fate::Duplicated => &[20, 20],
            Fate::Reordered => &[70],
            _ => &[20],
        };
        assert_eq!(arrivals, expected.iter().map(|ms| origin() + Duration::from_millis(*ms)).collect::<Vec<_>>());
    }
    for (fate, about) in [(Fate::Lost, 1000), (Fate::Corrupted, 900), (Fate::Duplicated, 810), (Fate::Reordered, 729)] {
        assert!(link.count(fate).abs_diff(about) < 120, "{fate}: {}", link.count(fate));
    }
}

#[test]
fn drops_the_nth_and_what_it_is_told() {
    let mut link = link();
    link.drop_nth(2).drop_if(|passing| passing.payload == [9]);
    let fates = [[0], [0], [9], [0]].map(|payload| pass(&mut link, 0, &payload).0);
    assert_eq!(fates, [Fate::Passed, Fate::Lost, Fate::Lost, Fate::Passed]);
}

#[test]
fn jitter_reorders() {
    let mut link = link();
    link.jitter(Duration::from_millis(30));
    let arrivals: Vec<_> = (0..100).map(|_| pass(&mut link, 0, &[0]).1[0]).collect();
    assert!(!arrivals.is_sorted() && arrivals.iter().all(|at| (20..50).contains(at)));
}

#[test]
fn a_rate_delays_and_its_queue_overflows() {
    let mut link = link();
    // A datagram of 952 bytes and its headers take 10 ms.
    link.rate(800_000, 3000);
    let payload = [0; 952];
    let mut arrivals = || pass(&mut link, 0, &payload);
    assert_eq!([arrivals(), arrivals(), arrivals()].map(|(_, at)| at[0]), [30, 40, 50]);
    assert_eq!(arrivals(), (Fate::QueueFull, vec![]));
    assert_eq!(pass(&mut link, 11, &payload), (Fate::Passed, vec![60]));
}

#[test]
fn what_is_too_large_does_not_pass() {
    let mut link = link();
    link.mtu(10);
    assert_eq!([10, 11].map(|len| pass(&mut link, 0, &vec![0; len]).0), [Fate::Passed, Fate::TooLarge]);
}

const MS: Duration = Duration::from_millis(1);

/// A burst lasts 100 / 25 datagrams on average, and 5 / (5 + 25) of all datagrams are in one.
#[test]
fn bursts_are_as_frequent_and_as_long_as_gilbert_and_elliott_have_it() {
    let mut link = link();
    link.bursts(5.0, 25.0, 100.0);
    let lost: Vec<bool> = (0..30_000).map(|_| pass(&mut link, 0, &[0]).0 == Fate::LostInBurst).collect();
    let bursts = lost.windows(2).filter(|pair| *pair == [false, true]).count() as u64;
    let lost = link.count(Fate::LostInBurst);
    assert!(lost.abs_diff(5000) < 400, "{lost} lost");
    assert!((lost * 10 / bursts).abs_diff(40) < 4, "{lost} lost in {bursts} bursts");
}

#[test]
fn a_burst_need_not_lose_everything() {
    let mut link = link();
    link.bursts(100.0, 0.0, 30.0);
    (0..10_000).for_each(|_| drop(pass(&mut link, 0, &[0])));
    assert!(link.count(Fate::LostInBurst).abs_diff(3000) < 200);
}

#[test]
fn bits_are_turned_over_in_a_row_and_at_least_one_is() {
    let mut link = link();
    link.fault(Duration::ZERO..MS, Fault::Corruption { percent: 100.0, bits_max: 9 });
    let flips: Vec<u32> = (0..500).map(|_| bits(&carry(&mut link, Protocol::Udp, 0, &[0; 40]).1)).collect();
    assert_eq!((flips.iter().min(), flips.iter().max()), (Some(&1), Some(&9)));
}

#[test]
fn what_is_truncated_is_the_beginning_of_what_was_sent() {
    let mut link = link();
    link.truncation(100.0);
    for _ in 0..200 {
        let (Passage { fate, .. }, payload) = carry(&mut link, Protocol::Udp, 0, &[1, 2, 3]);
        assert!(fate == Fate::Truncated && payload.len() < 3 && [1, 2, 3].starts_with(&payload));
    }
}

#[test]
fn a_fault_lasts_as_long_as_it_shall_and_changes_nothing_afterwards() {
    for (fault, expected) in [
        (Fault::Down, (Fate::Down, vec![])),
        (Fault::Loss(100.0), (Fate::Lost, vec![])),
        (Fault::Bursts { enter: 100.0, leave: 0.0, loss: 100.0 }, (Fate::LostInBurst, vec![])),
        (Fault::BlackHole(9), (Fate::TooLarge, vec![])),
        (Fault::Duplication(100.0), (Fate::Duplicated, vec![30, 30])),
        (Fault::Reordering(100.0, MS * 5), (Fate::Reordered, vec![35])),
        (Fault::Delay(MS * 7), (Fate::Passed, vec![37])),
        // 58 bytes take 464 ms.
        (Fault::Rate { bits_per_second: 1000, queue_len_max: 99 }, (Fate::Passed, vec![494])),
    ] {
        let mut link = link();
        link.fault(MS * 10..MS * 11, fault);
        assert_eq!(pass(&mut link, 9, &[0; 10]), (Fate::Passed, vec![29]), "{fault:?}");
        let is_delay = expected.0 == Fate::Passed;
        let passage = carry(&mut link, Protocol::Udp, 10, &[0; 10]).0;
        assert_eq!(passage.is_delayed, is_delay, "{fault:?}");
        let arrivals: Vec<_> = passage.arrivals.iter().map(|at| (*at - origin()).as_millis()).collect();
        assert_eq!((passage.fate, arrivals), expected, "{fault:?}");
        assert_eq!(pass(&mut link, 500, &[0; 10]), (Fate::Passed, vec![520]), "{fault:?}");
    }
}

#[test]
fn of_two_faults_the_worse_counts_and_delays_add_up() {
    let mut link = link();
    link.mtu(50).loss(1.0);
    for fault in [Fault::BlackHole(90), Fault::BlackHole(60), Fault::Delay(MS), Fault::Delay(MS)] {
        link.fault(Duration::ZERO..MS, fault);
    }
    let conditions = link.conditions_at(Duration::ZERO);
    assert_eq!((conditions.mtu, conditions.latency, conditions.loss), (50, MS * 22, 1.0));
    for loss in [20.0, 30.0, 10.0] {
        link.fault(Duration::ZERO..MS, Fault::Loss(loss));
    }
    assert_eq!(link.conditions_at(Duration::ZERO).loss, 30.0);
    link.heal();
    assert_eq!(pass(&mut link, 0, &[0; 99]), (Fate::Passed, vec![20]));
}

#[test]
fn streams_wait_until_the_link_is_up_again() {
    let mut link = link();
    link.fault(MS * 10..MS * 50, Fault::Down).fault(MS * 40..MS * 80, Fault::Down);
    let arrivals = [9, 10, 45, 80].map(|at| carry(&mut link, Protocol::Tcp, at, &[0]).0.arrivals[0] - origin());
    assert_eq!(arrivals, [MS * 29, MS * 100, MS * 100, MS * 100]);
    link.fault(MS * 100..Duration::MAX, Fault::Down);
    assert_eq!(carry(&mut link, Protocol::Tcp, 100, &[0]).0.fate, Fate::Down);
}

#[test]
fn streams_keep_their_order_and_lose_nothing() {
    let mut link = link();
    link.loss(100.0).jitter(Duration::from_secs(1));
    let streams = [address(A), address(Z)];
    let pass = |link: &mut Link| link.pass(Protocol::Tcp, streams, [origin(); 2], &mut vec![0; 9]).arrivals[0];
    assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
    assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
    link.latency(Duration::ZERO);
    assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
}
