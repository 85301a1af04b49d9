//! Addresses and the fields that carry them (RFC 8866 §5.7, §9).

use crate::error::Expected;
use crate::fields::Fields;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address, or whatever else stands where one may stand: a domain name, a `.local` name, a multicast address
/// with its time to live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// An address.
    Ip(IpAddr),
    /// Any other word.
    Name(String),
}

impl Address {
    /// The IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    pub(crate) fn parse(word: &str) -> Self {
        word.parse().map_or_else(|_| Self::Name(word.to_owned()), Self::Ip)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The kind of an address in the lines `o=`, `c=` and `a=rtcp`, where a name does not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressType {
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
}

/// Where media goes: `IN IP4 0.0.0.0` (RFC 8866 §5.7). With ICE it says nothing, the candidates do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How to read a name.
    pub address_type: AddressType,
    /// The address.
    pub address: Address,
}

impl Connection {
    /// That of an address.
    #[must_use]
    pub fn new(ip: IpAddr) -> Self {
        let address_type = if ip.is_ipv4() { AddressType::Ip4 } else { AddressType::Ip6 };
        Self { address_type, address: Address::Ip(ip) }
    }

    /// `IN IP4 0.0.0.0` or `IN IP6 ::`, which no candidate stands behind yet (RFC 8840 §4.1.1).
    #[must_use]
    pub fn unspecified(address_type: AddressType) -> Self {
        Self::new(match address_type {
            AddressType::Ip4 => Ipv4Addr::UNSPECIFIED.into(),
            AddressType::Ip6 => Ipv6Addr::UNSPECIFIED.into(),
        })
    }

    pub(crate) fn parse(value: &str) -> Result<Self, Expected> {
        let mut fields = Fields::new(value);
        let connection = Self::read(&mut fields)?;
        fields.end(EXPECTED)?;
        Ok(connection)
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, Expected> {
        if fields.word(EXPECTED)? != "IN" {
            return Err(Expected(EXPECTED));
        }
        let address_type = match fields.word(EXPECTED)? {
            "IP4" => AddressType::Ip4,
            "IP6" => AddressType::Ip6,
            _ => return Err(Expected(EXPECTED)),
        };
        Ok(Self { address_type, address: Address::parse(fields.word(EXPECTED)?) })
    }
}

const EXPECTED: &str = "an address: IN, IP4 or IP6, and the address";

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address_type = match self.address_type {
            AddressType::Ip4 => "IP4",
            AddressType::Ip6 => "IP6",
        };
        write!(f, "IN {address_type} {}", self.address)
    }
}
