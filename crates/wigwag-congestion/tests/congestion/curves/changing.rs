//! Links that change, and are shared.

use super::{at_least, at_most, scenario};
use crate::flow::Source;
use crate::link::Link;
use crate::world::{Cross, World, ms, s};
use expect_test::{Expect, expect};
use std::time::Duration;

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

/// A download fills the buffer, and empties it by half when something is lost. Whoever listens to the delay gives way to it, but not all.
fn beside_a_download(buffer: Duration, least: f64, expected: &Expect) {
    let link = Link { buffer, ..Link::of(4_000_000) };
    let make = |seed| World::new(seed, link.clone(), [Source::new()]).greedy(s(15));
    scenario(4, 90, expected, make, |world| {
        at_least("what comes through", world.goodput(0, s(30), s(90)), least);
        assert!(world.greedy[0].bytes > 8_000_000, "the download gets its part");
    });
}

#[test]
fn beside_a_download_and_a_short_buffer_something_is_left() {
    beside_a_download(
        ms(100),
        80_000.0,
        &expect![[r#"
        time    link  flow 1  waits
         0 s    4000    3431     38
         4 s    4000    3918     79
         8 s    4000    4007     67
        12 s    4000    4038     97
        16 s    4000    1982     93
        20 s    4000     776     99
        24 s    4000     478     94
        28 s    4000     347     97
        32 s    4000     265     98
        36 s    4000     218    100
        40 s    4000     386     96
        44 s    4000     257     97
        48 s    4000     360     99
        52 s    4000     288     95
        56 s    4000     364     97
        60 s    4000     220     98
        64 s    4000     348     98
        68 s    4000     236     99
        72 s    4000     208     98
        76 s    4000     219     97
        80 s    4000     230     98
        84 s    4000     187     97
        88 s    4000     234     99
    "#]],
    );
}

#[test]
fn beside_a_download_and_a_long_buffer_something_is_left() {
    beside_a_download(
        ms(300),
        250_000.0,
        &expect![[r#"
        time    link  flow 1  waits
         0 s    4000    3431     38
         4 s    4000    3918     79
         8 s    4000    4007     67
        12 s    4000    4034    299
        16 s    4000     905    218
        20 s    4000     717    242
        24 s    4000     620    282
        28 s    4000     703    298
        32 s    4000     589    221
        36 s    4000     534    258
        40 s    4000     472    297
        44 s    4000     460    297
        48 s    4000     489    240
        52 s    4000     514    292
        56 s    4000     560    298
        60 s    4000     476    222
        64 s    4000     452    266
        68 s    4000     477    298
        72 s    4000     488    205
        76 s    4000     528    262
        80 s    4000     506    295
        84 s    4000     453    298
        88 s    4000     602    214
    "#]],
    );
}

/// Losses of a few seconds that were nobody's fault: when they are over, what there was is found again.
#[test]
fn what_many_losses_took_is_found_again() {
    scenario(
        2,
        30,
        &expect![[r#"
            time    link  flow 1  waits
             0 s    2000    1670     33
             2 s    2000    1966     53
             4 s    2000    1873     98
             6 s    2000    1028      9
             8 s    2000     608      4
            10 s    2000     335      0
            12 s    2000    1096     24
            14 s    2000    1969     33
            16 s    2000    2027     81
            18 s    2000    1865    148
            20 s    2000    1720     21
            22 s    2000    1775     29
            24 s    2000    1833     29
            26 s    2000    1890     26
            28 s    2000    1948     41
        "#]],
        |seed| {
            let mut world = World::new(seed, Link::of(2_000_000), [Source::new()]);
            world.run(s(5)).lose(0.25);
            world.run(s(12)).lose(0.0);
            world
        },
        |world| {
            let reached = world.reached(0, 1_400_000, s(12)).unwrap_or(s(99));
            at_most("70 % are reached after, in ms", reached.as_millis() as f64, 8_000.0);
        },
    );
}
