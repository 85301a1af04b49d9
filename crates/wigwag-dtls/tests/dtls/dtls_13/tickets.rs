//! Tickets that a server sends after the handshake, and that open nothing (RFC 8446 §4.6.1).

use super::{LIMIT, configs};
use crate::common::{A, Pair, Z, as_it_is, configs_of};
use std::time::Duration;
use wigwag_dtls::{CloseReason, Config, Version};

fn with_tickets(mut configs: [Config; 2]) -> [Config; 2] {
    configs[A].takes_tickets = true;
    configs[Z].sends_tickets = true;
    configs
}

/// Connected, with the ACK of the client's last flight and the tickets on the wire.
fn pair() -> Pair {
    let mut pair = Pair::with(with_tickets(configs()), 1);
    while !pair.connected[Z] {
        let n = pair.poll(A) + pair.poll(Z);
        assert!(n > 0, "a handshake is never stuck");
        while let Some((to, datagram)) = pair.wire.pop_front() {
            pair.deliver(to, &datagram);
        }
        pair.poll_events(Z);
    }
    assert_eq!(pair.poll(Z), 2);
    pair
}

fn settle(pair: &mut Pair) {
    pair.exchange(as_it_is);
    while pair.advance() {
        pair.exchange(as_it_is);
    }
}

#[test]
fn two_come_after_the_handshake_and_are_acknowledged() {
    let mut pair = pair();
    assert!(pair.wire[1].1.len() > 2 * 50, "two tickets");
    settle(&mut pair);
    pair.assert_alive();
    assert_eq!(pair.peers.each_ref().map(|peer| peer.stats().retransmissions), [0, 0]);
    assert_eq!(pair.sent[Z], 4, "two of the handshake, an ACK, the tickets");
}

#[test]
fn they_are_sent_again_until_they_are_acknowledged_while_data_pass() {
    for lost in [1, 2] {
        let mut pair = pair();
        // The tickets, or what acknowledges them.
        let mut n = 0;
        for _ in 0..20 {
            pair.exchange(|_, datagram| {
                n += 1;
                if n - 1 == lost { vec![] } else { vec![datagram] }
            });
            pair.assert_alive();
            pair.advance();
        }
        assert_eq!(pair.peers[Z].stats().retransmissions, 1, "{lost}");
        assert_eq!(pair.peers.each_ref().map(|peer| peer.poll_timeout(pair.now)), [None; 2]);
        pair.peers[Z].update_keys(true);
        settle(&mut pair);
        pair.assert_alive();
        assert_eq!(pair.peers.each_ref().map(|peer| peer.stats().key_updates_received), [1, 1]);
    }
}

#[test]
fn new_keys_wait_for_them() {
    let mut pair = pair();
    pair.peers[Z].update_keys(false);
    assert_eq!(pair.poll(Z), 0);
    settle(&mut pair);
    assert_eq!(pair.peers[A].stats().key_updates_received, 1);
    pair.assert_alive();
}

#[test]
fn a_client_that_acknowledges_none_is_dead() {
    let mut pair = pair();
    let (ack, _) = (pair.wire.pop_front(), pair.wire.pop_front());
    pair.deliver(A, &ack.unwrap().1);
    pair.poll_events(A);
    assert_eq!(pair.connected, [true; 2]);
    let end = pair.now + 20 * Duration::from_secs(60);
    while pair.closed[Z].is_none() && pair.now < end && pair.advance() {
        pair.exchange(|_, _| vec![]);
    }
    assert_eq!(pair.closed, [None, Some(CloseReason::TimedOut)]);
}

#[test]
fn none_come_where_they_are_not_wanted_or_not_known() {
    let [without_client, without_server] = [A, Z].map(|who| {
        let mut configs = with_tickets(configs());
        configs[who].takes_tickets = false;
        configs[who].sends_tickets = false;
        configs
    });
    let old = with_tickets(configs_of(Version::Dtls12));
    for (configs, sent) in [(without_client, 3), (without_server, 3), (old, 2)] {
        let mut pair = Pair::with(configs, 1);
        pair.run(LIMIT, as_it_is);
        settle(&mut pair);
        pair.assert_alive();
        assert_eq!(pair.sent[Z], sent);
    }
}
