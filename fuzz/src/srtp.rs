//! SRTP and SRTCP.

use crate::script::Script;
use wigwag_srtp::{Context, Cryptex, MasterKey, Profile};

const POLICIES: [Cryptex; 4] = [Cryptex::Off, Cryptex::Received, Cryptex::Negotiated, Cryptex::Required];

/// A context whose two directions share their key, so that it opens what it sealed.
fn context(profile: Profile) -> Context {
    let (key, salt) = ([1; 32], [2; 32]);
    let key = MasterKey { key: &key[..profile.key_len()], salt: &salt[..profile.salt_len()] };
    Context::new(profile, key, key).expect("the lengths are right")
}

/// A tag of 32 bits may be guessed.
fn can_be_guessed(profile: Profile) -> bool {
    profile == Profile::Aes128CmSha1_32
}

/// Any bytes as a sealed packet: refused, and left as they were.
pub fn srtp_packet(data: &[u8]) {
    for &profile in Profile::ALL {
        let mut context = context(profile);
        for cryptex in POLICIES {
            context.set_cryptex(cryptex);
            for open in [Context::unprotect_rtp, Context::unprotect_rtcp] {
                let mut packet = data.to_vec();
                let is_refused = open(&mut context, &mut packet).is_err();
                assert!(is_refused || can_be_guessed(profile), "nobody sealed this");
                assert!(!is_refused || packet == data, "a refused packet is left as it was");
            }
        }
    }
}

/// Any packets: sealed, sometimes damaged, opened, with headers in the clear or not. What was not damaged opens to what it was, once.
pub fn srtp_sealed(data: &[u8]) {
    let script = &mut Script::new(data);
    let mut context = context(Profile::ALL[usize::from(script.byte()) % Profile::ALL.len()]);
    while !script.is_over() {
        let kind = script.byte();
        let (is_rtcp, is_raw) = (kind & 1 != 0, kind & 2 != 0);
        let plain = packet(script, is_rtcp, is_raw);
        let policy = |bits: u8| POLICIES[usize::from(bits & 3)];
        let (seals, opens) = (policy(kind >> 2), policy(kind >> 4));
        context.set_cryptex(seals);
        let before = context.stats().cryptex_protected;
        let mut sealed = Vec::new();
        let write = |_, out: &mut Vec<u8>| {
            out.extend_from_slice(&plain);
            !plain.is_empty()
        };
        let wrote = match is_rtcp {
            true => context.protect_rtcp(1500, &mut sealed, write),
            false => context.protect_rtp(1500, &mut sealed, write),
        };
        assert!(wrote || sealed.is_empty(), "what was not sealed is taken back");
        if wrote {
            let is_cryptex = context.stats().cryptex_protected > before;
            let opened = if is_rtcp { Some(plain) } else { expected(plain, is_cryptex, opens) };
            context.set_cryptex(opens);
            open(&mut context, script, is_rtcp, opened.as_deref(), sealed);
        }
    }
}

/// What comes of a packet, if both sides understand the same by it.
fn expected(mut plain: Vec<u8>, is_cryptex: bool, opens: Cryptex) -> Option<Vec<u8>> {
    let (has_extension, at) = (plain[0] & 0x10 != 0, 12 + 4 * usize::from(plain[0] & 15));
    let looks_sealed = has_extension && matches!(plain[at..at + 2], [0xc0 | 0xc2, 0xde]);
    if is_cryptex && !has_extension {
        plain[0] |= 0x10;
        plain.splice(at..at, [0xbe, 0xde, 0, 0]);
    }
    (opens != Cryptex::Off && (is_cryptex || !looks_sealed) || opens == Cryptex::Off && !is_cryptex).then_some(plain)
}

/// A packet whose first bytes are those of a right one, unless it shall be raw.
fn packet(script: &mut Script<'_>, is_rtcp: bool, is_raw: bool) -> Vec<u8> {
    let mut packet = match (is_raw, is_rtcp) {
        (true, _) => Vec::new(),
        (false, true) => vec![0x80, 200, 0, 1, 0, 0, 0, script.byte() % 4],
        (false, false) => {
            let [high, low] = script.u16().to_be_bytes();
            vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, script.byte() % 4]
        }
    };
    packet.extend_from_slice(script.bytes());
    packet
}

fn open(context: &mut Context, script: &mut Script<'_>, is_rtcp: bool, plain: Option<&[u8]>, sealed: Vec<u8>) {
    let open = if is_rtcp { Context::unprotect_rtcp } else { Context::unprotect_rtp };
    let mut damaged = sealed.clone();
    script.damage(&mut damaged);
    if damaged != sealed {
        let before = damaged.clone();
        let is_refused = open(context, &mut damaged).is_err();
        assert!(is_refused || can_be_guessed(context.profile()), "what was damaged is refused");
        assert!(!is_refused || damaged == before, "a refused packet is left as it was");
    }
    let mut packet = sealed.clone();
    // Old or seen before: sealed twice, or the sequence number went back too far. Or its header is in the clear.
    let Ok(opened) = open(context, &mut packet) else { return };
    assert!(plain.is_none_or(|plain| opened == plain), "it opens to what it was");
    assert!(open(context, &mut sealed.clone()).is_err(), "nothing opens twice");
}
