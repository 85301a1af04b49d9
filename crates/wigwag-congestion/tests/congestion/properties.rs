//! Links drawn from a seed: whatever they are, most of them is used, and little waits.

use crate::flow::Source;
use crate::link::{Jitter, Link};
use crate::world::{World, ms, s};
use wigwag_sansio::{Rng, Seed};
use wigwag_sim::seeds;

/// A link that changes now and then, and a sender.
fn draw(seed: u64) -> (Link, Source) {
    let mut rng = Rng::new(Seed::for_test(seed).fork("draw"));
    let mut between = |least: u64, most: u64| least + rng.below(most - least + 1);
    // As many slow ones as fast ones.
    let mut capacity = vec![(s(0), 150_000 << between(0, 5))];
    capacity[0].1 += between(0, capacity[0].1);
    for n in 1..=between(0, 2) {
        let last = capacity.last().expect("the first").1;
        let next = (last * between(30, 250) / 100).clamp(150_000, 12_000_000);
        capacity.push((s(20 * n), next));
    }
    let jitter = match between(0, 3) {
        0 => Jitter::Each(ms(between(1, 15))),
        1 => Jitter::Bursts(ms(between(2, 20))),
        _ => Jitter::None,
    };
    let link = Link {
        capacity,
        buffer: ms(between(100, 1000)),
        delay: ms(between(5, 120)),
        loss: between(0, 15) as f64 / 1000.0,
        jitter,
    };
    let source = Source {
        sound: if between(0, 1) == 1 { 120 } else { 0 },
        pads: between(0, 3) > 0,
        interval: ms(between(50, 200)),
        skew: between(0, 200) as i64 - 100,
        clock: ms(between(0, 1 << 30)),
        ..Source::new()
    };
    (link, source)
}

#[test]
fn most_of_any_link_is_used_and_little_waits() {
    for seed in seeds(50) {
        let (link, source) = draw(seed);
        println!("WIGWAG_SEED={seed}\n{link:?}\n{source:?}");
        // Sound is sent whatever the estimate says.
        let capacity = |at| link.capacity_at(at) as f64;
        let mut world = World::new(seed, link.clone(), [source.clone()]);
        world.run(s(60));
        println!("{}", world.curve(s(2)));
        for (from, until) in [(10, 20), (30, 40), (50, 60)] {
            let (from, until) = (s(from), s(until));
            let used = world.goodput(0, from, until) / capacity(from);
            // Without padding it grows by 8 % a second, less for a short while.
            let grown = 300_000.0 * 1.05_f64.powi(from.as_secs() as i32) / capacity(from);
            let bound = if source.pads { 0.4 } else { grown.min(0.3) };
            assert!(used >= bound, "{used:.2} of the link is used from {from:?}, but {bound:.2} are expected");
            let estimate = world.extremes(0, from, until).1 as f64 / capacity(from);
            assert!(estimate <= 1.6, "{estimate:.2} of the link is told from {from:?}");
            // On a slow link it takes more time until enough has arrived to judge by.
            let (waited, bound) = (world.waited(0.95, from, until), 500.0 + 1e8 / capacity(from));
            assert!(waited as f64 <= bound, "{waited} ms from {from:?}, but at most {bound:.0} are expected");
        }
    }
}

#[test]
fn a_seed_is_a_curve() {
    for seed in seeds(50).take(3) {
        let curve = || {
            let (link, source) = draw(seed);
            World::new(seed, link, [source]).run(s(20)).curve(ms(100))
        };
        assert_eq!(curve(), curve());
    }
}
