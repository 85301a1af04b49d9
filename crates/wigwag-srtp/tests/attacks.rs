//! What hostile and unlucky packets do: forged, replayed, lost around the wrap, too short, in the clear (rows 13 to 15 of
//! docs/security.md). A context sends nothing of its own, so nothing can go to who attacks it; and it holds nothing but a
//! state for each source, of which `a_million_forged_sources_leave_no_state` shows that forgeries make none.

use proptest::prelude::*;
use wigwag_srtp::{Context, Error, MasterKey, Profile, Stats};

const PROFILES: &[Profile] = Profile::ALL;

fn pair(profile: Profile) -> (Context, Context) {
    let (keys, salts) = ([[1; 32], [2; 32]], [[3; 32], [4; 32]]);
    let master = |n: usize| MasterKey { key: &keys[n][..profile.key_len()], salt: &salts[n][..profile.salt_len()] };
    let context = |a, z| Context::new(profile, master(a), master(z)).expect("keys of the right length");
    (context(0, 1), context(1, 0))
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    [&[0x80, 96], &sequence.to_be_bytes()[..], &[0; 4], &ssrc.to_be_bytes(), payload].concat()
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

fn append<'a>(packet: &'a [u8]) -> impl FnOnce(usize, &mut Vec<u8>) -> bool + 'a {
    |_, out| {
        out.extend_from_slice(packet);
        true
    }
}

/// The sealed packet, if it was sealed.
fn seal(context: &mut Context, packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xee; 3];
    let is_sealed = context.protect_rtp(2000, &mut out, append(packet));
    assert_eq!(is_sealed, out.len() > 3, "nothing is left behind");
    is_sealed.then(|| out.split_off(3))
}

fn seal_rtcp(context: &mut Context, packet: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(context.protect_rtcp(2000, &mut out, append(packet)));
    out
}

fn open(context: &mut Context, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut packet = sealed.to_vec();
    let result = context.unprotect_rtp(&mut packet).map(|opened| opened.to_vec());
    assert!(result.is_ok() || packet == sealed, "a refused packet is left as it was");
    result
}

fn open_rtcp(context: &mut Context, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut packet = sealed.to_vec();
    let result = context.unprotect_rtcp(&mut packet).map(|opened| opened.to_vec());
    assert!(result.is_ok() || packet == sealed, "a refused packet is left as it was");
    result
}

/// Sends `sequences` of one source, of which those in `lost` do not arrive; all others must.
fn all_arrive(profile: Profile, sequences: impl IntoIterator<Item = u16>, lost: impl Fn(usize) -> bool) {
    let (mut a, mut z) = pair(profile);
    for (n, sequence) in sequences.into_iter().enumerate() {
        let packet = rtp(1, sequence, &n.to_be_bytes());
        let sealed = seal(&mut a, &packet).expect("sealed");
        if !lost(n) {
            assert_eq!(open(&mut z, &sealed), Ok(packet), "{n}: {sequence}");
            assert_eq!(open(&mut z, &sealed), Err(Error::Replayed), "{n}: {sequence}");
        }
    }
}

/// Received packets that were dropped, whatever for.
fn dropped(context: &Context) -> u64 {
    let stats = context.stats();
    let unbelieved = stats.dropped_malformed + stats.dropped_unauthentic + stats.dropped_unencrypted;
    let unbelieved = unbelieved + stats.dropped_header_in_clear;
    unbelieved + stats.dropped_replayed + stats.dropped_too_old + stats.dropped_too_many_sources
}

/// What comes after the attack is opened as if there had been none.
fn goes_on(a: &mut Context, z: &mut Context) {
    let packet = rtp(7, 777, b"goes on");
    let sealed = seal(a, &packet).expect("sealed");
    assert_eq!(open(z, &sealed), Ok(packet));
    assert_eq!(open_rtcp(z, &seal_rtcp(a, &rtcp(7))), Ok(rtcp(7)));
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let sealed = seal(&mut a, &rtp(1, 1, b"payload")).expect("sealed");
        let sealed_rtcp = seal_rtcp(&mut a, &rtcp(1));
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = open(&mut z, &forged).expect_err("forged");
            assert!(matches!(error, Error::Unauthentic | Error::Malformed), "{bit}: {error}");
        }
        for bit in 0..sealed_rtcp.len() * 8 {
            let mut forged = sealed_rtcp.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = open_rtcp(&mut z, &forged).expect_err("forged");
            assert!(matches!(error, Error::Unauthentic | Error::Malformed | Error::Unencrypted), "{bit}: {error}");
        }
        assert_eq!(dropped(&z), 8 * (sealed.len() + sealed_rtcp.len()) as u64, "each once");
        assert!(open(&mut z, &sealed).is_ok() && open_rtcp(&mut z, &sealed_rtcp).is_ok());
    }
}

