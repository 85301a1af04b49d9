//! Streams with a publisher and viewers each, on one endpoint: what comes from the one leaves for the others as it is, decoded by
//! nobody. A machine like those that it is made of, without a socket and a clock.

use super::broadcast::H264;
use super::offer::{self, Fragment, Refused, Role};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use wigwag::jsep::NegotiatedCodec;
use wigwag::{
    Config, ConnectionId, ConnectionState, Direction, Endpoint, EndpointEvent, Event, IceCandidate, MediaError,
    MediaKind, PeerConnection, Received, SessionDescription, TransceiverId,
};
use wigwag_sansio::Rng;

/// So long viewers wait for a publisher who has gone, and may come again.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Sessions of a role whose peers have not come yet.
const PENDING_MAX: usize = 256;
/// So long a peer may take to come, with its checks and its keys.
const PENDING_TIME_MAX: Duration = Duration::from_secs(60);

/// What a client is told of a session that it has begun.
pub(super) struct Created {
    /// Names the session, and cannot be guessed.
    pub(super) id: String,
    /// Names what ICE began with.
    pub(super) etag: String,
    pub(super) answer: String,
}

/// What a client is told of a fragment of ICE.
pub(super) enum Patched {
    /// Its candidates are tried.
    Taken,
    /// ICE begins anew.
    Restarted { etag: String, fragment: String },
}

/// One client's connection.
struct Session {
    /// By which the client knows it.
    id: String,
    role: Role,
    /// The stream's name.
    name: String,
    etag: String,
    /// As it stands: with what restarts have changed.
    offer: wigwag_sdp::SessionDescription,
    ice: Fragment,
}

/// What viewers watch.
#[derive(Default)]
struct Stream {
    publisher: Option<ConnectionId>,
    /// With where sound and pictures leave.
    viewers: BTreeMap<ConnectionId, Outlets>,
}

type Outlets = Vec<(MediaKind, TransceiverId)>;

/// All sessions, and the streams that they make. Of one endpoint, which each call is given.
pub(super) struct Streams {
    random: Rng,
    sessions: BTreeMap<ConnectionId, Session>,
    by_id: BTreeMap<String, ConnectionId>,
    streams: BTreeMap<String, Stream>,
    /// Those who have begun and not come, since when, and as whom.
    pending: BTreeMap<ConnectionId, (Instant, Role)>,
    /// Streams that nobody publishes any more, since when that is known.
    alone: BTreeMap<String, Option<Instant>>,
    notices: VecDeque<String>,
}

impl Streams {
    pub(super) const fn new(random: Rng) -> Self {
        Self {
            random,
            sessions: BTreeMap::new(),
            by_id: BTreeMap::new(),
            streams: BTreeMap::new(),
            pending: BTreeMap::new(),
            alone: BTreeMap::new(),
            notices: VecDeque::new(),
        }
    }

    /// Somebody offers what they will send, or what they would like to get. All have the same codecs.
    pub(super) fn begin(
        &mut self,
        endpoint: &mut Endpoint,
        role: Role,
        name: &str,
        offer: &str,
        config: Config,
        now: Instant,
    ) -> Result<Created, Refused> {
        let parsed = offer::parse(offer, role)?;
        let ice =
            Fragment::of(&parsed).ok_or_else(|| Refused::new(400, "The offer has no a=ice-ufrag and a=ice-pwd."))?;
        if role == Role::Viewer && self.streams.get(name).is_none_or(|stream| stream.publisher.is_none()) {
            return Err(Refused::new(409, format!("Nobody publishes {name} now: try again in a while.")));
        }
        // Viewers take no places of publishers.
        if self.pending.values().filter(|(_, of)| *of == role).count() >= PENDING_MAX {
            return Err(Refused::new(503, "Too many sessions have been begun: try again in a while."));
        }
        let connection = endpoint.create(config).map_err(|error| Refused::new(503, error.to_string()))?;
        match answer(endpoint, connection, role, name, offer) {
            Ok((answer, outlets)) => {
                if let (Role::Viewer, Some(stream)) = (role, self.streams.get_mut(name)) {
                    stream.viewers.insert(connection, outlets);
                }
                let (id, etag) = (self.secret(), self.etag());
                self.by_id.insert(id.clone(), connection);
                self.pending.insert(connection, (now, role));
                let (name, offer) = (name.to_owned(), parsed);
                let session = Session { id: id.clone(), role, name, etag: etag.clone(), offer, ice };
                self.sessions.insert(connection, session);
                Ok(Created { id, etag, answer })
            }
            Err(refused) => {
                endpoint.remove(connection);
                Err(refused)
            }
        }
    }

