//! Buffers that are used again: what comes in pieces allocates nothing but the message.

use crate::migration::{Reader, State, Writer};
use bytes::Bytes;

/// A buffer that is lent. Whoever has it gives it back.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    /// Its capacity when it was lent.
    lent: usize,
}

/// Lends buffers, and keeps so many bytes of them at most. As many of those that it has lent are large though little is in them, and no
/// more: a peer is charged for what is in them.
#[derive(Debug)]
pub(crate) struct Buffers {
    spare: Vec<Vec<u8>>,
    /// Capacities of what is kept or lent.
    capacity: usize,
    capacity_max: usize,
    /// How many are lent.
    lent: usize,
    /// As long as the longest was they are made.
    len: usize,
}

/// What is read is in nobody's account: see [`Buffers::take_over`].
impl State for Buffer {
    fn write(&self, out: &mut Writer) {
        self.bytes.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { bytes: State::read(from)?, lent: 0 })
    }
}

impl Buffers {
    /// Lends a buffer in the place of one that was not lent by these.
    pub(crate) fn take_over(&mut self, buffer: &Buffer) -> Buffer {
        self.copy(&buffer.bytes)
    }

    pub(crate) const fn new(capacity_max: usize) -> Self {
        Self { spare: Vec::new(), capacity: 0, capacity_max, lent: 0, len: 0 }
    }

    /// Gives back what is kept.
    pub(crate) fn release(&mut self) {
        self.capacity -= self.spare.drain(..).map(|bytes| bytes.capacity()).sum::<usize>();
        (self.spare, self.len) = (Vec::new(), 0);
    }

    /// Keeps so many more buffers of `len` bytes or as long as the longest was, as far as there is room.
    pub(crate) fn prepare(&mut self, count: usize, len: usize) {
        self.len = self.len.max(len);
        let len = self.len;
        let room = self.capacity_max.saturating_sub(self.capacity);
        let count = room.checked_div(len).map_or(0, |room| count.min(room));
        self.spare.reserve(self.lent + count);
        for _ in 0..count {
            let bytes = Vec::with_capacity(len);
            self.capacity += bytes.capacity();
            self.spare.push(bytes);
        }
    }

    /// An empty buffer.
    pub(crate) fn lend(&mut self) -> Buffer {
        if self.spare.is_empty() {
            self.prepare(1, 0);
        }
        self.lent += 1;
        let bytes = self.spare.pop().unwrap_or_default();
        Buffer { lent: bytes.capacity(), bytes }
    }

    /// A buffer with these bytes. There will be twice as many of them when there were too few.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Buffer {
        if self.spare.is_empty() {
            self.prepare(self.lent, bytes.len());
        }
        let mut buffer = self.lend();
        buffer.bytes.reserve_exact(bytes.len());
        buffer.bytes.extend_from_slice(bytes);
        buffer
    }

    /// What is in a buffer, which is not lent any more: it goes with its content, unless that would waste most of it.
    pub(crate) fn take(&mut self, mut buffer: Buffer) -> Bytes {
        if is_mostly_empty(&buffer.bytes) {
            let message = Bytes::copy_from_slice(&buffer.bytes);
            self.give_back(buffer);
            return message;
        }
        let message = std::mem::take(&mut buffer.bytes).into_boxed_slice();
        self.len = self.len.max(message.len());
        self.give_back(buffer);
        message.into()
    }

    pub(crate) fn give_back(&mut self, buffer: Buffer) {
        let Buffer { mut bytes, lent } = buffer;
        self.capacity -= lent;
        self.len = self.len.max(bytes.capacity());
        self.lent -= 1;
        if self.capacity + bytes.capacity() <= self.capacity_max && bytes.capacity() > 0 {
            self.capacity += bytes.capacity();
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// Whether a copy of what is in it wastes less than the buffer itself.
pub(crate) const fn is_mostly_empty(buffer: &Vec<u8>) -> bool {
    buffer.len() < buffer.capacity() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of about one length are not copied, and take no more room than they need.
    #[test]
    fn a_full_buffer_goes_with_its_content() {
        let mut buffers = Buffers::new(100_000);
        let mut carry = |len: usize| {
            let mut buffer = buffers.lend();
            (0..len.div_ceil(1000)).for_each(|at| buffer.bytes.resize((1000 * at + 1000).min(len), 7));
            let place = buffer.bytes.as_ptr();
            let message = buffers.take(buffer);
            assert_eq!((message.len(), message.iter().all(|byte| *byte == 7)), (len, true));
            message.as_ptr() == place
        };
        carry(20_500);
        assert!(carry(20_500) && carry(19_000) && carry(20_500));
        assert!(!carry(300) && !carry(10_000) && carry(20_500), "short ones are copied");
        assert_eq!((buffers.lent, buffers.capacity), (0, buffers.spare.iter().map(Vec::capacity).sum::<usize>()));
    }

    /// A peer sends long messages to have large buffers kept, and short ones that never end to have them lent, over and over.
    #[test]
    fn what_is_lent_for_little_counts_as_kept() {
        let mut buffers = Buffers::new(100_000);
        let mut held = Vec::new();
        for _ in 0..100 {
            let long: Vec<_> = (0..20).map(|_| buffers.copy(&[7; 10_000])).collect();
            long.into_iter().for_each(|buffer| buffers.give_back(buffer));
            held.extend((0..20).map(|_| buffers.copy(&[7])));
        }
        let capacity: usize = held.iter().map(|buffer| buffer.bytes.capacity()).sum();
        assert!(capacity <= 100_000 + held.len(), "{capacity}");
        held.into_iter().for_each(|buffer| buffers.give_back(buffer));
        assert!(buffers.capacity <= 100_000);
        assert_eq!(buffers.capacity, buffers.spare.iter().map(Vec::capacity).sum::<usize>());
    }
}
