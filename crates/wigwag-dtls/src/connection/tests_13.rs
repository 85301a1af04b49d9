//! What cannot be seen or done from outside in DTLS 1.3: protected handshake messages, ACKs, worn keys.

use super::*;
use crate::handshake::fragment::whole;
use crate::message::NewSessionTicket;
use crate::record::plaintext::RecordNumber;
use crate::{Certificate, HashAlgorithm};
use std::sync::Arc;
use std::time::Duration;

fn certificate(n: u64) -> Arc<Certificate> {
    Arc::new(Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).unwrap())
}

fn pair([a, z]: [Arc<Certificate>; 2]) -> [Connection; 2] {
    let connection = |role, own: &Arc<Certificate>, other: &Arc<Certificate>, seed| {
        let mut config = Config::new(role, own.clone());
        (config.min_version, config.max_version) = (Version::Dtls13, Version::Dtls13);
        config.remote_fingerprints = vec![other.fingerprint(HashAlgorithm::Sha256)];
        Connection::new(config, Seed::for_test(seed))
    };
    [connection(Role::Client, &a, &z, 3), connection(Role::Server, &z, &a, 4)]
}

/// Brings everything that one owes to the other, and says how many datagrams that was.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let (now, mut datagrams, mut out) = (wigwag_sim::origin(), 0, Vec::new());
    while from.poll_packet(now, 1200, &mut out) {
        to.handle_input(&mut out, now, |_| panic!("no application data"));
        out.clear();
        datagrams += 1;
    }
    datagrams
}