#[test]
fn bad_tags_are_counted_and_change_nothing() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        assert!(open(&mut z, &seal(&mut a, &rtp(1, 1, b"first")).expect("sealed")).is_ok());
        for n in 0..200u16 {
            // Far ahead, so that a window moved by it would refuse what follows.
            let mut forged = rtp(1, 30_000 + n, b"forged");
            forged.extend_from_slice(&vec![if n % 2 == 0 { 0 } else { 0xa5 }; profile.rtp_overhead()]);
            assert_eq!(open(&mut z, &forged), Err(Error::Unauthentic));
        }
        assert_eq!(z.stats().dropped_unauthentic, 200);
        assert!(open(&mut z, &seal(&mut a, &rtp(1, 2, b"second")).expect("sealed")).is_ok());
        assert_eq!(z.stats().rtp_unprotected, 2);
    }
}

#[test]
fn rtp_in_the_clear_is_refused() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        assert_eq!(open(&mut z, &rtp(1, 1, &[7; 100])), Err(Error::Unauthentic));
        assert_eq!(open(&mut z, &rtp(1, 1, &[])), Err(Error::Malformed));
        assert_eq!(open_rtcp(&mut z, &[rtcp(1), vec![0x80; 30]].concat()), Err(Error::Unauthentic));
        assert_eq!((z.stats().dropped_unauthentic, z.stats().dropped_malformed, dropped(&z)), (2, 1, 3));
        goes_on(&mut a, &mut z);
    }
}

#[test]
fn what_is_not_version_2_is_no_rtp() {
    for profile in PROFILES.iter().copied() {
        let (mut a, mut z) = pair(profile);
        for first in [0x00, 0x40, 0xc0] {
            let (mut packet, mut compound) = (rtp(1, 1, b"payload"), rtcp(1));
            (packet[0], compound[0]) = (first, first);
            assert_eq!(seal(&mut a, &packet), None, "{first:#x}");
            assert!(!a.protect_rtcp(2000, &mut Vec::new(), append(&compound)));
            packet.extend([0; 32]);
            compound.extend([0; 32]);
            assert_eq!(open(&mut z, &packet), Err(Error::Malformed));
            assert_eq!(open_rtcp(&mut z, &compound), Err(Error::Malformed));
        }
        assert_eq!((z.stats().dropped_malformed, dropped(&z)), (6, 6));
        goes_on(&mut a, &mut z);
    }
}

#[test]
fn truncated_packets_are_refused_at_every_length() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let sealed = seal(&mut a, &rtp(1, 1, b"payload")).expect("sealed");
        let sealed_rtcp = seal_rtcp(&mut a, &rtcp(1));
        for len in 0..sealed.len() {
            let error = open(&mut z, &sealed[..len]).expect_err("truncated");
            assert_eq!(error, if len < 12 + profile.rtp_overhead() { Error::Malformed } else { Error::Unauthentic });
        }
        for len in 0..sealed_rtcp.len() {
            let error = open_rtcp(&mut z, &sealed_rtcp[..len]).expect_err("truncated");
            assert!(len >= 8 + profile.rtcp_overhead() || error == Error::Malformed, "{len}: {error}");
        }
        assert_eq!(dropped(&z), (sealed.len() + sealed_rtcp.len()) as u64, "each once");
        assert!(open(&mut z, &sealed).is_ok() && open_rtcp(&mut z, &sealed_rtcp).is_ok());
    }
}

#[test]
fn csrcs_and_extensions_must_end_within_the_packet() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let overhead = vec![0; profile.rtp_overhead()];
        let malformed = |first: u8, rest: &[u8]| {
            let mut packet = rtp(1, 1, rest);
            packet[0] = first;
            packet
        };
        for packet in [
            malformed(0x8f, &[0; 59]),
            malformed(0x90, &[0xbe, 0xde, 0]),
            malformed(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0]),
            malformed(0x90, &[0xbe, 0xde, 0xff, 0xff]),
            malformed(0x9f, &[0; 63]),
            malformed(0x40, &[]),
        ] {
            assert_eq!(open(&mut z, &[&packet[..], &overhead].concat()), Err(Error::Malformed));
            assert_eq!(seal(&mut a, &packet), None);
        }
        assert_eq!((a.stats().refused_malformed, z.stats().dropped_malformed, dropped(&z)), (6, 6, 6));
        for packet in [malformed(0x8f, &[0; 60]), malformed(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0])] {
            assert_eq!(open(&mut z, &[&packet[..], &overhead].concat()), Err(Error::Unauthentic));
            let packet = [&packet[..], b"and a payload"].concat();
            let mut source = packet.clone();
            source[8..12].copy_from_slice(&u32::from(packet[0]).to_be_bytes());
            let sealed = seal(&mut a, &source).expect("sealed");
            assert_eq!(open(&mut z, &sealed), Ok(source));
        }
    }
}

