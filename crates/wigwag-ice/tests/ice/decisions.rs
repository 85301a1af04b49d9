//! What the agent tells of its decisions.

use crate::script::{Script, remote};
use crate::{ROLES, acquainted, are, strangers};
use expect_test::expect;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Kind, RemoteAddress, RemoteCandidate, Role, State};
use wigwag_sansio::Datagram;
use wigwag_sim::{A, Z};

const S: Duration = Duration::from_secs(1);

fn text(agent: &wigwag_ice::Agent) -> String {
    // A first line without indentation keeps that of the others.
    std::iter::once("A:\n".to_owned()).chain(agent.decisions().map(|decision| format!("{decision}\n"))).collect()
}

#[test]
fn each_decision_is_told_with_its_reason() {
    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world.run_for(60 * S);
    expect![[r#"
        A:
             0 ms  formed 10.0.0.1:1000 → 10.0.0.2:1000: both addresses are known, and of one kind
             0 ms  state changed: checking
             0 ms  checked 10.0.0.1:1000 → 10.0.0.2:1000: it is the best that waits
            40 ms  succeeded 10.0.0.1:1000 → 10.0.0.2:1000: its check was answered
            40 ms  selected 10.0.0.1:1000 → 10.0.0.2:1000: it is to be nominated
            40 ms  state changed: connected
            50 ms  checked 10.0.0.1:1000 → 10.0.0.2:1000: to nominate it
            90 ms  nominated 10.0.0.1:1000 → 10.0.0.2:1000: by us: it works, and nothing better was to be expected
            90 ms  state changed: completed
    "#]]
    .assert_eq(&text(&world[A].agent));
    expect![[r#"{"after_ms":0,"deed":"formed","local":"10.0.0.1:1000","remote":"10.0.0.2:1000","why":"both addresses are known, and of one kind"}"#]]
        .assert_eq(&world[A].agent.decisions().next().unwrap().to_json());
    assert_eq!(world[A].agent.failure(), None);
}

#[test]
fn a_failure_comes_with_advice_and_the_last_decisions() {
    let mut world = acquainted(1, ROLES);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_until(|world| are(world, State::Failed), 60 * S);
    expect![[r#"
        every check timed out: is UDP to 10.0.0.2:1000 blocked?
             0 ms  formed 10.0.0.1:1000 → 10.0.0.2:1000: both addresses are known, and of one kind
             0 ms  state changed: checking
             0 ms  checked 10.0.0.1:1000 → 10.0.0.2:1000: it is the best that waits
         39500 ms  failed 10.0.0.1:1000 → 10.0.0.2:1000: not answered"#]]
    .assert_eq(&world[A].agent.failure().unwrap().to_string());
    let failure = world[A].agent.failure().unwrap();
    let decisions: Vec<_> = failure.last.iter().map(wigwag_ice::Decision::to_json).collect();
    assert_eq!(
        failure.to_json(),
        format!(
            r#"{{"advice":"every check timed out: is UDP to 10.0.0.2:1000 blocked?","last":[{}]}}"#,
            decisions.join(",")
        )
    );
    world[A].agent.restart().unwrap();
    assert_eq!(world[A].agent.failure(), None);
}

#[test]
fn advice_goes_by_what_was_seen() {
    let advice = |world: &wigwag_sim::World<crate::Peer>| world[A].agent.failure().unwrap().advice.clone();
    let mut world = strangers(1, ROLES);
    crate::introduce(&mut world);
    world.run_for(60 * S);
    assert!(advice(&world).contains("no local address"));

    let mut world = acquainted(1, ROLES);
    world.run_until(|world| are(world, State::Completed), S);
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_for(60 * S);
    assert!(advice(&world).contains("consent"));

    let mut script = Script::new(Role::Controlling);
    let name = RemoteAddress::Name("b1bb2c0e.local".into(), 5000);
    script.agent.add_remote_candidate(RemoteCandidate::udp("1", 1, name, Kind::Host)).unwrap();
    script.answer(&[], 60 * S);
    assert!(script.agent.failure().unwrap().advice.contains("names"));

    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 1000));
    for _ in 0..60 {
        let mut bytes = script.request().bytes();
        script.agent.handle_input(Datagram::udp(unspecified, remote(0), &mut bytes), script.now);
        script.answer(&[], S);
    }
    let advice = script.agent.failure().unwrap().advice.clone();
    assert_eq!(
        advice,
        "checks came to an address that is none of ours: is each datagram handed in with the address it came to?"
    );
}

#[test]
fn no_more_than_512_decisions_are_kept() {
    let mut script = Script::new(Role::Controlled);
    for round in 0..20u32 {
        for number in 0..50 {
            script.signal(number);
        }
        script.answer(&[], S);
        let password = format!("the password of round {round}");
        script.agent.set_remote_credentials(wigwag_ice::Credentials { ufrag: "peer".into(), password });
    }
    assert_eq!(script.agent.decisions().count(), 512);
}
