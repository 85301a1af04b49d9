//! The packets of RFC 9335, Appendix A.

use wigwag_srtp::{Context, Cryptex, Error, MasterKey, Profile};

/// RFC 9335 A.1.
const COUNTER_MODE_PACKETS: [[&str; 2]; 6] = [
    // 1-byte header extension.
    [
        "900f1235 decafbad cafebabe bede0001 51000200 abababab abababab abababab abababab",
        "900f1235 decafbad cafebabe c0de0001 eb923652 51c3e036 f8de27e9 c27ee3e0 b4651d9f bc4218a7 0244522f 34a5",
    ],
    // 2-byte header extension.
    [
        "900f1236 decafbad cafebabe 10000001 05020002 abababab abababab abababab abababab",
        "900f1236 decafbad cafebabe c2de0001 4ed9cc4e 6a712b30 96c5ca77 339d4204 ce0d7739 6cab6958 5fbce381 94a5",
    ],
    // 1-byte header extension and CSRC fields.
    [
        "920f1238 decafbad cafebabe 0001e240 0000b26e bede0001 51000200 abababab abababab abababab abababab",
        "920f1238 decafbad cafebabe 8bb6e12b 5cff16dd c0de0001 92838c8c 09e58393 e1de3a9a 74734d67 45671338 c3acf11d
         a2df8423 bee0",
    ],
    // 2-byte header extension and CSRC fields.
    [
        "920f1239 decafbad cafebabe 0001e240 0000b26e 10000001 05020002 abababab abababab abababab abababab",
        "920f1239 decafbad cafebabe f70e513e b90b9b25 c2de0001 bbed4848 faa64466 5f3d7f34 125914e9 f4d0ae92 3c6f479b
         95a0f7b5 3133",
    ],
    // empty 1-byte header extension and CSRC fields.
    [
        "920f123a decafbad cafebabe 0001e240 0000b26e bede0000 abababab abababab abababab abababab",
        "920f123a decafbad cafebabe 7130b6ab fe2ab0e3 c0de0000 e3d9f64b 25c9e74c b4cf8e43 fb92e378 1c2c0cea b6b3a499
         a14c",
    ],
    // empty 2-byte header extension and CSRC fields.
    [
        "920f123b decafbad cafebabe 0001e240 0000b26e 10000000 abababab abababab abababab abababab",
        "920f123b decafbad cafebabe cbf24c12 4330e1c8 c2de0000 599dd45b c9d687b6 03e8b59d 771fd38e 88b170e0 cd31e125
         eabe",
    ],
];

/// RFC 9335 A.2.
const GCM_PACKETS: [[&str; 2]; 6] = [
    // 1-byte header extension.
    [
        "900f1235 decafbad cafebabe bede0001 51000200 abababab abababab abababab abababab",
        "900f1235 decafbad cafebabe c0de0001 39972dc9 572c4d99 e8fc355d e743fb2e 94f9d8ff 54e72f41 93bbc5c7 4ffab0fa
         9fa0fbeb",
    ],
    // 2-byte header extension.
    [
        "900f1236 decafbad cafebabe 10000001 05020002 abababab abababab abababab abababab",
        "900f1236 decafbad cafebabe c2de0001 bb75a4c5 45cd1f41 3bdb7daa 2b1e3263 de313667 c9632490 81b35a65 f5cb6c88
         b394235f",
    ],
    // 1-byte header extension and CSRC fields.
    [
        "920f1238 decafbad cafebabe 0001e240 0000b26e bede0001 51000200 abababab abababab abababab abababab",
        "920f1238 decafbad cafebabe 63bbccc4 a7f695c4 c0de0001 8ad7c71f ac70a80c 92866b4c 6ba98546 ef913586 e95ffaaf
         fe956885 bb0647a8 bc094ac8",
    ],
    // 2-byte header extension and CSRC fields.
    [
        "920f1239 decafbad cafebabe 0001e240 0000b26e 10000001 05020002 abababab abababab abababab abababab",
        "920f1239 decafbad cafebabe 3680524f 8d312b00 c2de0001 c78d1200 38422bc1 11a7187a 18246f98 0c059cc6 bc9df8b6
         26394eca 344e4b05 d80fea83",
    ],
    // empty 1-byte header extension and CSRC fields.
    [
        "920f123a decafbad cafebabe 0001e240 0000b26e bede0000 abababab abababab abababab abababab",
        "920f123a decafbad cafebabe 15b6bb43 37906fff c0de0000 b7b96453 7a2b03ab 7ba5389c e9331712 6b5d974d f30c6884
         dcb651c5 e120c1da",
    ],
    // empty 2-byte header extension and CSRC fields.
    [
        "920f123b decafbad cafebabe 0001e240 0000b26e 10000000 abababab abababab abababab abababab",
        "920f123b decafbad cafebabe dcb38c9e 48bf95f4 c2de0000 61ee432c f9203170 76613258 d3ce4236 c06ac429 681ad084
         13512dc9 8b5207d8",
    ],
];

