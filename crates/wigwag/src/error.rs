//! What a command refuses, and why.

use crate::data_channel::ChannelState;
use crate::jsep::MediaKind;
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::TcpType;
use wigwag_sctp as sctp;

/// Why a data channel could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// A name does not fit its length field (RFC 8832 §5.1).
    #[error("the {what} has {len} bytes; a data channel's {what} has at most 65,535")]
    NameTooLong {
        /// `label` or `protocol`.
        what: &'static str,
        /// How many bytes it has.
        len: usize,
    },
    /// A negotiated stream is in use or out of range.
    #[error("stream {0} cannot be negotiated: choose one of 0 to 65,534 that no channel uses")]
    IdUnavailable(u16),
    /// The life time does not fit its field.
    #[error("a packet life time of {0:?} is too long: at most 65,535 ms")]
    LifeTimeTooLong(Duration),
    /// There are as many as an association has streams, counting those whose end was not polled yet.
    #[error("there are 65,535 data channels already: close some, and poll the events")]
    TooManyChannels,
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
}

/// Why a text is no URL of a TURN server that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnUrlError {
    /// It begins with something else.
    #[error("a TURN server's URL begins with turn: or turns:")]
    Scheme,
    /// No name or address follows.
    #[error("behind turn: or turns: a name or an address is expected, of IPv6 in brackets, and no //")]
    Host,
    /// The port is none.
    #[error("the port behind the host is a number from 1 to 65535")]
    Port,
    /// Something else than `?transport=udp` or `?transport=tcp` follows.
    #[error("behind host and port nothing is expected but ?transport=udp or ?transport=tcp")]
    Query,
    /// TLS over UDP is DTLS.
    #[error("turns: with transport=udp is DTLS, which is not supported: write transport=tcp")]
    Dtls,
}

/// Why a message was not taken.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such channel, or it is closed.
    #[error("there is no such data channel (any more)")]
    UnknownChannel,
    /// The channel is not open.
    #[error("the data channel is {0:?}: wait for ChannelOpened, and send nothing after close")]
    NotOpen(ChannelState),
    /// The message exceeds what the peer declared that it takes (RFC 8841 §6).
    #[error("the message has {len} bytes; the peer takes at most {max} (its max-message-size)")]
    TooLarge {
        /// The message's length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A string is UTF-8 (RFC 8831 §6.6). The message is given back.
    #[error("the message is no UTF-8, which a string must be: send it as binary")]
    NotUtf8(Bytes),
    /// The send buffer is full, or the stream still ends the channel that it carried before. The message, or the part, is given back;
    /// `Event::Writable` tells when to try again.
    #[error("the send buffer is full: try again after Event::Writable")]
    Full(Bytes),
    /// A message is given in parts on this channel. What was to be sent is given back.
    #[error("a message is open on the data channel: finish it, or give it up, before another one")]
    MessageOpen(Bytes),
    /// No message was begun. The part is given back.
    #[error("no message is open on the data channel: begin one before its parts")]
    NoMessageOpen(Bytes),
    /// The open message was given up, as the channel's reliability has it, or since the peer began anew. Told once.
    #[error("the message was given up by the data channel's reliability; it is not open any more")]
    Abandoned,
    /// A part of the message is on its way, and the peer does not understand that one is given up (RFC 3758).
    #[error("the peer cannot be told that a message is given up: finish it, or close the connection")]
    CannotAbandon,
}

/// What a user sends stands in no log.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownChannel => f.write_str("UnknownChannel"),
            Self::NotOpen(state) => f.debug_tuple("NotOpen").field(state).finish(),
            Self::TooLarge { len, max } => f.debug_struct("TooLarge").field("len", len).field("max", max).finish(),
            Self::NotUtf8(data) => write!(f, "NotUtf8({} bytes)", data.len()),
            Self::Full(data) => write!(f, "Full({} bytes)", data.len()),
            Self::MessageOpen(data) => write!(f, "MessageOpen({} bytes)", data.len()),
            Self::NoMessageOpen(data) => write!(f, "NoMessageOpen({} bytes)", data.len()),
            Self::Abandoned => f.write_str("Abandoned"),
            Self::CannotAbandon => f.write_str("CannotAbandon"),
        }
    }
}

