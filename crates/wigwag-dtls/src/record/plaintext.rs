//! The header of a record of DTLS 1.2, and of what is not protected in 1.3 (RFC 6347 §4.1).

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use super::{ContentType, Discard};
use crate::Version;
use crate::codec::Reader;

/// type 1, version 2, epoch 2, sequence number 6, length 2
pub(crate) const HEADER_LEN: usize = 13;
/// Epoch and sequence number.
pub(crate) const NUMBER_LEN: usize = 8;

/// Epoch and sequence number, as in a header, in a nonce and in what is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordNumber {
    pub(crate) epoch: u16,
    /// Of 48 bits.
    pub(crate) sequence: u64,
}

impl RecordNumber {
    /// RFC 5246 §6.1: "Sequence numbers do not wrap."
    pub(crate) const SEQUENCE_MAX: u64 = (1 << 48) - 1;

    pub(crate) const fn to_bytes(self) -> [u8; NUMBER_LEN] {
        ((self.epoch as u64) << 48 | self.sequence & Self::SEQUENCE_MAX).to_be_bytes()
    }

    pub(crate) const fn from_bytes(bytes: [u8; NUMBER_LEN]) -> Self {
        let number = u64::from_be_bytes(bytes);
        let [high, low, ..] = bytes;
        Self { epoch: u16::from_be_bytes([high, low]), sequence: number & Self::SEQUENCE_MAX }
    }
}

/// What the header of a record says, but for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) content_type: ContentType,
    pub(crate) version: u16,
    pub(crate) number: RecordNumber,
}

impl Header {
    pub(crate) fn encode(&self, body_len: u16) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields = [self.content_type.wire()]
            .into_iter()
            .chain(self.version.to_be_bytes())
            .chain(self.number.to_bytes())
            .chain(body_len.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// What is authenticated beside the text itself.
    ///
    /// RFC 5246 §6.2.3.3: "additional_data = seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length;"
    ///
    /// RFC 6347 §4.1.2.1 makes the number of epoch and sequence number, in the order of the header.
    pub(crate) fn additional_data(&self, plaintext_len: u16) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields = self
            .number
            .to_bytes()
            .into_iter()
            .chain([self.content_type.wire()])
            .chain(self.version.to_be_bytes())
            .chain(plaintext_len.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// Cuts the next record off the front of a datagram. On an error, what is left is the datagram after the record if its
/// length is known, and nothing if not.
///
/// RFC 6347 §4.1.2.7: "In general, invalid records SHOULD be silently discarded"
pub(crate) fn split<'a>(datagram: &mut &'a mut [u8]) -> Result<(Header, &'a mut [u8]), Discard> {
    let taken = std::mem::take(datagram);
    let Some((fixed, rest)) = taken.split_first_chunk_mut::<HEADER_LEN>() else { return Err(Discard::Malformed) };
    let mut reader = Reader::new(fixed);
    let mut fields = || Some((reader.u8().ok()?, reader.u16().ok()?, reader.array().ok()?, reader.u16().ok()?));
    let (content_type, version, number, len) = fields().ok_or(Discard::Malformed)?;
    // Of what is no record of DTLS, by its type or its major version, nothing says where the length is.
    let content_type = ContentType::from_wire(content_type).ok_or(Discard::UnknownContentType)?;
    if version.to_be_bytes()[0] != 0xFE {
        return Err(Discard::WrongVersion);
    }
    let (body, rest) = rest.split_at_mut_checked(len.into()).ok_or(Discard::Malformed)?;
    *datagram = rest;
    let number = RecordNumber::from_bytes(number);
    // Without protection it says nothing: a first ClientHello is of any version, and so is an alert to it.
    // RFC 9147 §4: "It MUST be ignored for all purposes."
    if number.epoch > 0 && version != Version::Dtls12.wire() {
        return Err(Discard::WrongVersion);
    }
    Ok((Header { content_type, version, number }, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: [u8; 16] = [22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 2, 3, 0, 3, 7, 8, 9];

    #[test]
    fn a_record_is_cut_off_and_the_next_follows() {
        let mut bytes = [RECORD, RECORD].concat();
        let mut datagram = &mut bytes[..];
        for _ in 0..2 {
            let (header, body) = split(&mut datagram).unwrap();
            assert_eq!(header.number, RecordNumber { epoch: 1, sequence: 0x203 });
            assert_eq!((header.content_type, header.version, &*body), (ContentType::Handshake, 0xFEFD, &[7, 8, 9][..]));
            assert_eq!(header.encode(3), RECORD[..13]);
        }
        assert!(datagram.is_empty());
    }

    #[test]
    fn a_truncated_record_ends_the_datagram() {
        for len in 0..RECORD.len() {
            let mut bytes = RECORD[..len].to_vec();
            let mut datagram = &mut bytes[..];
            assert_eq!(split(&mut datagram), Err(Discard::Malformed));
            assert!(datagram.is_empty());
        }
    }

    #[test]
    fn what_is_no_record_of_dtls_ends_the_datagram() {
        let mut bytes = [RECORD, RECORD].concat();
        bytes[1] = 3;
        let mut datagram = &mut bytes[..];
        assert_eq!(split(&mut datagram), Err(Discard::WrongVersion));
        assert!(datagram.is_empty());
    }

    #[test]
    fn a_record_of_another_version_is_skipped() {
        let mut bytes = [RECORD, RECORD].concat();
        bytes[2] = 3;
        let mut datagram = &mut bytes[..];
        assert_eq!(split(&mut datagram), Err(Discard::WrongVersion));
        assert!(split(&mut datagram).is_ok());
    }
}
