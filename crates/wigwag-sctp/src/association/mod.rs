//! The association: five calls, a few commands, and the states of RFC 9260 §4.

mod connect;
mod control_block;
mod cookie;
mod data;
mod heartbeat;
mod in_parts;
mod input;
mod migrate;
mod output;
mod path_mtu;
mod reconfig;
mod reconfigure;
mod reply;
mod shutdown;
mod snap;
mod state;

pub use migrate::ExportedState;
pub use snap::PeerInit;

use crate::cause::code;
use crate::config::{Config, SendOptions, TIMEOUT_MIN, bounded_mtu};
use crate::crypto::CookieKey;
use crate::error::{ResetError, SendError};
use crate::event::{CloseReason, Event};
use crate::packet::HEADER_LEN;
use crate::receive::Inbox;
use crate::send::{Queue, Refused};
use crate::state::State;
use crate::stats::Stats;
use bytes::Bytes;
use control_block::{ControlBlock, Identity};
use path_mtu::PathMtu;
use reply::Reply;
use state::{Attempt, Phase};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};
use wigwag_sansio::{Monotonic, Rng, Seed, earliest};

/// An SCTP association on one path, which DTLS protects (RFC 9260, RFC 8261).
///
/// It never asks for time, sockets or randomness: see the crate's documentation for the loop around it.
pub struct Association {
    config: Config,
    mtu: usize,
    clock: Monotonic,
    /// When time began for this association: cookies count from here.
    began: Option<Instant>,
    rng: Rng,
    cookie_key: CookieKey,
    local: Identity,
    /// What the peer's description told, until we begin.
    peer_init: Option<PeerInit>,
    phase: Phase,
    block: Option<ControlBlock>,
    queue: Queue,
    inbox: Inbox,
    /// An answer to somebody who may not be the peer. There is room for one: nothing is kept for strangers.
    reply: Option<Reply>,
    is_shutdown_wanted: bool,
    is_connected_owed: bool,
    closed: Option<CloseReason>,
    /// What became of streams of ours. Each was asked for by a command.
    notices: VecDeque<Event>,
    stats: Stats,
    calls: u32,
}

impl Association {
    /// An association that waits for [`connect`](Self::connect), or for the peer to begin.
    ///
    /// What is out of the bounds that [`Config`] tells of is brought into them.
    pub fn new(config: Config, seed: Seed) -> Self {
        let config = config.bounded();
        let cookie_key = CookieKey::new(seed.fork("cookie"));
        let mut rng = Rng::new(seed);
        // RFC 9260 §5.3.1: "Initiate Tag values SHOULD be selected from the range of 1 to 2^32 - 1."
        let tag = rng.u32().max(1);
        let random = rng.u32();
        let local = Identity { tag, tsn: config.initial_tsn.unwrap_or(random) };
        Self {
            mtu: config.mtu,
            clock: Monotonic::default(),
            began: None,
            rng,
            cookie_key,
            local,
            peer_init: None,
            phase: Phase::Idle,
            block: None,
            queue: Queue::new(config.send_buffer, config.scheduler),
            inbox: Inbox::default(),
            reply: None,
            is_shutdown_wanted: false,
            is_connected_owed: false,
            closed: None,
            notices: VecDeque::new(),
            stats: Stats::default(),
            calls: 0,
            config,
        }
    }

    // ---- commands

    /// Begins. Both ends may (in WebRTC both do, RFC 8831 §6.2), or one; after the first time this does nothing. If the peer's INIT
    /// is [known](Self::set_peer_init), the association is established at once.
    pub fn connect(&mut self) {
        if let Phase::Idle = self.phase {
            match self.peer_init.take() {
                Some(peer) => self.presume(&peer),
                None => self.phase = Phase::CookieWait(self.new_attempt()),
            }
        }
        self.invariants();
    }

