//! The server of a conference, which forwards what each member sends to all the others (RFC 7667 §3.7). It is a machine like those that it
//! is made of: no socket, no clock, no thread, so its test runs it in a simulated network.

use std::collections::BTreeMap;
use wigwag::{
    Config, ConnectionId, ConnectionState, Direction, Endpoint, EndpointEvent, Error, Event, MediaError,
    PeerConnection, Received, SdpType, SessionDescription, SignalingState, TransceiverId,
};

/// A transceiver of a connection: a track that comes, or one that leaves.
type Place = (ConnectionId, TransceiverId);

/// What the signalling has to know.
pub(crate) enum Told {
    /// The member is to answer this.
    Offer(ConnectionId, SessionDescription),
    /// The member, of this name, hung up or vanished.
    Left(ConnectionId, String),
}

/// Of one endpoint, which each call is given: whoever runs it, owns it.
#[derive(Default)]
pub(crate) struct Room {
    members: BTreeMap<ConnectionId, String>,
    /// What each member sends, and where the others get it.
    tracks: BTreeMap<Place, Vec<Place>>,
}

impl Room {
    /// Somebody offers what they will send; what the others send is offered to them next. `name` is a token (RFC 8830 §2): it names
    /// the `MediaStream` that the others get. `config` has the same codecs for all.
    pub(crate) fn join(
        &mut self,
        endpoint: &mut Endpoint,
        name: &str,
        config: Config,
        offer: SessionDescription,
    ) -> Result<(ConnectionId, SessionDescription), Box<dyn std::error::Error + Send + Sync>> {
        let id = endpoint.create(config)?;
        let connection = endpoint.connection_mut(id).ok_or("just created")?;
        match answer(connection, offer) {
            Ok(answer) => {
                self.members.insert(id, name.to_owned());
                for from in self.tracks.keys().copied().collect::<Vec<_>>() {
                    self.lead(endpoint, from, id);
                }
                Ok((id, answer))
            }
            Err(error) => {
                endpoint.remove(id);
                Err(error.into())
            }
        }
    }

    /// A member's answer, or an offer, as of one who begins to show a screen; perhaps there is an answer to it.
    pub(crate) fn describe(
        &mut self,
        endpoint: &mut Endpoint,
        id: ConnectionId,
        description: SessionDescription,
    ) -> Result<Option<SessionDescription>, Error> {
        let Some(connection) = endpoint.connection_mut(id) else { return Ok(None) };
        match description.kind {
            // Our offer is on its way to them: they take theirs back, answer ours, and offer again.
            SdpType::Offer if connection.signaling_state() != SignalingState::Stable => Ok(None),
            SdpType::Offer => answer(connection, description).map(Some),
            _ => connection.set_remote_description(description).map(|()| None),
        }
    }

    /// Does what an event of the endpoint asks for. Perhaps the signalling is to know something.
    pub(crate) fn handle_event(&mut self, endpoint: &mut Endpoint, event: EndpointEvent) -> Option<Told> {
        let EndpointEvent::Connection(id, event) = event else { return None };
        match event {
            Event::RtpPacket { transceiver, packet } => self.forward(endpoint, (id, transceiver), &packet),
            Event::KeyFrameRequested { transceiver, .. } => self.request_key_frame(endpoint, (id, transceiver)),
            Event::Track(transceiver) => self.track(endpoint, (id, transceiver)),
            Event::NegotiationNeeded => {
                return endpoint.connection_mut(id).and_then(offer).map(|offer| Told::Offer(id, offer));
            }
            // Whoever vanishes says no goodbye.
            Event::ConnectionStateChanged(ConnectionState::Failed) | Event::Closed(_) => {
                endpoint.remove(id);
                return self.forget(endpoint, id).map(|name| Told::Left(id, name));
            }
            _ => {}
        }
        None
    }

