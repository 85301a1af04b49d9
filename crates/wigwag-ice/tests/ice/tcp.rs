//! Candidates over TCP (RFC 6544).

use crate::config;
use crate::script::{PEER_PASSWORD, PEER_UFRAG, Script, Sent, local, success};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Agent, Credentials, Error, Kind, LocalCandidate, Path, RemoteCandidate, Role, State, TcpType};
use wigwag_sansio::{Datagram, Ecn, Protocol, Seed};

/// Where the peer listens.
fn listener(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 443 + u16::from(number)))
}

/// An agent that opens streams.
pub(crate) fn active(role: Role) -> Script {
    let mut agent = Agent::new(config(role), Seed::for_test(7));
    agent.add_local_candidate(LocalCandidate::tcp_active(local().ip())).unwrap();
    script(agent)
}

/// An agent that accepts them.
pub(crate) fn passive(role: Role) -> Script {
    let mut agent = Agent::new(config(role), Seed::for_test(7));
    agent.add_local_candidate(LocalCandidate::tcp_passive(local())).unwrap();
    script(agent)
}

pub(crate) fn script(mut agent: Agent) -> Script {
    agent.set_remote_credentials(Credentials { ufrag: PEER_UFRAG.into(), password: PEER_PASSWORD.into() });
    let mut script = Script::new(Role::Controlling);
    script.agent = agent;
    script
}

pub(crate) fn signal(script: &mut Script, number: u8) {
    let priority = 1_518_280_447 - u32::from(number);
    let candidate = RemoteCandidate::tcp("1", priority, listener(number), Kind::Host, TcpType::Passive);
    script.agent.add_remote_candidate(candidate).unwrap();
}

pub(crate) fn feed(script: &mut Script, path: Path, bytes: &[u8]) {
    let Path { protocol, local, remote } = path;
    let payload = &mut bytes.to_vec()[..];
    script.agent.handle_input(Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload }, script.now);
}

/// All that is sent within this time; ends of streams are without bytes.
pub(crate) fn sent_within(script: &mut Script, time: Duration) -> Vec<Sent> {
    let (end, mut sent) = (script.now + time, vec![]);
    loop {
        sent.extend(script.sent());
        match script.agent.poll_timeout(script.now) {
            Some(at) if at <= end => script.now = at,
            _ => break,
        }
        script.agent.handle_timeout(script.now);
    }
    script.now = end;
    script.agent.handle_timeout(end);
    sent
}

pub(crate) fn ends(sent: &[Sent]) -> Vec<Path> {
    sent.iter().filter(|sent| sent.bytes.is_empty()).map(|sent| sent.path).collect()
}

#[test]
fn who_opens_streams_opens_one_to_each_that_listens_and_asks_once() {
    let mut script = active(Role::Controlling);
    [0, 1].into_iter().for_each(|number| signal(&mut script, number));
    let others = [
        RemoteCandidate::tcp("2", 9, SocketAddr::from(([10, 0, 0, 2], 9)), Kind::Host, TcpType::Active),
        RemoteCandidate::udp("3", 8, SocketAddr::from(([10, 0, 0, 2], 5000)), Kind::Host),
    ];
    others.into_iter().for_each(|other| script.agent.add_remote_candidate(other).unwrap());
    assert_eq!(script.agent.stats().remote_candidates_ignored, 1, "nobody reaches what streams are opened from");
    let sent = sent_within(&mut script, Duration::from_secs(39));
    let remotes: Vec<_> = sent.iter().map(|sent| sent.path.remote).collect();
    assert_eq!(remotes, [listener(0), listener(1)], "nothing is sent again over a stream");
    assert!(sent.iter().all(|sent| sent.path.protocol == Protocol::Tcp && sent.path.local.ip() == local().ip()));
    assert_ne!(sent[0].path.local, sent[1].path.local, "each has a name");
    // RFC 8489 §6.2.2: after 39.5 s it is over, and with it the stream.
    let sent = sent_within(&mut script, Duration::from_secs(2));
    assert_eq!(ends(&sent).len(), 2);
    assert!(!script.agent.has_streams());
}

