//! All calls of the demo, on one thread, one endpoint and one UDP port for each address of this machine.

use super::echo::Echo;
use super::rooms::Rooms;
use super::signalling::{ClientMessage, ServerMessage};
use crate::worker::{Commands, Line, Work};
use mio::Waker;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};
use wigwag::{
    Config, ConnectionId, ConnectionState, DataChannelInit, Direction, EndpointEvent, Error, Event, MediaKind,
    PeerConnection, SessionDescription, SignalingState,
};
use wigwag_mio::wall_clock;

/// What the calls have said and a page has not read yet; a page that is behind loses its call.
const MESSAGES_MAX: usize = 256;

/// Names an open page; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageId(pub(super) u64);

/// What pages want.
pub(super) enum Command {
    Open(PageId, Outbox),
    Tell(PageId, ClientMessage),
    Leave(PageId),
}

/// Reaches the calls from the threads of pages.
#[derive(Clone)]
pub(super) struct Calls {
    commands: Commands<Command>,
    next_page: Arc<AtomicU64>,
}

impl Calls {
    pub(super) fn new(commands: Commands<Command>) -> Self {
        Self { commands, next_page: Arc::default() }
    }

    /// A page is there. `None` if the calls have ended.
    pub(super) fn open(&self, outbox: Outbox) -> Option<PageId> {
        let page = PageId(self.next_page.fetch_add(1, Ordering::Relaxed));
        self.commands.send(Command::Open(page, outbox)).then_some(page)
    }

    pub(super) fn tell(&self, page: PageId, message: ClientMessage) {
        self.commands.send(Command::Tell(page, message));
    }

    pub(super) fn leave(&self, page: PageId) {
        self.commands.send(Command::Leave(page));
    }
}

/// Where the calls leave what a page shall be told.
pub(super) struct Outbox {
    messages: SyncSender<ServerMessage>,
    waker: Waker,
}

impl Outbox {
    /// `waker` wakes whoever reads the messages.
    pub(super) fn new(waker: Waker) -> (Self, Receiver<ServerMessage>) {
        let (messages, read) = mpsc::sync_channel(MESSAGES_MAX);
        (Self { messages, waker }, read)
    }

    /// False if the page does not read.
    fn send(&self, message: ServerMessage) -> bool {
        self.messages.try_send(message).is_ok() && self.waker.wake().is_ok()
    }
}

struct Page {
    outbox: Outbox,
    call: Option<Call>,
}

struct Call {
    connection: ConnectionId,
    echo: Echo,
}

/// Carries messages between pages and connections.
pub(super) struct Exchange {
    line: Line,
    pages: BTreeMap<PageId, Page>,
    by_connection: BTreeMap<ConnectionId, PageId>,
    rooms: Rooms,
}

impl Work for Exchange {
    type Command = Command;

    fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(page, outbox) => drop(self.pages.insert(page, Page { outbox, call: None })),
            Command::Tell(page, message) => self.handle_message(page, message),
            Command::Leave(page) => self.handle_leave(page),
        }
    }

    fn proceed(&mut self) -> Option<Duration> {
        while let Some(event) = self.line.driver.poll_event() {
            let EndpointEvent::Connection(id, event) = event else { continue };
            match self.by_connection.get(&id) {
                Some(page) => self.handle_event(*page, id, event),
                None => tracing::debug!(%id, ?event, "nobody's"),
            }
        }
        None
    }
}

impl Exchange {
    pub(super) fn new(line: Line) -> Self {
        Self { line, pages: BTreeMap::new(), by_connection: BTreeMap::new(), rooms: Rooms::default() }
    }

    fn handle_message(&mut self, page: PageId, message: ClientMessage) {
        let result = match message {
            ClientMessage::Join(room) => self.join(page, &room),
            ClientMessage::Stats => {
                let report = self.connection(page).map(|connection| connection.stats(Instant::now()).to_json());
                self.say(page, ServerMessage::Stats(report));
                Ok(())
            }
            message if self.rooms.contains(page) => {
                self.carry(page, message);
                Ok(())
            }
            ClientMessage::Offer(sdp) => self.answer(page, sdp),
            ClientMessage::Answer(sdp) => self.connection(page).map_or(Ok(()), |connection| {
                connection.set_remote_description(SessionDescription::answer(sdp)).map_err(text)
            }),
            ClientMessage::Candidate(candidate) => self
                .connection(page)
                .map_or(Ok(()), |connection| connection.add_ice_candidate(candidate.as_ref()).map_err(text)),
            ClientMessage::CallMe => self.offer(page),
            ClientMessage::Bye => {
                self.hang_up(page);
                Ok(())
            }
        };
        if let Err(message) = result {
            self.say(page, ServerMessage::Error(message));
        }
    }

    /// The page wants to call whoever opens the same room; a call with us is over.
    fn join(&mut self, page: PageId, room: &str) -> Result<(), String> {
        self.hang_up(page);
        let friend = self.rooms.join(page, room)?;
        self.say(page, ServerMessage::Joined { has_friend: friend.is_some() });
        if let Some(friend) = friend {
            self.say(friend, ServerMessage::FriendJoined);
        }
        Ok(())
    }

