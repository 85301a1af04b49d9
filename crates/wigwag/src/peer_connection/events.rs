//! What is told, and in which order: states first, then channels, then media, then the end.

use super::{End, PeerConnection};
use crate::data_channel;
use crate::event::{CloseReason, Event};
use crate::state::{IceConnectionState, IceGatheringState};
use crate::transport::Security;
use wigwag_congestion as congestion;
use wigwag_dtls as dtls;
use wigwag_sctp as sctp;

impl PeerConnection {
    /// Something changed: events may be owed, and the end may have come into sight.
    pub(super) fn changed(&mut self) {
        self.may_tell = true;
        if let (End::No, Security::Closed(reason)) = (&self.end, &self.transport.secured.security) {
            let reason = match reason {
                dtls::CloseReason::CloseNotify => CloseReason::Peer,
                reason => CloseReason::Dtls(*reason),
            };
            self.begin_end(reason);
        }
    }

    pub(super) fn begin_end(&mut self, reason: CloseReason) {
        if self.end == End::No {
            self.end = End::Coming(reason);
            self.jsep.close();
            self.channels.close_all();
            self.names.clear();
            self.hidden.clear();
            self.transport.close();
            self.may_tell = true;
        }
    }

    pub(super) fn find_event(&mut self) -> Option<Event> {
        if !self.may_tell {
            return None;
        }
        self.pump();
        let event = self.next_event();
        self.may_tell = event.is_some();
        event
    }