#[test]
fn who_listens_waits_and_checks_over_the_stream_that_comes() {
    let mut script = passive(Role::Controlled);
    let told = RemoteCandidate::tcp("2", 9, SocketAddr::from(([10, 0, 0, 2], 9)), Kind::Host, TcpType::Active);
    script.agent.add_remote_candidate(told).unwrap();
    signal(&mut script, 0);
    assert!(sent_within(&mut script, Duration::from_secs(5)).is_empty());
    let path = Path { protocol: Protocol::Tcp, local: local(), remote: SocketAddr::from(([10, 0, 0, 2], 50_000)) };
    let request = script.nomination().bytes();
    feed(&mut script, path, &request);
    let sent = sent_within(&mut script, Duration::from_millis(100));
    assert!(sent.iter().all(|sent| sent.path == path) && sent.len() == 2, "its answer, and our check");
    let check = sent.iter().find(|sent| sent.is_check()).unwrap();
    feed(&mut script, path, &success(check));
    assert_eq!(script.agent.selected_path(), Some(path));
    let remote = script.agent.remote_candidates();
    assert_eq!((remote.len(), remote[1].kind, remote[1].tcp_type), (2, Kind::PeerReflexive, Some(TcpType::Active)));
    assert!(script.agent.has_stream(path) && script.agent.is_open(path));
}

/// RFC 6544 §4.2, computed by hand: a type preference of 90, a direction preference of 6 or 4, and 8191 less those before.
#[test]
fn priorities_of_streams_are_below_those_of_datagrams() {
    let mut agent = Agent::new(config(Role::Controlling), Seed::for_test(7));
    let mut add = |candidate| agent.add_local_candidate(candidate).unwrap().priority;
    let ip = |last| std::net::IpAddr::from([10, 0, 0, last]);
    assert_eq!(add(LocalCandidate::tcp_active(ip(1))), (90 << 24) | (57_343 << 8) | 255);
    assert_eq!(add(LocalCandidate::tcp_active(ip(2))), (90 << 24) | (57_342 << 8) | 255);
    assert_eq!(add(LocalCandidate::tcp_passive((ip(1), 443).into())), (90 << 24) | (40_959 << 8) | 255);
    assert_eq!(add(LocalCandidate::host((ip(1), 443).into())), 2_130_706_431, "the same port is another one");
    assert_eq!(agent.local_candidates().len(), 4);
    let mut wrong = LocalCandidate::tcp_passive((ip(1), 443).into());
    wrong.tcp_type = None;
    assert_eq!(agent.add_local_candidate(wrong), Err(Error::InvalidCandidate));
    assert_eq!(agent.add_local_candidate(LocalCandidate::tcp_passive((ip(1), 0).into())), Err(Error::InvalidCandidate));
}

/// A controlling agent whose nominated pair is a stream.
pub(crate) fn connected() -> (Script, Path) {
    let mut script = active(Role::Controlling);
    signal(&mut script, 0);
    answer_all(&mut script);
    let path = script.agent.selected_path().expect("it was answered");
    (script, path)
}

pub(crate) fn answer_all(script: &mut Script) {
    for _ in 0..40 {
        let checks = sent_within(script, Duration::from_millis(25));
        for check in checks.iter().filter(|sent| sent.is_check()) {
            feed(script, check.path, &success(check));
        }
    }
}

#[test]
fn a_stream_in_use_that_ends_is_opened_again_by_another_name() {
    let (mut script, path) = connected();
    feed(&mut script, path, &[]);
    assert_eq!((script.agent.selected_path(), script.agent.state()), (None, State::Disconnected));
    answer_all(&mut script);
    let again = script.agent.selected_path().expect("there is another");
    assert_eq!((again.remote, again == path), (path.remote, false));
    assert_ne!(script.agent.state(), State::Failed);
}

#[test]
fn a_stream_that_cannot_be_opened_is_tried_again_with_longer_and_longer_waits() {
    let mut script = active(Role::Controlling);
    signal(&mut script, 0);
    let (began, mut names, mut times) = (script.now, vec![], vec![]);
    while script.now < began + Duration::from_secs(60) {
        for sent in sent_within(&mut script, Duration::from_millis(10)) {
            assert!(!sent.bytes.is_empty() && !names.contains(&sent.path), "each is another stream");
            names.push(sent.path);
            times.push((script.now - began).as_millis() / 100);
            feed(&mut script, sent.path, &[]);
        }
    }
    assert_eq!(times, [0, 5, 15, 35, 75, 155, 315], "in tenths of a second");
    assert_eq!(script.agent.state(), State::Failed);
}

