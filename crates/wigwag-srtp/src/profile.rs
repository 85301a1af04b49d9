//! Which ciphers, and how many bytes each needs (RFC 5764 §4.1.2, RFC 7714 §14.2).

/// A protection profile, as DTLS negotiates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (0x0001): AES-128 in counter mode, HMAC-SHA1 cut to 80 bits.
    Aes128CmSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32` (0x0002): the same, and of RTP HMAC-SHA1 is cut to 32 bits. One forged packet in 2³² is taken for
    /// genuine, and in 2³¹ of a source that is new: for narrow links, and peers that have nothing else.
    Aes128CmSha1_32,
    /// `SRTP_AEAD_AES_128_GCM` (0x0007).
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (0x0008).
    AeadAes256Gcm,
}

impl Profile {
    /// All that are supported.
    pub const ALL: &'static [Self] =
        &[Self::Aes128CmSha1_80, Self::Aes128CmSha1_32, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// The length of the master key, in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// The length of the master salt, in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// By how many bytes an RTP packet grows: the tag. With [`Cryptex`](crate::Cryptex), one that has CSRCs and no extension grows by
    /// 4 more.
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::Aes128CmSha1_32 => 4,
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm | Self::AeadAes256Gcm => self.rtcp_tag_len(),
        }
    }

    /// By how many bytes an RTCP packet grows: the tag, and the index with the E bit.
    pub const fn rtcp_overhead(self) -> usize {
        self.rtcp_tag_len() + 4
    }

    /// The length of the authentication tag of RTCP, in bytes.
    // RFC 5764 §4.1.2 gives `SRTP_AES128_CM_HMAC_SHA1_32` an auth_tag_length of 32 bits for RTP and of 80 bits for RTCP.
    pub(crate) const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}
