//! Records of DTLS 1.3: the unified header, with the number encrypted, and what they protect (RFC 9147 §4).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |0|0|1|C|S|L|E E|   C: connection id (never ours), S: 16 bits of number, not 8, L: a length follows, E: of the epoch
//! +-+-+-+-+-+-+-+-+
//! | 8 or 16 bits of the sequence number, encrypted
//! | 16 bits of length, if L
//! ```

use super::plaintext::RecordNumber;
use super::{ContentType, Discard, FORGERIES_MAX, PLAINTEXT_LEN_MAX};
use crate::crypto::aead::{Aead, TAG_LEN};
use crate::crypto::mask::{Mask, SAMPLE_LEN};
use std::time::{Duration, Instant};
use wigwag_sansio::{Replay, ReplayWindow};

/// What we write: a number of 16 bits, and always a length.
pub(crate) const HEADER_LEN: usize = 5;
/// Behind the content, inside of what is encrypted.
pub(crate) const CONTENT_TYPE_LEN: usize = 1;

const FIXED_MASK: u8 = 0b1110_0000;
const FIXED: u8 = 0b0010_0000;
const CONNECTION_ID: u8 = 0b1_0000;
const LONG_NUMBER: u8 = 0b1000;
const LENGTH: u8 = 0b100;
const EPOCH: u8 = 0b11;

/// RFC 8446 §5.2: "The length MUST NOT exceed 2^14 + 256 bytes."
const CIPHERTEXT_LEN_MAX: usize = PLAINTEXT_LEN_MAX + 256;

// RFC 9147 §5.8.1: "In addition, for at least twice the default MSL defined for [RFC0793], when in the FINISHED state, the
// server MUST respond to retransmission of the client's final flight with a retransmit of its ACK."
const RETENTION: Duration = Duration::from_secs(2 * 120);

/// Whether a byte begins a record of this kind.
pub(crate) const fn is_unified(first: u8) -> bool {
    first & FIXED_MASK == FIXED
}

/// What protects the records of one epoch and direction.
pub(crate) struct Keys {
    pub(crate) aead: Aead,
    pub(crate) mask: Mask,
}

impl Keys {
    /// Seals what lies in `out` behind its header, which is filled in from `start` on.
    ///
    /// RFC 9147 §4: "The entire header value shown in Figure 4 (but prior to record number encryption; see Section 4.2.3) is
    /// used as the additional data value for the AEAD function. … In DTLS 1.3 the 64-bit sequence_number is used as the
    /// sequence number for the AEAD computation; unlike DTLS 1.2, the epoch is not included."
    pub(super) fn seal(
        &self,
        content_type: ContentType,
        number: RecordNumber,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        out.push(content_type.wire());
        let record = out.get_mut(start..)?;
        let (header, plaintext) = record.split_first_chunk_mut::<HEADER_LEN>()?;
        let len = u16::try_from(plaintext.len() + TAG_LEN).ok()?;
        let [.., low_epoch] = number.epoch.to_be_bytes();
        let [.., seq_high, seq_low] = number.sequence.to_be_bytes();
        let [len_high, len_low] = len.to_be_bytes();
        *header = [FIXED | LONG_NUMBER | LENGTH | low_epoch & EPOCH, seq_high, seq_low, len_high, len_low];
        let tag = self.aead.seal(number.sequence.to_be_bytes(), header, plaintext)?;
        out.extend_from_slice(&tag);
        let (header, ciphertext) = out.get_mut(start..)?.split_first_chunk_mut::<HEADER_LEN>()?;
        let mask = self.mask.of(ciphertext.first_chunk::<SAMPLE_LEN>()?);
        header.iter_mut().skip(1).zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        Some(())
    }
}

/// A record that was cut off a datagram, with its header.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    bytes: &'a mut [u8],
    number_len: usize,
    header_len: usize,
}

impl Record<'_> {
    const fn epoch_bits(&self) -> u8 {
        match &*self.bytes {
            [first, ..] => *first & EPOCH,
            [] => 0,
        }
    }
}

/// Cuts the next record off the front of a datagram; the datagram is over where that is not known.
pub(crate) fn split<'a>(datagram: &mut &'a mut [u8]) -> Result<Record<'a>, Discard> {
    let taken = std::mem::take(datagram);
    let first = *taken.first().ok_or(Discard::Malformed)?;
    // A connection id that was not negotiated has no length.
    if !is_unified(first) || first & CONNECTION_ID != 0 {
        return Err(Discard::Malformed);
    }
    let number_len = if first & LONG_NUMBER == 0 { 1 } else { 2 };
    let has_length = first & LENGTH != 0;
    let header_len = 1 + number_len + if has_length { 2 } else { 0 };
    let len = match taken.get(1 + number_len..header_len).ok_or(Discard::Malformed)? {
        [high, low] => header_len + usize::from(u16::from_be_bytes([*high, *low])),
        _ => taken.len(),
    };
    let (bytes, rest) = taken.split_at_mut_checked(len).ok_or(Discard::Malformed)?;
    *datagram = rest;
    // RFC 9147 §4.2.3: "This procedure requires the ciphertext length to be at least 16 bytes. Receivers MUST reject shorter
    // records as if they had failed deprotection"
    let ciphertext_len = len - header_len;
    if !(TAG_LEN + CONTENT_TYPE_LEN..=CIPHERTEXT_LEN_MAX).contains(&ciphertext_len) {
        return Err(Discard::Malformed);
    }
    Ok(Record { bytes, number_len, header_len })
}

/// What was in a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened<'a> {
    /// None if it is of no type that there is, or of none.
    pub(crate) content_type: Option<ContentType>,
    pub(crate) number: RecordNumber,
    pub(crate) text: &'a [u8],
}

