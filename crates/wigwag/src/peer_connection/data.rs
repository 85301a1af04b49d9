//! Data channels, in the words of W3C `RTCDataChannel`.

use super::{End, PeerConnection};
use crate::data_channel::{ChannelId, DataChannel, DataChannelInit};
use crate::error::{ChannelError, SendError};
use crate::mapping;
use bytes::Bytes;

impl PeerConnection {
    /// W3C `createDataChannel`. It carries messages after [`Event::ChannelOpened`](crate::Event::ChannelOpened).
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
    /// The channel is not open, a string is no UTF-8, the message exceeds what the peer takes, or the buffer is full, in
    /// which case the message is given back and [`Event::Writable`](crate::Event::Writable) tells when to try again.
    pub fn send(&mut self, id: ChannelId, data: Bytes, is_binary: bool) -> Result<(), SendError> {
        self.channels.send(id, data, is_binary, self.transport.secured.sctp.as_mut())
    }

    /// Begins a message that is given in parts, which W3C does not know: it need not be in memory as a whole, and leaves while the rest is
    /// still to come. Then [`append_part`](Self::append_part) as often as there are some, and [`finish_message`](Self::finish_message).
    /// The peer cannot tell such a message from others. The channel takes no other one until then.
    ///
    /// Where the peer cannot interleave messages (RFC 8260), one that has begun to leave holds every other channel up until it is finished:
    /// then give the parts as fast as they are taken.
    ///
    /// # Errors
    /// As [`send`](Self::send); and [`SendError::MessageOpen`] if one is.
    pub fn begin_message(&mut self, id: ChannelId, is_binary: bool) -> Result<(), SendError> {
        self.channels.begin_message(id, is_binary, self.transport.secured.sctp.as_mut())
    }

    /// Gives the next part of the channel's open message. Parts of a string may end within a character. The last byte that was given stays
    /// until it is known whether the message ends with it.
    ///
    /// # Errors
    /// As [`send`](Self::send), where `Full` gives the part back, and with `TooLarge` and `NotUtf8` the message stays open without it;
    /// [`SendError::Abandoned`] once, if the channel's reliability gave the message up; [`SendError::NoMessageOpen`].
    pub fn append_part(&mut self, id: ChannelId, part: Bytes) -> Result<(), SendError> {
        let result = self.channels.append_part(id, part, self.transport.secured.sctp.as_mut());
        self.may_tell |= result.is_err();
        result
    }

    /// Ends the channel's open message, also one without any parts, which is an empty message.
    ///
    /// # Errors
    /// As [`append_part`](Self::append_part); `Full` only if the message is empty, and `NotUtf8` if a string ends within a character.
    pub fn finish_message(&mut self, id: ChannelId) -> Result<(), SendError> {
        let result = self.channels.finish_message(id, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
        result
    }

    /// Gives the channel's open message up: the peer never sees it, or is told that it ends in the middle. So does closing the channel.
    ///
    /// # Errors
    /// [`SendError::NoMessageOpen`], or [`SendError::CannotAbandon`] if the peer would wait for its end for ever (it does not know RFC 3758,
    /// which all that RFC 8831 is about do): then the message stays open, and has to be finished.
    pub fn abandon_message(&mut self, id: ChannelId) -> Result<(), SendError> {
        let result = self.channels.abandon_message(id, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
        result
    }

    /// W3C `maxMessageSize` of the `RTCSctpTransport`: how long a message may be that we send, in bytes, as the peer's description says
    /// (RFC 8841 §6; 65,536 if it does not); `usize::MAX` if any may. `None` before data channels are agreed upon.
    pub fn max_message_size(&self) -> Option<usize> {
        self.jsep.data().map(mapping::message_len_max_send)
    }

    /// W3C `bufferedAmount`: the bytes that `send` took and that have not left yet.
    pub fn buffered_amount(&self, id: ChannelId) -> usize {
        let stream = self.channels.channel(id).and_then(|channel| channel.stream);
        let sctp = self.transport.secured.sctp.as_ref();
        stream.zip(sctp).map_or(0, |(stream, sctp)| sctp.buffered_amount(stream))
    }

    /// W3C `bufferedAmountLowThreshold`, in bytes: [`Event::BufferedAmountLow`](crate::Event::BufferedAmountLow) tells when the amount falls to it.
    pub fn set_buffered_amount_low_threshold(&mut self, id: ChannelId, threshold: usize) {
        self.channels.set_low_threshold(id, threshold, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
    }

    /// W3C `close` of a data channel: what is buffered is sent, then the peer closes too, then
    /// [`Event::ChannelClosed`](crate::Event::ChannelClosed) comes.
    ///
    /// A negotiated channel that the peer does not have stays [`Closing`](crate::ChannelState::Closing) until the connection ends:
    /// nobody there closes it.
    ///
    /// An open message is given up. If it cannot be ([`abandon_message`](Self::abandon_message)), it stays open, whoever closes the
    /// channel: the peer would take what has come of it for a whole message. Its parts are still taken, and the channel closes when it is
    /// finished.
    pub fn close_data_channel(&mut self, id: ChannelId) {
        self.channels.close(id, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
    }

    /// The data channels that are not closed.
    pub fn data_channels(&self) -> impl Iterator<Item = (ChannelId, DataChannel<'_>)> {
        self.channels.iter().map(|(id, channel)| (id, DataChannel::new(channel)))
    }
}
