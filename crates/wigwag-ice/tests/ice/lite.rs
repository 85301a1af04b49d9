//! Agents that send no checks.

use crate::{Peer, are, config, dissect, end_of_candidates, introduce, is_mirrored, trickle};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Event, RemoteCandidate, Role, State};
use wigwag_sim::{A, Host, World, Z, address};

const S: Duration = Duration::from_secs(1);

fn second(host: Host) -> SocketAddr {
    let mut second = address(host);
    second.set_port(2000);
    second
}

/// A is full or lite, and Z is lite; both were told to take this role.
fn world(seed: u64, is_a_lite: bool, roles: [Role; 2], is_told: bool) -> World<Peer> {
    let peers = [(is_a_lite, roles[0]), (true, roles[1])].map(|(is_lite, role)| {
        let mut config = config(role);
        config.lite = is_lite;
        Peer::with(config, seed)
    });
    let mut world = World::pair(seed, peers);
    for host in [A, Z] {
        world.add_address(host, second(host));
    }
    if is_told {
        world[A].agent.set_remote_lite();
        if is_a_lite {
            world[Z].agent.set_remote_lite();
        }
    }
    introduce(&mut world);
    for host in [A, Z] {
        trickle(&mut world, host, address(host));
        trickle(&mut world, host, second(host));
    }
    end_of_candidates(&mut world);
    world
}

fn checks_of(world: &World<Peer>, host: Host) -> usize {
    let is_check = |record: &&wigwag_sim::Record| {
        [address(host), second(host)].contains(&record.from) && dissect(&record.payload).starts_with("check")
    };
    world.trace().records().iter().filter(is_check).count()
}

/// RFC 8445 §6.1.1
#[test]
fn a_full_agent_controls_a_lite_one() {
    for roles in [[Role::Controlling, Role::Controlled], [Role::Controlled, Role::Controlling], [Role::Controlled; 2]] {
        for is_told in [true, false] {
            let mut world = world(1, false, roles, is_told);
            world.run_until(|world| are(world, State::Completed), 10 * S);
            assert_eq!([A, Z].map(|host| world[host].agent.role()), [Role::Controlling, Role::Controlled]);
            assert!(is_mirrored(&world));
            let path = world[A].agent.selected_path().unwrap();
            assert_eq!((path.local, path.remote), (address(A), address(Z)), "the best of all");
            world.run_for(120 * S);
            assert!(are(&world, State::Completed), "consent is renewed by the checks of the other");
            assert_eq!(checks_of(&world, Z), 0);
            let changes = world[A].events.iter().filter(|event| matches!(event, Event::RoleChanged(_))).count();
            assert!(changes <= usize::from(!is_told));
        }
    }
}

#[test]
fn a_lite_agent_that_hears_nothing_sends_nothing() {
    let mut world = world(1, false, [Role::Controlling, Role::Controlled], true);
    world.run_until(|world| are(world, State::Completed), 10 * S);
    world.run_for(20 * S);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_for(20 * S);
    assert_eq!(world[Z].agent.state(), State::Disconnected);
    world.run_for(11 * S);
    assert_eq!((world[Z].agent.state(), world[Z].agent.selected_path()), (State::Failed, None));
}

#[test]
fn nobody_nominates_a_lite_agent_without_its_password() {
    let mut world = world(1, false, [Role::Controlling, Role::Controlled], true);
    world.link(A, Z).drop_if(|passing| dissect(passing.payload) == "check USE-CANDIDATE");
    world.run_for(30 * S);
    assert_eq!((world[Z].agent.state(), world[Z].agent.selected_path()), (State::Checking, None));
}

/// RFC 8445 §8.2
#[test]
fn two_lite_agents_agree_without_a_word() {
    for roles in [[Role::Controlling, Role::Controlled], [Role::Controlled, Role::Controlling]] {
        let mut world = world(1, true, roles, true);
        world.run_until(|world| are(world, State::Completed), S);
        assert!(is_mirrored(&world));
        assert_eq!([A, Z].map(|host| world[host].agent.role()), roles);
        world.run_for(600 * S);
        assert!(are(&world, State::Completed));
        assert_eq!(world.trace().count(), 0);
    }
}

#[test]
fn a_lite_agent_follows_a_restart() {
    let mut world = world(1, false, [Role::Controlling, Role::Controlled], true);
    world.run_until(|world| are(world, State::Completed), 10 * S);
    world[A].agent.restart().unwrap();
    for (from, to) in [(A, Z), (Z, A)] {
        let credentials = world[from].agent.local_credentials().clone();
        world[to].agent.set_remote_credentials(credentials);
        let candidates: Vec<_> = world[from].agent.local_candidates().iter().map(RemoteCandidate::from).collect();
        for candidate in candidates {
            world[to].agent.add_remote_candidate(candidate).unwrap();
        }
        world[to].agent.end_of_remote_candidates();
        assert!(world[to].agent.selected_path().is_some());
    }
    world.run_for(10 * S);
    assert!(are(&world, State::Completed) && is_mirrored(&world));
    assert_eq!(checks_of(&world, Z), 0);
}
