//! What hides the numbers of records in DTLS 1.3 (RFC 9147 §4.2.3).

use super::aead::Algorithm;
use crate::CipherSuite;
use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipherCore};
use aes::{Aes128, Aes256};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20};
use zeroize::Zeroizing;

/// How much of a ciphertext a mask is made of.
pub(crate) const SAMPLE_LEN: usize = 16;
/// The longest number in a header.
const MASK_LEN: usize = 2;

/// The cipher with the key for record numbers of one epoch and direction. Wiped when dropped.
pub(crate) enum Mask {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
    ChaCha20(Zeroizing<[u8; 32]>),
}

impl Mask {
    /// `None` if the key is not as long as the suite says.
    pub(crate) fn new(suite: CipherSuite, key: &[u8]) -> Option<Self> {
        match suite.algorithm() {
            Algorithm::Aes128Gcm => Aes128::new_from_slice(key).ok().map(|cipher| Self::Aes128(Box::new(cipher))),
            Algorithm::Aes256Gcm => Aes256::new_from_slice(key).ok().map(|cipher| Self::Aes256(Box::new(cipher))),
            Algorithm::ChaCha20Poly1305 => key.try_into().ok().map(|key| Self::ChaCha20(Zeroizing::new(key))),
        }
    }

    /// The bytes to XOR a record's number with.
    ///
    /// RFC 9147 §4.2.3: "Mask = AES-ECB(sn_key, Ciphertext[0..15])", and for ChaCha20 "the first 4 bytes of the ciphertext
    /// as the block counter and the next 12 bytes as the nonce".
    pub(crate) fn of(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; MASK_LEN] {
        let block = match self {
            Self::Aes128(cipher) => encrypt(&**cipher, sample),
            Self::Aes256(cipher) => encrypt(&**cipher, sample),
            Self::ChaCha20(key) => {
                let [c0, c1, c2, c3, nonce @ ..] = *sample;
                // One block, which may be the last: what hands out bytes of a stream would call that its end.
                let mut cipher = ChaChaCore::<R20, Ietf>::new((&**key).into(), &nonce.into());
                cipher.set_block_pos(u32::from_le_bytes([c0, c1, c2, c3]));
                let mut block = Default::default();
                cipher.write_keystream_block(&mut block);
                let [first, second, ..] = block.0;
                return [first, second];
            }
        };
        let [first, second, ..] = block;
        [first, second]
    }
}

fn encrypt<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    sample: &[u8; SAMPLE_LEN],
) -> [u8; SAMPLE_LEN] {
    let mut block = (*sample).into();
    cipher.encrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    /// FIPS 197, appendices C.1 and C.3.
    #[test]
    fn is_the_beginning_of_a_block_of_aes() {
        let sample = bytes("00112233445566778899aabbccddeeff");
        for (suite, key, mask) in [
            (CipherSuite::Aes128GcmSha256, &(0..16).collect::<Vec<u8>>(), [0x69, 0xc4]),
            (CipherSuite::Aes256GcmSha384, &(0..32).collect(), [0x8e, 0xa2]),
        ] {
            assert_eq!(Mask::new(suite, key).unwrap().of(&sample), mask);
            assert!(Mask::new(suite, &key[1..]).is_none());
        }
    }

    /// RFC 8439 §2.3.2, and RFC 9001 A.5, which hides packet numbers of QUIC in the same way.
    #[test]
    fn is_the_beginning_of_a_block_of_chacha20() {
        let key: Vec<u8> = (0..32).collect();
        let mask = Mask::new(CipherSuite::ChaCha20Poly1305Sha256, &key).unwrap();
        assert_eq!(mask.of(&bytes("01000000000000090000004a00000000")), [0x10, 0xf1]);
        let key = bytes::<32>("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
        let mask = Mask::new(CipherSuite::ChaCha20Poly1305Sha256, &key).unwrap();
        assert_eq!(mask.of(&bytes("5e5cd55c41f69080575d7999c25a5bfb")), [0xae, 0xfe]);
        assert_eq!(mask.of(&[0xFF; 16]), [0x55, 0x37], "the last block, computed by hand");
    }
}