impl SendError {
    pub(crate) fn from_sctp(error: sctp::SendError, was_empty: bool, state: ChannelState) -> Self {
        match error {
            // The stream carried another channel before: `Writable` tells when that is over, too.
            sctp::SendError::Full(data) | sctp::SendError::StreamResetting(data) => {
                Self::Full(if was_empty { Bytes::new() } else { data })
            }
            sctp::SendError::TooLarge { len, max } => Self::TooLarge { len, max },
            sctp::SendError::MessageOpen(data) => Self::MessageOpen(if was_empty { Bytes::new() } else { data }),
            sctp::SendError::NoMessageOpen(data) => Self::NoMessageOpen(data),
            sctp::SendError::Abandoned => Self::Abandoned,
            _ => Self::NotOpen(state),
        }
    }
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing can be done with a connection that is over.
    #[error("the connection is closed")]
    Closed,
    /// The text is not a session description, or not a candidate; the message names the line.
    #[error(transparent)]
    Sdp(#[from] wigwag_sdp::Error),
    /// The description cannot be set now, or is not acceptable.
    #[error(transparent)]
    Negotiation(#[from] crate::jsep::Error),
    /// A candidate came before the description that it belongs to.
    #[error("there is no remote description yet: set it, then add its candidates")]
    NoRemoteDescription,
    /// Packets of a stream were told already.
    #[error("packets of this transceiver were told already: call receive_frames before, as when Event::Track comes")]
    ReceivesPackets,
    /// What is to be pressed is no key of a telephone, or the first of more than 256.
    #[error(
        "{0:?} is no key of a telephone, or one too many: 0 to 9, *, #, A to D, and a comma for a pause; at most 256"
    )]
    NoKey(char),
    /// The peer takes no telephone events on this transceiver, nothing is sent on it now, or what is sent is forwarded.
    #[error(
        "no key can be pressed on this transceiver: add Codec::telephone_event to the codecs, look at its direction, and forward on another"
    )]
    CannotPress,
    /// W3C allows no longer one.
    #[error("a jitter buffer target of {0:?} is too long: at most 4 s")]
    JitterBufferTarget(Duration),
    /// We know no codec of this kind (`Config::negotiation`), so nothing can be offered.
    #[error("no {kind} codec is configured: add one to Config::negotiation.codecs", kind = .0.as_str())]
    NoCodec(MediaKind),
    /// Not a name that a description can carry (RFC 8830 §2).
    #[error("{0:?} cannot name a MediaStream: choose 1 to 64 letters, digits or -_.~!#$%&'*+^`{{|}}")]
    InvalidStreamId(String),
    /// Not the name of a layer (RFC 8852 §3), or one too many.
    #[error("{0:?} cannot be one more layer: choose up to 16 different names of 1 to 16 letters and digits")]
    InvalidLayer(String),
    /// Layers are agreed upon, or refused, with the first answer.
    #[error("this transceiver is offered or negotiated already: name its layers when it is made")]
    LayersAreNegotiated,
    /// The packets of a layer name it, or nobody could tell whose they are.
    #[error(
        "packets on this transceiver could not name their layers: put HeaderExtension::RID among negotiation.header_extensions, which by default is there for pictures"
    )]
    LayersWithoutNames,
    /// Nothing of ours would be sent on this transceiver.
    #[error("nothing is sent on this transceiver: call add_track, or set_direction, first")]
    SendsNothing,
    /// The ICE agent refused a candidate.
    #[error(transparent)]
    Ice(#[from] wigwag_ice::Error),
}

/// Why a packet of media was not taken.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is no such transceiver, or the negotiation does not let us send on it now.
    #[error("nothing can be sent on this transceiver now: look at its current direction")]
    NotSending,
    /// The peer takes no layer of this name, at least not now.
    #[error("the peer takes no layer of this name: those that it takes are the send_layers of what was negotiated")]
    NoSuchLayer,
    /// The payload type was not negotiated, or not for this layer (RFC 8851).
    #[error(
        "the payload type was not negotiated: use one of the transceiver's codecs, and of a layer one of its payload_types"
    )]
    PayloadType(Bytes),
    /// The frame has no bytes.
    #[error("the frame is empty: write nothing while the encoder says nothing")]
    Empty,
    /// The packet does not fit into a datagram. The payload is given back.
    #[error("the packet is longer than a datagram may be: send less, or raise Config::mtu")]
    TooLong(Bytes),
    /// Frames are sent on this transceiver, so packets are not: their numbers would collide. The payload is given back.
    #[error("frames were written on this transceiver: write frames, a stream is one or the other")]
    SendsFrames(Bytes),
    /// Packets are sent on this transceiver, so frames are not. The frame is given back.
    #[error("packets were written on this transceiver: write packets, a stream is one or the other")]
    SendsPackets(Bytes),
    /// Frames of this codec cannot be cut into packets here. The frame is given back.
    #[error("no payload format is known here for this codec: write packets, or choose another codec")]
    NoPayloadFormat(Bytes),
    /// The frame is not what its codec's payload format takes. It is given back.
    #[error(
        "this is no frame of its codec: H.264 has start codes (Annex B), not lengths (AVCC), and AV1 has the sizes of its OBUs"
    )]
    Malformed(Bytes),
    /// Packets of other connections are forwarded on this transceiver, so none of our own are sent: their numbers would collide. What was
    /// to be sent is given back.
    #[error(
        "packets were forwarded on this transceiver: forward packets, or take another transceiver for those of your own"
    )]
    Forwards(Bytes),
    /// What is forwarded begins with a key frame, and goes on with one after packets were left out; none has come yet.
    #[error(
        "no key frame has come yet: ask whoever sends for one (request_key_frame, or request_layer_key_frame of the layer that it is of)"
    )]
    KeyFrameNeeded,
    /// What is forwarded is live, and would be stale when the connection is there.
    #[error("the connection is not connected (yet): what is forwarded now is for the others")]
    NotConnected,
    /// The sequence number is more than 1,023 behind the furthest that was sent, or, of what is forwarded, before the first: nobody would take
    /// it. The payload is given back.
    #[error("the sequence number is far behind those before: leave it to the connection (None), or go on from them")]
    Late(Bytes),
    /// The queue is full. The payload is given back; `Event::MediaWritable` tells when to try again, also of which layer. Of pictures that are
    /// written as frames the next has to be a key frame, for the peer sees no gap: `Event::KeyFrameRequested` comes, too.
    #[error("the queue of packets is full: try again after MediaWritable; of pictures the next must be a key frame")]
    Full(Bytes),
}

