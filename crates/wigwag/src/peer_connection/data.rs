//! Data channels, in the words of W3C `RTCDataChannel`.

use super::{End, PeerConnection};
use crate::data_channel::{ChannelId, DataChannel, DataChannelInit};
use crate::error::{ChannelError, SendError};
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
    pub fn close_data_channel(&mut self, id: ChannelId) {
        self.channels.close(id, self.transport.secured.sctp.as_mut());
        self.may_tell = true;
    }

    /// The data channels that are not closed.
    pub fn data_channels(&self) -> impl Iterator<Item = (ChannelId, DataChannel<'_>)> {
        self.channels.iter().map(|(id, channel)| (id, DataChannel::new(channel)))
    }
}
