//! RTCP packets (RFC 3711 §3.4, RFC 7714 §9).

use crate::context::{Refused, SOURCES_MAX};
use crate::crypto::{Cipher, Portions, Position, Trailer};
use crate::{Error, Profile};
use wigwag_sansio::{Replay, ReplayWindow};

/// The part of a compound that is not encrypted: the first packet's header and source.
const HEADER_LEN: usize = 8;
const INDEX_LEN: usize = 4;
/// So many sources find room from the beginning.
const SOURCES_EXPECTED: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Seals compounds.
pub(crate) struct Sealer {
    profile: Profile,
    cipher: Cipher,
    /// One for all sources: it never repeats under the key, whatever they do.
    // RFC 3711 §3.4: "The SRTCP index MUST be set to zero before the first SRTCP packet is sent, and MUST be incremented
    // by one, modulo 2^31, after each SRTCP packet is sent." It is not taken modulo 2^31, for §9.2 ends the key's life there.
    next_index: u32,
}

impl Sealer {
    pub(crate) const fn new(profile: Profile, cipher: Cipher) -> Self {
        Self { profile, cipher, next_index: 0 }
    }

    /// Seals the compound that lies from `start` on.
    pub(crate) fn seal(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), Refused> {
        if self.next_index >= ENCRYPTED {
            return Err(Refused::Exhausted);
        }
        let packet = out.get_mut(start..).ok_or(Refused::Malformed)?;
        let ssrc = source(packet).ok_or(Refused::Malformed)?;
        let (header, body) = packet.split_at_mut_checked(HEADER_LEN).ok_or(Refused::Malformed)?;
        let word = (ENCRYPTED | self.next_index).to_be_bytes();
        let position = Position { ssrc, index: u64::from(self.next_index) };
        let portions = Portions { header, body, csrcs_len: 0 };
        let tag = self.cipher.seal(position, portions, Trailer::RtcpIndex(word)).ok_or(Refused::Malformed)?;
        match self.profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => {
                out.extend_from_slice(&word);
                out.extend_from_slice(tag.as_bytes());
            }
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                out.extend_from_slice(tag.as_bytes());
                out.extend_from_slice(&word);
            }
        }
        self.next_index += 1;
        Ok(())
    }
}

/// Opens compounds.
pub(crate) struct Opener {
    profile: Profile,
    cipher: Cipher,
    /// By their names.
    sources: Vec<(u32, ReplayWindow)>,
}

impl Opener {
    pub(crate) fn new(profile: Profile, cipher: Cipher) -> Self {
        // A first report comes in the midst of media.
        Self { profile, cipher, sources: Vec::with_capacity(SOURCES_EXPECTED) }
    }

    /// How many bytes of `packet` are the opened compound.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let len = packet.len().checked_sub(self.profile.rtcp_overhead()).ok_or(Error::Malformed)?;
        let (packet, trailer) = packet.split_at_mut_checked(len).ok_or(Error::Malformed)?;
        let (word, tag) = self.split_trailer(trailer).ok_or(Error::Malformed)?;
        let ssrc = source(packet).ok_or(Error::Malformed)?;
        let (header, body) = packet.split_at_mut_checked(HEADER_LEN).ok_or(Error::Malformed)?;
        let index = u32::from_be_bytes(word);
        // RFC 8827 §6.5: media is always encrypted, so the E bit is always 1.
        if index & ENCRYPTED == 0 {
            return Err(Error::Unencrypted);
        }
        let index = u64::from(index & !ENCRYPTED);
        let place = self.sources.binary_search_by_key(&ssrc, |(source, _)| *source);
        match place.ok().and_then(|place| self.sources.get(place)).map(|(_, window)| window.check(index)) {
            Some(Replay::Fresh) => {}
            Some(Replay::Duplicate) => return Err(Error::Replayed),
            Some(Replay::TooOld) => return Err(Error::TooOld),
            // Before it is opened: what is refused is left as it was, and costs nothing.
            None if self.sources.len() >= SOURCES_MAX => return Err(Error::TooManySources),
            None => {}
        }
        let portions = Portions { header, body, csrcs_len: 0 };
        if !self.cipher.open(Position { ssrc, index }, portions, Trailer::RtcpIndex(word), tag) {
            return Err(Error::Unauthentic);
        }
        let place = place.unwrap_or_else(|place| {
            self.sources.insert(place, (ssrc, ReplayWindow::default()));
            place
        });
        if let Some((_, window)) = self.sources.get_mut(place) {
            window.accept(index);
        }
        Ok(len)
    }

    /// The word with the E bit and the index, and the tag.
    fn split_trailer<'a>(&self, trailer: &'a [u8]) -> Option<([u8; INDEX_LEN], &'a [u8])> {
        match self.profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => {
                trailer.split_first_chunk().map(|(word, tag)| (*word, tag))
            }
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                trailer.split_last_chunk().map(|(tag, word)| (*word, tag))
            }
        }
    }
}

/// The source of the first packet; `None` if this is not version 2 or too short.
fn source(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, ssrc @ ..] = packet.first_chunk::<HEADER_LEN>()?;
    (first >> 6 == 2).then(|| u32::from_be_bytes(*ssrc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::MasterKey;
    use crate::key_derivation;

    /// Row 14 of docs/security.md: 31 bits, and then no more under this key (RFC 3711 §9.2).
    #[test]
    fn no_index_is_used_twice_and_the_last_is_the_last() {
        for profile in Profile::ALL.iter().copied() {
            let master = MasterKey { key: &[7; 32][..profile.key_len()], salt: &[8; 14][..profile.salt_len()] };
            let (_, cipher) = key_derivation::ciphers(profile, master).expect("keys of the right length");
            let mut sealer = Sealer::new(profile, cipher);
            let mut seal = |next_index: Option<u32>| {
                sealer.next_index = next_index.unwrap_or(sealer.next_index);
                let mut out = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
                sealer.seal(&mut out, 0).map(|()| out)
            };
            assert_ne!(seal(None), seal(None), "the same compound, under another index");
            assert!(seal(Some(ENCRYPTED - 1)).is_ok());
            assert_eq!(seal(None), Err(Refused::Exhausted));
        }
    }
}
