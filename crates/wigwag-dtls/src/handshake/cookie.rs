//! Cookies, with which a client shows that it receives where it sends from (RFC 6347 §4.2.1, RFC 9147 §5.1).

use crate::crypto::{self, hash};
use crate::message::ClientHello;
use std::fmt;
use std::sync::Arc;
use wigwag_sansio::{Rng, Seed};
use zeroize::Zeroizing;

/// A cookie: HMAC-SHA256.
pub(crate) type Cookie = [u8; 32];
type Key = Zeroizing<[u8; 32]>;

/// What a server makes its cookies with: one for all clients, so that nothing is kept of any of them.
///
/// RFC 6347 §4.2.1 wants it changed often, lest cookies be collected at many addresses and used together.
pub struct CookieSecret {
    current: Key,
    previous: Option<Key>,
}

impl CookieSecret {
    /// A new secret.
    pub fn new(seed: Seed) -> Self {
        Self { current: Zeroizing::new(Rng::new(seed).bytes()), previous: None }
    }

    /// The secret after this one: it takes the cookies of this one still, but not of the one before.
    #[must_use]
    pub fn succeeded_by(&self, seed: Seed) -> Self {
        Self { previous: Some(self.current.clone()), ..Self::new(seed) }
    }
}

impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecret(…)")
    }
}

/// That a server asks its client for a cookie first, and keeps nothing of it until it has brought one.
#[derive(Clone, Debug)]
pub struct CookieExchange {
    secret: Arc<CookieSecret>,
    client_address: Vec<u8>,
}

impl CookieExchange {
    /// `client_address` is what the cookie is bound to: address and port of the client, in any form that is always the
    /// same.
    pub const fn new(secret: Arc<CookieSecret>, client_address: Vec<u8>) -> Self {
        Self { secret, client_address }
    }

    /// The cookie for this ClientHello.
    pub(crate) fn cookie(&self, hello: &ClientHello<'_>) -> Cookie {
        self.cookie_with(&self.secret.current, hello)
    }

    /// Whether it brings its cookie.
    pub(crate) fn verify(&self, hello: &ClientHello<'_>) -> bool {
        let keys = [Some(&self.secret.current), self.secret.previous.as_ref()];
        keys.into_iter().flatten().any(|key| crypto::equal(hello.cookie, &self.cookie_with(key, hello)))
    }

    /// Of anything that is bound to the client's address.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Cookie {
        self.mac_with(&self.secret.current, parts)
    }

    /// Whether we made it, not long ago.
    pub(crate) fn verify_mac(&self, parts: &[&[u8]], mac: &Cookie) -> bool {
        let keys = [Some(&self.secret.current), self.secret.previous.as_ref()];
        keys.into_iter().flatten().any(|key| crypto::equal(mac, &self.mac_with(key, parts)))
    }

    fn mac_with(&self, key: &Key, parts: &[&[u8]]) -> Cookie {
        // Never what a cookie of 1.2 is made of: that begins with its address, whose length is not the greatest.
        let mut all = vec![&[0xFF; 8][..]];
        let lens: Vec<_> =
            parts.iter().chain([&&self.client_address[..]]).map(|part| (part.len() as u64).to_be_bytes()).collect();
        for (len, part) in lens.iter().zip(parts.iter().chain([&&self.client_address[..]])) {
            all.extend([&len[..], part]);
        }
        hash::hmac_sha256(key, &all)
    }

    // RFC 6347 §4.2.1: "The server SHOULD use those values in generating its cookie and verify that they are correct upon
    // cookie receipt." Those are version, random, session_id, cipher_suites and compression_method.
    fn cookie_with(&self, key: &Key, hello: &ClientHello<'_>) -> Cookie {
        let mut parameters = Vec::new();
        ClientHello { cookie: &[], ..hello.clone() }.encode_parameters(&mut parameters);
        let address_len = (self.client_address.len() as u64).to_be_bytes();
        hash::hmac_sha256(key, &[&address_len, &self.client_address, &parameters])
    }
}
