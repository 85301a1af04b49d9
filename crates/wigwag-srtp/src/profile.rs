//! Which ciphers, and how many bytes each needs (RFC 5764 §4.1.2, RFC 7714 §14.2).

/// A protection profile, as DTLS negotiates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (0x0001): AES-128 in counter mode, HMAC-SHA1 cut to 80 bits.
    Aes128CmSha1_80,
    /// `SRTP_AEAD_AES_128_GCM` (0x0007).
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (0x0008).
    AeadAes256Gcm,
}

impl Profile {
    /// All that are supported.
    pub const ALL: &'static [Self] = &[Self::Aes128CmSha1_80, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// The length of the master key, in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// The length of the master salt, in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// By how many bytes an RTP packet grows.
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }

    /// By how many bytes an RTCP packet grows: the tag, and the index with the E bit.
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len() + 4
    }

    /// The length of the authentication tag, in bytes.
    pub(crate) const fn tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}
