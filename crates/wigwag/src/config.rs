//! What the application decides before a connection or an endpoint exists.

use crate::error::EndpointError;
use crate::jsep;
use crate::tap::TapConfig;
use crate::turn_server::TurnServer;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use wigwag_congestion as congestion;
use wigwag_dtls::{Certificate, SrtpProfile, Version};
use wigwag_ice::Credentials;
use wigwag_sansio::WallClock;
use wigwag_sctp::CongestionControl;

const MTU_MIN: usize = 576;
const MTU_MAX: usize = 65_507;
/// As many servers of one kind are asked.
pub(crate) const SERVERS_MAX: usize = 8;
/// SCTP has no window for four longer messages (RFC 9260 §3.3.2: 32 bits).
const WHOLE_MESSAGE_MAX: u64 = 1 << 30;

/// How a [`PeerConnection`](crate::PeerConnection) behaves.
///
/// [`Endpoint::create`](crate::Endpoint::create) refuses values with which no connection can work.
/// [`PeerConnection::new`](crate::PeerConnection::new) cannot fail: it brings [`mtu`](field@Self::mtu) and what
/// [`media_congestion_control`](field@Self::media_congestion_control) says into their ranges, and takes the others as they are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where wall time comes from: certificates have dates, and sender reports tell the time.
    pub clock: WallClock,
    /// The certificate to show; without it, a new one for this connection alone (RFC 8827 §6.5 wants one a call).
    pub certificate: Option<Arc<Certificate>>,
    /// The ICE user fragment and password; without them, new ones from the seed. Choose them only to answer a
    /// stranger whom [`EndpointEvent::Incoming`](crate::EndpointEvent::Incoming) announced.
    pub credentials: Option<Credentials>,
    /// STUN servers, by the addresses of their names (`stun:` URLs of W3C's `iceServers`), which are asked over UDP what
    /// addresses NATs give us; at most 8 different ones: [`Endpoint::create`](crate::Endpoint::create) refuses more, and a
    /// connection without an endpoint asks the first 8. By default none.
    pub stun_servers: Vec<SocketAddr>,
    /// TURN servers, by the addresses of their names (`turn:` and `turns:` URLs of W3C's `iceServers`, which [`TurnUrl`](crate::TurnUrl)
    /// reads), which are asked for an address that they relay to us: peers reach it where NATs and firewalls keep them from reaching ours.
    /// They are asked over UDP, TCP or TLS ([`TurnServer`]); one that is to be asked in several ways is named several times, and UDP is
    /// preferred to TCP, and that to TLS. At most 8 different ones; by default none. Over UDP one address and port of ours can have one
    /// address at one server: of several connections on an [`Endpoint`](crate::Endpoint) the first is given one, and the others are told
    /// ([`Event::IceCandidateError`](crate::Event::IceCandidateError) 437); streams of TCP and TLS are each connection's own.
    pub turn_servers: Vec<TurnServer>,
    /// Which candidates there may be; by default all.
    pub ice_transport_policy: IceTransportPolicy,
    /// Whether the peer, and whoever carries what it is told, learns no address of our interfaces, as from a browser's page that was granted
    /// no camera and no microphone (draft-ietf-mmusic-mdns-ice-candidates, RFC 8828 §5.2): candidates, descriptions, statistics and failures
    /// tell a name in place of each, a UUID and `.local` that is this connection's alone, and no reflexive or relayed candidate tells
    /// what it is of. Who is on the same link can ask for the name, and somebody there must answer:
    /// [`Event::NameRegistrationNeeded`](crate::Event::NameRegistrationNeeded) (`wigwag-mio` does it of itself).
    ///
    /// All addresses of interfaces are hidden, those of IPv6 and of loopback too, but those that are said to be known
    /// ([`expose_address`](crate::Endpoint::expose_address)). What [`stun_servers`](field@Self::stun_servers) and
    /// [`turn_servers`](field@Self::turn_servers) see is told as it is, but no private address that one nearby saw. The peer learns by our
    /// checks from where they come. Not hidden from the application on this machine: [`transport_stats`](crate::PeerConnection::transport_stats), and what
    /// [`tap`](field@Self::tap) asks for. By default off. With relays alone there is nothing to hide.
    pub hide_local_addresses: bool,
    /// Codecs, header extensions, the DTLS role to insist on, the size of a message that we take (262,144 bytes by default).
    pub negotiation: jsep::Config,
    /// The SRTP protection profiles, the preferred one first. By default AEAD_AES_128_GCM,
    /// AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80; AES128_CM_HMAC_SHA1_32 is there for whoever names it.
    pub srtp_profiles: Vec<SrtpProfile>,
    /// The versions of DTLS to speak, of which the newest that the peer speaks too is chosen. By default 1.2
    /// and 1.3: 1.3 (RFC 9147), with X25519MLKEM768, with those who can.
    pub dtls_versions: RangeInclusive<Version>,
    /// The largest datagram to send, in bytes above UDP: 576 to 65,507. The default, 1232, is what IPv6 promises of every
    /// path (RFC 8200 §5: 1280 bytes, less its header and UDP's); packets that browsers make fit into it when forwarded.
    /// With [`turn_servers`](field@Self::turn_servers) 4 bytes of it are a relay's; a datagram that leaves before the relay knows the peer
    /// by a number, in the first round trips, may be 47 bytes longer.
    pub mtu: usize,
    /// The largest datagram that data channels may turn out to be able to send, in bytes above UDP, up to 65,507: if it is more than
    /// [`mtu`](field@Self::mtu), it is looked for what the path carries (RFC 8899), with datagrams that long. The driver must not let them be
    /// cut on their way. 0, the default: nothing is looked for. 1452 is what IPv6 over Ethernet leaves.
    pub data_mtu_max: usize,
    /// Who decides how much of the data channels may be on its way (SCTP's congestion control). By default RFC 9260's rules;
    /// `Cubic` is for fast paths, `Bbr` for long ones that lose packets though nothing is full.
    pub sctp_congestion_control: CongestionControl,
    /// How many received bytes, not yet polled, the data channels hold before they make the peer wait; 4 MiB by default, and never
    /// less than four of the longest messages that [`negotiation`](field@Self::negotiation) takes, or of `partial_delivery_from` if that is
    /// less. A message counts with about 100 bytes more than it has. Where messages come in pieces side by side, as Firefox sends those of
    /// several channels, it holds as many at once as it does when they are whole: a peer that sends more of them at once, 17 of 256 KiB
    /// with the defaults, may end the connection ([`sctp::CloseReason::OutOfResource`](wigwag_sctp::CloseReason::OutOfResource)). With
    /// `partial_delivery_from` it may send one for each 256 bytes of this at once, 16,384 with the default, however long they are.
    pub receive_buffer: usize,
    /// From so many bytes on, messages are told in parts of about that length ([`Event::MessagePart`](crate::Event::MessagePart)), of which
    /// a message may have any number: then [`jsep::Config::max_message_size`](crate::jsep::Config::max_message_size) may be more than memory
    /// should hold, also 0, which is any. 64 KiB is a good length. `None`, the default: every message is told whole.
    pub partial_delivery_from: Option<usize>,
    /// How many bytes `send` takes, of all channels together, before it refuses; 4 MiB by default. A message counts with
    /// about 100 bytes more than it has.
    pub send_buffer: usize,
    /// Congestion control of media: how much the path takes is found out (Google Congestion Control, by what the peer reports of
    /// arrivals), and told ([`Event::TargetBitrate`](crate::Event::TargetBitrate)); pictures and what is sent again leave at that pace, and
    /// sound at once. The application sets its encoders to what it is told: of one that does not, what would wait longer than
    /// [`queue_time_max`](field@congestion::Config::queue_time_max) leaves all the same, and the path overflows. With peers that report nothing (neither `transport-cc` nor, where [`jsep::Config::ccfb`](field@jsep::Config::ccfb) asks for it, `ack ccfb` is negotiated) it has no effect.
    /// `None`, the default: what is written leaves at once, and reports are told as
    /// [`Event::TransportFeedback`](crate::Event::TransportFeedback).
    pub media_congestion_control: Option<congestion::Config>,
    /// What [`poll_tap`](crate::PeerConnection::poll_tap) gives away for debugging: keys, packets. By default nothing.
    pub tap: TapConfig,
}

