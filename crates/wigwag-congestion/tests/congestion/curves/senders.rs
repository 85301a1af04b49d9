//! Senders that send little, and reports that do not come.

use super::{at_least, at_most, scenario};
use crate::flow::Source;
use crate::link::Link;
use crate::world::{World, ms, s};
use expect_test::expect;

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
