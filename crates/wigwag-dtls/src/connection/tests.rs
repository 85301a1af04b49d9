//! What cannot be seen or done from outside: protected handshake messages, the last sequence number.

use super::*;
use crate::handshake::fragment::whole;
use crate::message::HandshakeType;
use crate::record::PLAINTEXT_LEN_MAX;
use crate::record::plaintext::RecordNumber;
use crate::{Certificate, CipherSuite, HashAlgorithm, v12};
use std::sync::Arc;
use std::time::Duration;

fn certificate(n: u64) -> Arc<Certificate> {
    Arc::new(Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).unwrap())
}

fn pair([a, z]: [Arc<Certificate>; 2]) -> [Connection; 2] {
    let connection = |role, own: &Arc<Certificate>, other: &Arc<Certificate>, seed| {
        let mut config = Config::new(role, own.clone());
        config.max_version = Version::Dtls12;
        config.remote_fingerprints = vec![other.fingerprint(HashAlgorithm::Sha256)];
        Connection::new(config, Seed::for_test(seed))
    };
    [connection(Role::Client, &a, &z, 3), connection(Role::Server, &z, &a, 4)]
}

fn run(peers: &mut [Connection; 2]) {
    for _ in 0..4 {
        let [a, z] = peers;
        carry(a, z);
        carry(z, a);
    }
}

fn connected() -> [Connection; 2] {
    let mut peers = pair([certificate(1), certificate(2)]);
    run(&mut peers);
    assert!(peers.iter().all(Connection::is_connected));
    peers
}

/// Brings everything that one owes to the other, and says how many datagrams that was.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let now = wigwag_sim::origin();
    let mut datagrams = 0;
    let mut out = Vec::new();
    while from.poll_packet(now, 1200, &mut out) {
        to.handle_input(&mut out, now, |_| panic!("no application data"));
        out.clear();
        datagrams += 1;
    }
    datagrams
}

/// A record that `from` protects, whatever its content.
fn record(from: &mut Connection, content_type: ContentType, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let epoch = from.handshake.write.last_mut().unwrap();
    assert!(epoch.append(content_type, 1200, &mut out, |_, out| {
        out.extend_from_slice(body);
        true
    }));
    out
}

fn events(connection: &mut Connection) -> Vec<String> {
    std::iter::from_fn(|| connection.poll_event()).map(|event| format!("{event:?}")).collect()
}

/// Row 11 of docs/security.md.
#[test]
fn renegotiation_is_refused_with_a_warning_and_ends_nothing() {
    let [mut a, mut z] = connected();
    let now = wigwag_sim::origin();
    let hello = whole(HandshakeType::CLIENT_HELLO, 4, &[0; 40]);
    z.handle_input(&mut record(&mut a, ContentType::Handshake, &hello), now, |_| {});
    assert_eq!(z.alert, Some(Alert::warning(AlertDescription::NoRenegotiation)));
    assert_eq!(carry(&mut z, &mut a), 1);
    a.handle_input(
        &mut record(&mut z, ContentType::Handshake, &whole(HandshakeType::HELLO_REQUEST, 0, &[])),
        now,
        |_| {},
    );
    assert_eq!(carry(&mut a, &mut z), 1);
    assert!(a.is_connected() && z.is_connected());
    assert_eq!((a.stats.ignored_alerts, z.stats.ignored_alerts), (1, 1));
}

fn refusal(connection: &mut Connection) -> AlertDescription {
    match std::iter::from_fn(|| connection.poll_event()).last() {
        Some(Event::Closed(CloseReason::Refused { alert, .. })) => alert,
        other => panic!("{other:?}"),
    }
}

