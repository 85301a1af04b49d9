//! The state cookie (RFC 9260 §5.1.3): all that is known of a peer who sent an INIT, so that nothing needs to be kept.
//! It holds numbers only, and a MAC.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::chunk::Init;
use crate::crypto::{CookieKey, MAC_LEN};
use crate::parameter::Extensions;
use crate::wire::{Reader, put_u16, put_u32, put_u64};
use std::time::Duration;

/// RFC 9260 §16: Valid.Cookie.Life.
pub(crate) const COOKIE_LIFE: Duration = Duration::from_secs(60);
pub(crate) const COOKIE_LEN: usize = 8 + 4 * 4 + 4 + 16 + 1 + MAC_LEN;

/// What an INIT ACK promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// Milliseconds since the association was first told a time.
    pub(crate) created_ms: u64,
    pub(crate) local_tag: u32,
    pub(crate) local_tsn: u32,
    /// Tags of the association that existed when the INIT came: ours and the peer's; 0 if there was none.
    pub(crate) tie_tags: (u32, u32),
    pub(crate) ports: (u16, u16),
    pub(crate) init: Init,
    pub(crate) extensions: Extensions,
}

impl Cookie {
    pub(crate) fn write(&self, key: &CookieKey, out: &mut Vec<u8>) {
        let start = out.len();
        put_u64(self.created_ms, out);
        put_u32(self.local_tag, out);
        put_u32(self.local_tsn, out);
        put_u32(self.tie_tags.0, out);
        put_u32(self.tie_tags.1, out);
        put_u16(self.ports.0, out);
        put_u16(self.ports.1, out);
        self.init.write_fields(out);
        out.push(self.extensions.bits());
        let mac = key.sign(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&mac);
    }

    /// `None`: we have not made it.
    pub(crate) fn open(bytes: &[u8], key: &CookieKey) -> Option<Self> {
        let (fields, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        if !key.verify(fields, mac) {
            return None;
        }
        let mut reader = Reader::new(fields);
        let cookie = Self {
            created_ms: reader.u64()?,
            local_tag: reader.u32()?,
            local_tsn: reader.u32()?,
            tie_tags: (reader.u32()?, reader.u32()?),
            ports: (reader.u16()?, reader.u16()?),
            init: Init {
                initiate_tag: reader.u32()?,
                a_rwnd: reader.u32()?,
                outbound_streams: reader.u16()?,
                inbound_streams: reader.u16()?,
                initial_tsn: reader.u32()?,
            },
            extensions: Extensions::from_bits(reader.u8()?),
        };
        reader.is_empty().then_some(cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Seed;

    #[test]
    fn a_cookie_opens_with_its_key_only_and_with_every_bit_as_it_was() {
        let init = Init { initiate_tag: 1, a_rwnd: 2, outbound_streams: 3, inbound_streams: 4, initial_tsn: 5 };
        let extensions = Extensions { has_forward_tsn: true, has_interleaving: true, ..Extensions::default() };
        let cookie =
            Cookie { created_ms: 6, local_tag: 7, local_tsn: 8, tie_tags: (9, 10), ports: (11, 12), init, extensions };
        let key = CookieKey::new(Seed::for_test(1));
        let mut bytes = Vec::new();
        cookie.write(&key, &mut bytes);
        assert_eq!(bytes.len(), COOKIE_LEN);
        assert_eq!(Cookie::open(&bytes, &key), Some(cookie));
        assert_eq!(Cookie::open(&bytes, &CookieKey::new(Seed::for_test(2))), None);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Cookie::open(&bytes, &key), None);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!((0..bytes.len()).all(|len| Cookie::open(&bytes[..len], &key).is_none()));
    }
}
