//! What estimates do over time, kept as text, and their bounds, for other seeds, too.
//!
//! A line is each so many seconds: what the link carries, what each flow is told, both in kbit/s, and how long 95 of 100 packets waited in the
//! queue at most, in milliseconds.

use crate::flow::Source;
use crate::link::{Jitter, Link};
use crate::world::{Cross, World, ms, s};
use expect_test::{Expect, expect};
use wigwag_sim::seeds;

/// Runs a world for some seeds, the first of which is drawn.
fn scenario(each: u64, until: u64, expected: &Expect, make: impl Fn(u64) -> World, bounds: impl Fn(&World)) {
    for seed in seeds(10) {
        let mut world = make(seed);
        world.run(s(until));
        println!("WIGWAG_SEED={seed}\n{}", world.curve(s(each)));
        if seed == 0 {
            expected.assert_eq(&world.curve(s(each)));
        }
        bounds(&world);
    }
}

#[track_caller]
fn at_least(what: &str, found: f64, bound: f64) {
    assert!(found >= bound, "{what}: {found:.0}, but at least {bound:.0} is expected");
}

#[track_caller]
fn at_most(what: &str, found: f64, bound: f64) {
    assert!(found <= bound, "{what}: {found:.0}, but at most {bound:.0} is expected");
}

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
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(60)) as f64, 200.0);
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
              0 s     300     254    271
              4 s     300     270     29
              8 s     300     287     34
             12 s     300     284     30
             16 s     300     269     24
             20 s     300     272     43
             24 s     300     271     44
             28 s     300     273     37
             32 s     300     271     27
             36 s     300     277     43
             40 s     300     275     44
             44 s     300     279     28
             48 s     300     273     49
             52 s     300     272     32
             56 s     300     274     33
        "#]],
    );
}

