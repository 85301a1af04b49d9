//! Whom we may reach, and by which number.

use super::grant::Grant;
use crate::channel_data::NUMBERS;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::{Rng, Timer, earliest};
use wigwag_stun::{Failure, Retransmission, TransactionId};

/// An ICE agent knows of a hundred candidates at most.
pub(super) const PERMISSIONS_MAX: usize = 128;
/// A call has one path at a time; those before are forgotten in a quarter of an hour.
const CHANNELS_MAX: usize = 32;
/// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds"; it is asked for again a minute before.
const PERMISSION: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(240)];
/// RFC 8656 §12: "Channel bindings last for 10 minutes unless refreshed". Asking again renews the permission too (§12.1), and does so
/// before the permission would be asked for.
const CHANNEL: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(230)];
/// RFC 8656 §12: "until 5 minutes have passed since the time that a channel binding expires", the number is no other peer's.
const REST: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Channel {
    number: u16,
    grant: Grant,
    /// Whether it was of use since it was asked for: one that is not is not asked for again.
    is_used: bool,
    /// How long an ended one is kept, so that its number is nobody's.
    rest: Timer,
}

/// Which grant a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Permission(IpAddr),
    Channel(SocketAddr, u16),
}

/// All grants.
#[derive(Debug)]
pub(super) struct Peers {
    permissions: BTreeMap<IpAddr, Grant>,
    channels: BTreeMap<SocketAddr, Channel>,
    numbers: BTreeMap<u16, SocketAddr>,
    next_number: u16,
    /// Whether something has become due by being used.
    is_touched: bool,
}

impl Default for Peers {
    fn default() -> Self {
        let (permissions, channels, numbers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { permissions, channels, numbers, next_number: *NUMBERS.start(), is_touched: false }
    }
}

impl Peers {
    /// A permission is wanted. Whether it is new.
    pub(super) fn allow(&mut self, peer: IpAddr) -> bool {
        let is_new = !self.permissions.contains_key(&peer) && self.permissions.len() < PERMISSIONS_MAX;
        if is_new {
            self.permissions.insert(peer, Grant::due());
        }
        is_new
    }

    /// Permissions that are not wanted are not asked for again.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(IpAddr) -> bool) {
        self.permissions.retain(|peer, _| is_wanted(*peer));
    }

    /// A channel is wanted. Whether it is new.
    pub(super) fn bind(&mut self, peer: SocketAddr) -> bool {
        if let Some(channel) = self.channels.get_mut(&peer) {
            channel.is_used = true;
            if channel.rest.is_armed() {
                // RFC 8656 §12: the same number is the same peer's again.
                (channel.grant, channel.rest) = (Grant::due(), Timer::idle());
                return true;
            }
            return false;
        }
        if self.channels.len() >= CHANNELS_MAX {
            return false;
        }
        while self.numbers.contains_key(&self.next_number) {
            self.advance_number(); // there are more numbers than channels
        }
        let number = self.next_number;
        self.advance_number();
        self.numbers.insert(number, peer);
        self.channels.insert(peer, Channel { number, grant: Grant::due(), is_used: true, rest: Timer::idle() });
        true
    }

    fn advance_number(&mut self) {
        let next = self.next_number.saturating_add(1);
        self.next_number = if NUMBERS.contains(&next) { next } else { *NUMBERS.start() };
    }

    /// The number of the peer, if the server knows it.
    pub(super) fn number_of(&self, peer: SocketAddr) -> Option<u16> {
        self.channels.get(&peer).filter(|channel| channel.grant.is_held()).map(|channel| channel.number)
    }

    /// Something has gone to the peer by its number, or has come from it.
    pub(super) fn used(&mut self, peer: SocketAddr) {
        if let Some(channel) = self.channels.get_mut(&peer) {
            channel.is_used = true;
            self.is_touched |= channel.grant.keep();
        }
    }

    /// Whose number it is, once it was asked for.
    pub(super) fn peer_of(&mut self, number: u16) -> Option<SocketAddr> {
        let peer = *self.numbers.get(&number)?;
        let is_asked = self.channels.get(&peer).is_some_and(|channel| channel.grant.may_be_held());
        is_asked.then(|| {
            self.used(peer);
            peer
        })
    }

    /// Whether something has become due since the time was told.
    pub(super) const fn is_touched(&self) -> bool {
        self.is_touched
    }

    /// Whether a permission was asked for.
    pub(super) fn may_reach(&self, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(Grant::may_be_held)
    }

    fn grants(&self) -> impl Iterator<Item = (Name, &Grant)> {
        let permissions = self.permissions.iter().map(|(peer, grant)| (Name::Permission(*peer), grant));
        let channels =
            self.channels.iter().map(|(peer, channel)| (Name::Channel(*peer, channel.number), &channel.grant));
        permissions.chain(channels)
    }

    /// The grant that awaits an answer to this.
    pub(super) fn awaiting(&self, transaction: TransactionId) -> Option<Name> {
        self.grants().find(|(_, grant)| grant.is_awaiting(transaction)).map(|(name, _)| name)
    }

    /// A grant whose request is owed. Permissions go first.
    pub(super) fn owing(&self) -> Option<Name> {
        self.grants().find(|(_, grant)| grant.is_owed()).map(|(name, _)| name)
    }

    pub(super) fn grant(&mut self, name: Name) -> Option<&mut Grant> {
        match name {
            Name::Permission(peer) => self.permissions.get_mut(&peer),
            Name::Channel(peer, _) => self.channels.get_mut(&peer).map(|channel| &mut channel.grant),
        }
    }

    /// The server has said yes.
    pub(super) fn granted(&mut self, name: Name, now: Instant) {
        let ip = match name {
            Name::Permission(ip) => ip,
            Name::Channel(peer, _) => {
                if let Some(channel) = self.channels.get_mut(&peer) {
                    channel.grant.hold(CHANNEL, now);
                    channel.is_used = false;
                }
                // RFC 8656 §12.1: "A channel binding also installs a permission for the IP address"
                peer.ip()
            }
        };
        if let Some(permission) = self.permissions.get_mut(&ip) {
            permission.hold(PERMISSION, now);
        }
    }

    /// Time has passed, while there is an allocation.
    pub(super) fn handle_timeout(
        &mut self,
        rng: &mut Rng,
        retransmission: Retransmission,
        now: Instant,
        mut failed: impl FnMut(IpAddr, Failure),
    ) {
        self.is_touched = false;
        for (peer, grant) in &mut self.permissions {
            if let Some(failure) = grant.handle_timeout(rng, retransmission, now) {
                failed(*peer, failure);
            }
        }
        for channel in self.channels.values_mut() {
            channel.handle_timeout(rng, retransmission, now);
        }
        let numbers = &mut self.numbers;
        self.channels.retain(|_, channel| {
            let is_over = channel.rest.expire(now);
            if is_over {
                numbers.remove(&channel.number);
            }
            !is_over
        });
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let rests = self.channels.values().map(|channel| channel.rest.deadline());
        earliest(self.grants().map(|(_, grant)| grant.deadline(now)).chain(rests))
    }
}

impl Channel {
    fn handle_timeout(&mut self, rng: &mut Rng, retransmission: Retransmission, now: Instant) {
        let was_held = self.grant.is_held();
        if !self.is_used {
            self.grant.skip(now);
        }
        let _ = self.grant.handle_timeout(rng, retransmission, now);
        if was_held && !self.grant.is_held() && self.grant.request.is_none() {
            self.grant.refuse(now);
            self.rest = Timer::after(now, REST);
        }
    }
}
