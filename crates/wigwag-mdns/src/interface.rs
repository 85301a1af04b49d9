//! The links of a host, and who is on them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The port of multicast DNS.
pub const PORT: u16 = 5353;

/// RFC 6762 §3: "... to the mDNS IPv4 link-local multicast address 224.0.0.251 (or its IPv6 equivalent FF02::FB)".
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// One family of addresses on one link. A link that has both is two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// An address of ours there, and port 5353, which its messages leave from: [`Datagram::local`](wigwag_sansio::Datagram) of what
    /// arrives there, whether it was sent to this address or to the group. Of IPv6, with the zone.
    pub local: SocketAddr,
    /// Which addresses are of this link, of both families: one of ours and how many of its bits are the same for all. Those of others of
    /// `fe80::/10` always are.
    pub networks: Vec<(IpAddr, u8)>,
}

impl Interface {
    /// The link of this address, whose first `prefix_len` bits are the same for all there.
    pub fn new(address: IpAddr, prefix_len: u8) -> Self {
        Self { local: SocketAddr::new(address, PORT), networks: vec![(address, prefix_len)] }
    }

    /// The group of all hosts on the link.
    pub(crate) const fn group(local: SocketAddr) -> SocketAddr {
        match local {
            SocketAddr::V4(_) => SocketAddr::new(IpAddr::V4(GROUP_V4), PORT),
            SocketAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(GROUP_V6, PORT, 0, v6.scope_id())),
        }
    }

    /// Whether an address is of this link.
    pub(crate) fn is_on_link(&self, ip: IpAddr) -> bool {
        is_link_local(ip) || ip == self.local.ip() || self.networks.iter().any(|network| contains(*network, ip))
    }

    /// Whether an address of ours is of this link. Those of `fe80::/10` look as if they were of any: such a one must be named.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let is_named = ip == self.local.ip() || self.networks.iter().any(|(ours, _)| *ours == ip);
        is_named || !is_link_local(ip) && self.is_on_link(ip)
    }

    /// Whether somebody on this link can have this address, and we may send to it. One beyond a router may be told on by a repeater of
    /// names; one of loopback is a machine's own, and nobody else's to name.
    pub(crate) fn may_have(&self, ip: IpAddr) -> bool {
        is_of_a_host(ip) && ip.is_loopback() == self.local.ip().is_loopback()
    }
}

const fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether a host can have this address.
pub(crate) fn is_of_a_host(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none(),
    }
}

fn contains((network, prefix_len): (IpAddr, u8), ip: IpAddr) -> bool {
    let differing = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => (network.to_bits() ^ ip.to_bits()).leading_zeros(),
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits() ^ ip.to_bits()).leading_zeros(),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => return false,
    };
    differing >= u32::from(prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_of_a_link_if_it_begins_as_the_links_do() {
        let mut interface = Interface::new(ip("10.0.4.1"), 22);
        interface.networks.push((ip("2001:db8::1"), 64));
        for (text, is_on_link) in [
            ("10.0.4.1", true),
            ("10.0.7.255", true),
            ("10.0.8.0", false),
            ("2001:db8::ffff", true),
            ("2001:db8:0:1::1", false),
            ("fe80::1", true),
            ("fec0::1", false),
        ] {
            assert_eq!(interface.is_on_link(ip(text)), is_on_link, "{text}");
        }
        let everywhere = Interface::new(ip("10.0.4.1"), 0);
        assert!(everywhere.is_on_link(ip("192.0.2.1")) && !everywhere.is_on_link(ip("2001:db8::1")));
        let alone = Interface::new(ip("10.0.4.1"), 200);
        assert!(alone.is_on_link(ip("10.0.4.1")) && !alone.is_on_link(ip("10.0.4.2")));
    }

    #[test]
    fn nobody_names_what_is_a_machines_own() {
        let (eth, lo) = (Interface::new(ip("10.0.0.1"), 24), Interface::new(ip("127.0.0.1"), 8));
        for (text, of_eth, of_lo) in [
            ("10.0.0.2", true, false),
            ("192.168.7.7", true, false),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("224.0.0.251", false, false),
            ("ff02::fb", false, false),
            ("::ffff:10.0.0.2", false, false),
            ("::ffff:127.0.0.1", false, false),
        ] {
            assert_eq!((eth.may_have(ip(text)), lo.may_have(ip(text))), (of_eth, of_lo), "{text}");
        }
    }

    #[test]
    fn the_group_is_that_of_the_family_and_zone() {
        let v6 = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), PORT, 0, 7));
        assert_eq!(Interface::group(v6).to_string(), "[ff02::fb%7]:5353");
        assert_eq!(Interface::group("10.0.0.1:5353".parse().unwrap()).to_string(), "224.0.0.251:5353");
    }
}
