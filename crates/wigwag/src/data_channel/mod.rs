//! Data channels over one SCTP association (RFC 8831), opened by DCEP (RFC 8832) or by agreement.
//!
//! ```text
//!                 association up              close, or the peer's reset
//!   Connecting ───────────────────▶ Open ─────────────────────────────▶ Closing ──▶ Closed
//!        └───────────────────────────── close ─────────────────────────────────────────▲
//! ```
//! `Closing` ends when both directions of the stream are reset; its id may then be used again.

mod channel;
mod dcep;
mod ids;
mod in_parts;
#[cfg(test)]
mod tests;

pub use channel::{ChannelId, ChannelState, ChannelStats, DataChannel, DataChannelInit};
pub use dcep::Reliability;

use crate::error::{ChannelError, SendError};
use bytes::Bytes;
use channel::Channel;
use ids::StreamIds;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wigwag_sctp as sctp;

/// Payload protocol identifiers (RFC 8831 §8).
mod ppid {
    pub(super) const DCEP: u32 = 50;
    pub(super) const STRING: u32 = 51;
    pub(super) const BINARY: u32 = 53;
    pub(super) const STRING_EMPTY: u32 = 56;
    pub(super) const BINARY_EMPTY: u32 = 57;
}

/// SCTP cannot send nothing, so an empty message is one zero byte under a number of its own (RFC 8831 §6.6).
const EMPTY: Bytes = Bytes::from_static(&[0]);

/// An association has no more streams, so there are never more channels that carry anything.
const CHANNELS_MAX: usize = 65_535;
/// How many bytes all names may have together before the peer's channels are refused: 64 KiB are legal for each of two
/// names of each of 32,767 channels, and nobody needs them.
const NAMES_LEN_MAX: usize = 4 << 20;

/// What happened to a data channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Incoming(ChannelId),
    Opened(ChannelId),
    Message { channel: ChannelId, data: Bytes, is_binary: bool },
    MessagePart { channel: ChannelId, data: Bytes, is_binary: bool, is_first: bool, is_last: bool },
    MessageIncomplete(ChannelId),
    BufferedAmountLow(ChannelId),
    Writable,
    Closed(ChannelId),
}

/// What was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataChannelDrops {
    /// Messages on streams that are no open channel.
    pub no_channel: u64,
    /// Establishment messages that do not decode.
    pub bad_dcep: u64,
    /// Establishment messages for a stream that is a channel already, or whose number is ours to choose, or for which
    /// there is no room.
    pub refused_open: u64,
    /// Messages with a payload protocol identifier that is none of a data channel's.
    pub unknown_ppid: u64,
}

/// All channels of a connection.
#[derive(Debug)]
pub(crate) struct DataChannels {
    channels: BTreeMap<ChannelId, Box<Channel>>,
    by_stream: BTreeMap<u16, ChannelId>,
    /// Those of these streams that the peer has not reset since.
    incoming: BTreeSet<u16>,
    /// Streams that were reset to refuse what came on them, until the peer has reset them too: no more than there are.
    refused: BTreeSet<u16>,
    next_id: u32,
    /// The bytes of all names.
    names_len: usize,
    /// The beginnings of establishment messages that come in parts, by their streams, and how much they take.
    gathered: BTreeMap<u16, Vec<u8>>,
    gathered_len: usize,
    ids: StreamIds,
    is_connected: bool,
    /// The channels whose establishment message leaves as soon as the association has room for it. Those whose stream is being reset
    /// come here when it is not any more.
    owing: VecDeque<ChannelId>,
    /// Each call that fills this takes one event of the association, and none is taken while it is not empty.
    events: VecDeque<Event>,
    drops: DataChannelDrops,
    /// How often a channel was looked at.
    visits: u64,
    /// How many channels were ever open.
    opened: u64,
}

impl DataChannels {
    pub(crate) fn new() -> Self {
        Self {
            channels: BTreeMap::new(),
            by_stream: BTreeMap::new(),
            incoming: BTreeSet::new(),
            refused: BTreeSet::new(),
            next_id: 0,
            names_len: 0,
            gathered: BTreeMap::new(),
            gathered_len: 0,
            ids: StreamIds::default(),
            is_connected: false,
            owing: VecDeque::new(),
            events: VecDeque::new(),
            drops: DataChannelDrops::default(),
            visits: 0,
            opened: 0,
        }
    }

