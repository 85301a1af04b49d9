//! CSRCs and header extensions that are encrypted (RFC 9335), and what peers do with them: cut short, lied about, mixed with others, not
//! agreed upon.

use proptest::prelude::*;
use wigwag_srtp::{Context, Cryptex, Error, MasterKey, Profile};

fn context(profile: Profile, cryptex: Cryptex) -> Context {
    let key = MasterKey { key: &[1; 32][..profile.key_len()], salt: &[3; 32][..profile.salt_len()] };
    let mut context = Context::new(profile, key, key).expect("keys of the right length");
    context.set_cryptex(cryptex);
    context
}

/// A packet with this many CSRCs and, if there is one, an extension of this tag and these words.
fn rtp(sequence: u16, csrcs: u8, extension: Option<(u16, &[u32])>, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80 | csrcs, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9, 0xca, 0xfe, 0xba, 0xbe]);
    packet.extend((0..csrcs).flat_map(|csrc| [0xc5, 0xc5, 0xc5, csrc]));
    if let Some((tag, words)) = extension {
        packet[0] |= 0x10;
        packet.extend(tag.to_be_bytes());
        packet.extend((words.len() as u16).to_be_bytes());
        packet.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
    packet.extend_from_slice(payload);
    packet
}

const AUDIO_LEVEL: Option<(u16, &[u32])> = Some((0xbede, &[0x1085_0000]));

fn seal(context: &mut Context, packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xee; 3];
    let is_sealed = context.protect_rtp(2000, &mut out, |_, out| {
        out.extend_from_slice(packet);
        true
    });
    assert_eq!(is_sealed, out.len() > 3, "nothing is left behind");
    is_sealed.then(|| out.split_off(3))
}

fn open(context: &mut Context, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut packet = sealed.to_vec();
    let result = context.unprotect_rtp(&mut packet).map(|opened| opened.to_vec());
    assert!(result.is_ok() || packet == sealed, "a refused packet is left as it was");
    result
}

/// What is encrypted is the same as if it were the payload of a packet without CSRCs and extension: the keystream knows no header.
fn check_as_payload(profile: Profile, csrcs: u8, extension: Option<(u16, &[u32])>, payload: &[u8]) {
    let plain = rtp(7, csrcs, extension, payload);
    let csrcs_len = 4 * usize::from(csrcs);
    let words = extension.map(|(_, words)| words).unwrap_or_default();
    let encrypted: Vec<u8> = plain[12..12 + csrcs_len]
        .iter()
        .copied()
        .chain(words.iter().flat_map(|word| word.to_be_bytes()))
        .chain(payload.iter().copied())
        .collect();
    let as_payload = seal(&mut context(profile, Cryptex::Off), &rtp(7, 0, None, &encrypted)).expect("sealed");
    let expected = &as_payload[12..12 + encrypted.len()];

    let sealed = seal(&mut context(profile, Cryptex::Negotiated), &plain).expect("sealed");
    let (csrcs, rest) = sealed[12..].split_at(csrcs_len);
    assert_eq!(csrcs, &expected[..csrcs_len]);
    let has_extension = extension.is_some() || csrcs_len > 0;
    let tag = extension.map_or(0xc0de, |(tag, _)| if tag == 0xbede { 0xc0deu16 } else { 0xc2de });
    let rest = if has_extension {
        assert_eq!(rest[..2], tag.to_be_bytes());
        assert_eq!(rest[2..4], (words.len() as u16).to_be_bytes());
        &rest[4..]
    } else {
        rest
    };
    assert_eq!(rest[..rest.len() - profile.rtp_overhead()], expected[csrcs_len..]);
    let first = plain[0] | if has_extension { 0x10 } else { 0 };
    assert_eq!(sealed[..12], [&[first], &plain[1..12]].concat());

    let empty = (csrcs_len > 0).then_some((0xbede, &[][..]));
    let opened = rtp(7, csrcs.len() as u8 / 4, extension.or(empty), payload);
    for cryptex in [Cryptex::Received, Cryptex::Negotiated, Cryptex::Required] {
        assert_eq!(open(&mut context(profile, cryptex), &sealed), Ok(opened.clone()), "{cryptex:?}");
    }
}

proptest! {
    #[test]
    fn csrcs_and_extension_are_encrypted_with_the_payload(
        profile in prop::sample::select(Profile::ALL),
        csrcs in 0u8..16,
        extension in prop::option::of((prop::sample::select(&[0xbede, 0x1000][..]), prop::collection::vec(any::<u32>(), 0..20))),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let extension = extension.as_ref().map(|(tag, words)| (*tag, words.as_slice()));
        check_as_payload(profile, csrcs, extension, &payload);
    }

    #[test]
    fn any_bytes_are_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        tag in prop::sample::select(&[0xc0deu16, 0xc2de, 0xbede][..]),
        first in any::<u8>(),
        profile in prop::sample::select(Profile::ALL),
    ) {
        let mut packet = rtp(1, 0, None, &bytes);
        packet[0] = 0x80 | first & 0x1f;
        let at = 12 + 4 * usize::from(first & 15);
        if let Some(place) = packet.get_mut(at..at + 2) {
            place.copy_from_slice(&tag.to_be_bytes());
        }
        for cryptex in [Cryptex::Off, Cryptex::Received, Cryptex::Negotiated, Cryptex::Required] {
            prop_assert!(open(&mut context(profile, cryptex), &packet).is_err());
        }
    }
}

