//! What was sent, what has come, and what must be so between them.

use bytes::{Buf, Bytes};
use std::collections::{BTreeMap, BTreeSet};
use wigwag_sctp::{Reliability, SendOptions};

/// A message tells what it is, and the rest of it follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Message {
    pub(super) stream: u16,
    /// How often the stream was reset before.
    generation: u32,
    number: u32,
    pub(super) unordered: bool,
    len: u32,
}

impl Message {
    pub(super) const LEN_MIN: u64 = 20;

    pub(super) fn bytes(&self) -> Bytes {
        let head = [self.stream.into(), self.generation, self.number, self.unordered.into(), self.len];
        let mut bytes: Vec<u8> = head.iter().flat_map(|number| number.to_be_bytes()).collect();
        bytes.extend((bytes.len() as u32..self.len).map(|at| (at ^ self.number) as u8));
        Bytes::from(bytes)
    }

    fn read(mut bytes: &[u8]) -> Self {
        let [stream, generation, number, unordered, len] = [0; 5].map(|_| bytes.get_u32());
        Self { stream: stream as u16, generation, number, unordered: unordered == 1, len }
    }
}

/// A message of which parts are still to be given.
pub(super) struct Open {
    pub(super) message: Message,
    pub(super) rest: Bytes,
    /// Whether nobody may give it up but its sender.
    pub(super) is_reliable: bool,
}

/// What one end has sent.
#[derive(Default)]
pub(super) struct Sent {
    generations: BTreeMap<u16, u32>,
    numbers: BTreeMap<u16, u32>,
    /// Streams on which something must arrive before they are reset.
    used: BTreeSet<u16>,
    resetting: BTreeSet<u16>,
    pub(super) open: BTreeMap<u16, Open>,
    reliable: BTreeSet<Message>,
}

impl Sent {
    pub(super) fn next(&self, stream: u16, options: SendOptions, len: u64) -> Message {
        let [generation, number] = [&self.generations, &self.numbers].map(|of| of.get(&stream).copied().unwrap_or(0));
        Message { stream, generation, number, unordered: options.unordered, len: len as u32 }
    }

    /// The message is on its way, perhaps in part.
    pub(super) fn begin(&mut self, message: Message) {
        self.numbers.insert(message.stream, message.number + 1);
    }

    /// Nothing of it is to come, and it must arrive if it is reliable.
    pub(super) fn finish(&mut self, message: Message, is_reliable: bool) {
        if is_reliable {
            self.used.insert(message.stream);
            self.reliable.insert(message);
        }
    }

    /// No peer can tell a reset of the same streams behind the same TSN from the one before, tried again.
    pub(super) fn may_reset(&self, stream: u16) -> bool {
        self.used.contains(&stream)
    }

    pub(super) fn begin_reset(&mut self, stream: u16) {
        self.used.remove(&stream);
        self.resetting.insert(stream);
    }

    pub(super) fn end_resets(&mut self, streams: &[u16]) {
        for stream in streams {
            assert!(self.resetting.remove(stream), "nobody has asked for a reset of stream {stream}");
            *self.generations.entry(*stream).or_default() += 1;
        }
    }

    /// The peer has begun anew: nothing has been sent to it, and what is open will be told to be given up.
    pub(super) fn restart(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.values_mut().for_each(|open| open.is_reliable = false);
        *self = Self { open, ..Self::default() };
    }

    pub(super) fn has_arrived(&self, at: &Received) {
        let missing: Vec<_> = self.reliable.difference(&at.seen).collect();
        assert!(missing.is_empty(), "{missing:?} never arrived");
        assert!(at.parts.is_empty(), "of messages on {:?} there are parts only", at.parts.keys());
    }

    pub(super) fn agrees(&self, with: &Received) {
        assert!(self.open.is_empty() && self.resetting.is_empty(), "resets {:?} never end", self.resetting);
        assert_eq!(self.generations, with.generations, "how often each stream was reset");
    }
}

/// What has come to one end.
#[derive(Default)]
pub(super) struct Received {
    generations: BTreeMap<u16, u32>,
    /// The last ordered message of each stream.
    last: BTreeMap<u16, u32>,
    parts: BTreeMap<u16, Vec<u8>>,
    seen: BTreeSet<Message>,
}

impl Received {
    /// C1 to C3, C7: each message comes whole, once, in order and before or after a reset as it was sent.
    pub(super) fn take(&mut self, stream: u16, unordered: bool, data: &[u8]) {
        let message = Message::read(data);
        assert!(message.bytes() == data, "{} bytes that are not {message:?}", data.len());
        assert_eq!((message.stream, message.unordered), (stream, unordered), "{message:?}");
        let generation = self.generations.get(&stream).copied().unwrap_or(0);
        assert_eq!(message.generation, generation, "{message:?} on the wrong side of a reset");
        assert!(self.seen.insert(message), "{message:?} came twice");
        if !unordered {
            let before = self.last.insert(stream, message.number);
            assert!(before < Some(message.number), "{message:?} came after {before:?}");
        }
    }

    pub(super) fn take_part(&mut self, stream: u16, unordered: bool, data: &[u8], [is_first, is_last]: [bool; 2]) {
        let mut parts = self.parts.remove(&stream);
        assert_eq!(parts.is_none(), is_first, "a part that does not follow, on stream {stream}");
        let whole = parts.get_or_insert_default();
        whole.extend_from_slice(data);
        if is_last {
            self.take(stream, unordered, whole);
        } else {
            self.parts.extend(parts.map(|parts| (stream, parts)));
        }
    }

    pub(super) fn give_up(&mut self, stream: u16) {
        assert!(self.parts.remove(&stream).is_some(), "nothing has begun on stream {stream}");
    }

    pub(super) fn reset(&mut self, streams: &[u16]) {
        assert!(!streams.is_empty(), "the streams have names");
        for stream in streams {
            assert!(!self.parts.contains_key(stream), "stream {stream} was reset within a message");
            *self.generations.entry(*stream).or_default() += 1;
        }
    }

    /// The peer has begun anew.
    pub(super) fn restart(&mut self) {
        assert!(self.parts.is_empty(), "told to be incomplete before");
        *self = Self::default();
    }
}

pub(super) fn is_reliable(options: SendOptions) -> bool {
    options.reliability == Reliability::Reliable
}
