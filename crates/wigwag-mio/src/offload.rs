//! One UDP socket, with what the kernel can do for it: local addresses, congestion marks, several datagrams a call.
//!
//! `quinn-udp` speaks to the kernel (PKTINFO, ECN, GSO and GRO on Linux; what there is elsewhere).

use crate::config::DriverConfig;
use crate::stats::DriverStats;
use mio::net::UdpSocket;
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use wigwag_sansio::{Datagram, Ecn, Protocol, Transmit};

/// How many buffers are given to the kernel at a time; each can hold many datagrams where it coalesces them.
const RECEIVE_BATCH: usize = 16;
/// The largest datagram, and the largest train of coalesced ones.
const RECEIVE_LEN: usize = 65_536;
/// The most that one call may send: UDP's length field, less the headers of UDP and IPv6.
const SEND_LEN_MAX: usize = 65_535 - 8 - 40;

/// Linux hands a socket what comes to groups that others have joined, on whatever interface.
pub(crate) fn hear_own_groups_only(socket: &socket2::Socket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    let _ = socket;
    Ok(())
}

/// Where datagrams arrive; one for all sockets, since its content is used up before the next call.
pub(crate) struct ReceiveBuffer(Vec<u8>);

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self(vec![0; RECEIVE_BATCH * RECEIVE_LEN])
    }
}

/// What became of something to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Everything was taken, or is lost and counted.
    Done,
    /// The kernel has no room for what begins here; it will be writable again.
    Blocked(usize),
}

/// What there was to be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Nothing; new readiness will tell.
    Nothing,
    /// Something, and there may be more, of which no new readiness will tell.
    Some,
    /// An error, and there may be something behind it.
    Failed,
}

/// A bound socket that never blocks.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) io: UdpSocket,
    state: UdpSocketState,
    /// What it is bound to; the address may be unspecified, the port is not.
    pub(crate) bound: SocketAddr,
    max_segments: usize,
}

impl Socket {
    pub(crate) fn bind(address: SocketAddr, config: &DriverConfig) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if address.is_ipv6() {
            // The two families have sockets of their own, so that no address appears in two shapes.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        // The kernel grants what its limits allow: less is no error.
        if let Err(error) = socket.set_recv_buffer_size(config.receive_buffer_size) {
            tracing::debug!(%address, %error, "the receive buffer keeps its size");
        }
        if let Err(error) = socket.set_send_buffer_size(config.send_buffer_size) {
            tracing::debug!(%address, %error, "the send buffer keeps its size");
        }
        let io = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let bound = io.local_addr()?;
        tracing::debug!(%bound, gso = state.max_gso_segments(), gro = state.gro_segments(), "socket bound");
        Ok(Self { io, state, bound, max_segments: config.max_segments.max(1) })
    }