#[test]
fn rtcp_whose_e_bit_is_stripped_is_refused() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let sealed = seal_rtcp(&mut a, &rtcp(1));
        let word = match profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => sealed.len() - 14,
            _ => sealed.len() - 4,
        };
        let mut stripped = sealed.clone();
        stripped[word] &= 0x7f;
        assert_eq!(open_rtcp(&mut z, &stripped), Err(Error::Unencrypted));
        assert_eq!(z.stats().dropped_unencrypted, 1);
        assert_eq!(open_rtcp(&mut z, &sealed), Ok(rtcp(1)));
    }
}

#[test]
fn a_million_forged_sources_leave_no_state() {
    let (mut a, mut z) = pair(Profile::AeadAes128Gcm);
    let mut forged = [rtp(0, 1, b"forged"), vec![0; 16]].concat();
    for ssrc in 0..1_000_000u32 {
        forged[8..12].copy_from_slice(&ssrc.to_be_bytes());
        assert_eq!(z.unprotect_rtp(&mut forged).map(|_| ()), Err(Error::Unauthentic));
    }
    // There is still room for as many genuine ones as ever.
    for ssrc in 0..1024 {
        assert!(open(&mut z, &seal(&mut a, &rtp(ssrc, 1, b"genuine")).expect("sealed")).is_ok());
    }
    assert_eq!((z.stats().dropped_unauthentic, z.stats().rtp_unprotected), (1_000_000, 1024));
}

#[test]
fn sources_beyond_the_limit_are_refused_both_ways() {
    let (mut a, mut z) = pair(Profile::AeadAes128Gcm);
    let (mut other, _) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..1024 {
        assert!(open(&mut z, &seal(&mut a, &rtp(ssrc, 1, b"")).expect("sealed")).is_ok());
        assert!(open_rtcp(&mut z, &seal_rtcp(&mut a, &rtcp(ssrc))).is_ok());
    }
    assert_eq!(seal(&mut a, &rtp(1024, 1, b"")), None);
    assert_eq!(a.stats().refused_too_many_sources, 1);
    let sealed = seal(&mut other, &rtp(1024, 1, b"payload")).expect("sealed");
    assert_eq!(open(&mut z, &sealed), Err(Error::TooManySources));
    let sealed = seal_rtcp(&mut a, &[rtcp(1024), rtcp(1)].concat());
    assert_eq!(open_rtcp(&mut z, &sealed), Err(Error::TooManySources));
    assert_eq!(z.stats().dropped_too_many_sources, 2);
    assert!(open(&mut z, &seal(&mut a, &rtp(0, 2, b"")).expect("sealed")).is_ok());
}

#[test]
fn sequence_numbers_wrap_out_of_order() {
    for &profile in PROFILES {
        all_arrive(profile, [65_533, 65_535, 0, 1, 65_534, 2], |_| false);
    }
}

/// The sender counts in order; it is the network that does not.
#[test]
fn packets_around_a_wrap_may_arrive_in_any_order() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let packets: Vec<_> = (65_500..65_600u32).map(|n| rtp(1, n as u16, &n.to_be_bytes())).collect();
        let sealed: Vec<_> = packets.iter().map(|packet| seal(&mut a, packet).expect("sealed")).collect();
        // A stride that visits each once, from before the wrap to after it and back.
        for n in (0..100).map(|n| n * 67 % 100) {
            assert_eq!(open(&mut z, &sealed[n]), Ok(packets[n].clone()), "{n}");
        }
    }
}

#[test]
fn sequence_numbers_wrap_again_and_again() {
    let circles = (0..200_000u32).map(|n| (n * 13) as u16);
    all_arrive(Profile::AeadAes128Gcm, circles, |_| false);
}

#[test]
fn almost_half_a_circle_may_be_lost_across_a_wrap() {
    for start in [0u32, 1, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff] {
        for lost in [(1 << 15) - 3, (1 << 15) - 2] {
            let sequences = (start..start + 70_000).map(|n| n as u16);
            all_arrive(Profile::AeadAes128Gcm, sequences, |n| (2..2 + lost).contains(&n));
        }
    }
}

