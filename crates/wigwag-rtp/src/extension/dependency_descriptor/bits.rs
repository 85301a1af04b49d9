//! Bits, read and written from high to low order (AV1 RTP A.8.2: `f(n)` and `ns(n)`).

use crate::DecodeError;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The same bytes, from this bit on.
    pub(super) const fn starting_at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// How many bits were read.
    pub(super) const fn at(self) -> usize {
        self.at
    }

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        let byte = self.bytes.get(self.at / 8).ok_or(DecodeError::Truncated)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// `f(n)`, of at most 32 bits.
    pub(super) fn number(&mut self, len: u32) -> Result<u32, DecodeError> {
        let mut number = 0;
        for _ in 0..len.min(32) {
            number = number << 1 | u32::from(self.flag()?);
        }
        Ok(number)
    }

    /// The same of at most 8 bits.
    pub(super) fn small(&mut self, len: u32) -> Result<u8, DecodeError> {
        self.number(len.min(8)).map(|number| number as u8)
    }

    /// `ns(n)`: one of `count` values, the lower of them with one bit less.
    pub(super) fn one_of(&mut self, count: u32) -> Result<u32, DecodeError> {
        let (width, short) = widths(count);
        let value = self.number(width.saturating_sub(1))?;
        if value < short {
            return Ok(value);
        }
        let extra = self.number(1)?;
        Ok((value << 1) - short + extra)
    }
}

/// How many bits the higher of `count` values have, and how many values have one less.
fn widths(count: u32) -> (u32, u32) {
    let width = u32::BITS - count.leading_zeros();
    (width, (1 << width) - count)
}

/// Bits that are appended to bytes; the last byte is filled up with zeros.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Of the last byte.
    free: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, free: 0 }
    }

    pub(super) fn flag(&mut self, flag: bool) {
        if self.free == 0 {
            self.out.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.out.last_mut() {
            *last |= u8::from(flag) << self.free;
        }
    }

    pub(super) fn number(&mut self, len: u32, number: u32) {
        (0..len.min(32)).rev().for_each(|bit| self.flag(number >> bit & 1 == 1));
    }

    pub(super) fn one_of(&mut self, count: u32, value: u32) {
        let (width, short) = widths(count);
        if value < short {
            self.number(width.saturating_sub(1), value);
        } else {
            self.number(width, value + short);
        }
    }

    /// The bits of `from` up to this one.
    pub(super) fn copy(&mut self, from: &mut BitReader<'_>, end: usize) {
        while from.at() < end {
            let Ok(flag) = from.flag() else { return };
            self.flag(flag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of A.8.2, and by hand: of one value nothing is written, of two a bit, of three one or two.
    #[test]
    fn the_lower_of_several_values_have_one_bit_less() {
        let encodings: [(u32, &[&str]); 4] =
            [(1, &[""]), (2, &["0", "1"]), (3, &["0", "10", "11"]), (5, &["00", "01", "10", "110", "111"])];
        for (count, encodings) in encodings {
            for (value, encoding) in (0..).zip(encodings) {
                let mut out = Vec::new();
                let mut writer = BitWriter::new(&mut out);
                writer.one_of(count, value);
                writer.flag(true);
                let text: String = out.iter().map(|byte| format!("{byte:08b}")).collect();
                assert_eq!(text.trim_end_matches('0'), format!("{encoding}1"), "{value} of {count}");
                let mut reader = BitReader::new(&out);
                assert_eq!((reader.one_of(count), reader.at()), (Ok(value), encoding.len()), "{value} of {count}");
            }
        }
    }

    #[test]
    fn bits_are_read_from_high_to_low_and_not_beyond_the_end() {
        let mut reader = BitReader::new(&[0b1010_0000, 0xff, 0x01]);
        assert_eq!((reader.number(3), reader.flag(), reader.small(5)), (Ok(5), Ok(false), Ok(1)));
        assert_eq!((reader.number(15), reader.number(1)), (Ok(0x7f01), Err(DecodeError::Truncated)));
    }
}
