//! MAPPED-ADDRESS and XOR-MAPPED-ADDRESS (RFC 8489 §14.1, §14.2).

use super::header::{MAGIC_COOKIE, TransactionId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const IPV4: u8 = 0x01;
const IPV6: u8 = 0x02;

/// Reads a plain address.
pub(crate) fn decode(value: &[u8]) -> Option<SocketAddr> {
    let ([_, family, p0, p1], address) = value.split_first_chunk()?;
    // RFC 8489 §14.1: "The first 8 bits of the MAPPED-ADDRESS MUST be set to 0 and MUST be ignored by receivers."
    let ip = match *family {
        IPV4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        IPV6 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([*p0, *p1])))
}

/// Reads an address that is hidden behind the cookie and the transaction id.
pub(crate) fn decode_xor(value: &[u8], transaction: TransactionId) -> Option<SocketAddr> {
    decode(value).map(|address| xor(address, transaction))
}

/// Writes an address that is hidden behind the cookie and the transaction id.
pub(crate) fn encode_xor(address: SocketAddr, transaction: TransactionId, write: impl FnOnce(&[u8])) {
    let address = xor(address, transaction);
    let [p0, p1] = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            write(&[0, IPV4, p0, p1, a, b, c, d]);
        }
        IpAddr::V6(ip) => {
            let mut value = [0; 20];
            let fields = [0, IPV6, p0, p1].into_iter().chain(ip.octets());
            for (byte, field) in value.iter_mut().zip(fields) {
                *byte = field;
            }
            write(&value);
        }
    }
}

/// RFC 8489 §14.2: "If the IP address family is IPv4, X-Address is computed by XOR'ing the mapped IP address with the
/// magic cookie. If the IP address family is IPv6, X-Address is computed by XOR'ing the mapped IP address with the
/// concatenation of the magic cookie and the 96-bit transaction ID."
fn xor(address: SocketAddr, TransactionId(transaction): TransactionId) -> SocketAddr {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let port = address.port() ^ u16::from_be_bytes([cookie[0], cookie[1]]);
    let ip = match address.ip() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(ip.to_bits() ^ MAGIC_COOKIE)),
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            for (octet, mask) in octets.iter_mut().zip(cookie.into_iter().chain(transaction)) {
                *octet ^= mask;
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
    };
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_length_of_its_family() {
        assert_eq!(decode(&[9, 1, 0, 80, 192, 0, 2, 1]), Some(SocketAddr::from(([192, 0, 2, 1], 80))));
        assert_eq!(decode(&[0, 1, 0, 80, 192, 0, 2]), None);
        assert_eq!(decode(&[0, 1, 0, 80, 192, 0, 2, 1, 0]), None);
        assert_eq!(decode(&[0, 2, 0, 80, 192, 0, 2, 1]), None);
        assert_eq!(decode(&[0, 3, 0, 80, 192, 0, 2, 1]), None);
        assert_eq!(decode(&[0, 1, 0]), None);
    }
}