#[test]
fn more_than_half_a_circle_lost_is_beyond_recovery_and_harms_no_other_source() {
    let (mut a, mut z) = pair(Profile::AeadAes128Gcm);
    let mut elsewhere = pair(Profile::AeadAes128Gcm).0;
    let mut send = |z: &mut Context, ssrc, sequence| {
        let sealed = seal(&mut a, &rtp(ssrc, sequence, b"payload")).expect("sealed");
        open(z, &sealed).map(|_| ())
    };
    // Within the first circle there is nothing to mistake it for.
    assert_eq!(send(&mut z, 1, 0), Ok(()));
    assert_eq!(send(&mut z, 1, 0x8001), Ok(()));
    // In the second, it looks like the first.
    assert_eq!(send(&mut z, 2, 0xffff), Ok(()));
    assert_eq!(send(&mut z, 2, 0), Ok(()));
    assert_eq!(send(&mut elsewhere, 2, 0x4000), Err(Error::Unauthentic));
    assert_eq!(send(&mut z, 2, 0x8001), Err(Error::TooOld));
    assert_eq!(send(&mut z, 3, 9), Ok(()));
}

#[test]
fn a_stream_whose_first_packets_were_lost_before_the_wrap_is_found() {
    for &profile in PROFILES {
        all_arrive(profile, [65_534, 65_535, 0, 1, 2], |n| n < 2);
        all_arrive(profile, [65_535, 0, 65_534, 1], |n| n == 0);
        // And so are those of half a circle after it.
        all_arrive(profile, std::iter::once(65_535).chain(0..=32_768), |n| n < 32_768);
    }
}

#[test]
fn sources_wrap_independently() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        for n in 0..100u16 {
            for (ssrc, first) in [(1, 65_500u16), (2, 65_480), (3, 100)] {
                let packet = rtp(ssrc, first.wrapping_add(n), b"payload");
                assert_eq!(open(&mut z, &seal(&mut a, &packet).expect("sealed")), Ok(packet));
            }
        }
    }
}

#[test]
fn every_packet_replayed_is_refused() {
    for &profile in PROFILES {
        let (mut a, mut z) = pair(profile);
        let sealed: Vec<_> =
            (65_000..66_500u32).map(|n| seal(&mut a, &rtp(1, n as u16, b"payload")).expect("sealed")).collect();
        let sealed_rtcp: Vec<_> = (0..300).map(|_| seal_rtcp(&mut a, &rtcp(1))).collect();
        assert!(sealed.iter().all(|packet| open(&mut z, packet).is_ok()));
        assert!(sealed_rtcp.iter().all(|packet| open_rtcp(&mut z, packet).is_ok()));
        for (n, packet) in sealed.iter().enumerate() {
            let expected = if n < 1500 - 1024 { Error::TooOld } else { Error::Replayed };
            assert_eq!(open(&mut z, packet), Err(expected), "{n}");
        }
        for (n, packet) in sealed_rtcp.iter().enumerate() {
            let expected = if n < 300 - 256 { Error::TooOld } else { Error::Replayed };
            assert_eq!(open_rtcp(&mut z, packet), Err(expected), "{n}");
        }
        assert_eq!((z.stats().rtp_unprotected, z.stats().rtcp_unprotected), (1500, 300));
        assert_eq!((z.stats().dropped_replayed, z.stats().dropped_too_old), (1024 + 256, 476 + 44));
        goes_on(&mut a, &mut z);
    }
}

#[test]
fn the_same_packet_is_sealed_the_same_and_another_never() {
    for &profile in PROFILES {
        let (mut a, _) = pair(profile);
        let sealed: Vec<_> = (0..2000)
            .map(|n: u16| seal(&mut a, &rtp(1, 64_000u16.wrapping_add(n), b"payload")).expect("sealed"))
            .collect();
        for n in 0..2000u16 {
            let sequence = 64_000u16.wrapping_add(n);
            let again = seal(&mut a, &rtp(1, sequence, b"payload"));
            assert_eq!(again, (n >= 2000 - 1024).then(|| sealed[usize::from(n)].clone()), "{n}");
            assert_eq!(seal(&mut a, &rtp(1, sequence, b"PAYLOAD")), None);
            let mut header = rtp(1, sequence, b"payload");
            header[7] ^= 1;
            assert_eq!(seal(&mut a, &header), None);
        }
        assert_eq!(a.stats().refused_reused, 2 * 2000 + 2000 - 1024);
    }
}