    pub(crate) fn create(
        &mut self,
        label: &str,
        init: &DataChannelInit,
        sctp: Option<&mut sctp::Association>,
    ) -> Result<ChannelId, ChannelError> {
        init.validate(label)?;
        if self.channels.len() + self.events.len() >= CHANNELS_MAX {
            return Err(ChannelError::TooManyChannels);
        }
        if let Some(stream) = init.negotiated
            && (self.by_stream.contains_key(&stream) || stream == StreamIds::END)
        {
            return Err(ChannelError::IdUnavailable(stream));
        }
        let id = self.insert(Channel::ours(label, init));
        if let Some(stream) = init.negotiated {
            self.bind(id, stream);
        }
        if let Some(sctp) = sctp {
            self.establish(id, sctp);
        }
        Ok(id)
    }

    /// RFC 8832 §6: "If the side is acting as the DTLS client, it MUST choose an even stream identifier; if the side is
    /// acting as the DTLS server, it MUST choose an odd one."
    pub(crate) fn set_dtls_role(&mut self, is_client: bool) {
        self.ids.set_parity(u16::from(!is_client));
    }

    /// The association is up: every channel that waited for it is announced.
    fn connected(&mut self, sctp: &mut sctp::Association) {
        self.is_connected = true;
        let waiting: Vec<_> = self.channels.keys().copied().collect();
        for id in waiting {
            self.establish(id, sctp);
        }
    }

    /// Gives a channel its stream, tells the peer, and opens it, as far as the time has come.
    fn establish(&mut self, id: ChannelId, sctp: &mut sctp::Association) {
        self.visits += 1;
        let Some(channel) = self.channels.get(&id) else { return };
        if !self.is_connected || channel.state != ChannelState::Connecting {
            return;
        }
        let stream = channel.stream.or_else(|| self.ids.lowest_free(|stream| self.by_stream.contains_key(&stream)));
        let Some(stream) = stream else { return self.finish(id) };
        self.bind(id, stream);
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.state = ChannelState::Open;
        self.opened += 1;
        sctp.set_buffered_amount_low_threshold(stream, channel.low_threshold);
        sctp.set_stream_priority(stream, channel.priority);
        if !channel.is_announced() {
            self.owing.push_back(id);
            self.send_owed(sctp);
        }
        if self.channels.contains_key(&id) {
            self.events.push_back(Event::Opened(id));
        }
    }

    /// Hands what is owed to the association as far as it has room.
    fn send_owed(&mut self, sctp: &mut sctp::Association) {
        while let Some(id) = self.owing.front().copied() {
            self.visits += 1;
            if let Some(channel) = self.channels.get_mut(&id)
                && let (Some(stream), Some(owed)) = (channel.stream, channel.owed)
            {
                let bytes = Bytes::from(channel.establishment(owed).write());
                // RFC 8832 §6: "All Data Channel Establishment Protocol messages MUST be sent using ordered delivery and
                // reliable transmission."
                match sctp.send(stream, ppid::DCEP, bytes, sctp::SendOptions::default()) {
                    Ok(()) => channel.owed = None,
                    Err(sctp::SendError::Full(_)) => return,
                    Err(sctp::SendError::StreamResetting(_)) => {} // what is told of its end takes it up
                    // Longer than the peer takes, or on a stream that it does not have: it will never know the channel.
                    Err(_) => self.finish(id),
                }
            }
            self.owing.pop_front();
        }
    }

    /// These streams are not being reset any more: what was owed on them, or refused to the user, can be sent.
    fn retry_owed(&mut self, streams: &[u16], sctp: &mut sctp::Association) {
        let channels = streams.iter().filter_map(|stream| self.by_stream.get(stream));
        let open =
            channels.filter(|id| self.channels.get(id).is_some_and(|channel| channel.state == ChannelState::Open));
        let before = self.owing.len();
        self.owing.extend(open.copied());
        if self.owing.len() > before {
            self.send_owed(sctp);
            self.events.push_back(Event::Writable);
        }
    }

    pub(crate) fn send(
        &mut self,
        id: ChannelId,
        data: Bytes,
        is_binary: bool,
        sctp: Option<&mut sctp::Association>,
    ) -> Result<(), SendError> {
        self.visits += 1;
        let channel = self.channels.get(&id).ok_or(SendError::UnknownChannel)?;
        let (ChannelState::Open, Some(stream), Some(sctp)) = (channel.state, channel.stream, sctp) else {
            return Err(SendError::NotOpen(channel.state));
        };
        if !is_binary && std::str::from_utf8(&data).is_err() {
            return Err(SendError::NotUtf8(data));
        }
        if !self.owing.is_empty() {
            self.send_owed(sctp);
        }
        let Some(channel) = self.channels.get_mut(&id) else { return Err(SendError::UnknownChannel) };
        if !channel.is_announced() {
            return Err(SendError::Full(data)); // nothing overtakes the message that opens the channel
        }
        let (len, is_empty) = (data.len(), data.is_empty());
        let ppid = match (is_binary, is_empty) {
            (true, false) => ppid::BINARY,
            (true, true) => ppid::BINARY_EMPTY,
            (false, false) => ppid::STRING,
            (false, true) => ppid::STRING_EMPTY,
        };
        let sent = sctp.send(stream, ppid, if is_empty { EMPTY } else { data }, channel.send_options());
        sent.map_err(|error| SendError::from_sctp(error, is_empty, channel.state))?;
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += len as u64;
        Ok(())
    }

