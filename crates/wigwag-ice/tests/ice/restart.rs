//! Beginning anew, and addresses that come and go.

use crate::script::{PEER_PASSWORD, Script, path};
use crate::{Peer, ROLES, acquainted, are, is_mirrored};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Credentials, LocalCandidate, RemoteCandidate, Role, State};
use wigwag_sim::{A, Host, World, Z, address};
use wigwag_stun::{Class, IntegrityKey};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn tell_credentials(world: &mut World<Peer>, from: Host, to: Host) {
    let credentials = world[from].agent.local_credentials().clone();
    world[to].agent.set_remote_credentials(credentials);
    let candidates: Vec<_> = world[from].agent.local_candidates().iter().map(RemoteCandidate::from).collect();
    for candidate in candidates {
        world[to].agent.add_remote_candidate(candidate).unwrap();
    }
    world[to].agent.end_of_remote_candidates();
}

/// Runs, and holds that both have a path at all times.
fn run_with_paths(world: &mut World<Peer>, time: Duration) {
    let end = world.age() + time;
    while world.age() < end {
        world.run_for(10 * MS);
        for host in [A, Z] {
            assert!(world[host].agent.selected_path().is_some(), "at {:?}", world.age());
        }
    }
}

/// A begins anew, and Z follows.
fn restart(world: &mut World<Peer>, signalling: Duration) {
    world[A].agent.restart().unwrap();
    run_with_paths(world, signalling);
    tell_credentials(world, A, Z);
    run_with_paths(world, signalling);
    tell_credentials(world, Z, A);
}

#[test]
fn data_goes_on_through_a_restart() {
    for (seed, signalling) in [(1, Duration::ZERO), (2, 100 * MS), (3, 10 * S)] {
        let mut world = acquainted(seed, ROLES);
        world.run_until(|world| are(world, State::Completed), S);
        let before = [A, Z].map(|host| world[host].agent.local_credentials().clone());
        restart(&mut world, signalling);
        run_with_paths(&mut world, 10 * MS);
        assert!(are(&world, State::Connected));
        run_with_paths(&mut world, 5 * S);
        assert!(are(&world, State::Completed));
        assert!(is_mirrored(&world));
        for (host, before) in [A, Z].into_iter().zip(before) {
            let after = world[host].agent.local_credentials();
            assert!(after.ufrag != before.ufrag && after.password != before.password);
            assert_eq!(world[host].agent.generation(), 1);
        }
        // RFC 8445 §9 has the roles stay.
        assert_eq!([A, Z].map(|host| world[host].agent.role()), ROLES);
        // For as long as one likes, and again.
        run_with_paths(&mut world, 60 * S);
        restart(&mut world, MS);
        run_with_paths(&mut world, 60 * S);
        assert!(are(&world, State::Completed));
    }
}

#[test]
fn a_restart_that_is_never_answered_changes_no_path() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world[A].agent.restart().unwrap();
    world[A].agent.restart().unwrap();
    run_with_paths(&mut world, 300 * S);
    assert_eq!(world[A].agent.state(), State::Connected);
    // And ends with the peer's consent, as any path does.
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_until(|world| world[A].agent.state() == State::Failed, 31 * S);
    assert_eq!(world[A].agent.selected_path(), None);
}

#[test]
fn what_has_failed_may_begin_anew() {
    let mut world = acquainted(1, ROLES);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_until(|world| are(world, State::Failed), 60 * S);
    world.links(A, Z, |link| {
        link.loss(0.0);
    });
    world[A].agent.restart().unwrap();
    tell_credentials(&mut world, A, Z);
    tell_credentials(&mut world, Z, A);
    world.run_until(|world| are(world, State::Completed), 5 * S);
    assert!(is_mirrored(&world));
    world[A].agent.close();
    assert!(world[A].agent.restart().is_err());
}

#[test]
fn both_may_restart_at_once() {
    for seed in 0..10 {
        let mut world = acquainted(seed, ROLES);
        world.links(A, Z, |link| {
            link.loss(10.0);
        });
        world.run_until(|world| are(world, State::Completed), 60 * S);
        world[A].agent.restart().unwrap();
        world[Z].agent.restart().unwrap();
        tell_credentials(&mut world, A, Z);
        tell_credentials(&mut world, Z, A);
        world.run_until(|world| are(world, State::Completed), 60 * S);
        assert_eq!([A, Z].map(|host| world[host].agent.generation()), [1, 1]);
    }
}

