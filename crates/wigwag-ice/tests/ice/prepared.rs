//! Beginning anew in two steps: what is prepared with an offer takes effect with its answer, or never.

use crate::script::{PEER_PASSWORD, Request, Script, local, path};
use crate::{Peer, ROLES, acquainted, are, config, is_mirrored};
use std::time::Duration;
use wigwag_ice::{Credentials, LocalCandidate, RemoteCandidate, Role, State};
use wigwag_sansio::Datagram;
use wigwag_sim::{A, Host, World, Z, address, seeds};
use wigwag_stun::{Class, IntegrityKey};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn prepare(script: &mut Script) -> Credentials {
    let credentials = script.agent.new_credentials();
    script.agent.prepare_restart(credentials.clone());
    assert_eq!(script.agent.offered_credentials(), &credentials);
    credentials
}

/// A request of the peer's that names these credentials of ours.
fn of(script: &mut Script, credentials: &Credentials) -> Request {
    let username = format!("{}:anew", credentials.ufrag);
    Request { username, password: credentials.password.clone(), ..script.request() }
}

fn anew() -> Credentials {
    Credentials { ufrag: "anew".into(), password: PEER_PASSWORD.into() }
}

#[test]
fn what_is_prepared_changes_nothing_until_the_peer_answers() {
    let mut script = Script::connected(Role::Controlled);
    let before = script.agent.local_credentials().clone();
    let state = script.agent.state();
    let prepared = prepare(&mut script);
    assert_eq!((script.agent.local_credentials(), script.agent.generation()), (&before, 0));
    assert_eq!(script.agent.ufrags().collect::<Vec<_>>(), [&before.ufrag, &prepared.ufrag]);
    script.answer(&[0], 120 * S);
    assert_eq!((script.agent.state(), script.agent.selected_path()), (state, Some(path(0))), "consent goes on");
    // A new address of the peer's is used as ever.
    script.signal(1);
    assert_eq!(script.agent.remote_candidates().len(), 2);
    script.agent.cancel_restart();
    assert_eq!(script.agent.offered_credentials(), &before);
    script.answer(&[0], 60 * S);
    assert_eq!((script.agent.selected_path(), script.agent.generation()), (Some(path(0)), 0));
}

#[test]
fn a_check_that_comes_before_the_answer_is_answered_and_remembered() {
    for role in [Role::Controlled, Role::Controlling] {
        let mut script = Script::connected(role);
        let prepared = prepare(&mut script);
        let request = Request { use_candidate: role == Role::Controlled, ..of(&mut script, &prepared) };
        script.feed(5, &request.bytes());
        let sent = script.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0].path, sent[0].message().class()), (path(5), Class::SuccessResponse));
        assert!(sent[0].message().is_authentic(&IntegrityKey::short_term(&prepared.password)));
        assert!(script.agent.is_open(path(5)), "what the peer may be told there comes back from there");
        assert_eq!(script.agent.selected_path(), Some(path(0)));
        assert_eq!(script.agent.remote_candidates().len(), 1, "it is of another generation");
        script.agent.set_remote_credentials(anew());
        assert_eq!(script.agent.local_credentials(), &prepared);
        script.answer(&[5], 300 * MS);
        assert_eq!(script.agent.selected_path(), Some(path(5)), "{role:?}");
    }
}

#[test]
fn what_was_taken_back_is_nobodys_name() {
    let mut script = Script::connected(Role::Controlled);
    let prepared = prepare(&mut script);
    let request = of(&mut script, &prepared);
    script.feed(0, &request.bytes());
    script.agent.cancel_restart();
    script.feed(0, &request.bytes());
    assert!(script.sent().is_empty(), "neither the answer that was owed, nor another");
    assert_eq!(script.agent.stats().unknown_ufrag, 1);
    // Nor is what was asked of one that is replaced answered by the next.
    for is_cancelled in [true, false] {
        let prepared = prepare(&mut script);
        let request = of(&mut script, &prepared);
        script.feed(0, &request.bytes());
        if is_cancelled {
            script.agent.cancel_restart();
        }
        prepare(&mut script);
        assert!(script.sent().is_empty());
        script.agent.cancel_restart();
    }
    // The next restart takes other credentials.
    script.agent.set_remote_credentials(anew());
    assert_ne!(script.agent.local_credentials(), &prepared);
    assert_eq!(script.agent.generation(), 1);
}

