//! What goes wrong for a while, and when.

use crate::talker::{Talker, text};
use expect_test::expect;
use std::time::Duration;
use wigwag_sim::{A, Fate, Fault, World, Z, address};

const MS: Duration = Duration::from_millis(1);

/// A says something every 100 ms, and Z echoes it.
fn talk(configure: impl FnOnce(&mut World<Talker>)) -> World<Talker> {
    let mut world = World::pair(1, [Talker::default(), Talker::echo()]);
    configure(&mut world);
    for n in 0..4 {
        world.at(MS * 100 * n, move |world| world[A].say(address(A), address(Z), &format!("message {n}")));
    }
    world.run();
    world
}

#[test]
fn a_link_flaps() {
    let world = talk(|world| {
        world.links(A, Z, |link| {
            link.fault(MS * 90..MS * 110, Fault::Down).fault(MS * 315..MS * 330, Fault::Down);
        });
    });
    expect![[r#"
          0 ms  A → Z  message 0
         20 ms  A ← Z  message 0
        100 ms  A ✗ Z  message 1  link down
        200 ms  A → Z  message 2
        220 ms  A ← Z  message 2
        300 ms  A → Z  message 3
        320 ms  A ✗ Z  message 3  link down
    "#]]
    .assert_eq(&world.ladder(text));
}

#[test]
fn a_path_is_not_the_same_in_both_directions() {
    let world = talk(|world| {
        world.link(A, Z).latency(MS * 5);
        world.link(Z, A).latency(MS * 250).mtu(8);
    });
    assert_eq!((world.count(Fate::Passed), world.count(Fate::TooLarge)), (4, 4));
    assert_eq!((world[Z].incoming.len(), world[A].incoming.len()), (4, 0));
}

#[test]
fn what_is_too_long_vanishes_in_a_black_hole_that_opens_later() {
    let world = talk(|world| {
        world.link(A, Z).fault(MS * 150..Duration::MAX, Fault::BlackHole(8));
    });
    assert_eq!((world[Z].incoming.len(), world.count(Fate::TooLarge)), (2, 2));
}

#[test]
fn a_host_changes_its_address_and_the_old_one_is_dead() {
    let new = "10.0.0.9:1000".parse().expect("an address");
    let mut world = talk(|world| {
        world.at(MS * 110, move |world| {
            world.change_address(Z, address(Z), new);
            world.note("address changed");
        });
    });
    // The one under way is lost, and so are those sent to where nobody is any more.
    assert_eq!((world[Z].incoming.len(), world.count(Fate::NoRoute)), (1, 3));
    world[A].say(address(A), new, "found");
    world.run();
    assert_eq!(world[Z].incoming.len(), 2);
    assert_eq!(world.trace().tally().total("address changed"), 1);
}

#[test]
fn what_shall_happen_happens_in_order_and_before_what_arrives_then() {
    let mut world = World::pair(1, [Talker::default(), Talker::default()]);
    world[A].say(address(A), address(Z), "hello");
    for (at, text) in [(20, "b"), (10, "a"), (20, "c"), (0, "first")] {
        world.at(MS * at, move |world| {
            assert!(world[Z].incoming.is_empty());
            world[A].say(address(A), address(Z), text);
        });
    }
    world.run();
    world.at(MS, |world| world[A].say(address(A), address(Z), "overdue"));
    world.run();
    expect![[r#"
         0 ms  A → Z  hello
         0 ms  A → Z  first
        10 ms  A → Z  a
        20 ms  A → Z  b
        20 ms  A → Z  c
        40 ms  A → Z  overdue
    "#]]
    .assert_eq(&world.ladder(text));
}

#[test]
fn what_is_planned_for_the_beginning_of_a_phase_happens_before_anything_is_sent_in_it() {
    let mut world = World::pair(1, [Talker::default(), Talker::default()]);
    world.in_phase("closing", Duration::ZERO, |world| {
        let now = world.age();
        world.link(A, Z).fault(now..now + MS, Fault::Down);
    });
    world.run_for(MS);
    world.phase("closing");
    world[A].say(address(A), address(Z), "goodbye");
    world.run();
    assert_eq!(world.trace().tally().count("closing", Fate::Down), 1);
}

#[test]
fn a_tally_counts_what_hit_which_phase() {
    let world = talk(|world| {
        world.phase("connecting");
        world.in_phase("closing", MS * 10, |world| {
            let now = world.age();
            world.link(A, Z).fault(now..now + MS * 100, Fault::Down).fault(now..now + MS * 100, Fault::Loss(100.0));
        });
        world.in_phase("never", MS, |_| unreachable!("that phase does not begin"));
        world.at(MS * 50, |world| world.phase("transfer"));
        world.link(Z, A).fault(MS * 110..MS * 130, Fault::Delay(MS * 30));
        world.at(MS * 250, |world| {
            world.phase("closing");
            world.note("goodbye");
        });
    });
    expect![[r#"
                   connecting  transfer   closing
        passed              2         4         0
        link down           0         0         1
        delayed             0         1         0
        goodbye             0         0         1
    "#]]
    .assert_eq(&world.trace().tally().to_string());
}

#[test]
fn what_a_nat_drops_is_counted_once_in_the_phase_in_which_it_was_sent() {
    let mut world = World::new(1);
    let home = world.add_nat(wigwag_sim::INTERNET, [203, 0, 113, 1].into());
    let inside = "192.168.1.2:1000".parse().expect("an address");
    world.add_behind(home, "A", &[inside], Talker::default());
    world.add("Z", &[address(Z)], Talker::default());
    let stranger = "10.0.0.3:1000".parse().expect("an address");
    world.add("S", &[stranger], Talker::default());
    world.reflexive(A, inside, stranger);
    world.links(Z, A, |link| {
        link.duplication(100.0);
    });
    world.phase("early");
    world[Z].say(address(Z), "203.0.113.1:1000".parse().expect("an address"), "twice");
    world.at(MS, |world| world.phase("late"));
    world.run();
    let tally = world.trace().tally();
    assert_eq!((tally.count("early", Fate::Filtered), tally.total(Fate::Filtered)), (1, 1));
    assert_eq!(tally.total(Fate::Duplicated), 0);
}
