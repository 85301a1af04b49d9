//! The server of a conference, which forwards what each member sends to all the others (RFC 7667 §3.7). It is a machine like those that it
//! is made of: no socket, no clock, no thread, so its test runs it in a simulated network.

#[path = "layers.rs"]
mod layers;

use layers::{Choice, Layers, Step};
use std::collections::BTreeMap;
use std::time::Instant;
use wigwag::{
    Config, ConnectionId, ConnectionState, Direction, Endpoint, EndpointEvent, Error, Event, MediaError, MediaKind,
    PeerConnection, Received, SdpType, SessionDescription, SignalingState, TransceiverId,
};

/// A transceiver of a connection: a track that comes, or one that leaves.
type Place = (ConnectionId, TransceiverId);

/// Pages send the same pictures in three sizes at most.
const LAYERS_MAX: usize = 3;

/// What a member sends, and where the others get it.
#[derive(Default)]
struct Track {
    layers: Layers,
    outlets: BTreeMap<Place, Choice>,
}

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
    tracks: BTreeMap<Place, Track>,
    /// When the last packet came.
    now: Option<Instant>,
}

impl Room {
    /// Somebody offers what they will send; what the others send is offered to them next. `name` is a token (RFC 8830 §2): it names
    /// the `MediaStream` that the others get. `config` has the same codecs for all; with congestion control, each gets pictures of a size
    /// that their path takes.
    pub(crate) fn join(
        &mut self,
        endpoint: &mut Endpoint,
        name: &str,
        mut config: Config,
        offer: SessionDescription,
    ) -> Result<(ConnectionId, SessionDescription), Box<dyn std::error::Error + Send + Sync>> {
        config.negotiation.receive_layers_max = LAYERS_MAX;
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
            Event::RtpPacket { transceiver, packet } => self.packet(endpoint, (id, transceiver), &packet),
            Event::TargetBitrate { .. } => self.choose_for(endpoint, id),
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

    fn packet(&mut self, endpoint: &mut Endpoint, from: Place, packet: &Received) {
        self.now = Some(packet.arrival);
        let Some(track) = self.tracks.get_mut(&from) else { return };
        if track.layers.count(packet) {
            let listeners: Vec<_> = track.outlets.keys().map(|(to, _)| *to).collect();
            listeners.into_iter().for_each(|to| self.choose_for(endpoint, to));
        }
        self.forward(endpoint, from, packet);
    }

    fn forward(&mut self, endpoint: &mut Endpoint, from: Place, packet: &Received) {
        let transceiver = endpoint.connection(from.0).and_then(|publisher| publisher.transceiver(from.1));
        let parameters = transceiver.and_then(|transceiver| transceiver.negotiated.as_ref());
        let codec = parameters.and_then(|parameters| parameters.receive_codec(packet.packet.payload_type));
        let Some(codec) = codec.map(|codec| codec.index) else { return };
        let Some(track) = self.tracks.get_mut(&from) else { return };
        let mut needs_key_frame = false;
        for ((to, outlet), choice) in &mut track.outlets {
            let step = choice.step(packet.rid.as_ref());
            let Some(listener) = endpoint.connection_mut(*to).filter(|_| step != Step::Skip) else { continue };
            // Whoever is not there yet, or takes no more, misses this one: nothing piles up, and they go on with a key frame.
            let result = listener.forward_packet(*outlet, packet, codec);
            if step == Step::Try && result.is_ok() {
                choice.has_switched();
            }
            needs_key_frame |= matches!(result, Err(MediaError::KeyFrameNeeded | MediaError::Full(_)));
        }
        if needs_key_frame && let Some(publisher) = endpoint.connection_mut(from.0) {
            ask(publisher, from.1, packet.rid.as_deref());
        }
    }

    /// Shares what a member's path takes, less the sound, among the pictures that the member gets: equally, but what a small one needs not
    /// is for the others.
    fn choose_for(&mut self, endpoint: &mut Endpoint, to: ConnectionId) {
        let (Some(listener), Some(now)) = (endpoint.connection_mut(to), self.now) else { return };
        let (mut sound, mut pictures, mut is_counted) = (0, Vec::new(), true);
        for Track { layers, outlets } in self.tracks.values_mut() {
            let largest = layers.largest(now).unwrap_or(0);
            for ((_, outlet), choice) in outlets.iter_mut().filter(|((of, _), _)| *of == to) {
                is_counted &= layers.is_counted(now);
                match listener.transceiver(*outlet).map(|found| found.kind) {
                    Some(MediaKind::Video) => pictures.push((largest, &*layers, choice)),
                    _ => sound += largest,
                }
            }
        }
        pictures.sort_by_key(|(largest, ..)| *largest);
        let wanted = sound + pictures.iter().map(|(largest, ..)| *largest).sum::<u64>();
        let mut left = listener.target_bitrate().unwrap_or(u64::MAX).saturating_sub(sound);
        for (rest, (_, layers, choice)) in (1..=pictures.len() as u64).rev().zip(pictures) {
            choice.wanted = layers.choose(left / rest, choice.current(), now);
            left = left.saturating_sub(layers.bitrate(choice.wanted.as_ref()));
        }
        // A path that takes all of them in their largest size needs not be tried for much more.
        // How much they are is not known before each was counted, and nothing would cap the first tries of the path.
        if is_counted && wanted > 0 {
            listener.set_desired_bitrate(wanted * 2);
        }
    }

    /// A listener cannot go on; whose track it is, is asked.
    fn request_key_frame(&self, endpoint: &mut Endpoint, outlet: Place) {
        let of_outlet = self.tracks.iter().find_map(|(from, track)| Some((*from, track.outlets.get(&outlet)?)));
        let Some((from, choice)) = of_outlet else { return };
        if let Some(publisher) = endpoint.connection_mut(from.0) {
            ask(publisher, from.1, choice.current().map(|rid| &**rid));
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
            self.tracks.entry(from).or_default().outlets.insert((to, outlet), Choice::default());
        }
    }

    /// A track comes no more: its places are free for the next one.
    fn end(&mut self, endpoint: &mut Endpoint, from: Place) {
        for (to, outlet) in self.tracks.remove(&from).unwrap_or_default().outlets.into_keys() {
            if let Some(listener) = endpoint.connection_mut(to) {
                let _ = listener.stop_transceiver(outlet);
            }
        }
    }

    fn forget(&mut self, endpoint: &mut Endpoint, id: ConnectionId) -> Option<String> {
        for from in self.tracks.keys().copied().filter(|(from, _)| *from == id).collect::<Vec<_>>() {
            self.end(endpoint, from);
        }
        self.tracks.values_mut().for_each(|track| track.outlets.retain(|(to, _), _| *to != id));
        self.members.remove(&id)
    }
}

/// As often as you like: the publisher is asked every 300 ms at most.
fn ask(publisher: &mut PeerConnection, transceiver: TransceiverId, rid: Option<&str>) {
    match rid {
        Some(rid) => publisher.request_layer_key_frame(transceiver, rid),
        None => publisher.request_key_frame(transceiver),
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
