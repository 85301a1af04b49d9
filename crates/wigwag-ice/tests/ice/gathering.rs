//! Asking STUN servers, whose every answer is written by the test.

use crate::{Peer, config};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::{Event, GatheringState, Kind, LocalCandidate, Role, State};
use wigwag_sansio::{Datagram, Transmit};
use wigwag_stun::{ErrorCode, Message, MessageWriter, answer};

const MS: Duration = Duration::from_millis(1);

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn base() -> SocketAddr {
    socket("10.0.0.1:1000")
}

fn server() -> SocketAddr {
    socket("192.0.2.53:3478")
}

fn mapped() -> SocketAddr {
    socket("203.0.113.7:4711")
}

struct Lone {
    peer: Peer,
    begin: Instant,
    now: Instant,
    sent: Vec<(Duration, Transmit, Vec<u8>)>,
}

impl Lone {
    fn new() -> Self {
        let now = wigwag_sim::origin();
        Self { peer: Peer::with(config(Role::Controlling), 1), begin: now, now, sent: Vec::new() }
    }

    /// With a base and a server.
    fn asking() -> Self {
        let mut lone = Self::new();
        lone.peer.agent.add_stun_server(server());
        lone.peer.agent.add_local_candidate(LocalCandidate::host(base())).unwrap();
        lone.peer.agent.end_of_local_candidates();
        lone.run(Duration::ZERO);
        lone
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut out = Vec::new();
        loop {
            let agent = &mut self.peer.agent;
            agent.handle_timeout(self.now);
            while let Some(event) = agent.poll_event() {
                self.peer.events.push(event);
            }
            while let Some(transmit) = agent.poll_transmit(self.now, &mut out) {
                self.sent.push((self.now - self.begin, transmit, out.clone()));
            }
            match agent.poll_timeout(self.now) {
                Some(at) if at <= end => {
                    assert!(at > self.now, "nothing spins");
                    self.now = at;
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn feed(&mut self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        self.peer.agent.handle_input(Datagram::udp(local, remote, &mut bytes.to_vec()), self.now);
        self.run(Duration::ZERO);
    }

    /// What a server answers that sees us there.
    fn answered(&self, seen_at: SocketAddr) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(answer(&self.sent.last().unwrap().2, seen_at, &mut out));
        out
    }

    fn events(&self) -> Vec<String> {
        self.peer
            .events
            .iter()
            .filter(|event| !matches!(event, Event::GatheringStateChanged(_)))
            .map(|event| format!("{event:?}"))
            .collect()
    }
}

#[test]
fn what_a_server_sees_is_a_candidate() {
    let mut lone = Lone::asking();
    assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Gathering);
    let (_, transmit, _) = lone.sent[0].clone();
    assert_eq!((transmit.local, transmit.remote), (base(), server()));
    let answer = lone.answered(mapped());
    lone.feed(base(), server(), &answer);
    let candidates = lone.peer.agent.local_candidates().to_vec();
    let found = &candidates[1];
    assert_eq!((found.kind, found.address, found.base), (Kind::ServerReflexive, mapped(), base()));
    assert_eq!((found.related, found.priority), (Some(base()), 1_694_498_815));
    let told = [
        Event::GatheringStateChanged(GatheringState::Gathering),
        Event::LocalCandidate(found.clone()),
        Event::GatheringStateChanged(GatheringState::Complete),
    ];
    assert_eq!(lone.peer.events, told);
    lone.run(Duration::from_secs(60));
    assert_eq!((lone.sent.len(), lone.peer.events.len()), (1, 3), "nothing more is asked or told");
    assert_eq!(lone.peer.agent.stats().gathering_requests_sent, 1);
}

/// RFC 8445 §5.1.3
#[test]
fn without_a_nat_what_a_server_sees_is_redundant() {
    let mut lone = Lone::asking();
    let answer = lone.answered(base());
    lone.feed(base(), server(), &answer);
    assert_eq!(lone.peer.agent.local_candidates().len(), 1);
    assert!(lone.events().is_empty());
    assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Complete);
}

/// As of a container whose host is on a network of its own: the address of that host is private, and of no interface of ours.
#[test]
fn a_private_address_that_a_server_nearby_sees_is_not_told_by_who_hides_theirs() {
    for (seen, is_told) in [("192.168.1.5:4711", false), ("100.64.3.4:4711", false), ("203.0.113.7:4711", true)] {
        let mut config = config(Role::Controlling);
        config.hide_related = true;
        let mut lone = Lone { peer: Peer::with(config, 1), ..Lone::new() };
        lone.peer.agent.add_stun_server(server());
        lone.peer.agent.hide_local_address(base().ip(), "f.local");
        lone.peer.agent.add_local_candidate(LocalCandidate::host(base())).unwrap();
        lone.peer.agent.end_of_local_candidates();
        lone.run(Duration::ZERO);
        let answer = lone.answered(socket(seen));
        lone.feed(base(), server(), &answer);
        assert_eq!(lone.peer.agent.local_candidates().len(), 1 + usize::from(is_told), "{seen}");
        assert_eq!(lone.events().iter().any(|event| event.contains("ServerReflexive")), is_told, "{:?}", lone.events());
        assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Complete);
    }
}

