//! More packets that nobody should send, each for one line that would let it in (row 24 of docs/security.md).

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{connected, connected_with, plain};
use crate::hostile::{chunk, data, packet, still_works, tag_for};
use std::collections::BTreeSet;
use std::time::Instant;
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, Config, Event, State};
use wigwag_sim::{A, Z};

/// usrsctp #352: a parameter of no length was read for ever.
#[test]
fn parameters_shorter_than_their_header_are_counted() {
    let mut world = connected(1);
    let (tag, now) = (tag_for(&world, Z), world.now());
    for len in 0..4u8 {
        let before = world[Z].association.stats().discarded;
        world[Z].association.handle_input(&packet(tag, &chunk(130, 0, &[0, 13, 0, len, 0, 0, 0, 0])), now);
        world[Z].association.handle_input(&packet(tag, &chunk(9, 0, &[0, 6, 0, len])), now);
        let after = world[Z].association.stats().discarded;
        assert_eq!((after.reconfig, after.malformed), (before.reconfig + 1, before.malformed + 1), "{len}");
    }
    still_works(&mut world);
}

/// What lies beyond a gap is not free: were it, a peer could fill 64 MiB with TSNs that a SACK can tell of.
#[test]
fn what_comes_early_is_charged_and_stays_within_the_window() {
    let mut world = connected_with(1, plain(), Config::default());
    let (tag, now) = (tag_for(&world, Z), world.now());
    let z = &mut world[Z].association;
    let held = allocation_counter::measure(|| {
        for ahead in 2..60_000u32 {
            z.handle_input(&packet(tag, &data(0, 1000 + ahead, 0, 0, &[7; 1000])), now);
        }
    });
    assert!(held.bytes_current < 2 * 5 * 1024 * 1024, "{} bytes", held.bytes_current);
    assert!(z.stats().discarded.no_room > 40_000);
}

/// A listener, as a peer sees it who can send anything.
struct Listener {
    association: Association,
    now: Instant,
}

impl Listener {
    /// Sends INIT with this tag; the tag and the cookie of the answer.
    fn init(&mut self, tag: u32) -> (u32, Vec<u8>) {
        let init = [tag.to_be_bytes(), [0, 5, 0, 0], [0, 9, 0, 9], [0, 0, 0, 1]].concat();
        self.association.handle_input(&packet(0, &chunk(1, 0, &init)), self.now);
        let mut ack = Vec::new();
        assert!(self.association.poll_packet(self.now, 1200, &mut ack));
        let len = usize::from(u16::from_be_bytes([ack[34], ack[35]]));
        (u32::from_be_bytes(ack[16..20].try_into().unwrap()), ack[36..32 + len].to_vec())
    }

    fn echo(&mut self, (tag, cookie): &(u32, Vec<u8>)) -> Vec<Event> {
        self.association.handle_input(&packet(*tag, &chunk(10, 0, cookie)), self.now);
        std::iter::from_fn(|| self.association.poll_event()).collect()
    }
}

/// RFC 9260 §5.2.4, action A: who begins anew shows that it knows of the association that there is. A cookie from before
/// that association shows nothing, and must not end it.
#[test]
fn a_cookie_that_knows_nothing_of_the_association_does_not_restart_it() {
    let association = Association::new(Config::default(), Seed::for_test(1));
    let mut z = Listener { association, now: wigwag_sim::origin() };
    let (before, first) = (z.init(1), z.init(2));
    assert_eq!(z.echo(&first), [Event::Connected]);
    let again = z.init(3);
    assert_eq!(z.echo(&again), [Event::Restarted], "which knows of it");
    assert_eq!(z.echo(&before), []);
    assert_eq!((z.association.state(), z.association.stats().discarded.cookie), (State::Established, 1));
}

/// Row 30: a tag that can be guessed is none, and so is a first TSN.
#[test]
fn ten_thousand_associations_have_no_tag_and_no_tsn_in_common() {
    let now = wigwag_sim::origin();
    let (mut tags, mut tsns) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..10_000 {
        let mut association = Association::new(Config::default(), Seed::for_test(seed));
        association.connect();
        let mut init = Vec::new();
        assert!(association.poll_packet(now, 1200, &mut init));
        tags.insert(init[16..20].to_vec());
        tsns.insert(init[28..32].to_vec());
    }
    // Two of 32 bits among ten thousand meet once in a hundred such tests.
    assert!(tags.len() >= 9_998 && tsns.len() >= 9_998, "{} tags, {} TSNs", tags.len(), tsns.len());
}

/// A SHUTDOWN is answered in the end, and until then it costs no look at every stream.
#[test]
fn shutdowns_that_come_again_and_again_do_not_look_at_every_stream() {
    let mut world = connected_with(1, plain(), plain());
    for stream in 0..1000 {
        world[Z].send(stream, b"used");
        world.run();
    }
    let (tag, now) = (tag_for(&world, Z), world.now());
    // What is not acknowledged keeps it from answering.
    world[Z].send(0, b"the last");
    let z = &mut world[Z].association;
    assert!(z.poll_packet(now, 1200, &mut Vec::new()));
    let before = z.stats().visits;
    let shutdowns = chunk(7, 0, &1999u32.to_be_bytes()).repeat(100);
    (0..10).for_each(|_| z.handle_input(&packet(tag, &shutdowns), now));
    assert_eq!(z.state(), State::ShutdownReceived);
    let visits = z.stats().visits - before;
    assert!(visits < 3000, "{visits} visits of streams by 1000 SHUTDOWN chunks");
}

/// Fragments beyond a gap, and then the consent to begin anew: a peer that has sent them has not all of what it has sent.
#[test]
fn fragments_of_before_a_reset_of_tsns_are_none_after_it() {
    let mut world = connected_with(1, plain(), plain());
    let (tag, now) = (tag_for(&world, A), world.now());
    let a = &mut world[A].association;
    let early = packet(tag, &data(2, 1005, 0, 0, &[7; 1000]));
    a.handle_input(&early, now);
    let window = a.stats().receive_window;
    a.reset_association().unwrap();
    while a.poll_packet(now, 1200, &mut Vec::new()) {}
    // Performed; the peer goes on with TSN 1000, and we with 5000.
    let response = [[0, 16, 0, 20], 1000u32.to_be_bytes(), [0, 0, 0, 1], 1000u32.to_be_bytes(), 5000u32.to_be_bytes()];
    a.handle_input(&packet(tag, &chunk(130, 0, &response.concat())), now);
    let is_reset = |event| event == Event::AssociationReset;
    assert!(std::iter::from_fn(|| a.poll_event()).any(is_reset));
    assert!(a.stats().receive_window > window, "they are held no more");
    a.handle_input(&early, now);
    (0..128).for_each(|_| a.handle_timeout(now));
    assert_eq!(a.stats().receive_window, window);
}
