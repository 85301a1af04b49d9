//! Messages that are given, or told, in parts: they need not be in memory as a whole. W3C has nothing like it.

use super::channel::{Channel, ChannelState};
use super::{ChannelId, DataChannels, EMPTY, Event, NAMES_LEN_MAX, dcep, ppid};
use crate::error::SendError;
use bytes::Bytes;
use wigwag_sctp as sctp;

/// What was given of a message that is not finished.
#[derive(Debug)]
pub(super) struct OpenMessage {
    is_binary: bool,
    len: usize,
    /// The association knows of it.
    is_begun: bool,
    utf8: Utf8,
}

/// Whether what comes in pieces is UTF-8: the beginning of a character that is not complete.
#[derive(Clone, Copy, Debug, Default)]
struct Utf8 {
    begun: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// What it is after the next piece; `None`: that is no UTF-8.
    fn after(mut self, mut piece: &[u8]) -> Option<Self> {
        while self.len > 0
            && let Some((first, rest)) = piece.split_first()
        {
            *self.begun.get_mut(self.len)? = *first;
            self.len += 1;
            piece = rest;
            match std::str::from_utf8(self.begun.get(..self.len)?) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return None,
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(piece) else { return Some(self) };
        let rest = piece.get(error.valid_up_to()..).filter(|_| error.error_len().is_none())?;
        self.len = rest.len();
        self.begun.get_mut(..rest.len())?.copy_from_slice(rest);
        Some(self)
    }
}

impl Channel {
    /// Takes note of what became of the open message, and says it in the words of a channel.
    fn refused(&mut self, error: sctp::SendError) -> SendError {
        if error == sctp::SendError::Abandoned {
            self.open_message = None;
        }
        SendError::from_sctp(error, false, self.state)
    }

    /// Nothing more is given of the open message, if there is one. False: the peer has some of it, and cannot be told that there is no more.
    /// Were it ended there, the peer would take it for a whole one: it stays open.
    pub(super) fn give_up_open_message(&mut self, sctp: &mut sctp::Association) -> bool {
        if let (Some(OpenMessage { is_begun: true, .. }), Some(stream)) = (&self.open_message, self.stream)
            && sctp.abandon_message(stream) == Err(sctp::AbandonError::NotSupported)
        {
            return false;
        }
        self.open_message = None;
        true
    }
}

/// A channel on which something can be said, its stream, and the association.
type OpenChannel<'a, 'b> = (&'a mut Channel, u16, &'b mut sctp::Association);

impl DataChannels {
    fn open_channel<'b>(
        &mut self,
        id: ChannelId,
        sctp: Option<&'b mut sctp::Association>,
    ) -> Result<OpenChannel<'_, 'b>, SendError> {
        self.visits += 1;
        let channel = self.channels.get_mut(&id).ok_or(SendError::UnknownChannel)?;
        match (channel.state, channel.stream, sctp) {
            (ChannelState::Open, Some(stream), Some(sctp)) => Ok((channel, stream, sctp)),
            (ChannelState::Closing, Some(stream), Some(sctp)) if channel.open_message.is_some() => {
                Ok((channel, stream, sctp))
            }
            _ => Err(SendError::NotOpen(channel.state)),
        }
    }

    /// What a channel that closes has waited for has come, if its message is not open any more.
    fn go_on_closing(&mut self, id: ChannelId, stream: u16, sctp: &mut sctp::Association) {
        let is_over = |channel: &&Channel| channel.state == ChannelState::Closing && channel.open_message.is_none();
        if self.channel(id).filter(is_over).is_some() {
            self.reset(id, stream, sctp);
        }
    }

