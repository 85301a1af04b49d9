//! Messages that are wrong, forged, or too many (row 18 of docs/security.md).

use crate::script::{PEER_PASSWORD, Request, Script, local, path, remote, success};
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Credentials, Error, Kind, LocalCandidate, RemoteAddress, RemoteCandidate, Role, State, Stats};
use wigwag_sansio::{Datagram, Protocol};
use wigwag_stun::{AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageWriter, TransactionId};

const MS: Duration = Duration::from_millis(1);

/// What forged messages, on the paths with these numbers, shall do: each is dropped for this reason and counted once, nothing
/// is sent, no memory is held, and no path is opened. That the call goes on, [`goes_on`] asserts.
#[track_caller]
fn withstands(script: &mut Script, reason: fn(&Stats) -> u64, messages: &[(u8, Vec<u8>)]) {
    script.sent();
    let (before, candidates) = (script.agent.stats().clone(), script.agent.remote_candidates().len());
    let held = allocation_counter::measure(|| messages.iter().for_each(|(number, bytes)| script.feed(*number, bytes)));
    let after = script.agent.stats();
    let expected = messages.len() as u64;
    assert_eq!((reason(after) - reason(&before), after.dropped() - before.dropped()), (expected, expected));
    assert!(held.bytes_current <= 0, "{} bytes", held.bytes_current);
    assert!(script.sent().is_empty(), "nothing is answered");
    assert_eq!(script.agent.remote_candidates().len(), candidates);
    assert!(messages.iter().all(|(number, _)| !script.agent.is_open(path(*number))));
}

