//! SRTP and SRTCP.

use crate::script::Script;
use wigwag_srtp::{Context, MasterKey, Profile};

/// A context whose two directions share their key, so that it opens what it sealed.
fn context(profile: Profile) -> Context {
    let (key, salt) = ([1; 32], [2; 32]);
    let key = MasterKey { key: &key[..profile.key_len()], salt: &salt[..profile.salt_len()] };
    Context::new(profile, key, key).expect("the lengths are right")
}

/// Any bytes as a sealed packet: refused, and left as they were.
pub fn srtp_packet(data: &[u8]) {
    for &profile in Profile::ALL {
        let mut context = context(profile);
        for open in [Context::unprotect_rtp, Context::unprotect_rtcp] {
            let mut packet = data.to_vec();
            assert!(open(&mut context, &mut packet).is_err(), "nobody sealed this");
            assert_eq!(packet, data, "a refused packet is left as it was");
        }
    }
}

/// Any packets: sealed, sometimes damaged, opened. What was not damaged opens to what it was, once.
pub fn srtp_sealed(data: &[u8]) {
    let script = &mut Script::new(data);
    let mut context = context(Profile::ALL[usize::from(script.byte()) % Profile::ALL.len()]);
    while !script.is_over() {
        let kind = script.byte();
        let (is_rtcp, is_raw) = (kind & 1 != 0, kind & 2 != 0);
        let plain = packet(script, is_rtcp, is_raw);
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
            open(&mut context, script, is_rtcp, &plain, sealed);
        }
    }
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

fn open(context: &mut Context, script: &mut Script<'_>, is_rtcp: bool, plain: &[u8], sealed: Vec<u8>) {
    let open = if is_rtcp { Context::unprotect_rtcp } else { Context::unprotect_rtp };
    let mut damaged = sealed.clone();
    script.damage(&mut damaged);
    if damaged != sealed {
        let before = damaged.clone();
        assert!(open(context, &mut damaged).is_err(), "what was damaged is refused");
        assert_eq!(damaged, before, "a refused packet is left as it was");
    }
    let mut packet = sealed.clone();
    // Old or seen before: sealed twice, or the sequence number went back too far.
    let Ok(opened) = open(context, &mut packet) else { return };
    assert_eq!(opened, plain);
    assert!(open(context, &mut sealed.clone()).is_err(), "nothing opens twice");
}
