//! What exists once the peer is known (RFC 9260 §14).

use super::heartbeat::Heartbeat;
use super::path_mtu::PathMtu;
use super::reconfig::Reconfig;
use super::state::Attempt;
use crate::Config;
use crate::chunk::Init;
use crate::config::MTU_MIN;
use crate::migration::{Reader, state};
use crate::packet::{CHUNK_HEADER_LEN, HEADER_LEN};
use crate::parameter::Extensions;
use crate::receive::Reception;
use crate::send::{Queue, Transmission};
use crate::serial::Tsn;
use crate::wire::{TLV_HEADER_LEN, Tlv};
use std::time::{Duration, Instant};
use wigwag_sansio::earliest;

/// The causes of one ERROR chunk, and no more: in a packet of its own it always fits.
const ERRORS_LEN_MAX: usize = MTU_MIN - HEADER_LEN - CHUNK_HEADER_LEN;

/// See the module.
#[derive(Debug)]
pub(crate) struct ControlBlock {
    pub(crate) local_tag: u32,
    pub(crate) peer_tag: u32,
    pub(crate) extensions: Extensions,
    /// How many streams we may send on.
    pub(crate) outbound_streams: u16,
    /// How many streams the peer may send on.
    pub(crate) inbound_streams: u16,
    pub(crate) transmission: Transmission,
    pub(crate) reception: Reception,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) path_mtu: PathMtu,
    pub(crate) reconfig: Reconfig,
    pub(crate) silence: Silence,
    pub(crate) is_cookie_ack_owed: bool,
    /// The peer is known from its description only: no packet of its has come.
    pub(crate) is_unheard: bool,
    /// Encoded causes that an ERROR chunk is owed for.
    pub(crate) causes: Vec<u8>,
    /// What a HEARTBEAT ACK is owed for.
    pub(crate) heartbeat_ack: Option<Vec<u8>>,
}

/// How often in a row the peer did not answer (RFC 9260 §8.1, RFC 6525 §5.1.1).
#[derive(Debug, Default)]
pub(crate) struct Silence {
    errors: u32,
    counted_at: Option<Instant>,
}

state!(struct Silence { errors } anew { counted_at: |_| None });

impl Silence {
    /// A timer has expired. Of those that run beside each other, one is counted in the time of one.
    pub(crate) fn count(&mut self, rto: Duration, now: Instant) {
        // It may have been doubled since the timer was started.
        let is_new = self.counted_at.is_none_or(|at| now.saturating_duration_since(at) >= rto / 2);
        if is_new {
            self.errors += 1;
            self.counted_at = Some(now);
        }
    }

    /// Whether the peer failed to answer more often than this.
    pub(crate) const fn exceeds(&self, max: u32) -> bool {
        self.errors > max
    }

    pub(crate) const fn end(&mut self) {
        (self.errors, self.counted_at) = (0, None);
    }
}

/// What identifies our side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) tag: u32,
    pub(crate) tsn: u32,
}

state!(struct Identity { tag, tsn });
state!(struct ControlBlock {
    local_tag, peer_tag, extensions, outbound_streams, inbound_streams, path_mtu, transmission, reception, heartbeat, reconfig,
    silence, is_cookie_ack_owed, is_unheard, causes, heartbeat_ack,
} => then Self::resumed);

impl ControlBlock {
    /// What would never fit into a packet, and what would never have come to be, is none.
    fn resumed(mut self, from: &mut Reader<'_>) -> Option<Self> {
        self.transmission.hold(self.reconfig.is_holding());
        let heartbeat_max = Self::heartbeat_len_max(from.config.mtu);
        let fits = self.causes.len() <= ERRORS_LEN_MAX
            && self.heartbeat_ack.as_ref().is_none_or(|ack| ack.len() <= heartbeat_max);
        let may_be =
            self.silence.errors < u32::MAX / 2 && (self.transmission.is_done() || !self.reconfig.is_asking_for_tsns());
        (fits && may_be).then_some(self)
    }

    pub(crate) fn new(
        config: &Config,
        local: Identity,
        peer: &Init,
        extensions: Extensions,
        now: Option<Instant>,
    ) -> Self {
        let used = extensions.and(Extensions::ours(config));
        Self {
            local_tag: local.tag,
            peer_tag: peer.initiate_tag,
            extensions: used,
            outbound_streams: config.outbound_streams().min(peer.inbound_streams),
            inbound_streams: config.streams_max.min(peer.outbound_streams),
            transmission: Transmission::new(config, Tsn::first(local.tsn), peer.a_rwnd, used),
            reception: Reception::new(config, Tsn::first(peer.initial_tsn), used.has_interleaving),
            heartbeat: Heartbeat::new(config.heartbeat_interval, now),
            path_mtu: PathMtu::new(config.mtu, config.path_mtu_max()),
            reconfig: Reconfig::new(local.tsn, peer.initial_tsn),
            silence: Silence::default(),
            is_cookie_ack_owed: false,
            is_unheard: false,
            causes: Vec::new(),
            heartbeat_ack: None,
        }
    }

    /// Whether this is the INIT of the peer, of whom nothing has come but its description.
    pub(crate) fn is_presumed(&self, init: &Init) -> bool {
        let initial_tsn = self.reception.cumulative().next().wire();
        self.is_unheard && (init.initiate_tag, init.initial_tsn) == (self.peer_tag, initial_tsn)
    }

    /// Takes note of an error that the peer is to be told, if there is room.
    //
    // RFC 9260 §8.4 and §3.2 ask for reports; nothing asks for more than a packet of them.
    pub(crate) fn report(&mut self, cause: Tlv<'_>) {
        if self.causes.len() + cause.len() <= ERRORS_LEN_MAX {
            cause.write(&mut self.causes);
        }
    }

    /// The same with what came, as much of it as there is room for.
    pub(crate) fn report_quoted(&mut self, kind: u16, quote: &[u8]) {
        let room = ERRORS_LEN_MAX.saturating_sub(self.causes.len() + TLV_HEADER_LEN) & !3;
        if room > 0 {
            self.report(Tlv { kind, value: quote.get(..room).unwrap_or(quote) });
        }
    }

    pub(crate) const fn heartbeat_len_max(mtu: usize) -> usize {
        mtu - HEADER_LEN - CHUNK_HEADER_LEN
    }

    /// All that was sent is acknowledged, and no message is begun.
    pub(crate) fn is_quiet(&self, queue: &Queue) -> bool {
        self.transmission.is_done() && !queue.has_begun()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([self.transmission.deadline(), self.reception.deadline()])
    }

    /// Of what happens only while data may be sent.
    pub(crate) fn deadline_of_data(&self, now: Instant, queue: &Queue) -> Option<Instant> {
        let reset = self.reconfig.attempt().and_then(Attempt::deadline);
        earliest([
            self.heartbeat.deadline(),
            self.path_mtu.deadline(),
            reset,
            self.transmission.expiry(queue),
            self.transmission.opens_at(now, queue),
        ])
    }
}