    fn forward(&self, endpoint: &mut Endpoint, from: Place, packet: &Received) {
        let transceiver = endpoint.connection(from.0).and_then(|publisher| publisher.transceiver(from.1));
        let parameters = transceiver.and_then(|transceiver| transceiver.negotiated.as_ref());
        let codec = parameters.and_then(|parameters| parameters.receive_codec(packet.packet.payload_type));
        let Some(codec) = codec.map(|codec| codec.index) else { return };
        let mut needs_key_frame = false;
        for (to, outlet) in self.tracks.get(&from).into_iter().flatten() {
            let Some(listener) = endpoint.connection_mut(*to) else { continue };
            // Whoever is not there yet, or takes no more, misses this one: nothing piles up, and they go on with a key frame.
            let result = listener.forward_packet(*outlet, packet, codec);
            needs_key_frame |= matches!(result, Err(MediaError::KeyFrameNeeded | MediaError::Full(_)));
        }
        if needs_key_frame && let Some(publisher) = endpoint.connection_mut(from.0) {
            publisher.request_key_frame(from.1); // as often as you like: the publisher is asked every 300 ms at most
        }
    }

    /// A listener cannot go on; whose track it is, is asked.
    fn request_key_frame(&self, endpoint: &mut Endpoint, outlet: Place) {
        let of_outlet = self.tracks.iter().find(|(_, outlets)| outlets.contains(&outlet));
        let Some((from, transceiver)) = of_outlet.map(|(from, _)| *from) else { return };
        if let Some(publisher) = endpoint.connection_mut(from) {
            publisher.request_key_frame(transceiver);
        }
    }

    /// A member begins to send a track, or ceases to.
    fn track(&mut self, endpoint: &mut Endpoint, from: Place) {
        let transceiver = endpoint.connection(from.0).and_then(|publisher| publisher.transceiver(from.1));
        if !transceiver.and_then(|found| found.current_direction).is_some_and(Direction::receives) {
            return self.end(endpoint, from);
        }
        self.tracks.entry(from).or_default();
        for to in self.members.keys().copied().filter(|to| *to != from.0).collect::<Vec<_>>() {
            self.lead(endpoint, from, to);
        }
    }

    /// Gives a member a track of another; `NegotiationNeeded` follows.
    fn lead(&mut self, endpoint: &mut Endpoint, from: Place, to: ConnectionId) {
        let transceiver = endpoint.connection(from.0).and_then(|publisher| publisher.transceiver(from.1));
        let (Some(kind), Some(name)) = (transceiver.map(|found| found.kind), self.members.get(&from.0)) else { return };
        let Some(listener) = endpoint.connection_mut(to) else { return };
        if let Ok(outlet) = listener.add_transceiver(kind, Direction::Sendonly) {
            let _ = listener.set_streams(outlet, [name]);
            self.tracks.entry(from).or_default().push((to, outlet));
        }
    }

    /// A track comes no more: its places are free for the next one.
    fn end(&mut self, endpoint: &mut Endpoint, from: Place) {
        for (to, outlet) in self.tracks.remove(&from).unwrap_or_default() {
            if let Some(listener) = endpoint.connection_mut(to) {
                let _ = listener.stop_transceiver(outlet);
            }
        }
    }

    fn forget(&mut self, endpoint: &mut Endpoint, id: ConnectionId) -> Option<String> {
        for from in self.tracks.keys().copied().filter(|(from, _)| *from == id).collect::<Vec<_>>() {
            self.end(endpoint, from);
        }
        self.tracks.values_mut().for_each(|outlets| outlets.retain(|(to, _)| *to != id));
        self.members.remove(&id)
    }
}

fn answer(connection: &mut PeerConnection, offer: SessionDescription) -> Result<SessionDescription, Error> {
    connection.set_remote_description(offer)?;
    let answer = connection.create_answer()?;
    connection.set_local_description(answer.clone())?;
    // With our addresses, which are all known by now: no candidate has to follow.
    Ok(connection.local_description().unwrap_or(answer))
}

/// `None` if an answer is awaited: then what is needed is told again.
fn offer(connection: &mut PeerConnection) -> Option<SessionDescription> {
    let offer = connection.create_offer().ok()?;
    connection.set_local_description(offer).ok()?;
    connection.local_description()
}
