use crate::flow::Source;
use crate::link::{Jitter, Link};
use crate::world::{Cross, World, ms, s};
use std::time::Duration;

fn show(name: &str, world: &World, each: u64) {
    println!("== {name}\n{}", world.curve(s(each)));
    for flow in &world.flows {
        println!("{:?} paced_max {:?}", flow.controller.stats(), flow.paced_max);
    }
}

#[test]
fn explore() {
    for rate in [300_000, 1_000_000, 3_000_000, 10_000_000] {
        let mut world = World::new(1, Link::of(rate), [Source::new()]);
        world.run(s(40));
        show(&format!("{rate}"), &world, 2);
    }
    let link = Link { capacity: vec![(s(0), 2_000_000), (s(20), 500_000), (s(40), 2_000_000)], ..Link::of(1) };
    let mut world = World::new(1, link, [Source::new()]);
    world.run(s(60));
    show("drop", &world, 1);
    for loss in [0.01, 0.02, 0.05, 0.15] {
        let link = Link { loss, ..Link::of(2_000_000) };
        let mut world = World::new(1, link, [Source::new()]);
        world.run(s(40));
        show(&format!("loss {loss}"), &world, 2);
    }
    for jitter in [Jitter::Each(ms(20)), Jitter::Bursts(ms(20)), Jitter::Reordering(ms(20))] {
        let link = Link { jitter, ..Link::of(2_000_000) };
        let mut world = World::new(1, link, [Source::new()]);
        world.run(s(40));
        show(&format!("jitter {jitter:?}"), &world, 2);
    }
    let mut world = World::new(1, Link::of(2_000_000), [Source::new(), Source { from: s(15), ..Source::new() }]);
    world.run(s(120));
    show("two", &world, 4);
    let link = Link { buffer: ms(30), ..Link::of(1_000_000) };
    let mut world = World::new(1, link, [Source::new()]);
    world.run(s(40));
    show("shallow", &world, 2);
    let mut world = World::new(
        1,
        Link::of(5_000_000),
        [Source { most: vec![(Duration::ZERO, 400_000), (s(40), u64::MAX)], ..Source::new() }],
    );
    world.run(s(60));
    show("app limited", &world, 2);
    let mut world = World::new(1, Link::of(2_000_000), [Source { silence: Some((s(20), s(25))), ..Source::new() }]);
    world.run(s(40));
    show("silence", &world, 1);
    let mut world = World::new(1, Link::of(2_000_000), [Source { skew: 100, ..Source::new() }]).cross(Cross {
        from: s(20),
        until: s(40),
        bits_per_second: 1_000_000,
    });
    world.run(s(60));
    show("cross", &world, 2);
}

#[test]
fn debug() {
    let mut world = World::new(1, Link::of(2_000_000), [Source { skew: 100, ..Source::new() }]).cross(Cross {
        from: s(20),
        until: s(40),
        bits_per_second: 1_000_000,
    });
    for n in 199..330 {
        world.run(ms(n * 100));
        print!("{n} {:>4} ", world.waited(0.5, ms(n * 100 - 100), ms(n * 100)));
        for flow in &world.flows {
            let stats = flow.controller.stats();
            print!(
                "| {:>5} ack {:>5} {:<10} ov {} pr {}/{} ",
                stats.target_bitrate / 1000,
                stats.acknowledged_bitrate.unwrap_or(0) / 1000,
                format!("{:?}", stats.delay_state),
                stats.overuses,
                stats.probes,
                stats.probes_succeeded
            );
        }
        println!();
    }
}