#[test]
fn two_servers_that_see_the_same_make_one_candidate() {
    let mut lone = Lone::asking();
    let first = lone.answered(mapped());
    let second_server = socket("192.0.2.54:3478");
    lone.peer.agent.add_stun_server(second_server);
    lone.run(100 * MS);
    let second = lone.answered(mapped());
    lone.feed(base(), second_server, &second);
    lone.feed(base(), server(), &first);
    assert_eq!((lone.peer.agent.local_candidates().len(), lone.events().len()), (2, 1));
}

/// RFC 8445 §14.2: questions and checks share the pace.
#[test]
fn new_questions_are_paced_and_asked_again_with_the_timers_of_stun() {
    let mut lone = Lone::new();
    for port in [1000, 1001] {
        lone.peer.agent.add_local_candidate(LocalCandidate::host(SocketAddr::from(([10, 0, 0, 1], port)))).unwrap();
    }
    lone.peer.agent.add_local_candidate(LocalCandidate::host(socket("[2001:db8::1]:1000"))).unwrap();
    for last in [53, 54] {
        lone.peer.agent.add_stun_server(SocketAddr::from(([192, 0, 2, last], 3478)));
    }
    lone.peer.agent.add_stun_server(server());
    lone.run(Duration::from_millis(1400));
    let times: Vec<_> = lone.sent.iter().map(|(at, ..)| at.as_millis()).collect();
    assert_eq!(times, [0, 50, 100, 150, 500, 550, 600, 650]);
    assert!(
        lone.sent.iter().all(|(_, transmit, _)| transmit.local.is_ipv4()),
        "an address of another family asks nobody"
    );
}

#[test]
fn a_server_that_does_not_answer_is_told_and_not_waited_for() {
    let mut lone = Lone::asking();
    lone.run(Duration::from_millis(39_499));
    assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Gathering);
    lone.run(MS);
    let text = "the server does not answer".to_owned();
    let told = Event::CandidateError { local: base(), server: server(), code: 701, text };
    assert!(lone.peer.events.contains(&told), "{:?}", lone.peer.events);
    assert_eq!(lone.peer.events.last(), Some(&Event::GatheringStateChanged(GatheringState::Complete)));
    assert_eq!(lone.sent.len(), 7);
}

#[test]
fn a_server_that_refuses_is_quoted() {
    let mut lone = Lone::asking();
    let mut out = Vec::new();
    let transaction = Message::decode(&lone.sent[0].2).unwrap().transaction();
    MessageWriter::error(&mut out, transaction, ErrorCode { code: 420, reason: "\"no\"" }).fingerprint();
    lone.feed(base(), server(), &out);
    let told = Event::CandidateError { local: base(), server: server(), code: 420, text: "\"no\"".into() };
    assert_eq!(lone.peer.events[1], told);
}

#[test]
fn answers_from_elsewhere_and_of_nobodys_address_make_no_candidate() {
    let mut lone = Lone::asking();
    let answer = lone.answered(mapped());
    lone.feed(base(), socket("192.0.2.99:3478"), &answer);
    lone.feed(socket("10.0.0.1:1001"), server(), &answer);
    assert_eq!(lone.peer.agent.stats().asymmetric_responses, 2);
    let mut guessed = Vec::new();
    MessageWriter::success(&mut guessed, wigwag_stun::TransactionId([1; 12]), mapped()).fingerprint();
    lone.feed(base(), server(), &guessed);
    assert_eq!(lone.peer.agent.stats().unknown_transaction, 1);
    assert_eq!((lone.peer.agent.local_candidates().len(), lone.events().len()), (1, 0));
    for nobody in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:5", "[2001:db8::7]:1"] {
        let mut lone = Lone::asking();
        let answer = lone.answered(socket(nobody));
        lone.feed(base(), server(), &answer);
        assert_eq!(lone.peer.agent.local_candidates().len(), 1, "{nobody}");
        assert!(lone.events()[0].starts_with("CandidateError"), "{nobody}");
    }
}

#[test]
fn a_closed_agent_asks_nobody() {
    let mut lone = Lone::asking();
    let answer = lone.answered(mapped());
    lone.peer.agent.close();
    lone.feed(base(), server(), &answer);
    lone.peer.agent.add_stun_server(socket("192.0.2.54:3478"));
    lone.run(Duration::from_secs(60));
    assert_eq!((lone.sent.len(), lone.peer.agent.state()), (1, State::Closed));
    assert_eq!(lone.peer.agent.poll_timeout(lone.now), None);
}

/// A NAT may give another address by the time of a restart; the one before is told no more.
#[test]
fn who_begins_anew_asks_again_and_forgets_what_is_no_longer_seen() {
    for is_prepared in [true, false] {
        let mut lone = Lone::asking();
        let before = lone.answered(mapped());
        lone.feed(base(), server(), &before);
        let asked = lone.sent.len();
        if is_prepared {
            let credentials = lone.peer.agent.new_credentials();
            lone.peer.agent.prepare_restart(credentials);
        } else {
            lone.peer.agent.restart().unwrap();
        }
        assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Gathering);
        lone.run(MS * 100);
        assert_eq!(lone.sent.len(), asked + 1);
        let after = lone.answered(socket("203.0.113.7:5000"));
        lone.feed(base(), server(), &after);
        let of_nat = lone.peer.agent.local_candidates().iter().filter(|known| known.kind == Kind::ServerReflexive);
        assert_eq!(of_nat.map(|known| known.address).collect::<Vec<_>>(), [socket("203.0.113.7:5000")]);
        assert_eq!(lone.peer.agent.gathering_state(), GatheringState::Complete);
    }
}