/// W3C `RTCIceTransportPolicy`: which candidates there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceTransportPolicy {
    /// All.
    #[default]
    All,
    /// Relayed ones alone: the peer learns no address of ours, and everything goes through a
    /// [TURN server](Config::turn_servers).
    Relay,
}

impl Config {
    /// The defaults: a new certificate and new credentials, the codecs of [`jsep::Config`], 1232-byte datagrams.
    pub fn new(clock: WallClock) -> Self {
        Self {
            clock,
            certificate: None,
            credentials: None,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            ice_transport_policy: IceTransportPolicy::All,
            hide_local_addresses: false,
            negotiation: jsep::Config::default(),
            srtp_profiles: SrtpProfile::DEFAULT.to_vec(),
            dtls_versions: Version::Dtls12..=Version::Dtls13,
            mtu: 1232,
            data_mtu_max: 0,
            sctp_congestion_control: CongestionControl::default(),
            receive_buffer: 4 << 20,
            partial_delivery_from: None,
            send_buffer: 4 << 20,
            media_congestion_control: None,
            tap: TapConfig::default(),
        }
    }

    /// What no connection can work with, before one is made.
    pub(crate) fn check(&self) -> Result<(), EndpointError> {
        let is_ice = |text: &str, len_min: usize| {
            let is_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
            (len_min..=256).contains(&text.len()) && text.bytes().all(is_char)
        };
        let has_ice = |of: &Credentials| is_ice(&of.ufrag, 4) && is_ice(&of.password, 22);
        for (is_right, field, problem) in [
            ((MTU_MIN..=MTU_MAX).contains(&self.mtu), "mtu", "choose 576 to 65,507 bytes"),
            (
                self.credentials.as_ref().is_none_or(has_ice),
                "credentials",
                "a ufrag has 4 to 256 and a password 22 to 256 of the characters A-Z a-z 0-9 + / (RFC 8839 §5.4)",
            ),
            (
                is_few(&self.stun_servers, PartialEq::eq),
                "stun_servers",
                "choose 8 at most: the others would not be asked",
            ),
            (
                is_few(&self.turn_servers, TurnServer::is_same),
                "turn_servers",
                "choose 8 at most: the others would not be asked",
            ),
            (
                self.turn_servers.iter().all(TurnServer::has_possible_name),
                "turn_servers",
                "over_tls wants the name that the server's certificate is for, as turn.example.org, or its address",
            ),
            (
                self.ice_transport_policy == IceTransportPolicy::All || !self.turn_servers.is_empty(),
                "ice_transport_policy",
                "without a TURN server there is no relay: name one in turn_servers",
            ),
            (!self.srtp_profiles.is_empty(), "srtp_profiles", "name one at least"),
            (!self.dtls_versions.is_empty(), "dtls_versions", "write the older version first"),
            (self.receive_buffer > 0, "receive_buffer", "choose more than 0 bytes"),
            (self.send_buffer > 0, "send_buffer", "choose more than 0 bytes"),
            (self.negotiation.sctp_port > 0, "negotiation.sctp_port", "choose 1 to 65,535; 5000 is usual"),
            (
                self.negotiation.codecs.iter().all(can_be_described),
                "negotiation.codecs",
                "a name is a token (RFC 8866 §9), a clock has more than 0 ticks a second, and parameters are one line",
            ),
            (
                self.negotiation.header_extensions.iter().all(|extension| is_word(&extension.uri)),
                "negotiation.header_extensions",
                "a URI has no spaces and is not empty",
            ),
            (
                self.can_hold_messages(),
                "negotiation.max_message_size",
                "any (0), or more than 1 GiB, only with partial_delivery_from",
            ),
        ] {
            if !is_right {
                return Err(EndpointError::InvalidConfig { field, problem });
            }
        }
        match self.media_congestion_control.as_ref().map(congestion::Config::check) {
            Some(Err(congestion::Error::Config { field, problem })) => {
                Err(EndpointError::InvalidConfig { field: of_congestion(field), problem })
            }
            _ => Ok(()),
        }
    }

