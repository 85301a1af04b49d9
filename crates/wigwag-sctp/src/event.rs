//! What an association has to tell.

use crate::migration::{Reader, State, Writer, state};
use bytes::Bytes;

/// What has happened. [`Closed`](Event::Closed) is the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The association is established.
    Connected,
    /// A message has arrived.
    Message {
        /// On which stream.
        stream: u16,
        /// The payload protocol identifier, which says what the data is (RFC 8831 §8).
        ppid: u32,
        /// Whether it may have overtaken others of its stream.
        unordered: bool,
        /// The message, never empty.
        data: Bytes,
    },
    /// A part of a message that is too long to wait for as a whole ([`Config::partial_delivery_from`](crate::Config::partial_delivery_from)).
    /// The parts of a message come in order, and of each stream those of one message at a time: until the last one, or
    /// [`MessageIncomplete`](Self::MessageIncomplete). Between them may be whole messages: of other streams, and unordered ones.
    MessagePart {
        /// On which stream.
        stream: u16,
        /// The payload protocol identifier of the message.
        ppid: u32,
        /// Whether the message may have overtaken others of its stream.
        unordered: bool,
        /// The part, never empty.
        data: Bytes,
        /// Whether the message begins with it.
        is_first: bool,
        /// Whether the message ends with it.
        is_last: bool,
    },
    /// Of the stream's message of which parts have come, nothing more will: the peer has given it up, has reset the stream or has begun
    /// anew, or the association has ended.
    MessageIncomplete {
        /// Which stream.
        stream: u16,
    },
    /// The stream's buffered amount has fallen to its threshold or below.
    BufferedAmountLow {
        /// Which stream.
        stream: u16,
    },
    /// A `send` was refused with [`SendError::Full`](crate::SendError::Full), and would now be accepted.
    Writable,
    /// The peer sends nothing more on these streams, but may begin anew (RFC 6525 §4.1).
    IncomingStreamReset {
        /// Which streams; empty: all.
        streams: Vec<u16>,
    },
    /// What [`reset_stream`](crate::Association::reset_stream) asked for is done; the streams may be used anew.
    OutgoingStreamReset {
        /// Which streams.
        streams: Vec<u16>,
    },
    /// The peer refused to reset these streams; they go on as they were.
    OutgoingStreamResetRefused {
        /// Which streams.
        streams: Vec<u16>,
    },
    /// The peer refused to reset these streams of its own, as [`request_reset`](crate::Association::request_reset) had asked for.
    IncomingStreamResetRefused {
        /// Which streams; empty: all.
        streams: Vec<u16>,
    },
    /// Every stream of either side has begun anew, and so have the TSNs (RFC 6525 §4.3), whoever asked for it.
    AssociationReset,
    /// The peer refused what [`reset_association`](crate::Association::reset_association) had asked for.
    AssociationResetRefused,
    /// There are more streams than before (RFC 6525 §4.5), whoever asked for it.
    StreamsAdded {
        /// How many streams we may send on.
        outbound: u16,
        /// How many streams the peer may send on.
        inbound: u16,
    },
    /// The peer refused what [`add_streams`](crate::Association::add_streams) had asked for.
    StreamAdditionRefused,
    /// The peer takes fewer streams than these; what was queued for them is discarded.
    StreamsRefused {
        /// Which streams.
        streams: Vec<u16>,
    },
    /// The peer began anew (RFC 9260 §5.2.2). What was queued, in flight or half received is discarded; every stream begins anew.
    Restarted,
    /// The association has ended. A last packet that tells the peer so may still be owed
    /// ([`poll_packet`](crate::Association::poll_packet)).
    Closed(CloseReason),
}

state!(enum Event {
    0: Connected,
    1: Message { stream, ppid, unordered, data },
    2: BufferedAmountLow { stream },
    3: Writable,
    4: IncomingStreamReset { streams },
    5: OutgoingStreamReset { streams },
    6: OutgoingStreamResetRefused { streams },
    7: IncomingStreamResetRefused { streams },
    8: AssociationReset,
    9: AssociationResetRefused,
    10: StreamsAdded { outbound, inbound },
    11: StreamAdditionRefused,
    12: StreamsRefused { streams },
    13: Restarted,
    14: Closed(reason),
    15: MessagePart { stream, ppid, unordered, data, is_first, is_last },
    16: MessageIncomplete { stream },
});

/// Of an association that has ended there is nothing to migrate.
impl State for CloseReason {
    fn write(&self, _: &mut Writer) {}

    fn read(_: &mut Reader<'_>) -> Option<Self> {
        None
    }
}

/// Why an association has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// In good order: everything that was sent was acknowledged.
    Shutdown,
    /// By [`abort`](crate::Association::abort).
    Aborted,
    /// The peer aborted.
    PeerAborted {
        /// The code of the first error cause, if there was one (RFC 9260 §3.3.10).
        cause: Option<u16>,
        /// What the peer says about it, for a log: at most 128 bytes, whatever they are.
        reason: Bytes,
    },
    /// The peer did not answer as often as `Config` bears.
    Unreachable,
    /// The peer took too long to shut down (T5, RFC 9260 §9.2).
    ShutdownTimedOut,
    /// The peer broke the protocol.
    ProtocolViolation(&'static str),
    /// The peer has begun more messages at once, in pieces (RFC 8260), than there is room for: none of them could ever become whole
    /// ([`Config::receive_window_max`](crate::Config::receive_window_max)).
    OutOfResource,
}
