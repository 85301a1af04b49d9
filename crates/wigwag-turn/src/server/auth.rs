//! Who asks: long-term credentials (RFC 8489 §9.2), and nonces that nobody has to remember.

use super::refusal::Refusal;
use super::{FiveTuple, quota};
use crate::base64;
use crate::config::{Users, password_of};
use std::time::{Duration, Instant};
use wigwag_sansio::Rng;
use wigwag_stun::{IntegrityKey, Message};

const TIME_LEN: usize = 3;
/// As many bytes as make 20 digits: see [`REALM_LEN_MAX`](crate::REALM_LEN_MAX).
const NONCE_LEN: usize = 15;

// RFC 8489 §9.2.4: "The server MUST NOT choose the same NONCE for two requests unless they have the same source IP address and port."
/// Makes nonces and knows them again: a time, and a tag of it and of whom it was given to. They are no state, whoever asks for one gets
/// one, and one that was overheard is of use at that address alone.
#[derive(Debug)]
pub(super) struct Nonces {
    key: IntegrityKey,
    lifetime: Duration,
    /// When the first was made.
    start: Option<Instant>,
}

impl Nonces {
    pub(super) fn new(rng: &mut Rng, lifetime: Duration) -> Self {
        Self { key: IntegrityKey::from_bytes(&rng.bytes::<32>()), lifetime, start: None }
    }

    /// One that is good from now on, for who is there.
    pub(super) fn make(&mut self, whose: &FiveTuple, now: Instant) -> String {
        let seconds = self.seconds(now);
        let tag = self.key.tag(&covered(whose, seconds));
        let time = seconds.to_be_bytes().into_iter().skip(8 - TIME_LEN);
        let bytes: Vec<u8> = time.chain(tag).take(NONCE_LEN).collect();
        base64::encode(&bytes, false)
    }

    /// Whether it is one of ours for who is there, and not too old.
    pub(super) fn is_good(&mut self, nonce: &[u8], whose: &FiveTuple, now: Instant) -> bool {
        let Some(bytes) = base64::decode::<NONCE_LEN>(nonce) else { return false };
        let ([a, b, c], tag) = match bytes.split_first_chunk::<TIME_LEN>() {
            Some((time, tag)) => (*time, tag),
            None => return false,
        };
        // The time is told by its last three bytes: the latest such time that is over.
        let (now, low) = (self.seconds(now), u64::from(u32::from_be_bytes([0, a, b, c])));
        let age = now.wrapping_sub(low) & 0x00FF_FFFF;
        let made = now.checked_sub(age);
        made.is_some_and(|made| age <= self.lifetime.as_secs() && self.key.has_made(tag, &covered(whose, made)))
    }

    fn seconds(&mut self, now: Instant) -> u64 {
        now.saturating_duration_since(*self.start.get_or_insert(now)).as_secs()
    }
}

fn covered(whose: &FiveTuple, seconds: u64) -> Vec<u8> {
    format!("{seconds} {:?} {} {}", whose.protocol, whose.local, whose.remote).into_bytes()
}

/// Whoever has shown that they know a password.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) username: String,
    pub(super) key: IntegrityKey,
}

impl Known {
    /// Whose allocations are counted together.
    pub(super) fn account(&self) -> &str {
        quota::account(&self.username)
    }
}

impl Users {
    /// Who has signed a message, if it is one of them.
    pub(super) fn signer(&self, message: &Message<'_>, username: &str, now: Instant) -> Option<Known> {
        let known = |key: &IntegrityKey| Known { username: username.to_owned(), key: key.clone() };
        if let Some(key) = self.named.get(username) {
            return message.is_authentic(key).then(|| known(key));
        }
        if !self.is_in_time(username, now) {
            return None;
        }
        let keys = self.secrets.iter().map(|secret| {
            let password = password_of(secret, username);
            IntegrityKey::long_term(username, &self.realm, &password)
        });
        keys.into_iter().find(|key| message.is_authentic(key)).map(|key| known(&key))
    }