#[test]
fn what_nobody_needs_is_closed() {
    let (mut script, path) = connected();
    signal(&mut script, 1);
    script.agent.add_local_candidate(LocalCandidate::tcp_active([10, 0, 0, 9].into())).unwrap();
    answer_all(&mut script);
    let selected = script.agent.selected_path().unwrap();
    let closed = ends(&sent_within(&mut script, Duration::from_secs(1)));
    assert!(!closed.contains(&selected));
    let path = if selected == path { path } else { selected };
    script.agent.close();
    let closed = ends(&sent_within(&mut script, Duration::from_secs(1)));
    assert!(closed.contains(&path) && !script.agent.has_streams());
    assert!(sent_within(&mut script, Duration::from_secs(60)).is_empty());
}

#[test]
fn an_answer_to_a_stream_that_has_ended_opens_none() {
    let mut script = passive(Role::Controlled);
    let path = Path { protocol: Protocol::Tcp, local: local(), remote: SocketAddr::from(([10, 0, 0, 2], 50_000)) };
    let request = script.nomination().bytes();
    feed(&mut script, path, &request);
    feed(&mut script, path, &[]);
    assert!(sent_within(&mut script, Duration::from_secs(10)).is_empty());
    assert!(!script.agent.has_stream(path) && script.agent.pairs().next().is_none());
}

#[test]
fn candidates_of_streams_vanish_by_themselves() {
    let (mut script, path) = connected();
    script.agent.add_local_candidate(LocalCandidate::host((local().ip(), 9_000).into())).unwrap();
    script.agent.add_local_candidate(LocalCandidate::tcp_passive((local().ip(), 9_000).into())).unwrap();
    script.agent.remove_local_candidate((local().ip(), 9_000).into());
    script.agent.remove_local_tcp_candidate((local().ip(), 9_000).into(), TcpType::Passive);
    assert_eq!(script.agent.selected_path(), Some(path), "it was none of these");
    assert_eq!(script.agent.local_candidates().len(), 1);
    script.agent.remove_local_tcp_candidate((local().ip(), 1).into(), TcpType::Active);
    script.agent.handle_timeout(script.now);
    assert_eq!((script.agent.selected_path(), script.agent.local_candidates().len()), (None, 0));
    assert_eq!(ends(&script.sent()), [path]);
}

/// Whoever hands in what is left of a stream after its end is answered by nothing, and the check goes on over another.
#[test]
fn what_comes_late_of_a_stream_that_has_ended_changes_nothing() {
    let mut script = active(Role::Controlling);
    signal(&mut script, 0);
    let check = script.check();
    feed(&mut script, check.path, &[]);
    feed(&mut script, check.path, &success(&check));
    assert_eq!((script.agent.selected_path(), script.agent.stats().asymmetric_responses), (None, 1));
    answer_all(&mut script);
    assert!(script.agent.selected_path().is_some_and(|path| path != check.path));
}

#[test]
fn whoever_has_lost_a_stream_is_patient_and_not_for_ever() {
    let (mut script, path) = connected();
    feed(&mut script, path, &[]);
    let again = script.sent().into_iter().find(Sent::is_check).or_else(|| Some(script.check())).unwrap();
    feed(&mut script, again.path, &[]);
    assert!(script.agent.poll_timeout(script.now).is_some(), "it is tried again");
    while script.agent.state() != State::Failed {
        let sent = script.sent();
        sent.iter().filter(|sent| sent.is_check()).for_each(|sent| feed(&mut script, sent.path, &[]));
        let next = script.agent.poll_timeout(script.now).expect("it comes to an end");
        script.now = next.max(script.now);
        script.agent.handle_timeout(script.now);
    }
    let mut script = passive(Role::Controlled);
    let path = Path { protocol: Protocol::Tcp, local: local(), remote: SocketAddr::from(([10, 0, 0, 2], 50_000)) };
    let request = script.nomination().bytes();
    feed(&mut script, path, &request);
    answer_all(&mut script);
    assert_eq!(script.agent.selected_path(), Some(path));
    feed(&mut script, path, &[]);
    let began = script.now;
    while script.agent.state() != State::Failed {
        script.sent();
        script.now = script.agent.poll_timeout(script.now).expect("it comes to an end").max(script.now);
        script.agent.handle_timeout(script.now);
    }
    assert_eq!(script.now - began, Duration::from_millis(39_500));
}
