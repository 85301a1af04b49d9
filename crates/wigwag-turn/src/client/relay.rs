//! Datagrams to peers and from them, inside those to and from the server (RFC 8656 §11, §12).

use super::Client;
use crate::attribute::{DATA, DATA_INDICATION, SEND, XOR_PEER_ADDRESS, xor_address};
use crate::channel_data::{self, HEADER_LEN};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Protocol};
use wigwag_stun::{Class, Message, MessageWriter, Method, TransactionId};

/// What a Send indication needs besides the data and its padding: its header, XOR-PEER-ADDRESS, and the header of DATA.
const fn send_len(peer: SocketAddr) -> usize {
    match peer {
        SocketAddr::V4(_) => 20 + 12 + 4,
        SocketAddr::V6(_) => 20 + 24 + 4,
    }
}

/// RFC 8489 §14: values are padded to a multiple of four bytes.
const PADDING_MAX: usize = 3;

impl Client {
    /// How many bytes [`wrap`](Self::wrap) needs for a datagram to this peer at most, besides its own: 4 once it is
    /// [bound](Self::bind), or 7 over a stream; else 39, or 51 if its address is of IPv6.
    pub fn overhead(&self, peer: SocketAddr) -> usize {
        match self.peers.number_of(peer) {
            Some(_) if self.is_over_stream() => HEADER_LEN.saturating_add(PADDING_MAX),
            Some(_) => HEADER_LEN,
            None => send_len(peer).saturating_add(PADDING_MAX),
        }
    }

    /// Appends a datagram to the server that has it send one to `peer`; or, if `write` says `false`, or nothing is relayed (any more),
    /// changes nothing and says `false`.
    ///
    /// `write` appends the peer's datagram, of at most the bytes that it is told, or nothing. The whole is of at most `limit` bytes: four
    /// more if the peer is [bound](Self::bind), up to 7 over a stream; up to 39 otherwise, 51 if its address is of IPv6.
    pub fn wrap(
        &mut self,
        peer: SocketAddr,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
    ) -> bool {
        if self.relayed().is_none() {
            return false;
        }
        let Some(number) = self.peers.number_of(peer) else {
            let Some(limit) = limit.checked_sub(send_len(peer)) else { return false };
            let id = *self.indication.get_or_insert_with(|| TransactionId::random(&mut self.indications));
            // The data is padded to a multiple of four bytes, which is not to be more than there is room for.
            let is_written = wrap_in_indication(id, peer, limit & !3, out, write);
            if is_written {
                self.indication = None;
            }
            return is_written;
        };
        let Some(mut limit) = limit.checked_sub(HEADER_LEN) else { return false };
        limit = limit.min(usize::from(u16::MAX));
        let start = out.len();
        let is_written = if self.is_over_stream() {
            let is_written = wrap_in_channel(number, limit & !3, out, write);
            pad(out, start);
            is_written
        } else {
            wrap_in_channel(number, limit, out, write)
        };
        if is_written {
            self.peers.used(peer);
        }
        is_written
    }

    /// The same for a datagram that is written already: `packet` becomes one to the server. `false` if nothing is relayed (any more), or it
    /// is too long for a datagram.
    pub fn enclose(&mut self, peer: SocketAddr, packet: &mut Vec<u8>) -> bool {
        let mut inner = std::mem::take(&mut self.scratch);
        inner.clear();
        inner.append(packet);
        let is_wrapped = self.wrap(peer, usize::from(u16::MAX), packet, |limit, out| {
            out.extend_from_slice(&inner);
            inner.len() <= limit
        });
        self.scratch = inner;
        is_wrapped
    }