#[test]
fn padding_is_encrypted_with_the_payload() {
    for &profile in Profile::ALL {
        let mut packet = rtp(7, 1, AUDIO_LEVEL, &[b'h', b'i', 0, 0, 3]);
        packet[0] |= 0x20;
        let sealed = seal(&mut context(profile, Cryptex::Required), &packet).expect("sealed");
        assert_eq!(open(&mut context(profile, Cryptex::Required), &sealed), Ok(packet));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    for &profile in Profile::ALL {
        let mut a = context(profile, Cryptex::Negotiated);
        let mut z = context(profile, Cryptex::Negotiated);
        let packet = rtp(1, 2, AUDIO_LEVEL, b"payload");
        let sealed = seal(&mut a, &packet).expect("sealed");
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = open(&mut z, &forged).expect_err("forged");
            assert!(matches!(error, Error::Unauthentic | Error::Malformed), "{bit}: {error}");
        }
        assert_eq!(open(&mut z, &sealed), Ok(packet));
    }
}

#[test]
fn truncated_packets_are_refused_at_every_length() {
    for &profile in Profile::ALL {
        let (mut a, mut z) = (context(profile, Cryptex::Required), context(profile, Cryptex::Required));
        let packet = rtp(1, 3, AUDIO_LEVEL, b"payload");
        let sealed = seal(&mut a, &packet).expect("sealed");
        for len in 0..sealed.len() {
            let error = open(&mut z, &sealed[..len]).expect_err("truncated");
            let is_whole = len >= 12 + 12 + 8 + profile.rtp_overhead();
            assert_eq!(error, if is_whole { Error::Unauthentic } else { Error::Malformed }, "{len}");
        }
        assert_eq!(open(&mut z, &sealed), Ok(packet));
    }
}

#[test]
fn csrcs_and_an_extension_that_do_not_end_within_the_packet_are_refused() {
    for &profile in Profile::ALL {
        let mut z = context(profile, Cryptex::Required);
        let tag = vec![0; profile.rtp_overhead()];
        let mut lies = rtp(1, 0, Some((0xc0de, &[])), b"payload");
        lies[15] = 2;
        let mut counts = rtp(1, 15, Some((0xc2de, &[1])), b"");
        counts.truncate(12 + 59);
        let mut huge = rtp(1, 1, Some((0xc0de, &[1])), b"payload");
        huge[18..20].copy_from_slice(&[0xff, 0xff]);
        let half = &rtp(1, 1, Some((0xc0de, &[])), b"")[..19];
        for packet in [&lies, &counts, &huge, half] {
            assert_eq!(open(&mut z, &[packet, &tag[..]].concat()), Err(Error::Malformed));
        }
        assert_eq!(z.stats().dropped_malformed, 4);
    }
}

/// As "either" is told for each packet by the packet itself (§4, §5).
#[test]
fn a_peer_may_encrypt_headers_or_not_with_each_packet() {
    for &profile in Profile::ALL {
        let (mut a, mut z) = (context(profile, Cryptex::Off), context(profile, Cryptex::Negotiated));
        for n in 0..100u16 {
            a.set_cryptex(if n % 3 == 0 { Cryptex::Negotiated } else { Cryptex::Off });
            let packet = rtp(n, 2, Some((if n % 2 == 0 { 0xbede } else { 0x1000 }, &[u32::from(n)])), b"payload");
            let sealed = seal(&mut a, &packet).expect("sealed");
            assert_eq!(open(&mut z, &sealed), Ok(packet), "{n}");
            assert_eq!(open(&mut z, &sealed), Err(Error::Replayed), "{n}");
        }
        assert_eq!((a.stats().cryptex_protected, z.stats().cryptex_unprotected), (34, 34));
        assert_eq!(z.stats().rtp_unprotected, 100);
    }
}

/// §5.2: the check is of extensions; what is in the clear is not processed, and a packet that has none is as it ever was.
#[test]
fn what_is_in_the_clear_is_refused_where_it_must_not_be() {
    for &profile in Profile::ALL {
        let (mut a, mut z) = (context(profile, Cryptex::Off), context(profile, Cryptex::Required));
        let clear = [
            rtp(1, 0, AUDIO_LEVEL, b"one byte"),
            rtp(2, 0, Some((0x1000, &[])), b"two bytes"),
            rtp(3, 0, Some((0x1234, &[7])), b"of nobody's"),
            rtp(4, 2, None, b"sources"),
        ];
        for packet in &clear {
            let sealed = seal(&mut a, packet).expect("sealed");
            assert_eq!(open(&mut z, &sealed), Err(Error::HeaderInClear));
        }
        assert_eq!((z.stats().dropped_header_in_clear, z.stats().rtp_unprotected), (4, 0));
        let bare = rtp(5, 0, None, b"bare");
        let sealed = seal(&mut a, &bare).expect("sealed");
        assert_eq!(open(&mut z, &sealed), Ok(bare));
        a.set_cryptex(Cryptex::Required);
        let encrypted = rtp(6, 1, AUDIO_LEVEL, b"encrypted");
        let sealed = seal(&mut a, &encrypted).expect("sealed");
        assert_eq!(open(&mut z, &sealed), Ok(encrypted));
        assert_eq!((z.stats().rtp_unprotected, z.stats().cryptex_unprotected), (2, 1));
    }
}

