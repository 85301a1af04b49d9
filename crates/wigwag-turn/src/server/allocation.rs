//! What one client has of the server (RFC 8656 §6).
//!
//! ```text
//!   Opening ──▶ Open ──▶ gone        Opening ──▶ gone, if the driver has no socket for it
//! ```

use super::asked::Asked;
use super::auth::Known;
use super::channel::Channels;
use super::permission::Permissions;
use super::refusal::Refusal;
use super::{CloseReason, FiveTuple, Server, Traffic};
use crate::attribute::{ADDRESS_ERROR_CODE, LIFETIME, XOR_RELAYED_ADDRESS};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_stun::{AttributeType, TransactionId};

// RFC 8656 §6: "By default, each Allocate or Refresh transaction resets this timer to the default lifetime value of 600 seconds (10
// minutes)"
pub(super) const LIFETIME_DEFAULT: Duration = Duration::from_secs(600);
/// A driver that has not said by then whether there is a socket has none. Clients ask for 39.5 s.
const OPENING_MAX: Duration = Duration::from_secs(5);
/// So many ports are tried, if others have taken them.
const TRIES_MAX: u32 = 8;

#[derive(Debug)]
pub(super) enum State {
    /// The driver is to say whether there is a socket, and the answer waits for that.
    Opening {
        asked: Asked,
        tries: u32,
    },
    Open,
}

#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) state: State,
    /// Whose it is.
    pub(super) known: Known,
    /// The request that it was made by, which may come again.
    pub(super) made_by: TransactionId,
    pub(super) wanted: Wanted,
    pub(super) relayed: SocketAddr,
    /// When it ends, or is given up.
    until: Instant,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    pub(super) traffic: Traffic,
}

/// What a client wants of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) is_ipv6: bool,
    pub(super) is_even: bool,
    /// It wants another of IPv6 besides, and is told that it has none.
    pub(super) has_additional: bool,
    pub(super) lifetime: Duration,
}

impl Allocation {
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }
}

impl Server {
    /// Draws an address for a client, and asks the driver for a socket.
    pub(super) fn begin(&mut self, asked: Asked, known: Known, wanted: Wanted, now: Instant) -> Result<(), Refusal> {
        let (of_user, all) = (self.config.allocations_per_user_max, self.config.allocations_max);
        self.quota.take(known.account(), of_user, all)?;
        let Some(relayed) = self.draw(wanted) else {
            self.quota.give_back(known.account());
            return Err(Refusal::NO_CAPACITY);
        };
        self.relays.want(relayed, asked.way);
        let until = now.checked_add(OPENING_MAX).unwrap_or(now);
        let state = State::Opening { asked, tries: 1 };
        let (permissions, channels) = (Permissions::default(), Channels::default());
        let (made_by, traffic) = (asked.id, Traffic::default());
        let allocation = Allocation { state, known, made_by, wanted, relayed, until, permissions, channels, traffic };
        self.allocations.insert(asked.way, allocation);
        self.deadlines.insert((until, asked.way));
        Ok(())
    }

    fn draw(&mut self, wanted: Wanted) -> Option<SocketAddr> {
        // A driver that is never told that sockets are of no use any more is not asked for others.
        if self.relays.len() >= self.config.allocations_max.saturating_mul(2) {
            return None;
        }
        self.relays.draw(&mut self.rng, &self.config, wanted)
    }

    /// The driver has said whether there is a socket.
    pub(super) fn relay_told(&mut self, way: FiveTuple, is_open: bool, now: Instant) {
        let Some(allocation) = self.allocations.get_mut(&way) else { return };
        let State::Opening { asked, tries } = allocation.state else { return };
        let wanted = allocation.wanted;
        if is_open {
            allocation.state = State::Open;
            self.prolong(way, wanted.lifetime, now);
            return self.tell_allocated(asked, now);
        }
        let another = if tries < TRIES_MAX { self.draw(wanted) } else { None };
        match (another, self.allocations.get_mut(&way)) {
            (Some(relayed), Some(allocation)) => {
                allocation.relayed = relayed;
                allocation.state = State::Opening { asked, tries: tries.saturating_add(1) };
                self.relays.want(relayed, way);
            }
            _ => self.end(way, CloseReason::NotOpened),
        }
    }

    /// It ends so much later than now.
    pub(super) fn prolong(&mut self, way: FiveTuple, lifetime: Duration, now: Instant) {
        let Some(allocation) = self.allocations.get_mut(&way) else { return };
        self.deadlines.remove(&(allocation.until, way));
        allocation.until = now.checked_add(lifetime).unwrap_or(now);
        self.deadlines.insert((allocation.until, way));
    }

    /// Time has passed.
    pub(super) fn expire_allocations(&mut self, now: Instant) {
        while let Some((_, way)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            let is_open = self.allocations.get(&way).is_some_and(Allocation::is_open);
            self.end(way, if is_open { CloseReason::Expired } else { CloseReason::NotOpened });
        }
    }

    /// The client has nothing any more. Whoever waits to be answered is told that there was no room.
    // RFC 8656 §9: "If an allocation expires, all its permissions expire with it."
    pub(super) fn end(&mut self, way: FiveTuple, reason: CloseReason) {
        let Some(allocation) = self.allocations.remove(&way) else { return };
        self.deadlines.remove(&(allocation.until, way));
        self.quota.give_back(allocation.known.account());
        self.relays.leave(allocation.relayed, reason, allocation.traffic);
        if let (State::Opening { asked, .. }, CloseReason::NotOpened) = (allocation.state, reason) {
            self.refuse(asked, &allocation.known, Refusal::NO_CAPACITY, std::iter::empty());
        }
    }

    /// The answer to an Allocate request, as it is now.
    pub(super) fn tell_allocated(&mut self, asked: Asked, now: Instant) {
        let Some(allocation) = self.allocations.get(&asked.way) else { return };
        let (relayed, key, has_additional) =
            (allocation.relayed, allocation.known.key.clone(), allocation.wanted.has_additional);
        let left = seconds(allocation.until.saturating_duration_since(now));
        self.grant(asked, &key, |writer| {
            let writer = writer
                .xor_address(XOR_RELAYED_ADDRESS, relayed)
                .attribute(LIFETIME, &left)
                .xor_address(AttributeType::XOR_MAPPED_ADDRESS, asked.way.remote);
            // RFC 8656 §7.2: "if it can only allocate one relayed transport address of a specific address type, then it includes
            // ADDRESS-ERROR-CODE attribute in the success response to inform the client the reason for partial failure of the request."
            if has_additional { writer.attribute(ADDRESS_ERROR_CODE, &[IPV6, 0, 4, 40]) } else { writer }
        });
    }
}

/// The families, by their numbers.
pub(super) const IPV4: u8 = 1;
pub(super) const IPV6: u8 = 2;

/// As LIFETIME tells it.
pub(super) fn seconds(lifetime: Duration) -> [u8; 4] {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}