    pub(crate) fn begin_message(
        &mut self,
        id: ChannelId,
        is_binary: bool,
        mut sctp: Option<&mut sctp::Association>,
    ) -> Result<(), SendError> {
        if let Some(sctp) = sctp.as_deref_mut() {
            self.send_owed(sctp);
        }
        let (channel, stream, sctp) = self.open_channel(id, sctp)?;
        if channel.open_message.is_some() {
            return Err(match channel.state {
                ChannelState::Open => SendError::MessageOpen(Bytes::new()),
                state => SendError::NotOpen(state),
            });
        }
        if channel.owed.is_some() {
            return Err(SendError::Full(Bytes::new())); // nothing overtakes the message that opens the channel, nor holds up its ACK
        }
        let mut open = OpenMessage { is_binary, len: 0, is_begun: false, utf8: Utf8::default() };
        begin(&mut open, channel, stream, sctp).map_err(|error| channel.refused(error))?;
        channel.open_message = Some(open);
        Ok(())
    }

    pub(crate) fn append_part(
        &mut self,
        id: ChannelId,
        part: Bytes,
        sctp: Option<&mut sctp::Association>,
    ) -> Result<(), SendError> {
        let (channel, stream, sctp) = self.open_channel(id, sctp)?;
        let Some(mut open) = channel.open_message.take() else { return Err(SendError::NoMessageOpen(part)) };
        let result = open.append(part, channel, stream, sctp);
        let is_open = !matches!(result, Err(SendError::Abandoned));
        channel.open_message = Some(open).filter(|_| is_open);
        self.go_on_closing(id, stream, sctp);
        result
    }

    pub(crate) fn finish_message(
        &mut self,
        id: ChannelId,
        sctp: Option<&mut sctp::Association>,
    ) -> Result<(), SendError> {
        let (channel, stream, sctp) = self.open_channel(id, sctp)?;
        let Some(open) = &mut channel.open_message else { return Err(SendError::NoMessageOpen(Bytes::new())) };
        if open.utf8.len > 0 {
            return Err(SendError::NotUtf8(Bytes::new()));
        }
        let is_empty = open.len == 0;
        let result = if is_empty {
            // Nothing was sent of it: it is another message that says that there is nothing.
            let _ = sctp.abandon_message(stream);
            open.is_begun = false;
            let ppid = if open.is_binary { ppid::BINARY_EMPTY } else { ppid::STRING_EMPTY };
            sctp.send(stream, ppid, EMPTY, channel.send_options())
        } else {
            sctp.finish_message(stream)
        };
        let result = match result.map_err(|error| channel.refused(error)) {
            Ok(()) => {
                channel.open_message = None;
                channel.stats.messages_sent += 1;
                Ok(())
            }
            Err(SendError::Full(_)) => Err(SendError::Full(Bytes::new())),
            Err(error) => Err(error),
        };
        self.go_on_closing(id, stream, sctp);
        result
    }

    pub(crate) fn abandon_message(
        &mut self,
        id: ChannelId,
        sctp: Option<&mut sctp::Association>,
    ) -> Result<(), SendError> {
        let (channel, stream, sctp) = self.open_channel(id, sctp)?;
        if channel.open_message.is_none() {
            return Err(SendError::NoMessageOpen(Bytes::new()));
        }
        if !channel.give_up_open_message(sctp) {
            return Err(SendError::CannotAbandon);
        }
        self.go_on_closing(id, stream, sctp);
        Ok(())
    }

    pub(super) fn handle_part(&mut self, event: Part, sctp: &mut sctp::Association) {
        self.visits += 1;
        let Part { stream, ppid, is_first, is_last, .. } = event;
        let id = self.by_stream.get(&stream).copied();
        let is_binary = match ppid {
            ppid::STRING => false,
            ppid::BINARY => true,
            ppid::DCEP => return self.handle_dcep_part(&event, sctp),
            _ => return self.drops.unknown_ppid += u64::from(is_first),
        };
        let channel = id.and_then(|id| self.channels.get_mut(&id));
        let (Some(id), Some(channel)) = (id, channel) else { return self.drops.no_channel += u64::from(is_first) };
        // Without its beginning it is none.
        if !is_first && !channel.is_receiving {
            return;
        }
        if channel.state != ChannelState::Open {
            self.drops.no_channel += u64::from(is_first);
            if is_last {
                self.handle_incomplete(stream);
            }
            return;
        }
        channel.is_acknowledged = true;
        channel.is_receiving = !is_last;
        channel.stats.messages_received += u64::from(is_last);
        let data = event.data;
        channel.stats.bytes_received += data.len() as u64;
        self.events.push_back(Event::MessagePart { channel: id, data, is_binary, is_first, is_last });
    }