    /// Queues a message, also before the association is established. `ppid` says what the data is (RFC 8831 §8).
    ///
    /// # Errors
    /// If the message cannot be sent, now or ever: see [`SendError`].
    pub fn send(&mut self, stream: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), SendError> {
        let max = self.config.message_len_max_send;
        if !self.takes_messages() {
            return Err(SendError::Closed);
        }
        if data.is_empty() {
            return Err(SendError::Empty);
        }
        if data.len() > max {
            return Err(SendError::TooLarge { len: data.len(), max });
        }
        self.may_send_on(stream)?;
        let result = self.queue.push(stream, ppid, data, options);
        self.after_sending(result)
    }

    fn may_send_on(&self, stream: u16) -> Result<(), SendError> {
        if !self.takes_messages() {
            return Err(SendError::Closed);
        }
        let streams = self.outbound_streams();
        if stream < streams { Ok(()) } else { Err(SendError::NoSuchStream { stream, streams }) }
    }

    fn after_sending(&mut self, result: Result<(), Refused>) -> Result<(), SendError> {
        self.invariants();
        result.map_err(|refused| match refused {
            Refused::Full(data) => SendError::Full(data),
            Refused::Resetting(data) => SendError::StreamResetting(data),
            Refused::Open(data) => SendError::MessageOpen(data),
            Refused::NotOpen(data) => SendError::NoMessageOpen(data),
            Refused::Abandoned => SendError::Abandoned,
            Refused::TooLarge(len) => SendError::TooLarge { len, max: self.config.message_len_max_send },
            Refused::Empty => SendError::Empty,
        })
    }

    /// Once everything queued on the stream was sent, tells the peer that it begins anew (RFC 6525 §4.1). Until
    /// [`Event::OutgoingStreamReset`] nothing more is taken for it. Doing it twice is doing it once; but if the peer is
    /// being told already, it may have used the stream anew since, and is told once more.
    ///
    /// # Errors
    /// If the stream cannot be reset: see [`ResetError`].
    pub fn reset_stream(&mut self, stream: u16) -> Result<(), ResetError> {
        if !self.takes_messages() {
            return Err(ResetError::Closed);
        }
        let streams = self.outbound_streams();
        if stream >= streams {
            return Err(ResetError::NoSuchStream { stream, streams });
        }
        if self.block.as_ref().is_some_and(|block| !block.extensions.has_reconfig) {
            return Err(ResetError::NotSupported);
        }
        if self.queue.open(stream).is_some() {
            return Err(ResetError::MessageOpen);
        }
        self.queue.begin_reset(stream);
        self.invariants();
        Ok(())
    }

    /// Ends the association in good order: what is queued is sent and acknowledged first (RFC 9260 §9.2).
    /// Nothing more is taken. A message that is still open is given up; if something of it was sent and the peer does not understand that
    /// (RFC 3758), the association is aborted. Where neither end has begun, it ends at once, and what is queued is lost.
    pub fn shutdown(&mut self) {
        if self.takes_messages() {
            self.give_up_all_open();
        }
        match self.phase {
            Phase::Idle => self.end(CloseReason::Shutdown),
            Phase::CookieWait(_) | Phase::CookieEchoed { .. } => self.is_shutdown_wanted = true,
            Phase::Established => {
                self.is_shutdown_wanted = true;
                self.phase = Phase::ShutdownPending;
                self.progress_shutdown();
            }
            Phase::ShutdownPending
            | Phase::ShutdownSent { .. }
            | Phase::ShutdownReceived
            | Phase::ShutdownAckSent(_)
            | Phase::Ended => {}
        }
        self.invariants();
    }

    /// Ends the association at once; what is queued is lost (RFC 9260 §9.1).
    pub fn abort(&mut self) {
        if let Phase::Ended = self.phase {
            return;
        }
        self.end_by_abort(code::USER_ABORT, &[], CloseReason::Aborted);
        self.invariants();
    }

