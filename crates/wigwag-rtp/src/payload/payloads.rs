//! The payloads of one frame, all in one allocation.

use bytes::{Buf, Bytes};

/// How long what stands before each payload of its own length is: that length.
const LEN_LEN: usize = 4;

/// The payloads of a frame, in order: slices of one allocation.
#[derive(Clone, Debug)]
pub struct Payloads {
    rest: Bytes,
    lens: Lens,
}

#[derive(Clone, Copy, Debug)]
enum Lens {
    /// All are so long, but the last.
    Equal(usize),
    /// Each stands after its length; so many are left, with so many bytes.
    Own { count: usize, bytes: usize },
}

impl Payloads {
    /// Each `len` bytes long, but the last.
    pub(super) const fn new(rest: Bytes, len: usize) -> Self {
        Self { rest, lens: Lens::Equal(len) }
    }

    /// How many bytes there are in all of them.
    pub(crate) const fn bytes(&self) -> usize {
        match self.lens {
            Lens::Equal(_) => self.rest.len(),
            Lens::Own { bytes, .. } => bytes,
        }
    }
}

impl Iterator for Payloads {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match &mut self.lens {
            Lens::Equal(len) => {
                let len = (*len).min(self.rest.len());
                (len > 0).then(|| self.rest.split_to(len))
            }
            Lens::Own { count, bytes } => {
                let len = self.rest.first_chunk().map(|len| u32::from_be_bytes(*len) as usize)?;
                self.rest.advance(LEN_LEN);
                let payload = self.rest.split_to(len.min(self.rest.len()));
                (*count, *bytes) = (count.saturating_sub(1), bytes.saturating_sub(payload.len()));
                Some(payload)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = match self.lens {
            Lens::Equal(len) => self.rest.len().div_ceil(len.max(1)),
            Lens::Own { count, .. } => count,
        };
        (count, Some(count))
    }
}

impl ExactSizeIterator for Payloads {}

/// Writes payloads of any length, one after another.
#[derive(Debug)]
pub(super) struct PayloadWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl PayloadWriter {
    /// With room for a frame of `frame_len` bytes in payloads of at most `limit`, if few of them are short.
    pub(super) fn new(frame_len: usize, limit: usize) -> Self {
        let overhead = (frame_len / limit.max(1) + 4) * (2 * LEN_LEN + 4);
        Self { bytes: Vec::with_capacity(frame_len + overhead), count: 0 }
    }

    /// Appends a payload, as `write` appends its bytes.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LEN_LEN]);
        write(&mut self.bytes);
        let len = self.bytes.len().saturating_sub(at + LEN_LEN);
        if let Some(place) = self.bytes.get_mut(at..at + LEN_LEN) {
            place.copy_from_slice(&(len as u32).to_be_bytes());
        }
        self.count += 1;
    }

    /// What was written. `None` if nothing was.
    pub(super) fn finish(self) -> Option<Payloads> {
        let bytes = self.bytes.len().saturating_sub(LEN_LEN * self.count);
        let lens = Lens::Own { count: self.count, bytes };
        (self.count > 0).then(|| Payloads { rest: self.bytes.into(), lens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_any_length_come_back_as_they_were_written() {
        let written: [&[u8]; 4] = [b"one", b"", b"a longer one", b"x"];
        let mut writer = PayloadWriter::new(16, 12);
        written.iter().for_each(|payload| writer.push(|out| out.extend_from_slice(payload)));
        let mut payloads = writer.finish().expect("some");
        assert_eq!((payloads.len(), payloads.bytes()), (4, 16));
        assert_eq!(payloads.next().as_deref(), Some(written[0]));
        assert_eq!((payloads.len(), payloads.bytes()), (3, 13));
        assert!(payloads.eq(written[1..].iter().copied()));
        assert!(PayloadWriter::new(0, 0).finish().is_none());
    }
}
