//! The one place that names ciphers: a door behind which another backend can be put.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod counter_mode;
mod gcm;
#[cfg(not(feature = "aws-lc-rs"))]
mod rust_crypto;

use crate::Profile;
use crate::cryptex::EXTENSION_HEADER_LEN;
// What costs time with each packet is done by one of two, which offer the same. Keys are derived by RustCrypto always.
#[cfg(feature = "aws-lc-rs")]
use aws_lc as backend;
use counter_mode::CounterMode;
use gcm::Gcm;
#[cfg(not(feature = "aws-lc-rs"))]
use rust_crypto as backend;
use zeroize::Zeroizing;

pub(crate) use counter_mode::keystream;

/// The longest tag of any profile.
const TAG_LEN_MAX: usize = 16;

/// Session keys of one profile, for one direction and one of RTP and RTCP.
pub(crate) struct SessionKeys {
    pub(crate) encryption: Zeroizing<Vec<u8>>,
    pub(crate) authentication: Zeroizing<Vec<u8>>,
    pub(crate) salt: Zeroizing<Vec<u8>>,
}

/// Which packet this is: no two under one key may have the same position.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    pub(crate) ssrc: u32,
    /// 48 bits for RTP, 31 for RTCP.
    pub(crate) index: u64,
}

/// What is authenticated beside the packet's own header and body.
#[derive(Clone, Copy)]
pub(crate) enum Trailer {
    /// Of RTP: it is not in the packet.
    RolloverCounter(u32),
    /// Of RTCP: the E bit and the index, as in the packet.
    RtcpIndex([u8; 4]),
}

/// A packet as a cipher takes it.
pub(crate) struct Portions<'a> {
    /// What is only authenticated.
    pub(crate) header: &'a [u8],
    /// What is encrypted, too.
    pub(crate) body: &'a mut [u8],
    /// So many bytes of the body's beginning are sent before the last four of the header: the CSRCs of RFC 9335.
    pub(crate) csrcs_len: usize,
}

impl Portions<'_> {
    /// The pieces in the order in which they are sent, where some may be empty.
    fn as_sent(&self) -> [&[u8]; 4] {
        let (csrcs, body) = self.body.split_at_checked(self.csrcs_len).unwrap_or((&[], self.body));
        let behind = if csrcs.is_empty() { 0 } else { EXTENSION_HEADER_LEN };
        let header = self.header.len().checked_sub(behind).and_then(|len| self.header.split_at_checked(len));
        let (header, extension) = header.unwrap_or((self.header, &[]));
        [header, csrcs, extension, body]
    }
}

/// An authentication tag, as it is computed, and how much of it is sent.
pub(crate) struct Tag {
    bytes: [u8; TAG_LEN_MAX],
    len: usize,
}

impl Tag {
    const fn new(bytes: [u8; TAG_LEN_MAX], len: usize) -> Self {
        Self { bytes, len }
    }

    /// As it stands in the packet.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// 64 bits of it, however few are sent: enough to tell two packets apart.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.bytes.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

/// A cipher with its keys expanded.
pub(crate) enum Cipher {
    CounterMode(Box<CounterMode>),
    Gcm(Gcm),
}

impl Cipher {
    /// `None` if a key is not as long as the profile says. `tag_len` is 16 but in counter mode.
    pub(crate) fn new(profile: Profile, keys: &SessionKeys, tag_len: usize) -> Option<Self> {
        Some(match profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => {
                Self::CounterMode(Box::new(CounterMode::new(keys, tag_len)?))
            }
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => Self::Gcm(Gcm::new(keys)?),
        })
    }

    /// Encrypts the body where it lies.
    pub(crate) fn seal(&self, position: Position, mut portions: Portions<'_>, trailer: Trailer) -> Option<Tag> {
        match self {
            Self::CounterMode(cipher) => cipher.seal(position, &mut portions, trailer),
            Self::Gcm(cipher) => {
                let Portions { header, body, .. } = portions;
                with_associated_data(header, trailer, |data| cipher.seal(position, data, body))
            }
        }
    }