/// What only the peer can have said, and never says.
#[test]
fn a_protected_record_that_makes_no_sense_is_the_end() {
    let extra = whole(HandshakeType::FINISHED, 99, &[7; 12]);
    let long = vec![7; PLAINTEXT_LEN_MAX + 1];
    let cases: [(ContentType, &[u8], AlertDescription); 4] = [
        (ContentType::Alert, &[0x42, 10], AlertDescription::IllegalParameter),
        (ContentType::Alert, &[2, 10, 0], AlertDescription::DecodeError),
        (ContentType::Handshake, &extra, AlertDescription::UnexpectedMessage),
        (ContentType::ApplicationData, &long, AlertDescription::RecordOverflow),
    ];
    for (content_type, body, alert) in cases {
        let [mut a, mut z] = connected();
        let mut record = a.handshake.write.last_mut().unwrap().forge(content_type, body);
        z.handle_input(&mut record, wigwag_sim::origin(), |_| panic!("nothing is delivered"));
        assert_eq!(refusal(&mut z), alert);
        assert_eq!(carry(&mut z, &mut a), 1);
        assert_eq!(events(&mut a).last().unwrap(), &format!("Closed(Alert({alert:?}))"));
    }
}

/// Too long for any record, so that it is not even opened.
#[test]
fn a_record_that_no_cipher_makes_so_long_is_dropped() {
    let [mut a, mut z] = connected();
    let mut record = a.handshake.write.last_mut().unwrap().forge(ContentType::ApplicationData, &[7; 1 << 15]);
    z.handle_input(&mut record, wigwag_sim::origin(), |_| panic!("nothing is delivered"));
    assert!(z.is_connected());
    assert_eq!(z.stats.malformed_records, 1);
}

/// A Finished too many, before its time: it waits until the right one has come.
#[test]
fn a_message_after_the_last_that_comes_before_it_is_the_end() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    let extra = whole(HandshakeType::FINISHED, 6, &[7; 12]);
    // Its number is not the next, so that the right one is still believed.
    a.handshake.write.last_mut().unwrap().set_sequence(9);
    let mut early = record(&mut a, ContentType::Handshake, &extra);
    a.handshake.write.last_mut().unwrap().set_sequence(0);
    let mut flight = Vec::new();
    assert!(a.poll_packet(wigwag_sim::origin(), 1200, &mut flight));
    let finished = flight.windows(5).position(|start| start == [22, 0xFE, 0xFD, 0, 1]).unwrap();
    z.handle_input(&mut flight[..finished], wigwag_sim::origin(), |_| {});
    z.handle_input(&mut early, wigwag_sim::origin(), |_| {});
    assert_eq!(z.poll_event().map(|event| format!("{event:?}")), None);
    z.handle_input(&mut flight[finished..], wigwag_sim::origin(), |_| {});
    assert_eq!(refusal(&mut z), AlertDescription::UnexpectedMessage);
}

#[test]
fn who_aborts_says_why() {
    let [mut a, mut z] = connected();
    let _ = events(&mut a);
    a.abort(AlertDescription::AccessDenied);
    assert_eq!(events(&mut a), ["Closed(Local)"]);
    carry(&mut a, &mut z);
    assert_eq!(events(&mut z).last().unwrap(), "Closed(Alert(AccessDenied))");
}

#[test]
fn a_fatal_alert_that_is_protected_is_the_end() {
    let [mut a, mut z] = connected();
    let alert = Alert::fatal(AlertDescription::InternalError).encode();
    z.handle_input(&mut record(&mut a, ContentType::Alert, &alert), wigwag_sim::origin(), |_| {});
    assert_eq!(events(&mut z).last().unwrap(), "Closed(Alert(InternalError))");
    assert_eq!(carry(&mut z, &mut a), 0, "it is not answered");
}

/// Row 12: each is one alert at most, and the last one holds.
#[test]
fn ten_thousand_warnings_provoke_nothing() {
    let [mut a, mut z] = connected();
    for _ in 0..10_000 {
        let alert = Alert::warning(AlertDescription::UserCanceled).encode();
        z.handle_input(&mut record(&mut a, ContentType::Alert, &alert), wigwag_sim::origin(), |_| {});
    }
    assert_eq!((z.stats.ignored_alerts, carry(&mut z, &mut a)), (10_000, 0));
}