/// However old the last one is that was sealed again.
#[test]
fn what_is_sealed_again_does_not_let_what_is_older_be_sealed_again() {
    for &profile in PROFILES {
        let (mut a, _) = pair(profile);
        assert!((0..3000u16).all(|n| seal(&mut a, &rtp(1, n, b"payload")).is_some()));
        for n in (0..3000u16).rev() {
            assert_eq!(seal(&mut a, &rtp(1, n, b"payload")).is_some(), n >= 3000 - 1024, "{n}");
            assert_eq!(seal(&mut a, &rtp(1, n, b"PAYLOAD")), None, "{n}");
        }
        assert!(seal(&mut a, &rtp(1, 3000, b"PAYLOAD")).is_some());
    }
}

#[test]
fn a_packet_left_out_may_still_be_sent() {
    let (mut a, mut z) = pair(Profile::Aes128CmSha1_80);
    for sequence in [10, 12, 11, 900, 13] {
        let packet = rtp(1, sequence, b"payload");
        assert_eq!(open(&mut z, &seal(&mut a, &packet).expect("sealed")), Ok(packet));
    }
}

#[test]
fn what_does_not_fit_is_not_asked_for() {
    for &profile in PROFILES {
        let (mut a, _) = pair(profile);
        let mut out = Vec::new();
        assert!(!a.protect_rtp(profile.rtp_overhead() - 1, &mut out, |_, _| unreachable!("there is no room")));
        assert!(!a.protect_rtp(100, &mut out, |room, _| {
            assert_eq!(room, 100 - profile.rtp_overhead());
            false
        }));
        assert!(!a.protect_rtcp(100, &mut out, |room, _| {
            assert_eq!(room, 100 - profile.rtcp_overhead());
            false
        }));
        assert_eq!((out.len(), a.stats()), (0, Stats::default()));
    }
}

/// Were it left, it would be sent: longer than the path carries, or not sealed at all.
#[test]
fn what_is_written_beyond_the_limit_or_disowned_is_taken_back() {
    let (mut a, _) = pair(Profile::AeadAes128Gcm);
    let packet = rtp(1, 1, &[0; 100]);
    let mut out = vec![0xee; 3];
    assert!(!a.protect_rtp(packet.len(), &mut out, append(&packet)), "it is longer with its tag");
    assert!(!a.protect_rtp(2000, &mut out, |_, out| {
        out.extend_from_slice(&packet);
        false
    }));
    assert!(!a.protect_rtp(2000, &mut out, |_, _| true), "nothing is no packet");
    assert_eq!((out, a.stats()), (vec![0xee; 3], Stats::default()));
}

#[test]
fn keys_of_another_length_are_refused() {
    for &profile in PROFILES {
        let good = MasterKey { key: &[0; 32][..profile.key_len()], salt: &[0; 14][..profile.salt_len()] };
        let short = MasterKey { key: &[0; 31][..profile.key_len() - 1], salt: good.salt };
        let long = MasterKey { key: good.key, salt: &[0; 15] };
        for bad in [short, long] {
            assert_eq!(Context::new(profile, good, bad).map(|_| ()), Err(Error::KeyLength));
            assert_eq!(Context::new(profile, bad, good).map(|_| ()), Err(Error::KeyLength));
        }
    }
}

#[test]
fn keys_are_not_printed() {
    let (a, _) = pair(Profile::AeadAes128Gcm);
    let key = MasterKey { key: &[0xab; 16], salt: &[0xcd; 12] };
    assert_eq!(format!("{key:?}"), "MasterKey(…)");
    assert!(format!("{a:?}").ends_with(", .. }"));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), profile in 0..PROFILES.len()) {
        let (_, mut z) = pair(PROFILES[profile]);
        prop_assert!(open(&mut z, &bytes).is_err());
        prop_assert!(open_rtcp(&mut z, &bytes).is_err());
    }

    #[test]
    fn genuine_packets_arrive_whatever_is_forged_between(
        steps in prop::collection::vec((0..3u32, any::<bool>(), any::<u16>(), 0..40u16), 1..200),
    ) {
        let (mut a, mut z) = pair(Profile::AeadAes128Gcm);
        let mut sequences = [100u16, 30_000, 32_000];
        for (ssrc, is_forged, anything, ahead) in steps {
            if is_forged {
                let forged = [rtp(ssrc, anything, b"forged"), vec![ahead as u8; 16]].concat();
                prop_assert!(open(&mut z, &forged).is_err());
            } else {
                let sequence = &mut sequences[ssrc as usize];
                *sequence = sequence.wrapping_add(ahead * 700 + 1);
                let packet = rtp(ssrc, *sequence, b"genuine");
                let sealed = seal(&mut a, &packet).expect("sealed");
                prop_assert_eq!(open(&mut z, &sealed), Ok(packet));
            }
        }
    }
}