    /// RFC 9725 §4.3: a client tells candidates, or begins ICE anew.
    pub(super) fn patch(
        &mut self,
        endpoint: &mut Endpoint,
        id: &str,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Result<Patched, Refused> {
        let named = self.named(id)?;
        let session = self.sessions.get(&named).ok_or_else(no_session)?;
        let fragment = Fragment::parse(fragment)?;
        let connection = endpoint.connection_mut(named).ok_or_else(no_session)?;
        match if_match {
            None => {
                return Err(Refused::new(
                    428,
                    "Say with If-Match which ICE session this is for: its ETag, or * to restart.",
                ));
            }
            Some(etag) if etag != "*" && etag != session.etag => {
                return Err(Refused::new(412, "ICE was restarted since, and has another ETag."));
            }
            Some(_) => {}
        }
        if fragment.continues(&session.ice) {
            take_candidates(connection, &fragment);
            return Ok(Patched::Taken);
        }
        let again = fragment.restart(&session.offer);
        take(connection, &again.to_string())?;
        let local = wigwag_sdp::SessionDescription::parse(&describe(connection)?)
            .map_err(|error| Refused::new(500, error.to_string()))?;
        let ours = Fragment::of(&local).zip(local.media.iter().find(|section| !section.is_rejected()));
        let (ours, section) = ours.ok_or_else(|| Refused::new(500, "There is nothing to restart."))?;
        let (etag, fragment_of_ours) = (self.etag(), ours.print(section));
        if let Some(session) = self.sessions.get_mut(&named) {
            (session.offer, session.ice) = (again, fragment);
            session.etag.clone_from(&etag);
        }
        Ok(Patched::Restarted { etag, fragment: fragment_of_ours })
    }

    /// A client has had enough.
    pub(super) fn end(&mut self, endpoint: &mut Endpoint, id: &str) -> Result<(), Refused> {
        let connection = self.named(id)?;
        self.close(endpoint, connection);
        Ok(())
    }

    /// Does what an event of the endpoint asks for.
    pub(super) fn handle_event(&mut self, endpoint: &mut Endpoint, event: EndpointEvent) {
        let EndpointEvent::Connection(id, event) = event else { return };
        match event {
            Event::RtpPacket { transceiver, packet } => self.forward(endpoint, id, transceiver, &packet),
            Event::KeyFrameRequested { transceiver, .. } => self.request_key_frame(endpoint, id, transceiver),
            Event::ConnectionStateChanged(ConnectionState::Connected) => self.connected(endpoint, id),
            Event::ConnectionStateChanged(ConnectionState::Failed) => {
                let failure = endpoint.connection(id).and_then(PeerConnection::ice_failure);
                if let (Some(session), Some(failure)) = (self.sessions.get(&id), failure) {
                    let who = if session.role == Role::Publisher { "publisher" } else { "viewer" };
                    self.notices.push_back(format!("{}: a {who} is not reached: {}", session.name, failure.advice));
                }
                self.close(endpoint, id);
            }
            Event::Closed(reason) => {
                tracing::info!(%id, %reason, "a session ends");
                self.forget(id);
            }
            _ => {}
        }
    }

    /// Ends what nobody publishes any more, and those who do not come.
    pub(super) fn handle_timeout(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let is_over = |since: Instant, time: Duration| now.saturating_duration_since(since) >= time;
        let late = self.pending.iter().filter(|(_, (since, _))| is_over(*since, PENDING_TIME_MAX));
        let mut ended: Vec<_> = late.map(|(id, _)| *id).collect();
        self.alone.retain(|name, since| {
            let since = *since.get_or_insert(now);
            let viewers = self.streams.get(name).map(|stream| &stream.viewers);
            let is_done = viewers.is_none_or(BTreeMap::is_empty) || is_over(since, PATIENCE);
            if is_done {
                ended.extend(self.streams.remove(name).into_iter().flat_map(|stream| stream.viewers.into_keys()));
            }
            !is_done
        });
        ended.into_iter().for_each(|id| self.close(endpoint, id));
    }

    /// Whether time will end something.
    pub(super) fn awaits(&self) -> bool {
        !self.alone.is_empty() || !self.pending.is_empty()
    }

    /// What a person may like to know.
    pub(super) fn poll_notice(&mut self) -> Option<String> {
        self.notices.pop_front()
    }

    fn named(&self, id: &str) -> Result<ConnectionId, Refused> {
        self.by_id.get(id).copied().ok_or_else(no_session)
    }

    /// A publisher who comes takes the place of one before, who may have crashed and come again.
    fn connected(&mut self, endpoint: &mut Endpoint, id: ConnectionId) {
        if self.pending.remove(&id).is_none_or(|(_, role)| role == Role::Viewer) {
            return;
        }
        let Some(name) = self.sessions.get(&id).map(|session| session.name.clone()) else { return };
        self.alone.remove(&name);
        let stream = self.streams.entry(name.clone()).or_default();
        let before = stream.publisher.replace(id);
        self.notices.push_back(format!("{name}: live"));
        if let Some(before) = before {
            self.close(endpoint, before);
        }
    }

    fn forward(&mut self, endpoint: &mut Endpoint, from: ConnectionId, track: TransceiverId, packet: &Received) {
        let name = self.sessions.get(&from).map(|session| &session.name);
        let Some(stream) = name.and_then(|name| self.streams.get(name)).filter(|stream| stream.publisher == Some(from))
        else {
            return;
        };
        let Some(transceiver) = endpoint.connection(from).and_then(|publisher| publisher.transceiver(track)) else {
            return;
        };
        let codec = transceiver.negotiated.as_ref().and_then(|agreed| agreed.receive_codec(packet.packet.payload_type));
        let (Some(codec), kind) = (codec.map(|codec| codec.index), transceiver.kind) else { return };
        let mut needs_key_frame = false;
        for (viewer, outlets) in &stream.viewers {
            let outlet = outlets.iter().find(|(of, _)| *of == kind);
            let (Some((_, outlet)), Some(viewer)) = (outlet, endpoint.connection_mut(*viewer)) else { continue };
            // Whoever is not there yet, or takes no more, misses this one: nothing piles up, and they go on with a key frame.
            let Some(codec) = alike(viewer, *outlet, codec) else { continue };
            let result = viewer.forward_packet(*outlet, packet, codec);
            needs_key_frame |= matches!(result, Err(MediaError::KeyFrameNeeded | MediaError::Full(_)));
        }
        if needs_key_frame && let Some(publisher) = endpoint.connection_mut(from) {
            publisher.request_key_frame(track);
        }
    }

    /// A viewer cannot go on; the publisher is asked, every 300 ms at most.
    fn request_key_frame(&self, endpoint: &mut Endpoint, viewer: ConnectionId, outlet: TransceiverId) {
        let stream = self.sessions.get(&viewer).and_then(|session| self.streams.get(&session.name));
        let kind = stream.and_then(|stream| stream.viewers.get(&viewer)?.iter().find(|(_, of)| *of == outlet));
        let publisher = stream.and_then(|stream| stream.publisher).and_then(|id| endpoint.connection_mut(id));
        if let (Some((kind, _)), Some(publisher)) = (kind, publisher) {
            let track = publisher.transceivers().find(|track| track.kind == *kind).map(|track| track.id);
            track.into_iter().for_each(|track| publisher.request_key_frame(track));
        }
    }

    fn close(&mut self, endpoint: &mut Endpoint, id: ConnectionId) {
        if let Some(connection) = endpoint.connection_mut(id) {
            connection.close();
        }
        self.forget(id);
    }

    fn forget(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
        let Some(session) = self.sessions.remove(&id) else { return };
        self.by_id.remove(&session.id);
        let Some(stream) = self.streams.get_mut(&session.name) else { return };
        stream.viewers.remove(&id);
        if stream.publisher == Some(id) {
            stream.publisher = None;
            self.notices.push_back(format!("{}: ended", session.name));
            self.alone.insert(session.name, None);
        }
    }

    fn secret(&mut self) -> String {
        self.random.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 9110 §8.8.3: a strong one.
    fn etag(&mut self) -> String {
        format!("\"{:016x}\"", self.random.u64())
    }
}

/// The codec by which a viewer gets what was published in this one: that, or for H.264 another profile of it. Browsers agree upon few of
/// them, and decode all.
fn alike(viewer: &PeerConnection, outlet: TransceiverId, codec: usize) -> Option<usize> {
    let agreed = &viewer.transceiver(outlet)?.negotiated.as_ref()?.send_codecs;
    let is_h264 = |codec: &&NegotiatedCodec| H264.contains(&codec.index);
    let other = || agreed.iter().find(is_h264).filter(|_| H264.contains(&codec));
    agreed.iter().find(|agreed| agreed.index == codec).or_else(other).map(|codec| codec.index)
}

fn no_session() -> Refused {
    Refused::new(404, "There is no such session: it may have ended.")
}

/// Takes an offer, with what it is to get.
fn answer(
    endpoint: &mut Endpoint,
    id: ConnectionId,
    role: Role,
    name: &str,
    offer: &str,
) -> Result<(String, Outlets), Refused> {
    let connection = endpoint.connection_mut(id).ok_or_else(no_session)?;
    let refused = |error: wigwag::Error| Refused::new(400, error.to_string());
    take(connection, offer)?;
    let mut outlets = Outlets::new();
    for (id, kind) in connection.transceivers().map(|track| (track.id, track.kind)).collect::<Vec<_>>() {
        let direction = match role {
            Role::Publisher => Direction::Recvonly,
            Role::Viewer if outlets.iter().any(|(of, _)| *of == kind) => Direction::Inactive,
            Role::Viewer => Direction::Sendonly,
        };
        connection.set_direction(id, direction).map_err(refused)?;
        if direction == Direction::Sendonly {
            // RFC 8830: all of one stream, whose name is a token.
            connection.set_streams(id, [name]).map_err(refused)?;
            outlets.push((kind, id));
        }
    }
    let answer = describe(connection)?;
    let refused = connection.transceivers().filter(|track| track.negotiated.is_none()).count();
    // RFC 9725 §4.4.3: what is taken in part would look like a failure of ours.
    if role == Role::Publisher && refused > 0 || refused == connection.transceivers().count() {
        return Err(Refused::new(406, "There is no codec in common for some of the offer's tracks."));
    }
    Ok((answer, outlets))
}

fn take(connection: &mut PeerConnection, offer: &str) -> Result<(), Refused> {
    let taken = connection.set_remote_description(SessionDescription::offer(offer));
    taken.map_err(|error| Refused::new(400, error.to_string()))
}

/// The answer, with all our addresses.
fn describe(connection: &mut PeerConnection) -> Result<String, Refused> {
    let mut describe = || {
        let answer = connection.create_answer()?;
        connection.set_local_description(answer.clone())?;
        Ok::<_, wigwag::Error>(connection.local_description().unwrap_or(answer).sdp)
    };
    describe().map_err(|error| Refused::new(400, error.to_string()))
}

/// RFC 9725 §4.3.2: those that cannot be used are passed over.
fn take_candidates(connection: &mut PeerConnection, fragment: &Fragment) {
    for candidate in fragment.candidates() {
        let mut candidate = IceCandidate::new(candidate);
        candidate.username_fragment = Some(fragment.ufrag().to_owned());
        let taken = connection.add_ice_candidate(Some(&candidate));
        tracing::debug!(?taken, "a candidate");
    }
    if fragment.is_end() {
        let _ = connection.add_ice_candidate(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag::EndpointConfig;
    use wigwag_mio::wall_clock;
    use wigwag_sansio::Seed;

    const S: Duration = Duration::from_secs(1);

    /// Nobody is there: clients ask by HTTP alone.
    struct Server {
        endpoint: Endpoint,
        streams: Streams,
        now: Instant,
    }

    impl Server {
        fn new() -> Self {
            let endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
            Self { endpoint, streams: Streams::new(Rng::new(Seed::for_test(2))), now: Instant::now() }
        }

        fn begin(&mut self, role: Role) -> Result<Created, Refused> {
            let direction = if role == Role::Publisher { Direction::Sendonly } else { Direction::Recvonly };
            let mut client = PeerConnection::new(Config::new(wall_clock()), Seed::for_test(3));
            client.add_transceiver(MediaKind::Video, direction).unwrap();
            let offer = client.create_offer().unwrap().sdp;
            self.streams.begin(&mut self.endpoint, role, "cam", &offer, Config::new(wall_clock()), self.now)
        }

        /// A session of this role that has come, as far as is known here.
        fn come(&mut self, role: Role) -> ConnectionId {
            let id = self.begin(role).unwrap().id;
            let connection = self.streams.named(&id).unwrap();
            self.streams.connected(&mut self.endpoint, connection);
            connection
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
            self.streams.handle_timeout(&mut self.endpoint, self.now);
        }

        fn has(&self, connection: ConnectionId) -> bool {
            self.streams.sessions.contains_key(&connection)
        }
    }

    #[test]
    fn who_does_not_come_within_a_minute_has_no_session() {
        let mut server = Server::new();
        let id = server.begin(Role::Publisher).unwrap().id;
        server.pass(59 * S);
        assert!(server.streams.named(&id).is_ok() && server.streams.awaits());
        server.pass(S);
        assert!(server.streams.named(&id).is_err() && !server.streams.awaits());
        let came = server.come(Role::Publisher);
        server.pass(600 * S);
        assert!(server.has(came));
    }

    #[test]
    fn viewers_who_do_not_come_keep_no_publisher_out() {
        let mut server = Server::new();
        server.come(Role::Publisher);
        for _ in 0..PENDING_MAX {
            server.begin(Role::Viewer).unwrap();
        }
        assert_eq!(server.begin(Role::Viewer).err().map(|refused| refused.status), Some(503));
        assert!(server.begin(Role::Publisher).is_ok());
    }

    #[test]
    fn viewers_wait_for_a_publisher_for_as_long_as_is_said() {
        for comes_again in [false, true] {
            let mut server = Server::new();
            let publisher = server.come(Role::Publisher);
            let viewer = server.come(Role::Viewer);
            server.pass(600 * S);
            server.streams.close(&mut server.endpoint, publisher);
            server.pass(Duration::ZERO);
            server.pass(PATIENCE - S);
            assert!(server.has(viewer) && server.streams.awaits());
            if comes_again {
                server.come(Role::Publisher);
            }
            server.pass(S);
            assert_eq!((server.has(viewer), server.streams.awaits()), (comes_again, false));
        }
        // Without viewers, nothing is left.
        let mut server = Server::new();
        let publisher = server.come(Role::Publisher);
        server.streams.close(&mut server.endpoint, publisher);
        server.pass(Duration::ZERO);
        assert!(server.streams.streams.is_empty() && !server.streams.awaits());
    }
}