#[test]
fn the_credentials_to_come_are_not_those_of_now() {
    let mut script = Script::connected(Role::Controlled);
    let now = script.agent.local_credentials().clone();
    let prepared = prepare(&mut script);
    for (ufrag, password) in [(&now.ufrag, &prepared.password), (&prepared.ufrag, &now.password)] {
        let request = of(&mut script, &Credentials { ufrag: ufrag.clone(), password: password.clone() });
        script.feed(5, &request.bytes());
    }
    assert_eq!(script.agent.stats().unauthenticated_requests, 2);
    assert!(script.sent().is_empty() && !script.agent.is_open(path(5)));
    // Our own name is no beginning.
    script.agent.prepare_restart(now);
    assert_eq!(script.agent.offered_credentials(), &prepared);
}

#[test]
fn a_flood_of_early_checks_is_bounded() {
    let mut script = Script::connected(Role::Controlled);
    let prepared = prepare(&mut script);
    for number in 0..200 {
        let request = of(&mut script, &prepared);
        script.feed(number, &request.bytes());
        script.sent();
    }
    script.agent.set_remote_credentials(anew());
    assert!(script.agent.remote_candidates().len() <= 32);
}

/// A peer that does not begin anew itself (a lite one may keep its credentials) gets a new generation of ours all the same.
#[test]
fn a_peer_that_keeps_its_credentials_is_met_by_the_prepared_ones() {
    let mut script = Script::connected(Role::Controlling);
    let prepared = prepare(&mut script);
    let peer = Credentials { ufrag: crate::script::PEER_UFRAG.into(), password: PEER_PASSWORD.into() };
    script.agent.set_remote_credentials(peer.clone());
    assert_eq!((script.agent.local_credentials(), script.agent.generation()), (&prepared, 1));
    script.agent.set_remote_credentials(peer);
    assert_eq!(script.agent.generation(), 1, "once");
}

#[test]
fn what_has_failed_answers_those_who_begin_anew_and_nobody_else() {
    let mut script = Script::connected(Role::Controlled);
    let old = script.request();
    script.answer(&[], 60 * S);
    assert_eq!(script.agent.state(), State::Failed);
    let prepared = prepare(&mut script);
    script.feed(0, &old.bytes());
    assert!(script.sent().is_empty());
    let request = Request { use_candidate: true, ..of(&mut script, &prepared) };
    script.feed(7, &request.bytes());
    assert_eq!(script.sent().len(), 1);
    assert_eq!(script.agent.state(), State::Failed);
    script.agent.set_remote_credentials(anew());
    script.answer(&[7], S);
    assert_eq!(script.agent.selected_path(), Some(path(7)));
}

/// What it asks of a server for the beginning that does not come is not waited for: nothing is owed for ever, and nothing asked.
#[test]
fn what_has_failed_and_does_not_begin_anew_rests() {
    for millis in [0, 5, 10, 60, 600, 3000] {
        let mut script = Script::connected(Role::Controlling);
        for last in 1..4 {
            script.agent.add_stun_server(std::net::SocketAddr::from(([192, 0, 2, last], 3478)));
        }
        script.answer(&[], 60 * S);
        assert_eq!(script.agent.state(), State::Failed);
        prepare(&mut script);
        for _ in 0..=millis / 5 {
            _ = script.sent();
            script.pass(5 * MS);
        }
        script.agent.cancel_restart();
        assert!(script.sent().is_empty(), "after {millis} ms");
        while script.agent.poll_event().is_some() {}
        script.agent.handle_timeout(script.now);
        assert_eq!(script.agent.poll_timeout(script.now), None, "after {millis} ms");
    }
}

