//! Messages as fast as they are taken, each byte of them known to a hash.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use wigwag::{ChannelId, PeerConnection, SendError};
use wigwag_sansio::{Rng, Seed};

/// Messages have 16 to 64 KB, in turn.
const MESSAGE_LENS: [usize; 4] = [16 << 10, 64 << 10, 32 << 10, 48 << 10];
/// What messages are cut from, at places that do not repeat soon: a message that is lost, doubled or out of order
/// changes the sum.
const POOL_LEN: usize = 1 << 20;
const STEP: usize = 65_537;
/// How many messages are made in one turn of the loop, so that sockets and timers have theirs.
const MESSAGES_PER_TURN: usize = 64;

/// The sum and the number of all bytes of one direction, at one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

#[derive(Default)]
pub(super) struct Summing {
    pub(super) bytes: u64,
    hash: Sha256,
}

impl Summing {
    pub(super) fn add(&mut self, message: &[u8]) {
        self.bytes += message.len() as u64;
        self.hash.update(message);
    }

    pub(super) fn sum(&self) -> Sum {
        let sha256 = self.hash.clone().finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Sum { bytes: self.bytes, sha256 }
    }
}

/// Makes messages until it is told to stop.
pub(super) struct Source {
    pool: Bytes,
    next: usize,
    /// A message that was refused, to be sent before any other.
    refused: Option<Bytes>,
    is_blocked: bool,
    pub(super) sent: Summing,
}

impl Source {
    pub(super) fn new(seed: Seed) -> Self {
        // As much again at the end as a message may have.
        let mut pool = vec![0; POOL_LEN + MESSAGE_LENS.into_iter().max().unwrap_or_default()];
        Rng::new(seed).fill(&mut pool);
        Self { pool: pool.into(), next: 0, refused: None, is_blocked: false, sent: Summing::default() }
    }

    /// There is room again.
    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Whether more would be sent at once.
    pub(super) const fn may_send(&self) -> bool {
        !self.is_blocked
    }

    /// Sends until the channel is full, or for a turn.
    pub(super) fn send(&mut self, connection: &mut PeerConnection, channel: ChannelId) -> Result<(), SendError> {
        for _ in 0..MESSAGES_PER_TURN {
            if self.is_blocked {
                break;
            }
            let message = self.refused.take().unwrap_or_else(|| self.make());
            match connection.send(channel, message.clone(), true) {
                Ok(()) => self.sent.add(&message),
                Err(SendError::Full(message)) => {
                    self.refused = Some(message);
                    self.is_blocked = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn make(&mut self) -> Bytes {
        let start = self.next.wrapping_mul(STEP) % POOL_LEN;
        let len = MESSAGE_LENS.iter().cycle().nth(self.next % MESSAGE_LENS.len()).copied().unwrap_or_default();
        self.next = self.next.wrapping_add(1);
        self.pool.slice(start..start + len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_16_to_64_kilobytes_and_differ() {
        let mut source = Source::new(Seed::for_test(1));
        let messages: Vec<_> = (0..40).map(|_| source.make()).collect();
        assert!(messages.iter().all(|message| (16 << 10..=64 << 10).contains(&message.len())));
        for (number, message) in messages.iter().enumerate() {
            assert!(messages.iter().skip(number + 1).all(|other| other != message));
        }
    }

    /// FIPS 180-4, "abc".
    #[test]
    fn the_sum_is_that_of_all_messages_together() {
        let mut summing = Summing::default();
        for part in [b"a".as_slice(), b"", b"bc"] {
            summing.add(part);
        }
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(summing.sum(), Sum { bytes: 3, sha256 });
    }
}