/// The genuine peer is found all the same.
#[track_caller]
fn goes_on(script: &mut Script) {
    script.signal(0);
    script.answer(&[0], 600 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_forged_nomination_is_dropped_in_silence() {
    let mut script = Script::new(Role::Controlled);
    let forged: Vec<_> = ["", "wrong", PEER_PASSWORD]
        .into_iter()
        .flat_map(|password| {
            let forged = Request { password: password.into(), ..script.nomination() }.bytes();
            [(0, forged.clone()), (9, forged)]
        })
        .collect();
    // To a pair that there is, and to one that there is not.
    script.signal(0);
    withstands(&mut script, |stats| stats.unauthenticated_requests, &forged);
    script.answer(&[0], 600 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_request_without_integrity_is_dropped() {
    let mut script = Script::new(Role::Controlled);
    let mut out = Vec::new();
    let username = script.request().username;
    MessageWriter::request(&mut out, TransactionId([1; 12])).username(&username).priority(1).fingerprint();
    withstands(&mut script, |stats| stats.unauthenticated_requests, &[(0, out.clone()), (9, out)]);
    goes_on(&mut script);
}

#[test]
fn a_request_for_somebody_else_is_dropped() {
    let mut script = Script::new(Role::Controlled);
    let ufrag = script.agent.local_credentials().ufrag.clone();
    let usernames =
        ["other:peer", "", ":", "peer", ufrag.as_str(), &format!("{ufrag}x:peer"), &format!("x{ufrag}:peer")];
    let requests = usernames.map(|username| {
        let request = Request { username: username.into(), ..script.nomination() };
        (0, request.bytes())
    });
    withstands(&mut script, |stats| stats.unknown_ufrag, &requests);
    goes_on(&mut script);
}

/// Whoever knows our password is the peer, whatever it calls itself.
#[test]
fn the_peers_part_of_the_username_is_its_own_affair() {
    let mut script = Script::new(Role::Controlled);
    let ufrag = script.agent.local_credentials().ufrag.clone();
    let request = Request { username: format!("{ufrag}:another"), ..script.request() };
    script.feed(0, &request.bytes());
    assert_eq!(script.sent()[0].message().class(), Class::SuccessResponse);
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_request_does_anything() {
    let mut script = Script::new(Role::Controlled);
    script.sent();
    let bytes = script.nomination().bytes();
    for len in 0..bytes.len() {
        script.feed(0, &bytes[..len]);
    }
    // FINGERPRINT is not authenticated, and need not be there.
    let fingerprint = bytes.len() - 8;
    for bit in 0..fingerprint * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        script.feed(0, &flipped);
        let crc = crc32(&flipped[..fingerprint]) ^ 0x5354_554e;
        flipped[fingerprint + 4..].copy_from_slice(&crc.to_be_bytes());
        script.feed(0, &flipped);
    }
    assert!(script.sent().is_empty());
    assert!(script.agent.remote_candidates().is_empty());
    let stats = script.agent.stats();
    let fed = (bytes.len() + 2 * fingerprint * 8) as u64;
    assert_eq!((stats.checks_received, stats.dropped() + stats.indications_received), (0, fed));
    goes_on(&mut script);
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_response_does_anything() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    let check = script.check();
    let bytes = success(&check);
    for len in 0..bytes.len() {
        script.feed(0, &bytes[..len]);
    }
    let fingerprint = bytes.len() - 8;
    for bit in 0..fingerprint * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let crc = crc32(&flipped[..fingerprint]) ^ 0x5354_554e;
        flipped[fingerprint + 4..].copy_from_slice(&crc.to_be_bytes());
        script.feed(0, &flipped);
    }
    assert_eq!((script.agent.state(), script.agent.selected_path()), (State::Checking, None));
    assert!(!script.agent.is_open(path(0)));
    script.feed(0, &bytes);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

/// RFC 8445 §7.2.5.2.1
#[test]
fn a_response_from_another_address_fails_the_pair() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    let check = script.check();
    script.feed(9, &success(&check));
    assert_eq!(script.agent.stats().asymmetric_responses, 1);
    assert_eq!((script.agent.selected_path(), script.agent.remote_candidates().len()), (None, 1));
    assert!(!script.agent.is_open(path(9)) && !script.agent.is_proven(path(9)));
    // Nor does the right address help any more.
    script.feed(0, &success(&check));
    assert_eq!((script.agent.selected_path(), script.agent.stats().unknown_transaction), (None, 1));
}

#[test]
fn a_forged_response_from_another_address_does_nothing() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    let check = script.check();
    let mut forged = Vec::new();
    MessageWriter::success(&mut forged, check.message().transaction(), local())
        .integrity(&IntegrityKey::short_term("guessed"))
        .fingerprint();
    let mut refusal = Vec::new();
    let error = ErrorCode { code: 403, reason: "" };
    MessageWriter::error(&mut refusal, check.message().transaction(), error).fingerprint();
    let forged = [(9, forged.clone()), (0, forged), (0, refusal)];
    withstands(&mut script, |stats| stats.unauthenticated_responses, &forged);
    script.feed(0, &success(&check));
    assert_eq!(script.agent.selected_path(), Some(path(0)));
}

#[test]
fn a_response_to_no_request_is_dropped() {
    let mut script = Script::new(Role::Controlled);
    let mut out = Vec::new();
    MessageWriter::success(&mut out, TransactionId([1; 12]), local())
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    withstands(&mut script, |stats| stats.unknown_transaction, &[(0, out.clone()), (9, out)]);
    goes_on(&mut script);
}

#[test]
fn a_request_that_is_not_understood_is_refused() {
    let mut script = Script::new(Role::Controlled);
    script.sent();
    let request = script.request();
    let mut out = Vec::new();
    MessageWriter::request(&mut out, request.transaction)
        .username(&request.username)
        .attribute(AttributeType(0x7777), b"?")
        .attribute(AttributeType(0xC057), b"network")
        .priority(1)
        .integrity(&IntegrityKey::short_term(&request.password))
        .fingerprint();
    script.feed(0, &out);
    let sent = script.sent();
    let message = sent[0].message();
    assert_eq!(message.attributes.error_code.unwrap().code, 420);
    assert!(message.iter().any(|(kind, value)| (kind, value) == (AttributeType::UNKNOWN_ATTRIBUTES, &[0x77, 0x77])));
    assert!(message.is_authentic(&IntegrityKey::short_term(&request.password)));
    assert!(script.agent.remote_candidates().is_empty());

    let request = Request { priority: None, ..script.request() };
    script.feed(0, &request.bytes());
    assert_eq!(script.sent()[0].message().attributes.error_code.unwrap().code, 400);
}

#[test]
fn requests_to_an_address_that_is_none_of_ours_are_dropped() {
    let mut script = Script::new(Role::Controlled);
    let mut bytes = script.request().bytes();
    let elsewhere = SocketAddr::from(([10, 0, 0, 9], 1000));
    script.agent.handle_input(Datagram::udp(elsewhere, remote(0), &mut bytes), script.now);
    assert!(script.sent().is_empty());
    assert_eq!(script.agent.stats().unknown_local_address, 1);
}

#[test]
fn what_a_known_peer_can_fill_is_bounded() {
    let mut script = Script::new(Role::Controlled);
    for number in 0..2000u16 {
        let mut bytes = script_request(&mut script, number);
        let remote = SocketAddr::from(([10, 3, 0, 1], 10_000 + number));
        script.agent.handle_input(Datagram::udp(local(), remote, &mut bytes), script.now);
        if number >= 999 {
            script.sent();
        }
    }
    assert_eq!(
        script.agent.stats().too_many_requests,
        2000 - 100,
        "nobody is told of a pair for which there is no room"
    );
    assert_eq!((script.agent.stats().responses_sent, script.agent.remote_candidates().len()), (100, 100));
    let known = SocketAddr::from(([10, 3, 0, 1], 10_000));
    for number in 0..1000 {
        let mut bytes = script_request(&mut script, number);
        script.agent.handle_input(Datagram::udp(local(), known, &mut bytes), script.now);
    }
    assert_eq!(script.agent.stats().too_many_requests, 2000 - 100 + 1000 - 128);
}

fn script_request(script: &mut Script, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let credentials: &Credentials = script.agent.local_credentials();
    Request {
        transaction: TransactionId([high, low, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        username: format!("{}:peer", credentials.ufrag),
        password: credentials.password.clone(),
        use_candidate: false,
        priority: Some(u32::MAX),
        claim: (Role::Controlling, 1),
    }
    .bytes()
}

#[test]
fn candidates_that_cannot_be_used_are_ignored_without_error() {
    let mut script = Script::new(Role::Controlling);
    let socket = |text: &str| RemoteAddress::Socket(text.parse().unwrap());
    let usable = RemoteCandidate::udp("1", 1, remote(0), Kind::Host);
    let mut tcp = usable.clone();
    tcp.protocol = Protocol::Tcp;
    let mut rtcp = usable.clone();
    rtcp.component = 2;
    let name = RemoteAddress::Name("b1bb2c0e-0f4c-4d2f-9d3c-1f6b7a3b9a55.local".into(), 5000);
    let addresses = [name, socket("10.0.0.2:0"), socket("10.0.0.2:9"), socket("0.0.0.0:5000"), socket("[::]:5000")];
    let unusable = addresses.map(|address| RemoteCandidate::udp("1", 1, address, Kind::Host));
    let count = unusable.len() + 2;
    for candidate in unusable.into_iter().chain([tcp, rtcp]) {
        assert_eq!(script.agent.add_remote_candidate(candidate), Ok(()));
    }
    assert_eq!(script.agent.stats().remote_candidates_ignored, count as u64);
    assert!(script.agent.remote_candidates().is_empty() && script.sent().is_empty());
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.3.2: a server that is asked to reach an address learns it.
#[test]
fn what_a_name_hides_is_not_told_to_a_relay() {
    let mut script = Script::new(Role::Controlling);
    let relayed: SocketAddr = "192.0.2.9:5000".parse().unwrap();
    let add = |script: &mut Script| {
        let server = [192, 0, 2, 1].into();
        script.agent.add_local_candidate(LocalCandidate::relayed(relayed, local(), server)).unwrap();
    };
    add(&mut script);
    for (number, name) in [(1, Some("b1bb2c0e-0f4c-4d2f-9d3c-1f6b7a3b9a55.local")), (2, None)] {
        let address = match name {
            Some(name) => RemoteAddress::Resolved(name.into(), remote(number)),
            None => RemoteAddress::Socket(remote(number)),
        };
        script.agent.add_remote_candidate(RemoteCandidate::udp("1", 7, address, Kind::Host)).unwrap();
    }
    // Nor by one that is lent later.
    script.agent.remove_local_candidate(relayed);
    add(&mut script);
    let pairs: Vec<_> = script.agent.pairs().map(|pair| (pair.path.local, pair.path.remote)).collect();
    assert!(!pairs.contains(&(relayed, remote(1))), "{pairs:?}");
    for pair in [(local(), remote(1)), (local(), remote(2)), (relayed, remote(2))] {
        assert!(pairs.contains(&pair), "{pair:?} {pairs:?}");
    }
}

/// RFC 8445 §7.3.1.3: what a check has brought is not paired with others; a relay's server would learn what may be hidden. When the peer
/// tells it after all, it is paired as any other.
#[test]
fn what_a_check_has_brought_is_told_to_a_relay_when_the_peer_has_told_it() {
    let mut script = Script::new(Role::Controlling);
    let (relayed, server): (SocketAddr, _) = ("192.0.2.9:5000".parse().unwrap(), [192, 0, 2, 1].into());
    let other = SocketAddr::from(([10, 0, 0, 3], 1000));
    script.agent.add_local_candidate(LocalCandidate::host(other)).unwrap();
    let request = script.request().bytes();
    script.feed(1, &request);
    script.agent.add_local_candidate(LocalCandidate::relayed(relayed, local(), server)).unwrap();
    let pairs = |script: &Script| -> Vec<_> {
        script.agent.pairs().map(|pair| pair.path.local).filter(|local| *local != self::local()).collect()
    };
    assert_eq!((pairs(&script), script.agent.remote_candidates()[0].kind), (vec![], Kind::PeerReflexive));
    script.signal(1);
    let mut found = pairs(&script);
    found.sort();
    assert_eq!((found, script.agent.remote_candidates()[0].kind), (vec![other, relayed], Kind::Host));
}

#[test]
fn a_local_candidate_that_can_be_none_is_an_error() {
    let mut script = Script::new(Role::Controlling);
    let socket = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let mut stray = LocalCandidate::host(local());
    stray.base = remote(0);
    let mut learned = LocalCandidate::host(remote(0));
    learned.kind = Kind::PeerReflexive;
    let mixed = LocalCandidate::server_reflexive(socket("[2001:db8::1]:1"), local(), [192, 0, 2, 1].into());
    let unspecified = LocalCandidate::host(socket("0.0.0.0:1000"));
    for candidate in [stray, learned, mixed, unspecified] {
        assert_eq!(script.agent.add_local_candidate(candidate), Err(Error::InvalidCandidate));
    }
    // One that is known is told again.
    let known = script.agent.local_candidates()[0].clone();
    assert_eq!(script.agent.add_local_candidate(LocalCandidate::host(local())), Ok(known));
}

/// RFC 8445 §7.3.1.1
#[test]
fn of_two_roles_the_greater_tie_breaker_decides() {
    for role in [Role::Controlling, Role::Controlled] {
        for (tie_breaker, is_greater) in [(0, false), (u64::MAX, true)] {
            let mut script = Script::new(role);
            script.sent();
            let request = Request { claim: (role, tie_breaker), ..script.request() };
            script.feed(0, &request.bytes());
            let sent = script.sent();
            let code = sent[0].message().attributes.error_code.map(|error| error.code);
            // The one with the greater number is controlling in the end.
            let is_switching = (role == Role::Controlling) == is_greater;
            assert_eq!(code, if is_switching { None } else { Some(487) });
            assert_eq!(script.agent.role() != role, is_switching);
            assert_eq!(script.agent.remote_candidates().is_empty(), !is_switching, "a refused request is no candidate");
        }
    }
}

#[test]
fn a_487_switches_the_role_and_the_check_is_sent_again() {
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let check = script.check();
    assert!(check.message().attributes.ice_controlling.is_some());
    let mut out = Vec::new();
    MessageWriter::error(&mut out, check.message().transaction(), ErrorCode::ROLE_CONFLICT)
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    script.feed(0, &out);
    assert_eq!(script.agent.role(), Role::Controlled);
    let again = script.check();
    assert!(again.message().attributes.ice_controlled.is_some());
    assert_ne!(again.message().transaction(), check.message().transaction());
    assert_ne!(again.message().attributes.ice_controlled, check.message().attributes.ice_controlling);
}

#[test]
fn a_peer_may_revoke_its_consent() {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.answer(&[0], 100 * MS);
    assert_eq!(script.agent.selected_path(), Some(path(0)));
    let check = script.check();
    let mut out = Vec::new();
    MessageWriter::error(&mut out, check.message().transaction(), ErrorCode { code: 403, reason: "Forbidden" })
        .integrity(&IntegrityKey::short_term(PEER_PASSWORD))
        .fingerprint();
    script.feed(0, &out);
    assert_eq!((script.agent.selected_path(), script.agent.state()), (None, State::Failed));
}

#[test]
fn nothing_is_answered_after_closing() {
    let mut script = Script::new(Role::Controlled);
    let bytes = script.request().bytes();
    script.feed(0, &bytes);
    script.agent.close();
    assert!(script.sent().is_empty(), "an answer that was owed is not sent either");
    script.feed(0, &bytes);
    assert!(script.sent().is_empty());
    assert_eq!(script.agent.stats().after_end, 1);
}

#[test]
fn our_own_checks_sent_back_to_us_are_dropped() {
    let mut script = Script::new(Role::Controlling);
    script.signal(0);
    let check = script.check();
    script.feed(0, &check.bytes);
    assert!(script.sent().is_empty());
    assert_eq!(script.agent.stats().unknown_ufrag, 1);
    assert!(Message::decode(&check.bytes).is_ok());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}
