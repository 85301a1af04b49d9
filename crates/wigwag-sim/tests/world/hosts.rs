//! Worlds of small talkers: hosts, time, links.

use crate::talker::{Talker, text};
use expect_test::expect;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_sansio::{Ecn, Protocol, Timer, Transmit};
use wigwag_sim::{A, Fate, Host, Node, World, Z, address, origin, seeds};

fn pair() -> World<Talker> {
    World::pair(1, [Talker::default(), Talker::echo()])
}

#[test]
fn a_datagram_takes_its_time_there_and_back() {
    let mut world = pair();
    world.link(Z, A).latency(Duration::from_millis(30));
    world[A].say(address(A), address(Z), "hello");
    world.run();
    assert_eq!(world.age(), Duration::from_millis(50));
    expect![[r#"
         0 ms  A → Z  hello
        20 ms  A ← Z  hello
    "#]]
    .assert_eq(&world.ladder(text));
    assert_eq!(world[A].incoming, [(address(Z), Ecn::NotEct, b"hello".to_vec())]);
    assert_eq!((world[A].told, world[Z].told), (1, 1));
}

#[test]
fn timers_run_in_virtual_time() {
    let mut world = pair();
    world[A].timer = Timer::at(origin() + Duration::from_secs(3600));
    world.run_for(Duration::from_secs(3599));
    assert_eq!((world.age(), world.trace().count()), (Duration::from_secs(3599), 0));
    world.run_for(Duration::from_secs(2));
    assert_eq!((world.age(), world[A].incoming.len()), (Duration::from_secs(3601), 1));
}

#[test]
fn a_timer_that_ends_just_when_a_datagram_arrives_comes_after_it() {
    let mut world = pair();
    world[A].say(address(A), address(Z), "hello");
    world[A].timer = Timer::at(origin() + Duration::from_millis(40));
    world.run();
    assert_eq!(world[Z].incoming[1].2, b"tick after 1");
}

#[test]
fn a_world_without_anything_to_do_makes_no_step() {
    let mut world = pair();
    assert!(!world.step());
    world[A].say(address(A), address(Z), "x");
    assert!(world.step() && world.step() && world.now() == origin() + Duration::from_millis(20));
}

#[test]
fn batches_are_cut_as_the_kernel_does() {
    let mut world = pair();
    let transmit = Transmit { ecn: Ecn::Ect1, ..Transmit::udp(address(A), address(Z), 4) };
    world[A].outgoing.push_back((transmit, b"eightbytesx".to_vec()));
    world.run();
    let got: Vec<_> = world[Z].incoming.iter().map(|(_, ecn, bytes)| (*ecn, text(bytes))).collect();
    assert_eq!(got, ["eigh", "tbyt", "esx"].map(|bytes| (Ecn::Ect1, bytes.to_owned())));
}

#[test]
fn hosts_have_several_addresses_and_lose_them() {
    let mut world = World::new(1);
    let [first, second, other] = ["10.1.1.1:5", "[fd00::1]:5", "10.1.1.2:5"].map(|text| text.parse().unwrap());
    let a = world.add("Alice", &[first, second], Talker::default());
    let z = world.add("Zoe", &[other], Talker::default());
    world[z].say(other, first, "one");
    world[z].say(other, second, "two");
    world.run();
    world[z].say(other, second, "cut off");
    world.step();
    world.remove_address(second);
    world.run();
    world[z].say(other, second, "three");
    world[a].say(second, other, "four");
    world[a].say(first, other, "five");
    world.run();
    assert_eq!((world[a].incoming.len(), world[z].incoming.len()), (2, 1));
    expect![[r#"
         0 ms  Alice ← Zoe  one
         0 ms  Alice ← Zoe  two
        20 ms  Alice ✗ Zoe  cut off  no route
        40 ms  Alice ✗ Zoe  four  no route
        40 ms  Alice → Zoe  five
        40 ms  Zoe ✗ [fd00::1]:5  three  no route
    "#]]
    .assert_eq(&world.ladder(text));
}

#[test]
fn a_stream_that_cannot_be_opened_has_ended() {
    let mut world = pair();
    let nobody = "10.9.9.9:9".parse().unwrap();
    world[A]
        .outgoing
        .push_back((Transmit { protocol: Protocol::Tcp, ..Transmit::udp(address(A), nobody, 2) }, vec![1, 2]));
    world.run();
    assert_eq!(world[A].incoming, [(nobody, Ecn::NotEct, vec![])]);
}

#[test]
fn streams_lose_nothing_on_a_bad_link() {
    let mut world = World::pair(1, [Talker::default(), Talker::default()]);
    world.links(A, Z, |link| {
        link.loss(50.0).jitter(Duration::from_millis(50));
    });
    for n in 0..50 {
        let transmit = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(address(A), address(Z), 1) };
        world[A].outgoing.push_back((transmit, vec![n]));
    }
    // An empty one closes it.
    let close = Transmit { protocol: Protocol::Tcp, ..Transmit::udp(address(A), address(Z), 1) };
    world[A].outgoing.push_back((close, vec![]));
    world.run();
    let got: Vec<_> = world[Z].incoming.iter().map(|(_, _, bytes)| bytes.clone()).collect();
    assert_eq!(got, (0..50).map(|n| vec![n]).chain([vec![]]).collect::<Vec<_>>());
}

fn stormy(seed: u64) -> World<Talker> {
    let mut world = World::pair(seed, [Talker::default(), Talker::echo()]);
    world.links(A, Z, |link| {
        link.loss(20.0).corruption(10.0).duplication(10.0).jitter(Duration::from_millis(40));
    });
    for n in 0..100 {
        world[A].say(address(A), address(Z), &format!("message {n}"));
    }
    world.run();
    world
}

#[test]
fn one_seed_is_one_trace() {
    for seed in seeds(5) {
        let [one, again, other] = [seed, seed, seed + 1].map(stormy);
        assert_eq!(one.trace().hash(), again.trace().hash());
        assert_eq!(one.ladder(text), again.ladder(text));
        assert_ne!(one.trace().hash(), other.trace().hash());
        assert!([Fate::Lost, Fate::Corrupted, Fate::Duplicated].iter().all(|fate| one.count(*fate) > 0));
    }
}

#[test]
fn a_healed_link_is_good_again() {
    let mut world = World::pair(1, [Talker::default(), Talker::default()]);
    world.link(A, Z).loss(100.0).drop_if(|_| true);
    world[A].say(address(A), address(Z), "one");
    world.run();
    world.link(A, Z).heal();
    world[A].say(address(A), address(Z), "two");
    world.run();
    assert_eq!((world[Z].incoming.len(), world.link(A, Z).count(Fate::Lost)), (1, 1));
}

#[test]
fn machines_of_several_kinds_share_a_world() {
    let mut world: World<Box<dyn Node>> = World::pair(1, [Box::new(Talker::default()), Box::new(Talker::echo())]);
    assert!(!world.step());
}

#[test]
#[should_panic(expected = "A was woken, and is still due")]
fn who_is_due_after_being_woken_is_caught() {
    let mut world = pair();
    world[A].is_stuck = true;
    world.run();
}

#[test]
#[should_panic(expected = "livelock")]
fn a_livelock_is_caught() {
    let mut world = World::pair(1, [Talker::echo(), Talker::echo()]);
    world.links(A, Z, |link| {
        link.latency(Duration::ZERO);
    });
    world[A].say(address(A), address(Z), "again");
    world.run();
}

#[test]
#[should_panic(expected = "the world does not come to rest")]
fn a_world_without_rest_is_caught() {
    let mut world = World::pair(1, [Talker::echo(), Talker::echo()]);
    world.links(A, Z, |link| {
        link.latency(Duration::from_secs(1));
    });
    world[A].say(address(A), address(Z), "again");
    world.run();
}

#[test]
#[should_panic(expected = "was not true within 1s")]
fn a_condition_that_never_is_true_is_caught() {
    pair().run_until(|_| false, Duration::from_secs(1));
}

#[test]
fn a_world_of_many_hosts_goes_on() {
    let mut world = World::new(1);
    let hosts: Vec<Host> = (0..300u16)
        .map(|n| world.add(&n.to_string(), &[SocketAddr::from(([10, 2, 0, 1], n + 1))], Talker::default()))
        .collect();
    for n in 0..300u16 {
        let [from, to] = [n, (n + 1) % 300].map(|n| SocketAddr::from(([10, 2, 0, 1], n + 1)));
        world[hosts[usize::from(n)]].say(from, to, "pass it on");
    }
    world.run();
    assert!(hosts.iter().all(|host| world[*host].incoming.len() == 1));
}
