//! The data channel establishment protocol (RFC 8832).

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::time::Duration;

const MESSAGE_TYPE_ACK: u8 = 0x02;
const MESSAGE_TYPE_OPEN: u8 = 0x03;
/// The bit of a channel type that says "unordered".
const UNORDERED: u8 = 0x80;
const OPEN_HEADER_LEN: usize = 12;
/// With the longest of both names.
pub(super) const MESSAGE_LEN_MAX: usize = OPEN_HEADER_LEN + 2 * 65_535;

/// How hard a channel tries to deliver a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reliability {
    /// Until it arrives.
    #[default]
    Reliable,
    /// Sent again at most so many times.
    MaxRetransmits(u16),
    /// Given up when it is this old; whole milliseconds, at most 65,535 of them.
    MaxPacketLifeTime(Duration),
}

/// The DATA_CHANNEL_OPEN message (RFC 8832 §5.1).
///
/// ```text
/// |  Message Type |  Channel Type |            Priority           |
/// |                    Reliability Parameter                      |
/// |         Label Length          |       Protocol Length         |
/// | Label …                                                       |
/// | Protocol …                                                    |
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) is_ordered: bool,
    pub(crate) reliability: Reliability,
    pub(crate) priority: u16,
    pub(crate) label: String,
    pub(crate) protocol: String,
}

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Open(Open),
    Ack,
}

impl Message {
    /// `None` if the bytes are not a message of this protocol.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            MESSAGE_TYPE_ACK => Some(Self::Ack),
            MESSAGE_TYPE_OPEN => Open::parse(bytes).map(Self::Open),
            _ => None,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Ack => vec![MESSAGE_TYPE_ACK],
            Self::Open(open) => open.write(),
        }
    }
}

impl Open {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<OPEN_HEADER_LEN>()?;
        let [_, channel_type, p0, p1, r0, r1, r2, r3, l0, l1, q0, q1] = *header;
        let parameter = u32::from_be_bytes([r0, r1, r2, r3]);
        let reliability = match channel_type & !UNORDERED {
            0 => Reliability::Reliable,
            1 => Reliability::MaxRetransmits(u16::try_from(parameter).unwrap_or(u16::MAX)),
            2 => Reliability::MaxPacketLifeTime(Duration::from_millis(u64::from(parameter))),
            _ => return None,
        };
        let (label, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        let (protocol, _) = rest.split_at_checked(usize::from(u16::from_be_bytes([q0, q1])))?;
        Some(Self {
            is_ordered: channel_type & UNORDERED == 0,
            reliability,
            priority: u16::from_be_bytes([p0, p1]),
            label: std::str::from_utf8(label).ok()?.to_owned(),
            protocol: std::str::from_utf8(protocol).ok()?.to_owned(),
        })
    }

    fn write(&self) -> Vec<u8> {
        let (kind, parameter) = match self.reliability {
            Reliability::Reliable => (0, 0),
            Reliability::MaxRetransmits(times) => (1, u32::from(times)),
            Reliability::MaxPacketLifeTime(age) => (2, u32::try_from(age.as_millis()).unwrap_or(u32::MAX)),
        };
        // `DataChannelInit` is refused when a name does not fit its length field.
        let len = |name: &str| u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = Vec::with_capacity(OPEN_HEADER_LEN + self.label.len() + self.protocol.len());
        bytes.push(MESSAGE_TYPE_OPEN);
        bytes.push(if self.is_ordered { kind } else { kind | UNORDERED });
        bytes.extend(self.priority.to_be_bytes());
        bytes.extend(parameter.to_be_bytes());
        bytes.extend(len(&self.label));
        bytes.extend(len(&self.protocol));
        bytes.extend(self.label.as_bytes());
        bytes.extend(self.protocol.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Chromium sends it for `createDataChannel("chat", {ordered: false, maxRetransmits: 3, protocol: "p"})`.
    const OPEN: &[u8] = b"\x03\x81\x01\x00\x00\x00\x00\x03\x00\x04\x00\x01chatp";

    fn open() -> Open {
        Open {
            is_ordered: false,
            reliability: Reliability::MaxRetransmits(3),
            priority: 256,
            label: "chat".into(),
            protocol: "p".into(),
        }
    }

    #[test]
    fn open_is_read_and_written_as_rfc_8832_draws_it() {
        assert_eq!(Message::parse(OPEN), Some(Message::Open(open())));
        assert_eq!(Message::Open(open()).write(), OPEN);
    }

    #[test]
    fn ack_is_one_byte() {
        assert_eq!(Message::parse(&[2]), Some(Message::Ack));
        assert_eq!(Message::Ack.write(), [2]);
    }

    #[test]
    fn what_ends_early_or_is_unknown_is_no_message() {
        for len in 0..OPEN.len() {
            assert_eq!(Message::parse(&OPEN[..len]), None, "{len} bytes");
        }
        assert_eq!(Message::parse(b"\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), None, "channel type 3");
        assert_eq!(Message::parse(b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xff"), None, "not UTF-8");
        assert_eq!(Message::parse(b"\x01"), None);
    }

    proptest! {
        #[test]
        fn any_open_survives_the_wire(label in ".{0,40}", protocol in ".{0,40}", kind in 0..3, value: u16, is_ordered: bool, priority: u16) {
            let reliability = match kind {
                0 => Reliability::Reliable,
                1 => Reliability::MaxRetransmits(value),
                _ => Reliability::MaxPacketLifeTime(Duration::from_millis(u64::from(value))),
            };
            let open = Message::Open(Open { is_ordered, reliability, priority, label, protocol });
            prop_assert_eq!(Message::parse(&open.write()), Some(open));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Message::parse(&bytes);
        }
    }
}
