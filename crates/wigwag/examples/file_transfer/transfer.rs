//! A file over a data channel. Two machines without a socket, so their test runs them in a simulated network; they outlive a
//! connection, and go on over the next one.
//!
//! On the channel, strings are words and bytes are the file. The receiver says `have N`; the sender sends the bytes from there on,
//! in messages of any length, and `sha256 HEX` of all; the receiver says `whole` or `broken`, and the sender closes the channel.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read, Write};
use wigwag::{ChannelId, Event, PeerConnection, SendError};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What every peer takes in one message (RFC 8841 §6.1), if it does not say less.
const CHUNK: usize = 64 << 10;
/// The file is read while less than that waits in the channel, and again when it has fallen to the lower one.
const WAITS_MAX: usize = 1 << 20;
const WAITS_LOW: usize = 256 << 10;

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Whole(u64),
    /// The receiver's bytes are not the sender's.
    Broken,
}

pub(crate) struct Sender<F> {
    file: F,
    hash: Sha256,
    /// What was read, and whether that was all.
    offset: u64,
    is_read: bool,
    /// What the channel had no room for.
    refused: Option<(Bytes, bool)>,
    /// The channel that takes the file now, since the receiver has said how much it has.
    channel: Option<ChannelId>,
}

impl<F: Read> Sender<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, hash: Sha256::new(), offset: 0, is_read: false, refused: None, channel: None }
    }

    /// What happened to the connection; `Some` when the receiver has the whole file, or something else.
    pub(crate) fn handle_event(&mut self, peer: &mut PeerConnection, event: &Event) -> Result<Option<Outcome>> {
        match event {
            Event::Message { channel, data, is_binary: false } => match std::str::from_utf8(data)?.split_once(' ') {
                Some(("have", count)) => {
                    peer.set_buffered_amount_low_threshold(*channel, WAITS_LOW);
                    self.channel = Some(*channel);
                    self.skip(count.parse()?)?;
                    self.give(peer)?;
                }
                _ => {
                    // The receiver has all that it needs: nothing is lost when the channel closes now.
                    peer.close_data_channel(*channel);
                    let is_whole = data.as_ref() == b"whole";
                    return Ok(Some(if is_whole { Outcome::Whole(self.offset) } else { Outcome::Broken }));
                }
            },
            // One is told after the channel had enough, the other after `send` was refused.
            Event::BufferedAmountLow(_) | Event::Writable => self.give(peer)?,
            _ => {}
        }
        Ok(None)
    }

    /// The receiver has these already, from a connection before. They count for the hash.
    fn skip(&mut self, count: u64) -> Result<()> {
        if self.offset > 0 && self.offset != count {
            return Err("open the file anew: it was read further than the receiver has come".into());
        }
        while self.offset < count {
            let rest = usize::try_from(count - self.offset).unwrap_or(CHUNK);
            if self.read(rest.min(CHUNK))?.is_empty() {
                return Err("the receiver has more than the file".into());
            }
        }
        Ok(())
    }

    /// Gives the channel as much as it should have.
    fn give(&mut self, peer: &mut PeerConnection) -> Result<()> {
        let Some(channel) = self.channel else { return Ok(()) };
        let chunk = peer.max_message_size().map_or(CHUNK, |max| max.min(CHUNK));
        while peer.buffered_amount(channel) < WAITS_MAX {
            let Some((data, is_binary)) = self.next(chunk)? else { break };
            match peer.send(channel, data, is_binary) {
                Ok(()) => {}
                Err(SendError::Full(data)) => {
                    self.refused = Some((data, is_binary));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn next(&mut self, chunk: usize) -> Result<Option<(Bytes, bool)>> {
        if self.refused.is_some() || self.is_read {
            return Ok(self.refused.take());
        }
        let data = self.read(chunk)?;
        if data.is_empty() {
            self.is_read = true;
            return Ok(Some((format!("sha256 {}", hex(&self.hash)).into(), false)));
        }
        Ok(Some((data, true)))
    }

    /// Empty at the end of the file.
    fn read(&mut self, len: usize) -> Result<Bytes> {
        let mut data = Vec::with_capacity(len);
        self.file.by_ref().take(len as u64).read_to_end(&mut data)?;
        self.hash.update(&data);
        self.offset += data.len() as u64;
        Ok(data.into())
    }
}

pub(crate) struct Receiver<F> {
    pub(crate) file: F,
    hash: Sha256,
    len: u64,
}

impl<F: Write> Receiver<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, hash: Sha256::new(), len: 0 }
    }

    /// What happened to the connection; `Some` when the sender has said that this was all.
    pub(crate) fn handle_event(&mut self, peer: &mut PeerConnection, event: &Event) -> Result<Option<Outcome>> {
        match event {
            Event::ChannelOpened(channel) => peer.send(*channel, format!("have {}", self.len).into(), false)?,
            // With `Config::partial_delivery_from`, a message of any length needs no more memory than a part of it. Where a message
            // begins and ends is of no interest here.
            Event::Message { data, is_binary: true, .. } | Event::MessagePart { data, is_binary: true, .. } => {
                self.file.write_all(data)?;
                self.hash.update(data);
                self.len += data.len() as u64;
            }
            Event::Message { channel, data, is_binary: false } => {
                let is_whole = data.as_ref() == format!("sha256 {}", hex(&self.hash)).as_bytes();
                self.file.flush()?;
                peer.send(*channel, if is_whole { "whole" } else { "broken" }.into(), false)?;
                return Ok(Some(if is_whole { Outcome::Whole(self.len) } else { Outcome::Broken }));
            }
            _ => {}
        }
        Ok(None)
    }
}

fn hex(hash: &Sha256) -> String {
    let digest = hash.clone().finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