fn connected() -> [Connection; 2] {
    let mut peers = pair([certificate(1), certificate(2)]);
    let [a, z] = &mut peers;
    while carry(a, z) + carry(z, a) > 0 {}
    assert!(peers.iter().all(Connection::is_connected));
    for peer in &mut peers {
        events(peer);
    }
    peers
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

fn give(to: &mut Connection, mut record: Vec<u8>) {
    to.handle_input(&mut record, wigwag_sim::origin(), |_| panic!("no application data"));
}

fn events(connection: &mut Connection) -> Vec<String> {
    std::iter::from_fn(|| connection.poll_event()).map(|event| format!("{event:?}")).collect()
}

/// The body of a NewSessionTicket with this in it.
fn ticket(ticket: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    NewSessionTicket { lifetime: 1, age_add: 2, nonce: &[3], ticket }.encode(&mut body);
    body
}

/// The next number of a handshake message of the peer's.
fn next_seq(to: &Connection) -> u16 {
    to.handshake.received.next().try_into().unwrap()
}

#[test]
fn a_ticket_is_acknowledged_and_thrown_away() {
    let [mut a, mut z] = connected();
    let held = a.held_len();
    for n in 0..100 {
        let ticket = whole(HandshakeType::NEW_SESSION_TICKET, next_seq(&a), &ticket(&[n; 300]));
        give(&mut a, record(&mut z, ContentType::Handshake, &ticket));
        assert_eq!(carry(&mut a, &mut z), 0, "more may come");
        a.handshake.acks.owe();
        assert_eq!(carry(&mut a, &mut z), 1, "an ACK");
        // And once more, when that was lost.
        give(&mut a, record(&mut z, ContentType::Handshake, &ticket));
        assert!(a.handshake.acks.deadline().is_some());
        a.handshake.acks.owe();
        assert_eq!(carry(&mut a, &mut z), 1);
    }
    assert!(a.held_len() <= held + crate::v13::ack::Acks::HELD_LEN_MAX);
    assert!(a.is_connected() && z.is_connected());
}

#[test]
fn messages_that_do_not_belong_after_a_handshake_end_it() {
    let types = [0, 1, 2, 4, 5, 8, 11, 13, 15, 20, 25];
    for message_type in types.map(HandshakeType) {
        for to in [0, 1] {
            let mut peers = connected();
            let message = whole(message_type, next_seq(&peers[to]), &ticket(&[0; 26]));
            let record = record(&mut peers[1 - to], ContentType::Handshake, &message);
            give(&mut peers[to], record);
            let is_ticket = message_type == HandshakeType::NEW_SESSION_TICKET && to == 0;
            assert_eq!(peers[to].is_connected(), is_ticket, "{message_type:?}");
            if !is_ticket {
                assert!(format!("{:?}", events(&mut peers[to])).contains("UnexpectedMessage"));
            }
        }
    }
}

/// D7: after 65,536 messages there is no number left, and none comes again.
#[test]
fn the_last_number_of_a_message_is_the_last() {
    let [mut a, mut z] = connected();
    a.handshake.set_next_message_seq(u16::MAX);
    z.handshake.received.resume(u16::MAX);
    a.update_keys(false);
    let now = wigwag_sim::origin();
    let mut update = Vec::new();
    assert!(a.poll_packet(now, 1200, &mut update));
    give(&mut z, update);
    // Its acknowledgement was lost, so it comes again.
    let again = a.poll_timeout(now).unwrap();
    a.handle_timeout(again);
    let mut update = Vec::new();
    assert!(a.poll_packet(again, 1200, &mut update));
    give(&mut z, update);
    assert_eq!((z.is_connected(), z.stats.key_updates_received, z.stats.repeated_fragments), (true, 1, 1));
    z.handshake.acks.owe();
    assert_eq!(carry(&mut z, &mut a), 1);
    assert_eq!(a.handshake.epoch(), 4);
    a.update_keys(true);
    assert_eq!((carry(&mut a, &mut z), a.is_updating_keys()), (0, false));
}

/// RFC 8446 §5, §5.4: what only the peer can have sealed, and must not.
#[test]
fn records_that_nobody_may_seal_are_the_end() {
    for content_type in [ContentType::ChangeCipherSpec, ContentType::Handshake, ContentType::Alert] {
        for to in [0, 1] {
            let mut peers = connected();
            let body: &[u8] = if content_type == ContentType::ChangeCipherSpec { &[1] } else { &[] };
            let record = record(&mut peers[1 - to], content_type, body);
            give(&mut peers[to], record);
            assert!(format!("{:?}", events(&mut peers[to])).contains("UnexpectedMessage"), "{content_type:?}");
        }
    }
    // ACKs may be empty, and so may data.
    let [mut a, mut z] = connected();
    give(&mut z, record(&mut a, ContentType::Ack, &[0, 0]));
    give(&mut z, record(&mut a, ContentType::ApplicationData, &[]));
    assert!(z.is_connected());
}

#[test]
fn a_key_update_that_is_none_ends_it() {
    for (body, alert) in [(&[2][..], "IllegalParameter"), (&[], "DecodeError"), (&[0, 0], "DecodeError")] {
        let [mut a, mut z] = connected();
        let message = whole(HandshakeType::KEY_UPDATE, next_seq(&z), body);
        give(&mut z, record(&mut a, ContentType::Handshake, &message));
        assert!(!z.is_connected());
        let refused = format!("{:?}", events(&mut z));
        assert!(refused.contains(alert), "{body:?}: {refused}");
    }
}

/// RFC 8446 §6: "Peers which receive a message which cannot be parsed according to the syntax … MUST terminate the connection
/// with a "decode_error" alert."
#[test]
fn a_ticket_that_is_none_ends_it() {
    let genuine = ticket(&[7; 100]);
    let empty = ticket(&[]);
    let cut = (0..genuine.len()).map(|len| genuine[..len].to_vec());
    for body in cut.chain([[&*genuine, &[0]].concat(), empty]) {
        let [mut a, mut z] = connected();
        let message = whole(HandshakeType::NEW_SESSION_TICKET, next_seq(&a), &body);
        give(&mut a, record(&mut z, ContentType::Handshake, &message));
        let refused = format!("{:?}", events(&mut a));
        assert!(refused.contains("DecodeError"), "{body:?}: {refused}");
    }
}

/// RFC 9147 §7: "Implementations MUST NOT acknowledge records containing handshake messages or fragments which have not
/// been processed or buffered."
#[test]
fn a_key_update_is_held_until_what_comes_before_it_has_come() {
    let [mut a, mut z] = connected();
    let next = next_seq(&a);
    let ticket = whole(HandshakeType::NEW_SESSION_TICKET, next, &ticket(&[7; 86]));
    let update = whole(HandshakeType::KEY_UPDATE, next + 1, &[0]);
    give(&mut a, record(&mut z, ContentType::Handshake, &update));
    assert_eq!((a.stats.key_updates_received, a.stats.excessive_fragments), (0, 0));
    let far = whole(HandshakeType::KEY_UPDATE, next + 100, &[0]);
    give(&mut a, record(&mut z, ContentType::Handshake, &far));
    assert_eq!((a.stats.key_updates_received, a.stats.excessive_fragments), (0, 1), "that is not held");
    // Half of the ticket, and then all of it with the update.
    let half = [&ticket[..9], &[0, 0, 50], &ticket[12..62]].concat();
    give(&mut a, record(&mut z, ContentType::Handshake, &half));
    give(&mut a, record(&mut z, ContentType::Handshake, &[ticket, update].concat()));
    a.handshake.acks.owe();
    assert_eq!((carry(&mut a, &mut z), a.stats.key_updates_received), (1, 1));
}

#[test]
fn a_message_with_keys_that_were_replaced_before_it_ends_it() {
    let [mut a, mut z] = connected();
    let next = next_seq(&a);
    give(&mut a, record(&mut z, ContentType::Handshake, &whole(HandshakeType::KEY_UPDATE, next, &[0])));
    assert_eq!(a.stats.key_updates_received, 1);
    // The ticket comes in the epoch that ended.
    give(&mut a, record(&mut z, ContentType::Handshake, &whole(HandshakeType::NEW_SESSION_TICKET, next + 1, &[0; 40])));
    assert!(!a.is_connected());
}

/// RFC 8446 §5.1: "Handshake messages MUST NOT span key changes." A part of the next message has come before the KeyUpdate.
#[test]
fn a_message_that_began_with_keys_that_are_replaced_ends_it() {
    for message_type in [HandshakeType::NEW_SESSION_TICKET, HandshakeType::KEY_UPDATE] {
        let [mut a, mut z] = connected();
        let next = next_seq(&a);
        let part = [&[message_type.0, 0, 0, 40][..], &(next + 1).to_be_bytes(), &[0, 0, 0, 0, 0, 3, 7, 7, 7]].concat();
        give(&mut a, record(&mut z, ContentType::Handshake, &part));
        assert!(a.is_connected());
        give(&mut a, record(&mut z, ContentType::Handshake, &whole(HandshakeType::KEY_UPDATE, next, &[0])));
        assert!(format!("{:?}", events(&mut a)).contains("UnexpectedMessage"));
    }
}

/// The same of the keys of the handshake, with which nothing comes after the Finished.
#[test]
fn a_message_after_the_last_that_began_before_it_is_the_end() {
    for to in [0, 1] {
        let mut peers = pair([certificate(1), certificate(2)]);
        peers.iter_mut().for_each(|peer| peer.handshake.config.groups = vec![Group::X25519]);
        let [a, z] = &mut peers;
        *a = Connection::new(a.handshake.config.clone(), Seed::for_test(3));
        carry(a, z);
        if to == 1 {
            carry(z, a);
        }
        let (now, [from, to]) = (wigwag_sim::origin(), if to == 0 { [z, a] } else { [a, z] });
        let mut flight = Vec::new();
        let mut out = Vec::new();
        while from.poll_packet(now, 300, &mut out) {
            flight.push(std::mem::take(&mut out));
        }
        give(to, flight.remove(0));
        let handshake = from.handshake.write.iter_mut().find(|epoch| epoch.epoch() == 2).unwrap();
        let seq = u16::try_from(from.handshake.flight.messages().len()).unwrap()
            + u16::from(to.config().role == Role::Server);
        let part = [&[20, 0, 0, 40][..], &seq.to_be_bytes(), &[0, 0, 0, 0, 0, 3, 7, 7, 7]].concat();
        assert!(handshake.append(ContentType::Handshake, 300, &mut out, |_, out| {
            out.extend_from_slice(&part);
            true
        }));
        give(to, out);
        assert!(!to.is_closed());
        flight.into_iter().for_each(|datagram| give(to, datagram));
        assert!(format!("{:?}", events(to)).contains("UnexpectedMessage"));
    }
}
/// A message with keys that were replaced, to a client that owes one KeyUpdate after another, and has sent nothing yet with the keys of
/// the first.
/// A client that owes one KeyUpdate after another, and has sent nothing yet with the keys of the first.
#[test]
fn whoever_is_told_so_with_keys_that_it_has_not_used_says_why_it_ends() {
    let [mut a, mut z] = connected();
    a.update_keys(false);
    a.update_keys(false);
    carry(&mut a, &mut z);
    let next = next_seq(&a);
    give(&mut a, record(&mut z, ContentType::Handshake, &whole(HandshakeType::KEY_UPDATE, next, &[0])));
    z.handshake.acks.owe();
    let mut ack = Vec::new();
    assert!(z.poll_packet(wigwag_sim::origin(), 1200, &mut ack));
    give(&mut a, ack);
    assert_eq!(a.handshake.epoch(), 4);
    give(&mut a, record(&mut z, ContentType::Handshake, &whole(HandshakeType::NEW_SESSION_TICKET, next + 1, &[0; 40])));
    assert!(!a.is_connected());
    assert_eq!(carry(&mut a, &mut z), 1, "an alert");
    events(&mut a);
    assert_eq!(a.poll_timeout(wigwag_sim::origin()), None);
    assert!(format!("{:?}", events(&mut z)).contains("UnexpectedMessage"));
}

/// Row 12 of docs/security.md, with numbers that never were, and as many as there is room for.
#[test]
fn acknowledgements_of_anything_end_nothing_and_hold_nothing() {
    let [mut a, mut z] = connected();
    a.update_keys(false);
    let now = wigwag_sim::origin();
    assert!(a.poll_packet(now, 1200, &mut Vec::new()));
    let held = a.held_len();
    for n in 0..2_000u64 {
        let numbers: Vec<u8> = (0..70u64)
            .flat_map(|i| {
                let epoch = [0, 1, 2, 4, u64::MAX, 1 << 16, (1 << 16) + 3, n][i as usize % 8];
                [epoch.to_be_bytes(), (n * i).to_be_bytes()]
            })
            .flatten()
            .collect();
        let body = [&(numbers.len() as u16).to_be_bytes()[..], &numbers].concat();
        give(&mut a, record(&mut z, ContentType::Ack, &body));
    }
    give(&mut a, record(&mut z, ContentType::Ack, &[0, 15]));
    assert!(a.is_connected() && a.held_len() <= held && !a.handshake.flight.is_idle());
    assert_eq!((carry(&mut a, &mut z), a.stats.malformed_acks), (0, 1));
    let genuine = [&[0, 16][..], &3u64.to_be_bytes(), &0u64.to_be_bytes()].concat();
    give(&mut a, record(&mut z, ContentType::Ack, &genuine));
    assert!(a.handshake.flight.is_idle());
    assert_eq!(a.handshake.epoch(), 4);
}

/// Row 5 of docs/security.md.
#[test]
fn an_ack_without_protection_says_nothing_of_what_is_protected() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    while z.poll_packet(wigwag_sim::origin(), 1200, &mut Vec::new()) {}
    let numbers: Vec<u8> = (0..4u64)
        .flat_map(|epoch| (0..8u64).flat_map(move |sequence| [epoch.to_be_bytes(), sequence.to_be_bytes()].concat()))
        .collect();
    let body = [&(numbers.len() as u16).to_be_bytes()[..], &numbers].concat();
    let mut forged = Vec::new();
    assert!(WriteEpoch::plaintext().append(ContentType::Ack, 1200, &mut forged, |_, out| {
        out.extend_from_slice(&body);
        true
    }));
    let held = z.held_len();
    give(&mut z, forged);
    assert_eq!((z.stats.plaintext_acks, z.held_len() <= held), (1, true));
    // All but the ServerHello is sent again, and as soon as ever.
    let now = z.poll_timeout(wigwag_sim::origin()).unwrap();
    assert_eq!(now, wigwag_sim::origin() + z.config().retransmission.initial);
    z.handle_timeout(now);
    let (mut again, mut out) = (0, Vec::new());
    while z.poll_packet(now, 1200, &mut out) {
        again += out.len();
        out.clear();
    }
    let certificate_len = z.config().certificate.der().len();
    assert!(again > certificate_len && again < 1000, "{again} bytes, of which its certificate has {certificate_len}");
}