    /// Decrypts the body where it lies if the tag matches, else changes nothing and says `false`.
    pub(crate) fn open(
        &mut self,
        position: Position,
        mut portions: Portions<'_>,
        trailer: Trailer,
        tag: &[u8],
    ) -> bool {
        match self {
            Self::CounterMode(cipher) => cipher.open(position, &mut portions, trailer, tag),
            Self::Gcm(cipher) => {
                let Portions { header, body, .. } = portions;
                with_associated_data(header, trailer, |data| cipher.open(position, data, body, tag)).is_some()
            }
        }
    }
}

/// RFC 7714 §8.2: the associated data of RTP is its header, and by RFC 9335 §6.2 what of that is not encrypted; §9.2: that of RTCP is its
/// first eight bytes and the word with the E flag and the index.
fn with_associated_data<R>(header: &[u8], trailer: Trailer, f: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
    match trailer {
        Trailer::RolloverCounter(_) => f(header),
        Trailer::RtcpIndex(index) => {
            let mut data = [0; 12];
            let (first, last) = data.split_at_mut(8);
            first.copy_from_slice(header.get(..8)?);
            last.copy_from_slice(&index);
            f(&data)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex")).collect()
    }

    fn cipher(profile: Profile, encryption: &str, salt: &str) -> Cipher {
        let keys = SessionKeys {
            encryption: Zeroizing::new(words(encryption)),
            authentication: Zeroizing::new(vec![0; 20]),
            salt: Zeroizing::new(words(salt)),
        };
        Cipher::new(profile, &keys, profile.rtp_overhead()).expect("keys of the right length")
    }

    /// RFC 3711 B.2.
    #[test]
    fn counter_mode_yields_the_keystream_of_rfc_3711() {
        let key = "2B7E151628AED2A6ABF7158809CF4F3C";
        let cipher = cipher(Profile::Aes128CmSha1_80, key, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
        let mut body = vec![0; 0xff02 * 16];
        let trailer = Trailer::RolloverCounter(0);
        let portions = Portions { header: &[], body: &mut body, csrcs_len: 0 };
        cipher.seal(Position { ssrc: 0, index: 0 }, portions, trailer).expect("sealed");
        let blocks = |range: std::ops::Range<usize>| body[range.start * 16..range.end * 16].to_vec();
        assert_eq!(
            blocks(0..3),
            words("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            blocks(0xfeff..0xff02),
            words("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }

    const GCM_KEYS: [(Profile, &str); 2] = [
        (Profile::AeadAes128Gcm, "000102030405060708090a0b0c0d0e0f"),
        (Profile::AeadAes256Gcm, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
    ];
    const GCM_SALT: &str = "517569642070726f2071756f";

    fn check_gcm(position: Position, plain: &str, header_len: usize, trailer: Trailer, sealed: [&str; 2]) {
        for ((profile, key), sealed) in GCM_KEYS.into_iter().zip(sealed) {
            let mut cipher = cipher(profile, key, GCM_SALT);
            let (plain, sealed) = (words(plain), words(sealed));
            let mut packet = plain.clone();
            let (header, body) = packet.split_at_mut(header_len);
            let tag = cipher.seal(position, Portions { header, body, csrcs_len: 0 }, trailer).expect("sealed");
            assert_eq!([&packet, tag.as_bytes()].concat(), sealed);
            let (header, body) = packet.split_at_mut(header_len);
            assert!(cipher.open(position, Portions { header, body, csrcs_len: 0 }, trailer, tag.as_bytes()));
            assert_eq!(packet, plain);
        }
    }

    /// RFC 7714 §16.1.1 and §16.2.1.
    #[test]
    fn gcm_seals_the_rtp_packet_of_rfc_7714() {
        check_gcm(
            Position { ssrc: 0x5501_a0b2, index: 0xf17b },
            "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472
             6573",
            12,
            Trailer::RolloverCounter(0),
            [
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
                 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
                 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ],
        );
    }

    /// RFC 7714 §17.1 and §17.2.
    #[test]
    fn gcm_seals_the_rtcp_packet_of_rfc_7714() {
        check_gcm(
            Position { ssrc: 0x4d61_7273, index: 0x5d4 },
            "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef
             deadbeef",
            8,
            Trailer::RtcpIndex([0x80, 0, 5, 0xd4]),
            [
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
                 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade",
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
                 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be",
            ],
        );
    }
}
