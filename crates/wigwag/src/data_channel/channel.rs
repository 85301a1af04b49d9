//! One data channel.

use super::dcep::{self, Reliability};
use super::in_parts::OpenMessage;
use crate::error::ChannelError;
use std::fmt;
use std::time::Duration;
use wigwag_sctp as sctp;

/// Names a data channel of a connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(super) u32);

impl ChannelId {
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {}", self.0)
    }
}

/// W3C `RTCDataChannelState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelState {
    /// Waits for the association.
    Connecting,
    /// Carries messages.
    Open,
    /// Sends what is buffered and waits for the peer.
    Closing,
    /// Over.
    Closed,
}

/// W3C `RTCDataChannelInit`: how a channel behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataChannelInit {
    /// Whether messages arrive in the order in which they were sent.
    pub is_ordered: bool,
    /// How hard delivery is tried.
    pub reliability: Reliability,
    /// The name of the subprotocol; at most 65,535 bytes.
    pub protocol: String,
    /// The stream, 0 to 65,534, that both sides agreed on beforehand; else the peer is told in band.
    pub negotiated: Option<u16>,
    /// The channel's share of the path beside others: 128 very low, 256 low, 512 medium, 1024 high (RFC 8831 §6.4). Told to the peer,
    /// who keeps to it, too.
    pub priority: u16,
}

impl Default for DataChannelInit {
    /// Ordered and reliable, announced in band.
    fn default() -> Self {
        Self {
            is_ordered: true,
            reliability: Reliability::Reliable,
            protocol: String::new(),
            negotiated: None,
            priority: 256,
        }
    }
}

impl DataChannelInit {
    /// Messages arrive as they come.
    #[must_use]
    pub const fn unordered(mut self) -> Self {
        self.is_ordered = false;
        self
    }

    /// A message is sent again at most `times` times.
    #[must_use]
    pub const fn max_retransmits(mut self, times: u16) -> Self {
        self.reliability = Reliability::MaxRetransmits(times);
        self
    }

    /// A message is given up when it is `age` old; whole milliseconds, at most 65,535 of them.
    #[must_use]
    pub const fn max_packet_life_time(mut self, age: Duration) -> Self {
        self.reliability = Reliability::MaxPacketLifeTime(age);
        self
    }

    /// The name of the subprotocol.
    #[must_use]
    pub fn protocol(mut self, name: impl Into<String>) -> Self {
        self.protocol = name.into();
        self
    }

    /// Both sides agreed on this stream; nothing is sent to announce the channel.
    #[must_use]
    pub const fn negotiated(mut self, stream: u16) -> Self {
        self.negotiated = Some(stream);
        self
    }

    pub(super) fn validate(&self, label: &str) -> Result<(), ChannelError> {
        const NAME_LEN_MAX: usize = 65_535; // RFC 8832 §5.1: lengths have 16 bits
        let too_long =
            [("label", label), ("protocol", &self.protocol)].into_iter().find(|(_, name)| name.len() > NAME_LEN_MAX);
        if let Some((what, name)) = too_long {
            return Err(ChannelError::NameTooLong { what, len: name.len() });
        }
        match self.reliability {
            Reliability::MaxPacketLifeTime(age) if age.as_millis() > 65_535 => Err(ChannelError::LifeTimeTooLong(age)),
            _ => Ok(()),
        }
    }
}

/// Messages and bytes of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Messages accepted by `send`, or finished.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages delivered.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

impl ChannelStats {
    pub(super) const fn has_sent(&self) -> bool {
        self.messages_sent > 0 || self.bytes_sent > 0
    }
}

/// What the peer has to be told of a channel (RFC 8832 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// DATA_CHANNEL_OPEN.
    Open,
    /// DATA_CHANNEL_ACK.
    Ack,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) is_ordered: bool,
    pub(crate) reliability: Reliability,
    pub(super) priority: u16,
    pub(crate) is_negotiated: bool,
    pub(crate) stream: Option<u16>,
    pub(crate) state: ChannelState,
    /// The establishment message that has yet to leave.
    pub(super) owed: Option<Owed>,
    /// The peer knows of the channel, so nothing can arrive before it does.
    pub(super) is_acknowledged: bool,
    pub(super) is_incoming_reset: bool,
    pub(super) is_outgoing_reset: bool,
    /// What is given in parts, and told in parts.
    pub(super) open_message: Option<OpenMessage>,
    pub(super) is_receiving: bool,
    pub(crate) low_threshold: usize,
    pub(crate) stats: ChannelStats,
}

