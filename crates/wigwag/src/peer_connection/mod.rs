//! One connection in the words of W3C WebRTC: the sum of negotiation, transport, data channels and media.

mod data;
mod events;
mod hiding;
mod ice;
mod layers;
mod media;
mod names;
mod negotiation;
mod report;

use crate::config::{Config, IceTransportPolicy};
use crate::data_channel::DataChannels;
use crate::event::{CloseReason, Event};
use crate::gathering::Gathering;
use crate::jsep::{Jsep, SignalingState};
use crate::mapping;
use crate::media::Media;
use crate::state::{ConnectionState, IceConnectionState, IceGatheringState};
use crate::stats::{self, TransportStats};
use crate::tap::{Tap, Tapped};
use crate::transport::{Relays, Security, Transport};
use hiding::Hidden;
use ice::Held;
use names::Names;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use wigwag_dtls as dtls;
use wigwag_ice::Path;
use wigwag_rtp as rtp;
use wigwag_sansio::{Datagram, Monotonic, Seed, Transmit, earliest};

/// A connection to one peer.
///
/// It has the five calls of every machine and may be driven alone; [`Endpoint`](crate::Endpoint) drives many on one
/// port. Everything else is a command or a getter, in the words of W3C `RTCPeerConnection`.
pub struct PeerConnection {
    config: Config,
    seed: Seed,
    certificate: Arc<dtls::Certificate>,
    /// The beginning of our SCTP association, if our descriptions tell it.
    sctp_init: Option<Vec<u8>>,
    /// Associations that have been given up.
    associations_before: u32,
    cname: String,
    jsep: Jsep,
    gathering: Gathering,
    held: Held,
    names: Names,
    hidden: Hidden,
    transport: Transport,
    channels: DataChannels,
    media: Media,
    told: Told,
    end: End,
    clock: Monotonic,
    /// Whether there may be something to tell besides `next`. Set by whatever may change that.
    may_tell: bool,
    /// The event that is told next: `handle_timeout` looks for it, so that whoever is due after it owes something.
    next: Option<Event>,
    /// Whether a command may have made a negotiation necessary.
    may_need_negotiation: bool,
}

/// The states that the application was told last. An event is owed when what is differs from what was told.
#[derive(Debug)]
struct Told {
    signaling: SignalingState,
    gathering: IceGatheringState,
    ice: IceConnectionState,
    failure: bool,
    no_address: bool,
    connection: ConnectionState,
    negotiation_needed: bool,
}

/// How far the end has come.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Not in sight.
    No,
    /// The peer is being told, and then the application.
    Coming(CloseReason),
    /// Everybody knows.
    Told,
}

impl PeerConnection {
    /// A connection that nobody has negotiated yet.
    pub fn new(mut config: Config, seed: Seed) -> Self {
        config.negotiation.max_message_size = config.max_message_size();
        let certificate =
            config.certificate.clone().unwrap_or_else(|| Arc::new(mapping::new_certificate(&config, &seed)));
        let cname = mapping::cname(&seed);
        let mut ice_config = wigwag_ice::Config::default();
        ice_config.credentials = config.credentials.clone();
        let is_relayed_alone = config.ice_transport_policy == IceTransportPolicy::Relay;
        ice_config.hide_related = config.hide_local_addresses || is_relayed_alone;
        let agent = wigwag_ice::Agent::new(ice_config, seed.fork("ice"));
        let session = rtp::Session::new(mapping::rtp_config(&config, &cname), seed.fork("rtp"));
        let sctp_init = mapping::sctp_init(&config, &seed, 0);
        let jsep = Jsep::new(config.negotiation.clone(), seed.fork("jsep"));
        // Nobody else asks for these.
        (config.negotiation.codecs, config.negotiation.header_extensions) = (Vec::new(), Vec::new());
        Self {
            told: Told {
                signaling: jsep.signaling_state(),
                gathering: IceGatheringState::New,
                ice: IceConnectionState::New,
                failure: false,
                no_address: false,
                connection: ConnectionState::New,
                negotiation_needed: false,
            },
            transport: Transport::new(
                agent,
                session,
                1,
                [config.mtu(), config.data_mtu_max()],
                Relays::new(&config.turn_servers, is_relayed_alone, seed.fork("relays")),
                config.media_congestion_control.clone(),
                Tap::new(config.tap, config.clock),
            ),
            certificate,
            sctp_init,
            associations_before: 0,
            cname,
            jsep,
            gathering: Gathering::new(config.hide_local_addresses),
            held: Held::default(),
            names: Names::default(),
            hidden: Hidden::default(),
            channels: DataChannels::new(),
            media: Media::new(seed.fork("media")),
            end: End::No,
            clock: Monotonic::default(),
            may_tell: false,
            next: None,
            may_need_negotiation: false,
            config,
            seed,
        }
    }

