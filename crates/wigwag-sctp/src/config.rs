//! What an association is told before it begins.

use crate::send::CongestionControl;
use std::time::Duration;

/// No packet is shorter: whatever is not data must go into one.
pub(crate) const MTU_MIN: usize = 512;
const MTU_MAX: usize = 65_532;
/// What browsers take.
const MESSAGE_LEN_MAX: usize = 262_144;
/// No window holds four longer messages.
const WHOLE_MESSAGE_MAX: usize = 1 << 30;
// RFC 9260 §6.2: "An implementation MUST NOT allow the maximum delay (protocol parameter 'SACK.Delay') to be configured
// to be more than 500 ms."
const SACK_DELAY_MAX: Duration = Duration::from_millis(500);
/// A timer of less would spin; one of more might never end.
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_millis(1);
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// The limits and times of an [`Association`](crate::Association). The defaults are those of WebRTC.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The port of this end (`a=sctp-port` of the local description). 5000.
    pub local_port: u16,
    /// The port of the peer (`a=sctp-port` of the remote description). 5000.
    pub remote_port: u16,
    /// The longest packet in bytes, SCTP header included; at least 512, and rounded down to four, to which chunks are padded. 1160: what DTLS 1.2
    /// leaves of 1200.
    pub mtu: usize,
    /// The longest packet in bytes that the path may turn out to carry (RFC 8899): it is looked for by probes in HEARTBEAT and PAD
    /// chunks. [`poll_packet`](crate::Association::poll_packet) must be given as much room. Messages are cut so that every chunk fits a packet
    /// of `mtu`, which carries several if it is longer: a path that carries less later is no harm. 0: nothing is looked for.
    pub mtu_max: usize,
    /// How many streams are offered and taken in each direction, ids `0..streams_max`. 65,535. Unused ones cost nothing.
    pub streams_max: u16,
    /// How many outgoing streams are offered, if not `streams_max`. `None`.
    pub outbound_streams_max: Option<u16>,
    /// How many bytes may wait here until they are read, an overhead for each message and each fragment included, for which the peer is told
    /// of less. 5 MiB;
    /// never less than four times `message_len_max_receive`, or one message could close the window for ever (but see
    /// `partial_delivery_from`), nor than 1,500.
    pub receive_window: u32,
    /// Up to how many bytes that number grows: it doubles after a round trip in which the peer has filled half of it and the user has
    /// fetched as much, or where messages in pieces close it ([`interleaving`](field@Self::interleaving)). 32 MiB; no less than `receive_window`, so
    /// 0 is: it stays. As many messages as it holds when they are whole may be in pieces at once, for which it grows by an eighth and a
    /// message more at most. A peer that begins more of them than can become whole, and gives none up, ends the association after 10 s in
    /// which it is heard ([`CloseReason::OutOfResource`](crate::CloseReason::OutOfResource)); with `partial_delivery_from` there may be one for each
    /// 256 bytes, however long.
    pub receive_window_max: u32,
    /// How many bytes may wait to be sent for the first time, an overhead for each message included, and how many that were sent
    /// wait for what is missing before them. 16 MiB.
    pub send_buffer: usize,
    /// Up to how many bytes that number grows: it is twice the congestion window if that is more. 64 MiB; no less than `send_buffer`,
    /// so 0 is: it stays.
    pub send_buffer_max: usize,
    /// The longest message that the peer takes, in bytes (`a=max-message-size` of the remote description). 262,144.
    pub message_len_max_send: usize,
    /// The longest message taken, in bytes; a longer one ends the association. 262,144. More than 1 GiB needs
    /// `partial_delivery_from`: without it, it is a quarter of `receive_window` or `receive_window_max`, whichever is more, and at least the
    /// default.
    pub message_len_max_receive: usize,
    /// From so many bytes on, of which none is missing, an incomplete message is handed out in parts of at least that length
    /// ([`Event::MessagePart`](crate::Event::MessagePart)), and in shorter ones while half of the window is in use (RFC 9260 §6.9). A message may
    /// then be longer than the window, and `message_len_max_receive` longer than what memory should hold: the window is never less than four
    /// times this number instead. `None`: messages are handed out whole.
    pub partial_delivery_from: Option<usize>,
    /// The retransmission timeout before a round trip was measured (RFC 9260 §6.3.1). 500 ms: ICE has shown that the peer answers.
    pub rto_initial: Duration,
    /// How much longer than the smoothed round trip the timeout is at least. 220 ms: a peer may delay its SACK by 200 ms.
    pub rto_min: Duration,
    /// The longest timeout, at least 1 ms and at most a day. 3 s rather than RFC 9260's 60 s: a path that heals is used at once.
    pub rto_max: Duration,
    /// The longest timeout of INIT and COOKIE ECHO, if not `rto_max`. `None`.
    pub init_rto_max: Option<Duration>,
    /// How long the SACK of a first packet waits for a second one (RFC 9260 §6.2). 20 ms; at most 500 ms.
    pub sack_delay: Duration,
    /// How long nothing is sent until the path is probed (RFC 9260 §8.3). 30 s.
    pub heartbeat_interval: Duration,
    /// How often in a row the peer may fail to answer before the association ends; `None`: for ever. 20, which outlasts
    /// the 30 s after which ICE gives the path up (RFC 7675).
    pub retransmits_max: Option<u32>,
    /// As `retransmits_max`, for INIT and COOKIE ECHO. 20.
    pub init_retransmits_max: Option<u32>,
    /// Whether packets need no checksum, since what is below detects every error, as DTLS does (RFC 9653). The peer is told that ours
    /// may lack one, and to one that says so too packets are sent without. `false`.
    pub zero_checksum: bool,
    /// Whether messages of several streams may be on their way in pieces at once, with a peer that can do so too (RFC 8260):
    /// a long message then holds no other stream up. `false`.
    pub interleaving: bool,
    /// Whether the peer may ask us to reset streams of ours (RFC 6525 §6.3.1). `false`: data channels have no use for it.
    pub takes_stream_reset_requests: bool,
    /// Whether the peer may reset all streams and TSNs. `false`.
    pub takes_association_resets: bool,
    /// Whether the peer may add streams, no more than `streams_max` to its own, or ask us to add some to ours. `false`.
    pub takes_stream_additions: bool,
    /// Which stream's turn it is. Round robin.
    pub scheduler: Scheduler,
    /// How much may be on its way, who decides it, and how losses are found. RFC 9260's rules.
    pub congestion_control: CongestionControl,
    /// How long a shutdown of ours may take (T5-shutdown-guard, RFC 9260 §9.2). 300 s, five times RFC 9260's RTO.Max.
    pub shutdown_guard: Duration,
    /// The first TSN, for tests of its wrapping; by default it is random.
    #[doc(hidden)]
    pub initial_tsn: Option<u32>,
}

