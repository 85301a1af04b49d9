//! What estimates do over time, kept as text, and their bounds, for other seeds, too.
//!
//! A line is each so many seconds: what the link carries, what each flow is told, both in kbit/s, and how long 95 of 100 packets waited in the
//! queue at most, in milliseconds.

use crate::flow::Source;
use crate::link::{Jitter, Link};
use crate::world::{Cross, World, ms, s};
use expect_test::{Expect, expect};
use wigwag_sim::seeds;

/// More seeds than this take more time than they tell.
const SEEDS_MAX: usize = 50;

/// Runs a world for some seeds, the first of which is drawn.
#[expect(clippy::print_stdout, reason = "a test that fails shows the curve")]
fn scenario(each: u64, until: u64, expected: &Expect, make: impl Fn(u64) -> World, bounds: impl Fn(&World)) {
    for seed in seeds(10).take(SEEDS_MAX) {
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
fn a_drop_is_followed_within_a_second_and_what_comes_again_is_found_again() {
    let link = Link { capacity: vec![(s(0), 2_000_000), (s(20), 500_000), (s(40), 2_000_000)], ..Link::of(1) };
    scenario(
        2,
        60,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    2000    1670     33
             2 s    2000    1966     53
             4 s    2000    2018    137
             6 s    2000    1739    146
             8 s    2000    1741     21
            10 s    2000    1801     23
            12 s    2000    1860     28
            14 s    2000    1919     28
            16 s    2000    1977     57
            18 s    2000    1891    112
            20 s     500     786    513
            22 s     500     466     55
            24 s     500     436     55
            26 s     500     437     30
            28 s     500     457     30
            30 s     500     456     54
            32 s     500     448     26
            34 s     500     486     39
            36 s     500     442     64
            38 s     500     457     23
            40 s    2000     796     24
            42 s    2000    1952     50
            44 s    2000    2003     74
            46 s    2000    2053     61
            48 s    2000    2101     84
            50 s    2000    1833    203
            52 s    2000    1716     24
            54 s    2000    1770     23
            56 s    2000    1829     28
            58 s    2000    1887     29
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
            time    link  flow 1  waits
             0 s    2000    1416     30
             1 s    2000    1925     36
             2 s    2000    1953     57
             3 s    2000    1980     50
             4 s    2000    2006     98
             5 s    2000    2029    144
             6 s    2000    1769    151
             7 s    2000    1710     19
             8 s    2000    1727     21
             9 s    2000    1756     20
            10 s    2000    1786     23
            11 s    2000    1815     23
            12 s    2000    1845     29
            13 s    2000    1874     24
            14 s    2000    1904     27
            15 s    2000    1934     29
            16 s    2000    1963     29
            17 s    2000    1991     64
            18 s    2000    2017    113
            19 s    2000    1766    110
            20 s     500    1269   1571
            21 s     500     250   1386
            22 s     500     250    863
            23 s     500     267    337
            24 s     500     430     25
            25 s     500     486     39
            26 s     500     434     21
            27 s     500     442     21
            28 s     500     439     39
            29 s     500     434     22
            30 s     500     452     23
            31 s     500     470     22
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
            time    link  flow 1  waits
             0 s    2000     745      6
             2 s    2000     668      4
             4 s    2000     454      4
             6 s    2000     302      0
             8 s    2000     211      0
            10 s    2000     177      0
            12 s    2000     145      0
            14 s    2000     107      0
            16 s    2000      86      0
            18 s    2000      66      0
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
                 0 s    2000    1750     31
                 4 s    2000    1772     55
                 8 s    2000    1797     23
                12 s    2000    1899     29
                16 s    2000    1875     79
                20 s    2000    1749     25
                24 s    2000    1851     27
                28 s    2000    1953     37
                32 s    2000    1812     65
                36 s    2000    1791     24
                40 s    2000    1893     34
                44 s    2000    1992     51
                48 s    2000    1814     67
                52 s    2000    1800     26
                56 s    2000    1901     33
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

#[test]
fn two_flows_share_alike() {
    let sources = || [Source::new(), Source { from: s(10), ..Source::new() }];
    scenario(
        4,
        100,
        &expect![[r#"
            time    link  flow 1  flow 2  waits
             0 s    2000    1818     300     48
             4 s    2000    1878     300    142
             8 s    2000    1284     604    270
            12 s    2000     556     999     48
            16 s    2000     754     986     69
            20 s    2000     790    1084     97
            24 s    2000     777     936     56
            28 s    2000     922     837     32
            32 s    2000    1030     853     28
            36 s    2000    1040     773     40
            40 s    2000    1104     815     38
            44 s    2000    1022     770     22
            48 s    2000    1042     770     29
            52 s    2000    1040     779     26
            56 s    2000    1015     844     30
            60 s    2000    1000     889     46
            64 s    2000     889     814     20
            68 s    2000    1012     918     36
            72 s    2000    1013     770     21
            76 s    2000    1035     872     31
            80 s    2000     774    1063    140
            84 s    2000     846     914     33
            88 s    2000     936     811     33
            92 s    2000    1075     779     38
            96 s    2000    1138     643     24
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
            time    link  flow 1  waits
             0 s    2000    1670     33
             2 s    2000    1966     53
             4 s    2000    2018    137
             6 s    2000    1739    146
             8 s    2000    1741     21
            10 s    2000    1801     23
            12 s    2000    1860     28
            14 s    2000    1919     28
            16 s    2000    1977     57
            18 s    2000    1891    112
            20 s    2000     931    190
            22 s    2000    1044     82
            24 s    2000     886     92
            26 s    2000     903     13
            28 s    2000    1038     91
            30 s    2000     955     65
            32 s    2000     915     24
            34 s    2000     917     14
            36 s    2000     974     24
            38 s    2000     863     13
            40 s    2000     920      9
            42 s    2000     981      9
            44 s    2000    1070      9
            46 s    2000    1250     14
            48 s    2000    1466     16
            50 s    2000    1719     22
            52 s    2000    2016    130
            54 s    2000    1752    158
            56 s    2000    1736     22
            58 s    2000    1794     24
            60 s    2000    1853     30
            62 s    2000    1910     39
            64 s    2000    1965     53
            66 s    2000    2017     42
            68 s    2000    2070     42
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
            time    link  flow 1  waits
             0 s   20000    1501      0
             4 s   20000    1881      0
             8 s   20000    1988      0
            12 s   20000    1988      0
            16 s   20000    1988      0
            20 s   20000    1988      0
            24 s   20000    1988      0
            28 s   20000    1988      0
            32 s   20000    1988      0
            36 s   20000    1988      0
            40 s   20000   15931     36
            44 s   20000   19199     40
            48 s   20000   19313     44
            52 s   20000   19423     52
            56 s   20000   19085    221
        "#]],
        |seed| World::new(seed, Link::of(20_000_000), [source()]),
        |world| {
            let (least, greatest) = world.extremes(0, s(2), s(40));
            at_least("the least estimate", least as f64, 600_000.0);
            // Six times the first estimate is tried, or what is sent.
            at_most("the greatest estimate", greatest as f64, 2_400_000.0);
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
            time    link  flow 1  waits
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
            time    link  flow 1  waits
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
            time    link  flow 1  waits
             0 s    2000    1670     33
             2 s    2000    1966     53
             4 s    2000    2018    137
             6 s    2000    1739    146
             8 s    2000    1741     21
            10 s    2000    1801     23
            12 s    2000    1860     28
            14 s    2000    1919     28
            16 s    2000    1977     57
            18 s    2000    1891    112
            20 s    2000    1190     19
            22 s    2000     325      4
            24 s    2000      89      0
            26 s    2000     833     21
            28 s    2000    1966     46
            30 s    2000    2019     50
            32 s    2000    2033    134
            34 s    2000    1709     79
            36 s    2000    1754     25
            38 s    2000    1813     23
        "#]],
        |seed| World::new(seed, Link::of(2_000_000), [source()]),
        |world| {
            at_most("it falls after", world.fell(0, 1_600_000, s(20)).unwrap().as_millis() as f64, 1_500.0);
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
            time    link  flow 1  waits
             0 s    2000    1745     56
             4 s    2000    1878    109
             8 s    2000    1729     20
            12 s    2000    1752     22
            16 s    2000    1771     22
            20 s    2000    1856     33
            24 s    2000    2157    232
            28 s    2000    1599    174
            32 s    2000    1756     22
            36 s    2000    1824     30
            40 s    2000    1885     30
            44 s    2000    1877    161
            48 s    2000    1715     22
            52 s    2000    1770     23
            56 s    2000    1828     30
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
        for seed in seeds(5).take(SEEDS_MAX) {
            let mut world = World::new(seed, Link::of(2_000_000), [Source { skew, clock, ..Source::new() }]);
            world.run(s(40));
            at_least("what comes through", world.goodput(0, s(5), s(40)), 1_600_000.0);
            at_most("95 of 100 wait", world.waited(0.95, s(5), s(40)) as f64, 220.0);
        }
    }
}
