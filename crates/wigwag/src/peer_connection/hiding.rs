//! Addresses of ours that the peer is told by names (draft-ietf-mmusic-mdns-ice-candidates §3.1): whoever has sockets answers for these on
//! the link.
//!
//! ```text
//! Drawn ──candidates are told──▶ Registered ──the address or the connection is gone──▶ Released
//! ```
//!
//! A name is an address's for as long as the connection has it, also when ICE begins anew; one that comes back has another.

use super::{End, PeerConnection};
use crate::event::Event;
use crate::state::IceGatheringState;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use wigwag_ice as ice;
use wigwag_mdns::Name;
use wigwag_sansio::Rng;

/// A name of ours.
#[derive(Debug)]
struct Own {
    name: Name,
    /// Whether the application was told to answer for it.
    is_registered: bool,
}

/// Our names. Bounded: an agent takes a bounded number of candidates.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// How many names were drawn.
    drawn: u32,
    /// Those that may be told as they are.
    exposed: Vec<IpAddr>,
    names: BTreeMap<IpAddr, Own>,
    /// Those that the application answers for, and need not any more.
    released: VecDeque<Name>,
}

impl Hidden {
    /// Whether this is a name of ours, which a peer tells us as its own.
    pub(super) fn is_ours(&self, name: &ice::RemoteAddress) -> bool {
        let ice::RemoteAddress::Name(text, _) = name else { return false };
        text.parse::<Name>().is_ok_and(|name| self.names.values().any(|own| own.name == name))
    }

    fn release(&mut self, own: &Own) {
        self.released.extend(own.is_registered.then_some(own.name));
    }

    /// The connection is over.
    pub(super) fn clear(&mut self) {
        for own in std::mem::take(&mut self.names).into_values() {
            self.release(&own);
        }
    }
}

impl PeerConnection {
    /// This address of ours may be told as it is, though the connection [hides](field@crate::Config::hide_local_addresses) its addresses: one
    /// that everybody can know, as the public address that a NAT maps to ours one to one. Say so before it is added.
    // draft-ietf-mmusic-mdns-ice-candidates §3.1.1: "Check whether this IP address satisfies the ICE agent's policy regarding whether an
    // address is safe to expose. If so, expose the candidate and abort this process."
    pub fn expose_address(&mut self, address: IpAddr) {
        if self.hidden.exposed.contains(&address) {
            return;
        }
        self.hidden.exposed.push(address);
        self.forget_name(address);
        self.jsep.update_candidates(&self.local_transport());
        self.may_tell = true;
    }

    /// The names that stand in place of our addresses, if the connection [hides](field@crate::Config::hide_local_addresses) them:
    /// those that somebody is to answer for now.
    pub fn local_names(&self) -> impl Iterator<Item = (String, IpAddr)> {
        let registered = self.hidden.names.iter().filter(|(_, own)| own.is_registered);
        registered.map(|(address, own)| (own.name.to_string(), *address))
    }

    /// A candidate of this address is about to be made.
    pub(super) fn hide(&mut self, address: IpAddr) {
        let hidden = &mut self.hidden;
        if !self.config.hide_local_addresses || hidden.exposed.contains(&address) {
            return;
        }
        // draft-ietf-mmusic-mdns-ice-candidates §3.1.1: "Specifically, an ICE agent using an interface with both IPv4 and IPv6 addresses
        // MUST expose a different mDNS name for each address."
        let (seed, drawn) = (&self.seed, &mut hidden.drawn);
        let own = hidden.names.entry(address).or_insert_with(|| {
            *drawn = drawn.wrapping_add(1);
            let name = Name::random(&mut Rng::new(seed.fork(&format!("hidden {drawn}"))));
            Own { name, is_registered: false }
        });
        self.transport.ice.hide_local_address(address, &own.name.to_string());
    }

    /// Forgets the names of addresses that no candidate is of.
    pub(super) fn settle_names(&mut self) {
        let candidates = self.transport.ice.local_candidates();
        let is_used = |ip: IpAddr| candidates.iter().any(|it| it.kind == ice::Kind::Host && it.address.ip() == ip);
        let unused: Vec<_> = self.hidden.names.keys().copied().filter(|ip| !is_used(*ip)).collect();
        unused.into_iter().for_each(|address| self.forget_name(address));
    }

    fn forget_name(&mut self, address: IpAddr) {
        if let Some(own) = self.hidden.names.remove(&address) {
            self.hidden.release(&own);
            self.transport.ice.reveal_local_address(address);
        }
    }

    /// Names are answered for from when candidates are told, and on the link nobody learns of us before.
    pub(super) fn name_event(&mut self) -> Option<Event> {
        if let Some(name) = self.hidden.released.pop_front() {
            return Some(Event::NameReleased(name.to_string()));
        }
        if self.gathering.state() == IceGatheringState::New || self.end != End::No {
            return None;
        }
        let (address, own) = self.hidden.names.iter_mut().find(|(_, own)| !own.is_registered)?;
        own.is_registered = true;
        Some(Event::NameRegistrationNeeded { name: own.name.to_string(), address: *address })
    }

    /// The connection is removed: what somebody still answers for.
    pub(crate) fn release_names(&mut self) -> Vec<String> {
        self.hidden.clear();
        let released = std::mem::take(&mut self.hidden.released);
        let mut names: Vec<_> = released.into_iter().map(|name| name.to_string()).collect();
        match self.next.take() {
            Some(Event::NameReleased(name)) => names.push(name),
            // Nobody was told of it.
            Some(Event::NameRegistrationNeeded { name: untold, .. }) => names.retain(|name| *name != untold),
            _ => {}
        }
        names
    }
}
