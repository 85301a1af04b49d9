//! Numbers for peers (RFC 8656 §12).

use crate::channel_data::NUMBERS;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

// RFC 8656 §12: "A channel binding lasts for 10 minutes unless refreshed."
const LIFETIME: Duration = Duration::from_secs(600);
/// So many an allocation has at most.
pub(super) const CHANNELS_MAX: usize = 128;

/// The channels of one allocation: each number is one peer's, each peer has one number. Those that have expired are there until they are
/// in the way, and are bound to nobody.
#[derive(Debug, Default)]
pub(super) struct Channels {
    peers: BTreeMap<u16, (SocketAddr, Option<Instant>)>,
    numbers: BTreeMap<SocketAddr, u16>,
}

impl Channels {
    /// Whether a number may be bound to a peer, or is.
    pub(super) fn may_bind(&self, number: u16, peer: SocketAddr, now: Instant) -> bool {
        // RFC 8656 §12: "Thus, the same channel cannot be bound to two different transport addresses, nor can the same transport address be
        // bound to two different channels."
        NUMBERS.contains(&number)
            && self.peer_of(number, now).is_none_or(|other| other == peer)
            && self.number_of(peer, now).is_none_or(|other| other == number)
    }

    /// Binds what may be bound, or keeps it bound, if there is room.
    #[must_use]
    pub(super) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) -> bool {
        debug_assert!(self.may_bind(number, peer, now));
        if self.peer_of(number, now).is_none() && self.peers.len() >= CHANNELS_MAX {
            self.forget(|until| until <= now);
            if self.peers.len() >= CHANNELS_MAX {
                return false;
            }
        }
        // What is left of bindings that have expired.
        let before = self.numbers.get(&peer).copied();
        before.into_iter().for_each(|number| _ = self.peers.remove(&number));
        let before = self.peers.insert(number, (peer, now.checked_add(LIFETIME)));
        before.into_iter().for_each(|(peer, _)| _ = self.numbers.remove(&peer));
        self.numbers.insert(peer, number);
        true
    }

    /// Whom a number is bound to.
    pub(super) fn peer_of(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        let (peer, until) = self.peers.get(&number)?;
        until.is_none_or(|until| until > now).then_some(*peer)
    }

    /// Which number is bound to a peer.
    pub(super) fn number_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let number = self.numbers.get(&peer)?;
        self.peer_of(*number, now).map(|_| *number)
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    fn forget(&mut self, is_over: impl Fn(Instant) -> bool) {
        self.peers.retain(|_, (_, until)| !until.is_some_and(&is_over));
        let peers = &self.peers;
        self.numbers.retain(|_, number| peers.contains_key(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u16) -> SocketAddr {
        ([192, 0, 2, 1], n).into()
    }

    #[test]
    fn a_number_is_one_peers_and_a_peer_has_one_number() {
        let (mut channels, now) = (Channels::default(), wigwag_sim::origin());
        for (number, port, bound) in [
            (0x4000, 1, true),
            (0x4000, 1, true),
            (0x4000, 2, false),
            (0x4001, 1, false),
            (0x4FFF, 2, true),
            (0x3FFF, 3, false),
            (0x5000, 3, false),
        ] {
            let may_bind = channels.may_bind(number, peer(port), now);
            assert_eq!(may_bind && channels.bind(number, peer(port), now), bound, "{number:#x} {port}");
        }
        assert_eq!([channels.peer_of(0x4000, now), channels.peer_of(0x4FFF, now)], [Some(peer(1)), Some(peer(2))]);
        assert_eq!([channels.number_of(peer(2), now), channels.number_of(peer(3), now)], [Some(0x4FFF), None]);
    }

    #[test]
    fn a_binding_ends_after_ten_minutes_and_leaves_number_and_peer_free() {
        let (mut channels, start) = (Channels::default(), wigwag_sim::origin());
        assert!(channels.bind(0x4000, peer(1), start));
        assert!(channels.bind(0x4001, peer(2), start));
        assert!(channels.bind(0x4001, peer(2), start + LIFETIME / 2));
        let late = start + LIFETIME;
        assert_eq!([channels.peer_of(0x4000, late), channels.peer_of(0x4001, late)], [None, Some(peer(2))]);
        assert!(!channels.may_bind(0x4000, peer(2), late));
        assert!(channels.bind(0x4002, peer(1), late));
        assert!(channels.bind(0x4000, peer(3), late));
        assert_eq!(
            [channels.number_of(peer(1), late), channels.number_of(peer(3), late)],
            [Some(0x4002), Some(0x4000)]
        );
        assert_eq!((channels.len(), channels.numbers.len()), (3, 3));
    }

    #[test]
    fn there_is_room_for_so_many_and_again_when_they_have_expired() {
        let (mut channels, start) = (Channels::default(), wigwag_sim::origin());
        let max = u16::try_from(CHANNELS_MAX).unwrap();
        for n in 0..max {
            assert!(channels.bind(0x4000 + n, peer(n + 1), start));
        }
        assert!(!channels.bind(0x4000 + max, peer(max + 1), start));
        assert!(channels.bind(0x4000, peer(1), start));
        assert!(channels.bind(0x4000 + max, peer(max + 1), start + LIFETIME));
        assert_eq!((channels.len(), channels.numbers.len()), (1, 1));
    }
}
