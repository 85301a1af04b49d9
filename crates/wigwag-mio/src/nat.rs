//! Addresses of this machine that peers know by others, which a NAT before it maps to them one to one.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Translates between what sockets have (inside) and what the endpoint and its peers know (outside).
#[derive(Debug, Default)]
pub(crate) struct Nat {
    /// Inside, outside.
    pairs: Vec<(IpAddr, IpAddr)>,
}

impl Nat {
    /// # Errors
    /// Addresses that nobody can have, of two families, or that are there twice: it would not be known which is meant.
    pub(crate) fn new(pairs: &[(IpAddr, IpAddr)]) -> io::Result<Self> {
        for (number, (inside, outside)) in pairs.iter().enumerate() {
            let before = pairs.iter().take(number);
            let problem = if inside.is_unspecified() || outside.is_unspecified() {
                "name one address each"
            } else if inside.is_ipv4() != outside.is_ipv4() {
                "a NAT maps within one family"
            } else if before.clone().any(|known| known.0 == *inside || known.1 == *outside) {
                "one of them is mapped already"
            } else {
                continue;
            };
            let problem = format!("nat_1to1 {inside} to {outside}: {problem}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(Self { pairs: pairs.to_vec() })
    }

    /// What peers know an address of ours by.
    pub(crate) fn outside(&self, address: SocketAddr) -> SocketAddr {
        let pair = self.pairs.iter().find(|pair| pair.0 == address.ip());
        pair.map_or(address, |pair| SocketAddr::new(pair.1, address.port()))
    }

    /// The address of ours that peers know by this one.
    pub(crate) fn inside(&self, address: SocketAddr) -> SocketAddr {
        let pair = self.pairs.iter().find(|pair| pair.1 == address.ip());
        pair.map_or(address, |pair| SocketAddr::new(pair.0, address.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nat(pairs: &[(&str, &str)]) -> io::Result<Nat> {
        let pairs: Vec<_> = pairs.iter().map(|pair| (pair.0.parse().unwrap(), pair.1.parse().unwrap())).collect();
        Nat::new(&pairs)
    }

    #[test]
    fn an_address_is_known_by_another_and_its_port_by_itself() {
        let nat = nat(&[("10.0.0.5", "203.0.113.7"), ("fd00::5", "2001:db8::7")]).unwrap();
        for (inside, outside) in [
            ("10.0.0.5:1000", "203.0.113.7:1000"),
            ("[fd00::5]:2", "[2001:db8::7]:2"),
            ("10.0.0.6:1000", "10.0.0.6:1000"),
        ] {
            let (inside, outside) = (inside.parse().unwrap(), outside.parse().unwrap());
            assert_eq!((nat.outside(inside), nat.inside(outside)), (outside, inside));
        }
    }

    #[test]
    fn what_could_not_be_told_apart_is_refused() {
        for pairs in [
            &[("0.0.0.0", "203.0.113.7")][..],
            &[("10.0.0.5", "0.0.0.0")],
            &[("10.0.0.5", "2001:db8::7")],
            &[("10.0.0.5", "203.0.113.7"), ("10.0.0.5", "203.0.113.8")],
            &[("10.0.0.5", "203.0.113.7"), ("10.0.0.6", "203.0.113.7")],
        ] {
            let error = nat(pairs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(pairs[pairs.len() - 1].1), "{error}");
        }
    }
}