    /// What pages in a room say, they say to each other. To nobody, it is lost: who comes second begins anew.
    fn carry(&mut self, page: PageId, message: ClientMessage) {
        let message = match message {
            ClientMessage::Offer(sdp) => ServerMessage::Offer(sdp),
            ClientMessage::Answer(sdp) => ServerMessage::Answer(sdp),
            ClientMessage::Candidate(candidate) => ServerMessage::Candidate(candidate),
            ClientMessage::Bye => return self.leave_room(page),
            ClientMessage::Join(_) | ClientMessage::CallMe | ClientMessage::Stats => return,
        };
        if let Some(friend) = self.rooms.friend(page) {
            self.say(friend, message);
        }
    }

    fn leave_room(&mut self, page: PageId) {
        if let Some(friend) = self.rooms.leave(page) {
            self.say(friend, ServerMessage::FriendLeft);
        }
    }

    /// The page offers: everything that it sends comes back.
    fn answer(&mut self, page: PageId, offer: String) -> Result<(), String> {
        let connection = self.connection_or_new(page)?;
        let answer = answer(connection, offer).map_err(text)?;
        self.say(page, ServerMessage::Answer(answer));
        Ok(())
    }

    /// The page wants an offer.
    fn offer(&mut self, page: PageId) -> Result<(), String> {
        let connection = self.connection_or_new(page)?;
        let offer = offer(connection)?;
        self.say(page, ServerMessage::Offer(offer));
        Ok(())
    }

    fn connection(&mut self, page: PageId) -> Option<&mut PeerConnection> {
        let call = self.pages.get(&page)?.call.as_ref()?;
        self.line.driver.endpoint_mut().connection_mut(call.connection)
    }

    fn connection_or_new(&mut self, page: PageId) -> Result<&mut PeerConnection, String> {
        let state = self.pages.get_mut(&page).ok_or("the page is gone")?;
        let endpoint = self.line.driver.endpoint_mut();
        let connection = match &state.call {
            Some(call) => call.connection,
            None => {
                let mut config = Config::new(wall_clock());
                self.line.recording.ask(&mut config);
                let connection = endpoint.create(config).map_err(|error| error.to_string())?;
                tracing::info!(?page, %connection, "a call begins");
                state.call = Some(Call { connection, echo: Echo::default() });
                self.by_connection.insert(connection, page);
                connection
            }
        };
        endpoint.connection_mut(connection).ok_or_else(|| "the call is over".to_owned())
    }

    fn handle_leave(&mut self, page: PageId) {
        self.hang_up(page);
        self.pages.remove(&page);
        self.leave_room(page);
    }

    /// The page is done with its call, and may begin the next one while the peer is told goodbye.
    fn hang_up(&mut self, page: PageId) {
        let Some(call) = self.pages.get_mut(&page).and_then(|page| page.call.take()) else { return };
        self.by_connection.remove(&call.connection);
        if let Some(connection) = self.line.driver.endpoint_mut().connection_mut(call.connection) {
            connection.close();
        }
    }

    fn handle_event(&mut self, page: PageId, id: ConnectionId, event: Event) {
        match event {
            Event::IceCandidate(candidate) => self.say(page, ServerMessage::Candidate(candidate)),
            Event::ConnectionStateChanged(state) => {
                tracing::info!(?page, %state, "the call's state");
                if state == ConnectionState::Failed {
                    let connection = self.line.driver.endpoint().connection(id);
                    let advice = connection.and_then(PeerConnection::ice_failure).map(|failure| failure.advice.clone());
                    self.hang_up(page);
                    let advice = advice.map_or_else(String::new, |advice| format!(": {advice}"));
                    self.say(page, ServerMessage::Bye(format!("no path to this browser works{advice}")));
                }
            }
            Event::IceFailed(failure) => tracing::warn!(?page, "no path works: {failure}"),
            Event::Closed(reason) => {
                tracing::info!(?page, %reason, "a call ends");
                self.by_connection.remove(&id);
                if let Some(state) = self.pages.get_mut(&page) {
                    state.call = None;
                }
                self.say(page, ServerMessage::Bye(reason.to_string()));
            }
            event => {
                let call = self.pages.get_mut(&page).and_then(|page| page.call.as_mut());
                if let (Some(call), Some(connection)) = (call, self.line.driver.endpoint_mut().connection_mut(id)) {
                    call.echo.handle_event(connection, event);
                }
            }
        }
    }

    /// A page that does not read loses its call, and is told no more.
    fn say(&mut self, page: PageId, message: ServerMessage) {
        let Some(state) = self.pages.get(&page) else { return };
        if !state.outbox.send(message) {
            self.handle_leave(page);
        }
    }
}

fn answer(connection: &mut PeerConnection, offer: String) -> Result<String, Error> {
    connection.set_remote_description(SessionDescription::offer(offer))?;
    let transceivers: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
    for id in transceivers {
        connection.set_direction(id, Direction::Sendrecv)?;
    }
    let answer = connection.create_answer()?;
    connection.set_local_description(answer.clone())?;
    Ok(answer.sdp)
}

fn offer(connection: &mut PeerConnection) -> Result<String, String> {
    if connection.signaling_state() != SignalingState::Stable {
        return Err("an offer is on its way already".to_owned());
    }
    if connection.transceivers().next().is_none() {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            connection.add_transceiver(kind, Direction::Sendrecv).map_err(text)?;
        }
        connection.create_data_channel("chat", DataChannelInit::default()).map_err(|error| error.to_string())?;
    }
    let offer = connection.create_offer().map_err(text)?;
    connection.set_local_description(offer.clone()).map_err(text)?;
    Ok(offer.sdp)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: Error) -> String {
    error.to_string()
}