    /// Whether a name says that it is good for some time yet.
    fn is_in_time(&self, username: &str, now: Instant) -> bool {
        let until = username.split(':').next().filter(|until| until.bytes().all(|byte| byte.is_ascii_digit()));
        let until = until.and_then(|until| until.parse().ok()).map(Duration::from_secs);
        until.zip(self.clock).is_some_and(|(until, clock)| clock.unix_time(now) < until)
    }
}

/// What a request that is to be believed shows (RFC 8489 §9.2.4).
pub(super) struct Shown<'a> {
    pub(super) username: &'a str,
    pub(super) nonce: &'a [u8],
}

impl<'a> Shown<'a> {
    pub(super) fn read(message: &Message<'a>, realm: &str) -> Result<Self, Refusal> {
        if !message.has_integrity() {
            return Err(Refusal::UNAUTHENTICATED);
        }
        let attributes = &message.attributes;
        let (Some(username), Some(asked), Some(nonce)) = (attributes.username, attributes.realm, attributes.nonce)
        else {
            return Err(Refusal::BAD_REQUEST);
        };
        if asked != realm {
            return Err(Refusal::UNAUTHENTICATED);
        }
        Ok(Self { username, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::{Protocol, Seed};

    const HOUR: Duration = Duration::from_secs(3600);

    fn nonces(seed: u64) -> Nonces {
        Nonces::new(&mut Rng::new(Seed::for_test(seed)), HOUR)
    }

    fn whose(port: u16) -> FiveTuple {
        let (local, remote) = (([10, 0, 0, 2], 3478).into(), ([10, 0, 0, 1], port).into());
        FiveTuple { protocol: Protocol::Udp, local, remote }
    }

    #[test]
    fn a_nonce_is_good_for_an_hour_and_for_whom_it_was_made() {
        let (mut ours, start) = (nonces(1), wigwag_sim::origin());
        let nonce = ours.make(&whose(1000), start);
        assert_eq!(nonce.len(), 20);
        for (whose, after, is_good) in [
            (whose(1000), Duration::ZERO, true),
            (whose(1000), HOUR, true),
            (whose(1000), HOUR + Duration::from_secs(1), false),
            (whose(1001), Duration::ZERO, false),
            (FiveTuple { protocol: Protocol::Tcp, ..whose(1000) }, Duration::ZERO, false),
            (FiveTuple { local: whose(1000).remote, ..whose(1000) }, Duration::ZERO, false),
        ] {
            assert_eq!(ours.is_good(nonce.as_bytes(), &whose, start + after), is_good, "{whose:?} {after:?}");
        }
        assert!(!nonces(2).is_good(nonce.as_bytes(), &whose(1000), start), "another server's");
    }

    #[test]
    fn no_digit_of_a_nonce_can_be_another() {
        let (mut ours, start) = (nonces(1), wigwag_sim::origin());
        ours.make(&whose(1000), start);
        let now = start + HOUR / 2;
        let nonce = ours.make(&whose(1000), now).into_bytes();
        for at in 0..nonce.len() {
            for digit in [b'A', b'B', b'/', b'=', 0, 0xFF] {
                let mut other = nonce.clone();
                other[at] = digit;
                assert_eq!(ours.is_good(&other, &whose(1000), now), other == nonce);
            }
            assert!(!ours.is_good(&nonce[..at], &whose(1000), now));
        }
    }

    /// The time comes round after half a year, and the tag with it does not.
    #[test]
    fn an_old_nonce_is_never_good_again() {
        let (mut ours, start) = (nonces(1), wigwag_sim::origin());
        let nonce = ours.make(&whose(1000), start);
        let round = Duration::from_secs(1 << 24);
        for late in [round, round + HOUR / 2, 2 * round] {
            assert!(!ours.is_good(nonce.as_bytes(), &whose(1000), start + late));
        }
        let late = ours.make(&whose(1000), start + round);
        assert!(ours.is_good(late.as_bytes(), &whose(1000), start + round) && late != nonce);
    }
}