impl Channel {
    pub(super) fn ours(label: &str, init: &DataChannelInit) -> Self {
        let open = dcep::Open {
            is_ordered: init.is_ordered,
            reliability: init.reliability,
            priority: init.priority,
            label: label.to_owned(),
            protocol: init.protocol.clone(),
        };
        let is_negotiated = init.negotiated.is_some();
        Self {
            state: ChannelState::Connecting,
            is_negotiated,
            owed: (!is_negotiated).then_some(Owed::Open),
            is_acknowledged: is_negotiated,
            ..Self::theirs(open)
        }
    }

    pub(super) fn theirs(open: dcep::Open) -> Self {
        Self {
            label: open.label,
            protocol: open.protocol,
            is_ordered: open.is_ordered,
            reliability: open.reliability,
            priority: open.priority,
            is_negotiated: false,
            stream: None,
            state: ChannelState::Open,
            owed: Some(Owed::Ack),
            is_acknowledged: true,
            is_incoming_reset: false,
            is_outgoing_reset: false,
            open_message: None,
            is_receiving: false,
            low_threshold: 0,
            stats: ChannelStats::default(),
        }
    }

    pub(super) fn names_len(&self) -> usize {
        self.label.len() + self.protocol.len()
    }

    /// The peer knows of the channel, or will before anything else comes that leaves now.
    pub(super) fn is_announced(&self) -> bool {
        self.owed != Some(Owed::Open)
    }

    pub(super) fn establishment(&self, owed: Owed) -> dcep::Message {
        match owed {
            Owed::Open => dcep::Message::Open(self.open()),
            Owed::Ack => dcep::Message::Ack,
        }
    }

    pub(super) fn open(&self) -> dcep::Open {
        dcep::Open {
            is_ordered: self.is_ordered,
            reliability: self.reliability,
            priority: self.priority,
            label: self.label.clone(),
            protocol: self.protocol.clone(),
        }
    }

    pub(super) fn send_options(&self) -> sctp::SendOptions {
        let reliability = match self.reliability {
            Reliability::Reliable => sctp::Reliability::Reliable,
            Reliability::MaxRetransmits(times) => sctp::Reliability::MaxRetransmits(times),
            Reliability::MaxPacketLifeTime(age) => sctp::Reliability::MaxLifetime(age),
        };
        sctp::SendOptions { unordered: !self.is_ordered && self.is_acknowledged, reliability }
    }
}

/// A data channel as it is now: the attributes of W3C `RTCDataChannel`.
#[derive(Clone, Copy, Debug)]
pub struct DataChannel<'a>(&'a Channel);

impl<'a> DataChannel<'a> {
    pub(crate) const fn new(channel: &'a Channel) -> Self {
        Self(channel)
    }

    /// The name that whoever opened it gave it.
    pub fn label(&self) -> &'a str {
        &self.0.label
    }

    /// The name of its subprotocol.
    pub fn protocol(&self) -> &'a str {
        &self.0.protocol
    }

    /// Whether messages arrive in the order in which they were sent.
    pub fn is_ordered(&self) -> bool {
        self.0.is_ordered
    }

    /// How hard delivery is tried.
    pub fn reliability(&self) -> Reliability {
        self.0.reliability
    }

    /// Whether both sides agreed on it beforehand.
    pub fn is_negotiated(&self) -> bool {
        self.0.is_negotiated
    }

    /// W3C `id`: its stream, once it has one.
    pub fn stream(&self) -> Option<u16> {
        self.0.stream
    }

    /// W3C `readyState`.
    pub fn state(&self) -> ChannelState {
        self.0.state
    }

    /// W3C `bufferedAmountLowThreshold`, in bytes.
    pub fn buffered_amount_low_threshold(&self) -> usize {
        self.0.low_threshold
    }

    /// What it carried.
    pub fn stats(&self) -> ChannelStats {
        self.0.stats
    }
}