const COUNTER_MODE_KEY: [&str; 2] = ["e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6"];
const GCM_KEY: [&str; 2] = ["000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab"];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex")).collect()
}

fn context(profile: Profile, [key, salt]: [&str; 2], cryptex: Cryptex) -> Context {
    let (key, salt) = (bytes(key), bytes(salt));
    let master = MasterKey { key: &key, salt: &salt };
    let mut context = Context::new(profile, master, master).expect("keys of the right length");
    context.set_cryptex(cryptex);
    context
}

fn seal(context: &mut Context, packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let write = |_, out: &mut Vec<u8>| {
        out.extend_from_slice(packet);
        true
    };
    context.protect_rtp(100, &mut out, write).then_some(out)
}

fn check(profile: Profile, key: [&str; 2], packets: &[[&str; 2]]) {
    for cryptex in [Cryptex::Negotiated, Cryptex::Required] {
        let (mut a, mut z) = (context(profile, key, cryptex), context(profile, key, cryptex));
        for packet in packets {
            let [plain, sealed] = packet.map(bytes);
            assert_eq!(seal(&mut a, &plain).as_ref(), Some(&sealed));
            let mut again = sealed.clone();
            assert_eq!(z.unprotect_rtp(&mut again), Ok(plain.clone().as_mut_slice()));
            assert_eq!(z.unprotect_rtp(&mut sealed.clone()), Err(Error::Replayed));
        }
        let count = packets.len() as u64;
        assert_eq!((a.stats().cryptex_protected, z.stats().cryptex_unprotected), (count, count));
    }
}

#[test]
fn counter_mode_seals_and_opens_the_packets_of_the_rfc() {
    check(Profile::Aes128CmSha1_80, COUNTER_MODE_KEY, &COUNTER_MODE_PACKETS);
}

#[test]
fn gcm_seals_and_opens_the_packets_of_the_rfc() {
    check(Profile::AeadAes128Gcm, GCM_KEY, &GCM_PACKETS);
}

/// The cipher is the same, and so is what it encrypts: only the tag is shorter (RFC 5764 §4.1.2).
#[test]
fn with_a_tag_of_32_bits_the_packets_are_those_of_the_rfc_cut_short() {
    for packet in COUNTER_MODE_PACKETS {
        let [plain, sealed] = packet.map(bytes);
        let mut a = context(Profile::Aes128CmSha1_32, COUNTER_MODE_KEY, Cryptex::Negotiated);
        let short = sealed.get(..sealed.len() - 6).expect("10 bytes of a tag");
        assert_eq!(seal(&mut a, &plain).as_deref(), Some(short));
    }
}

/// §5.1: an empty extension is put behind the CSRCs; §5.2: which may stay.
#[test]
fn sources_without_an_extension_get_an_empty_one() {
    for (profile, key, packets) in [
        (Profile::Aes128CmSha1_80, COUNTER_MODE_KEY, &COUNTER_MODE_PACKETS),
        (Profile::AeadAes128Gcm, GCM_KEY, &GCM_PACKETS),
    ] {
        // "RTP Packet with empty 1-byte header extension and CSRC fields", without that extension.
        let [plain, sealed] = packets[4].map(bytes);
        let mut without = plain.clone();
        without[0] &= !0x10;
        without.drain(20..24);
        let (mut a, mut z) = (context(profile, key, Cryptex::Negotiated), context(profile, key, Cryptex::Required));
        let mut out = seal(&mut a, &without).expect("sealed");
        assert_eq!(out, sealed);
        assert_eq!(z.unprotect_rtp(&mut out), Ok(plain.clone().as_mut_slice()));
    }
}