    /// Messages that are told whole must be held as a whole, and four of them at once.
    const fn can_hold_messages(&self) -> bool {
        let size = self.negotiation.max_message_size;
        self.partial_delivery_from.is_some() || 0 < size && size <= WHOLE_MESSAGE_MAX
    }

    /// What is told of the longest message that we take: messages that nobody limits have the limit of what is held.
    pub(crate) fn max_message_size(&self) -> u64 {
        if self.can_hold_messages() {
            self.negotiation.max_message_size
        } else {
            (self.receive_buffer as u64 / 4).clamp(jsep::Config::default().max_message_size, WHOLE_MESSAGE_MAX)
        }
    }

    pub(crate) fn mtu(&self) -> usize {
        self.mtu.clamp(MTU_MIN, MTU_MAX) - self.relayed()
    }

    /// What a relay has of each datagram, in bytes.
    const fn relayed(&self) -> usize {
        if self.turn_servers.is_empty() { 0 } else { wigwag_turn::channel_data::HEADER_LEN }
    }

    /// Of datagrams that carry data channels.
    pub(crate) fn data_mtu_max(&self) -> usize {
        self.data_mtu_max.min(MTU_MAX).saturating_sub(self.relayed()).max(self.mtu())
    }
}

/// Where a field of the congestion control is, for who looks for it in [`Config`].
fn of_congestion(field: &str) -> &'static str {
    match field {
        "initial_bitrate" => "media_congestion_control.initial_bitrate",
        "min_bitrate" => "media_congestion_control.min_bitrate",
        "max_bitrate" => "media_congestion_control.max_bitrate",
        "pacing_factor" => "media_congestion_control.pacing_factor",
        "queue_time_max" => "media_congestion_control.queue_time_max",
        _ => "media_congestion_control",
    }
}

/// Whether there are no more servers than are asked.
fn is_few<T>(servers: &[T], is_same: impl Fn(&T, &T) -> bool) -> bool {
    let is_first = |(number, server): &(usize, &T)| !servers.iter().take(*number).any(|known| is_same(known, server));
    servers.iter().enumerate().filter(is_first).take(SERVERS_MAX + 1).count() <= SERVERS_MAX
}

fn can_be_described(codec: &jsep::Codec) -> bool {
    is_token(&codec.name) && codec.clock_rate > 0 && !codec.parameters.contains(['\r', '\n'])
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 8866 §9: "token = 1*(token-char)".
pub(crate) fn is_token(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_char)
}

/// How an [`Endpoint`](crate::Endpoint) behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// How many connections there may be; 100,000 by default.
    pub connections_max: usize,
    /// Whether requests for ufrags that nobody has made are told ([`EndpointEvent::Incoming`](crate::EndpointEvent::Incoming));
    /// by default not.
    pub unknown_ufrag: bool,
    /// How many datagrams of one size the driver can hand to the kernel at once; 1 by default.
    pub max_segments: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { connections_max: 100_000, unknown_ufrag: false, max_segments: 1 }
    }
}