    /// Names may be long, and while the window is half full parts are as short as fragments: they are gathered, as far as there is room
    /// for names.
    fn handle_dcep_part(&mut self, part: &Part, sctp: &mut sctp::Association) {
        let before = self.forget_gathered(part.stream);
        let mut bytes = match before {
            _ if part.is_first => Vec::new(),
            Some(bytes) => bytes,
            None => return, // it was refused
        };
        bytes.extend_from_slice(&part.data);
        let room = NAMES_LEN_MAX.saturating_sub(self.names_len + self.gathered_len);
        if bytes.len() > dcep::MESSAGE_LEN_MAX || gathered(&bytes) > room {
            self.drops.bad_dcep += 1;
            if !self.by_stream.contains_key(&part.stream) {
                self.refuse(part.stream, sctp);
            }
        } else if part.is_last {
            self.handle_dcep(part.stream, &bytes, sctp);
        } else {
            self.gathered_len += gathered(&bytes);
            self.gathered.insert(part.stream, bytes);
        }
    }

    /// What has been gathered of an establishment message on the stream is none, or goes on.
    pub(super) fn forget_gathered(&mut self, stream: u16) -> Option<Vec<u8>> {
        let bytes = self.gathered.remove(&stream)?;
        self.gathered_len -= gathered(&bytes);
        Some(bytes)
    }

    /// Nothing more comes of what was told in parts.
    pub(super) fn handle_incomplete(&mut self, stream: u16) {
        let Some(id) = self.by_stream.get(&stream).copied() else { return };
        if self.channels.get_mut(&id).is_some_and(|channel| std::mem::take(&mut channel.is_receiving)) {
            self.events.push_back(Event::MessageIncomplete(id));
        }
    }
}

/// As the association tells it.
pub(super) struct Part {
    pub(super) stream: u16,
    pub(super) ppid: u32,
    pub(super) data: Bytes,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// What the beginning of an establishment message takes of the room for names.
const fn gathered(bytes: &[u8]) -> usize {
    const OVERHEAD: usize = 128; // or short ones would be nearly free
    bytes.len() + OVERHEAD
}

fn begin(
    open: &mut OpenMessage,
    channel: &Channel,
    stream: u16,
    sctp: &mut sctp::Association,
) -> Result<(), sctp::SendError> {
    if !open.is_begun {
        let ppid = if open.is_binary { ppid::BINARY } else { ppid::STRING };
        sctp.begin_message(stream, ppid, channel.send_options())?;
        open.is_begun = true;
    }
    Ok(())
}

impl OpenMessage {
    fn append(
        &mut self,
        part: Bytes,
        channel: &mut Channel,
        stream: u16,
        sctp: &mut sctp::Association,
    ) -> Result<(), SendError> {
        let utf8 = if self.is_binary { Some(self.utf8) } else { self.utf8.after(&part) };
        let Some(utf8) = utf8 else { return Err(SendError::NotUtf8(part)) };
        match begin(self, channel, stream, sctp) {
            Ok(()) => {}
            Err(sctp::SendError::Full(_) | sctp::SendError::StreamResetting(_)) => return Err(SendError::Full(part)),
            Err(error) => return Err(channel.refused(error)),
        }
        let len = part.len();
        sctp.append_part(stream, part).map_err(|error| channel.refused(error))?;
        self.len += len;
        self.utf8 = utf8;
        channel.stats.bytes_sent += len as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_string_in_pieces_is_one_if_it_is_whole(text in ".{0,30}", broken in prop::option::of((any::<usize>(), any::<u8>())), cuts in prop::collection::vec(1..6usize, 1..40)) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = broken.filter(|_| !bytes.is_empty()) {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let (mut utf8, mut rest) = (Some(Utf8::default()), bytes.as_slice());
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                utf8 = utf8.and_then(|utf8| utf8.after(piece));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(utf8.is_some_and(|utf8| utf8.len == 0), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