/// I10: what was authentic before validates nothing now.
#[test]
fn old_credentials_are_answered_and_do_nothing_else() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.answer(&[0], 100 * MS);
    let old = script.nomination();
    script.agent.restart().unwrap();
    assert!(script.agent.remote_candidates().is_empty());
    assert_eq!(script.agent.selected_path(), Some(path(0)), "data goes on");
    script.feed(5, &old.bytes());
    let sent = script.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].message().class(), Class::SuccessResponse);
    assert!(sent[0].message().is_authentic(&IntegrityKey::short_term(&old.password)));
    assert!(script.agent.remote_candidates().is_empty() && !script.agent.is_open(path(5)));
    // The old name with the new password, and the new name with the old one.
    let new = script.request();
    let forged = [(&old.username, &new.password), (&new.username, &old.password)];
    for (username, password) in forged {
        let request = crate::script::Request { username: username.clone(), password: password.clone(), ..new.clone() };
        script.feed(5, &request.bytes());
    }
    assert!(script.sent().is_empty() && script.agent.remote_candidates().is_empty());
    // When the old consent has ended, so has its name.
    script.answer(&[], 40 * S);
    script.feed(0, &old.bytes());
    assert!(script.sent().is_empty());
    assert_eq!(script.agent.selected_path(), None);
}

/// An answer to a check of the generation before proves nothing of this one.
#[test]
fn a_late_answer_validates_nothing_after_a_restart() {
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let check = script.check();
    script.agent.restart().unwrap();
    script.agent.set_remote_credentials(Credentials { ufrag: "anew".into(), password: PEER_PASSWORD.into() });
    script.signal(0);
    script.feed(0, &crate::script::success(&check));
    assert_eq!((script.agent.selected_path(), script.agent.stats().unknown_transaction), (None, 1));
}

fn second(host: Host) -> SocketAddr {
    let mut second = address(host);
    second.set_port(2000);
    second
}

fn add(world: &mut World<Peer>, host: Host, local: SocketAddr) {
    world.add_address(host, local);
    world[host].agent.add_local_candidate(LocalCandidate::host(local)).unwrap();
}

fn vanish(world: &mut World<Peer>, host: Host, local: SocketAddr) {
    world.remove_address(local);
    world[host].agent.remove_local_candidate(local);
}

#[test]
fn a_peer_that_loses_its_address_goes_on_with_another() {
    for (who, other) in [(A, Z), (Z, A)] {
        for gap in [Duration::ZERO, 5 * S] {
            let mut world = acquainted(1, ROLES);
            world.run_until(|world| are(world, State::Completed), S);
            world.run_for(10 * S);
            if gap.is_zero() {
                add(&mut world, who, second(who));
                run_with_paths(&mut world, S);
                vanish(&mut world, who, address(who));
                run_with_paths(&mut world, S);
            } else {
                vanish(&mut world, who, address(who));
                world.run_for(gap);
                assert_eq!(world[who].agent.state(), State::Disconnected);
                add(&mut world, who, second(who));
            }
            world.run_until(is_mirrored, 12 * S);
            assert_eq!(world[other].agent.selected_path().unwrap().remote, second(who));
            run_with_paths(&mut world, 60 * S);
            assert!(is_mirrored(&world));
            assert!(are(&world, State::Completed), "{:?}", [A, Z].map(|host| world[host].agent.state()));
        }
    }
}

#[test]
fn an_agent_that_has_lost_all_addresses_fails_when_its_patience_ends() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    vanish(&mut world, A, address(A));
    world.run_for(39 * S);
    assert_eq!(world[A].agent.state(), State::Disconnected);
    world.run_for(S);
    assert_eq!(world[A].agent.state(), State::Failed);
    // An address that is none of ours is none to lose.
    world[Z].agent.remove_local_candidate(address(A));
}

/// A network changes: the agent begins anew, and the address that was in use vanishes before the peer has answered.
#[test]
fn an_address_that_vanishes_amid_a_restart_ends_nothing() {
    for (who, other) in [(A, Z), (Z, A)] {
        for has_peer in [false, true] {
            let mut world = acquainted(1, ROLES);
            world.run_until(|world| are(world, State::Completed), S);
            add(&mut world, who, second(who));
            world[who].agent.restart().unwrap();
            if has_peer {
                tell_credentials(&mut world, who, other);
                // The candidates trickle, and the first is yet to come.
                let credentials = world[other].agent.local_credentials().clone();
                world[who].agent.set_remote_credentials(credentials);
            }
            // The link is so long that no check has come before.
            world.links(A, Z, |link| {
                link.latency(300 * MS);
            });
            world.run_for(100 * MS);
            vanish(&mut world, who, address(who));
            world.run_for(100 * MS);
            assert_eq!(world[who].agent.selected_path(), None);
            assert_eq!(world[who].agent.state(), State::Disconnected);
            if !has_peer {
                world.run_for(30 * S);
                tell_credentials(&mut world, who, other);
            }
            tell_credentials(&mut world, other, who);
            // The address that has vanished was told, and is tried to the end.
            world.run_until(|world| are(world, State::Completed), 60 * S);
            assert!(is_mirrored(&world));
        }
    }
}

/// The peer has moved, and has told where to; but its checks do not come through the NAT before us until ours has opened it.
#[test]
fn when_the_path_in_use_falls_silent_all_others_are_tried() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::connected(role);
        script.signal(1);
        script.answer(&[1], 14 * S);
        assert_eq!(script.agent.selected_path(), Some(path(1)), "{role:?}");
        script.answer(&[1], 60 * S);
        assert_eq!(script.agent.selected_path(), Some(path(1)), "{role:?}");
    }
}