    pub(crate) fn close(&mut self, id: ChannelId, sctp: Option<&mut sctp::Association>) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if !channel.is_announced() {
            return self.finish(id); // the peer will never know of it, and so never close it
        }
        match (channel.state, channel.stream, sctp) {
            (ChannelState::Open, Some(stream), Some(sctp)) => {
                channel.state = ChannelState::Closing;
                if channel.give_up_open_message(sctp) {
                    self.reset(id, stream, sctp);
                }
            }
            (ChannelState::Closing | ChannelState::Closed, ..) => {}
            (ChannelState::Connecting | ChannelState::Open, ..) => self.finish(id),
        }
    }

    /// Our direction of a channel that closes ends.
    ///
    /// RFC 8831 §6.7: "Closing of a data channel MUST be signaled by resetting the corresponding outgoing streams".
    fn reset(&mut self, id: ChannelId, stream: u16, sctp: &mut sctp::Association) {
        if sctp.reset_stream(stream).is_err() {
            self.finish(id);
        }
    }

    /// The association is over, and so is every channel.
    pub(crate) fn close_all(&mut self) {
        self.is_connected = false;
        self.owing.clear();
        self.refused.clear();
        (self.gathered, self.gathered_len) = (BTreeMap::new(), 0);
        let ids: Vec<_> = self.channels.keys().copied().collect();
        for id in ids {
            self.finish(id);
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes events of the association until one of them is something to tell, and no more: what is not taken keeps
    /// the window closed. Returns why the association has ended, if it has.
    ///
    /// Whoever asks for packets pumps first, for what has happened may be answered without a word to the user.
    pub(crate) fn pump(&mut self, sctp: &mut sctp::Association) -> Option<sctp::CloseReason> {
        while self.events.is_empty() {
            match sctp.poll_event()? {
                sctp::Event::Closed(reason) => return Some(reason),
                event => self.handle_association_event(event, sctp),
            }
        }
        None
    }

    fn handle_association_event(&mut self, event: sctp::Event, sctp: &mut sctp::Association) {
        match event {
            sctp::Event::Connected => self.connected(sctp),
            sctp::Event::Message { stream, ppid, data, .. } => self.handle_message(stream, ppid, data, sctp),
            sctp::Event::MessagePart { stream, ppid, data, is_first, is_last, .. } => {
                self.handle_part(in_parts::Part { stream, ppid, data, is_first, is_last }, sctp);
            }
            sctp::Event::MessageIncomplete { stream } => {
                self.forget_gathered(stream);
                self.handle_incomplete(stream);
            }
            sctp::Event::BufferedAmountLow { stream } => {
                // W3C counts what the user sent, not what established the channel.
                let has_sent = |id: &&ChannelId| self.channels.get(id).is_some_and(|channel| channel.stats.has_sent());
                let channel = self.by_stream.get(&stream).filter(has_sent);
                self.events.extend(channel.map(|id| Event::BufferedAmountLow(*id)));
            }
            sctp::Event::Writable => {
                self.send_owed(sctp);
                self.events.push_back(Event::Writable);
            }
            sctp::Event::IncomingStreamReset { mut streams } => {
                // RFC 6525 §4.1: "If no streams are listed, then all streams are to be reset."
                if streams.is_empty() {
                    self.refused.clear();
                    streams.extend(&self.incoming);
                }
                for stream in streams {
                    self.handle_incoming_reset(stream, sctp);
                }
            }
            sctp::Event::OutgoingStreamReset { streams } => {
                for stream in &streams {
                    self.handle_outgoing_reset(*stream, sctp);
                }
                self.retry_owed(&streams, sctp);
            }
            // The peer takes no such streams: they carry nothing more.
            sctp::Event::StreamsRefused { streams } => {
                for stream in streams {
                    self.refused.remove(&stream);
                    self.finish_stream(stream);
                }
            }
            sctp::Event::OutgoingStreamResetRefused { streams } => {
                for stream in &streams {
                    self.handle_refused_reset(*stream);
                }
                self.retry_owed(&streams, sctp);
            }
            // RFC 8831 knows no restart: whoever began anew has forgotten every channel. The association itself is up.
            sctp::Event::Restarted => {
                self.close_all();
                self.is_connected = true;
            }
            _ => {} // of no concern to a data channel
        }
    }

    fn handle_message(&mut self, stream: u16, ppid: u32, data: Bytes, sctp: &mut sctp::Association) {
        if ppid == ppid::DCEP {
            return self.handle_dcep(stream, &data, sctp);
        }
        let is_binary = match ppid {
            ppid::STRING | ppid::STRING_EMPTY => false,
            ppid::BINARY | ppid::BINARY_EMPTY => true,
            _ => return self.drops.unknown_ppid += 1,
        };
        self.visits += 1;
        let id = self.by_stream.get(&stream).copied();
        let open = id.and_then(|id| self.channels.get_mut(&id)).filter(|channel| channel.state == ChannelState::Open);
        let (Some(id), Some(channel)) = (id, open) else { return self.drops.no_channel += 1 };
        // RFC 8832 §6: until the acknowledgement "or any other message" arrived, ours are sent in order.
        channel.is_acknowledged = true;
        let data = if matches!(ppid, ppid::STRING_EMPTY | ppid::BINARY_EMPTY) { Bytes::new() } else { data };
        channel.stats.messages_received += 1;
        channel.stats.bytes_received += data.len() as u64;
        self.events.push_back(Event::Message { channel: id, data, is_binary });
    }

    fn handle_dcep(&mut self, stream: u16, data: &[u8], sctp: &mut sctp::Association) {
        let message = dcep::Message::parse(data);
        if matches!(message, Some(dcep::Message::Open(_))) {
            self.finish_if_used_again(stream);
        }
        let known = self.by_stream.get(&stream).copied();
        match (message, known) {
            (Some(dcep::Message::Open(open)), None) if self.ids.is_theirs(stream) && self.has_room(&open) => {
                self.accept(stream, open, sctp);
            }
            (Some(dcep::Message::Open(_)), known) => {
                self.drops.refused_open += 1;
                if known.is_none() {
                    self.refuse(stream, sctp);
                }
            }
            (Some(dcep::Message::Ack), Some(id)) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.is_acknowledged = true;
                }
            }
            (Some(dcep::Message::Ack), None) => self.drops.no_channel += 1,
            (None, _) => {
                self.drops.bad_dcep += 1;
                if known.is_none() {
                    self.refuse(stream, sctp);
                }
            }
        }
    }

    /// Tells the peer that its channel is closed. It answers by a reset of its own, which is not to be answered.
    fn refuse(&mut self, stream: u16, sctp: &mut sctp::Association) {
        if sctp.reset_stream(stream).is_ok() {
            self.refused.insert(stream);
        }
    }

    /// A peer that opens a stream again knows that both directions were reset, though we have not heard its answer yet.
    fn finish_if_used_again(&mut self, stream: u16) {
        let id = self.by_stream.get(&stream).copied();
        let is_over = |channel: &Channel| {
            channel.state == ChannelState::Closing && channel.is_incoming_reset && channel.open_message.is_none()
        };
        if let Some(id) = id.filter(|id| self.channel(*id).is_some_and(is_over)) {
            self.finish(id);
        }
    }

    fn has_room(&self, open: &dcep::Open) -> bool {
        let names_len = open.label.len() + open.protocol.len();
        self.names_len + names_len <= NAMES_LEN_MAX && self.channels.len() < CHANNELS_MAX
    }

    fn accept(&mut self, stream: u16, open: dcep::Open, sctp: &mut sctp::Association) {
        let channel = Channel::theirs(open);
        // The stream may have been another channel's, or refused by us.
        self.refused.remove(&stream);
        sctp.set_buffered_amount_low_threshold(stream, channel.low_threshold);
        sctp.set_stream_priority(stream, channel.priority);
        let id = self.insert(channel);
        self.bind(id, stream);
        self.opened += 1;
        self.owing.push_back(id);
        self.send_owed(sctp);
        self.events.extend([Event::Incoming(id), Event::Opened(id)]);
    }

    fn handle_incoming_reset(&mut self, stream: u16, sctp: &mut sctp::Association) {
        self.visits += 1;
        if self.refused.remove(&stream) {
            return; // the answer to ours: were it answered, two of us might go on for ever
        }
        self.incoming.remove(&stream);
        // RFC 8831 §6.7: "if one side decides to close the data channel, it resets the corresponding outgoing
        // stream. When the peer sees that an incoming stream was reset, it also resets its corresponding outgoing stream."
        let Some(id) = self.by_stream.get(&stream).copied() else {
            let _ = sctp.reset_stream(stream); // of a channel that was agreed upon, and that only the peer has made
            return;
        };
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.is_incoming_reset = true;
        if channel.state == ChannelState::Open {
            channel.state = ChannelState::Closing;
            if channel.give_up_open_message(sctp) {
                self.reset(id, stream, sctp);
            }
        }
        self.finish_if_both_reset(id);
    }

    fn handle_outgoing_reset(&mut self, stream: u16, sctp: &mut sctp::Association) {
        let Some(id) = self.by_stream.get(&stream).copied() else { return };
        if let Some(channel) = self.channels.get_mut(&id) {
            // Of an open one, it is the end of the channel before it.
            channel.is_outgoing_reset = channel.state == ChannelState::Closing;
            if channel.state == ChannelState::Open {
                sctp.set_stream_priority(stream, channel.priority);
            }
        }
        self.finish_if_both_reset(id);
    }

    /// The peer keeps its end of the stream open: the channel that closes carries nothing more. An open one is another, for which the stream
    /// goes on.
    fn handle_refused_reset(&mut self, stream: u16) {
        self.refused.remove(&stream);
        let id = self.by_stream.get(&stream).copied();
        // One that has yet to finish a message has not asked for its reset: that was another's.
        let is_closing = |channel: &Channel| channel.state == ChannelState::Closing && channel.open_message.is_none();
        if let Some(id) = id.filter(|id| self.channel(*id).is_some_and(is_closing)) {
            self.finish(id);
        }
    }

    fn finish_if_both_reset(&mut self, id: ChannelId) {
        if self.channels.get(&id).is_some_and(|channel| channel.is_incoming_reset && channel.is_outgoing_reset) {
            self.finish(id);
        }
    }

    fn finish_stream(&mut self, stream: u16) {
        if let Some(id) = self.by_stream.get(&stream).copied() {
            self.finish(id);
        }
    }

    /// The channel is closed and forgotten; its stream may be used again.
    fn finish(&mut self, id: ChannelId) {
        if let Some(stream) = self.channels.get(&id).and_then(|channel| channel.stream) {
            self.handle_incomplete(stream);
        }
        let Some(channel) = self.channels.remove(&id) else { return };
        self.names_len -= channel.names_len();
        if let Some(stream) = channel.stream {
            self.by_stream.remove(&stream);
            self.incoming.remove(&stream);
            self.ids.release(stream);
        }
        self.forget_owed();
        self.events.push_back(Event::Closed(id));
    }

    /// What is owed for channels that are gone is not sent. It is thrown away when it is more than the rest, so that a
    /// peer who opens and closes while nothing can leave makes the list neither long nor costly.
    fn forget_owed(&mut self) {
        if self.owing.len() > 2 * self.channels.len() + 16 {
            self.visits += self.owing.len() as u64;
            self.owing.retain(|id| self.channels.contains_key(id));
        }
    }

    fn insert(&mut self, channel: Channel) -> ChannelId {
        let id = ChannelId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.names_len += channel.names_len();
        self.channels.insert(id, Box::new(channel));
        id
    }

    fn bind(&mut self, id: ChannelId, stream: u16) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stream = Some(stream);
            self.by_stream.insert(stream, id);
            self.incoming.insert(stream);
        }
    }

    pub(crate) fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id).map(Box::as_ref)
    }

    pub(crate) fn set_low_threshold(&mut self, id: ChannelId, threshold: usize, sctp: Option<&mut sctp::Association>) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.low_threshold = threshold;
        if let (Some(stream), Some(sctp)) = (channel.stream, sctp) {
            sctp.set_buffered_amount_low_threshold(stream, threshold);
        }
    }

    /// How many channels were ever open, and how many of them are no longer.
    pub(crate) fn opened_and_closed(&self) -> (u64, u64) {
        let open = self.channels.values().filter(|channel| channel.state == ChannelState::Open).count() as u64;
        (self.opened, self.opened.saturating_sub(open))
    }

    pub(crate) const fn visits(&self) -> u64 {
        self.visits
    }

    pub(crate) fn drops(&self) -> DataChannelDrops {
        self.drops
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChannelId, &Channel)> {
        self.channels.iter().map(|(id, channel)| (*id, channel.as_ref()))
    }
}
