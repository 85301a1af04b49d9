//! One connection in the words of W3C WebRTC: the sum of negotiation, transport, data channels and media.

use crate::config::Config;
use crate::data_channel::{self, ChannelId, DataChannel, DataChannelInit, DataChannels};
use crate::description::{IceCandidate, SessionDescription};
use crate::error::{ChannelError, Error, MediaError, SendError};
use crate::event::{CloseReason, Event};
use crate::gathering::Gathering;
use crate::jsep::{
    Direction, Jsep, LocalTransport, MediaKind, SdpType, SendStream, SignalingState, Transceiver, TransceiverId,
    TransceiverInit,
};
use crate::mapping;
use crate::media::Media;
use crate::state::{ConnectionState, IceConnectionState, IceGatheringState};
use crate::stats::{self, TransportStats};
use crate::transport::{Security, Transport};
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use wigwag_dtls as dtls;
use wigwag_ice::{self as ice, Path};
use wigwag_rtp as rtp;
use wigwag_sansio::{Datagram, Monotonic, Seed, Transmit, earliest};
use wigwag_sctp as sctp;

/// A connection to one peer.
///
/// It has the five calls of every machine and may be driven alone; [`Endpoint`](crate::Endpoint) drives many on one
/// port. Everything else is a command or a getter, in the words of W3C `RTCPeerConnection`.
pub struct PeerConnection {
    config: Config,
    seed: Seed,
    certificate: Arc<dtls::Certificate>,
    cname: String,
    jsep: Jsep,
    gathering: Gathering,
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
    pub fn new(config: Config, seed: Seed) -> Self {
        let certificate =
            config.certificate.clone().unwrap_or_else(|| Arc::new(mapping::new_certificate(&config, &seed)));
        let cname = mapping::cname(&seed);
        let mut ice_config = ice::Config::default();
        ice_config.credentials = config.credentials.clone();
        let agent = ice::Agent::new(ice_config, seed.fork("ice"));
        let session = rtp::Session::new(mapping::rtp_config(&config, &cname), seed.fork("rtp"));
        let jsep = Jsep::new(config.negotiation.clone(), seed.fork("jsep"));
        Self {
            told: Told {
                signaling: jsep.signaling_state(),
                gathering: IceGatheringState::New,
                ice: IceConnectionState::New,
                connection: ConnectionState::New,
                negotiation_needed: false,
            },
            transport: Transport::new(agent, session, 1, config.mtu()),
            certificate,
            cname,
            jsep,
            gathering: Gathering::default(),
            channels: DataChannels::new(),
            media: Media::default(),
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
        self.transport.handle_timeout(now);
        self.changed();
        if self.next.is_none() {
            self.next = self.find_event();
        }
    }

    /// What shall be sent? Replaces what is in `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.clock.advance(now);
        self.pump();
        let was_closed = self.transport.is_closed();
        let transmit = self.transport.poll_transmit(now, out);
        if transmit.is_some() || self.transport.is_closed() != was_closed {
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
        earliest([self.may_tell.then_some(now), self.transport.poll_timeout(now)])
    }

    // ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Something changed: events may be owed, and the end may have come into sight.
    fn changed(&mut self) {
        self.may_tell = true;
        if let (End::No, Security::Closed(reason)) = (&self.end, &self.transport.secured.security) {
            let reason = match reason {
                dtls::CloseReason::CloseNotify => CloseReason::Peer,
                reason => CloseReason::Dtls(*reason),
            };
            self.begin_end(reason);
        }
    }

    fn begin_end(&mut self, reason: CloseReason) {
        if self.end == End::No {
            self.end = End::Coming(reason);
            self.jsep.close();
            self.channels.close_all();
            self.transport.close();
            self.may_tell = true;
        }
    }

    fn find_event(&mut self) -> Option<Event> {
        if !self.may_tell {
            return None;
        }
        self.pump();
        let event = self.next_event();
        self.may_tell = event.is_some();
        event
    }

    /// Events are fetched from where they are owed, so that a window stays closed while nobody fetches.
    fn next_event(&mut self) -> Option<Event> {
        if self.end == End::Told {
            return None;
        }
        self.state_event().or_else(|| self.channel_event()).or_else(|| self.media_event()).or_else(|| self.last_event())
    }

    fn state_event(&mut self) -> Option<Event> {
        let signaling = self.jsep.signaling_state();
        if std::mem::replace(&mut self.told.signaling, signaling) != signaling {
            return Some(Event::SignalingStateChanged(signaling));
        }
        let ice = IceConnectionState::from(self.transport.ice.state());
        if let Some(event) = self.gathering_event() {
            return Some(event);
        }
        while self.transport.ice.poll_event().is_some() {} // its states are compared, its path is asked for
        if std::mem::replace(&mut self.told.ice, ice) != ice {
            return Some(Event::IceConnectionStateChanged(ice));
        }
        let connection = self.connection_state();
        if std::mem::replace(&mut self.told.connection, connection) != connection {
            return Some(Event::ConnectionStateChanged(connection));
        }
        self.negotiation_event()
    }

    fn negotiation_event(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.may_need_negotiation) || self.end != End::No {
            return None;
        }
        let is_needed = self.jsep.is_negotiation_needed();
        let was_needed = std::mem::replace(&mut self.told.negotiation_needed, is_needed);
        (is_needed && !was_needed).then_some(Event::NegotiationNeeded)
    }

