//! The whole stack: who feeds whom.
//!
//! Inputs are pushed up, outputs are pulled down, time goes to everyone. Nothing but STUN is taken from where the peer
//! has not shown itself, and nothing but STUN is sent to where it has not answered.

pub(crate) mod demultiplex;
mod early;
mod farewell;
mod media_keys;
mod pace;
mod relays;
mod secured;
mod streams;
mod traffic;

pub(crate) use relays::{Found, Relays};
pub(crate) use secured::{Secured, Security};
pub(crate) use streams::CHECK_LEN_MAX;

use crate::stats::TransportDrops;
use crate::tap::Tap;
use demultiplex::Kind;
use early::EarlyDtls;
use farewell::Farewell;
use std::time::Instant;
use streams::Streams;
use traffic::Traffic;
use wigwag_congestion as congestion;
use wigwag_dtls as dtls;
use wigwag_ice::{self as ice, Path};
use wigwag_pcapng::Direction;
use wigwag_rtp as rtp;
use wigwag_sansio::{Datagram, Dscp, Ecn, Protocol, Transmit, batch, earliest};
use wigwag_sctp as sctp;
use wigwag_turn as turn;

pub(crate) struct Transport {
    pub(crate) ice: ice::Agent,
    pub(crate) secured: Secured,
    /// Of a connection that has TURN servers.
    pub(crate) relays: Option<Box<Relays>>,
    streams: Streams,
    early: EarlyDtls,
    farewell: Farewell,
    max_segments: usize,
    mtu: usize,
    data_mtu_max: usize,
    drops: TransportDrops,
    traffic: Traffic,
}

impl Transport {
    pub(crate) fn new(
        ice: ice::Agent,
        rtp: rtp::Session,
        max_segments: usize,
        [mtu, data_mtu_max]: [usize; 2],
        relays: Option<Box<Relays>>,
        pace: Option<congestion::Config>,
        tap: Option<Box<Tap>>,
    ) -> Self {
        Self {
            ice,
            secured: Secured::new(rtp, pace, tap),
            relays,
            streams: Streams::default(),
            early: EarlyDtls::default(),
            farewell: Farewell::None,
            max_segments,
            mtu,
            data_mtu_max,
            drops: TransportDrops::default(),
            traffic: Traffic::default(),
        }
    }