/// Row 9 of docs/security.md: RFC 9147 §4.5.3.
#[test]
fn a_key_is_replaced_before_it_is_worn_out_and_is_not_used_after() {
    let protect = |connection: &mut Connection| {
        let mut out = Vec::new();
        let has_written = connection.protect(1200, &mut out, |_, out| {
            out.extend_from_slice(b"data");
            true
        });
        has_written.then_some(out)
    };
    let [mut a, mut z] = connected();
    let limit = a.handshake.write.last().unwrap().left();
    assert!(limit < 1 << 25, "of AES-GCM");
    a.handshake.write.last_mut().unwrap().set_sequence(limit / 2 + 1);
    z.handshake.readers.skip_to(limit / 2 + 1);
    assert!(protect(&mut a).is_some());
    assert_eq!(carry(&mut a, &mut z), 1, "a KeyUpdate");
    z.handshake.acks.owe();
    carry(&mut z, &mut a);
    assert_eq!((a.handshake.epoch(), z.stats.key_updates_received), (4, 1));

    // A peer that does not answer.
    a.handshake.write.last_mut().unwrap().set_sequence(limit - 2);
    assert!(protect(&mut a).is_some() && protect(&mut a).is_none());
    assert_eq!(events(&mut a), ["Closed(KeysWornOut)"]);
}

