//! What arrives from, and what leaves for, the network.

use std::net::SocketAddr;

/// How bytes travel below us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// A byte stream, named by (protocol, local, remote).
    Tcp,
    /// A byte stream inside TLS, which is the driver's.
    Tls,
}

/// Explicit congestion notification, the two low bits of the traffic class (RFC 3168 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct,
    /// ECN-capable transport (1): L4S (RFC 9331).
    Ect1,
    /// ECN-capable transport (0).
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl Ecn {
    /// The codepoint of the two low bits of a traffic class; other bits are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits of this codepoint.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::Ce => 3,
        }
    }
}

/// A differentiated services codepoint: the six high bits of the traffic class (RFC 2474, RFC 8837).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dscp(u8);

impl Dscp {
    /// Best effort.
    pub const DEFAULT: Self = Self(0);
    /// Expedited forwarding: audio.
    pub const EF: Self = Self(46);
    /// Assured forwarding 41: video.
    pub const AF41: Self = Self(34);

    /// A codepoint of 0 to 63; `None` for more.
    pub const fn new(codepoint: u8) -> Option<Self> {
        if codepoint < 64 { Some(Self(codepoint)) } else { None }
    }

    /// The codepoint, 0 to 63.
    pub const fn codepoint(self) -> u8 {
        self.0
    }
}

/// A datagram, or the next bytes of a stream, that arrived. Whoever reads it may decrypt it where it lies.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// How it travelled.
    pub protocol: Protocol,
    /// Where it arrived: the address of a local candidate, also where the socket is a wildcard.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
    /// What the network says of its congestion.
    pub ecn: Ecn,
    /// The bytes. Of a stream: the next ones, cut anywhere, and none when it ended or could not be opened.
    pub payload: &'a mut [u8],
}

impl<'a> Datagram<'a> {
    /// A UDP datagram without a congestion mark.
    pub const fn udp(local: SocketAddr, remote: SocketAddr, payload: &'a mut [u8]) -> Self {
        Self { protocol: Protocol::Udp, local, remote, ecn: Ecn::NotEct, payload }
    }

    /// The next bytes of a TCP stream.
    pub const fn tcp(local: SocketAddr, remote: SocketAddr, payload: &'a mut [u8]) -> Self {
        Self { protocol: Protocol::Tcp, local, remote, ecn: Ecn::NotEct, payload }
    }
}

/// Where the caller's buffer goes: it holds datagrams of `segment_size` bytes, of which the last may be shorter.
///
/// Of a stream, the buffer holds its next bytes: the first transmit opens it, an empty one closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// How it shall travel.
    pub protocol: Protocol,
    /// From which local address.
    pub local: SocketAddr,
    /// Whither.
    pub remote: SocketAddr,
    /// The congestion mark to set.
    pub ecn: Ecn,
    /// The codepoint to set.
    pub dscp: Dscp,
    /// The size of each datagram in the buffer but the last, in bytes; `out.chunks(segment_size)` are the datagrams.
    pub segment_size: usize,
}

impl Transmit {
    /// UDP without marks, one segment size.
    pub const fn udp(local: SocketAddr, remote: SocketAddr, segment_size: usize) -> Self {
        Self { protocol: Protocol::Udp, local, remote, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, segment_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecn_is_the_two_low_bits_of_the_traffic_class() {
        for bits in 0..=255 {
            assert_eq!(Ecn::from_bits(bits).bits(), bits & 3);
        }
    }

    #[test]
    fn a_codepoint_has_six_bits() {
        assert_eq!(Dscp::new(63).map(Dscp::codepoint), Some(63));
        assert_eq!(Dscp::new(64), None);
    }
}