    pub(crate) fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.feed_early(now);
        if let Some(tap) = &mut self.secured.tap {
            tap.datagram(Direction::Received, Path::of(&datagram), datagram.payload, now);
        }
        match self.relays.take_if(|relays| relays.is_for_client(&datagram)) {
            Some(mut relays) => {
                relays.handle_input(datagram, now, |inner| self.handle_datagram(inner, now));
                self.relays = Some(relays);
            }
            None if datagram.protocol == Protocol::Tcp => self.handle_stream(datagram, now),
            None => self.handle_datagram(datagram, now),
        }
        self.settle_relays();
    }

    /// The next bytes of a stream, or its end.
    fn handle_stream(&mut self, datagram: Datagram<'_>, now: Instant) {
        let path = Path::of(&datagram);
        if datagram.payload.is_empty() {
            self.streams.forget(path);
            return self.ice.handle_input(datagram, now);
        }
        let (taken, gone) = self.streams.take(path, &self.ice);
        self.drops.refused_streams += u64::from(gone.is_some());
        let Some((mut deframer, len_max)) = taken else { return };
        let Datagram { protocol, local, remote, ecn, payload } = datagram;
        let mut is_stranger = false;
        let is_sensible = deframer.read(payload, len_max, |payload| {
            if !is_stranger {
                self.handle_datagram(Datagram { protocol, local, remote, ecn, payload }, now);
                is_stranger = !self.ice.has_stream(path);
            }
        });
        if is_sensible && !is_stranger {
            self.streams.put_back(path, deframer);
        } else {
            self.drops.refused_streams += 1;
            self.streams.close(path);
            let end = Datagram { protocol, local, remote, ecn, payload: &mut [] };
            self.ice.handle_input(end, now); // for it, it has ended
        }
    }

    /// What the peer has sent, or a STUN server.
    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) {
        let path = Path::of(&datagram);
        match demultiplex::kind(datagram.payload) {
            _ if datagram.protocol == Protocol::Tls => self.drops.unknown_protocol += 1,
            Kind::Stun => {
                self.ice.handle_input(datagram, now);
                self.tell_round_trip();
            }
            Kind::Unknown => self.drops.unknown_protocol += 1,
            _ if self.ice.selected_path() != Some(path) && !self.ice.is_open(path) => self.drops.closed_path += 1,
            Kind::Dtls if self.secured.dtls.is_none() => {
                self.traffic.received(path, datagram.payload.len(), now);
                if !self.early.keep(datagram.payload) {
                    self.drops.too_early += 1;
                }
            }
            kind => {
                self.traffic.received(path, datagram.payload.len(), now);
                let is_authentic = self.secured.handle_input(kind, datagram, now, &mut self.drops);
                if is_authentic {
                    self.ice.data_received(path, now);
                }
            }
        }
    }

    /// Media waits for what comes again for some round trips; who sends none hears of no other.
    fn tell_round_trip(&mut self) {
        self.secured.rtp.set_path_round_trip_time(self.ice.round_trip_time());
    }

    fn settle_relays(&mut self) {
        if let Some(relays) = &mut self.relays {
            relays.settle(&mut self.ice);
        }
    }

    /// What came before the DTLS connection could be made is read as soon as there is one.
    fn feed_early(&mut self, now: Instant) {
        if self.early_is_due() {
            for mut datagram in self.early.take() {
                self.secured.handle_dtls(&mut datagram, now);
            }
        }
    }

    fn early_is_due(&self) -> bool {
        !self.early.is_empty() && self.secured.dtls.is_some()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.feed_early(now);
        if let Some(relays) = &mut self.relays {
            relays.handle_timeout(now);
        }
        self.ice.handle_timeout(now);
        self.tell_round_trip();
        self.secured.handle_timeout(now);
        self.settle_relays();
    }

    /// Replaces what is in `out`.
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let transmit = self.next_transmit(now, out)?;
        if let Some(tap) = &mut self.secured.tap {
            let Transmit { protocol, local, remote, .. } = transmit;
            for datagram in out.chunks(transmit.segment_size.max(1)) {
                tap.datagram(Direction::Sent, Path { protocol, local, remote }, datagram, now);
            }
        }
        Some(transmit)
    }

    fn next_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.feed_early(now);
        out.clear();
        self.settle_relays();
        if let Some(request) = self.relays.as_mut().and_then(|relays| relays.poll_transmit(now, out)) {
            return Some(request);
        }
        if let Some(end) = self.streams.poll_transmit(out) {
            return Some(end);
        }
        // Who has said goodbye has given its relays back, and checks nothing any more.
        while self.farewell != Farewell::Done
            && let Some(check) = self.ice.poll_transmit(now, out)
        {
            if check.protocol == Protocol::Tcp {
                return Some(self.in_stream(check, out));
            }
            let relay = self.relays.as_mut().and_then(|relays| relays.client_of(check.local));
            let Some(client) = relay else { return Some(check) };
            // If not, it is lost, as on a path that has gone.
            if client.enclose(check.remote, out) {
                let (protocol, local, remote) = (client.protocol(), client.local(), client.server());
                return Some(Transmit { protocol, local, remote, segment_size: out.len(), ..check });
            }
        }
        let Some(path) = self.ice.selected_path() else {
            self.farewell.give_up();
            return self.give_back(now, out); // nothing else leaves without one
        };
        self.next_packets(path, now, out).or_else(|| self.give_back(now, out))
    }

    /// What ICE sends over a stream, in its frame, or its end.
    fn in_stream(&mut self, check: Transmit, out: &mut Vec<u8>) -> Transmit {
        if out.is_empty() {
            let Transmit { protocol, local, remote, .. } = check;
            self.streams.forget(Path { protocol, local, remote });
            return check;
        }
        // A message of STUN has a length of two bytes, too.
        let len = u16::try_from(out.len()).unwrap_or(u16::MAX);
        out.splice(..0, len.to_be_bytes());
        Transmit { segment_size: out.len(), ..check }
    }

    /// Packets for the peer, as many of one size as may leave at once.
    fn next_packets(&mut self, path: Path, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let Self { secured, farewell, relays, .. } = self;
        if let Some(pace) = &mut secured.pace {
            pace.take_path(path, now);
        }
        if let Some(tap) = &mut secured.tap {
            tap.set_path(path);
        }
        let is_stream = path.protocol == Protocol::Tcp;
        let mut relay = relays.as_mut().filter(|_| !is_stream).and_then(|relays| relays.client_of(path.local));
        let frame = if is_stream { ice::HEADER_LEN } else { 0 };
        let overhead = relay.as_ref().map_or(frame, |client| client.overhead(path.remote));
        let [mtu, data_mtu_max] = [self.mtu, self.data_mtu_max].map(|mtu| mtu + overhead);
        let mut len = 0; // without what the relay needs
        let segment_size = if *farewell == Farewell::None {
            // A batch is of one kind: their ECN marks and their pacing differ.
            let limits = [mtu, mtu, mtu, data_mtu_max];
            Secured::KINDS.iter().zip(limits).find_map(|(append, limit)| {
                batch(self.max_segments, limit, out, |limit, out| {
                    let append = |limit: usize, out: &mut Vec<u8>| append(secured, now, limit, out);
                    wrapped(relay.as_deref_mut(), path, limit, out, &mut len, append)
                })
            })
        } else {
            batch(1, mtu, out, |limit, out| {
                let append = |limit: usize, out: &mut Vec<u8>| farewell.append(secured, now, limit, out);
                wrapped(relay.as_deref_mut(), path, limit, out, &mut len, append)
            })
        }?;
        let outer = relay.map_or(path, |client| {
            let (protocol, local, remote) = (client.protocol(), client.local(), client.server());
            Path { protocol, local, remote }
        });
        self.traffic.sent(path, out.len().div_ceil(segment_size), len, now);
        Some(transmit(outer, segment_size))
    }

    /// At the end servers are told that nothing is to be relayed any more, and streams are closed.
    fn give_back(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if self.farewell != Farewell::Done {
            return None;
        }
        if let Some(release) = self.relays.as_mut().and_then(|relays| relays.release(now, out)) {
            return Some(release);
        }
        if self.ice.has_streams() {
            self.ice.close();
            let end = self.ice.poll_transmit(now, out)?;
            return Some(self.in_stream(end, out));
        }
        self.streams.end();
        self.streams.poll_transmit(out)
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_owed = self.early_is_due() || self.farewell.is_owed() || self.is_release_owed();
        let has_path = self.ice.selected_path().is_some();
        earliest([
            (is_owed || self.streams.owes()).then_some(now),
            if self.farewell == Farewell::Done { None } else { self.ice.poll_timeout(now) },
            self.relays.as_ref().and_then(|relays| relays.poll_timeout(now)),
            if has_path && self.farewell == Farewell::None { self.secured.poll_timeout(now) } else { None },
        ])
    }

    /// The DTLS connection, as soon as the peer's fingerprints and the roles are known.
    pub(crate) fn start_dtls(&mut self, connection: dtls::Connection) {
        self.secured.dtls = Some(connection);
        self.secured.security = Security::Connecting;
    }

    pub(crate) fn start_sctp(&mut self, association: sctp::Association) {
        self.secured.set_association(association);
    }

    /// Tells the peer, as far as a path is there, and ends.
    pub(crate) fn close(&mut self) {
        self.farewell.begin(&mut self.secured);
    }

    /// The peer was told, or cannot be.
    pub(crate) fn is_closed(&self) -> bool {
        self.farewell == Farewell::Done && !self.is_release_owed()
    }

    /// How far the search for local candidates is, at all servers.
    pub(crate) fn gathering_state(&self) -> ice::GatheringState {
        match &self.relays {
            Some(relays) if relays.is_busy() => ice::GatheringState::Gathering,
            _ => self.ice.gathering_state(),
        }
    }

    /// Whether a server has told of a candidate, or that there is none.
    pub(crate) fn has_found(&self) -> bool {
        self.relays.as_ref().is_some_and(|relays| relays.has_found())
    }

    fn is_release_owed(&self) -> bool {
        let is_relayed = || self.relays.as_ref().is_some_and(|relays| !relays.is_empty());
        self.farewell == Farewell::Done && (is_relayed() || self.ice.has_streams() || !self.streams.is_empty())
    }

    pub(crate) fn end_ice(&mut self) {
        self.ice.close();
    }

    pub(crate) const fn set_max_segments(&mut self, max_segments: usize) {
        self.max_segments = max_segments;
    }

    pub(crate) fn tap(&self) -> Option<&Tap> {
        self.secured.tap.as_deref()
    }

    pub(crate) fn tap_mut(&mut self) -> Option<&mut Tap> {
        self.secured.tap.as_deref_mut()
    }

    /// What is not polled yet, taken out.
    pub(crate) const fn take_tap(&mut self) -> Option<Box<Tap>> {
        self.secured.tap.take()
    }

    pub(crate) const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(crate) const fn drops(&self) -> &TransportDrops {
        &self.drops
    }
}

/// Appends what `append` does, inside a datagram to the relay if there is one, or in its frame if it goes over a stream, and adds its length
/// to `len`.
fn wrapped(
    relay: Option<&mut turn::Client>,
    path: Path,
    limit: usize,
    out: &mut Vec<u8>,
    len: &mut usize,
    append: impl FnOnce(usize, &mut Vec<u8>) -> bool,
) -> bool {
    let append = |limit: usize, out: &mut Vec<u8>| {
        let before = out.len();
        let has_written = append(limit, out);
        *len += out.len() - before;
        has_written
    };
    match (relay, path.protocol) {
        (Some(client), _) => client.wrap(path.remote, limit, out, append),
        (None, Protocol::Tcp) => ice::frame(limit, out, append),
        (None, Protocol::Udp | Protocol::Tls) => append(limit, out),
    }
}

const fn transmit(path: Path, segment_size: usize) -> Transmit {
    let Path { protocol, local, remote } = path;
    Transmit { protocol, local, remote, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, segment_size }
}
