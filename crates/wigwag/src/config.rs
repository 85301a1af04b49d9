//! What the application decides before a connection or an endpoint exists.

use crate::jsep;
use std::sync::Arc;
use wigwag_dtls::{Certificate, SrtpProfile};
use wigwag_ice::Credentials;
use wigwag_sansio::WallClock;

/// How a [`PeerConnection`](crate::PeerConnection) behaves.
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
    /// Codecs, header extensions, the DTLS role to insist on, the size of a message that we take.
    pub negotiation: jsep::Config,
    /// The SRTP protection profiles, the preferred one first.
    pub srtp_profiles: Vec<SrtpProfile>,
    /// The largest datagram to send, in bytes above UDP: 576 to 65,507. The default, 1232, is what IPv6 promises of every
    /// path (RFC 8200 §5: 1280 bytes, less its header and UDP's); packets that browsers make fit into it when forwarded.
    pub mtu: usize,
    /// How many received bytes, not yet polled, the data channels hold before they make the peer wait.
    pub receive_buffer: usize,
    /// How many bytes `send` takes before it refuses.
    pub send_buffer: usize,
}

impl Config {
    /// The defaults: a new certificate and new credentials, Opus and VP8, 1232-byte datagrams.
    pub fn new(clock: WallClock) -> Self {
        Self {
            clock,
            certificate: None,
            credentials: None,
            negotiation: jsep::Config::default(),
            srtp_profiles: vec![SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80],
            mtu: 1232,
            receive_buffer: 4 << 20,
            send_buffer: 4 << 20,
        }
    }

    pub(crate) fn mtu(&self) -> usize {
        self.mtu.clamp(576, 65_507)
    }
}

/// How an [`Endpoint`](crate::Endpoint) behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// How many connections there may be.
    pub connections_max: usize,
    /// Whether requests for ufrags that nobody has made are told ([`EndpointEvent::Incoming`](crate::EndpointEvent::Incoming)).
    pub unknown_ufrag: bool,
    /// How many datagrams of one size the driver can hand to the kernel at once.
    pub max_segments: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { connections_max: 100_000, unknown_ufrag: false, max_segments: 1 }
    }
}
