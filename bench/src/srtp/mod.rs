//! Packets of SRTP with 1,200 bytes of payload: sealed, and sealed and opened.

mod rtc;

use crate::{BACKEND, Row};
use wigwag_srtp::{Context, MasterKey, Profile};

const PROFILES: [Profile; 2] = [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];
const HEADER: [u8; 12] = [0x80, 96, 0, 0, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe];
const PAYLOAD_LEN: usize = 1200;
const KEY: [u8; 16] = [1; 16];
const SALT: [u8; 14] = [2; 14];

/// Whoever seals and opens.
trait Srtp {
    /// Seals what is in `packet`, and opens it again if told to.
    fn carry(&mut self, packet: &[u8], opens: bool);
}

pub(crate) fn rows() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for profile in PROFILES {
        for opens in [false, true] {
            rows.push(row(profile, opens, rtc::NAME, rtc::Ends::new(profile)));
        }
    }
    rows
}

fn row(profile: Profile, opens: bool, peer_name: &'static str, peer: impl Srtp + 'static) -> Row<'static> {
    let done = if opens { "sealed and opened" } else { "sealed" };
    Row {
        work: format!("SRTP {profile:?}, {done}, {BACKEND}"),
        peer_name,
        ours: numbered(Ends::new(profile), opens),
        peer: numbered(peer, opens),
    }
}

/// One packet after the other.
fn numbered(mut ends: impl Srtp + 'static, opens: bool) -> Box<dyn FnMut()> {
    let mut packet = [&HEADER[..], &[7; PAYLOAD_LEN]].concat();
    let mut sequence = 0u16;
    Box::new(move || {
        sequence = sequence.wrapping_add(1);
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        ends.carry(&packet, opens);
    })
}

/// wigwag-srtp.
struct Ends {
    context: Context,
    other: Context,
    out: Vec<u8>,
}

impl Ends {
    fn new(profile: Profile) -> Self {
        let master = MasterKey { key: &KEY[..profile.key_len()], salt: &SALT[..profile.salt_len()] };
        let [context, other] = [(); 2].map(|()| Context::new(profile, master, master).expect("keys"));
        Self { context, other, out: Vec::new() }
    }
}

impl Srtp for Ends {
    fn carry(&mut self, packet: &[u8], opens: bool) {
        self.out.clear();
        assert!(self.context.protect_rtp(usize::MAX, &mut self.out, |_, out| {
            out.extend_from_slice(packet);
            true
        }));
        if opens {
            assert_eq!(self.other.unprotect_rtp(&mut self.out).expect("a packet").len(), packet.len());
        }
    }
}
