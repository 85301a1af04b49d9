//! Packets that libsrtp sealed. They are read from `$WIGWAG_TESTDATA/srtp-vectors`, if that is set.

use std::collections::BTreeMap;
use wigwag_srtp::{Context, MasterKey, Profile};

/// The packets of AES-128 in both modes, with session keys derived from a master key.
/// Cisco's libsrtp: `test/srtp_driver.c`.
const RTP: &str = "800f1234decafbadcafebabeabababababababababababababababab";
const RTCP: &str = "81c8000bcafebabeabababababababababababababababab";
const COUNTER_MODE: [&str; 2] = ["e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6"];
const GCM: [&str; 2] = ["000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab"];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn context(profile: Profile, [key, salt]: [&str; 2]) -> Context {
    let (key, salt) = (bytes(key), bytes(salt));
    let master = MasterKey { key: &key, salt: &salt };
    Context::new(profile, master, master).expect("keys of the right length")
}

fn append<'a>(packet: &'a [u8]) -> impl FnOnce(usize, &mut Vec<u8>) -> bool + 'a {
    |_, out| {
        out.extend_from_slice(packet);
        true
    }
}

fn check(profile: Profile, master: [&str; 2], is_rtcp: bool, plain: &str, sealed: &str) {
    let mut context = context(profile, master);
    let (plain, sealed) = (bytes(plain), bytes(sealed));
    let mut out = Vec::new();
    if is_rtcp {
        // The vectors start to count at 1.
        assert!(context.protect_rtcp(100, &mut out, append(&plain)));
        out.clear();
        assert!(context.protect_rtcp(100, &mut out, append(&plain)));
    } else {
        assert!(context.protect_rtp(100, &mut out, append(&plain)));
    }
    assert_eq!(out, sealed);
    let opened = if is_rtcp { context.unprotect_rtcp(&mut out) } else { context.unprotect_rtp(&mut out) };
    assert_eq!(opened, Ok(plain.clone().as_mut_slice()));
    let mut again = sealed;
    let opened = if is_rtcp { context.unprotect_rtcp(&mut again) } else { context.unprotect_rtp(&mut again) };
    assert_eq!(opened, Err(wigwag_srtp::Error::Replayed));
}

#[test]
fn seals_as_libsrtp_does() {
    check(
        Profile::Aes128CmSha1_80,
        COUNTER_MODE,
        false,
        RTP,
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    );
    check(
        Profile::Aes128CmSha1_80,
        COUNTER_MODE,
        true,
        RTCP,
        "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
    );
    check(
        Profile::AeadAes128Gcm,
        GCM,
        false,
        RTP,
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    );
    check(
        Profile::AeadAes128Gcm,
        GCM,
        true,
        RTCP,
        "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
    );
}

/// The same keys and the same packets; of RTP the tag is the first 32 bits, of RTCP it is as long as ever (RFC 5764 §4.1.2).
#[test]
fn a_tag_of_32_bits_is_that_of_80_cut_short_and_rtcp_is_the_same() {
    let profile = Profile::Aes128CmSha1_32;
    let sealed = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc";
    check(profile, COUNTER_MODE, false, RTP, sealed);
    let sealed = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";
    check(profile, COUNTER_MODE, true, RTCP, sealed);
    assert_eq!((profile.rtp_overhead(), profile.rtcp_overhead()), (4, 14));
}

/// The value of each `"key": "value"` between two braces; nothing in the file is nested but a list of numbers.
fn objects(json: &str) -> Vec<BTreeMap<&str, &str>> {
    json.split('{')
        .skip(2)
        .map(|object| {
            let strings: Vec<&str> = object.split('"').skip(1).step_by(2).collect();
            let mut map = BTreeMap::new();
            // Each string's value is the next one: true of the keys that are asked for here.
            for pair in strings.windows(2) {
                map.entry(pair[0]).or_insert(pair[1]);
            }
            map
        })
        .collect()
}

#[test]
fn agrees_with_the_packets_of_the_test_data() {
    #[expect(clippy::disallowed_methods, reason = "where other people's test data lies is not ours to decide")]
    let Ok(folder) = std::env::var("WIGWAG_TESTDATA") else { return println!("skipped: WIGWAG_TESTDATA is not set") };
    let json = std::fs::read_to_string(format!("{folder}/srtp-vectors/srtp_packets.json")).expect("readable");
    let mut checked = 0;
    for vector in objects(&json) {
        let profile = match vector["suite"] {
            "SRTP_AES128_CM_HMAC_SHA1_80" => Profile::Aes128CmSha1_80,
            "SRTP_AES128_CM_HMAC_SHA1_32" => Profile::Aes128CmSha1_32,
            "SRTP_AEAD_AES_128_GCM" => Profile::AeadAes128Gcm,
            _ => continue,
        };
        // Neither is for WebRTC; those of RFC 9335 are typed in beside this file.
        if ["mki", "cryptex", "rfc6904"].iter().any(|kind| vector["name"].contains(kind)) {
            continue;
        }
        let master = [vector["master_key"], vector["master_salt"]];
        check(profile, master, vector["kind"] == "rtcp", vector["plaintext"], vector["ciphertext"]);
        checked += 1;
    }
    assert_eq!(checked, 4);
}
