//! Local addresses that are told by a name in place of them (draft-ietf-mmusic-mdns-ice-candidates §3.1).
//!
//! What is sent and received goes by addresses all the same: what a name stands in place of is what leaves for others to read, which is
//! candidates, decisions and failures.

use crate::agent::Agent;
use crate::candidate::{Kind, LocalCandidate, normal};
use crate::pair::Path;
use crate::tcp::DISCARD_PORT;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses that are hidden, and their names.
#[derive(Debug, Default)]
pub(crate) struct Hidden(BTreeMap<IpAddr, String>);

impl Hidden {
    /// A hidden address as decisions say it: by its port.
    fn mask(&self, address: SocketAddr) -> SocketAddr {
        if self.0.contains_key(&address.ip()) {
            SocketAddr::new(nowhere(address.ip()), address.port())
        } else {
            address
        }
    }

    pub(crate) fn mask_path(&self, path: Path) -> Path {
        Path { protocol: path.protocol, local: self.mask(path.local), remote: self.mask(path.remote) }
    }

    pub(crate) fn mask_remote(&self, address: SocketAddr) -> String {
        self.mask(address).to_string()
    }
}

impl Agent {
    /// An address of ours that others are to know by this name alone, from now on: it is the [`name`](crate::Candidate::name) of local
    /// candidates that are added, and no [`Decision`](crate::Decision) or [`Failure`](crate::Failure) says the address. Its socket is used
    /// as before, and so the peer, once it is reached, knows it.
    pub fn hide_local_address(&mut self, address: IpAddr, name: &str) {
        self.hidden.0.insert(address, name.to_owned());
    }

    /// The address is ours no longer, or others may know it: its candidates, if there are any, have no name.
    pub fn reveal_local_address(&mut self, address: IpAddr) {
        self.hidden.0.remove(&address);
        let its = self.local_candidates.iter_mut().filter(|known| known.address.ip() == address);
        its.for_each(|known| known.name = None);
    }

    /// The name by which others know an address of ours, if it is hidden.
    pub fn name_of_local_address(&self, address: IpAddr) -> Option<&str> {
        self.hidden.0.get(&address).map(String::as_str)
    }

    /// Whether [`add_local_candidate`](Self::add_local_candidate) would find that it is known already (RFC 8445 §5.1.3), which what only the
    /// peer has told before is not; or that a server nearby has seen an address that who hides theirs does not tell.
    pub fn is_redundant(&self, candidate: &LocalCandidate) -> bool {
        let (address, base) = (normal(candidate.address), normal(candidate.base));
        if candidate.kind == Kind::ServerReflexive && self.is_secret(address.ip()) {
            return true;
        }
        let name = self.name_for(candidate.kind, address.ip());
        self.local_candidates.iter().any(|known| {
            (known.address, known.base, known.name.as_deref()) == (address, base, name)
                && known.kind != Kind::PeerReflexive
        })
    }

    /// Whether an address of ours that somebody has seen is told to nobody: it has no name, for it is of no interface, and is private.
    pub(crate) fn is_secret(&self, address: IpAddr) -> bool {
        self.config.hide_related && !may_be_public(address) && self.name_of_local_address(address).is_none()
    }

    /// The name that a local candidate is told by.
    pub(crate) fn name_for(&self, kind: Kind, address: IpAddr) -> Option<&str> {
        // draft-ietf-mmusic-mdns-ice-candidates §3.1.2.2: "Regardless of the result, a server-reflexive candidate will be generated; the
        // transport address of this candidate is an IP address and therefore distinct from the hostname transport address of the
        // associated mDNS candidate, and as such MUST NOT be considered redundant". But a server that is within the same network sees
        // what we hide: no address is public that cannot be.
        let is_seen = kind == Kind::ServerReflexive && may_be_public(address);
        self.name_of_local_address(address).filter(|_| !is_seen)
    }

    /// What is told of the address that a candidate is of.
    pub(crate) fn related(&self, of: IpAddr, related: Option<SocketAddr>) -> Option<SocketAddr> {
        // draft-ietf-mmusic-mdns-ice-candidates §3.1.2.2: "To avoid accidental IP address disclosure, this server-reflexive candidate MUST
        // have its raddr field set to "0.0.0.0"/"::" and its rport field set to "9"".
        let is_told = !self.config.hide_related;
        related.map(|related| if is_told { related } else { SocketAddr::new(nowhere(of), DISCARD_PORT) })
    }
}

/// The unspecified address of this family.
const fn nowhere(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Whether somebody beyond our network may know this address: it is not of those that are used again in each (RFC 1918, RFC 6598, RFC
/// 3927, RFC 4193), or of a link or machine alone.
const fn may_be_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            !(ip.is_private() || is_shared || ip.is_link_local() || ip.is_loopback())
        }
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_network_has_of_its_own_is_not_public() {
        for (text, is_public) in [
            ("10.255.0.1", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.0.1", false),
            ("100.63.0.1", true),
            ("100.64.0.1", false),
            ("100.127.0.1", false),
            ("100.128.0.1", true),
            ("169.254.0.1", false),
            ("127.0.0.1", false),
            ("192.0.2.1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::1", false),
            ("2001:db8::1", true),
        ] {
            assert_eq!(may_be_public(text.parse().unwrap()), is_public, "{text}");
        }
    }
}