#[test]
fn a_link_of_1_mbps_is_filled() {
    steady(
        1_000_000,
        2,
        &expect![[r#"
              0 s    1000     866     94
              4 s    1000     886     32
              8 s    1000     942     37
             12 s    1000     899     23
             16 s    1000     914     29
             20 s    1000     959     56
             24 s    1000     877     45
             28 s    1000     899     28
             32 s    1000     896     27
             36 s    1000     907     35
             40 s    1000     914     37
             44 s    1000     907     24
             48 s    1000     896     35
             52 s    1000     883     28
             56 s    1000     948     39
        "#]],
    );
}

#[test]
fn a_link_of_3_mbps_is_filled() {
    steady(
        3_000_000,
        3,
        &expect![[r#"
              0 s    3000    2682     51
              4 s    3000    2821    128
              8 s    3000    2618     23
             12 s    3000    2738     26
             16 s    3000    2856     45
             20 s    3000    2965     60
             24 s    3000    2696    116
             28 s    3000    2660     26
             32 s    3000    2778     32
             36 s    3000    2892     37
             40 s    3000    2999    114
             44 s    3000    2610    125
             48 s    3000    2679     27
             52 s    3000    2796     34
             56 s    3000    2909     42
        "#]],
    );
}

#[test]
fn a_link_of_10_mbps_is_filled() {
    steady(
        10_000_000,
        4,
        &expect![[r#"
              0 s   10000    8028     42
              4 s   10000    9675     63
              8 s   10000    9785     43
             12 s   10000    9897     38
             16 s   10000    9737    109
             20 s   10000    8542     24
             24 s   10000    8659     25
             28 s   10000    8780     26
             32 s   10000    8900     27
             36 s   10000    9020     28
             40 s   10000    9140     30
             44 s   10000    9257     31
             48 s   10000    9375     35
             52 s   10000    9490     39
             56 s   10000    9605     38
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
              0 s    2000     360      4
              4 s    2000     496      4
              8 s    2000     682      9
             12 s    2000     938      9
             16 s    2000    1291     17
             20 s    2000    1775     67
             24 s    2000    1765    156
             28 s    2000    1819     28
             32 s    2000    1933     42
             36 s    2000    2037    122
             40 s    2000    1732     61
             44 s    2000    1841     28
             48 s    2000    1955     65
             52 s    2000    1928    149
             56 s    2000    1753     27
        "#]],
        make,
        |world| {
            at_most("80 % are reached after", world.reached(0, 1_600_000, s(0)).unwrap().as_secs_f64(), 30.0);
            at_least("what comes through", world.goodput(0, s(30), s(60)), 1_600_000.0);
        },
    );
}

#[test]
fn a_drop_is_followed_within_a_second_and_what_comes_again_is_found_again() {
    let link = Link { capacity: vec![(s(0), 2_000_000), (s(20), 500_000), (s(40), 2_000_000)], ..Link::of(1) };
    scenario(
        2,
        60,
        &expect![[r#"
              0 s    2000    1686     37
              2 s    2000    1964     55
              4 s    2000    2015    136
              6 s    2000    1647    153
              8 s    2000    1740     22
             10 s    2000    1800     27
             12 s    2000    1859     29
             14 s    2000    1918     30
             16 s    2000    1975     60
             18 s    2000    1890    113
             20 s     500     786    516
             22 s     500     458     59
             24 s     500     437     71
             26 s     500     430     37
             28 s     500     439     26
             30 s     500     454     48
             32 s     500     445     27
             34 s     500     482     33
             36 s     500     456     98
             38 s     500     449     23
             40 s    2000     579     25
             42 s    2000    1859     84
             44 s    2000    1736     26
             46 s    2000    1795     23
             48 s    2000    1854     29
             50 s    2000    1910     42
             52 s    2000    1966     77
             54 s    2000    2014    103
             56 s    2000    2056    160
             58 s    2000    1694    200
        "#]],
        |seed| World::new(seed, link.clone(), [Source::new()]),
        |world| {
            at_most("it falls after, in ms", world.fell(0, 500_000, s(20)).unwrap().as_millis() as f64, 1000.0);
            at_least("what comes through meanwhile", world.goodput(0, s(23), s(40)), 375_000.0);
            at_most("95 of 100 wait soon after", world.waited(0.95, s(22), s(40)) as f64, 250.0);
            at_most("it is found again after", world.reached(0, 1_600_000, s(40)).unwrap().as_secs_f64(), 8.0);
        },
    );
}

/// Whoever notices a second later that so much less is carried has filled a deep buffer; it is emptied at once.
#[test]
fn a_queue_that_stands_is_emptied() {
    let link = Link { capacity: vec![(s(0), 2_000_000), (s(20), 500_000)], buffer: s(3), ..Link::of(1) };
    scenario(
        1,
        32,
        &expect![[r#"
              0 s    2000    1450     34
              1 s    2000    1923     38
              2 s    2000    1951     59
              3 s    2000    1977     51
              4 s    2000    2003     99
              5 s    2000    2027    145
              6 s    2000    1591    161
              7 s    2000    1702     22
              8 s    2000    1726     22
              9 s    2000    1755     22
             10 s    2000    1785     27
             11 s    2000    1815     25
             12 s    2000    1844     31
             13 s    2000    1873     28
             14 s    2000    1903     29
             15 s    2000    1933     32
             16 s    2000    1961     31
             17 s    2000    1990     66
             18 s    2000    2015    115
             19 s    2000    1764    112
             20 s     500    1270   1577
             21 s     500     250   1392
             22 s     500     250    864
             23 s     500     267    343
             24 s     500     425     28
             25 s     500     471     41
             26 s     500     501     39
             27 s     500     461     86
             28 s     500     431     22
             29 s     500     447     27
             30 s     500     465     26
             31 s     500     477     51
        "#]],
        |seed| World::new(seed, link.clone(), [Source::new()]),
        |world| {
            at_most("it falls after, in ms", world.fell(0, 500_000, s(20)).unwrap().as_millis() as f64, 1000.0);
            at_most("95 of 100 wait at first", world.waited(0.95, s(20), s(25)) as f64, 2_700.0);
            at_most("95 of 100 wait then", world.waited(0.95, s(26), s(32)) as f64, 300.0);
        },
    );
}

#[test]
fn losses_by_chance_are_no_reason_to_send_less() {
    for loss in [0.005, 0.01, 0.02] {
        let link = Link { loss, ..Link::of(2_000_000) };
        let drawn = if loss == 0.02 {
            expect![[r#"
                  0 s    2000    1822     51
                  4 s    2000    1850    134
                  8 s    2000    1734     23
                 12 s    2000    1854     28
                 16 s    2000    1902     82
                 20 s    2000    1633     22
                 24 s    2000    1796     27
                 28 s    2000    1913     34
                 32 s    2000    1861     94
                 36 s    2000    1694     22
                 40 s    2000    1813     30
                 44 s    2000    1925     39
                 48 s    2000    2014    115
                 52 s    2000    1718     31
                 56 s    2000    1829     28
            "#]]
        } else {
            continue;
        };
        scenario(
            4,
            60,
            &drawn,
            |seed| World::new(seed, link.clone(), [Source::new()]),
            |world| {
                at_least("what comes through", world.goodput(0, s(5), s(60)), 1_500_000.0);
            },
        );
    }
}

#[test]
fn many_losses_are_a_reason_to_send_less() {
    let link = Link { loss: 0.2, ..Link::of(2_000_000) };
    scenario(
        2,
        20,
        &expect![[r#"
              0 s    2000     756      9
              2 s    2000     669      4
              4 s    2000     458      4
              6 s    2000     315      0
              8 s    2000     214      0
             10 s    2000     183      0
             12 s    2000     161      0
             14 s    2000     116      0
             16 s    2000      96      0
             18 s    2000      80      0
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
              0 s    1000     879     29
              4 s    1000     908     27
              8 s    1000     982     31
             12 s    1000     950     28
             16 s    1000     953     29
             20 s    1000     999     31
             24 s    1000     932     28
             28 s    1000     951     31
             32 s    1000     940     30
             36 s    1000     919     26
             40 s    1000     937     29
             44 s    1000     930     27
             48 s    1000     948     30
             52 s    1000     927     29
             56 s    1000     955     30
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
                  0 s    2000    1309     18
                  4 s    2000    1821     30
                  8 s    2000    1789     76
                 12 s    2000    1793     26
                 16 s    2000    1895     42
                 20 s    2000    1996     64
                 24 s    2000    1715    101
                 28 s    2000    1782     27
                 32 s    2000    1884     35
                 36 s    2000    1948     64
                 40 s    2000    1704     25
                 44 s    2000    1806     27
                 48 s    2000    1908     43
                 52 s    2000    1838     84
                 56 s    2000    1746     26
            "#]],
        ),
        (
            Jitter::Bursts(ms(20)),
            expect![[r#"
                  0 s    2000    1755     33
                  4 s    2000    1791     58
                  8 s    2000    1810     26
                 12 s    2000    1910     32
                 16 s    2000    1881     87
                 20 s    2000    1750     27
                 24 s    2000    1850     29
                 28 s    2000    1950     39
                 32 s    2000    1811     89
                 36 s    2000    1722     23
                 40 s    2000    1822     30
                 44 s    2000    1922     38
                 48 s    2000    1962     89
                 52 s    2000    1692     24
                 56 s    2000    1790     27
            "#]],
        ),
        (
            Jitter::Reordering(ms(20)),
            expect![[r#"
                  0 s    2000    1309     18
                  4 s    2000    1821     30
                  8 s    2000    1796     78
                 12 s    2000    1798     27
                 16 s    2000    1810     42
                 20 s    2000    1758     28
                 24 s    2000    1863     30
                 28 s    2000    1966     42
                 32 s    2000    1753     59
                 36 s    2000    1759     26
                 40 s    2000    1862     34
                 44 s    2000    1905     82
                 48 s    2000    1790     28
                 52 s    2000    1893     38
                 56 s    2000    1993     75
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
                at_most("95 of 100 wait", world.waited(0.95, s(5), s(60)) as f64, 200.0);
            },
        );
    }
}

#[test]
fn two_flows_share_alike() {
    let sources = || [Source::new(), Source { from: s(10), ..Source::new() }];
    scenario(
        4,
        100,
        &expect![[r#"
              0 s    2000    1825     300     51
              4 s    2000    1831     300    146
              8 s    2000    1273     684    339
             12 s    2000     656    1140     89
             16 s    2000     684    1060    160
             20 s    2000     591    1026     56
             24 s    2000     776     968     45
             28 s    2000     866    1004    104
             32 s    2000     794     974    138
             36 s    2000     975     868     39
             40 s    2000     953     858     34
             44 s    2000     900     898     24
             48 s    2000     892     882     34
             52 s    2000     982     952     35
             56 s    2000     910     818     49
             60 s    2000    1012     790     47
             64 s    2000    1055     772     25
             68 s    2000     963     922     53
             72 s    2000     851     870     23
             76 s    2000     963    1006     69
             80 s    2000     815     831     23
             84 s    2000     908     896     30
             88 s    2000     942     867     25
             92 s    2000     933     899     44
             96 s    2000     889     908     27
        "#]],
        |seed| World::new(seed, Link::of(2_000_000), sources()),
        |world| {
            let [one, other] = [0, 1].map(|flow| world.goodput(flow, s(40), s(100)));
            at_most("one is the other's", one.max(other) / one.min(other), 2.0);
            at_least("both together", one + other, 1_500_000.0);
            at_most("95 of 100 wait", world.waited(0.95, s(40), s(100)) as f64, 200.0);
        },
    );
}

/// Somebody else takes half of the link, whatever happens, and leaves.
#[test]
fn what_somebody_else_takes_is_left_to_them() {
    let cross = Cross { from: s(20), until: s(40), bits_per_second: 1_000_000 };
    let make = |seed| World::new(seed, Link::of(2_000_000), [Source::new()]).cross(cross);
    scenario(
        2,
        70,
        &expect![[r#"
              0 s    2000    1686     37
              2 s    2000    1964     55
              4 s    2000    2015    136
              6 s    2000    1647    153
              8 s    2000    1740     22
             10 s    2000    1800     27
             12 s    2000    1859     29
             14 s    2000    1918     30
             16 s    2000    1975     60
             18 s    2000    1890    113
             20 s    2000    1013    231
             22 s    2000    1040    114
             24 s    2000     839     35
             26 s    2000    1071    164
             28 s    2000     767    128
             30 s    2000     907     13
             32 s    2000     964     27
             34 s    2000    1018     34
             36 s    2000     944     52
             38 s    2000     920     14
             40 s    2000     978     12
             42 s    2000    1057     13
             44 s    2000    1229     14
             46 s    2000    1441     18
             48 s    2000    1690     25
             50 s    2000    1982     72
             52 s    2000    1855    215
             54 s    2000    1719     24
             56 s    2000    1774     27
             58 s    2000    1832     28
             60 s    2000    1890     37
             62 s    2000    1945     52
             64 s    2000    1997     68
             66 s    2000    2045     58
             68 s    2000    2096     51
        "#]],
        make,
        |world| {
            at_least("what comes through meanwhile", world.goodput(0, s(23), s(40)), 650_000.0);
            at_most("the estimate meanwhile", world.estimate(0, s(23), s(40)), 1_250_000.0);
            at_most("95 of 100 wait meanwhile", world.waited(0.95, s(23), s(40)) as f64, 350.0);
            at_least("what comes through then", world.goodput(0, s(55), s(70)), 1_500_000.0);
        },
    );
}

/// Little is sent, over a link of much; then much is wanted.
#[test]
fn who_sends_little_neither_loses_nor_dreams_up_an_estimate() {
    let source = || Source { most: vec![(s(0), 400_000), (s(40), u64::MAX)], ..Source::new() };
    scenario(
        4,
        60,
        &expect![[r#"
              0 s   20000    1654      0
              4 s   20000    1748      0
              8 s   20000    1748      0
             12 s   20000    1748      0
             16 s   20000    1748      0
             20 s   20000    1748      0
             24 s   20000    1748      0
             28 s   20000    1748      0
             32 s   20000    1748      0
             36 s   20000    1748      0
             40 s   20000   15719     37
             44 s   20000   19090     40
             48 s   20000   19205     44
             52 s   20000   19316     48
             56 s   20000   19426     43
        "#]],
        |seed| World::new(seed, Link::of(20_000_000), [source()]),
        |world| {
            let (least, greatest) = world.extremes(0, s(2), s(40));
            at_least("the least estimate", least as f64, 600_000.0);
            // Six times the first estimate is what was tried.
            at_most("the greatest estimate", greatest as f64, 2_000_000.0);
            at_most("80 % are reached after", world.reached(0, 16_000_000, s(40)).unwrap().as_secs_f64(), 20.0);
        },
    );
}

/// Who says what it would send is told whether it could.
#[test]
fn what_is_wanted_is_tried() {
    let source = || Source { most: vec![(s(0), 150_000)], desired: Some(3_000_000), ..Source::new() };
    scenario(
        4,
        40,
        &expect![[r#"
              0 s   20000    4200      0
              4 s   20000    4500      0
              8 s   20000    4500      0
             12 s   20000    4500      0
             16 s   20000    4500      0
             20 s   20000    4500      0
             24 s   20000    4500      0
             28 s   20000    4500      0
             32 s   20000    4500      0
             36 s   20000    4500      0
        "#]],
        |seed| World::new(seed, Link::of(20_000_000), [source()]),
        |world| {
            at_most("it is reached after", world.reached(0, 3_000_000, s(0)).unwrap().as_secs_f64(), 20.0);
            at_most("the greatest estimate", world.extremes(0, s(0), s(40)).1 as f64, 4_500_000.0);
        },
    );
}

/// Sound alone: small packets that are not paced, and begin no probe.
#[test]
fn sound_alone_is_enough_to_keep_an_estimate() {
    let source = || Source { most: vec![(s(0), 0)], sound: 120, ..Source::new() };
    scenario(
        4,
        30,
        &expect![[r#"
              0 s     200     300      0
              4 s     200     300      0
              8 s     200     300      0
             12 s     200     300      0
             16 s     200     300      0
             20 s     200     300      0
             24 s     200     300      0
             28 s     200     300      0
        "#]],
        |seed| World::new(seed, Link::of(200_000), [source()]),
        |world| {
            let (least, greatest) = world.extremes(0, s(0), s(30));
            assert_eq!((least, greatest), (300_000, 300_000));
            assert_eq!(world.flows[0].controller.stats().probes, 0);
        },
    );
}

/// Nothing is reported for five seconds.
#[test]
fn who_hears_nothing_sends_less() {
    let source = || Source { silence: Some((s(20), s(25))), ..Source::new() };
    scenario(
        2,
        40,
        &expect![[r#"
              0 s    2000    1686     37
              2 s    2000    1964     55
              4 s    2000    2015    136
              6 s    2000    1647    153
              8 s    2000    1740     22
             10 s    2000    1800     27
             12 s    2000    1859     29
             14 s    2000    1918     30
             16 s    2000    1975     60
             18 s    2000    1890    113
             20 s    2000    1190     22
             22 s    2000     325      4
             24 s    2000      91      0
             26 s    2000     858     24
             28 s    2000    1966     49
             30 s    2000    2019     54
             32 s    2000    2052    146
             34 s    2000    1707    103
             36 s    2000    1750     27
             38 s    2000    1809     25
        "#]],
        |seed| World::new(seed, Link::of(2_000_000), [source()]),
        |world| {
            let before = world.extremes(0, ms(19_900), s(20)).1;
            at_most("it falls after", world.fell(0, before * 3 / 4, s(20)).unwrap().as_millis() as f64, 1_200.0);
            at_most("in the end", world.extremes(0, s(24), s(25)).1 as f64, 400_000.0);
            at_most("it is found again after", world.reached(0, 1_600_000, s(25)).unwrap().as_secs_f64(), 5.0);
        },
    );
}

/// Every fourth report is lost, with what it told, and they come each quarter of a second.
#[test]
fn a_bad_way_back_costs_little() {
    let source = || Source { report_loss: 0.25, interval: ms(250), ..Source::new() };
    scenario(
        4,
        60,
        &expect![[r#"
              0 s    2000    1764     53
              4 s    2000    1965    101
              8 s    2000    2022     80
             12 s    2000    2022    165
             16 s    2000    1706     27
             20 s    2000    1754     27
             24 s    2000    1811     27
             28 s    2000    1879     36
             32 s    2000    1945     41
             36 s    2000    2010    127
             40 s    2000    1729    146
             44 s    2000    1753     25
             48 s    2000    1789     27
             52 s    2000    1846     29
             56 s    2000    1903     42
        "#]],
        |seed| World::new(seed, Link::of(2_000_000), [source()]),
        |world| {
            at_least("what comes through", world.goodput(0, s(30), s(60)), 1_000_000.0);
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(60)) as f64, 350.0);
        },
    );
}

/// The peer's clock runs fast or slow, and begins anew in the middle: the curve is the same but for its ticks.
#[test]
fn another_clock_changes_nothing() {
    let wrap = ms((1 << 24) * 64);
    for (skew, clock) in [(100, s(1)), (-100, s(1)), (0, wrap - s(20)), (1000, wrap - s(7))] {
        for seed in seeds(5) {
            let mut world = World::new(seed, Link::of(2_000_000), [Source { skew, clock, ..Source::new() }]);
            world.run(s(40));
            at_least("what comes through", world.goodput(0, s(5), s(40)), 1_600_000.0);
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(40)) as f64, 220.0);
        }
    }
}
