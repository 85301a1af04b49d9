//! Messages as fast as they are taken, each byte of them part of a sum.

use super::sum::Summing;
use bytes::Bytes;
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
    pub(super) fn new(seed: Seed, sent: Summing) -> Self {
        // As much again at the end as a message may have.
        let mut pool = vec![0; POOL_LEN + MESSAGE_LENS.into_iter().max().unwrap_or_default()];
        Rng::new(seed).fill(&mut pool);
        Self { pool: pool.into(), next: 0, refused: None, is_blocked: false, sent }
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
                Ok(()) => self.sent.add(message),
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
        let mut source = Source::new(Seed::for_test(1), Summing::start().unwrap());
        let messages: Vec<_> = (0..40).map(|_| source.make()).collect();
        assert!(messages.iter().all(|message| (16 << 10..=64 << 10).contains(&message.len())));
        for (number, message) in messages.iter().enumerate() {
            assert!(messages.iter().skip(number + 1).all(|other| other != message));
        }
    }
}