#[test]
fn too_many_forgeries_end_it() {
    let [mut a, _] = connected();
    a.handshake.readers.set_forgeries((1 << 36) - 1);
    let forge = |a: &mut Connection| a.handle_input(&mut [0x2F; 60], wigwag_sim::origin(), |_| {});
    let mut record = vec![0x2F, 0, 0, 0, 40];
    record.extend([7; 40]);
    give(&mut a, record.clone());
    forge(&mut a);
    assert!(a.is_connected());
    give(&mut a, record);
    assert_eq!(events(&mut a), ["Closed(ForgeriesExceeded)"]);
}

/// Row 3 of docs/security.md (CVE-2022-29222): a certificate is public, and its fingerprint is right.
#[test]
fn a_stolen_certificate_is_refused_without_its_key() {
    for thief in [0, 1] {
        let mut certificates = [certificate(1), certificate(2)];
        certificates[thief] = Arc::new(certificates[thief].stolen_by(&certificate(3)));
        let [mut a, mut z] = pair(certificates);
        while carry(&mut a, &mut z) + carry(&mut z, &mut a) > 0 {}
        let refused = format!("{:?}", events([&mut z, &mut a][thief]));
        let side = ["client", "server"][thief];
        assert!(refused.contains(&format!("the {side}'s signature is wrong")), "{refused}");
        assert!(!refused.contains("Connected"));
    }
}

