//! What cannot be seen or done from outside: protected handshake messages, the last sequence number.

use super::*;
use crate::handshake::fragment::whole;
use crate::message::HandshakeType;
use crate::record::plaintext::RecordNumber;
use crate::{Certificate, HashAlgorithm};
use std::sync::Arc;
use std::time::Duration;

fn connected() -> [Connection; 2] {
    let certificate =
        |n| Arc::new(Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).unwrap());
    let (a, z) = (certificate(1), certificate(2));
    let connection = |role, own: &Arc<Certificate>, other: &Arc<Certificate>, seed| {
        let mut config = Config::new(role, own.clone());
        config.remote_fingerprints = vec![other.fingerprint(HashAlgorithm::Sha256)];
        Connection::new(config, Seed::for_test(seed))
    };
    let mut peers = [connection(Role::Client, &a, &z, 3), connection(Role::Server, &z, &a, 4)];
    for _ in 0..4 {
        let [a, z] = &mut peers;
        carry(a, z);
        carry(z, a);
    }
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
    let protect = |connection: &mut Connection| {
        let mut out = Vec::new();
        let has_written = connection.protect(1200, &mut out, |_, out| {
            out.extend_from_slice(b"data");
            true
        });
        has_written.then_some(out)
    };
    assert_eq!([protect(&mut a).is_some(), protect(&mut a).is_some(), protect(&mut a).is_some()], [true, true, false]);
    assert_eq!(events(&mut a).last().unwrap(), "Closed(SequenceExhausted)");
    assert_eq!(carry(&mut a, &mut z), 1, "the last one says goodbye");
    assert_eq!(events(&mut z).last().unwrap(), "Closed(CloseNotify)");
    assert!(protect(&mut a).is_none());
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

#[test]
fn a_finished_that_proves_nothing_is_refused() {
    let [mut a, z] = connected();
    let State::Connected(secrets) = &z.state else { panic!("connected") };
    assert_ne!(secrets.verify_data(Role::Client, &[0; 32]), secrets.verify_data(Role::Server, &[0; 32]));
    assert_ne!(secrets.verify_data(Role::Client, &[0; 32]), secrets.verify_data(Role::Client, &[1; 32]));
    assert_eq!(events(&mut a).len(), 1);
}
