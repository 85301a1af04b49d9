//! Records cost no allocation.

use crate::common::{A, MTU, Z, established};

#[test]
fn a_record_is_sealed_and_opened_without_an_allocation() {
    let mut pair = established(1);
    let (mut out, now) = (Vec::with_capacity(MTU), pair.now);
    let mut received = 0;
    let mut carry = |n: usize| {
        for _ in 0..n {
            out.clear();
            assert!(pair.peers[A].protect(MTU, &mut out, |room, out| {
                out.resize(out.len() + room, 7);
                true
            }));
            pair.peers[Z].handle_input(&mut out, now, |data| received += data.len());
        }
    };
    carry(10);
    let counted = allocation_counter::measure(|| carry(1000));
    assert_eq!(counted.count_total, 0);
    assert_eq!(received, 1010 * (MTU - wigwag_dtls::Connection::OVERHEAD));
}