/// What we read in one epoch.
pub(crate) struct Reader {
    epoch: u16,
    keys: Keys,
    seen: ReplayWindow,
    forgeries: u64,
}

impl Reader {
    pub(crate) fn new(epoch: u16, keys: Keys) -> Self {
        Self { epoch, keys, seen: ReplayWindow::default(), forgeries: 0 }
    }

    /// Decrypts a record where it lies.
    fn open<'a>(&mut self, record: Record<'a>) -> Result<Opened<'a>, Discard> {
        let Record { bytes, number_len, header_len } = record;
        let (header, ciphertext) = bytes.split_at_mut_checked(header_len).ok_or(Discard::Malformed)?;
        let mask = self.keys.mask.of(ciphertext.first_chunk::<SAMPLE_LEN>().ok_or(Discard::Malformed)?);
        let mut low = 0;
        for (byte, mask) in header.iter_mut().skip(1).take(number_len).zip(mask) {
            *byte ^= mask;
            low = low << 8 | u64::from(*byte);
        }
        let expected = self.seen.highest().map_or(0, |highest| highest.saturating_add(1));
        let sequence = nearest(expected, low, if number_len == 1 { 8 } else { 16 });
        let (sealed, tag) = ciphertext.split_last_chunk_mut::<TAG_LEN>().ok_or(Discard::Malformed)?;
        if !self.keys.aead.open(sequence.to_be_bytes(), header, sealed, tag) {
            self.forgeries = self.forgeries.saturating_add(1);
            return Err(Discard::NotAuthentic);
        }
        // RFC 9147 §4.5.1: "This check SHOULD happen after deprotecting the record; otherwise, the record discard might itself
        // serve as a timing channel for the record number."
        match self.seen.check(sequence) {
            Replay::Fresh => {}
            Replay::Duplicate | Replay::TooOld => return Err(Discard::Replayed),
        }
        // RFC 9147 §4.5.1: "The window MUST NOT be updated due to a received record until that record has been deprotected
        // successfully."
        self.seen.accept(sequence);
        // RFC 8446 §5.4: "the receiving implementation scans the field from the end toward the beginning until it finds a
        // non-zero octet. This non-zero octet is the content type of the message."
        let end = sealed.iter().rposition(|byte| *byte != 0).unwrap_or_default();
        let (text, rest) = sealed.split_at_checked(end).ok_or(Discard::Malformed)?;
        let content_type = rest.first().and_then(|byte| ContentType::from_wire(*byte));
        Ok(Opened { content_type, number: RecordNumber { epoch: self.epoch, sequence }, text })
    }
}

/// RFC 9147 §4.2.2: "computing the full sequence number which is numerically closest to one plus the sequence number of the
/// highest successfully deprotected record in the current epoch", of which the lowest `bits` are known.
const fn nearest(expected: u64, low: u64, bits: u32) -> u64 {
    let size = 1 << bits;
    let near = expected & !(size - 1) | low;
    if near > expected + size / 2 && near >= size {
        near - size
    } else if near + size / 2 < expected && near + size <= RecordNumber::SEQUENCE_MAX {
        near + size
    } else {
        near
    }
}

/// What we read in: the current epoch, and the one before it for what is late.
#[derive(Default)]
pub(crate) struct Readers {
    /// One or two, in their order.
    readers: Vec<Reader>,
    /// Since when there are two.
    since: Option<Instant>,
}

impl Readers {
    pub(crate) fn push(&mut self, reader: Reader) {
        self.readers.push(reader);
        let superfluous = self.readers.len().saturating_sub(2);
        self.readers.drain(..superfluous);
        self.since = None;
    }

    /// The current epoch; 0 before there is one.
    pub(crate) fn epoch(&self) -> u16 {
        self.readers.last().map_or(0, |reader| reader.epoch)
    }

    /// The key is decided before the record is opened: a failed attempt destroys it.
    pub(crate) fn open<'a>(&mut self, record: Record<'a>) -> Result<Opened<'a>, Discard> {
        let bits = record.epoch_bits();
        // RFC 9147 §4.2.2: "implementations SHOULD use the most recent past epoch which has matching bits"
        let reader = self.readers.iter_mut().rfind(|reader| reader.epoch & u16::from(EPOCH) == u16::from(bits));
        reader.ok_or(Discard::UnknownEpoch)?.open(record)
    }

    /// Forgets the epoch before the current one when nothing of it can be on its way any more.
    ///
    /// RFC 9147 §8: "receivers MUST retain the pre-update keying material until receipt and successful decryption of a message
    /// using the new keys."
    pub(crate) fn age(&mut self, now: Instant) {
        let is_in_use = self.readers.last().is_some_and(|reader| reader.seen.highest().is_some());
        if self.readers.len() > 1 && is_in_use {
            let since = *self.since.get_or_insert(now);
            if now.saturating_duration_since(since) > RETENTION {
                self.readers.remove(0);
                self.since = None;
            }
        }
    }

    /// Whether anything of the peer was read.
    pub(crate) fn has_opened(&self) -> bool {
        self.readers.iter().any(|reader| reader.seen.highest().is_some())
    }

    /// Whether so much was forged that the next forgery might succeed.
    pub(crate) fn is_worn(&self) -> bool {
        self.readers.iter().any(|reader| reader.forgeries > FORGERIES_MAX)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// As if all before this number had come.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, sequence: u64) {
        self.readers.iter_mut().for_each(|reader| reader.seen.accept(sequence - 1));
    }

    #[cfg(test)]
    pub(crate) fn set_forgeries(&mut self, forgeries: u64) {
        self.readers.iter_mut().for_each(|reader| reader.forgeries = forgeries);
    }
}

#[cfg(test)]
mod tests;
