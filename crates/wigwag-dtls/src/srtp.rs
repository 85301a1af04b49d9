//! The protection profiles and keys of DTLS-SRTP (RFC 5764 §4.1.2, §4.2, RFC 7714 §14.2).

use crate::Role;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How SRTP protects its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: mandatory for WebRTC (RFC 8827 §6.5).
    Aes128CmHmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`: the same with a tag of 32 bits, so that one forged packet in 2³² is taken for genuine. Not among
    /// [`DEFAULT`](Self::DEFAULT).
    Aes128CmHmacSha1_32,
}

impl SrtpProfile {
    /// Those that are offered and taken by default, the preferred one first.
    pub const DEFAULT: &'static [Self] = &[Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmHmacSha1_80];

    /// All: those, and last those that are there for whoever names them.
    pub const ALL: &'static [Self] =
        &[Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmHmacSha1_80, Self::Aes128CmHmacSha1_32];

    /// The number in IANA's registry.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Aes128CmHmacSha1_80 => 0x0001,
            Self::Aes128CmHmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The length of a master key, in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// The length of a master salt, in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Both keys and both salts.
    pub(crate) const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

impl fmt::Display for SrtpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        })
    }
}

/// The master keys and salts of both directions. Wiped when dropped, and printed without them.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SrtpKeys {
    #[zeroize(skip)]
    profile: SrtpProfile,
    #[zeroize(skip)]
    role: Role,
    material: Vec<u8>,
}

impl SrtpKeys {
    /// `material` is what the exporter gave, of the profile's length.
    pub(crate) fn new(profile: SrtpProfile, role: Role, material: Vec<u8>) -> Self {
        debug_assert_eq!(material.len(), profile.keying_material_len());
        Self { profile, role, material }
    }

    /// The profile they are for.
    pub const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// The master key for what we send.
    pub fn local_key(&self) -> &[u8] {
        self.key(self.role)
    }

    /// The master salt for what we send.
    pub fn local_salt(&self) -> &[u8] {
        self.salt(self.role)
    }

    /// The master key for what we receive.
    pub fn remote_key(&self) -> &[u8] {
        self.key(self.role.other())
    }

    /// The master salt for what we receive.
    pub fn remote_salt(&self) -> &[u8] {
        self.salt(self.role.other())
    }

    // RFC 5764 §4.2: "client_write_SRTP_master_key[SRTPSecurityParams.master_key_len];
    // server_write_SRTP_master_key[…]; client_write_SRTP_master_salt[…]; server_write_SRTP_master_salt[…];"
    fn key(&self, writer: Role) -> &[u8] {
        self.part(0, self.profile.key_len(), writer)
    }

    fn salt(&self, writer: Role) -> &[u8] {
        self.part(2 * self.profile.key_len(), self.profile.salt_len(), writer)
    }

    fn part(&self, start: usize, len: usize, writer: Role) -> &[u8] {
        let start = match writer {
            Role::Client => start,
            Role::Server => start + len,
        };
        self.material.get(start..start + len).unwrap_or_default()
    }
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_take_the_same_keys_from_opposite_ends() {
        for &profile in SrtpProfile::ALL {
            let material: Vec<u8> = (0..).take(profile.keying_material_len()).collect();
            let [client, server] =
                [Role::Client, Role::Server].map(|role| SrtpKeys::new(profile, role, material.clone()));
            let order = [client.local_key(), server.local_key(), client.local_salt(), server.local_salt()].concat();
            assert_eq!(order, material, "RFC 5764 §4.2");
            assert_eq!((client.remote_key(), client.remote_salt()), (server.local_key(), server.local_salt()));
            assert_eq!((server.remote_key(), server.remote_salt()), (client.local_key(), client.local_salt()));
        }
    }

    /// RFC 5764 §4.1.2: "SRTP_AES128_CM_HMAC_SHA1_80 = {0x00, 0x01}; SRTP_AES128_CM_HMAC_SHA1_32 = {0x00, 0x02};", and RFC 7714 §14.2.
    #[test]
    fn numbers_are_those_of_the_registry_and_the_short_tag_is_nobodys_default() {
        assert_eq!(SrtpProfile::ALL.iter().map(|profile| profile.wire()).collect::<Vec<_>>(), [7, 8, 1, 2]);
        assert_eq!(SrtpProfile::DEFAULT.iter().map(|profile| profile.wire()).collect::<Vec<_>>(), [7, 8, 1]);
    }

    #[test]
    fn tells_nothing_when_printed() {
        let keys = SrtpKeys::new(SrtpProfile::AeadAes128Gcm, Role::Client, vec![0xAB; 56]);
        assert_eq!(format!("{keys:?}"), "SrtpKeys { profile: AeadAes128Gcm, .. }");
    }
}
