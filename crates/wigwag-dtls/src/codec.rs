//! Reading and writing TLS's presentation language (RFC 5246 §4): numbers, and vectors with their length before them.

use crate::error::DecodeError;

/// Reads from the front; what is not there is an error, never a panic.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything was read.
    pub(crate) const fn end(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError) }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecodeError)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Result<usize, DecodeError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]) as usize)
    }

    /// A vector of at most 255 bytes.
    pub(crate) fn vec8(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u8()?;
        self.take(len.into())
    }

    /// A vector of at most 65,535 bytes.
    pub(crate) fn vec16(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.take(len.into())
    }

    /// A vector of at most 2²⁴ − 1 bytes.
    pub(crate) fn vec24(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u24()?;
        self.take(len)
    }

    /// A vector of at least one number of 16 bits.
    pub(crate) fn numbers(&mut self) -> Result<Numbers<'a>, DecodeError> {
        Numbers::new(self.vec16()?)
    }
}

/// Numbers of 16 bits, of which there is at least one: cipher suites, groups, algorithms, profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers<'a>(&'a [[u8; 2]]);

impl<'a> Numbers<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.as_chunks() {
            (numbers, []) if !numbers.is_empty() => Ok(Self(numbers)),
            _ => Err(DecodeError),
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn contains(self, number: u16) -> bool {
        self.iter().any(|other| other == number)
    }
}

/// The width of a vector's length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    U8 = 1,
    U16 = 2,
    U24 = 3,
}

/// Appends a vector: its length, then what `write` appends.
pub(crate) fn put_vec(out: &mut Vec<u8>, length: Length, write: impl FnOnce(&mut Vec<u8>)) {
    let (start, width) = (out.len(), length as usize);
    out.resize(start + width, 0);
    write(out);
    let len = (out.len() - start - width).to_be_bytes();
    debug_assert!(
        len.iter().rev().skip(width).all(|byte| *byte == 0),
        "we write no vector that is longer than its length can say"
    );
    if let (Some(to), Some(from)) = (out.get_mut(start..start + width), len.get(len.len() - width..)) {
        to.copy_from_slice(from);
    }
}

pub(crate) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends a vector of numbers.
pub(crate) fn put_numbers(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u16>) {
    put_vec(out, Length::U16, |out| numbers.into_iter().for_each(|number| put_u16(out, number)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_as_written() {
        let mut out = vec![9];
        put_vec(&mut out, Length::U24, |out| put_vec(out, Length::U8, |out| out.extend_from_slice(b"abc")));
        assert_eq!(out, [9, 0, 0, 4, 3, b'a', b'b', b'c']);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.u8(), Ok(9));
        assert_eq!(Reader::new(reader.vec24().unwrap()).vec8(), Ok(&b"abc"[..]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for len in 0..4 {
            assert_eq!(Reader::new(&[3, 1, 2, 3][..len]).vec8(), Err(DecodeError));
        }
        assert_eq!(Reader::new(&[0, 3, 0, 1, 0]).numbers(), Err(DecodeError), "half a number");
        assert_eq!(Reader::new(&[0, 0]).numbers(), Err(DecodeError), "none");
    }
}
