//! Captures in the format of libpcap (draft-ietf-opsawg-pcap), link type raw IP.

use crate::trace::Record;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use wigwag_sansio::Protocol;

/// Times are in nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
/// The packet begins with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u32 = 101;
const UDP: u8 = 17;
const UDP_HEADER_LEN: u16 = 8;
const IPV4_HEADER_LEN: u16 = 20;
const HOP_LIMIT: u8 = 64;

pub(crate) fn write(records: &[Record], mut writer: impl Write) -> io::Result<()> {
    writer.write_all(&MAGIC.to_be_bytes())?;
    writer.write_all(&[0, 2, 0, 4])?;
    for word in [0, 0, u32::from(u16::MAX), LINKTYPE_RAW] {
        writer.write_all(&word.to_be_bytes())?;
    }
    for record in records {
        let Some(packet) = packet(record) else { continue };
        // Virtual time begins in 1970, and no run lasts until 2106.
        let seconds = u32::try_from(record.at.as_secs()).unwrap_or(u32::MAX);
        let len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        for word in [seconds, record.at.subsec_nanos(), len, len] {
            writer.write_all(&word.to_be_bytes())?;
        }
        writer.write_all(&packet)?;
    }
    writer.flush()
}

/// An IP packet; `None` for a stream, which has no packets here, and for what no IP packet can hold.
fn packet(record: &Record) -> Option<Vec<u8>> {
    match record.protocol {
        Protocol::Udp => {}
        Protocol::Tcp | Protocol::Tls => return None,
    }
    let udp_len = u16::try_from(record.payload.len()).ok()?.checked_add(UDP_HEADER_LEN)?;
    let mut packet = match (record.from.ip(), record.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total_len = udp_len.checked_add(IPV4_HEADER_LEN)?;
            ipv4_header([from.octets(), to.octets()], total_len)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6_header([from.octets(), to.octets()], udp_len),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let udp = udp([record.from, record.to], udp_len, &record.payload);
    packet.extend_from_slice(&udp);
    Some(packet)
}

fn ipv4_header(addresses: [[u8; 4]; 2], total_len: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&total_len.to_be_bytes());
    // Identification 0, don't fragment.
    header.extend_from_slice(&[0, 0, 0x40, 0, HOP_LIMIT, UDP]);
    let sum = checksum([&header, addresses.as_flattened()]);
    header.extend_from_slice(&sum.to_be_bytes());
    header.extend_from_slice(addresses.as_flattened());
    header
}

fn ipv6_header(addresses: [[u8; 16]; 2], payload_len: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&payload_len.to_be_bytes());
    header.extend_from_slice(&[UDP, HOP_LIMIT]);
    header.extend_from_slice(addresses.as_flattened());
    header
}

fn udp([from, to]: [SocketAddr; 2], udp_len: u16, payload: &[u8]) -> Vec<u8> {
    let mut pseudo = Vec::new();
    for address in [from, to] {
        match address.ip() {
            IpAddr::V4(ip) => pseudo.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => pseudo.extend_from_slice(&ip.octets()),
        }
    }
    pseudo.extend_from_slice(&[0, UDP]);
    pseudo.extend_from_slice(&udp_len.to_be_bytes());
    let mut header: Vec<u8> = [from.port(), to.port(), udp_len].iter().flat_map(|word| word.to_be_bytes()).collect();
    pseudo.extend_from_slice(&header);
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    let sum = match checksum([&pseudo, payload]) {
        0 => u16::MAX,
        sum => sum,
    };
    header.extend_from_slice(&sum.to_be_bytes());
    header.extend_from_slice(payload);
    header
}

/// The internet checksum (RFC 1071) of parts of which each but the last has an even length.
fn checksum(parts: [&[u8]; 2]) -> u16 {
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
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fate;
    use std::time::Duration;

    fn record(from: &str, to: &str, payload: &[u8]) -> Record {
        let (at, payload) = (Duration::from_micros(1_500_001), payload.to_vec());
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Record { at, protocol: Protocol::Udp, from, to, payload, fate: Fate::Passed, hosts: (0, Some(1)) }
    }

    /// The example of an IPv4 header checksum at en.wikipedia.org/wiki/Internet_checksum.
    #[test]
    fn the_checksum_is_the_internets() {
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert_eq!(checksum([&header, &[]]), 0xb861);
    }

    #[test]
    fn a_capture_holds_headers_times_and_payloads() {
        let mut out = Vec::new();
        write(&[record("10.0.0.1:1000", "10.0.0.2:2000", b"hey")], &mut out).unwrap();
        let (file, rest) = out.split_at(24);
        assert_eq!(file, [0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 101]);
        let (record, packet) = rest.split_at(16);
        assert_eq!(record, [1u32, 500_001_000, 31, 31].map(u32::to_be_bytes).as_flattened());
        assert_eq!(packet[..12], [0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x26, 0xcc]);
        assert_eq!(packet[12..20], [10, 0, 0, 1, 10, 0, 0, 2]);
        assert_eq!(packet[20..28], [0x03, 0xe8, 0x07, 0xd0, 0, 11, 0xfe, 0xb7]);
        assert_eq!(packet[28..], *b"hey");
        assert_eq!(checksum([&packet[..20], &[]]), 0, "a header with its sum sums up to nothing");
    }

    #[test]
    fn ipv6_is_captured_and_streams_are_not() {
        let mut six = record("[::1]:1", "[::2]:2", &[0; 5]);
        let packet = packet(&six).unwrap();
        assert_eq!((packet.len(), packet[0], packet[6]), (53, 0x60, 17));
        assert_eq!(packet[40..48], [0, 1, 0, 2, 0, 13, 0xff, 0xce]);
        six.protocol = Protocol::Tcp;
        assert_eq!(super::packet(&six), None);
        assert_eq!(super::packet(&record("[::1]:1", "10.0.0.1:1", &[])), None);
        assert_eq!(super::packet(&record("10.0.0.1:1", "10.0.0.2:1", &[0; 65_535])), None);
    }
}
