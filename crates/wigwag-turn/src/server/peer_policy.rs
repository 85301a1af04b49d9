//! Whom a server sends to (RFC 8656 §21): strangers far away, unless the configuration says more, or less.
//!
//! Whoever may use a relay sends from where the server stands, which is often behind the firewall. So what is near it is refused: its own
//! machine and network, and all that an address of IPv6 hides of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

/// What is no prefix: expected is an address, or one with the number of bits that count, as in `10.0.0.0/8`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address, or a prefix such as 10.0.0.0/8, found {0:?}")]
pub struct PrefixError(String);

impl Prefix {
    /// All addresses whose first `len` bits are those of `address`: at most 32 of IPv4, 128 of IPv6, or it is the one address.
    pub const fn new(address: IpAddr, len: u8) -> Self {
        let len_max = if address.is_ipv4() { 32 } else { 128 };
        Self { address, len: if len < len_max { len } else { len_max } }
    }

    /// Whether an address begins so.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let is_alike = |a: u128, b: u128| (a ^ b).checked_shr(128u32.saturating_sub(self.len.into())).unwrap_or(0) == 0;
        match (self.address, ip) {
            (IpAddr::V4(prefix), IpAddr::V4(ip)) => {
                is_alike(u128::from(prefix.to_bits()) << 96, u128::from(ip.to_bits()) << 96)
            }
            (IpAddr::V6(prefix), IpAddr::V6(ip)) => is_alike(prefix.to_bits(), ip.to_bits()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self::new(address, 128)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let read = || match text.split_once('/') {
            None => Some(Self::from(text.parse::<IpAddr>().ok()?)),
            Some((address, len)) => {
                let (address, len) = (address.parse().ok()?, len.parse().ok()?);
                Some(Self::new(address, len)).filter(|prefix| prefix.len == len)
            }
        };
        read().ok_or_else(|| PrefixError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn v4(a: u8, b: u8, len: u8) -> Prefix {
    Prefix::new(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), len)
}

const fn v6(a: u16, b: u16, c: u16, len: u8) -> Prefix {
    Prefix::new(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), len)
}

/// What is nobody's on the internet (RFC 6890 and its registries, RFC 5735, RFC 4193, RFC 4291, RFC 8215).
const NEAR: [Prefix; 22] = [
    v4(0, 0, 8),             // this network
    v4(10, 0, 8),            // private
    v4(100, 64, 10),         // shared, behind the NATs of providers
    v4(127, 0, 8),           // this machine
    v4(169, 254, 16),        // this link, where clouds tell machines their secrets
    v4(172, 16, 12),         // private
    v4(192, 0, 24),          // protocols
    v4(192, 168, 16),        // private
    v4(198, 18, 15),         // benchmarks
    v4(224, 0, 4),           // multicast
    v4(240, 0, 4),           // reserved, and broadcast
    v6(0, 0, 0, 128),        // unspecified
    LOOPBACK,                // this machine
    v6(0x64, 0xFF9B, 1, 48), // NAT64 within a network
    v6(0x100, 0, 0, 64),     // discarded
    v6(0x2001, 0, 0, 32),    // Teredo, which hides two addresses of IPv4
    v6(0x5F00, 0, 0, 16),    // segment routing
    v6(0xFC00, 0, 0, 7),     // private
    v6(0xFE80, 0, 0, 10),    // this link
    v6(0xFEC0, 0, 0, 10),    // this site
    v6(0xFF00, 0, 0, 8),     // multicast
    v6(0x2001, 0x10, 0, 28), // no addresses of hosts
];
const LOOPBACK: Prefix = Prefix::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);

/// Which peers a server sends to and hears, besides its own relayed addresses.
///
/// By itself those that are anybody's on the internet: no private, shared or reserved address, none of this machine, this link, this
/// site, of multicast or broadcast, and no address of IPv6 that stands for one of IPv4 that is refused (mapped, compatible, translated, 6to4,
/// NAT64 by its well-known prefix). Whoever has a NAT64 with a prefix of its own denies that.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerPolicy {
    /// Let through although they are refused by themselves: those of a test on one machine, or of a company's own network.
    pub allow: Vec<Prefix>,
    /// Refused in any case.
    pub deny: Vec<Prefix>,
}