/// §5.1: the mechanism is of RFC 8285's extensions alone, and of those it has no room for "appbits".
#[test]
fn an_extension_of_another_kind_is_sent_in_the_clear_or_not_at_all() {
    for &profile in Profile::ALL {
        for tag in [0x1234, 0x1001, 0x100f, 0, 0xffff] {
            let packet = rtp(1, 1, Some((tag, &[0x5555_5555])), b"payload");
            let (mut a, mut z) = (context(profile, Cryptex::Negotiated), context(profile, Cryptex::Negotiated));
            let sealed = seal(&mut a, &packet).expect("sealed");
            assert_eq!(sealed[..24], packet[..24]);
            assert_eq!((a.stats().cryptex_protected, open(&mut z, &sealed)), (0, Ok(packet.clone())));
            let mut a = context(profile, Cryptex::Required);
            assert_eq!((seal(&mut a, &packet), a.stats().refused_header_in_clear), (None, 1));
        }
    }
}

/// Its receiver would take it for one that is encrypted.
#[test]
fn what_only_looks_encrypted_is_not_sent_to_who_takes_it_for_that() {
    for &profile in Profile::ALL {
        for tag in [0xc0de, 0xc2de] {
            let packet = rtp(1, 0, Some((tag, &[1])), b"payload");
            for cryptex in [Cryptex::Received, Cryptex::Negotiated, Cryptex::Required] {
                let mut a = context(profile, cryptex);
                assert_eq!((seal(&mut a, &packet), a.stats().refused_malformed), (None, 1), "{cryptex:?}");
            }
        }
    }
}

/// "Handle it according to the specification that defines that value" (§5.2): without an agreement, there is none.
#[test]
fn without_an_agreement_the_tag_is_that_of_an_extension_nobody_knows() {
    for &profile in Profile::ALL {
        let (mut a, mut z) = (context(profile, Cryptex::Off), context(profile, Cryptex::Off));
        let packet = rtp(1, 1, Some((0xc0de, &[1])), b"payload");
        let sealed = seal(&mut a, &packet).expect("sealed");
        assert_eq!(sealed[..24], packet[..24]);
        assert_eq!(open(&mut z, &sealed), Ok(packet));
        assert_eq!(z.stats().cryptex_unprotected, 0);
        // With one, the same packet is not what it says that it is. (In counter mode the tag is of the bytes as they are sent, whatever
        // they mean: what was said in the clear comes out as noise.)
        let opened = open(&mut context(profile, Cryptex::Negotiated), &sealed);
        assert_eq!(opened.is_ok(), profile.salt_len() == 14, "{profile:?}");
        assert_ne!(opened, Ok(rtp(1, 1, Some((0xbede, &[1])), b"payload")));
    }
}

/// Both forms of a packet lie under one keystream, and would tell each other's contents.
#[test]
fn a_packet_is_not_sealed_again_in_the_other_way() {
    for &profile in Profile::ALL {
        for (first, then) in [(Cryptex::Off, Cryptex::Negotiated), (Cryptex::Required, Cryptex::Received)] {
            let mut a = context(profile, first);
            let packet = rtp(1, 1, AUDIO_LEVEL, b"payload");
            let sealed = seal(&mut a, &packet).expect("sealed");
            assert_eq!(seal(&mut a, &packet).as_ref(), Some(&sealed), "a retransmission is the same");
            a.set_cryptex(then);
            assert_eq!((seal(&mut a, &packet), a.stats().refused_reused), (None, 1));
            a.set_cryptex(first);
            assert_eq!(seal(&mut a, &packet), Some(sealed));
        }
    }
}

#[test]
fn what_is_sealed_is_never_longer_than_the_limit() {
    for &profile in Profile::ALL {
        for packet in [rtp(1, 2, None, b"payload"), rtp(1, 2, AUDIO_LEVEL, b"payload"), rtp(1, 0, None, b"payload")] {
            let mut sealed = 0;
            for limit in 0..100 {
                let mut out = Vec::new();
                let mut a = context(profile, Cryptex::Negotiated);
                let is_sealed = a.protect_rtp(limit, &mut out, |room, out| {
                    let fits = packet.len() <= room;
                    if fits {
                        out.extend_from_slice(&packet);
                    }
                    fits
                });
                assert!(out.len() <= limit && is_sealed != out.is_empty(), "{limit}");
                sealed += usize::from(is_sealed);
            }
            assert_eq!(sealed, 100 - packet.len() - profile.rtp_overhead() - 4);
        }
    }
}