impl Config {
    /// What is out of its bounds is brought into them.
    pub(crate) fn bounded(mut self) -> Self {
        self.mtu = bounded_mtu(self.mtu);
        if self.partial_delivery_from.is_none() && self.message_len_max_receive > WHOLE_MESSAGE_MAX {
            let quarter = self.receive_window.max(self.receive_window_max) as usize / 4;
            self.message_len_max_receive = quarter.max(MESSAGE_LEN_MAX);
        }
        self.streams_max = self.streams_max.max(1);
        self.outbound_streams_max = self.outbound_streams_max.map(|streams| streams.max(1));
        self.shutdown_guard = self.shutdown_guard.max(TIMEOUT_MIN);
        self.rto_max = self.rto_max.clamp(TIMEOUT_MIN, TIMEOUT_MAX);
        self.rto_min = self.rto_min.clamp(TIMEOUT_MIN, self.rto_max);
        self.rto_initial = self.rto_initial.clamp(TIMEOUT_MIN, self.rto_max);
        self.init_rto_max = self.init_rto_max.map(|max| max.clamp(TIMEOUT_MIN, self.rto_max));
        self.heartbeat_interval = self.heartbeat_interval.max(TIMEOUT_MIN);
        self.sack_delay = self.sack_delay.min(SACK_DELAY_MAX);
        self
    }

    /// No less than `mtu`.
    pub(crate) fn path_mtu_max(&self) -> usize {
        bounded_mtu(self.mtu_max).max(self.mtu)
    }

    /// The longest message that is waited for as a whole.
    pub(crate) fn whole_len_max(&self) -> usize {
        self.partial_delivery_from.map_or(usize::MAX, |from| from.max(1)).min(self.message_len_max_receive)
    }

    pub(crate) fn outbound_streams(&self) -> u16 {
        self.outbound_streams_max.unwrap_or(self.streams_max)
    }
}

/// RFC 9260 §3.2: chunks are padded to four bytes. What no packet has for its last ones is not room.
pub(crate) fn bounded_mtu(mtu: usize) -> usize {
    mtu.clamp(MTU_MIN, MTU_MAX) & !3
}

impl Default for Config {
    fn default() -> Self {
        Self {
            local_port: 5000,
            remote_port: 5000,
            mtu: 1160,
            mtu_max: 0,
            streams_max: u16::MAX,
            outbound_streams_max: None,
            receive_window: 5 * 1024 * 1024,
            receive_window_max: 32 * 1024 * 1024,
            send_buffer: 16 * 1024 * 1024,
            send_buffer_max: 64 * 1024 * 1024,
            message_len_max_send: MESSAGE_LEN_MAX,
            message_len_max_receive: MESSAGE_LEN_MAX,
            partial_delivery_from: None,
            rto_initial: Duration::from_millis(500),
            rto_min: Duration::from_millis(220),
            rto_max: Duration::from_secs(3),
            init_rto_max: None,
            sack_delay: Duration::from_millis(20),
            heartbeat_interval: Duration::from_secs(30),
            retransmits_max: Some(20),
            init_retransmits_max: Some(20),
            zero_checksum: false,
            interleaving: false,
            takes_stream_reset_requests: false,
            takes_association_resets: false,
            takes_stream_additions: false,
            scheduler: Scheduler::default(),
            congestion_control: CongestionControl::default(),
            shutdown_guard: Duration::from_secs(300),
            initial_tsn: None,
        }
    }
}

/// Which stream's turn it is to send (RFC 8260 §3). Turns are messages, or with [`Config::interleaving`] chunks. Of streams that are
/// equal, they go round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheduler {
    /// The one whose message was given to `send` first (§3.1).
    FirstComeFirstServed,
    /// Each in turn (§3.2, §3.3).
    #[default]
    RoundRobin,
    /// The one that has sent the fewest bytes for its priority: one of twice the priority sends twice the bytes (§3.6).
    WeightedFair,
    /// The one of the highest priority (§3.4).
    Priority,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Delivered as soon as it has arrived, whatever is missing before it.
    pub unordered: bool,
    /// How long to try.
    pub reliability: Reliability,
}

/// How long a message is sent again when it was lost (RFC 3758).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Until it has arrived.
    #[default]
    Reliable,
    /// At most this often; 0: it is sent once.
    MaxRetransmits(u16),
    /// As long as it is no older than this, counted from the first call with a time after `send`.
    MaxLifetime(Duration),
    /// Until it has arrived; but when the send buffer is full, whatever of it was not begun to be sent gives way to messages
    /// with smaller numbers (RFC 7496 §3.3).
    Priority(u32),
}