/// The network has changed, all has failed, and then there is an address again.
#[test]
fn what_has_failed_takes_an_address_for_when_it_begins_anew() {
    let mut script = Script::connected(Role::Controlling);
    script.agent.remove_local_candidate(local());
    script.answer(&[], 60 * S);
    assert_eq!(script.agent.state(), State::Failed);
    let other = "10.0.0.9:1000".parse().unwrap();
    script.agent.add_local_candidate(LocalCandidate::host(other)).unwrap();
    assert!(script.sent().is_empty());
    prepare(&mut script);
    script.agent.set_remote_credentials(anew());
    script.signal(0);
    let check = script.check();
    assert_eq!(check.path.local, other);
    let mut answer = crate::script::success(&check);
    let now = script.now;
    script.agent.handle_input(Datagram::udp(other, check.path.remote, &mut answer), now);
    assert_eq!(script.agent.selected_path().map(|path| path.local), Some(other));
}

fn tell(world: &mut World<Peer>, from: Host, to: Host) {
    let credentials = world[from].agent.offered_credentials().clone();
    world[to].agent.set_remote_credentials(credentials);
    let candidates: Vec<_> = world[from].agent.local_candidates().iter().map(RemoteCandidate::from).collect();
    for candidate in candidates {
        world[to].agent.add_remote_candidate(candidate).unwrap();
    }
    world[to].agent.end_of_remote_candidates();
}

fn prepare_at(world: &mut World<Peer>, host: Host) {
    let credentials = world[host].agent.new_credentials();
    world[host].agent.prepare_restart(credentials);
}

/// Under loss, whatever the signalling takes: a path at all times, and one that both ends use in the end.
#[test]
fn an_offer_and_its_answer_begin_anew_without_a_gap() {
    for seed in seeds(200) {
        let mut world = acquainted(seed, ROLES);
        world.links(A, Z, |link| {
            link.loss(10.0);
        });
        world.run_until(|world| are(world, State::Completed), 90 * S);
        let [who, other] = if seed % 2 == 0 { [A, Z] } else { [Z, A] };
        let signalling = MS * u32::try_from(seed * 37 % 3000).unwrap();
        for generation in 1..=2 {
            prepare_at(&mut world, who);
            world.run_for(signalling);
            prepare_at(&mut world, other);
            tell(&mut world, who, other);
            for _ in 0..10 {
                world.run_for(signalling / 10);
                assert!([A, Z].iter().all(|host| world[*host].agent.selected_path().is_some()), "seed {seed}");
            }
            tell(&mut world, other, who);
            world.run_until(|world| are(world, State::Completed) && is_mirrored(world), 90 * S);
            assert_eq!([A, Z].map(|host| world[host].agent.generation()), [generation; 2], "seed {seed}");
        }
        assert_eq!([A, Z].map(|host| world[host].agent.role()), ROLES);
        // The old name is given up with the old consent.
        world.run_for(40 * S);
        assert_eq!([A, Z].map(|host| world[host].agent.ufrags().count()), [1; 2], "seed {seed}");
    }
}

/// A lite peer answers the early checks of nobody, and is told by nominations alone.
#[test]
fn a_lite_agent_remembers_who_nominated_it_early() {
    let mut lite = config(Role::Controlled);
    lite.lite = true;
    let mut world = World::pair(1, [Peer::new(Role::Controlling, 1), Peer::with(lite, 2)]);
    world[A].agent.set_remote_lite();
    for host in [A, Z] {
        world[host].agent.add_local_candidate(LocalCandidate::host(address(host))).unwrap();
        world[host].agent.end_of_local_candidates();
    }
    for (from, to) in [(A, Z), (Z, A)] {
        tell(&mut world, from, to);
    }
    world.run_until(|world| are(world, State::Completed), 10 * S);
    // The lite one offers, the full one answers and nominates before its answer has come.
    prepare_at(&mut world, Z);
    prepare_at(&mut world, A);
    tell(&mut world, Z, A);
    world.run_for(2 * S);
    assert_eq!(world[Z].agent.generation(), 0);
    tell(&mut world, A, Z);
    world.run_until(|world| are(world, State::Completed) && is_mirrored(world), 10 * S);
    assert_eq!([A, Z].map(|host| world[host].agent.generation()), [1; 2]);
}
