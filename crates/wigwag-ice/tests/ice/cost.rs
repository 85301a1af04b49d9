//! What an agent costs while nothing changes.

use crate::script::Script;
use std::time::Duration;
use wigwag_ice::Role;
use wigwag_sansio::Datagram;

/// An agent with a working pair, and a check of the peer.
fn connected() -> (Script, Vec<u8>) {
    let mut script = Script::new(Role::Controlled);
    script.signal(0);
    script.answer(&[0], Duration::from_millis(100));
    let check = script.request().bytes();
    script.feed(0, &check);
    script.sent();
    (script, check)
}

#[test]
fn answering_a_check_allocates_nothing() {
    let (mut script, mut check) = connected();
    let mut out = Vec::with_capacity(200);
    let now = script.now;
    let path = crate::script::path(0);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            script.agent.handle_input(Datagram::udp(path.local, path.remote, &mut check), now);
            assert!(script.agent.poll_transmit(now, &mut out).is_some());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn polling_for_nothing_allocates_nothing() {
    let (mut script, _) = connected();
    let mut out = Vec::new();
    let now = script.now;
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            script.agent.handle_timeout(now);
            assert!(script.agent.poll_transmit(now, &mut out).is_none() && script.agent.poll_event().is_none());
            assert!(script.agent.poll_timeout(now) > Some(now));
        }
    });
    assert_eq!(allocated.count_total, 0);
}