    // ── The five calls ──────────────────────────────────────────────────────────────────────────────────────────

    /// A datagram arrived. Whatever it holds, this cannot fail: what is of no use is dropped and counted.
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.clock.advance(now);
        if self.end == End::Told {
            return;
        }
        self.transport.handle_input(datagram, now);
        self.changed();
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.end == End::Told {
            return;
        }
        self.expire_names(now);
        self.transport.handle_timeout(now);
        self.media.handle_timeout(now);
        self.media.press(now, &mut self.transport.secured.rtp);
        self.changed();
        if self.next.is_none() {
            self.next = self.find_event();
        }
    }

    /// What shall be sent? One datagram, which replaces what is in `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.clock.advance(now);
        self.expire_names(now);
        self.pump();
        self.media.press(now, &mut self.transport.secured.rtp);
        // What a stream of frames tells may be that a key frame is to be asked for: the request leaves with this poll.
        if self.next.is_none() {
            self.next = self.find_event();
        }
        let was_closed = self.transport.is_closed();
        let transmit = self.transport.poll_transmit(now, out);
        if transmit.is_some() || self.transport.is_closed() != was_closed || self.transport.has_found() {
            self.changed();
        }
        transmit
    }

    /// What has happened? After [`Event::Closed`] there is nothing more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.next.take().or_else(|| self.find_event())
    }

    /// When to call again: at `now` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        if self.next.is_some() {
            return Some(now);
        }
        if self.end == End::Told {
            return None;
        }
        let media = if self.end == End::No { self.media.poll_timeout(now) } else { None };
        earliest([self.may_tell.then_some(now), self.transport.poll_timeout(now), media, self.names.deadline(now)])
    }

    // ── States ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `connectionState`.
    pub fn connection_state(&self) -> ConnectionState {
        match &self.end {
            End::Coming(CloseReason::Dtls(_) | CloseReason::Sctp(_)) => return ConnectionState::Failed,
            End::Coming(CloseReason::Local | CloseReason::Peer) | End::Told => return ConnectionState::Closed,
            End::No => {}
        }
        let is_secured = self.transport.secured.security == Security::Connected;
        match IceConnectionState::from(self.transport.ice.state()) {
            IceConnectionState::Failed => ConnectionState::Failed,
            IceConnectionState::Disconnected => ConnectionState::Disconnected,
            IceConnectionState::Connected | IceConnectionState::Completed if is_secured => ConnectionState::Connected,
            IceConnectionState::New if self.transport.secured.security == Security::New => ConnectionState::New,
            IceConnectionState::Closed => ConnectionState::Closed,
            _ => ConnectionState::Connecting,
        }
    }

    /// W3C `iceConnectionState`.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.transport.ice.state().into()
    }

    /// Why no path works, while the [ICE state](Self::ice_connection_state) is `failed`; as [`Event::IceFailed`] told it.
    pub fn ice_failure(&self) -> Option<&wigwag_ice::Failure> {
        self.transport.ice.failure()
    }

    /// Why each pair of addresses was tried, failed or chosen: the last 512 decisions, in their order.
    pub fn ice_decisions(&self) -> impl Iterator<Item = &wigwag_ice::Decision> {
        self.transport.ice.decisions()
    }

    /// W3C `iceGatheringState`.
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.gathering.state()
    }

    /// W3C `signalingState`.
    pub fn signaling_state(&self) -> SignalingState {
        self.jsep.signaling_state()
    }

    /// The path in use, and how it is secured.
    pub fn transport_stats(&self) -> TransportStats {
        TransportStats::of(&self.transport, &self.channels, &self.media)
    }

    /// How much was discarded, by cause; each cause has a name of the form `layer.reason`.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        stats::drops(&self.transport, self.channels.drops(), self.media.drops())
    }

    /// What [`Config::tap`](crate::Config::tap) asks for: keys and packets, for debugging.
    ///
    /// It is nothing that is owed, and wakes nobody: whoever wants it asks in every turn of the loop until `None`, also
    /// after [`Event::Closed`].
    pub fn poll_tap(&mut self) -> Option<Tapped> {
        self.transport.tap_mut()?.poll()
    }

    /// Whether [`poll_tap`](Self::poll_tap) would give something.
    pub(crate) fn has_tapped(&self) -> bool {
        self.transport.tap().is_some_and(|tap| !tap.is_empty())
    }

    /// What is not polled yet, of a connection that is over.
    pub(crate) const fn take_tap(&mut self) -> Option<Box<Tap>> {
        self.transport.take_tap()
    }

    // ── The rest ────────────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `close`: the peer is told, then [`Event::Closed`] comes, then nothing more. Keep polling until it does.
    ///
    /// What has not reached the peer by then is lost. To hand over everything first, close the data channels, and the connection when
    /// [`Event::ChannelClosed`] has come for each: that the [`buffered_amount`](Self::buffered_amount) is 0 says only that it has left.
    ///
    /// A peer of wigwag closes with [`CloseReason::Peer`]. In a browser the data channels close at once (before that Chromium's tell
    /// an error, "User-Initiated Abort", as when another browser closes), and so does the `RTCDtlsTransport`, which is what to
    /// watch in a call without them; `connectionState` stays `connected` until ICE misses us, for about 7 s in Chromium.
    pub fn close(&mut self) {
        self.begin_end(CloseReason::Local);
    }

    /// How many datagrams of one size the driver can hand to the kernel at once; 1 at first, and at least.
    ///
    /// If it is more, [`poll_transmit`](Self::poll_transmit) fills `out` with several, to be cut by
    /// [`segment_size`](field@Transmit::segment_size).
    pub fn set_max_segments(&mut self, max_segments: usize) {
        self.transport.set_max_segments(max_segments.max(1));
    }

    /// The ICE user fragment of our descriptions, by which a peer's checks are known.
    pub fn local_ufrag(&self) -> &str {
        &self.transport.ice.offered_credentials().ufrag
    }

    /// All names by which a peer's checks are known to be for this connection: during a restart, more than one.
    pub(crate) fn ufrags(&self) -> impl Iterator<Item = &str> + Clone {
        self.transport.ice.ufrags()
    }

    /// Whether our check on this path was answered.
    pub(crate) fn is_proven(&self, path: Path) -> bool {
        self.transport.ice.is_proven(path) || self.has_relay(path)
    }

    /// Whether a TURN server relays to this local address, from that remote one.
    pub(crate) fn has_relay(&self, path: Path) -> bool {
        self.transport.relays.as_ref().is_some_and(|relays| relays.has_path(path))
    }

    /// Whether a TURN server is asked this way.
    pub(crate) fn has_server(&self, path: Path) -> bool {
        self.transport.relays.as_ref().is_some_and(|relays| relays.has_server(path))
    }

    /// Whether an authentic STUN message has come over this path.
    pub(crate) fn is_open(&self, path: Path) -> bool {
        self.transport.ice.is_open(path) || self.has_relay(path)
    }

    /// Whether its paths are still its own: consent has not expired.
    pub(crate) fn holds_paths(&self) -> bool {
        !matches!(self.transport.ice.state(), wigwag_ice::State::Failed | wigwag_ice::State::Closed)
    }
}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("connection_state", &self.connection_state())
            .field("ice_connection_state", &self.ice_connection_state())
            .field("signaling_state", &self.signaling_state())
            .finish_non_exhaustive()
    }
}
