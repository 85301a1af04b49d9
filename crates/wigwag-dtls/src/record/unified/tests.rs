use super::super::epoch::WriteEpoch;
use super::*;
use crate::CipherSuite;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SUITES: [CipherSuite; 3] =
    [CipherSuite::Aes128GcmSha256, CipherSuite::Aes256GcmSha384, CipherSuite::ChaCha20Poly1305Sha256];

fn keys(suite: CipherSuite) -> Keys {
    let key: Vec<u8> = (0..).take(suite.key_len()).collect();
    Keys { aead: Aead::new(suite, &key, &[9; 12]).unwrap(), mask: Mask::new(suite, &key).unwrap() }
}

fn pair(suite: CipherSuite, epoch: u16) -> (WriteEpoch, Readers) {
    let mut readers = Readers::default();
    readers.push(Reader::new(epoch, keys(suite)));
    (WriteEpoch::dtls13(epoch, keys(suite)), readers)
}

fn record(write: &mut WriteEpoch, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(write.append(ContentType::ApplicationData, 1200, &mut out, |_, out| {
        out.extend_from_slice(text);
        true
    }));
    out
}

fn open(readers: &mut Readers, record: &[u8]) -> Result<(u64, Vec<u8>), Discard> {
    let mut bytes = record.to_vec();
    let mut datagram = &mut bytes[..];
    let opened = readers.open(split(&mut datagram)?)?;
    assert_eq!(opened.content_type, Some(ContentType::ApplicationData));
    Ok((opened.number.sequence, opened.text.to_vec()))
}

/// Seals as another implementation may: any header, with padding.
fn sealed(suite: CipherSuite, first: u8, sequence: u64, inner: &[u8]) -> Vec<u8> {
    let keys = keys(suite);
    let mut header = vec![first];
    let number = sequence.to_be_bytes();
    header.extend_from_slice(if first & LONG_NUMBER == 0 { &number[7..] } else { &number[6..] });
    if first & LENGTH != 0 {
        header.extend_from_slice(&(inner.len() as u16 + 16).to_be_bytes());
    }
    let mut body = inner.to_vec();
    let tag = keys.aead.seal(number, &header, &mut body).unwrap();
    body.extend_from_slice(&tag);
    let mask = keys.mask.of(body.first_chunk().unwrap());
    let number_len = if first & LONG_NUMBER == 0 { 1 } else { 2 };
    header.iter_mut().skip(1).take(number_len).zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    [header, body].concat()
}

#[test]
fn what_is_sealed_is_opened_once() {
    for suite in SUITES {
        let (mut write, mut readers) = pair(suite, 3);
        for (n, text) in [&b"hello"[..], b"", b"again"].into_iter().enumerate() {
            let record = record(&mut write, text);
            assert_eq!(record.len(), text.len() + write.overhead());
            assert_eq!(record[0], 0b0010_1111);
            assert_eq!(open(&mut readers, &record), Ok((n as u64, text.to_vec())));
            assert_eq!(open(&mut readers, &record), Err(Discard::Replayed));
        }
    }
}

#[test]
fn the_number_is_not_to_be_seen() {
    for suite in SUITES {
        let (mut write, _) = pair(suite, 3);
        let numbers: BTreeSet<Vec<u8>> = (0..64).map(|_| record(&mut write, b"text")[1..3].to_vec()).collect();
        assert!(numbers.len() > 60 && !numbers.contains(&vec![0, 0]));
    }
}

#[test]
fn headers_that_are_shorter_than_ours_are_read() {
    for suite in SUITES {
        for (first, len) in [(0x2F, 5), (0x2B, 3), (0x27, 4), (0x23, 2)] {
            let (_, mut readers) = pair(suite, 3);
            let record = sealed(suite, first, 7, b"text\x17");
            assert_eq!(record.len(), len + 5 + 16);
            assert_eq!(open(&mut readers, &record), Ok((7, b"text".to_vec())));
        }
    }
}

#[test]
fn a_record_without_length_is_the_last_of_its_datagram_and_those_with_it_are_not() {
    let suite = CipherSuite::Aes128GcmSha256;
    let (_, mut readers) = pair(suite, 3);
    let mut bytes =
        [sealed(suite, 0x2F, 0, b"one\x17"), sealed(suite, 0x27, 1, b"two\x17"), sealed(suite, 0x2B, 2, b"3\x17")]
            .concat();
    let mut datagram = &mut bytes[..];
    for text in [&b"one"[..], b"two", b"3"] {
        assert_eq!(readers.open(split(&mut datagram).unwrap()).unwrap().text, text);
    }
    assert!(datagram.is_empty());
}

#[test]
fn padding_is_taken_off_and_nothing_but_padding_is_of_no_type() {
    let suite = CipherSuite::ChaCha20Poly1305Sha256;
    let (_, mut readers) = pair(suite, 3);
    assert_eq!(open(&mut readers, &sealed(suite, 0x2F, 0, b"te\0\x17\0\0\0")), Ok((0, b"te\0".to_vec())));
    for (sequence, inner, text) in [(1, &[0; 40][..], &b""[..]), (2, b"text\x63", b"text")] {
        let mut bytes = sealed(suite, 0x2F, sequence, inner);
        let opened = readers.open(split(&mut &mut bytes[..]).unwrap()).unwrap();
        assert_eq!((opened.content_type, opened.text), (None, text));
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_changes_nothing() {
    for suite in SUITES {
        let (mut write, mut readers) = pair(suite, 3);
        let record = record(&mut write, b"hello");
        for bit in 0..record.len() * 8 {
            let mut forged = record.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&mut readers, &forged).is_err(), "bit {bit}");
        }
        assert_eq!(open(&mut readers, &record), Ok((0, b"hello".to_vec())));
    }
}

