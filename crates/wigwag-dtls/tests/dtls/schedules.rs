//! D5: any schedule of loss, delay and duplication that lets each flight through in the end completes the handshake within a
//! bound, in both versions.

use crate::common::{A, Pair, Z, as_it_is, assert_same_keys, configs_of};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use wigwag_dtls::{Config, Group, Version};

/// What befalls a datagram on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Arrives,
    /// After so many milliseconds.
    Delayed(u64),
    Twice(u64, u64),
}

/// Nothing is lost afterwards. Each waiting time is twice the one before: who has waited for as long repeats itself before the
/// bound, and, having waited for twice as long, would not.
const LOSSES: Duration = Duration::from_secs(26);
/// Longer than the first waiting time by far.
const DELAY_MAX: u64 = 1500;
const BOUND: Duration = Duration::from_secs(60);

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let delay = 0..DELAY_MAX;
    let fate = prop_oneof![
        3 => Just(Fate::Lost),
        2 => Just(Fate::Arrives),
        2 => delay.clone().prop_map(Fate::Delayed),
        1 => (delay.clone(), delay).prop_map(|(one, other)| Fate::Twice(one, other)),
    ];
    prop::collection::vec(fate, 0..60)
}

/// Runs a handshake on a wire of these fates; what comes after them arrives. Says how long it took.
fn run(pair: &mut Pair, fates: Vec<Fate>) -> Duration {
    let begin = pair.now;
    let mut fates = fates.into_iter();
    // When, to whom and what; of one instant in the order in which they were sent.
    let mut flying: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    loop {
        while pair.poll(A) + pair.poll(Z) > 0 {}
        for (to, datagram) in std::mem::take(&mut pair.wire) {
            let delays = match fates.next().unwrap_or(Fate::Arrives) {
                Fate::Lost if pair.now - begin < LOSSES => vec![],
                Fate::Lost | Fate::Arrives => vec![0],
                Fate::Delayed(delay) => vec![delay],
                Fate::Twice(one, other) => vec![one, other],
            };
            flying.extend(delays.iter().map(|delay| (pair.now + Duration::from_millis(*delay), to, datagram.clone())));
        }
        flying.sort_by_key(|(at, ..)| *at);
        if pair.connected == [true; 2] || pair.closed != [None; 2] || pair.now - begin > BOUND {
            return pair.now - begin;
        }
        let deadlines = pair.peers.iter().filter_map(|peer| peer.poll_timeout(pair.now));
        let next = flying.first().map(|(at, ..)| *at).into_iter().chain(deadlines).min();
        pair.now = pair.now.max(next.expect("a handshake is never stuck"));
        let late = flying.iter().position(|(at, ..)| *at > pair.now).unwrap_or(flying.len());
        for (_, to, datagram) in flying.drain(..late) {
            pair.deliver(to, &datagram);
        }
        pair.peers.iter_mut().for_each(|peer| peer.handle_timeout(pair.now));
    }
}

/// Of one version on both sides, of 1.3 also with a HelloRetryRequest, and a client of both with a server of either.
fn configs() -> impl Strategy<Value = [Config; 2]> {
    prop::sample::select(vec![0, 1, 2, 3, 4]).prop_map(|n| {
        let version = if n % 2 == 0 { Version::Dtls13 } else { Version::Dtls12 };
        let mut configs = configs_of(version);
        match n {
            2 | 3 => (configs[A].min_version, configs[A].max_version) = (Version::Dtls12, Version::Dtls13),
            4 => configs[Z].groups = vec![Group::Secp256r1],
            _ => {}
        }
        configs
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_schedule_that_lets_each_flight_through_completes(
        fates in fates(),
        configs in configs(),
        mtu in prop::sample::select(vec![1200usize, 500, 200]),
        seed in 0u64..1000,
    ) {
        let mut pair = Pair::with(configs, seed);
        pair.mtu = mtu;
        let took = run(&mut pair, fates);
        prop_assert_eq!(pair.connected, [true; 2], "{:?}", pair.closed);
        prop_assert!(took <= BOUND, "{:?}", took);
        pair.run(BOUND, as_it_is);
        pair.assert_alive();
        assert_same_keys(&pair);
    }
}
