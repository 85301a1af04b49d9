//! Packets cost no allocation.

use wigwag_srtp::{Context, MasterKey, Profile};

const LIMIT: usize = 1200;

fn pair(profile: Profile) -> (Context, Context) {
    let (keys, salts) = ([[1; 32], [2; 32]], [[3; 32], [4; 32]]);
    let master = |n: usize| MasterKey { key: &keys[n][..profile.key_len()], salt: &salts[n][..profile.salt_len()] };
    let context = |a, z| Context::new(profile, master(a), master(z)).expect("keys of the right length");
    (context(0, 1), context(1, 0))
}

#[test]
fn a_packet_is_sealed_and_opened_without_an_allocation() {
    for profile in Profile::ALL {
        let (mut a, mut z) = pair(*profile);
        let mut out = Vec::with_capacity(LIMIT);
        let mut sequence = 0u16;
        let mut carry = |n: usize| {
            for _ in 0..n {
                out.clear();
                sequence += 1;
                assert!(a.protect_rtp(LIMIT, &mut out, |room, out| {
                    out.extend_from_slice(&[0x80, 96]);
                    out.extend_from_slice(&sequence.to_be_bytes());
                    out.extend_from_slice(&[7; 8]);
                    out.resize(room, 7);
                    true
                }));
                assert!(z.unprotect_rtp(&mut out).is_ok());
                out.clear();
                assert!(a.protect_rtcp(LIMIT, &mut out, |room, out| {
                    out.extend_from_slice(&[0x80, 201, 0, 1]);
                    out.resize(room, 7);
                    true
                }));
                assert!(z.unprotect_rtcp(&mut out).is_ok());
            }
        };
        carry(10);
        assert_eq!(allocation_counter::measure(|| carry(1000)).count_total, 0, "{profile:?}");
    }
}
