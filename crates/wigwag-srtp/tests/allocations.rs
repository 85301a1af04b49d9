//! Packets cost no allocation.

use wigwag_srtp::{Context, Cryptex, MasterKey, Profile};

const LIMIT: usize = 1200;

fn pair(profile: Profile) -> (Context, Context) {
    let (keys, salts) = ([[1; 32], [2; 32]], [[3; 32], [4; 32]]);
    let master = |n: usize| MasterKey { key: &keys[n][..profile.key_len()], salt: &salts[n][..profile.salt_len()] };
    let context = |a, z| Context::new(profile, master(a), master(z)).expect("keys of the right length");
    (context(0, 1), context(1, 0))
}

/// With CSRCs that are encrypted, and with an extension or without.
#[test]
fn a_packet_whose_header_is_encrypted_is_sealed_and_opened_without_an_allocation() {
    for profile in Profile::ALL {
        let (mut a, mut z) = pair(*profile);
        a.set_cryptex(Cryptex::Required);
        z.set_cryptex(Cryptex::Required);
        let mut out = Vec::with_capacity(LIMIT);
        let mut sequence = 0u16;
        let mut carry = |n: usize| {
            for _ in 0..n {
                out.clear();
                sequence += 1;
                assert!(a.protect_rtp(LIMIT, &mut out, |room, out| {
                    out.extend_from_slice(&[if sequence.is_multiple_of(2) { 0x92 } else { 0x82 }, 96]);
                    out.extend_from_slice(&sequence.to_be_bytes());
                    out.extend_from_slice(&[7; 16]);
                    out.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
                    out.resize(room, 7);
                    true
                }));
                assert!(z.unprotect_rtp(&mut out).is_ok());
            }
        };
        carry(10);
        assert_eq!(allocation_counter::measure(|| carry(1000)).count_total, 0, "{profile:?}");
        assert_eq!(z.stats().cryptex_unprotected, 1010);
    }
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
