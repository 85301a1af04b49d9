//! The whole stack: who feeds whom.
//!
//! Inputs are pushed up, outputs are pulled down, time goes to everyone. Nothing but STUN is taken from where the peer
//! has not shown itself, and nothing but STUN is sent to where it has not answered.

pub(crate) mod demultiplex;
mod early;
mod farewell;
mod media_keys;
mod secured;
mod traffic;

pub(crate) use secured::{Secured, Security};

use crate::stats::TransportDrops;
use crate::tap::Tap;
use demultiplex::Kind;
use early::EarlyDtls;
use farewell::Farewell;
use std::time::Instant;
use traffic::Traffic;
use wigwag_dtls as dtls;
use wigwag_ice::{self as ice, Path};
use wigwag_pcapng::Direction;
use wigwag_rtp as rtp;
use wigwag_sansio::{Datagram, Dscp, Ecn, Protocol, Transmit, batch, earliest};
use wigwag_sctp as sctp;

pub(crate) struct Transport {
    pub(crate) ice: ice::Agent,
    pub(crate) secured: Secured,
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
        tap: Option<Box<Tap>>,
    ) -> Self {
        Self {
            ice,
            secured: Secured::new(rtp, tap),
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
        let path = Path::of(&datagram);
        if let Some(tap) = &mut self.secured.tap {
            tap.datagram(Direction::Received, path, datagram.payload, now);
        }
        match demultiplex::kind(datagram.payload) {
            _ if datagram.protocol != Protocol::Udp => self.drops.unknown_protocol += 1,
            Kind::Stun => self.ice.handle_input(datagram, now),
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
                if is_authentic && self.ice.selected_path() != Some(path) {
                    self.ice.data_received(path);
                }
            }
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
        self.ice.handle_timeout(now);
        self.secured.handle_timeout(now);
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
        if let Some(check) = self.ice.poll_transmit(now, out) {
            return Some(check);
        }
        let Some(path) = self.ice.selected_path() else {
            self.farewell.give_up();
            return None; // nothing else leaves without one
        };
        if let Some(tap) = &mut self.secured.tap {
            tap.set_path(path);
        }
        let segment_size = self.write(now, out)?;
        self.traffic.sent(path, out.len(), segment_size, now);
        Some(transmit(path, segment_size))
    }

    fn write(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<usize> {
        let secured = &mut self.secured;
        if self.farewell != Farewell::None {
            return self.farewell.append(secured, now, self.mtu, out);
        }
        // A batch is of one kind: their ECN marks and their pacing differ.
        let limits = [self.mtu, self.mtu, self.mtu, self.data_mtu_max];
        Secured::KINDS.iter().zip(limits).find_map(|(append, limit)| {
            let write = |limit: usize, out: &mut Vec<u8>| append(secured, now, limit, out);
            batch(self.max_segments, limit, out, write)
        })
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_owed = self.early_is_due() || self.farewell.is_owed();
        let has_path = self.ice.selected_path().is_some();
        earliest([
            is_owed.then_some(now),
            self.ice.poll_timeout(now),
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
        self.farewell == Farewell::Done
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

const fn transmit(path: Path, segment_size: usize) -> Transmit {
    let Path { protocol, local, remote } = path;
    Transmit { protocol, local, remote, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, segment_size }
}
