//! Who may reach a client, and be reached by it (RFC 8656 §9).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds (= 5 minutes)."
const LIFETIME: Duration = Duration::from_secs(300);
/// So many an allocation has at most; browsers ask for one a candidate of the peer.
pub(super) const PERMISSIONS_MAX: usize = 128;

/// The permissions of one allocation. Those that have expired are there until room is needed, and permit nothing.
#[derive(Debug, Default)]
pub(super) struct Permissions(BTreeMap<IpAddr, Option<Instant>>);

impl Permissions {
    /// Installs or renews permissions for all of these, or for none, if there is no room.
    #[must_use]
    pub(super) fn permit(&mut self, peers: impl Iterator<Item = IpAddr> + Clone, now: Instant) -> bool {
        let new = peers.clone().filter(|peer| !self.0.contains_key(peer));
        if self.0.len().saturating_add(new.clone().count()) > PERMISSIONS_MAX {
            self.0.retain(|_, until| until.is_none_or(|until| until > now));
        }
        let new = peers.clone().filter(|peer| !self.0.contains_key(peer));
        if self.0.len().saturating_add(new.count()) > PERMISSIONS_MAX {
            return false;
        }
        self.0.extend(peers.map(|peer| (peer, now.checked_add(LIFETIME))));
        true
    }

    // RFC 8656 §9: "Note that only addresses are compared and port numbers are not considered. If no match is found, relaying is not
    // permitted and the server silently discards the UDP datagram."
    pub(super) fn has(&self, peer: IpAddr, now: Instant) -> bool {
        self.0.get(&peer).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: usize) -> IpAddr {
        let [.., a, b] = n.to_be_bytes();
        [192, 0, a, b].into()
    }

    #[test]
    fn a_permission_ends_after_five_minutes_unless_it_is_renewed() {
        let (mut permissions, start) = (Permissions::default(), wigwag_sim::origin());
        assert!(permissions.permit([peer(1), peer(2)].into_iter(), start));
        assert!(permissions.has(peer(1), start + Duration::from_millis(299_999)));
        assert!(!permissions.has(peer(1), start + LIFETIME) && !permissions.has(peer(3), start));
        assert!(permissions.permit([peer(2)].into_iter(), start + LIFETIME / 2));
        assert!(permissions.has(peer(2), start + LIFETIME) && !permissions.has(peer(1), start + LIFETIME));
    }

    #[test]
    fn there_is_room_for_so_many_and_again_when_they_have_expired() {
        let (mut permissions, start) = (Permissions::default(), wigwag_sim::origin());
        assert!(permissions.permit((0..PERMISSIONS_MAX).map(peer), start));
        assert!(!permissions.permit([peer(0), peer(PERMISSIONS_MAX)].into_iter(), start), "all or none");
        assert!(permissions.permit([peer(0), peer(0)].into_iter(), start + LIFETIME / 2));
        assert!(permissions.permit((500..500 + PERMISSIONS_MAX - 1).map(peer), start + LIFETIME));
        assert!(permissions.len() == PERMISSIONS_MAX && permissions.has(peer(0), start + LIFETIME));
    }
}