/// What a user sends stands in no log.
impl fmt::Debug for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSending => f.write_str("NotSending"),
            Self::NoSuchLayer => f.write_str("NoSuchLayer"),
            Self::PayloadType(payload) => write!(f, "PayloadType({} bytes)", payload.len()),
            Self::Empty => f.write_str("Empty"),
            Self::TooLong(payload) => write!(f, "TooLong({} bytes)", payload.len()),
            Self::SendsFrames(payload) => write!(f, "SendsFrames({} bytes)", payload.len()),
            Self::SendsPackets(data) => write!(f, "SendsPackets({} bytes)", data.len()),
            Self::NoPayloadFormat(data) => write!(f, "NoPayloadFormat({} bytes)", data.len()),
            Self::Malformed(data) => write!(f, "Malformed({} bytes)", data.len()),
            Self::Forwards(data) => write!(f, "Forwards({} bytes)", data.len()),
            Self::KeyFrameNeeded => f.write_str("KeyFrameNeeded"),
            Self::NotConnected => f.write_str("NotConnected"),
            Self::Late(payload) => write!(f, "Late({} bytes)", payload.len()),
            Self::Full(payload) => write!(f, "Full({} bytes)", payload.len()),
        }
    }
}

/// Why an address cannot be a host candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It names no interface, as of a socket that is bound to all of them.
    #[error("{0} names no interface: add each address of this machine that peers may reach, with the socket's port")]
    Unspecified(SocketAddr),
    /// A group, or everybody.
    #[error("{0} is not the address of one host")]
    NotUnicast(SocketAddr),
    /// The port is 0.
    #[error("{0} has no port: bind the socket first, and add the port that it got")]
    NoPort(SocketAddr),
    /// It is of IPv4, as a socket of both families writes it (RFC 8445 §5.1.1.1 has no such candidates).
    #[error("{0} is an IPv4 address within IPv6: write it, and those of datagrams, as {canonical}", canonical = canonical(*.0))]
    MappedIpv4(SocketAddr),
    /// There are as many as an agent takes, or the connection is over.
    #[error("{0} is one address too many, or the connection is over")]
    NotTaken(SocketAddr),
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AddressError {
    /// Whether streams can be accepted there, or opened from there, for which the port means nothing.
    pub(crate) fn check_tcp(address: SocketAddr, tcp_type: TcpType) -> Result<(), Self> {
        match tcp_type {
            TcpType::Passive => Self::check(address),
            TcpType::Active => Self::check(SocketAddr::new(address.ip(), 9)),
        }
    }

    /// Whether packets can come to this address at all.
    pub(crate) fn check(address: SocketAddr) -> Result<(), Self> {
        let ip = address.ip().to_canonical();
        let is_everybody = matches!(ip, std::net::IpAddr::V4(ip) if ip.is_broadcast());
        match address {
            _ if ip.is_unspecified() => Err(Self::Unspecified(address)),
            _ if ip.is_multicast() || is_everybody => Err(Self::NotUnicast(address)),
            _ if address.port() == 0 => Err(Self::NoPort(address)),
            SocketAddr::V6(_) if ip.is_ipv4() => Err(Self::MappedIpv4(address)),
            _ => Ok(()),
        }
    }
}

/// Why an endpoint did not make a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There are as many as `EndpointConfig::connections_max` allows.
    #[error("there are {0} connections already, which is the limit of this endpoint")]
    TooManyConnections(usize),
    /// Another connection has this ICE user fragment, by which its packets are known.
    #[error("the ICE user fragment {0:?} is another connection's")]
    UfragInUse(String),
    /// A field of the configuration has a value with which no connection can work, or of which a part would not count.
    #[error("Config::{field}: {problem}")]
    InvalidConfig {
        /// Its name.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
}