/// Row 9 of docs/security.md.
#[test]
fn the_last_sequence_number_closes_and_none_comes_again() {
    let [mut a, mut z] = connected();
    a.handshake.write.last_mut().unwrap().set_sequence(RecordNumber::SEQUENCE_MAX - 2);
    assert_eq!([protect(&mut a), protect(&mut a), protect(&mut a)], [true, true, false]);
    assert_eq!(events(&mut a).last().unwrap(), "Closed(SequenceExhausted)");
    assert_eq!(carry(&mut a, &mut z), 1, "the last one says goodbye");
    assert_eq!(events(&mut z).last().unwrap(), "Closed(CloseNotify)");
    assert!(!protect(&mut a));
}

fn protect(connection: &mut Connection) -> bool {
    let mut out = Vec::new();
    connection.protect(1200, &mut out, |_, out| {
        out.extend_from_slice(b"data");
        true
    })
}

/// Row 9 of docs/security.md: RFC 9147 §4.5.3, where there are no new keys.
#[test]
fn a_key_that_has_protected_enough_is_used_for_a_goodbye_and_no_more() {
    for who in [0, 1] {
        let mut peers = connected();
        let _ = events(&mut peers[who]);
        peers[who].handshake.write.last_mut().unwrap().wear(2);
        assert!(protect(&mut peers[who]) && !protect(&mut peers[who]));
        assert_eq!(events(&mut peers[who]), ["Closed(KeysWornOut)"]);
        let [a, z] = &mut peers;
        let (from, to) = if who == 0 { (a, z) } else { (z, a) };
        assert_eq!(carry(from, to), 1);
        assert_eq!(events(to).last().unwrap(), "Closed(CloseNotify)");
        assert!(!protect(from) && carry(from, to) == 0);
    }
}

/// Law 5: a loop that sleeps until it is woken says goodbye at once, and not when something else comes.
#[test]
fn the_goodbye_of_a_key_that_is_used_up_is_due_at_once() {
    let now = wigwag_sim::origin();
    for numbers in [true, false] {
        let [mut a, mut z] = connected();
        let _ = events(&mut a);
        let epoch = a.handshake.write.last_mut().unwrap();
        if numbers {
            epoch.set_sequence(RecordNumber::SEQUENCE_MAX - 1);
        } else {
            epoch.wear(2);
        }
        assert_eq!(a.poll_timeout(now), None);
        assert!(protect(&mut a));
        assert_eq!(a.poll_timeout(now), Some(now));
        assert_eq!((events(&mut a).len(), carry(&mut a, &mut z), a.poll_timeout(now)), (1, 1, None));
    }
}

/// Law 5: nothing is owed for which there is no number.
#[test]
fn an_alert_for_which_no_number_is_left_is_not_owed() {
    let now = wigwag_sim::origin();
    let [mut a, mut z] = connected();
    z.handshake.write.last_mut().unwrap().set_sequence(RecordNumber::SEQUENCE_MAX);
    let extra = whole(HandshakeType::FINISHED, 99, &[7; 12]);
    z.handle_input(&mut record(&mut a, ContentType::Handshake, &extra), now, |_| {});
    assert_eq!(
        (refusal(&mut z), carry(&mut z, &mut a), z.poll_timeout(now)),
        (AlertDescription::UnexpectedMessage, 1, None)
    );
    // It comes again, and there is nothing left to say so with.
    z.handle_input(&mut record(&mut a, ContentType::Handshake, &extra), now, |_| {});
    assert_eq!((carry(&mut z, &mut a), z.poll_timeout(now)), (0, None));
}