    /// Events are fetched from where they are owed, so that a window stays closed while nobody fetches.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        if self.end == End::Told {
            return None;
        }
        self.state_event().or_else(|| self.channel_event()).or_else(|| self.media_event()).or_else(|| self.last_event())
    }

    pub(super) fn state_event(&mut self) -> Option<Event> {
        let signaling = self.jsep.signaling_state();
        if std::mem::replace(&mut self.told.signaling, signaling) != signaling {
            return Some(Event::SignalingStateChanged(signaling));
        }
        let ice = IceConnectionState::from(self.transport.ice.state());
        self.gather();
        if let Some(event) = self.name_event().or_else(|| self.gathering_event()) {
            return Some(event);
        }
        if let Some(name) = self.names.next() {
            return Some(Event::NameResolutionNeeded(name.to_string()));
        }
        if self.lacks_address_untold() {
            return Some(Event::NoLocalAddress);
        }
        if let Some(failure) = self.untold_failure(ice) {
            return Some(Event::IceFailed(failure));
        }
        if std::mem::replace(&mut self.told.ice, ice) != ice {
            return Some(Event::IceConnectionStateChanged(ice));
        }
        let connection = self.connection_state();
        if std::mem::replace(&mut self.told.connection, connection) != connection {
            return Some(Event::ConnectionStateChanged(connection));
        }
        self.negotiation_event()
    }

    /// Whether ICE has begun without an address, or goes on without one, and that was not told.
    fn lacks_address_untold(&mut self) -> bool {
        let agent = &self.transport.ice;
        let is_awaited = self.transport.relays.as_ref().is_some_and(|relays| relays.is_busy());
        let lacks = self.end == End::No && agent.has_peer() && agent.local_candidates().is_empty() && !is_awaited;
        !std::mem::replace(&mut self.told.no_address, lacks) && lacks
    }

    /// Before the state that it explains.
    fn untold_failure(&mut self, now: IceConnectionState) -> Option<wigwag_ice::Failure> {
        let has_failed = now == IceConnectionState::Failed;
        let was_told = std::mem::replace(&mut self.told.failure, has_failed);
        self.transport.ice.failure().filter(|_| has_failed && !was_told).cloned()
    }

    pub(super) fn negotiation_event(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.may_need_negotiation) || self.end != End::No {
            return None;
        }
        let is_needed = self.jsep.is_negotiation_needed();
        let was_needed = std::mem::replace(&mut self.told.negotiation_needed, is_needed);
        (is_needed && !was_needed).then_some(Event::NegotiationNeeded)
    }

    /// Takes what the agent has found out about our addresses.
    pub(super) fn gather(&mut self) {
        let mut has_found = false;
        while let Some(event) = self.transport.ice.poll_event() {
            has_found |= self.gathering.handle_event(event, &self.transport.ice.offered_credentials().ufrag);
        }
        while let Some(found) = self.transport.relays.as_mut().and_then(|relays| relays.poll_found()) {
            has_found |= self.gathering.handle_relay(found, &self.transport.ice.offered_credentials().ufrag);
        }
        let before = self.gathering.state();
        self.gathering.update(self.transport.gathering_state());
        if has_found || self.gathering.state() != before {
            self.jsep.update_candidates(&self.local_transport());
        }
    }

    pub(super) fn gathering_event(&mut self) -> Option<Event> {
        let gathering = self.gathering.state();
        if self.gathering.take_begun() && self.told.gathering != IceGatheringState::Gathering {
            self.told.gathering = IceGatheringState::Gathering;
            return Some(Event::IceGatheringStateChanged(IceGatheringState::Gathering));
        }
        if let Some(event) = self.gathering.next() {
            return Some(event);
        }
        (std::mem::replace(&mut self.told.gathering, gathering) != gathering)
            .then_some(Event::IceGatheringStateChanged(gathering))
    }

    pub(super) fn channel_event(&mut self) -> Option<Event> {
        Some(match self.channels.poll_event()? {
            data_channel::Event::Incoming(id) => Event::DataChannel(id),
            data_channel::Event::Opened(id) => Event::ChannelOpened(id),
            data_channel::Event::Message { channel, data, is_binary } => Event::Message { channel, data, is_binary },
            data_channel::Event::MessagePart { channel, data, is_binary, is_first, is_last } => {
                Event::MessagePart { channel, data, is_binary, is_first, is_last }
            }
            data_channel::Event::MessageIncomplete(id) => Event::MessageIncomplete(id),
            data_channel::Event::BufferedAmountLow(id) => Event::BufferedAmountLow(id),
            data_channel::Event::Writable => Event::Writable,
            data_channel::Event::Closed(id) => Event::ChannelClosed(id),
        })
    }

    /// Lets the channels take what their association has to tell, one thing at a time.
    pub(super) fn pump(&mut self) {
        if self.next.is_some() {
            return;
        }
        let Some(sctp) = &mut self.transport.secured.sctp else { return };
        if let Some(reason) = self.channels.pump(sctp) {
            self.association_closed(reason);
        }
    }

    /// A peer that hangs up may abort the association first and say close_notify next.
    pub(super) fn association_closed(&mut self, reason: sctp::CloseReason) {
        match reason {
            sctp::CloseReason::Shutdown | sctp::CloseReason::Aborted | sctp::CloseReason::PeerAborted { .. } => {
                self.begin_end(CloseReason::Peer);
            }
            reason => self.begin_end(CloseReason::Sctp(reason)),
        }
    }

    pub(super) fn media_event(&mut self) -> Option<Event> {
        if self.end != End::No {
            return None;
        }
        if let Some(event) = self.bitrate_event() {
            return Some(event);
        }
        self.media.poll_event(&mut self.transport.secured.rtp)
    }

    /// As soon as media can leave.
    fn bitrate_event(&mut self) -> Option<Event> {
        self.transport.secured.paced()?;
        match self.transport.secured.pace.as_mut()?.controller.poll_event()? {
            congestion::Event::TargetBitrate { bits_per_second } => Some(Event::TargetBitrate { bits_per_second }),
            _ => None,
        }
    }

    pub(super) fn last_event(&mut self) -> Option<Event> {
        if !matches!(self.end, End::Coming(_)) || !self.transport.is_closed() {
            return None;
        }
        let End::Coming(reason) = std::mem::replace(&mut self.end, End::Told) else { return None };
        self.transport.end_ice();
        Some(Event::Closed(reason))
    }
}