    pub(super) fn read(&mut self, datagram: Datagram<'_>, now: Instant, up: impl FnMut(Datagram<'_>)) {
        let ours = (self.config.protocol, self.config.local, self.server);
        if (datagram.protocol, datagram.local, datagram.remote) != ours {
            self.stats.wrong_path = self.stats.wrong_path.saturating_add(1);
        } else if self.is_over() {
            self.stats.after_end = self.stats.after_end.saturating_add(1);
        } else if channel_data::is_likely(datagram.payload) {
            self.read_channel_data(datagram, up);
        } else {
            self.read_message(datagram, now, up);
        }
    }

    fn read_channel_data(&mut self, datagram: Datagram<'_>, up: impl FnMut(Datagram<'_>)) {
        match channel_data::decode(datagram.payload) {
            None => self.stats.malformed = self.stats.malformed.saturating_add(1),
            Some((number, range)) => {
                let peer = self.peers.peer_of(number);
                self.hand_on(peer, datagram, range, up);
            }
        }
    }

    fn read_message(&mut self, datagram: Datagram<'_>, now: Instant, up: impl FnMut(Datagram<'_>)) {
        match Message::decode(datagram.payload).map(|message| (message.class(), message.method(), message)) {
            Ok((Class::SuccessResponse | Class::ErrorResponse, _, message)) => self.handle_response(&message, now),
            // RFC 8656 §11.4: a client "MUST" find both, and ignores what it does not understand.
            Ok((Class::Indication, method, message)) if method == DATA_INDICATION => {
                let peer = xor_address(&message, XOR_PEER_ADDRESS);
                match (peer, message.position(DATA)) {
                    (Some(peer), Some(range)) if !crate::attribute::has_unknown(&message) => {
                        let peer = Some(peer).filter(|peer| self.peers.may_reach(peer.ip()));
                        self.hand_on(peer, datagram, range, up);
                    }
                    _ => self.stats.malformed = self.stats.malformed.saturating_add(1),
                }
            }
            // A server that answers a question of somebody else's here, such as a Binding request.
            Ok((_, method, _)) if method == Method::BINDING => {
                self.stats.unknown_transaction = self.stats.unknown_transaction.saturating_add(1);
            }
            Ok(_) | Err(_) => self.stats.malformed = self.stats.malformed.saturating_add(1),
        }
    }

    /// What a peer has sent, if it is one that we know of.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    fn hand_on(
        &mut self,
        peer: Option<SocketAddr>,
        datagram: Datagram<'_>,
        range: std::ops::Range<usize>,
        mut up: impl FnMut(Datagram<'_>),
    ) {
        let payload = datagram.payload.get_mut(range);
        match (peer, self.relayed(), payload) {
            (Some(remote), Some(local), Some(payload)) => {
                self.stats.relayed = self.stats.relayed.saturating_add(1);
                up(Datagram { protocol: Protocol::Udp, local, remote, ecn: datagram.ecn, payload });
            }
            _ => self.stats.unknown_peer = self.stats.unknown_peer.saturating_add(1),
        }
    }
}

/// RFC 8656 §12.5: "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded to a multiple of four bytes".
fn pad(out: &mut Vec<u8>, start: usize) {
    let len = out.len().saturating_sub(start);
    out.resize(start.saturating_add(len.next_multiple_of(4)), 0);
}

fn wrap_in_channel(
    number: u16,
    limit: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
) -> bool {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    let has_written = write(limit, out);
    let len = out.len().saturating_sub(start).saturating_sub(HEADER_LEN);
    let header = u16::try_from(len).ok().filter(|_| has_written && len <= limit);
    let (Some(len), Some(room)) = (header, out.get_mut(start..).and_then(|packet| packet.first_chunk_mut())) else {
        out.truncate(start);
        return false;
    };
    *room = channel_data::header(number, len);
    true
}

fn wrap_in_indication(
    id: TransactionId,
    peer: SocketAddr,
    limit: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
) -> bool {
    let start = out.len();
    let writer = MessageWriter::new(out, Class::Indication, SEND, id).xor_address(XOR_PEER_ADDRESS, peer);
    let is_written = writer
        .attribute_with(DATA, |out| {
            let before = out.len();
            write(limit, out) && out.len().saturating_sub(before) <= limit
        })
        .is_some();
    if !is_written {
        out.truncate(start);
    }
    is_written
}
