//! AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).

use super::backend::{Aes128Counter, HmacSha1};
use super::{Portions, Position, SessionKeys, TAG_LEN_MAX, Tag, Trailer};
use aes::{Aes128, Aes256};
use ctr::CtrCore;
use ctr::cipher::consts::U16;
use ctr::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipherCore, array::Array};
use ctr::flavors::Ctr128BE;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const SALT_LEN: usize = 14;

pub(crate) struct CounterMode {
    aes: Aes128Counter,
    hmac: HmacSha1,
    salt: Zeroizing<[u8; SALT_LEN]>,
    /// To how many bytes HMAC-SHA1 is cut: 10 or 4.
    tag_len: usize,
}

impl CounterMode {
    pub(super) fn new(keys: &SessionKeys, tag_len: usize) -> Option<Self> {
        Some(Self {
            aes: Aes128Counter::new(&keys.encryption)?,
            hmac: HmacSha1::new(&keys.authentication)?,
            salt: Zeroizing::new(keys.salt.as_slice().try_into().ok()?),
            tag_len,
        })
    }

    pub(super) fn seal(&self, position: Position, portions: &mut Portions<'_>, trailer: Trailer) -> Option<Tag> {
        self.aes.apply(initial_counter(&self.salt, position), portions.body)?;
        Some(self.tag(portions, trailer))
    }

    pub(super) fn open(&self, position: Position, portions: &mut Portions<'_>, trailer: Trailer, tag: &[u8]) -> bool {
        let is_authentic = bool::from(self.tag(portions, trailer).as_bytes().ct_eq(tag));
        if is_authentic {
            return self.aes.apply(initial_counter(&self.salt, position), portions.body).is_some();
        }
        false
    }

    // RFC 3711 §4.2: "In the case of SRTP, M SHALL consist of the Authenticated Portion of the packet (as specified in
    // Figure 1) concatenated with the ROC, M = Authenticated Portion || ROC"
    fn tag(&self, portions: &Portions<'_>, trailer: Trailer) -> Tag {
        let trailer = match trailer {
            Trailer::RolloverCounter(counter) => counter.to_be_bytes(),
            Trailer::RtcpIndex(index) => index,
        };
        let [header, csrcs, extension, body] = portions.as_sent();
        let mac = self.hmac.of([header, csrcs, extension, body, &trailer]);
        Tag::new(mac.first_chunk::<TAG_LEN_MAX>().copied().unwrap_or_default(), self.tag_len)
    }
}

// RFC 3711 §4.1.1: "IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)"
fn initial_counter(salt: &[u8; SALT_LEN], Position { ssrc, index }: Position) -> [u8; 16] {
    let mut salted = [0; 16];
    for (byte, salt) in salted.iter_mut().zip(salt) {
        *byte = *salt;
    }
    (u128::from_be_bytes(salted) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16).to_be_bytes()
}

/// Overwrites `out` with the keystream of `key` from `counter` on; `false` if the key is neither 16 nor 32 bytes long.
pub(crate) fn keystream(key: &[u8], counter: [u8; 16], out: &mut [u8]) -> bool {
    out.fill(0);
    match key.len() {
        32 => apply::<Aes256>(key, counter, out),
        _ => apply::<Aes128>(key, counter, out),
    }
}

fn apply<C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>>(
    key: &[u8],
    counter: [u8; 16],
    out: &mut [u8],
) -> bool {
    C::new_from_slice(key)
        .map(|aes| CtrCore::<_, Ctr128BE>::inner_iv_init(&aes, &Array(counter)).apply_keystream_partial(out.into()))
        .is_ok()
}
