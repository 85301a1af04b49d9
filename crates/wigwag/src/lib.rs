#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod data_channel;
mod description;
mod endpoint;
mod error;
mod event;
mod gathering;
pub mod jsep;
mod mapping;
mod media;
mod peer_connection;
mod state;
pub mod stats;
mod tap;
mod transport;
mod turn_server;

/// The page about debugging is of this repository, not of this package; its example must compile all the same.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/debugging.md")]
pub struct DebuggingPage;

/// So is the page about relays.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/turn.md")]
pub struct TurnPage;

pub use config::{Config, EndpointConfig, IceTransportPolicy};
pub use data_channel::{
    ChannelId, ChannelState, ChannelStats, DataChannel, DataChannelDrops, DataChannelInit, Reliability,
};
pub use description::{IceCandidate, SessionDescription};
pub use endpoint::{ConnectionId, Endpoint, EndpointEvent, EndpointStats};
pub use error::{AddressError, ChannelError, EndpointError, Error, MediaError, SendError, TurnUrlError};
pub use event::{CloseReason, Event};
pub use jsep::{Direction, MediaKind, SdpType, SignalingState, Transceiver, TransceiverId};
pub use media::FrameDrops;
pub use peer_connection::PeerConnection;
pub use state::{ConnectionState, IceConnectionState, IceGatheringState};
pub use stats::{StatsReport, TransportDrops, TransportStats};
pub use tap::{KeyLogLine, PacketKind, TapConfig, Tapped, TappedPacket};
pub use turn_server::{TurnServer, TurnTransport, TurnUrl};

// What appears in the signatures above, so that nobody needs the crates below by name.
pub use wigwag_congestion as congestion;
pub use wigwag_dtls::{self as dtls, Certificate, CipherSuite, Group, HashAlgorithm, SrtpProfile, Version};
pub use wigwag_ice::{self as ice, Credentials, Path, TcpType};
pub use wigwag_mdns as mdns;
pub use wigwag_pcapng as pcapng;
pub use wigwag_rtp::payload::{Frame, FrameStats, ReceivedFrame};
pub use wigwag_rtp::{self as rtp, AudioLevel, Received, ReceiverId, ReceiverStats, Reported, RtpPacket, SenderStats};
pub use wigwag_rtp::{DependencyReader, ElementData, LayerSelector, Selection, VideoLayersAllocation};
pub use wigwag_sansio::{self as sansio, Datagram, Dscp, Ecn, Protocol, Seed, Transmit, WallClock};
pub use wigwag_sctp as sctp;
pub use wigwag_sdp as sdp;
pub use wigwag_turn as turn;
