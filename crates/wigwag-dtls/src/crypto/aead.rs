//! Authenticated encryption of records, in place: the ciphers of the cipher suites (RFC 5288 §3, RFC 7905 §2).

use super::backend::Cipher;
use crate::CipherSuite;
use zeroize::Zeroizing;

/// The length of the part of a nonce that a record can carry, and of what makes a nonce unique.
pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;
/// The length of a tag.
pub(crate) const TAG_LEN: usize = 16;
pub(super) const NONCE_LEN: usize = 12;

/// What encrypts and authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl CipherSuite {
    pub(super) const fn algorithm(self) -> Algorithm {
        match self {
            Self::EcdheEcdsaAes128GcmSha256 | Self::EcdheRsaAes128GcmSha256 | Self::Aes128GcmSha256 => {
                Algorithm::Aes128Gcm
            }
            Self::EcdheEcdsaAes256GcmSha384 | Self::EcdheRsaAes256GcmSha384 | Self::Aes256GcmSha384 => {
                Algorithm::Aes256Gcm
            }
            Self::EcdheEcdsaChaCha20Poly1305Sha256
            | Self::EcdheRsaChaCha20Poly1305Sha256
            | Self::ChaCha20Poly1305Sha256 => Algorithm::ChaCha20Poly1305,
        }
    }

    /// The length of a key, in bytes.
    pub(crate) const fn key_len(self) -> usize {
        match self.algorithm() {
            Algorithm::Aes128Gcm => 16,
            Algorithm::Aes256Gcm | Algorithm::ChaCha20Poly1305 => 32,
        }
    }

    /// The length of the part of a nonce that is derived with the key, in bytes.
    pub(crate) const fn iv_len(self) -> usize {
        match self {
            Self::EcdheEcdsaAes128GcmSha256
            | Self::EcdheEcdsaAes256GcmSha384
            | Self::EcdheRsaAes128GcmSha256
            | Self::EcdheRsaAes256GcmSha384 => NONCE_LEN - EXPLICIT_NONCE_LEN,
            Self::EcdheEcdsaChaCha20Poly1305Sha256
            | Self::EcdheRsaChaCha20Poly1305Sha256
            | Self::Aes128GcmSha256
            | Self::Aes256GcmSha384
            | Self::ChaCha20Poly1305Sha256 => NONCE_LEN,
        }
    }
}

/// A cipher with the key and the secret part of the nonces of one direction. Wiped when dropped.
pub(crate) struct Aead {
    algorithm: Algorithm,
    cipher: Cipher,
    /// With zeros where a nonce is explicit.
    iv: Zeroizing<[u8; NONCE_LEN]>,
    explicit_nonce_len: usize,
}

impl Aead {
    /// `None` if the key or the IV is not as long as the suite says.
    pub(crate) fn new(suite: CipherSuite, key: &[u8], iv: &[u8]) -> Option<Self> {
        let algorithm = suite.algorithm();
        let cipher = Cipher::new(algorithm, key)?;
        let mut padded = Zeroizing::new([0; NONCE_LEN]);
        padded.iter_mut().zip(iv).for_each(|(to, from)| *to = *from);
        let explicit_nonce_len = NONCE_LEN - suite.iv_len();
        (iv.len() == suite.iv_len()).then_some(Self { algorithm, cipher, iv: padded, explicit_nonce_len })
    }

    /// How many bytes of the nonce each record carries: RFC 7905's cipher and those of DTLS 1.3 take them from the record's
    /// number instead.
    pub(crate) const fn explicit_nonce_len(&self) -> usize {
        self.explicit_nonce_len
    }

    /// Whether it wears out with what is encrypted.
    pub(crate) const fn is_aes_gcm(&self) -> bool {
        match self.algorithm {
            Algorithm::Aes128Gcm | Algorithm::Aes256Gcm => true,
            Algorithm::ChaCha20Poly1305 => false,
        }
    }

