//! What stands before a packet that was on no wire: who reads it, and whence it came (Wireshark's "exported PDU", as in
//! `epan/exported_pdu.h`).

use std::net::{IpAddr, SocketAddr};

const END: u16 = 0;
const DISSECTOR_NAME: u16 = 12;
const IPV4_SRC: u16 = 20;
const IPV4_DST: u16 = 21;
const IPV6_SRC: u16 = 22;
const IPV6_DST: u16 = 23;
const SRC_PORT: u16 = 25;
const DST_PORT: u16 = 26;

/// What reads a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dissector {
    /// SCTP (RFC 9260), with the messages of data channels inside.
    Sctp,
    /// RTP (RFC 3550).
    Rtp,
    /// RTCP (RFC 3550).
    Rtcp,
}

impl Dissector {
    /// As Wireshark calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Sctp => "sctp",
            Self::Rtp => "rtp",
            Self::Rtcp => "rtcp",
        }
    }
}

/// The type of the ports is not told, or it would take RTP for the SRTP that the handshake on the same ports announced.
pub(crate) fn tags(from: SocketAddr, to: SocketAddr, dissector: Dissector) -> Vec<u8> {
    let mut out = Vec::new();
    tag(&mut out, DISSECTOR_NAME, dissector.name().as_bytes());
    for (ip, four, six) in [(from.ip(), IPV4_SRC, IPV6_SRC), (to.ip(), IPV4_DST, IPV6_DST)] {
        match ip {
            IpAddr::V4(ip) => tag(&mut out, four, &ip.octets()),
            IpAddr::V6(ip) => tag(&mut out, six, &ip.octets()),
        }
    }
    tag(&mut out, SRC_PORT, &u32::from(from.port()).to_be_bytes());
    tag(&mut out, DST_PORT, &u32::from(to.port()).to_be_bytes());
    tag(&mut out, END, b"");
    out
}

/// Values are padded to 32 bits, and the padding counts.
fn tag(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = value.len().next_multiple_of(4);
    let padding = &[0; 3][..len - value.len()];
    out.extend_from_slice(&[kind, u16::try_from(len).unwrap_or_default()].map(u16::to_be_bytes).concat());
    out.extend_from_slice(value);
    out.extend_from_slice(padding);
}
