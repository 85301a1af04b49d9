//! rtc-srtp.

use super::{KEY, SALT, Srtp};
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use std::hint::black_box;
use std::sync::Arc;
use wigwag_srtp::Profile;

pub(super) const NAME: &str = "rtc-srtp, aws-lc-rs";

pub(super) struct Ends {
    context: Context,
    other: Context,
}

impl Ends {
    pub(super) fn new(profile: Profile) -> Self {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::default());
        let (theirs, salt) = match profile {
            Profile::AeadAes128Gcm => (ProtectionProfile::AeadAes128Gcm, &SALT[..12]),
            _ => (ProtectionProfile::Aes128CmHmacSha1_80, &SALT[..]),
        };
        let context = || Context::new(&KEY, salt, theirs, None, None, provider.crypto()).expect("keys");
        Self { context: context(), other: context() }
    }
}

impl Srtp for Ends {
    fn carry(&mut self, packet: &[u8], opens: bool) {
        let sealed = self.context.encrypt_rtp(packet).expect("a packet");
        if opens {
            black_box(self.other.decrypt_rtp(&sealed).expect("a packet"));
        }
        black_box(sealed);
    }
}
