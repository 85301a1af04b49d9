//! Streams: where they are accepted and opened from, whose they are, and what each side calls them.

use super::Endpoint;
use super::accepted::Verdict;
use crate::error::AddressError;
use crate::peer_connection::PeerConnection;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_ice::{Path, TcpType};
use wigwag_sansio::{Datagram, Ecn, Protocol, Transmit};

impl Endpoint {
    /// An address for ICE over TCP, of every connection, also of those that exist: see
    /// [`PeerConnection::add_local_tcp_address`](crate::PeerConnection::add_local_tcp_address). Of a stream that is accepted at a passive
    /// one the endpoint finds out whose it is: its first packet is a check. One that is nobody's is closed, within 10 s if it says nothing;
    /// with [`EndpointConfig::unknown_ufrag`](crate::EndpointConfig::unknown_ufrag) so long is left for making the connection that it asks for.
    ///
    /// # Errors
    /// As for [`add_local_address`](Self::add_local_address).
    pub fn add_local_tcp_address(&mut self, address: SocketAddr, tcp_type: TcpType) -> Result<(), AddressError> {
        AddressError::check_tcp(address, tcp_type)?;
        if self.tcp_addresses.contains(&(address, tcp_type)) {
            return Ok(());
        }
        self.tcp_addresses.push((address, tcp_type));
        if tcp_type == TcpType::Passive {
            self.accepted.listen(address);
        }
        for slot in 0..self.slots.len() {
            if let Some(connection) = &mut self.slots[slot].connection {
                let _ = connection.add_local_tcp_address(address, tcp_type);
                self.touch(slot);
            }
        }
        Ok(())
    }

    /// An address for ICE over TCP has vanished, from all connections; the streams that were accepted there are closed.
    pub fn remove_local_tcp_address(&mut self, address: SocketAddr, tcp_type: TcpType) {
        let is_it = |known: SocketAddr| match tcp_type {
            TcpType::Active => known.ip() == address.ip(),
            TcpType::Passive => known == address,
        };
        self.tcp_addresses.retain(|known| known.1 != tcp_type || !is_it(known.0));
        if tcp_type == TcpType::Passive {
            self.accepted.unlisten(address).into_iter().for_each(|path| self.streams.refuse(path));
        }
        for slot in 0..self.slots.len() {
            if let Some(connection) = &mut self.slots[slot].connection {
                connection.remove_local_tcp_address(address, tcp_type);
                self.touch(slot);
            }
        }
    }

    /// The name that the server's certificate must be for, of a stream that a transmit of [`Protocol::Tls`] opens. Whoever drives the
    /// endpoint asks for it then, and checks it.
    pub fn tls_server_name(&self, stream: Path) -> Option<&str> {
        let (slot, inner) = self.streams.find(stream)?;
        self.slots[slot].connection.as_ref()?.tls_server_name(inner)
    }

    /// Whoever drives the endpoint knows why a stream could not be opened or is about to end, as a sentence without its full stop: it is
    /// told in [`Event::IceCandidateError`](crate::Event::IceCandidateError). The empty input that ends the stream follows.
    pub fn explain_stream_end(&mut self, stream: Path, why: &str) {
        if let Some((slot, inner)) = self.streams.find(stream)
            && let Some(connection) = &mut self.slots[slot].connection
        {
            connection.explain_stream_end(inner, why);
        }
    }
}

/// What comes.
impl Endpoint {
    /// The next bytes of a stream, or its end: they may be cut anywhere, and are known by nothing but their stream.
    pub(super) fn handle_stream(&mut self, datagram: Datagram<'_>, now: Instant) {
        let outer = Path::of(&datagram);
        let Some((slot, inner)) = self.streams.find(outer) else {
            return self.handle_accepted(outer, datagram.payload, now);
        };
        if datagram.payload.is_empty() {
            self.streams.forget(outer);
        }
        self.hand_in(slot, Datagram { local: inner.local, ..datagram }, now);
    }

    /// The next bytes of a stream that is nobody's yet.
    fn handle_accepted(&mut self, path: Path, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            self.streams.forget(path);
            return self.accepted.forget(path);
        }
        if !self.accepted.is_listener(path.local) || path.protocol != Protocol::Tcp {
            return self.refuse_accepted(path);
        }
        let (verdict, gone) = self.accepted.read(path, bytes, now);
        gone.into_iter().for_each(|gone| self.streams.refuse(gone));
        let Verdict::For(ufrag) = verdict else {
            if verdict == Verdict::Refuse {
                self.refuse_accepted(path);
            }
            return;
        };
        match self.routes.of_ufrag(&ufrag) {
            Some(slot) => self.adopt(slot, path),
            // It says nothing more before it has its answer, so it waits for its connection here.
            None if self.config.unknown_ufrag => self.strangers.ask(&ufrag, path.remote),
            None => self.refuse_accepted(path),
        }
    }

    pub(super) fn refuse_accepted(&mut self, path: Path) {
        self.stats.unroutable += 1;
        self.accepted.forget(path);
        self.streams.refuse(path);
    }

    /// A stream is this connection's, and what has come of it.
    pub(super) fn adopt(&mut self, slot: usize, path: Path) {
        let Some(mut bytes) = self.accepted.take(path) else { return };
        self.streams.adopt(slot, path);
        let Path { protocol, local, remote } = path;
        // Whoever has made the connection has told no time: the last that was told is that of the bytes.
        if let Some(now) = self.clock.seen() {
            self.hand_in(slot, Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload: &mut bytes }, now);
        }
    }
}

/// What leaves.
impl Endpoint {
    /// Gives what a connection sends over a stream the name that the driver knows it by. `false` if there is no such stream, and the
    /// connection was told.
    pub(super) fn name_stream(&mut self, slot: usize, transmit: &mut Transmit, is_end: bool, now: Instant) -> bool {
        let inner = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
        if !self.streams.knows(slot, inner) && self.is_of_listener(slot, inner) {
            self.end_stream(slot, inner, now);
            return false;
        }
        let is_listener = |local| self.accepted.is_listener(local);
        let is_named = self.streams.send(slot, transmit, is_end, is_listener);
        if !is_named {
            self.refuse_stream(slot, transmit, now);
        }
        is_named
    }

    /// Whether this could only be a stream that a peer has opened.
    fn is_of_listener(&self, slot: usize, inner: Path) -> bool {
        let has_server = |connection: &PeerConnection| connection.has_server(inner);
        self.accepted.is_listener(inner.local) && !self.slots[slot].connection.as_ref().is_some_and(has_server)
    }

    /// There are as many streams to that server as there can be.
    fn refuse_stream(&mut self, slot: usize, transmit: &Transmit, now: Instant) {
        let stream = Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote };
        if let Some(connection) = &mut self.slots[slot].connection {
            connection.explain_stream_end(stream, "other connections have as many to it as there are ports");
        }
        self.end_stream(slot, stream, now);
    }

    fn end_stream(&mut self, slot: usize, stream: Path, now: Instant) {
        let Path { protocol, local, remote } = stream;
        self.hand_in(slot, Datagram { protocol, local, remote, ecn: Ecn::NotEct, payload: &mut [] }, now);
    }
}
