//! Session keys from a master key (RFC 3711 §4.3, RFC 7714 §11), without re-derivation.

use crate::crypto::{Cipher, SessionKeys, keystream};
use crate::{Error, MasterKey, Profile};
use zeroize::Zeroizing;

/// HMAC-SHA1's key.
const AUTHENTICATION_KEY_LEN: usize = 20;

/// What a session key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy)]
enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The ciphers for RTP and for RTCP of one direction.
pub(crate) fn ciphers(profile: Profile, master: MasterKey<'_>) -> Result<(Cipher, Cipher), Error> {
    if master.key.len() != profile.key_len() || master.salt.len() != profile.salt_len() {
        return Err(Error::KeyLength);
    }
    let cipher = |encryption, authentication, salt, tag_len| {
        let keys = SessionKeys {
            encryption: derive(master, encryption, profile.key_len())?,
            authentication: derive(master, authentication, AUTHENTICATION_KEY_LEN)?,
            salt: derive(master, salt, profile.salt_len())?,
        };
        Cipher::new(profile, &keys, tag_len)
    };
    let rtp = cipher(Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt, profile.rtp_overhead());
    let rtcp = cipher(Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt, profile.rtcp_tag_len());
    rtp.zip(rtcp).ok_or(Error::KeyLength)
}

// RFC 3711 §4.3.1: "Let x = key_id XOR master_salt, where key_id and master_salt are aligned so that their least
// significant bits agree"; key_id is the label and 48 bits that are 0, as keys are never derived again. §4.3.3: the key is
// the master key's keystream from x * 2^16 on, of AES-256 if the master key is as long (RFC 6188 §3, RFC 7714 §11). RFC 7714
// §11: a salt of 96 bits is filled with zeros at its end.
fn derive(master: MasterKey<'_>, label: Label, len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut salt = Zeroizing::new([0; 16]);
    for (byte, master) in salt.iter_mut().zip(master.salt) {
        *byte = *master;
    }
    let counter = u128::from_be_bytes(*salt) ^ (label as u128) << 64;
    let mut key = Zeroizing::new(vec![0; len]);
    keystream(master.key, counter.to_be_bytes(), &mut key).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 B.3.
    #[test]
    fn derives_the_keys_of_rfc_3711() {
        let master = MasterKey {
            key: &0xE1F9_7A0D_3E01_8BE0_D64F_A32C_06DE_4139u128.to_be_bytes(),
            salt: &0x0EC6_75AD_498A_FEEB_B696_0B3A_ABE6u128.to_be_bytes()[2..],
        };
        let derived = |label, len| derive(master, label, len).expect("the key is 16 bytes long").to_vec();
        assert_eq!(derived(Label::RtpEncryption, 16), 0xC61E_7A93_744F_39EE_1073_4AFE_3FF7_A087u128.to_be_bytes());
        assert_eq!(derived(Label::RtpSalt, 14), 0x30CB_BC08_863D_8C85_D49D_B34A_9AE1u128.to_be_bytes()[2..]);
        assert_eq!(
            derived(Label::RtpAuthentication, 94)[..32],
            [
                0xCEBE_321F_6FF7_716B_6FD4_AB49_AF25_6A15u128.to_be_bytes(),
                0x6D38_BAA4_8F0A_0ACF_3C34_E235_9E6C_DBCEu128.to_be_bytes()
            ]
            .concat()
        );
    }

    /// RFC 6188 §7.2.
    #[test]
    fn derives_the_keys_of_rfc_6188() {
        let master = MasterKey {
            key: &[
                0xF0F0_4914_B513_F276_3A1B_1FA1_30F1_0E29u128.to_be_bytes(),
                0x98F6_F6E4_3E43_09D1_E622_A0E3_32B9_F1B6u128.to_be_bytes(),
            ]
            .concat(),
            salt: &0x3B04_803D_E51E_E7C9_6423_AB5B_78D2u128.to_be_bytes()[2..],
        };
        let derived = |label, len| derive(master, label, len).expect("the key is 32 bytes long").to_vec();
        assert_eq!(
            derived(Label::RtpEncryption, 32),
            [
                0x5BA1_064E_30EC_5161_3CAD_926C_5A28_EF73u128.to_be_bytes(),
                0x1EC7_FB39_7F70_A960_653C_AF06_554C_D8C4u128.to_be_bytes()
            ]
            .concat()
        );
        assert_eq!(derived(Label::RtpSalt, 14), 0xFA31_7916_85CA_444A_9E07_C6C6_4E93u128.to_be_bytes()[2..]);
        assert_eq!(
            derived(Label::RtpAuthentication, 20)[..16],
            0xFD9C_32D3_9ED5_FBB5_A9DC_96B3_0818_454Du128.to_be_bytes()
        );
    }
}