    /// Sets the longest packet in bytes, SCTP header included, for what is cut from now on ([`Config::mtu`](field@Config::mtu)); whether the path carries
    /// more is looked for anew. What is in flight keeps its
    /// size: the room given to [`poll_packet`](Self::poll_packet) should not shrink below it before it is acknowledged.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.config.mtu = bounded_mtu(mtu);
        self.mtu = self.config.mtu;
        if let Some(block) = &mut self.block {
            block.path_mtu = PathMtu::new(self.config.mtu, self.config.path_mtu_max());
            block.transmission.set_mtu(self.mtu, self.mtu);
            // It would never fit.
            let is_too_long = |ack: &mut Vec<u8>| ack.len() > ControlBlock::heartbeat_len_max(self.mtu);
            self.stats.discarded.heartbeat += u64::from(block.heartbeat_ack.take_if(is_too_long).is_some());
        }
        self.invariants();
    }

    /// If long packets do not arrive any more, shorter ones are sent.
    fn leave_black_hole(&mut self, now: Instant) {
        if let Some(block) = self.block.as_mut().filter(|block| block.transmission.is_black_hole()) {
            block.path_mtu.fall_back(now);
            self.follow_path_mtu();
        }
    }

    /// The path carries more than was known, or less.
    fn follow_path_mtu(&mut self) {
        if let Some(block) = &mut self.block {
            self.mtu = block.path_mtu.current();
            block.transmission.set_mtu(self.mtu, self.config.mtu);
        }
    }

    /// Sets how long nothing is sent until the path is probed (RFC 9260 §8.3), at least 1 ms; `Duration::MAX`: for ever.
    pub fn set_heartbeat_interval(&mut self, interval: Duration) {
        self.config.heartbeat_interval = interval.max(TIMEOUT_MIN);
        if let (Some(block), Some(now)) = (&mut self.block, self.clock.seen()) {
            block.heartbeat.set_interval(self.config.heartbeat_interval, now);
        }
        self.invariants();
    }

    /// Sets the longest message that the peer takes, in bytes (`a=max-message-size`); 0: any (RFC 8841 §6).
    pub const fn set_remote_max_message_size(&mut self, len: usize) {
        self.config.message_len_max_send = if len == 0 { usize::MAX } else { len };
    }

    /// Sets the priority of a stream of ours, 256 at first and when the stream was reset: its share of the path, or its rank
    /// ([`Scheduler`](crate::Scheduler)). 0 is as 256. RFC 8831 §6.4 knows 128 (very low), 256, 512 and 1024 (high).
    pub fn set_stream_priority(&mut self, stream: u16, priority: u16) {
        self.queue.set_priority(stream, priority);
    }

    /// Whether messages of several streams may be on their way in pieces at once: both sides can (RFC 8260).
    pub fn is_interleaving(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.extensions.has_interleaving)
    }

    /// Asks for [`Event::BufferedAmountLow`] whenever the stream's buffered amount falls from above `threshold` bytes
    /// to `threshold` or below. 0 at first.
    pub fn set_buffered_amount_low_threshold(&mut self, stream: u16, threshold: usize) {
        self.queue.set_threshold(stream, threshold);
    }

    // ---- getters

    /// Bytes of user data that were accepted by `send` on the stream and not yet sent for the first time, which is what
    /// W3C's `bufferedAmount` counts. What is in flight does not count.
    pub fn buffered_amount(&self, stream: u16) -> usize {
        self.queue.buffered(stream)
    }

    /// Where the association stands.
    pub const fn state(&self) -> State {
        self.phase.state()
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        stats.buffered_amount = self.queue.buffered_total();
        stats.visits = self.queue.visits();
        stats.messages_abandoned += self.queue.displaced();
        stats.mtu = self.mtu;
        stats.receive_window = self.initial_window();
        stats.receive_window_max = u32::try_from(crate::receive::window_max(&self.config)).unwrap_or(u32::MAX);
        stats.send_buffer = self.queue.capacity();
        stats.receive_buffered = self.inbox.charged();
        if let Some(block) = &self.block {
            block.transmission.report(&mut stats);
            stats.receive_buffered = block.reception.used(&self.inbox);
            stats.receive_window = block.reception.window(&self.inbox);
            stats.receive_window_max = block.reception.window_max();
        }
        stats
    }

    /// How many streams messages may be sent on: as many as we offer, and once the peer is known no more than it takes.
    pub fn outbound_streams(&self) -> u16 {
        self.block.as_ref().map_or(self.config.outbound_streams(), |block| block.outbound_streams)
    }

    /// How many streams the peer may send on: as many as we take, and once the peer is known no more than it offers.
    pub fn inbound_streams(&self) -> u16 {
        self.block.as_ref().map_or(self.config.streams_max, |block| block.inbound_streams)
    }

    const fn ports(&self) -> (u16, u16) {
        (self.config.local_port, self.config.remote_port)
    }

    fn initial_window(&self) -> u32 {
        crate::receive::initial_window(&self.config, self.inbox.charged())
    }

    fn age_ms(&self, now: Instant) -> u64 {
        let age = self.began.map(|began| now.saturating_duration_since(began)).unwrap_or_default();
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    /// Every call that tells the time begins here.
    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if self.began.is_none() {
            self.began = Some(now);
            if let Some(block) = &mut self.block {
                block.heartbeat.set_interval(self.config.heartbeat_interval, now);
            }
        }
        now
    }

    // ---- the five calls; `handle_input` and `poll_packet` are in files of their own

    /// Lets time pass. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.time_out_attempt(now);
        self.time_out_guard(now);
        self.time_out_block(now);
        self.expire_messages(now);
        self.progress_shutdown();
        self.invariants();
    }

    /// Whether the peer failed too often to answer what is sent again and again in this state.
    fn is_given_up(&self, failures: u32) -> bool {
        let max = match self.phase {
            Phase::CookieWait(_) | Phase::CookieEchoed { .. } => self.config.init_retransmits_max,
            Phase::Idle
            | Phase::Established
            | Phase::ShutdownPending
            | Phase::ShutdownSent { .. }
            | Phase::ShutdownReceived
            | Phase::ShutdownAckSent(_)
            | Phase::Ended => self.config.retransmits_max,
        };
        max.is_some_and(|max| failures > max)
    }

    fn time_out_attempt(&mut self, now: Instant) {
        if let Some(attempt) = self.phase.attempt_mut()
            && attempt.expire(now)
            && let failures = attempt.failures
            && self.is_given_up(failures)
        {
            self.give_up();
        }
    }

    fn time_out_block(&mut self, now: Instant) {
        let Some(block) = &mut self.block else { return };
        block.reception.handle_timeout(now);
        let mut is_silent = block.transmission.handle_timeout(now, &mut self.queue, &mut self.stats);
        if self.phase.carries_data() {
            let was_owed = block.heartbeat.is_owed();
            block.path_mtu.handle_timeout(now);
            if block.heartbeat.handle_timeout(now) {
                block.transmission.rto_mut().back_off();
                is_silent = true;
            }
            if block.heartbeat.is_owed() && !was_owed {
                block.transmission.rest();
                block.reception.rest(&mut self.inbox);
            }
            is_silent |= block.reconfig.attempt_mut().is_some_and(|attempt| attempt.expire(now));
        }
        if is_silent {
            block.silence.count(block.transmission.rto().current(), now);
        }
        if self.config.retransmits_max.is_some_and(|max| block.silence.exceeds(max)) {
            self.give_up();
        }
        self.leave_black_hole(now);
    }

    /// What has happened, in the order in which it did. A message that nobody fetches keeps the window closed.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.next_event();
        self.invariants();
        event
    }

    #[inline(always)]
    fn next_event(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.is_connected_owed) {
            return Some(Event::Connected);
        }
        if let Some(event) = self.inbox.pop() {
            if let Event::Message { data, .. } | Event::MessagePart { data, .. } = &event {
                self.stats.messages_received += u64::from(!matches!(event, Event::MessagePart { is_last: false, .. }));
                self.stats.bytes_received += data.len() as u64;
            }
            if let Some(block) = &mut self.block {
                block.reception.fetched(&self.inbox);
            }
            return Some(event);
        }
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice);
        }
        if let Some(stream) = self.queue.take_low() {
            return Some(Event::BufferedAmountLow { stream });
        }
        if self.queue.take_writable() {
            return Some(Event::Writable);
        }
        self.closed.take().map(Event::Closed)
    }

    fn owes_event(&self) -> bool {
        self.is_connected_owed
            || !self.inbox.is_empty()
            || !self.notices.is_empty()
            || self.queue.has_event()
            || self.closed.is_some()
    }

    /// When to call again: `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        if self.owes_event() || self.owes_packet(now) || self.queue.is_unstamped() {
            return Some(now);
        }
        let guard = if let Phase::ShutdownSent { guard, .. } = &self.phase { guard.deadline() } else { None };
        let block = self.block.as_ref().filter(|_| !matches!(self.phase, Phase::Ended));
        let carrying = block.filter(|_| self.phase.carries_data());
        earliest([
            self.phase.attempt().and_then(Attempt::deadline),
            guard,
            block.and_then(ControlBlock::deadline),
            carrying.and_then(|block| block.deadline_of_data(now, &self.queue)),
        ])
    }

    // ---- endings

    /// The last thing that happens to an association.
    fn end(&mut self, reason: CloseReason) {
        self.phase = Phase::Ended;
        self.discard_incomplete();
        self.block = None;
        self.stats.messages_abandoned += self.queue.displaced();
        self.queue = Queue::new(self.config.send_buffer, self.config.scheduler);
        self.notices.clear();
        self.closed = Some(reason);
    }

    /// Nothing more comes of what is incomplete: it is told of messages that have been handed out in parts.
    fn discard_incomplete(&mut self) {
        if let Some(block) = &mut self.block {
            block.reception.reset(&[], &mut self.inbox);
        }
    }

    /// The peer does not answer. If it is there, it is told that nobody waits any more.
    fn give_up(&mut self) {
        if let Some(block) = &self.block {
            self.reply(Reply::bare_abort(block.peer_tag));
        }
        self.end(CloseReason::Unreachable);
    }

    /// What was queued for streams that the peer does not take is discarded, and resets that it cannot do are refused.
    fn limit_streams(&mut self) {
        let refused = self.queue.limit_streams(self.outbound_streams());
        if !refused.is_empty() {
            self.notices.push_back(Event::StreamsRefused { streams: refused });
        }
        if self.block.as_ref().is_some_and(|block| !block.extensions.has_reconfig) {
            let streams = self.queue.cancel_resets();
            if !streams.is_empty() {
                self.notices.push_back(Event::OutgoingStreamResetRefused { streams });
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        if self.reply.replace(reply).is_some() {
            self.stats.discarded.reply += 1;
        }
    }

    /// Runs after every call in debug builds. What takes long runs seldom when there is much.
    fn invariants(&mut self) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.calls = self.calls.wrapping_add(1);
        let is_thorough = self.calls.is_multiple_of(64);
        if is_thorough {
            self.queue.invariants();
            self.inbox.invariants();
        }
        let needs_block = match self.phase {
            Phase::Idle | Phase::CookieWait(_) | Phase::Ended => false,
            Phase::CookieEchoed { .. }
            | Phase::Established
            | Phase::ShutdownPending
            | Phase::ShutdownSent { .. }
            | Phase::ShutdownReceived
            | Phase::ShutdownAckSent(_) => true,
        };
        debug_assert_eq!(needs_block, self.block.is_some());
        debug_assert!(self.mtu >= HEADER_LEN);
        if let Some(block) = &self.block {
            block.transmission.invariants(is_thorough);
            block.reception.invariants(is_thorough);
            if let Phase::ShutdownSent { .. } | Phase::ShutdownAckSent(_) = self.phase {
                debug_assert!(self.queue.is_empty() && block.transmission.is_done(), "C14");
            }
        }
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association").field("state", &self.state()).field("mtu", &self.mtu).finish_non_exhaustive()
    }
}
