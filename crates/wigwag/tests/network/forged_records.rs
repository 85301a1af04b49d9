//! Records of DTLS that nobody has sealed, or nobody who has the keys, in the middle of a call of either version: what is counted,
//! and that nothing ends.

use crate::attacks::{STRANGER, call_over, input, withstands};
use wigwag::Version;
use wigwag_sim::{A, Z, address};

/// A DTLS record of which nobody has sealed anything.
pub(crate) fn record(content_type: u8, epoch: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd];
    record.extend(epoch.to_be_bytes());
    record.extend([0, 0]);
    record.extend(sequence.to_be_bytes());
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

/// A record of DTLS 1.3 that nobody has sealed, in the epoch whose last bits are those of `first`.
fn unified(first: u8, number: u32, len: u8) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    [&[first, high, low, 0, len][..], &vec![7; len.into()]].concat()
}

/// Rows 4 to 6: from where the peer is, for an address can be forged, and from where it is not.
#[test]
fn records_that_nobody_sealed_are_counted_and_end_nothing() {
    let finished = [&[20, 0, 0, 12, 0, 9, 0, 0, 0, 0, 0, 12][..], &[7; 12]].concat();
    type Forge<'a> = Box<dyn Fn(u32) -> Vec<u8> + 'a>;
    let plain = |content_type, epoch, body: &'static [u8]| -> Forge<'static> {
        Box::new(move |n| record(content_type, epoch, n, body))
    };
    let common = || {
        let finished: Forge<'_> = Box::new(|n| record(22, 0, n, &finished));
        [
            ("dtls.plaintext_application_data", plain(23, 0, b"forged")),
            ("dtls.plaintext_alerts", plain(21, 0, &[2, 40])),
            ("dtls.plaintext_alerts", plain(21, 0, &[1, 0])),
            ("dtls.plaintext_handshake", finished),
            ("dtls.plaintext_acks", plain(26, 0, &[0, 0])),
            ("dtls.late_change_cipher_specs", plain(20, 0, &[1])),
            ("dtls.unknown_epoch", plain(21, 2, &[2, 40])),
            ("dtls.unknown_epoch", plain(23, 16, &[7; 40])),
        ]
    };
    let of_12 = [
        ("dtls.not_authentic", plain(23, 1, &[7; 40])),
        ("dtls.not_authentic", plain(21, 1, &[7; 40])),
        ("dtls.malformed_records", plain(23, 1, &[7; 20])),
        ("dtls.unknown_epoch", Box::new(|n| unified(0x2F, n, 40))),
    ];
    let of_13: [(_, Forge<'_>); 7] = [
        ("dtls.unknown_epoch", plain(23, 1, &[7; 40])),
        ("dtls.unknown_epoch", plain(23, 3, &[7; 40])),
        ("dtls.not_authentic", Box::new(|n| unified(0x2F, n, 40))),
        // With the keys of the handshake, and in an epoch that is not yet.
        ("dtls.not_authentic", Box::new(|n| unified(0x2E, n, 40))),
        ("dtls.unknown_epoch", Box::new(|n| unified(0x2C, n, 40))),
        ("dtls.malformed_records", Box::new(|n| unified(0x2F, n, 16))),
        // With a connection id, which nobody negotiated.
        ("dtls.malformed_records", Box::new(|n| unified(0x3F, n, 40))),
    ];
    let of = |version, cases: Vec<_>| cases.into_iter().map(move |case| (version, case));
    let cases_12 = of(Version::Dtls12, common().into_iter().chain(of_12).collect());
    let cases_13 = of(Version::Dtls13, common().into_iter().chain(of_13).collect());
    for (version, (cause, forge)) in cases_12.chain(cases_13) {
        let mut world = call_over(version);
        withstands(&mut world, Z, &[(cause, 1000), ("transport.closed_path", 100)], |world| {
            for n in 0..1000u32 {
                // Also far ahead of all that was sent.
                input(world, Z, address(A), &forge(100 + n * 4_000_000));
                if n % 10 == 0 {
                    input(world, Z, STRANGER.into(), &forge(100 + n));
                }
            }
        });
    }
}
