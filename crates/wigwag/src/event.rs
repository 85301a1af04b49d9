//! What a connection tells.

use crate::data_channel::ChannelId;
use crate::description::IceCandidate;
use crate::jsep::SignalingState;
use crate::jsep::TransceiverId;
use crate::state::{ConnectionState, IceConnectionState, IceGatheringState};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use wigwag_dtls as dtls;
use wigwag_ice as ice;
use wigwag_rtp::{self as rtp, payload::ReceivedFrame};
use wigwag_sctp as sctp;

/// What has happened to a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// W3C `signalingstatechange`.
    SignalingStateChanged(SignalingState),
    /// W3C `icegatheringstatechange`.
    IceGatheringStateChanged(IceGatheringState),
    /// W3C `icecandidate`: give it to the peer. `None`: these were all.
    IceCandidate(Option<IceCandidate>),
    /// W3C `icecandidateerror`: a STUN server told nothing, or a TURN server does not relay, or not any more.
    IceCandidateError {
        /// The address of ours that was asked about (W3C `address` and `port`); `None` if
        /// [`ice_transport_policy`](field@crate::Config::ice_transport_policy) or
        /// [`hide_local_addresses`](field@crate::Config::hide_local_addresses) keeps it back.
        address: Option<SocketAddr>,
        /// Who was asked, as a URL.
        url: String,
        /// The server's code, 300 to 699; 701 if it did not answer, or not to the purpose.
        error_code: u16,
        /// The server's words, or ours.
        error_text: String,
    },
    /// Why no path works (any more): an advice, and the last decisions that led here, for people (as text) and programs
    /// ([`to_json`](ice::Failure::to_json)). The state `failed` follows.
    IceFailed(ice::Failure),
    /// Both sides have agreed, and no address of ours is known: nothing leaves and nothing comes until
    /// [`add_local_address`](crate::PeerConnection::add_local_address) is called. If nobody does in time, the connection
    /// [fails](ConnectionState::Failed). Told again if all addresses vanish.
    NoLocalAddress,
    /// The peer hides an address behind a name, a UUID and `.local`, as browsers do for pages that were granted no camera and no
    /// microphone: somebody on our link may know which it is. Ask by multicast (`wigwag-mio` does it of itself, and shows no such event;
    /// [`mdns::Host`](wigwag_mdns::Host) does it in a loop of your own) and say what was found
    /// ([`set_address_of_name`](crate::PeerConnection::set_address_of_name)). ICE waits for it for 20 s before it fails. Whoever does nothing
    /// loses this candidate only: the peer may still reach us first. It is never told to who
    /// wants [relayed candidates](field@crate::Config::ice_transport_policy) alone.
    NameResolutionNeeded(String),
    /// An address of ours is told to the peer by this name, as [`hide_local_addresses`](field@crate::Config::hide_local_addresses) asks: answer
    /// for it by multicast on the link of the address, until [`NameReleased`](Self::NameReleased) (`wigwag-mio` does it of itself, and
    /// shows neither; [`mdns::Host::register_name`](wigwag_mdns::Host::register_name) does it in a loop of your own). It comes before the
    /// candidate. Where nobody answers, only who is told of us otherwise, or whom we reach first, can be reached.
    NameRegistrationNeeded {
        /// A UUID and `.local`; no other connection has it.
        name: String,
        /// What it stands for.
        address: IpAddr,
    },
    /// A name is not needed any more, for its address has vanished or the connection ends: answer for it no longer, and say goodbye
    /// ([`mdns::Host::unregister`](wigwag_mdns::Host::unregister)). Of a connection that an endpoint removes without a word,
    /// [`EndpointEvent::NameReleased`](crate::EndpointEvent::NameReleased) tells.
    NameReleased(String),
    /// W3C `iceconnectionstatechange`.
    IceConnectionStateChanged(IceConnectionState),
    /// W3C `connectionstatechange`.
    ConnectionStateChanged(ConnectionState),
    /// W3C `negotiationneeded`: make an offer when it suits.
    NegotiationNeeded,
    /// The peer opened a data channel; [`Event::ChannelOpened`] follows.
    DataChannel(ChannelId),
    /// A data channel carries messages from now on.
    ChannelOpened(ChannelId),
    /// A message arrived.
    Message {
        /// On which channel.
        channel: ChannelId,
        /// Its bytes; of a string, UTF-8 as far as the peer keeps to its word.
        data: Bytes,
        /// Whether it was sent as bytes; else as a string.
        is_binary: bool,
    },
    /// A part of a long message arrived ([`Config::partial_delivery_from`](crate::Config::partial_delivery_from)). Those of a message come in
    /// order, and of each channel those of one message at a time, until the last one or [`Event::MessageIncomplete`]; between them may be
    /// whole messages: of other channels, and of this one if it is unordered.
    MessagePart {
        /// On which channel.
        channel: ChannelId,
        /// The part, never empty; of a string, a part of UTF-8 that may end within a character.
        data: Bytes,
        /// Whether the message was sent as bytes; else as a string.
        is_binary: bool,
        /// Whether the message begins with it.
        is_first: bool,
        /// Whether the message ends with it.
        is_last: bool,
    },
    /// Of the message of which parts were told nothing more comes: the peer gave it up, or the channel is at its end.
    MessageIncomplete(ChannelId),
    /// What is buffered has fallen to the channel's low threshold.
    BufferedAmountLow(ChannelId),
    /// A message, or a part of one, was refused because the buffer was full, and would now be taken.
    Writable,
    /// A data channel is closed; its id names nothing any more.
    ChannelClosed(ChannelId),
    /// The peer begins to send on a transceiver, or ceases to: look at its current direction. If there is no such transceiver any more,
    /// the peer has ended it.
    Track(TransceiverId),
    /// A packet of media arrived, of a transceiver that is not received as frames.
    RtpPacket {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// The packet and when it arrived.
        packet: rtp::Received,
    },
    /// It is time to play a frame: of a transceiver that is received as frames
    /// ([`receive_frames`](crate::PeerConnection::receive_frames)). The frames of a source come once each and in order.
    Frame {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Of which source; a track has one at a time, or one for each layer of simulcast
        /// ([`source_rid`](crate::PeerConnection::source_rid)).
        ssrc: u32,
        /// When the peer captured it, by the peer's clock, once it has told how that stands: since 1900, or since
        /// anything, but for all its tracks the same.
        capture_time: Option<Duration>,
        /// The frame.
        frame: ReceivedFrame,
    },
    /// Frames are missing before the next one of this source. If that cannot be decoded without a key frame, one was
    /// asked for.
    FramesLost {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Of which source.
        ssrc: u32,
        /// How many packets did not come in time; 0 if those that did contradict each other.
        packets: u64,
    },
    /// The peer pressed a key of a telephone (RFC 4733), of a transceiver that is received as frames. It is told at once, when the first
    /// packet of it comes, and once; what is heard meanwhile comes as frames, if the peer sends any. It comes only if `Config::negotiation.codecs`
    /// has [`Codec::telephone_event`](crate::jsep::Codec::telephone_event) with the clock rate of the sound, which by default it has not:
    /// 48,000 beside Opus, 8,000 beside G.711 and G.722.
    KeyPressed {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Of which source.
        ssrc: u32,
        /// The number of the event (RFC 4733 §3.2).
        event: u8,
        /// 0 to 9, `*`, `#`, A to D; `None` of other events.
        key: Option<char>,
    },
    /// The peer ended a source (RFC 3550 §6.6); all that came of it was told before.
    SourceEnded {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Which source.
        ssrc: u32,
    },
    /// The peer cannot go on without a key frame of what we send on this transceiver, or could not, for a picture was refused
    /// ([`MediaError::Full`](crate::MediaError::Full)). It is told every 300 ms at most.
    KeyFrameRequested {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Of which layer, if [layers](crate::PeerConnection::set_send_layers) of simulcast are sent.
        rid: Option<Arc<str>>,
    },
    /// A queue that was full takes packets again: each layer of simulcast has one of its own.
    MediaWritable {
        /// On which transceiver.
        transceiver: TransceiverId,
        /// Of which layer, if [layers](crate::PeerConnection::set_send_layers) of simulcast are sent.
        rid: Option<Arc<str>>,
    },
    /// How much may be sent on all transceivers together has changed by 3 % or more since it was told last, at first since
    /// [`initial_bitrate`](field@wigwag_congestion::Config::initial_bitrate): encoders are to be set to it, layers chosen by it. With [`media_congestion_control`](field@crate::Config::media_congestion_control), if the peer reports
    /// what arrives.
    TargetBitrate {
        /// Headers, encryption and what is sent again included.
        bits_per_second: u64,
    },
    /// The peer reported when packets of ours arrived, for a congestion control of the application's own: not told with
    /// [`media_congestion_control`](field@crate::Config::media_congestion_control), which takes it.
    TransportFeedback(Vec<rtp::Reported>),
    /// The connection is over. The last event. (A peer that vanishes without a goodbye is told as [`ConnectionState::Failed`].)
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`close`](crate::PeerConnection::close) was called.
    #[error("closed by us")]
    Local,
    /// The peer said goodbye.
    #[error("closed by the peer")]
    Peer,
    /// The connection could not be secured, or its security failed.
    #[error("DTLS failed: {0}")]
    Dtls(dtls::CloseReason),
    /// The data channels' association failed.
    #[error("SCTP failed: {0:?}")]
    Sctp(sctp::CloseReason),
}
