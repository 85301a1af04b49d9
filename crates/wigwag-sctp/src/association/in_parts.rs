//! Messages that are given in parts: what to do with those that need not, or cannot, be in memory as a whole.

use super::Association;
use super::state::Phase;
use crate::cause::code;
use crate::config::SendOptions;
use crate::error::{AbandonError, SendError};
use crate::event::CloseReason;
use crate::send::Refused;
use bytes::Bytes;

impl Association {
    /// Begins a message that is given in parts: [`append_part`](Self::append_part) as often as there are some, then
    /// [`finish_message`](Self::finish_message), or [`abandon_message`](Self::abandon_message). What was given leaves while the
    /// rest is still to come, so a message need not be in memory as a whole; but its last byte stays until it is known to be the last.
    ///
    /// Until then the stream takes no other message ([`SendError::MessageOpen`]); but if the one before was given up, and that was not told
    /// yet, to begin another is as good as to know. The lifetime of
    /// [`Reliability::MaxLifetime`](crate::Reliability::MaxLifetime) begins here.
    ///
    /// Without interleaving ([`is_interleaving`](Self::is_interleaving)), **a message of which something was sent holds up every other
    /// stream until it is finished** (RFC 9260 §6.9): then give the parts as fast as they are taken. With interleaving other streams go on,
    /// as far as the peer has room for what is incomplete.
    ///
    /// # Errors
    /// As [`send`](Self::send); with [`SendError::Full`] there is nothing to give back.
    pub fn begin_message(&mut self, stream: u16, ppid: u32, options: SendOptions) -> Result<(), SendError> {
        self.may_send_on(stream)?;
        let result = self.queue.begin(stream, ppid, options);
        self.after_sending(result)
    }

    /// Gives the next part of the message that is open on the stream; an empty one is none.
    ///
    /// The buffer counts what was not sent ([`buffered_amount`](Self::buffered_amount)). When it is full the part is given back, and
    /// [`Event::Writable`](crate::Event::Writable) tells when to try again; but a part is always taken if the message would come to a
    /// halt without it.
    ///
    /// # Errors
    /// [`SendError::Full`] as said. [`SendError::TooLarge`] if the parts together would be longer than the peer takes: the part is
    /// not taken, and the message stays open. [`SendError::Abandoned`], once, if the message was given up by its
    /// [`Reliability`](crate::Reliability), or since the peer began anew or takes no such stream: it is not open any more.
    /// [`SendError::NoMessageOpen`] if none was begun, [`SendError::Closed`] if the association is shutting down or has ended.
    pub fn append_part(&mut self, stream: u16, part: Bytes) -> Result<(), SendError> {
        if !self.takes_messages() {
            return Err(SendError::Closed);
        }
        let result = self.queue.append(stream, part, self.config.message_len_max_send);
        self.after_sending(result)
    }

    /// Ends the message that is open on the stream.
    ///
    /// # Errors
    /// [`SendError::Empty`] if nothing was given: there was no message then. Else as [`append_part`](Self::append_part), but it is never
    /// `Full` nor `TooLarge`.
    pub fn finish_message(&mut self, stream: u16) -> Result<(), SendError> {
        if !self.takes_messages() {
            return Err(SendError::Closed);
        }
        let result = self.queue.finish(stream);
        self.after_sending(result)
    }

    /// Gives up the message that is open on the stream. If something of it was sent, the peer is told not to wait for it (RFC 3758).
    ///
    /// # Errors
    /// If there is nothing to give up, or the peer could not be told: see [`AbandonError`].
    pub fn abandon_message(&mut self, stream: u16) -> Result<(), AbandonError> {
        if !self.takes_messages() {
            return Err(AbandonError::Closed);
        }
        let is_begun = match self.queue.append(stream, Bytes::new(), usize::MAX) {
            Err(Refused::Abandoned) => return Ok(()),
            _ => self.queue.open(stream).ok_or(AbandonError::NoMessageOpen)?,
        };
        if is_begun && !self.can_tell_of_abandoned() {
            return Err(AbandonError::NotSupported);
        }
        self.give_up_open(stream);
        self.invariants();
        Ok(())
    }

    pub(super) const fn takes_messages(&self) -> bool {
        self.phase.takes_messages() && !self.is_shutdown_wanted
    }

    fn can_tell_of_abandoned(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.transmission.may_give_up())
    }

    fn give_up_open(&mut self, stream: u16) {
        if self.queue.open(stream) == Some(false) {
            self.queue.drop_fresh_open(stream);
            self.stats.messages_abandoned += 1;
        } else if let (Some(block), Some(now)) = (&mut self.block, self.clock.seen()) {
            block.transmission.abandon_open(stream, now, &mut self.queue, &mut self.stats);
        }
    }

    /// Nothing more is taken: what is open never ends. A peer that cannot be told would wait for ever: the association is aborted.
    pub(super) fn give_up_all_open(&mut self) {
        for stream in self.queue.all_open() {
            if self.queue.open(stream) == Some(true) && !self.can_tell_of_abandoned() {
                return self.end_by_abort(code::USER_ABORT, &[], CloseReason::Aborted);
            }
            self.give_up_open(stream);
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }
}