    /// How many datagrams one call can take; falls to one when the kernel has refused several.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments().clamp(1, self.max_segments)
    }

    /// Sends `bytes[start..]`, which are datagrams of the transmit's segment size, in as few calls as the kernel allows.
    pub(crate) fn send(&mut self, transmit: &Transmit, bytes: &[u8], start: usize, stats: &mut DriverStats) -> Sent {
        let segment_size = if transmit.segment_size == 0 { bytes.len().max(1) } else { transmit.segment_size };
        let segments_before = self.state.max_gso_segments();
        let mut at = start;
        // What one call was refused with: where it began, and its length.
        let mut refused = None;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let segments = self.max_segments().min(SEND_LEN_MAX / segment_size).max(1);
            let chunk = rest.get(..segments.saturating_mul(segment_size)).unwrap_or(rest);
            let mut done = chunk.len();
            match self.send_chunk(transmit, chunk, segment_size) {
                Ok(()) => count_sent(stats, chunk, segment_size),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Blocked(at),
                // The interface cannot take several at once: what was one call is now many.
                Err(_) if chunk.len() > segment_size && self.max_segments() < segments => {
                    refused = Some((at, chunk.len()));
                    continue;
                }
                Err(error) => {
                    // Nor is one taken alone: the others of that call have the same way, and it was not their number.
                    done = refused.filter(|refused| refused.0 == at).map_or(done, |refused| refused.1);
                    count_lost(stats, &error, transmit, done.div_ceil(segment_size));
                    if self.state.max_gso_segments() < segments_before {
                        self.take_several_again();
                    }
                }
            }
            at += done;
        }
        Sent::Done
    }

    /// For some errors (on Linux EINVAL, as of an address that has vanished) `quinn-udp` gives up several datagrams a call and
    /// congestion marks for good, whatever the reason was.
    fn take_several_again(&mut self) {
        if let Ok(state) = UdpSocketState::new(UdpSockRef::from(&self.io)) {
            self.state = state;
        }
    }

    fn send_chunk(&self, transmit: &Transmit, chunk: &[u8], segment_size: usize) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: transmit.remote,
            ecn: EcnCodepoint::from_bits(transmit.ecn.bits()),
            contents: chunk,
            segment_size: (chunk.len() > segment_size).then_some(segment_size),
            // A socket with an address of its own sends from it anyway.
            src_ip: self.bound.ip().is_unspecified().then(|| transmit.local.ip()),
        };
        self.io.try_io(|| self.state.try_send(UdpSockRef::from(&self.io), &transmit))
    }

    /// Hands what has arrived to `each`, up to some datagrams.
    pub(crate) fn receive(
        &self,
        buffer: &mut ReceiveBuffer,
        stats: &mut DriverStats,
        mut each: impl FnMut(Datagram<'_>),
    ) -> Received {
        let mut parts = buffer.0.chunks_exact_mut(RECEIVE_LEN);
        let mut slices: [IoSliceMut<'_>; RECEIVE_BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(parts.next().unwrap_or_default()));
        let mut metas = [RecvMeta::default(); RECEIVE_BATCH];
        let result = self.io.try_io(|| self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut metas));
        let count = match result {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
            Err(error) => {
                // Such as an ICMP error that some systems report here, which is then no longer pending; others persist.
                tracing::debug!(bound = %self.bound, %error, "not received");
                stats.receive_errors += 1;
                return Received::Failed;
            }
        };
        stats.receive_calls += 1;
        for (slice, meta) in slices.iter_mut().zip(&metas).take(count) {
            self.deliver(slice, meta, stats, &mut each);
        }
        Received::Some
    }

    /// Cuts what the kernel has coalesced into datagrams again.
    fn deliver(&self, slice: &mut [u8], meta: &RecvMeta, stats: &mut DriverStats, each: &mut impl FnMut(Datagram<'_>)) {
        let local = local_address(self.bound, meta);
        let ecn = meta.ecn.map_or(Ecn::NotEct, |ecn| Ecn::from_bits(ecn as u8));
        let bytes = slice.get_mut(..meta.len).unwrap_or_default();
        if bytes.is_empty() {
            stats.dropped_empty += 1;
        }
        for payload in bytes.chunks_mut(meta.stride.max(1)) {
            stats.datagrams_received += 1;
            stats.bytes_received += payload.len() as u64;
            each(Datagram { protocol: Protocol::Udp, local, remote: meta.addr, ecn, payload });
        }
    }
}

/// The address that a datagram came to. With that of a link comes which link it is, as in the address of its sender.
fn local_address(bound: SocketAddr, meta: &RecvMeta) -> SocketAddr {
    match meta.dst_ip {
        Some(IpAddr::V6(ip)) if bound.ip().is_unspecified() && ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, bound.port(), 0, meta.interface_index.unwrap_or(0)).into()
        }
        Some(ip) if bound.ip().is_unspecified() => SocketAddr::new(ip, bound.port()),
        _ => bound,
    }
}

fn count_sent(stats: &mut DriverStats, chunk: &[u8], segment_size: usize) {
    stats.send_calls += 1;
    stats.datagrams_sent += chunk.len().div_ceil(segment_size) as u64;
    stats.bytes_sent += chunk.len() as u64;
}

/// What the kernel does not take is lost, as on any network.
fn count_lost(stats: &mut DriverStats, error: &io::Error, transmit: &Transmit, datagrams: usize) {
    tracing::debug!(%error, local = %transmit.local, remote = %transmit.remote, "not sent");
    let counter = match error.kind() {
        _ if quinn_udp::is_msg_size_err(error) => &mut stats.dropped_too_large,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
            &mut stats.dropped_no_route
        }
        _ => &mut stats.dropped_refused,
    };
    *counter += datagrams as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_link_says_which_link() {
        let mut meta = RecvMeta::default();
        meta.interface_index = Some(7);
        for (bound, came_to, expected) in [
            ("[::]:5", "fe80::1", "[fe80::1%7]:5"),
            ("[::]:5", "2001:db8::1", "[2001:db8::1]:5"),
            ("[fe80::1%3]:5", "fe80::1", "[fe80::1%3]:5"),
            ("0.0.0.0:5", "169.254.0.1", "169.254.0.1:5"),
            ("10.0.0.1:5", "10.0.0.1", "10.0.0.1:5"),
        ] {
            meta.dst_ip = Some(came_to.parse().unwrap());
            assert_eq!(local_address(bound.parse().unwrap(), &meta), expected.parse().unwrap());
        }
    }
}