#[test]
fn chacha20_poly1305_does_not_wear_out() {
    let mut peers = pair([certificate(1), certificate(2)]);
    let suite = CipherSuite::EcdheEcdsaChaCha20Poly1305Sha256;
    peers.iter_mut().for_each(|peer| peer.handshake.config.cipher_suites = vec![suite]);
    let [a, z] = &mut peers;
    // The hello says it already: the server chooses.
    while carry(a, z) + carry(z, a) > 0 {}
    assert_eq!(a.cipher_suite(), Some(suite));
    a.handshake.write.last_mut().unwrap().wear(0);
    assert!(protect(a) && a.is_connected());
}

/// Row 9: and what is forged is not tried for ever.
#[test]
fn too_many_forgeries_end_it() {
    for who in [0, 1] {
        let mut peers = connected();
        let _ = events(&mut peers[who]);
        let forge = |peer: &mut Connection| {
            let mut record = peers_record();
            peer.handle_input(&mut record, wigwag_sim::origin(), |_| panic!("nobody sent it"));
        };
        peers[who].handshake.read.as_mut().unwrap().set_forgeries((1 << 36) - 1);
        forge(&mut peers[who]);
        assert!(peers[who].is_connected());
        forge(&mut peers[who]);
        assert_eq!(events(&mut peers[who]), ["Closed(ForgeriesExceeded)"]);
    }
}

/// In epoch 1, and nobody's.
fn peers_record() -> Vec<u8> {
    [&[23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 99, 0, 40][..], &[7; 40]].concat()
}

#[test]
fn the_server_keeps_its_last_flight_until_the_client_has_shown_that_it_has_it() {
    let [mut a, mut z] = connected();
    let now = wigwag_sim::origin();
    assert!(!z.handshake.flight.is_idle());
    // The client's Finished has message_seq 4, after a second ClientHello there was none.
    let finished = whole(HandshakeType::FINISHED, 4, &[0; 12]);
    z.handle_input(&mut record(&mut a, ContentType::Handshake, &finished), now, |_| {});
    assert_eq!((carry(&mut z, &mut a), z.stats.repetitions), (1, 1));
    z.handle_input(&mut record(&mut a, ContentType::ApplicationData, b"data"), now, |_| {});
    assert!(z.handshake.flight.is_idle());
    z.handle_input(&mut record(&mut a, ContentType::Handshake, &finished), now, |_| {});
    assert_eq!((carry(&mut z, &mut a), z.stats.repetitions), (0, 1));
}

/// Row 3 of docs/security.md (CVE-2022-29222): a certificate is public, and its fingerprint is right.
#[test]
fn a_stolen_certificate_is_refused_without_its_key() {
    for thief in [0, 1] {
        let mut certificates = [certificate(1), certificate(2)];
        certificates[thief] = Arc::new(certificates[thief].stolen_by(&certificate(3)));
        let mut peers = pair(certificates);
        run(&mut peers);
        let refused = format!("{:?}", events(&mut peers[1 - thief]));
        let side = ["client", "server"][thief];
        assert!(refused.contains(&format!("the {side}'s signature is wrong")), "{refused}");
        assert!(!refused.contains("Connected"));
    }
}

#[test]
fn a_finished_over_another_handshake_is_refused() {
    let refused = |peer: &mut Connection| {
        let events = format!("{:?}", events(peer));
        assert!(events.contains("the two sides have not seen the same handshake"), "{events}");
        assert!(!events.contains("Connected"));
    };
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    a.handshake.transcript.add(b"something else");
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    refused(&mut a);

    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    let (now, mut flight) = (wigwag_sim::origin(), Vec::new());
    a.poll_packet(now, 1200, &mut flight);
    let finished = flight.len() - HEADER_LEN - EXPLICIT_NONCE_LEN - 24 - TAG_LEN;
    z.handle_input(&mut flight[..finished], now, |_| {});
    assert!(matches!(z.state, State::Handshaking(Expect::Dtls12(v12::Expect::ClientFinished(_)))));
    z.handshake.transcript.add(b"something else");
    z.handle_input(&mut flight[finished..], now, |_| {});
    refused(&mut z);
}