    /// Encrypts where it lies and returns the tag; `None` if it is longer than the cipher can take (64 GB).
    pub(crate) fn seal(
        &self,
        unique: [u8; EXPLICIT_NONCE_LEN],
        additional: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        self.cipher.seal(self.nonce(unique), additional, body)
    }

    /// Decrypts where it lies if the tag is right; otherwise what lies there may be lost.
    #[must_use]
    pub(crate) fn open(
        &self,
        unique: [u8; EXPLICIT_NONCE_LEN],
        additional: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> bool {
        self.cipher.open(self.nonce(unique), additional, body, tag)
    }

    // RFC 5288 §3: "struct { opaque salt[4]; opaque nonce_explicit[8]; } GCMNonce;"
    // RFC 7905 §2 pads the record's number on its left with four zeros and XORs it with the IV, and so does
    // RFC 8446 §5.3. As the IV of GCM in 1.2 is a salt with zeros after it, that is the same.
    fn nonce(&self, unique: [u8; EXPLICIT_NONCE_LEN]) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (to, from) in nonce.iter_mut().skip(NONCE_LEN - EXPLICIT_NONCE_LEN).zip(unique) {
            *to ^= from;
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    fn check(aead: &Aead, unique: &str, additional: &str, plain: &[u8], sealed: &str, tag: &str) {
        let (unique, additional) = (bytes(unique).try_into().unwrap(), bytes(additional));
        let mut body = plain.to_vec();
        let made = aead.seal(unique, &additional, &mut body).unwrap();
        assert_eq!((&body, made.to_vec()), (&bytes(sealed), bytes(tag)));
        assert!(aead.open(unique, &additional, &mut body, &made));
        assert_eq!(body, plain);
        assert!(!aead.open(unique, &additional, &mut bytes(sealed), &[0; 16]));
    }

    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                         b16aedf5aa0de657ba637b39";
    const ADDITIONAL: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 4 and 16.
    #[test]
    fn is_aes_gcm() {
        let key = "feffe9928665731c6d6a8f9467308308";
        for (suite, key, sealed, tag) in [
            (
                CipherSuite::EcdheEcdsaAes128GcmSha256,
                key.to_owned(),
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05\
                 1ba30b396a0aac973d58e091",
                "5bc94fbc3221a5db94fae95ae7121a47",
            ),
            (
                CipherSuite::EcdheEcdsaAes256GcmSha384,
                [key, key].concat(),
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
                 c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b",
            ),
        ] {
            let aead = Aead::new(suite, &bytes(&key), &bytes("cafebabe")).unwrap();
            check(&aead, "facedbaddecaf888", ADDITIONAL, &bytes(PLAIN), sealed, tag);
        }
    }

    /// RFC 8439 §2.8.2. Of its nonce, 07000000 4041424344454647, a part is given as the record's number.
    #[test]
    fn is_chacha20_poly1305() {
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";
        let key: Vec<u8> = (0x80..0xA0).collect();
        let sealed = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
                      1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                      3ff4def08e4b7a9de576d26586cec64b6116";
        let tag = "1ae10b594f09e26a7e902ecbd0600691";
        let additional = "50515253c0c1c2c3c4c5c6c7";
        for (iv, unique) in
            [("070000004041424344454647", "0000000000000000"), ("070000004040424344454642", "0001000000000005")]
        {
            let aead = Aead::new(CipherSuite::EcdheEcdsaChaCha20Poly1305Sha256, &key, &bytes(iv)).unwrap();
            check(&aead, unique, additional, plain, sealed, tag);
        }
    }

    #[test]
    fn keys_and_ivs_of_another_length_are_refused() {
        for suite in CipherSuite::ALL {
            let (key, iv) = (vec![1; suite.key_len()], vec![2; suite.iv_len()]);
            assert!(Aead::new(*suite, &key, &iv).is_some());
            assert!(Aead::new(*suite, &key[1..], &iv).is_none() && Aead::new(*suite, &key, &iv[1..]).is_none());
        }
    }
}
