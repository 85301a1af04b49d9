//! Reading and writing of fields in network order. Nothing here can fail but by saying `None`.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Steps over what rounds `len` up to four bytes, as much of it as there is: the last padding of a packet may be missing.
    pub(crate) fn skip_padding(&mut self, len: usize) {
        self.0 = self.0.get(padding(len)..).unwrap_or_default();
    }
}

/// How many bytes round `len` up to a multiple of four.
pub(crate) const fn padding(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// Appends zeros until what was written since `start` is a multiple of four.
#[inline]
pub(crate) fn pad(start: usize, out: &mut Vec<u8>) {
    let padding = padding(out.len().saturating_sub(start));
    if padding > 0 {
        out.resize(out.len().saturating_add(padding), 0);
    }
}

pub(crate) fn put_u16(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends what `write` writes behind a header of four bytes (`first`, then the length of both) and pads it.
/// Returns the length of the padding.
pub(crate) fn put_framed(first: [u8; 2], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    put_framed_list(first, out, |out| {
        write(out);
        0
    })
}

/// As `put_framed`, of parameters or causes: `write` returns the padding of the last one, which does not count.
//
// RFC 9260 §3.2: "The Chunk Length field does not count any chunk padding. However, it does include any padding of
// variable-length parameters other than the last parameter in the chunk."
pub(crate) fn put_framed_list(first: [u8; 2], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> usize) -> usize {
    let start = out.len();
    out.extend_from_slice(&[first[0], first[1], 0, 0]);
    let padding = write(out);
    let len = out.len().saturating_sub(start).saturating_sub(padding);
    // What is longer than the field can tell is never written: a packet is shorter.
    let field = u16::try_from(len).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(start.saturating_add(2)..start.saturating_add(4)) {
        place.copy_from_slice(&field.to_be_bytes());
    }
    pad(start, out);
    out.len().saturating_sub(start).saturating_sub(len)
}

/// A type and a length.
pub(crate) const TLV_HEADER_LEN: usize = 4;

/// A parameter or an error cause: a type, a length, a value (RFC 9260 §3.2.1, §3.3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl Tlv<'_> {
    /// What this takes of a packet: header, value and padding.
    pub(crate) const fn len(&self) -> usize {
        let len = self.value.len().saturating_add(TLV_HEADER_LEN);
        len.saturating_add(padding(len))
    }

    /// Returns the length of the padding.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> usize {
        put_framed(self.kind.to_be_bytes(), out, |out| out.extend_from_slice(self.value))
    }
}

/// Parameters or causes one after another. Ends after the first that does not decode, which is `Err`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlvs<'a>(Reader<'a>);

impl<'a> Tlvs<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// The value of the first of this kind.
    pub(crate) fn find_value(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|tlv| tlv.ok().filter(|tlv| tlv.kind == kind)).map(|tlv| tlv.value)
    }

    fn read(&mut self) -> Option<Tlv<'a>> {
        let kind = self.0.u16()?;
        let len = usize::from(self.0.u16()?);
        let value = self.0.bytes(len.checked_sub(TLV_HEADER_LEN)?)?;
        self.0.skip_padding(len);
        Some(Tlv { kind, value })
    }
}

/// A parameter, cause or chunk does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let tlv = self.read().ok_or(Malformed);
        if tlv.is_err() {
            self.0 = Reader::new(&[]);
        }
        Some(tlv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_below_the_header_ends_the_list() {
        for len in 0..4 {
            let bytes = [0, 7, 0, len, 0, 8, 0, 4];
            let all: Vec<_> = Tlvs::new(&bytes).collect();
            assert_eq!(all, [Err(Malformed)]);
        }
    }

    #[test]
    fn a_length_past_the_end_ends_the_list() {
        let all: Vec<_> = Tlvs::new(&[0, 7, 0, 4, 0, 8, 0, 5]).collect();
        assert_eq!(all, [Ok(Tlv { kind: 7, value: &[] }), Err(Malformed)]);
    }

    #[test]
    fn the_last_padding_may_be_missing() {
        let all: Vec<_> = Tlvs::new(&[0, 7, 0, 5, 1, 0, 0, 0, 0, 8, 0, 5, 2]).collect();
        assert_eq!(all, [Ok(Tlv { kind: 7, value: &[1] }), Ok(Tlv { kind: 8, value: &[2] })]);
    }
}
