//! A name of ours: announced, told to who asks, and taken back (RFC 6762 §6, §8.3, §10.1).
//!
//! It is not probed for: draft-ietf-mmusic-mdns-ice-candidates §3.1.1 leaves that out, "as the hostname is expected to be unique".

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::earliest;

// RFC 6762 §10: "As a general rule, the recommended TTL value for Multicast DNS resource records with a host name as the resource
// record's name (e.g., A, AAAA, HINFO) or a host name contained within the resource record's rdata (e.g., SRV, reverse mapping PTR
// record) SHOULD be 120 seconds."
pub(super) const TTL_S: u32 = 120;
// RFC 6762 §6: "To protect the network against excessive packet flooding due to software bugs or malicious attack, a Multicast DNS
// responder MUST NOT (except in the one special case of answering probe queries) multicast a record on a given interface until at
// least one second has elapsed since the last time that record was multicast on that particular interface."
const INTERVAL: Duration = Duration::from_secs(1);
// RFC 6762 §8.3: "The Multicast DNS responder MUST send at least two unsolicited responses, one second apart."
const ANNOUNCEMENTS: u32 = 2;
/// RFC 6762 §5.4: whom a record was told so lately, within a quarter of its life, is told alone.
const RECENT: Duration = Duration::from_secs(TTL_S as u64 / 4);

/// What is to be told to all of a link.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// Whether the address is asked for; else, only what there is not.
    is_address: bool,
}

/// What one link knows of it.
#[derive(Debug, Default)]
struct Shown {
    last: Option<Instant>,
    /// How often it was announced.
    announced: u32,
    due: Option<Due>,
}

impl Shown {
    /// Not before a second after the last time.
    fn want(&mut self, at: Instant, is_address: bool) {
        let at = self.last.and_then(|last| last.checked_add(INTERVAL)).map_or(at, |free| free.max(at));
        let due = self
            .due
            .map_or(Due { at, is_address }, |due| Due { at: due.at.min(at), is_address: due.is_address || is_address });
        self.due = Some(due);
    }
}

/// A name of ours.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) address: IpAddr,
    /// It is not ours any more, and those are told who may have heard of it.
    is_leaving: bool,
    shown: BTreeMap<SocketAddr, Shown>,
}

impl Owned {
    pub(super) const fn new(address: IpAddr) -> Self {
        Self { address, is_leaving: false, shown: BTreeMap::new() }
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        self.shown.retain(|_, shown| shown.last.is_some());
        self.shown.values_mut().for_each(|shown| shown.due = None);
    }

    /// It is ours after all: those who were told that it ends are told of it anew.
    pub(super) fn stay(&mut self) {
        if std::mem::take(&mut self.is_leaving) {
            self.shown.values_mut().for_each(|shown| *shown = Shown { last: shown.last, ..Shown::default() });
        }
    }

    /// Whether everybody has been told that it has left.
    pub(super) fn has_left(&self) -> bool {
        self.is_leaving && self.shown.is_empty()
    }

    /// Takes note of the time, and of the links that the address is of.
    pub(super) fn settle(&mut self, links: impl Iterator<Item = SocketAddr>, now: Instant) {
        if !self.is_leaving {
            for link in links {
                self.shown.entry(link).or_default();
            }
        }
        for shown in self.shown.values_mut() {
            if self.is_leaving || shown.announced < ANNOUNCEMENTS {
                shown.want(now, true);
            }
        }
    }

    pub(super) fn remove_link(&mut self, link: SocketAddr) {
        self.shown.remove(&link);
    }

    /// Whether it is a name on this link.
    pub(super) fn is_on(&self, link: SocketAddr) -> bool {
        !self.is_leaving && self.shown.contains_key(&link)
    }

    /// Whether all of this link have heard of it lately.
    pub(super) fn is_fresh(&self, link: SocketAddr, now: Instant) -> bool {
        let last = self.shown.get(&link).and_then(|shown| shown.last);
        last.is_some_and(|last| now.saturating_duration_since(last) < RECENT)
    }

    /// Somebody asks, for the address or for something else.
    pub(super) fn want(&mut self, link: SocketAddr, at: Instant, is_address: bool) {
        if let Some(shown) = self.shown.get_mut(&link) {
            shown.want(at, is_address);
        }
    }

    /// Whether it is to be told on this link now; and if so, whether the address is asked for.
    pub(super) fn owed(&self, link: SocketAddr, now: Instant) -> Option<bool> {
        let due = self.shown.get(&link)?.due?;
        (due.at <= now).then_some(due.is_address)
    }

    pub(super) fn is_owed(&self, now: Instant) -> bool {
        self.shown.keys().any(|link| self.owed(*link, now).is_some())
    }

    /// It was told to all of this link.
    pub(super) fn sent(&mut self, link: SocketAddr, now: Instant) {
        if self.is_leaving {
            self.shown.remove(&link);
        } else if let Some(shown) = self.shown.get_mut(&link) {
            *shown = Shown { last: Some(now), announced: shown.announced.saturating_add(1), due: None };
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest(self.shown.values().map(|shown| shown.due.map(|due| due.at)))
    }
}
