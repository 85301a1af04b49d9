//! New keys after the handshake (RFC 9147 §8).

use super::established;
use crate::common::{A, MTU, Pair, Z, as_it_is, plaintext};
use wigwag_dtls::CloseReason;

/// The epoch's last bits, of an application record.
fn epoch(pair: &mut Pair, who: usize) -> u8 {
    let record = pair.protect(who, b"text").expect("connected");
    pair.deliver(1 - who, &record);
    record[0] & 3
}

/// Lets time pass until nothing is owed: what comes after the handshake is acknowledged after a while.
fn settle(pair: &mut Pair) {
    pair.exchange(as_it_is);
    while pair.advance() {
        pair.exchange(as_it_is);
    }
}

#[test]
fn keys_are_replaced_in_one_direction_or_both() {
    for who in [A, Z] {
        for (is_requested, theirs) in [(false, 3), (true, 0)] {
            let mut pair = established(1);
            pair.peers[who].update_keys(is_requested);
            settle(&mut pair);
            assert_eq!((epoch(&mut pair, who), epoch(&mut pair, 1 - who)), (0, theirs));
            assert_eq!(pair.peers[1 - who].stats().key_updates_received, 1);
            assert_eq!(pair.peers[who].stats().key_updates_received, u64::from(is_requested));
            pair.assert_alive();
        }
    }
}

/// RFC 9147 §8: nothing is sent with the new keys before the peer has said that it has them.
/// Whoever has new keys and has not used them yet is known to the peer by the old ones.
#[test]
fn a_goodbye_comes_also_when_it_is_the_first_under_new_keys() {
    for who in [A, Z] {
        let mut pair = established(1);
        pair.peers[who].update_keys(false);
        settle(&mut pair);
        pair.peers[who].close();
        settle(&mut pair);
        assert_eq!(pair.closed[1 - who], Some(CloseReason::CloseNotify));
    }
}

#[test]
fn new_keys_wait_for_the_acknowledgement() {
    let mut pair = established(1);
    pair.peers[A].update_keys(false);
    pair.peers[A].update_keys(false);
    assert_eq!(pair.poll(A), 1, "one at a time");
    assert_eq!(epoch(&mut pair, A), 3);
    let (_, update) = pair.wire.pop_front().unwrap();
    pair.deliver(Z, &update);
    assert_eq!(epoch(&mut pair, A), 3);
    assert_eq!(pair.poll(Z), 0, "not at once: more may come");
    settle(&mut pair);
    assert_eq!(epoch(&mut pair, A), 1, "and then the second");
    pair.assert_alive();
}

#[test]
fn a_lost_update_or_acknowledgement_is_sent_again() {
    for lost in 0..2 {
        let mut pair = established(1);
        pair.peers[A].update_keys(true);
        let mut n = 0;
        pair.exchange(|_, datagram| {
            n += 1;
            if n - 1 == lost { vec![] } else { vec![datagram] }
        });
        for _ in 0..20 {
            pair.advance();
            pair.exchange(as_it_is);
        }
        assert_eq!((epoch(&mut pair, A), epoch(&mut pair, Z)), (0, 0));
        assert_eq!(pair.peers.each_ref().map(|peer| peer.poll_timeout(pair.now)), [None; 2]);
        pair.assert_alive();
    }
}

#[test]
fn what_was_sent_before_may_come_after() {
    let mut pair = established(1);
    let late = pair.protect(A, b"late").unwrap();
    pair.peers[A].update_keys(false);
    settle(&mut pair);
    assert_eq!(epoch(&mut pair, A), 0);
    pair.deliver(Z, &late);
    assert_eq!(pair.data[Z].last().unwrap(), b"late");
}

#[test]
fn both_at_once_do_not_disturb_each_other() {
    let mut pair = established(1);
    pair.peers.iter_mut().for_each(|peer| peer.update_keys(true));
    settle(&mut pair);
    let epochs = (epoch(&mut pair, A), epoch(&mut pair, Z));
    assert_eq!(epochs, (0, 0), "what is on its way is what the other asks for");
    pair.assert_alive();
}

/// Row 12 of docs/security.md: the answers to many requests are few, and nothing grows.
#[test]
fn ten_thousand_updates_are_survived() {
    let mut pair = established(1);
    let held = pair.peers[Z].held_len();
    for _ in 0..10_000 {
        pair.peers[A].update_keys(true);
        settle(&mut pair);
    }
    assert_eq!(pair.peers[Z].stats().key_updates_received, 10_000);
    assert!(pair.peers[Z].held_len() <= held + 1000);
    assert!(pair.sent[Z] <= 3 * 10_000, "{:?}", pair.sent);
    pair.assert_alive();
}

#[test]
fn epochs_that_are_used_up_end_the_connection_and_do_not_wrap() {
    let mut pair = established(1);
    for _ in 3..u32::from(u16::MAX) {
        pair.peers[A].update_keys(false);
        settle(&mut pair);
    }
    assert_eq!(pair.peers[Z].stats().key_updates_received, u64::from(u16::MAX) - 3);
    pair.peers[A].update_keys(false);
    assert_eq!(pair.poll(A), 0, "there is none left");
    pair.assert_alive();
}

#[test]
fn nothing_is_asked_for_before_and_after_a_connection() {
    let mut pair = super::pair(1);
    pair.peers[A].update_keys(true);
    pair.exchange(as_it_is);
    pair.assert_alive();
    pair.peers[A].close();
    pair.exchange(as_it_is);
    pair.peers[A].update_keys(true);
    assert_eq!(pair.poll(A), 0);
    assert_eq!(pair.closed[A], Some(CloseReason::Local));
    let mut out = Vec::new();
    assert!(!pair.peers[A].protect(MTU, &mut out, |_, _| true));
}

/// Row 5 of docs/security.md: what nobody protected says nothing of a peer that has keys, however long it is silent.
#[test]
fn a_forged_alert_does_not_end_what_waits_for_an_acknowledgement() {
    for alert in [[2, 40], [1, 0], [2, 0]] {
        let mut pair = established(1);
        pair.peers[A].update_keys(false);
        assert_eq!(pair.poll(A), 1);
        pair.wire.clear();
        let before = pair.peers[A].stats().plaintext_alerts;
        pair.deliver(A, &plaintext(21, 0, 9, &alert));
        assert_eq!(pair.peers[A].stats().plaintext_alerts, before + 1);
        for _ in 0..4 {
            pair.advance();
            pair.exchange(|_, _| vec![]);
        }
        assert!(pair.peers[A].stats().retransmissions >= 4);
        pair.advance();
        settle(&mut pair);
        assert_eq!(epoch(&mut pair, A), 0);
        pair.assert_alive();
    }
}
