//! Two agents and a network between them.

use crate::{ROLES, acquainted, are, dissect, end_of_candidates, introduce, is_mirrored, strangers, trickle};
use expect_test::expect;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Event, Kind, LocalCandidate, Path, RemoteCandidate, Role, State};
use wigwag_sansio::Protocol;
use wigwag_sim::{A, Z, address};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

#[test]
fn two_hosts_connect_and_nominate() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world.run_for(S);
    expect![[r#"
         0 ms  A → Z  check
         0 ms  A ← Z  check
        20 ms  A ← Z  success
        20 ms  A → Z  success
        50 ms  A → Z  check USE-CANDIDATE
        70 ms  A ← Z  success
    "#]]
    .assert_eq(&world.ladder(dissect));
    assert!(is_mirrored(&world));
    let path = Path { protocol: Protocol::Udp, local: address(A), remote: address(Z) };
    assert_eq!(
        world[A].events,
        [
            Event::StateChanged(State::Checking),
            Event::PathSelected(path),
            Event::StateChanged(State::Connected),
            Event::StateChanged(State::Completed),
        ]
    );
    assert_eq!(world[A].agent.round_trip_time(), Some(40 * MS));
    assert!(world[A].agent.is_open(path) && world[A].agent.is_proven(path));
    let other = Path { remote: address(A), ..path };
    assert!(!world[A].agent.is_open(other) && !world[A].agent.is_proven(other));
}

#[test]
fn lost_checks_are_sent_again() {
    let mut world = acquainted(1, ROLES);
    // Z's own checks are lost, so that nothing but A's help.
    world.link(Z, A).drop_if(|passing| dissect(passing.payload) == "check");
    world.link(A, Z).drop_nth(1).drop_nth(2);
    world.run_until(|world| world[A].agent.state() == State::Completed, 3 * S);
    world.run_for(100 * MS);
    expect![[r#"
           0 ms  A ✗ Z  check  lost
           0 ms  A ✗ Z  check  lost
         500 ms  A ✗ Z  check  lost
         500 ms  A ✗ Z  check  lost
        1500 ms  A → Z  check
        1500 ms  A ✗ Z  check  lost
        1520 ms  A ← Z  success
        1520 ms  A ✗ Z  check  lost
        1540 ms  A → Z  check USE-CANDIDATE
        1560 ms  A ← Z  success
        1570 ms  A ✗ Z  check  lost
    "#]]
    .assert_eq(&world.ladder(dissect));
    assert!(world[A].agent.stats().checks_retransmitted >= 2);
}

#[test]
fn a_role_conflict_is_settled() {
    for role in [Role::Controlling, Role::Controlled] {
        for seed in 0..20 {
            let mut world = acquainted(seed, [role; 2]);
            world.run_until(|world| are(world, State::Completed), S);
            assert_ne!(world[A].agent.role(), world[Z].agent.role());
            assert!(is_mirrored(&world));
            let switched = [A, Z].map(|host| {
                let is_switch = |event: &&Event| matches!(event, Event::RoleChanged(_));
                world[host].events.iter().filter(is_switch).count()
            });
            assert!(matches!(switched, [0, 1] | [1, 0]), "{switched:?}");
        }
    }
}

#[test]
fn checks_before_the_answer_are_answered_and_remembered() {
    let mut world = strangers(1, ROLES);
    // A has offered; Z has answered, but the answer has not reached A.
    let [a, z] = [A, Z].map(|host| world[host].agent.add_local_candidate(LocalCandidate::host(address(host))).unwrap());
    let credentials = world[A].agent.local_credentials().clone();
    world[Z].agent.set_remote_credentials(credentials);
    world[Z].agent.add_remote_candidate(RemoteCandidate::from(&a)).unwrap();
    world.run_for(100 * MS);
    assert_eq!(world[A].agent.selected_path(), None);
    assert_eq!(world[A].agent.remote_candidates()[0].kind, Kind::PeerReflexive);
    let path = Path { protocol: Protocol::Udp, local: address(A), remote: address(Z) };
    assert!(world[A].agent.is_open(path) && !world[A].agent.is_proven(path));
    assert_eq!(world[Z].agent.state(), State::Connected);

    let credentials = world[Z].agent.local_credentials().clone();
    world[A].agent.set_remote_credentials(credentials);
    world.run_until(|world| world[A].agent.state() == State::Connected, 100 * MS);
    world.run_for(100 * MS);
    expect![[r#"
          0 ms  A ← Z  check
         20 ms  A → Z  success
        100 ms  A → Z  check
        120 ms  A ← Z  success
        150 ms  A → Z  check USE-CANDIDATE
        170 ms  A ← Z  success
    "#]]
    .assert_eq(&world.ladder(dissect));

    // The signalled candidate is the one that was learned, and says more of it.
    world[A].agent.add_remote_candidate(RemoteCandidate::from(&z)).unwrap();
    assert_eq!(world[A].agent.remote_candidates().len(), 1);
    assert_eq!(world[A].agent.remote_candidates()[0].kind, Kind::Host);
    assert_eq!(world[A].agent.remote_candidates()[0].foundation, z.foundation);
}

#[test]
fn candidates_may_trickle_in_any_order() {
    let mut world = strangers(1, ROLES);
    trickle(&mut world, A, address(A));
    world.run_for(S);
    introduce(&mut world);
    world.run_for(S);
    assert!(are(&world, State::New) || world[Z].agent.state() == State::New);
    trickle(&mut world, Z, address(Z));
    world.run_until(|world| are(world, State::Connected), S);
    end_of_candidates(&mut world);
    world.run_until(|world| are(world, State::Completed), S);
    assert!(is_mirrored(&world));
}

#[test]
fn a_peer_behind_a_nat_is_found_by_its_checks() {
    let mut world = strangers(1, ROLES);
    introduce(&mut world);
    // Z signals an address that A cannot reach; its checks come from its real one.
    trickle(&mut world, A, address(A));
    let z = world[Z].agent.add_local_candidate(LocalCandidate::host(address(Z))).unwrap();
    let unreachable: SocketAddr = "192.168.1.2:1000".parse().unwrap();
    let signalled = RemoteCandidate::udp(&z.foundation, z.priority, unreachable, Kind::Host);
    world[A].agent.add_remote_candidate(signalled).unwrap();
    world.run_until(|world| are(world, State::Connected), 2 * S);
    assert!(is_mirrored(&world));
    let learned = &world[A].agent.remote_candidates()[1];
    assert_eq!((learned.kind, learned.address), (Kind::PeerReflexive, address(Z)));
    // The priority that Z gave to what A would learn.
    assert_eq!(learned.priority, 1_862_270_975);
}

#[test]
fn the_best_of_several_pairs_is_nominated() {
    let second: [SocketAddr; 2] = ["10.1.0.1:1000".parse().unwrap(), "10.1.0.2:1000".parse().unwrap()];
    for seed in 0..10 {
        let mut world = strangers(seed, ROLES);
        for (host, second) in [A, Z].into_iter().zip(second) {
            world.add_address(host, second);
        }
        introduce(&mut world);
        for (host, second) in [A, Z].into_iter().zip(second) {
            trickle(&mut world, host, address(host));
            trickle(&mut world, host, second);
        }
        end_of_candidates(&mut world);
        world.run_until(|world| are(world, State::Completed), 2 * S);
        assert!(is_mirrored(&world));
        let path = world[A].agent.selected_path().unwrap();
        assert_eq!((path.local, path.remote), (address(A), address(Z)));
    }
}

#[test]
fn new_checks_are_paced() {
    let mut world = strangers(1, ROLES);
    introduce(&mut world);
    trickle(&mut world, A, address(A));
    for number in 0..20 {
        let address = SocketAddr::from(([10, 9, 0, number], 1000));
        let candidate = RemoteCandidate::udp(&number.to_string(), 1000 + u32::from(number), address, Kind::Host);
        world[A].agent.add_remote_candidate(candidate).unwrap();
    }
    world.run_for(2 * S);
    let mut sent: Vec<_> = world.trace().records().iter().map(|record| (record.at, record.to)).collect();
    let mut seen = std::collections::BTreeSet::new();
    sent.retain(|(_, to)| seen.insert(*to));
    assert_eq!(sent.len(), 20);
    assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 50 * MS), "{sent:?}");
    // The highest priority first.
    assert_eq!(sent[0].1, SocketAddr::from(([10, 9, 0, 19], 1000)));
}

#[test]
fn nothing_works_until_patience_ends() {
    let mut world = acquainted(1, ROLES);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_for(Duration::from_millis(39_499));
    assert!(are(&world, State::Checking));
    world.run_for(S);
    assert!(are(&world, State::Failed));
    let sent = world.trace().count();
    world.run_for(60 * S);
    assert_eq!(world.trace().count(), sent);
    assert!(world[A].agent.add_local_candidate(LocalCandidate::host(address(A))).is_ok(), "for when it begins anew");
}

/// RFC 8863: a peer whose candidates are unusable may still send checks.
#[test]
fn no_candidates_are_no_failure_until_patience_ends() {
    let mut world = strangers(1, ROLES);
    introduce(&mut world);
    end_of_candidates(&mut world);
    world.run_for(39 * S);
    assert!(are(&world, State::New));
    world.run_for(S);
    assert!(are(&world, State::Failed));
}

#[test]
fn silence_disconnects_and_an_answer_connects_again() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world.run_for(10 * S);
    assert!(are(&world, State::Completed));
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_until(|world| are(world, State::Disconnected), 9 * S);
    assert!(world[A].agent.selected_path().is_some(), "the consent has not expired");
    world.links(A, Z, |link| {
        link.loss(0.0);
    });
    world.run_until(|world| are(world, State::Completed), 7 * S);
}

/// RFC 7675 §5.1
#[test]
fn nothing_is_sent_30_seconds_after_the_last_consent() {
    for seed in 0..10 {
        let mut world = acquainted(seed, ROLES);
        world.run_until(|world| are(world, State::Completed), S);
        world.run_for(7 * S + seed as u32 * 700 * MS);
        let lost = world.age();
        world.links(A, Z, |link| {
            link.loss(100.0);
        });
        world.run_until(|world| are(world, State::Failed), 31 * S);
        assert!(world.age() - lost <= 30 * S + 40 * MS);
        assert!(world.age() - lost >= 23 * S, "consent was asked for at least every 6 s before");
        assert_eq!(world[A].agent.selected_path(), None);
        let last = world[A].events.last();
        assert_eq!(last, Some(&Event::StateChanged(State::Failed)));
    }
}

#[test]
fn consent_is_asked_for_every_4_to_6_seconds() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    let before = world.trace().records().len();
    world.run_for(600 * S);
    let records = &world.trace().records()[before..];
    let asked: Vec<_> =
        records.iter().filter(|r| r.from == address(A) && dissect(&r.payload) == "check").map(|r| r.at).collect();
    assert!(asked.windows(2).all(|pair| (4 * S..=6 * S).contains(&(pair[1] - pair[0]))));
    assert!((100..=150).contains(&asked.len()), "{}", asked.len());
    assert!(are(&world, State::Completed));
}

#[test]
fn loss_delay_and_duplication_only_delay() {
    for seed in wigwag_sim::seeds(50) {
        let mut world = acquainted(seed, ROLES);
        world.links(A, Z, |link| {
            link.latency(60 * MS).jitter(40 * MS).loss(20.0).duplication(10.0).reordering(10.0, 100 * MS);
        });
        // A nomination of which every answer is lost is given up after 39.5 s, and another is sent.
        world.run_until(|world| are(world, State::Completed), 90 * S);
        assert!(is_mirrored(&world));
    }
}

/// The path works, as consent says: only the nomination had no luck.
#[test]
fn a_nomination_of_which_everything_is_lost_is_made_again() {
    let mut world = acquainted(1, ROLES);
    let mut lost = 0;
    world.link(A, Z).drop_if(move |passing| {
        let is_nomination = dissect(passing.payload) == "check USE-CANDIDATE";
        lost += u32::from(is_nomination);
        is_nomination && lost <= 7
    });
    world.run_until(|world| are(world, State::Completed), 45 * S);
    for host in [A, Z] {
        assert!(!world[host].events.contains(&Event::StateChanged(State::Failed)));
    }
    assert!(is_mirrored(&world));
}

#[test]
fn closing_ends_everything() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world[A].agent.close();
    assert_eq!(world[A].agent.selected_path(), None);
    world.run_for(100 * MS);
    let sent_by_a = |world: &wigwag_sim::World<crate::Peer>| {
        world.trace().records().iter().filter(|record| record.from == address(A)).count()
    };
    let before = sent_by_a(&world);
    world.run_for(60 * S);
    assert_eq!(sent_by_a(&world), before);
    assert_eq!(world[A].events.last(), Some(&Event::StateChanged(State::Closed)));
    assert_eq!(world[Z].agent.state(), State::Failed);
    assert_eq!(world[A].agent.poll_timeout(world.now()), None);
}

#[test]
fn a_seed_determines_every_byte() {
    let run = |seed| {
        let mut world = acquainted(seed, ROLES);
        world.run_for(20 * S);
        world.trace().hash()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