#[test]
fn every_cut_and_a_connection_id_are_no_record() {
    let (mut write, mut readers) = pair(CipherSuite::Aes128GcmSha256, 3);
    let mut record = record(&mut write, b"hello");
    for len in 0..record.len() {
        assert_eq!(open(&mut readers, &record[..len]), Err(Discard::Malformed));
    }
    record[0] |= CONNECTION_ID;
    assert_eq!(open(&mut readers, &record), Err(Discard::Malformed));
    for len in 0..17 {
        assert_eq!(open(&mut readers, &[&[0x2F, 0, 0, 0, len][..], &[7; 17]].concat()), Err(Discard::Malformed));
    }
    assert_eq!(open(&mut readers, &[0x23; 17 + 1]), Err(Discard::Malformed));
}

/// Row 6 of docs/security.md.
#[test]
fn a_forged_record_far_ahead_does_not_move_the_window() {
    let suite = CipherSuite::Aes128GcmSha256;
    let (mut write, mut readers) = pair(suite, 3);
    let [first, next] = [b"1", b"2"].map(|text| record(&mut write, text));
    assert!(open(&mut readers, &first).is_ok());
    for _ in 0..1000 {
        let mut forged = sealed(suite, 0x2F, 30_000, b"far\x17");
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open(&mut readers, &forged), Err(Discard::NotAuthentic));
    }
    assert_eq!(open(&mut readers, &next), Ok((1, b"2".to_vec())));
}

#[test]
fn an_epoch_is_told_by_its_last_bits_and_the_one_before_is_kept_for_a_while() {
    let suite = CipherSuite::Aes128GcmSha256;
    let (mut before, mut readers) = pair(suite, 3);
    let late = [record(&mut before, b"late"), record(&mut before, b"too late")];
    readers.push(Reader::new(4, keys(suite)));
    let mut current = WriteEpoch::dtls13(4, keys(suite));
    assert_eq!(readers.epoch(), 4);
    assert_eq!(open(&mut readers, &record(&mut current, b"now")), Ok((0, b"now".to_vec())));
    assert_eq!(open(&mut readers, &late[0]), Ok((0, b"late".to_vec())));
    let mut unknown = WriteEpoch::dtls13(5, keys(suite));
    assert_eq!(open(&mut readers, &record(&mut unknown, b"early")), Err(Discard::UnknownEpoch));
    let now = wigwag_sim::origin();
    readers.age(now);
    readers.age(now + RETENTION);
    readers.age(now + RETENTION + Duration::from_nanos(1));
    assert_eq!(open(&mut readers, &late[1]), Err(Discard::UnknownEpoch));
    readers.push(Reader::new(5, keys(suite)));
    readers.push(Reader::new(6, keys(suite)));
    assert_eq!(open(&mut readers, &record(&mut current, b"late")), Err(Discard::UnknownEpoch));
}

#[test]
fn a_key_wears_out_with_forgeries() {
    let (_, mut readers) = pair(CipherSuite::Aes128GcmSha256, 3);
    readers.set_forgeries(FORGERIES_MAX);
    assert!(!readers.is_worn());
    assert!(open(&mut readers, &[0x23; 40]).is_err());
    assert!(readers.is_worn());
}

#[test]
fn numbers_are_made_whole_by_what_is_expected() {
    // Hand-made: what is expected, what is known of the number, and the number.
    for (expected, low, bits, number) in [
        (0, 0, 8, 0),
        (0, 255, 8, 255),
        (256, 255, 8, 255),
        (256, 0, 8, 256),
        (300, 0xF0, 8, 0xF0),
        (383, 0, 8, 256),
        (385, 0, 8, 512),
        (0x1_0000, 0xFFFF, 16, 0xFFFF),
        (0xFFFF, 0, 16, 0x1_0000),
        (0x12_3456, 0x3400, 16, 0x12_3400),
        (RecordNumber::SEQUENCE_MAX, 0xFFFF, 16, RecordNumber::SEQUENCE_MAX),
        (RecordNumber::SEQUENCE_MAX, 0, 16, RecordNumber::SEQUENCE_MAX - 0xFFFF),
    ] {
        assert_eq!(nearest(expected, low, bits), number, "{expected} {low} {bits}");
    }
}

proptest! {
    #[test]
    fn a_number_within_half_of_what_is_known_is_found(expected in 0u64..1 << 40, away in -127i64..=127, wide in any::<bool>()) {
        let number = expected.saturating_add_signed(away);
        let bits = if wide { 16 } else { 8 };
        prop_assert_eq!(nearest(expected, number & ((1 << bits) - 1), bits), number);
    }

    /// Row 8 of docs/security.md.
    #[test]
    fn any_bytes_are_split_and_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let (_, mut readers) = pair(CipherSuite::ChaCha20Poly1305Sha256, 3);
        let mut bytes = bytes;
        let mut datagram = &mut bytes[..];
        while !datagram.is_empty() {
            if let Ok(record) = split(&mut datagram) {
                prop_assert!(readers.open(record).is_err());
            }
        }
    }
}
