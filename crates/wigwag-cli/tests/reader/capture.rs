//! Captures (draft-ietf-opsawg-pcapng), as far as those of `--pcap` go: blocks, interfaces, packets.

use std::net::{IpAddr, SocketAddr};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const IF_NAME: u16 = 2;
const UDP: u8 = 17;

/// A datagram of UDP, and who sent it.
#[derive(Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) payload: &'a [u8],
}

/// The datagrams of the interface `wire`.
pub(crate) fn datagrams(capture: &[u8]) -> Vec<Datagram<'_>> {
    packets(capture, "wire").into_iter().filter_map(datagram).collect()
}

/// What the interface `plain` has for this dissector.
pub(crate) fn plain<'a>(capture: &'a [u8], dissector: &str) -> Vec<&'a [u8]> {
    let packet = |mut bytes: &'a [u8]| {
        let mut name = None;
        loop {
            let (tag, len) = (be16(bytes, 0), usize::from(be16(bytes, 2)));
            let (value, rest) = bytes[4..].split_at(len);
            bytes = rest;
            match tag {
                0 => return (name == Some(dissector.as_bytes())).then_some(bytes),
                12 => name = Some(&value[..value.iter().position(|byte| *byte == 0).unwrap_or(len)]),
                _ => {}
            }
        }
    };
    packets(capture, "plain").into_iter().filter_map(packet).collect()
}

/// The packets of the interfaces of this name, in their order.
fn packets<'a>(mut capture: &'a [u8], name: &str) -> Vec<&'a [u8]> {
    let (mut order, mut interfaces, mut packets) = (Order::Little, Vec::new(), Vec::new());
    while !capture.is_empty() {
        // The type of a section header reads the same in both orders; what follows its length tells which it is.
        if order.u32(capture, 0) == SECTION_HEADER {
            order = if capture[8] == 0x1A { Order::Big } else { Order::Little };
            interfaces.clear();
        }
        let (block, rest) = capture.split_at(order.u32(capture, 4) as usize);
        capture = rest;
        let body = &block[8..block.len() - 4];
        match order.u32(block, 0) {
            INTERFACE_DESCRIPTION => interfaces.push(interface_name(order, &body[8..])),
            ENHANCED_PACKET if interfaces[order.u32(body, 0) as usize] == name.as_bytes() => {
                packets.push(&body[20..20 + order.u32(body, 12) as usize]);
            }
            _ => {}
        }
    }
    packets
}

fn interface_name(order: Order, mut options: &[u8]) -> &[u8] {
    while options.len() >= 4 {
        let (code, len) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
        if code == IF_NAME {
            return &options[4..4 + len];
        }
        options = &options[4 + len.next_multiple_of(4)..];
    }
    &[]
}

/// That of the bytes of a number.
#[derive(Clone, Copy)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        match self {
            Self::Big => be16(bytes, at),
            Self::Little => be16(bytes, at).swap_bytes(),
        }
    }

    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let [first, second] = [self.u16(bytes, at), self.u16(bytes, at + 2)].map(u32::from);
        match self {
            Self::Big => first << 16 | second,
            Self::Little => second << 16 | first,
        }
    }
}

fn datagram(packet: &[u8]) -> Option<Datagram<'_>> {
    let address = |at: usize| match packet[0] >> 4 {
        4 => <[u8; 4]>::try_from(&packet[at..at + 4]).map(IpAddr::from).ok(),
        _ => <[u8; 16]>::try_from(&packet[at..at + 16]).map(IpAddr::from).ok(),
    };
    let (protocol, source, header_len) = match packet[0] >> 4 {
        4 => (packet[9], 12, usize::from(packet[0] & 15) * 4),
        _ => (packet[6], 8, 40),
    };
    let udp = &packet[header_len..];
    let from = SocketAddr::new(address(source)?, be16(udp, 0));
    (protocol == UDP).then_some(Datagram { from, payload: &udp[8..] })
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
