//! Headers of IP and UDP around a payload (RFC 791, RFC 8200, RFC 768).

use std::net::SocketAddr;

const UDP: u8 = 17;
const UDP_HEADER_LEN: u16 = 8;
const IPV4_HEADER_LEN: u16 = 20;
const HOP_LIMIT: u8 = 64;

/// `None` if no IP packet can hold it.
pub(crate) fn packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_len = u16::try_from(payload.len()).ok()?.checked_add(UDP_HEADER_LEN)?;
    let (mut packet, addresses) = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let addresses = [from.ip().octets(), to.ip().octets()].concat();
            (ipv4_header(&addresses, udp_len.checked_add(IPV4_HEADER_LEN)?), addresses)
        }
        (from, to) => {
            let octets = |address: SocketAddr| match address {
                SocketAddr::V4(address) => address.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(address) => address.ip().octets(),
            };
            let addresses = [octets(from), octets(to)].concat();
            (ipv6_header(&addresses, udp_len), addresses)
        }
    };
    let mut udp = [from.port(), to.port(), udp_len, 0].map(u16::to_be_bytes).concat();
    // RFC 768 and RFC 8200 §8.1: over the addresses, the protocol, the length, the header and the payload.
    let sum = match checksum(&[&addresses, &[0, UDP], &udp_len.to_be_bytes(), &udp, payload]) {
        // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
        0 => u16::MAX,
        sum => sum,
    };
    udp.splice(6.., sum.to_be_bytes());
    packet.extend_from_slice(&udp);
    packet.extend_from_slice(payload);
    Some(packet)
}

fn ipv4_header(addresses: &[u8], total_len: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&total_len.to_be_bytes());
    // Identification 0, don't fragment.
    header.extend_from_slice(&[0, 0, 0x40, 0, HOP_LIMIT, UDP]);
    let sum = checksum(&[&header, addresses]);
    header.extend_from_slice(&sum.to_be_bytes());
    header.extend_from_slice(addresses);
    header
}

fn ipv6_header(addresses: &[u8], payload_len: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&payload_len.to_be_bytes());
    header.extend_from_slice(&[UDP, HOP_LIMIT]);
    header.extend_from_slice(addresses);
    header
}

/// The internet checksum (RFC 1071) of parts of which all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2)).map(|word| match *word {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    // 65,535 bytes are too few words to overflow.
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 §3, whose sum is ddf2 before the complement.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0x12]]), !0x1200);
    }

    /// The example of an IPv4 header checksum at en.wikipedia.org/wiki/Internet_checksum.
    #[test]
    fn the_checksum_is_that_of_a_known_header() {
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert_eq!(checksum(&[&header]), 0xb861);
    }

    /// Whoever checks a packet sums all of it, the checksum included, and gets zero.
    #[test]
    fn receivers_would_accept_the_headers() {
        for (from, to) in [("192.0.2.1:1000", "192.0.2.2:2000"), ("[2001:db8::1]:1000", "[2001:db8::2]:2000")] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            for payload in [b"".as_slice(), b"odd", b"even"] {
                let packet = packet(from, to, payload).unwrap();
                let (ip, udp) = packet.split_at(packet.len() - 8 - payload.len());
                let (addresses, len) = if from.is_ipv4() {
                    assert_eq!(checksum(&[ip]), 0);
                    (&ip[12..], u16::from_be_bytes([ip[2], ip[3]]) - 20)
                } else {
                    (&ip[8..], u16::from_be_bytes([ip[4], ip[5]]))
                };
                assert_eq!(usize::from(len), 8 + payload.len());
                assert_eq!(checksum(&[addresses, &[0, 17], &len.to_be_bytes(), udp]), 0);
            }
        }
    }

    #[test]
    fn a_packet_holds_addresses_ports_and_the_payload() {
        let packet = packet("10.0.0.1:1000".parse().unwrap(), "10.0.0.2:2000".parse().unwrap(), b"hey").unwrap();
        assert_eq!(packet[..12], [0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x26, 0xcc]);
        assert_eq!(packet[12..20], [10, 0, 0, 1, 10, 0, 0, 2]);
        assert_eq!(packet[20..28], [0x03, 0xe8, 0x07, 0xd0, 0, 11, 0xfe, 0xb7]);
        assert_eq!(packet[28..], *b"hey");
    }

    #[test]
    fn the_longest_payload_is_what_ip_can_hold() {
        let (four, six): (SocketAddr, SocketAddr) = ("10.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert_eq!(packet(four, four, &[0; 65_507]).map(|packet| packet.len()), Some(65_535));
        assert_eq!(packet(four, four, &[0; 65_508]), None);
        assert_eq!(packet(six, six, &[0; 65_527]).map(|packet| packet.len()), Some(65_575));
        assert_eq!(packet(six, six, &[0; 65_528]), None);
        assert_eq!(packet(six, four, b"x").map(|packet| packet[0]), Some(0x60));
    }
}