    fn gathering_event(&mut self) -> Option<Event> {
        let gathering = self.gathering.state();
        if self.told.gathering == IceGatheringState::New && gathering != IceGatheringState::New {
            self.told.gathering = IceGatheringState::Gathering;
            return Some(Event::IceGatheringStateChanged(IceGatheringState::Gathering));
        }
        if let Some(candidate) = self.gathering.next() {
            return Some(Event::IceCandidate(candidate));
        }
        (std::mem::replace(&mut self.told.gathering, gathering) != gathering)
            .then_some(Event::IceGatheringStateChanged(gathering))
    }

    fn channel_event(&mut self) -> Option<Event> {
        Some(match self.channels.poll_event()? {
            data_channel::Event::Incoming(id) => Event::DataChannel(id),
            data_channel::Event::Opened(id) => Event::ChannelOpened(id),
            data_channel::Event::Message { channel, data, is_binary } => Event::Message { channel, data, is_binary },
            data_channel::Event::BufferedAmountLow(id) => Event::BufferedAmountLow(id),
            data_channel::Event::Writable => Event::Writable,
            data_channel::Event::Closed(id) => Event::ChannelClosed(id),
        })
    }

    /// Lets the channels take what their association has to tell, one thing at a time.
    fn pump(&mut self) {
        if self.next.is_some() {
            return;
        }
        let Some(sctp) = &mut self.transport.secured.sctp else { return };
        if let Some(reason) = self.channels.pump(sctp) {
            self.association_closed(reason);
        }
    }

    /// A peer that hangs up may abort the association first and say close_notify next.
    fn association_closed(&mut self, reason: sctp::CloseReason) {
        match reason {
            sctp::CloseReason::Shutdown | sctp::CloseReason::Aborted | sctp::CloseReason::PeerAborted { .. } => {
                self.begin_end(CloseReason::Peer);
            }
            reason => self.begin_end(CloseReason::Sctp(reason)),
        }
    }

    fn media_event(&mut self) -> Option<Event> {
        if let Some(id) = self.media.next_track() {
            return Some(Event::Track(id));
        }
        loop {
            let event = self.transport.secured.rtp.poll_event()?;
            if let Some(event) = self.media.event(event) {
                return Some(event);
            }
        }
    }