#[test]
fn a_finished_over_another_handshake_is_refused() {
    for who in [0, 1] {
        let [mut a, mut z] = pair([certificate(1), certificate(2)]);
        carry(&mut a, &mut z);
        if who == 1 {
            carry(&mut z, &mut a);
            z.handshake.transcript.add(b"something else");
        } else {
            // The secrets of epoch 2 are made of the hellos, so the rest of the flight is read, and its signature is wrong.
            a.handshake.transcript.add(b"something else");
            carry(&mut z, &mut a);
        }
        while carry(&mut a, &mut z) + carry(&mut z, &mut a) > 0 {}
        assert!(!format!("{:?}", events([&mut a, &mut z][who])).contains("Connected"));
    }
}

/// Row 4 of docs/security.md: with the keys of the handshake there are no data, before its end and after.
#[test]
fn data_with_the_keys_of_the_handshake_are_not_delivered() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    carry(&mut a, &mut z);
    carry(&mut z, &mut a);
    // The client has keys of two epochs, and sends with those of the first.
    let application = a.handshake.write.pop().unwrap();
    let (early, late) = [0, 1].map(|_| record(&mut a, ContentType::ApplicationData, b"data")).into();
    a.handshake.write.push(application);
    while carry(&mut a, &mut z) + carry(&mut z, &mut a) > 0 {}
    give(&mut z, late);
    assert_eq!((z.is_connected(), z.stats.early_application_data, z.stats.application_records_received), (true, 1, 0));

    // A second handshake has the keys of the first, but with AWS-LC, which draws for itself.
    if cfg!(feature = "aws-lc-rs") {
        return;
    }
    let [_, mut z] = {
        let mut peers = pair([certificate(1), certificate(2)]);
        let [a, z] = &mut peers;
        carry(a, z);
        peers
    };
    give(&mut z, early);
    assert!(!z.is_connected());
    assert!(format!("{:?}", events(&mut z)).contains("UnexpectedMessage"));
}