/// What a policy says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is denied.
    Denied,
    /// It is let through by name.
    Allowed,
    /// Nothing is said of it, and it is anybody's.
    Far,
    /// Nothing is said of it, and it is near the server.
    Near,
}

impl PeerPolicy {
    pub(super) fn judge(&self, ip: IpAddr) -> Verdict {
        let is_in = |list: &[Prefix], ip: IpAddr| list.iter().any(|prefix| prefix.contains(ip));
        let is_denied = forms(ip).any(|ip| is_in(&self.deny, ip));
        match () {
            () if is_denied => Verdict::Denied,
            () if forms(ip).all(|ip| is_in(&self.allow, ip) || !is_in(&NEAR, ip)) => {
                if is_in(&self.allow, ip) {
                    Verdict::Allowed
                } else {
                    Verdict::Far
                }
            }
            () => Verdict::Near,
        }
    }
}

/// An address, and that of IPv4 that it stands for.
pub(super) fn forms(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let hidden = match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => hidden(ip).map(IpAddr::V4),
    };
    std::iter::once(ip).chain(hidden)
}

fn hidden(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let (bits, low) =
        (ip.to_bits(), |bits: u128| Ipv4Addr::from_bits(u32::try_from(bits & 0xFFFF_FFFF).unwrap_or_default()));
    match bits >> 32 {
        0 if bits < 2 => None, // unspecified, and this machine
        // RFC 4291 §2.5.5.1, §2.5.5.2, RFC 7915 §2.2, RFC 6052 §2.1.
        0 | 0xFFFF | 0xFFFF_0000 | 0x0064_FF9B_0000_0000_0000_0000 => Some(low(bits)),
        // RFC 3056 §2.
        _ if bits >> 112 == 0x2002 => Some(low(bits >> 80)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn judge(policy: &PeerPolicy, text: &str) -> Verdict {
        policy.judge(ip(text))
    }

    #[test]
    fn what_is_near_is_refused_in_every_form() {
        let policy = PeerPolicy::default();
        for near in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.251",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert_eq!(judge(&policy, near), Verdict::Near, "{near}");
            let IpAddr::V4(v4) = ip(near) else { unreachable!() };
            let [a, b, c, d] = v4.octets();
            for hidden in [
                format!("::ffff:{near}"),
                format!("::{near}"),
                format!("::ffff:0:{near}"),
                format!("64:ff9b::{near}"),
                format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"),
            ] {
                assert_eq!(judge(&policy, &hidden), Verdict::Near, "{hidden}");
            }
        }
        for near in [
            "::",
            "::1",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::fb",
            "ff0e::1",
        ] {
            assert_eq!(judge(&policy, near), Verdict::Near, "{near}");
        }
    }

    #[test]
    fn what_is_anybodys_is_let_through() {
        let policy = PeerPolicy::default();
        for far in [
            "8.8.8.8",
            "1.0.0.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "223.255.255.255",
            "2600::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:4860::1",
        ] {
            assert_eq!(judge(&policy, far), Verdict::Far, "{far}");
        }
    }

    #[test]
    fn what_is_denied_is_refused_although_it_is_allowed() {
        let policy = PeerPolicy {
            allow: vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
            deny: vec!["10.1.0.0/16".parse().unwrap(), "8.8.8.0/24".parse().unwrap()],
        };
        for (address, verdict) in [
            ("10.0.0.1", Verdict::Allowed),
            ("10.1.0.1", Verdict::Denied),
            ("10.2.0.1", Verdict::Allowed),
            ("::ffff:10.1.0.1", Verdict::Denied),
            ("::ffff:10.2.0.1", Verdict::Far),
            ("8.8.8.8", Verdict::Denied),
            ("2002:808:808::1", Verdict::Denied),
            ("8.8.9.8", Verdict::Far),
            ("::1", Verdict::Allowed),
            ("127.0.0.1", Verdict::Near),
        ] {
            assert_eq!(judge(&policy, address), verdict, "{address}");
        }
    }

    #[test]
    fn a_prefix_is_what_begins_alike() {
        for (prefix, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("::/0", "ffff::", "0.0.0.0"),
        ] {
            let prefix: Prefix = prefix.parse().unwrap();
            assert!(prefix.contains(ip(inside)) && !prefix.contains(ip(outside)), "{prefix}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "/8", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