    fn last_event(&mut self) -> Option<Event> {
        if !matches!(self.end, End::Coming(_)) || !self.transport.is_closed() {
            return None;
        }
        let End::Coming(reason) = std::mem::replace(&mut self.end, End::Told) else { return None };
        self.transport.end_ice();
        Some(Event::Closed(reason))
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
        TransportStats::of(&self.transport, self.config.receive_buffer)
    }

    /// How much was discarded, by cause; each cause has a name of the form `layer.reason`.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        stats::drops(&self.transport, self.channels.drops())
    }

    // ── Negotiation ─────────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `createOffer`. Nothing changes until it is set.
    ///
    /// # Errors
    /// The connection is closed, or the signalling state does not allow it.
    pub fn create_offer(&mut self) -> Result<SessionDescription, Error> {
        self.ensure_open()?;
        let sdp = self.jsep.create_offer(&self.local_transport())?;
        Ok(SessionDescription::offer(sdp.to_string()))
    }

    /// W3C `createAnswer`. Nothing changes until it is set.
    ///
    /// # Errors
    /// The connection is closed, or there is no offer to answer.
    pub fn create_answer(&mut self) -> Result<SessionDescription, Error> {
        self.ensure_open()?;
        let sdp = self.jsep.create_answer(&self.local_transport())?;
        Ok(SessionDescription::answer(sdp.to_string()))
    }

    /// W3C `setLocalDescription`. From now on candidates are told.
    ///
    /// # Errors
    /// The connection is closed, the signalling state does not allow it, or it is not what was created last.
    #[expect(clippy::needless_pass_by_value, reason = "a description is handed over")]
    pub fn set_local_description(&mut self, description: SessionDescription) -> Result<(), Error> {
        self.ensure_open()?;
        if description.kind == SdpType::Rollback {
            self.jsep.rollback()?;
        } else {
            self.jsep.set_local_description(description.kind, mapping::parse(&description)?)?;
            self.begin(description.kind, ice::Role::Controlling);
            self.gathering.start(self.jsep.candidate_section(), &self.transport.ice);
            self.transport.ice.end_of_local_candidates();
            self.jsep.update_candidates(&self.local_transport());
        }
        self.apply();
        Ok(())
    }

    /// W3C `setRemoteDescription`.
    ///
    /// # Errors
    /// The connection is closed, the signalling state does not allow it, or the description is not acceptable: the
    /// error names the line, or the section, and what is wrong with it.
    #[expect(clippy::needless_pass_by_value, reason = "a description is handed over")]
    pub fn set_remote_description(&mut self, description: SessionDescription) -> Result<(), Error> {
        self.ensure_open()?;
        if description.kind == SdpType::Rollback {
            self.jsep.rollback()?;
        } else {
            self.jsep.set_remote_description(description.kind, mapping::parse(&description)?)?;
            self.begin(description.kind, ice::Role::Controlled);
        }
        self.apply();
        Ok(())
    }

    /// RFC 8445 §6.1.1: "the initiating agent that started the ICE processing MUST take the controlling role, and the
    /// other MUST take the controlled role." Whoever makes the first offer has started it.
    fn begin(&mut self, kind: SdpType, role: ice::Role) {
        if kind == SdpType::Offer && self.jsep.current_local_description().is_none() {
            self.transport.ice.set_role(role);
        }
    }

    /// W3C `addIceCandidate`; `None`, or an empty candidate, says that these were all.
    ///
    /// A candidate that cannot be used here (a `.local` name, TCP, another family) is kept and ignored without error.
    ///
    /// # Errors
    /// There is no remote description yet, or the text is not a candidate.
    pub fn add_ice_candidate(&mut self, candidate: Option<&IceCandidate>) -> Result<(), Error> {
        self.ensure_open()?;
        if self.jsep.remote_description().is_none() {
            return Err(Error::NoRemoteDescription);
        }
        self.may_tell = true;
        let Some(candidate) = candidate.filter(|candidate| !candidate.candidate.is_empty()) else {
            self.transport.ice.end_of_remote_candidates();
            return Ok(());
        };
        let parsed = wigwag_sdp::Candidate::parse(&candidate.candidate)?;
        let ufrag = candidate.username_fragment.as_deref().or(parsed.extensions.get("ufrag"));
        let index = candidate.sdp_m_line_index.map(usize::from);
        if self.jsep.takes_candidate(candidate.sdp_mid.as_deref(), index, ufrag)
            && let Some(mapped) = mapping::remote_candidate(&parsed)
        {
            self.transport.ice.add_remote_candidate(mapped)?;
        }
        Ok(())
    }

    /// W3C `localDescription`, with the candidates found so far.
    pub fn local_description(&self) -> Option<SessionDescription> {
        self.jsep.local_description().map(|found| SessionDescription { kind: found.kind, sdp: found.sdp.to_string() })
    }

    /// W3C `remoteDescription`, as it was given.
    pub fn remote_description(&self) -> Option<SessionDescription> {
        self.jsep.remote_description().map(|found| SessionDescription { kind: found.kind, sdp: found.sdp.to_string() })
    }

    fn ensure_open(&self) -> Result<(), Error> {
        if self.end == End::No { Ok(()) } else { Err(Error::Closed) }
    }

    fn local_transport(&self) -> LocalTransport {
        let is_complete = self.gathering.state() == IceGatheringState::Complete;
        mapping::local_transport(&self.transport.ice, &self.certificate, is_complete)
    }

    /// Gives every layer what was negotiated for it, as far as it is known. Doing it again changes nothing.
    fn apply(&mut self) {
        self.may_tell = true;
        self.may_need_negotiation = true;
        self.apply_ice();
        self.apply_dtls();
        self.apply_sctp();
        self.media.apply(&self.jsep, &mut self.transport.secured.rtp);
    }

    fn apply_ice(&mut self) {
        let Some(remote) = self.jsep.remote_transport() else { return };
        let credentials = ice::Credentials { ufrag: remote.ufrag.clone(), password: remote.pwd.clone() };
        self.transport.ice.set_remote_credentials(credentials);
        for candidate in remote.candidates.iter().filter_map(mapping::remote_candidate) {
            // Too many candidates are counted by the agent: what has a place may still work.
            let _ = self.transport.ice.add_remote_candidate(candidate);
        }
        if remote.end_of_candidates {
            self.transport.ice.end_of_remote_candidates();
        }
    }

    fn apply_dtls(&mut self) {
        let (Some(role), Some(remote)) = (self.jsep.dtls_role(), self.jsep.remote_transport()) else { return };
        if self.transport.secured.dtls.is_some() {
            return;
        }
        let role = mapping::dtls_role(role);
        let mut config = dtls::Config::new(role, Arc::clone(&self.certificate));
        config.remote_fingerprints = remote.fingerprints.iter().filter_map(mapping::fingerprint).collect();
        config.srtp_profiles.clone_from(&self.config.srtp_profiles);
        self.transport.start_dtls(dtls::Connection::new(config, self.seed.fork("dtls")));
        self.channels.set_dtls_role(role == dtls::Role::Client);
    }

    fn apply_sctp(&mut self) {
        let Some(data) = self.jsep.data() else { return };
        if self.jsep.dtls_role().is_none() || self.transport.secured.sctp.is_some() {
            return;
        }
        let config = mapping::sctp_config(&self.config, data);
        self.transport.start_sctp(sctp::Association::new(config, self.seed.fork("sctp")));
    }

    // ── Data channels ───────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `createDataChannel`. It carries messages after [`Event::ChannelOpened`].
    ///
    /// # Errors
    /// A name is too long, the negotiated stream is taken, or the connection is closed.
    #[expect(clippy::needless_pass_by_value, reason = "an init is handed over")]
    pub fn create_data_channel(&mut self, label: &str, init: DataChannelInit) -> Result<ChannelId, ChannelError> {
        if self.end != End::No {
            return Err(ChannelError::Closed);
        }
        let id = self.channels.create(label, &init, self.transport.secured.sctp.as_mut())?;
        self.jsep.want_data_channels();
        self.may_tell = true;
        self.may_need_negotiation = true;
        Ok(id)
    }

    /// What is known of a data channel; `None` once it is closed.
    pub fn data_channel(&self, id: ChannelId) -> Option<DataChannel<'_>> {
        self.channels.channel(id).map(DataChannel::new)
    }

    /// W3C `send`: queues a message; `is_binary` tells bytes from a string, which must be UTF-8.
    ///
    /// # Errors
    /// The channel is not open, the message exceeds what the peer takes, or the buffer is full, in which case the
    /// message is given back and [`Event::Writable`] tells when to try again.
    pub fn send(&mut self, id: ChannelId, data: Bytes, is_binary: bool) -> Result<(), SendError> {
        self.channels.send(id, data, is_binary, self.transport.secured.sctp.as_mut())
    }

    /// W3C `bufferedAmount`: the bytes that `send` took and that have not left yet.
    pub fn buffered_amount(&self, id: ChannelId) -> usize {
        let stream = self.channels.channel(id).and_then(|channel| channel.stream);
        let sctp = self.transport.secured.sctp.as_ref();
        stream.zip(sctp).map_or(0, |(stream, sctp)| sctp.buffered_amount(stream))
    }

    /// W3C `bufferedAmountLowThreshold`, in bytes: [`Event::BufferedAmountLow`] tells when the amount falls to it.
    pub fn set_buffered_amount_low_threshold(&mut self, id: ChannelId, threshold: usize) {
        self.channels.set_low_threshold(id, threshold, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
    }

    /// W3C `close` of a data channel: what is buffered is sent, then the peer closes too, then
    /// [`Event::ChannelClosed`] comes.
    pub fn close_data_channel(&mut self, id: ChannelId) {
        self.channels.close(id, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
    }

    /// The data channels that are not closed.
    pub fn data_channels(&self) -> impl Iterator<Item = (ChannelId, DataChannel<'_>)> {
        self.channels.iter().map(|(id, channel)| (id, DataChannel::new(channel)))
    }

    // ── Media ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `addTransceiver`: a section of its own in the next offer.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn add_transceiver(&mut self, kind: MediaKind, direction: Direction) -> Result<TransceiverId, Error> {
        self.ensure_open()?;
        let send = self.new_stream();
        let init = TransceiverInit { direction, send: Some(send), may_be_offered: false };
        self.needs_negotiation();
        Ok(self.jsep.add_transceiver(kind, init))
    }

    /// W3C `addTrack`: sends on a transceiver of this kind that does not send yet, as one that the peer's offer made,
    /// or else on a new one.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn add_track(&mut self, kind: MediaKind) -> Result<TransceiverId, Error> {
        self.ensure_open()?;
        let is_free = |found: &&Transceiver| found.kind == kind && !found.is_stopping && found.send.is_none();
        let free = self.jsep.transceivers().find(is_free).map(|found| (found.id, found.direction));
        let Some((id, direction)) = free else {
            let init =
                TransceiverInit { direction: Direction::Sendrecv, send: Some(self.new_stream()), may_be_offered: true };
            self.needs_negotiation();
            return Ok(self.jsep.add_transceiver(kind, init));
        };
        let with_sending = if direction.receives() { Direction::Sendrecv } else { Direction::Sendonly };
        self.set_direction(id, with_sending)?;
        Ok(id)
    }

    /// What we send on a new transceiver: a source of its own, in step with all others.
    fn new_stream(&mut self) -> SendStream {
        let ssrc = self.transport.secured.rtp.unused_ssrc();
        let stream_ids = vec![self.cname.clone()];
        SendStream { ssrc, rtx_ssrc: None, cname: self.cname.clone(), stream_ids, track_id: format!("{ssrc:08x}") }
    }

    fn needs_negotiation(&mut self) {
        self.may_tell = true;
        self.may_need_negotiation = true;
    }

    /// The transceivers, ours and those that the peer's offers made.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.jsep.transceivers()
    }

    /// A transceiver, until it has ended.
    pub fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        self.jsep.transceiver(id)
    }

    /// W3C `direction`: takes effect with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended.
    pub fn set_direction(&mut self, id: TransceiverId, direction: Direction) -> Result<(), Error> {
        self.jsep.set_direction(id, direction)?;
        let has_no_stream = self.jsep.transceiver(id).is_some_and(|found| found.send.is_none());
        if direction.sends() && has_no_stream {
            let send = self.new_stream();
            self.jsep.set_send(id, Some(send))?;
        }
        self.needs_negotiation();
        Ok(())
    }

    /// W3C `stop`: ends a transceiver with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended already.
    pub fn stop_transceiver(&mut self, id: TransceiverId) -> Result<(), Error> {
        self.jsep.stop(id)?;
        self.needs_negotiation();
        Ok(())
    }

    /// Queues a packet of media. Its payload type is one of those negotiated.
    ///
    /// # Errors
    /// Nothing is sent on this transceiver now, the payload type was not negotiated, or the queue is full.
    pub fn write_packet(&mut self, id: TransceiverId, packet: rtp::RtpPacket) -> Result<(), MediaError> {
        self.media.write(id, packet, &mut self.transport.secured.rtp)
    }

    /// Asks the peer for a key frame of what it sends on this transceiver.
    pub fn request_key_frame(&mut self, id: TransceiverId) {
        self.media.request_key_frame(id, &mut self.transport.secured.rtp);
    }

    /// What was sent on a transceiver.
    pub fn sender_stats(&self, id: TransceiverId) -> Option<rtp::SenderStats> {
        self.media.sender(id).and_then(|sender| self.transport.secured.rtp.sender_stats(sender))
    }

    /// What arrived on a transceiver, by source.
    pub fn receiver_stats(&self, id: TransceiverId) -> Vec<rtp::ReceiverStats> {
        let receiver = self.media.receiver(id);
        receiver.map_or_else(Vec::new, |receiver| self.transport.secured.rtp.receiver_stats(receiver).collect())
    }

    // ── The rest ────────────────────────────────────────────────────────────────────────────────────────────────

    /// W3C `close`: the peer is told, then [`Event::Closed`] comes, then nothing more.
    pub fn close(&mut self) {
        self.begin_end(CloseReason::Local);
    }

    /// An address on which datagrams arrive and leave: a host candidate.
    pub fn add_local_address(&mut self, address: SocketAddr) {
        if let Ok(candidate) = self.transport.ice.add_local_candidate(ice::LocalCandidate::host(address)) {
            self.gathering.found(&candidate, &self.transport.ice.local_credentials().ufrag);
            self.jsep.update_candidates(&self.local_transport());
        }
        self.may_tell = true;
    }

    /// How many datagrams of one size the driver can hand to the kernel at once; at least 1.
    pub fn set_max_segments(&mut self, max_segments: usize) {
        self.transport.set_max_segments(max_segments.max(1));
    }

    /// The ICE user fragment of our descriptions, by which a peer's checks are known.
    pub fn local_ufrag(&self) -> &str {
        &self.transport.ice.local_credentials().ufrag
    }

    /// Whether our check on this path was answered.
    pub(crate) fn is_proven(&self, path: Path) -> bool {
        self.transport.ice.is_proven(path)
    }

    /// Whether an authentic STUN message has come over this path.
    pub(crate) fn is_open(&self, path: Path) -> bool {
        self.transport.ice.is_open(path)
    }

    /// Whether its paths are still its own: consent has not expired.
    pub(crate) fn holds_paths(&self) -> bool {
        !matches!(self.transport.ice.state(), ice::State::Failed | ice::State::Closed)
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