/// RFC 8446 §6: what an alert's level says is not listened to.
#[test]
fn every_alert_but_two_is_the_end() {
    for (description, is_end) in [(0, true), (90, false), (40, true), (100, true), (222, true)] {
        for level in [1, 2] {
            let [mut a, mut z] = connected();
            give(&mut z, record(&mut a, ContentType::Alert, &[level, description]));
            assert_eq!(z.is_closed(), is_end, "{description}");
        }
    }
}

/// After a KeyUpdate (RFC 8446 §7.2), who learns all that a connection holds does not learn the keys before it: neither by what the
/// shares were drawn with.
#[test]
fn what_is_drawn_after_a_handshake_does_not_tell_what_was_drawn_in_it() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut peers = pair([certificate(1), certificate(2)]);
        for peer in &mut peers {
            (peer.handshake.config.min_version, peer.handshake.config.max_version) = (version, version);
        }
        let [a, z] = &mut peers;
        *a = Connection::new(a.handshake.config.clone(), Seed::for_test(3));
        while carry(a, z) + carry(z, a) > 0 {}
        for (peer, seed) in peers.iter_mut().zip([3, 4]) {
            assert!(peer.is_connected());
            let mut drawn = vec![0; 1 << 12];
            Rng::new(Seed::for_test(seed)).fill(&mut drawn);
            let next = peer.handshake.rng.bytes::<32>();
            assert!(!drawn.windows(next.len()).any(|bytes| bytes == next), "{version:?} {seed}");
        }
    }
}

/// D3: retransmissions have numbers of their own.
#[test]
fn what_is_sent_again_has_another_number() {
    let [mut a, mut z] = pair([certificate(1), certificate(2)]);
    let mut now = wigwag_sim::origin();
    carry(&mut a, &mut z);
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let mut out = Vec::new();
        while z.poll_packet(now, 1200, &mut out) {
            out.clear();
        }
        let written: Vec<RecordNumber> = z.handshake.write.iter().map(WriteEpoch::next_number).collect();
        assert!(numbers.insert(written));
        now = z.poll_timeout(now).unwrap();
        z.handle_timeout(now);
    }
}
