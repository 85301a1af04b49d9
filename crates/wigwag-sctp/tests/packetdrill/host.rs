//! The machine behind sockets: one association, virtual time, and what a kernel would keep for a socket.

use crate::errno::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{Association, CloseReason, Config, Event, Reliability, SendOptions, State};

/// What IPv4 leaves of an Ethernet frame, which is what the suite expects.
const MTU: usize = 1480;
/// Both ends of the scripts.
pub(crate) const PORTS: (u16, u16) = (5000, 5001);

/// A message that waits to be read.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) stream: u16,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) data: Vec<u8>,
}

/// What `socket` gives.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) is_listening: bool,
    pub(crate) is_nonblocking: bool,
    /// The association is this socket's.
    pub(crate) has_association: bool,
    pub(crate) lingers: bool,
    pub(crate) options: SendOptions,
    pub(crate) stream: u16,
    pub(crate) ppid: u32,
}

pub(crate) struct Host {
    pub(crate) now: Instant,
    pub(crate) config: Config,
    pub(crate) association: Option<Association>,
    pub(crate) sockets: BTreeMap<i64, Socket>,
    /// Packets that the machine has sent, and when.
    pub(crate) sent: VecDeque<(Instant, Vec<u8>)>,
    pub(crate) messages: VecDeque<Message>,
    pub(crate) is_connected: bool,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) error: Option<Errno>,
    /// What it told besides, for scripts to ask for.
    pub(crate) notices: Vec<Event>,
    /// Whether somebody has shut down for sending.
    pub(crate) is_shut: bool,
    associations: u64,
}

impl Host {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now,
            config: kernel_config(),
            association: None,
            sockets: BTreeMap::new(),
            sent: VecDeque::new(),
            messages: VecDeque::new(),
            is_connected: false,
            closed: None,
            error: None,
            notices: Vec::new(),
            is_shut: false,
            associations: 0,
        }
    }

    /// The association; it begins with the first who asks for it, as options are set before.
    pub(crate) fn association(&mut self) -> &mut Association {
        if self.association.is_none() {
            self.associations += 1;
            (self.closed, self.is_connected, self.is_shut) = (None, false, false);
        }
        let Self { association, config, associations, .. } = self;
        association.get_or_insert_with(|| Association::new(config.clone(), Seed::for_test(*associations)))
    }

    pub(crate) fn state(&self) -> State {
        self.association.as_ref().map_or(State::Closed, Association::state)
    }

    /// A packet arrives. Whoever listens begins anew when what was there has ended.
    pub(crate) fn input(&mut self, packet: &[u8]) {
        let is_init = packet.get(12) == Some(&1);
        let listens = self.sockets.values().any(|socket| socket.is_listening);
        if is_init && listens && self.closed.is_some() {
            self.association = None;
        }
        let now = self.now;
        self.association().handle_input(packet, now);
        self.settle();
    }

    /// Takes whatever the machine has to tell and to send.
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        let mut silences = 0;
        while silences < 2 {
            let Some(association) = &mut self.association else { return };
            let mut packet = Vec::new();
            silences += 1;
            if association.poll_packet(now, MTU, &mut packet) {
                self.sent.push_back((now, packet));
                silences = 0;
            }
            if let Some(event) = association.poll_event() {
                self.take_in(event);
                silences = 0;
            }
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Connected => self.is_connected = true,
            Event::Message { stream, ppid, unordered, data } => {
                self.messages.push_back(Message { stream, ppid, unordered, data: data.to_vec() });
            }
            Event::Closed(reason) => {
                self.error = match (&reason, self.is_connected) {
                    (CloseReason::Shutdown | CloseReason::Aborted, _) => None,
                    (CloseReason::PeerAborted { .. }, true) => Some(Errno("ECONNRESET")),
                    (CloseReason::PeerAborted { .. }, false) => Some(Errno("ECONNREFUSED")),
                    (CloseReason::Unreachable | CloseReason::ShutdownTimedOut, _) => Some(Errno("ETIMEDOUT")),
                    _ => Some(Errno("ECONNABORTED")),
                };
                self.closed = Some(reason);
            }
            other => self.notices.push(other),
        }
    }

    /// Lets time pass until `at`, or until the machine has sent something, if that is asked for.
    pub(crate) fn pass(&mut self, at: Instant, is_enough: impl Fn(&Self) -> bool) {
        loop {
            self.settle();
            if is_enough(self) {
                return;
            }
            let due = self.association.as_ref().and_then(|association| association.poll_timeout(self.now));
            let next = due.filter(|due| *due <= at).unwrap_or(at);
            if next >= at && due.is_none_or(|due| due > at) {
                self.now = self.now.max(at);
                return;
            }
            self.now = self.now.max(next);
            let now = self.now;
            self.association().handle_timeout(now);
        }
    }
}

/// What a kernel does that was told nothing: the protocol's own parameters (RFC 9260 §16).
fn kernel_config() -> Config {
    let mut config = Config::default();
    (config.local_port, config.remote_port) = PORTS;
    config.mtu = MTU;
    config.rto_initial = Duration::from_secs(1);
    config.rto_min = Duration::from_secs(1);
    config.rto_max = Duration::from_secs(60);
    config.shutdown_guard = 5 * config.rto_max;
    config.sack_delay = Duration::from_millis(200);
    config.retransmits_max = Some(10);
    config.init_retransmits_max = Some(8);
    config.heartbeat_interval = Duration::from_secs(30);
    config
}

pub(crate) const fn reliable() -> SendOptions {
    SendOptions { unordered: false, reliability: Reliability::Reliable }
}
