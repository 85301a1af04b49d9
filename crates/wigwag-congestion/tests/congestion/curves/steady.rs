//! Links that stay as they are.

use super::{SEEDS_MAX, at_least, at_most, scenario};
use crate::flow::Source;
use crate::link::{Jitter, Link};
use crate::world::{World, ms, s};
use expect_test::{Expect, expect};
use wigwag_sim::seeds;

/// A link of this bitrate is found within so many seconds, used for the rest, and its queue is short.
fn steady(rate: u64, within: u64, expected: &Expect) {
    scenario(
        4,
        60,
        expected,
        |seed| World::new(seed, Link::of(rate), [Source::new()]),
        |world| {
            let reached = world.reached(0, rate * 8 / 10, s(0)).unwrap_or(s(99));
            at_most("80 % are reached after, in ms", reached.as_millis() as f64, within as f64 * 1000.0);
            at_least("what comes through", world.goodput(0, s(5), s(60)), rate as f64 * 0.8);
            at_least("the least estimate", world.extremes(0, s(5), s(60)).0 as f64, rate as f64 * 0.45);
            at_most("the greatest estimate", world.extremes(0, s(5), s(60)).1 as f64, rate as f64 * 1.25);
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(60)) as f64, 250.0);
            at_most("half of them wait", world.waited(0.5, s(5), s(60)) as f64, 60.0);
        },
    );
}