/// Row 3: CertificateVerify is not left out, nor anything else.
#[test]
fn a_message_out_of_order_is_refused() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    let (now, mut flight) = (wigwag_sim::origin(), Vec::new());
    a.poll_packet(now, 1200, &mut flight);
    // Certificate and ClientKeyExchange, and then a Finished that has the number of CertificateVerify.
    let mut end = 0;
    for _ in 0..2 {
        end += HEADER_LEN + usize::from(u16::from_be_bytes([flight[end + 11], flight[end + 12]]));
    }
    z.handle_input(&mut flight[..end], now, |_| {});
    assert!(matches!(z.state, State::Handshaking(Expect::Dtls12(v12::Expect::CertificateVerify(_)))));
    let mut out = record(&mut a, ContentType::Handshake, &whole(HandshakeType::FINISHED, 3, &[0; 12]));
    z.handle_input(&mut out, now, |_| {});
    let events = format!("{:?}", events(&mut z));
    assert!(events.contains("UnexpectedMessage"), "{events}");
}

/// The client's flight 5, up to its Finished, and the Finished as a message; its record is spent.
fn finished_of(a: &mut Connection, z: &mut Connection) -> (Vec<u8>, Vec<u8>) {
    carry(a, z);
    carry(z, a);
    let mut flight = Vec::new();
    a.poll_packet(wigwag_sim::origin(), 1200, &mut flight);
    let mut before = flight.clone();
    let mut finished = before.split_off(flight.len() - HEADER_LEN - EXPLICIT_NONCE_LEN - 24 - TAG_LEN);
    z.handle_input(&mut before.clone(), wigwag_sim::origin(), |_| {});
    let (header, body) = crate::record::plaintext::split(&mut &mut finished[..]).unwrap();
    let finished = z.handshake.read.as_mut().unwrap().open(&header, body).unwrap().to_vec();
    (before, finished)
}

#[test]
fn a_finished_that_is_twice_in_its_record_is_late_and_ends_nothing() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    let (_, finished) = finished_of(&mut a, &mut z);
    let mut record = record(&mut a, ContentType::Handshake, &finished.repeat(3));
    z.handle_input(&mut record, wigwag_sim::origin(), |_| {});
    assert!(z.is_connected());
    assert_eq!((events(&mut z).len(), z.stats.late_handshake_messages), (1, 2));
    run_on(&mut a, &mut z);
    assert!(a.is_connected() && z.is_connected());
}

#[test]
fn a_message_too_many_in_the_record_of_the_finished_is_the_end() {
    for extra in [&[][..], &[0; 12]] {
        let [mut a, mut z] = pair([certificate(1), certificate(2)]);
        let (_, finished) = finished_of(&mut a, &mut z);
        let extra = whole(HandshakeType::FINISHED, 5, extra);
        let mut record = record(&mut a, ContentType::Handshake, &[finished, extra.clone(), extra].concat());
        z.handle_input(&mut record, wigwag_sim::origin(), |_| {});
        assert_eq!(refusal(&mut z), AlertDescription::UnexpectedMessage);
    }
}

fn run_on(a: &mut Connection, z: &mut Connection) {
    for _ in 0..4 {
        carry(z, a);
        carry(a, z);
    }
}

/// Row 4 of docs/security.md: who sends it has keys, but has not shown yet that the handshake was the same for both.
#[test]
fn application_data_before_the_finished_is_not_delivered() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    let now = wigwag_sim::origin();
    let (_, finished) = finished_of(&mut a, &mut z);
    let mut early = record(&mut a, ContentType::ApplicationData, b"early");
    z.handle_input(&mut early, now, |_| panic!("not before the handshake is over"));
    assert_eq!((z.stats.early_application_data, z.is_connected()), (1, false));
    let mut finished = record(&mut a, ContentType::Handshake, &finished);
    z.handle_input(&mut finished, now, |_| {});
    assert!(z.is_connected());
}
