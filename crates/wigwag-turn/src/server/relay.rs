//! Data on its way through (RFC 8656 §11, §12.5 to §12.7).

use super::{FiveTuple, Server};
use crate::attribute::{DATA, DATA_INDICATION, XOR_PEER_ADDRESS, value, xor_address};
use crate::channel_data;
use crate::stats::count;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Ecn, Protocol};
use wigwag_stun::{Class, Message, MessageWriter, TransactionId};

/// The longest that UDP carries over IPv4.
const DATAGRAM_LEN_MAX: usize = 65_507;

impl Server {
    /// A Send indication.
    // RFC 8656 §11.2: "The Send indication MUST contain both an XOR-PEER-ADDRESS attribute and a DATA attribute. If one of these attributes
    // is missing or invalid, then the message is discarded."
    pub(super) fn send_indication(&mut self, way: FiveTuple, ecn: Ecn, message: &Message<'_>, now: Instant) {
        let found = xor_address(message, XOR_PEER_ADDRESS).zip(value(message, DATA));
        match found.filter(|_| super::request::unknown(message).next().is_none()) {
            Some((peer, data)) => self.relay_to_peer(way, ecn, peer, data, now),
            None => count(&mut self.stats.malformed),
        }
    }

    /// ChannelData.
    pub(super) fn channel_data(&mut self, way: FiveTuple, ecn: Ecn, payload: &[u8], now: Instant) {
        let found = channel_data::decode(payload).and_then(|(number, range)| Some((number, payload.get(range)?)));
        let Some((number, data)) = found else { return count(&mut self.stats.malformed) };
        // RFC 8656 §12.6: "If the ChannelData message is received on a channel that is not bound to any peer, then the message is silently
        // discarded."
        let peer = self.allocations.get(&way).and_then(|allocation| allocation.channels.peer_of(number, now));
        match peer {
            Some(peer) => self.relay_to_peer(way, ecn, peer, data, now),
            None => count(&mut self.stats.unallocated),
        }
    }

    fn relay_to_peer(&mut self, way: FiveTuple, ecn: Ecn, peer: SocketAddr, data: &[u8], now: Instant) {
        let Some(allocation) = self.allocations.get(&way).filter(|allocation| allocation.is_open()) else {
            return count(&mut self.stats.unallocated);
        };
        let relayed = allocation.relayed;
        if !allocation.permissions.has(peer.ip(), now) {
            return count(&mut self.stats.no_permission);
        }
        if !self.may_reach(peer) {
            return count(&mut self.stats.forbidden);
        }
        let mut out = self.outbox.buffer();
        out.extend_from_slice(data);
        let way_on = FiveTuple { protocol: Protocol::Udp, local: relayed, remote: peer };
        if data.len() > DATAGRAM_LEN_MAX {
            count(&mut self.stats.overflowed);
        } else if self.send(way_on, of_datagrams(way, ecn), out) {
            count(&mut self.stats.relayed_to_peers);
            if let Some(allocation) = self.allocations.get_mut(&way) {
                add(&mut allocation.traffic.to_peers, data.len());
            }
        }
    }

    /// A datagram has come to a relayed address.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub(super) fn relay_to_client(&mut self, way: FiveTuple, datagram: Datagram<'_>, now: Instant) {
        let (peer, data) = (datagram.remote, &*datagram.payload);
        let Some(allocation) = self.allocations.get(&way) else { return count(&mut self.stats.unallocated) };
        if !allocation.permissions.has(peer.ip(), now) {
            return count(&mut self.stats.no_permission);
        }
        let number = allocation.channels.number_of(peer, now);
        let mut out = self.outbox.buffer();
        let is_whole = match number {
            Some(number) => wrap_in_channel(number, way.protocol != Protocol::Udp, data, &mut out),
            None => {
                let id = TransactionId::random(&mut self.indications);
                wrap_in_indication(id, peer, data, &mut out)
            }
        };
        if !is_whole || way.protocol == Protocol::Udp && out.len() > DATAGRAM_LEN_MAX {
            count(&mut self.stats.overflowed);
        } else if self.send(way, of_datagrams(way, datagram.ecn), out) {
            count(&mut self.stats.relayed_to_clients);
            if let Some(allocation) = self.allocations.get_mut(&way) {
                add(&mut allocation.traffic.to_client, datagram.payload.len());
            }
        }
    }
}

/// Marks of congestion go through (RFC 8656 §14); a stream has its own.
fn of_datagrams(client: FiveTuple, ecn: Ecn) -> Ecn {
    if client.protocol == Protocol::Udp { ecn } else { Ecn::NotEct }
}

fn add(bytes: &mut u64, len: usize) {
    *bytes = bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
}

fn wrap_in_channel(number: u16, is_padded: bool, data: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(len) = u16::try_from(data.len()) else { return false };
    out.extend_from_slice(&channel_data::header(number, len));
    out.extend_from_slice(data);
    if is_padded {
        out.resize(out.len().next_multiple_of(4), 0);
    }
    true
}

fn wrap_in_indication(id: TransactionId, peer: SocketAddr, data: &[u8], out: &mut Vec<u8>) -> bool {
    let writer = MessageWriter::new(out, Class::Indication, DATA_INDICATION, id).xor_address(XOR_PEER_ADDRESS, peer);
    let with_data = writer.attribute_with(DATA, |out| {
        out.extend_from_slice(data);
        true
    });
    with_data.is_some()
}
