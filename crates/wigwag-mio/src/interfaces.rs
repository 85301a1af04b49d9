//! Which addresses this machine has.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

/// An address of a network interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Interface {
    /// The system's name of the interface, as `eth0`.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Whether it can be reached from this machine alone.
    pub is_loopback: bool,
}

/// The addresses of this machine that a peer may be told of, those of loopback interfaces only if `with_loopback`.
///
/// They are sorted, those of loopback interfaces last, and each is told once: of what is offered in their order, simple peers try the first.
///
/// # Errors
/// What the system says when it is asked.
pub fn interfaces(with_loopback: bool) -> io::Result<Vec<Interface>> {
    let mut found: Vec<_> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(if_addrs::Interface::is_oper_up)
        .map(|found| Interface { is_loopback: found.is_loopback(), address: found.ip(), name: found.name })
        .filter(|found| is_usable(found.address) && (with_loopback || !found.is_loopback))
        .collect();
    found.sort_by_key(|found| (found.is_loopback, found.address));
    found.dedup_by(|a, b| a.address == b.address);
    Ok(found)
}

/// Whether a peer could send to this address.
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast(),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast() && !is_unwanted(address),
    }
}

fn is_unwanted(address: Ipv6Addr) -> bool {
    // RFC 8445 §5.1.1.1: "Deprecated IPv4-compatible IPv6 addresses [RFC4291] and IPv6 site-local unicast addresses
    // [RFC3879] MUST NOT be included in the address candidates."
    let [first, second, ..] = address.segments();
    let is_site_local = first & 0xffc0 == 0xfec0;
    let is_ipv4_compatible = address != Ipv6Addr::LOCALHOST && (first, second) == (0, 0) && {
        let [_, _, third, fourth, fifth, sixth, ..] = address.segments();
        [third, fourth, fifth, sixth] == [0; 4]
    };
    // RFC 8445 §5.1.1.1: "IPv4-mapped IPv6 addresses MUST NOT be included in the address candidates unless the
    // application using ICE does not support IPv4". We do.
    let is_ipv4_mapped = address.to_ipv4_mapped().is_some();
    // RFC 8445 §5.1.1.1: "host candidates corresponding to IPv6 link-local addresses [RFC4291] MUST NOT be gathered": said
    // of hosts with addresses that prevent tracking; nor could a peer name the interface, which the address needs.
    is_site_local || is_ipv4_compatible || is_ipv4_mapped || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_only_if_asked_for() {
        let asked = interfaces(true).unwrap();
        assert!(asked.iter().any(|found| found.is_loopback && found.address.is_loopback()), "{asked:?}");
        let unasked = interfaces(false).unwrap();
        assert!(unasked.iter().all(|found| !found.is_loopback && !found.address.is_loopback()), "{unasked:?}");
        assert!(unasked.iter().all(|found| asked.contains(found)));
    }

    #[test]
    fn addresses_are_sorted_and_told_once() {
        let found = interfaces(true).unwrap();
        let order = |found: &Interface| (found.is_loopback, found.address);
        assert!(found.windows(2).all(|pair| order(&pair[0]) < order(&pair[1])), "{found:?}");
    }

    #[test]
    fn addresses_that_no_peer_could_use_are_left_out() {
        let is_usable = |address: &str| is_usable(address.parse().unwrap());
        for address in ["192.0.2.1", "10.0.0.1", "169.254.1.1", "127.0.0.1", "2001:db8::1", "fd00::1", "::1"] {
            assert!(is_usable(address), "{address}");
        }
        for address in ["0.0.0.0", "224.0.0.251", "255.255.255.255", "::", "ff02::fb", "fe80::1", "fec0::1"] {
            assert!(!is_usable(address), "{address}");
        }
        for address in ["::192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(!is_usable(address), "{address}");
        }
    }
}