#[test]
fn a_link_of_300_kbps_is_filled() {
    steady(
        300_000,
        1,
        &expect![[r#"
            time    link  flow 1  waits
             0 s     300     255    265
             4 s     300     271     29
             8 s     300     287     32
            12 s     300     284     29
            16 s     300     268     23
            20 s     300     273     40
            24 s     300     270     26
            28 s     300     274     35
            32 s     300     273     27
            36 s     300     279     47
            40 s     300     276     38
            44 s     300     283     28
            48 s     300     273     54
            52 s     300     272     30
            56 s     300     275     33
        "#]],
    );
}

#[test]
fn a_link_of_1_mbps_is_filled() {
    steady(
        1_000_000,
        2,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    1000     861     77
             4 s    1000     885     31
             8 s    1000     940     33
            12 s    1000     903     23
            16 s    1000     913     28
            20 s    1000     905     28
            24 s    1000     926     26
            28 s    1000     907     36
            32 s    1000     894     29
            36 s    1000     895     28
            40 s    1000     915     34
            44 s    1000     908     23
            48 s    1000     895     29
            52 s    1000     892     27
            56 s    1000     899     25
        "#]],
    );
}

#[test]
fn a_link_of_3_mbps_is_filled() {
    steady(
        3_000_000,
        3,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    3000    2645     43
             4 s    3000    2828    113
             8 s    3000    2616     21
            12 s    3000    2736     24
            16 s    3000    2854     42
            20 s    3000    3093    162
            24 s    3000    2511    273
            28 s    3000    2670     23
            32 s    3000    2788     30
            36 s    3000    2903     36
            40 s    3000    2727    163
            44 s    3000    2639     23
            48 s    3000    2759     29
            52 s    3000    2873     39
            56 s    3000    2853    160
        "#]],
    );
}

#[test]
fn a_link_of_10_mbps_is_filled() {
    steady(
        10_000_000,
        4,
        &expect![[r#"
            time    link  flow 1  waits
             0 s   10000    7997     43
             4 s   10000    9734     71
             8 s   10000    9841     45
            12 s   10000    9952     39
            16 s   10000    9420    274
            20 s   10000    8554     22
            24 s   10000    8674     23
            28 s   10000    8795     23
            32 s   10000    9294     32
            36 s   10000    9151    165
            40 s   10000    8598     23
            44 s   10000    8718     23
            48 s   10000    8839     24
            52 s   10000    9945    168
            56 s   10000    8611    231
        "#]],
    );
}

/// Nobody pads, and the encoder's frames alone fill no probe: it takes longer, by 8 % a second.
#[test]
fn a_link_is_filled_without_padding() {
    let make = |seed| World::new(seed, Link::of(2_000_000), [Source { pads: false, ..Source::new() }]);
    scenario(
        4,
        60,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    2000     373      4
             4 s    2000     516      4
             8 s    2000     710      4
            12 s    2000     976      9
            16 s    2000    1343     14
            20 s    2000    1846     78
            24 s    2000    1623    194
            28 s    2000    1658     19
            32 s    2000    1789     24
            36 s    2000    1878    160
            40 s    2000    1774     25
            44 s    2000    1889     31
            48 s    2000    2001     96
            52 s    2000    1739     57
            56 s    2000    1840     27
        "#]],
        make,
        |world| {
            at_most("80 % are reached after", world.reached(0, 1_600_000, s(0)).unwrap().as_secs_f64(), 30.0);
            at_least("what comes through", world.goodput(0, s(30), s(60)), 1_600_000.0);
        },
    );
}

#[test]
fn losses_by_chance_are_no_reason_to_send_less() {
    let link = Link { loss: 0.02, ..Link::of(2_000_000) };
    scenario(
        4,
        60,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    2000    1814     48
             4 s    2000    1861    129
             8 s    2000    1774     22
            12 s    2000    1892     28
            16 s    2000    1900    104
            20 s    2000    1674     20
            24 s    2000    1792     24
            28 s    2000    1910     31
            32 s    2000    2068    179
            36 s    2000    1579     22
            40 s    2000    1758     24
            44 s    2000    1874     29
            48 s    2000    1996     94
            52 s    2000    1702     66
            56 s    2000    1801     25
        "#]],
        |seed| World::new(seed, link.clone(), [Source::new()]),
        |world| at_least("what comes through", world.goodput(0, s(5), s(60)), 1_500_000.0),
    );
}

#[test]
fn many_losses_are_a_reason_to_send_less() {
    let link = Link { loss: 0.2, ..Link::of(2_000_000) };
    scenario(
        2,
        20,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    2000     745      6
             2 s    2000     668      4
             4 s    2000     454      4
             6 s    2000     303      0
             8 s    2000     242      0
            10 s    2000     241      0
            12 s    2000     240      0
            14 s    2000     251      0
            16 s    2000     237      0
            18 s    2000     223      0
        "#]],
        |seed| World::new(seed, link.clone(), [Source::new()]),
        |world| {
            at_most("the estimate", world.estimate(0, s(10), s(20)), 500_000.0);
        },
    );
}

/// The buffer is so short that the delay says nothing: losses do.
#[test]
fn a_link_without_a_buffer_is_kept_to_by_its_losses() {
    let link = Link { buffer: ms(30), ..Link::of(1_000_000) };
    scenario(
        4,
        60,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    1000     870     25
             4 s    1000     931     27
             8 s    1000    1036     31
            12 s    1000     983     29
            16 s    1000     984     29
            20 s    1000    1005     29
            24 s    1000     958     28
            28 s    1000     997     28
            32 s    1000     982     29
            36 s    1000     997     30
            40 s    1000     977     30
            44 s    1000     968     28
            48 s    1000     914     26
            52 s    1000     949     28
            56 s    1000     979     29
        "#]],
        |seed| World::new(seed, link.clone(), [Source::new()]),
        |world| {
            at_least("what comes through", world.goodput(0, s(5), s(60)), 750_000.0);
            at_most("the greatest estimate", world.extremes(0, s(5), s(60)).1 as f64, 1_150_000.0);
        },
    );
}

#[test]
fn jitter_of_twenty_milliseconds_is_no_overuse() {
    for (jitter, expected) in [
        (
            Jitter::Each(ms(20)),
            expect![[r#"
                time    link  flow 1  waits
                 0 s    2000    1791     40
                 4 s    2000    1727     66
                 8 s    2000    1748     21
                12 s    2000    1852     25
                16 s    2000    1815     57
                20 s    2000    1678     20
                24 s    2000    1782     23
                28 s    2000    1886     30
                32 s    2000    1756     38
                36 s    2000    1791     24
                40 s    2000    1845     34
                44 s    2000    1661     19
                48 s    2000    1766     24
                52 s    2000    1869     32
                56 s    2000    1986     91
            "#]],
        ),
        (
            Jitter::Bursts(ms(20)),
            expect![[r#"
                time    link  flow 1  waits
                 0 s    2000    1730     30
                 4 s    2000    1795    111
                 8 s    2000    1783     22
                12 s    2000    1885     28
                16 s    2000    1864     70
                20 s    2000    1748     25
                24 s    2000    1850     27
                28 s    2000    1952     36
                32 s    2000    1806     71
                36 s    2000    1769     23
                40 s    2000    1870     33
                44 s    2000    1971     45
                48 s    2000    1846     61
                52 s    2000    1807     27
                56 s    2000    1908     34
            "#]],
        ),
        (
            Jitter::Reordering(ms(20)),
            expect![[r#"
                time    link  flow 1  waits
                 0 s    2000    1371     16
                 4 s    2000    1900     37
                 8 s    2000    1777     69
                12 s    2000    1821     23
                16 s    2000    1815     43
                20 s    2000    1761     26
                24 s    2000    1803     25
                28 s    2000    1906     31
                32 s    2000    1770     42
                36 s    2000    1805     25
                40 s    2000    1911     38
                44 s    2000    1785     53
                48 s    2000    1813     27
                52 s    2000    1791     37
                56 s    2000    1782     24
            "#]],
        ),
    ] {
        let link = Link { jitter, ..Link::of(2_000_000) };
        scenario(
            4,
            60,
            &expected,
            |seed| World::new(seed, link.clone(), [Source::new()]),
            |world| {
                at_least("what comes through", world.goodput(0, s(20), s(60)), 1_400_000.0);
                at_least("the least estimate", world.extremes(0, s(5), s(60)).0 as f64, 700_000.0);
                at_most("95 of 100 wait", world.waited(0.95, s(5), s(60)) as f64, 250.0);
            },
        );
    }
}

/// The peer's clock runs fast or slow, and begins anew in the middle: the curve is the same but for its ticks.
#[test]
fn another_clock_changes_nothing() {
    let wrap = ms((1 << 24) * 64);
    for (skew, clock) in [(100, s(1)), (-100, s(1)), (0, wrap - s(20)), (1000, wrap - s(7))] {
        for seed in seeds(5).take(SEEDS_MAX) {
            let mut world = World::new(seed, Link::of(2_000_000), [Source { skew, clock, ..Source::new() }]);
            world.run(s(40));
            at_least("what comes through", world.goodput(0, s(5), s(40)), 1_600_000.0);
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(40)) as f64, 220.0);
        }
    }
}

/// What a path loses whatever is sent lowers nobody below what TCP would send, so that a call goes on.
#[test]
fn losses_of_the_path_leave_what_tcp_would_send() {
    for (loss, least) in [(0.15, 100_000.0), (0.2, 150_000.0), (0.3, 120_000.0)] {
        for seed in seeds(10).take(SEEDS_MAX) {
            let mut world = World::new(seed, Link { loss, ..Link::of(2_000_000) }, [Source::new()]);
            world.run(s(60));
            let estimate = world.estimate(0, s(30), s(60));
            at_least("the estimate", estimate, least);
            at_most("the estimate", estimate, 900_000.0);
        }
    }
}

/// But a narrow link that drops what is too much, without a buffer to show it, is kept to.
#[test]
fn a_narrow_link_without_a_buffer_is_kept_to_by_its_losses() {
    for rate in [120_000, 150_000, 200_000, 250_000] {
        for seed in seeds(10).take(SEEDS_MAX) {
            let link = Link { capacity: vec![(s(0), 2_000_000), (s(10), rate)], buffer: ms(30), ..Link::of(1) };
            let mut world = World::new(seed, link, [Source::new()]);
            world.run(s(60));
            at_most("the estimate", world.estimate(0, s(30), s(60)), rate as f64 * 1.1);
            at_least("what comes through", world.goodput(0, s(30), s(60)), rate as f64 * 0.75);
        }
    }
}
