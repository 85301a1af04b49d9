//! Who is where: realms, the NATs between them, and the way of a datagram through these.
//!
//! A datagram climbs through NATs until it is where its destination is known, and goes down from there through others.
//! It climbs when it is sent, and goes down when it arrives.

use crate::{Fate, Host, Nat};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use wigwag_sansio::Protocol;

/// Where addresses are unique (the term is that of RFC 2663): the internet, or what is behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(usize);

/// The realm that is behind no NAT.
pub const INTERNET: Realm = Realm(0);

/// Where a datagram is highest: on the link between two sites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summit {
    pub(crate) realm: Realm,
    /// Its source, as the remote host sees it.
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// A NAT, and on which realm it opens.
#[derive(Debug)]
struct Gateway {
    outside: Realm,
    nat: Nat,
}

#[derive(Debug, Default)]
pub(crate) struct Topology {
    /// Realm `n` is behind gateway `n - 1`.
    gateways: Vec<Gateway>,
    hosts: BTreeMap<(Realm, SocketAddr), Host>,
}

impl Topology {
    pub(crate) fn add_nat(&mut self, outside: Realm, nat: Nat) -> Realm {
        let external = IpAddr::V4(nat.external());
        assert!(!self.is_known(outside, external), "{external} belongs to another");
        self.gateways.push(Gateway { outside, nat });
        Realm(self.gateways.len())
    }

    pub(crate) const fn nats(&self) -> usize {
        self.gateways.len()
    }

    /// All that are behind a NAT.
    pub(crate) fn realms(&self) -> impl Iterator<Item = Realm> {
        (1..=self.gateways.len()).map(Realm)
    }

    pub(crate) fn nat(&mut self, inside: Realm) -> Option<&mut Nat> {
        self.gateways.get_mut(inside.0.checked_sub(1)?).map(|gateway| &mut gateway.nat)
    }

    pub(crate) fn add_address(&mut self, realm: Realm, host: Host, address: SocketAddr) {
        assert!(realm == INTERNET || address.is_ipv4(), "{address}: what is behind a NAT is IPv4");
        assert_eq!(self.gateway_at(realm, address.ip()), None, "{address} belongs to a NAT");
        assert!(self.realm_of(host, address).is_none_or(|other| other == realm), "{address} is in one realm");
        let owner = *self.hosts.entry((realm, address)).or_insert(host);
        assert_eq!(owner, host, "{address} belongs to another host");
    }

    pub(crate) fn remove_address(&mut self, realm: Realm, address: SocketAddr) {
        self.hosts.remove(&(realm, address));
    }

    pub(crate) fn host(&self, realm: Realm, address: SocketAddr) -> Option<Host> {
        self.hosts.get(&(realm, address)).copied()
    }

    /// The realm in which a host has this address.
    pub(crate) fn realm_of(&self, host: Host, address: SocketAddr) -> Option<Realm> {
        (0..=self.gateways.len()).map(Realm).find(|realm| self.host(*realm, address) == Some(host))
    }

    /// Whose an address is, for whatever comes this way: of a stream the port may be any that its host has chosen for it.
    fn taker(&self, realm: Realm, protocol: Protocol, address: SocketAddr) -> Option<Host> {
        let by_ip = || {
            let [first, last] = [0, u16::MAX].map(|port| (realm, SocketAddr::new(address.ip(), port)));
            self.hosts.range(first..=last).map(|(_, host)| *host).next()
        };
        self.host(realm, address).or_else(|| if protocol == Protocol::Udp { None } else { by_ip() })
    }

    /// The realm in which a host sends from this address, or opens streams.
    pub(crate) fn realm_of_sender(&self, host: Host, protocol: Protocol, address: SocketAddr) -> Option<Realm> {
        (0..=self.gateways.len()).map(Realm).find(|realm| self.taker(*realm, protocol, address) == Some(host))
    }

    /// The way out: every NAT on it translates the source.
    pub(crate) fn climb(
        &mut self,
        host: Host,
        protocol: Protocol,
        [local, to]: [SocketAddr; 2],
        now: Instant,
    ) -> Result<Summit, Fate> {
        let mut realm = self.realm_of_sender(host, protocol, local).ok_or(Fate::NoRoute)?;
        let mut from = local;
        while !self.is_known(realm, to.ip()) {
            // Whether anybody is there shows when it goes down.
            let Some(gateway) = realm.0.checked_sub(1).and_then(|n| self.gateways.get_mut(n)) else { break };
            if !to.is_ipv4() {
                return Err(Fate::NoRoute);
            }
            from = gateway.nat.outbound(protocol, from, to, now).ok_or(Fate::NatFull)?;
            realm = gateway.outside;
        }
        Ok(Summit { realm, from, to })
    }

    /// The way in: every NAT on it decides whether it may pass, and translates the destination.
    pub(crate) fn descend(
        &mut self,
        summit: Summit,
        protocol: Protocol,
        now: Instant,
    ) -> Result<(Host, SocketAddr), Fate> {
        let Summit { mut realm, from, mut to } = summit;
        while let Some(inside) = self.gateway_at(realm, to.ip()) {
            let nat = self.nat(inside).ok_or(Fate::NoRoute)?;
            to = nat.inbound(protocol, to.port(), from, now)?;
            realm = inside;
        }
        Ok((self.taker(realm, protocol, to).ok_or(Fate::NoRoute)?, to))
    }

    /// For whom it is, may it pass or not.
    pub(crate) fn owner(&self, summit: Summit, protocol: Protocol, now: Instant) -> Result<Host, Fate> {
        let Summit { mut realm, mut to, .. } = summit;
        while let Some(inside) = self.gateway_at(realm, to.ip()) {
            let gateway = inside.0.checked_sub(1).and_then(|n| self.gateways.get(n)).ok_or(Fate::NoRoute)?;
            to = gateway.nat.internal(protocol, to.port(), now).ok_or(Fate::NoBinding)?;
            realm = inside;
        }
        self.taker(realm, protocol, to).ok_or(Fate::NoRoute)
    }

    /// Whether anybody in a realm has an address with this IP.
    fn is_known(&self, realm: Realm, ip: IpAddr) -> bool {
        let [first, last] = [0, u16::MAX].map(|port| (realm, SocketAddr::new(ip, port)));
        self.hosts.range(first..=last).next().is_some() || self.gateway_at(realm, ip).is_some()
    }

    /// What is behind the NAT that has this external address.
    fn gateway_at(&self, realm: Realm, ip: IpAddr) -> Option<Realm> {
        let is_it = |gateway: &Gateway| gateway.outside == realm && IpAddr::V4(gateway.nat.external()) == ip;
        self.gateways.iter().position(is_it).map(|n| Realm(n + 1))
    }
}
