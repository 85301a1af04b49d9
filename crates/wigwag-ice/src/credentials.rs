//! Who the agents are to each other (RFC 8445 §5.3).

use std::fmt;
use wigwag_sansio::Rng;
use wigwag_stun::IntegrityKey;
use zeroize::Zeroize;

/// 6 bits each: 48 bits, of the 24 demanded.
const UFRAG_LEN: usize = 8;
/// 6 bits each: 144 bits, of the 128 demanded.
const PASSWORD_LEN: usize = 24;
/// RFC 8839 §5.1: "ice-char = ALPHA / DIGIT / "+" / "/""
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A username fragment and a password. Wiped when dropped; the password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the agent in USERNAME: 4 to 256 letters, digits, `+` and `/`.
    pub ufrag: String,
    /// Authenticates messages: 22 to 256 letters, digits, `+` and `/`.
    pub password: String,
}

impl Credentials {
    /// New ones that nobody can guess.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self { ufrag: ice_chars::<UFRAG_LEN>(rng), password: ice_chars::<PASSWORD_LEN>(rng) }
    }
}

fn ice_chars<const N: usize>(rng: &mut Rng) -> String {
    let mut bytes: [u8; N] = rng.bytes();
    let text = bytes.iter().filter_map(|byte| ICE_CHARS.get(usize::from(byte & 63))).map(|c| char::from(*c)).collect();
    bytes.zeroize();
    text
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.ufrag.zeroize();
        self.password.zeroize();
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// The credentials of one side, with what is computed from them once.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
}

impl Identity {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { key: IntegrityKey::short_term(&credentials.password), credentials }
    }
}

/// The peer, and what our checks call it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) identity: Identity,
    /// RFC 8445 §7.2.2: "The username for the credential is formed by concatenating the username fragment provided by
    /// the peer with the username fragment of the ICE agent sending the request, separated by a colon (":")."
    pub(crate) username: String,
}

impl Peer {
    pub(crate) fn new(remote: Credentials, local: &Credentials) -> Self {
        Self { username: format!("{}:{}", remote.ufrag, local.ufrag), identity: Identity::new(remote) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use wigwag_sansio::Seed;

    #[test]
    fn random_credentials_are_long_enough_and_of_ice_chars() {
        let mut seen = BTreeSet::new();
        for seed in 0..1000 {
            let credentials = Credentials::random(&mut Rng::new(Seed::for_test(seed)));
            assert!(credentials.ufrag.len() * 6 >= 24 && credentials.password.len() * 6 >= 128);
            let mut chars = credentials.ufrag.bytes().chain(credentials.password.bytes());
            assert!(chars.all(|c| ICE_CHARS.contains(&c)));
            assert!(seen.insert(credentials.ufrag.clone()) && seen.insert(credentials.password.clone()));
        }
    }

    #[test]
    fn the_password_is_not_printed() {
        let credentials = Credentials { ufrag: "abcd".into(), password: "secret".into() };
        assert_eq!(format!("{credentials:?}"), "Credentials { ufrag: \"abcd\", .. }");
    }
}
