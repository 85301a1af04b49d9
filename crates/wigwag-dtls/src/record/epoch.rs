//! The keys and sequence numbers of one epoch and direction (RFC 6347 §4.1.2, RFC 5288 §3, RFC 9147 §4.2).

use super::plaintext::{HEADER_LEN, Header, NUMBER_LEN, RecordNumber};
use super::{CIPHERTEXT_LEN_MAX, ContentType, Discard, FORGERIES_MAX, PLAINTEXT_LEN_MAX, unified};
use crate::Version;
use crate::crypto::aead::{Aead, EXPLICIT_NONCE_LEN, TAG_LEN};
use wigwag_sansio::{Replay, ReplayWindow};

const _: () = assert!(EXPLICIT_NONCE_LEN == NUMBER_LEN, "the explicit nonce is the record's number");

/// The version that every server takes in the first record, whatever it speaks.
const DTLS_1_0: u16 = 0xFEFF;
/// RFC 8446 §5.5: "up to 2^24.5 full-size records (about 24 million) may be encrypted on a given connection".
const AES_GCM_RECORDS_MAX: u64 = 23_726_566;
/// What AES-GCM and this limit are about are blocks; in a full-size record there are so many, with those for what is
/// authenticated besides (the header, and the lengths of both).
const RECORD_BLOCKS_MAX: u64 = blocks(PLAINTEXT_LEN_MAX);

const fn blocks(len: usize) -> u64 {
    len.div_ceil(16) as u64 + 2
}

/// What we write in one epoch.
pub(crate) struct WriteEpoch {
    epoch: u16,
    sequence: u64,
    /// What was sealed.
    blocks: u64,
    protection: Protection,
    /// Of records without protection, and of those of 1.2.
    version: u16,
}

enum Protection {
    /// Of epoch 0, in both versions.
    None,
    Dtls12(Aead),
    Dtls13(Box<unified::Keys>),
}

impl WriteEpoch {
    pub(crate) const fn plaintext() -> Self {
        Self::new(0, Protection::None)
    }

    /// What a client writes in epoch 0 until the version is [settled](Self::settle_version).
    ///
    /// RFC 9147 §4: "This value MUST be set to {254, 253} for all records other than the initial ClientHello (i.e., one not
    /// generated after a HelloRetryRequest), where it may also be {254, 255} for compatibility purposes."
    pub(crate) const fn first_flight() -> Self {
        Self { epoch: 0, sequence: 0, blocks: 0, protection: Protection::None, version: DTLS_1_0 }
    }

    const fn new(epoch: u16, protection: Protection) -> Self {
        Self { epoch, sequence: 0, blocks: 0, protection, version: Version::Dtls12.wire() }
    }

    /// The server has chosen a version.
    pub(crate) const fn settle_version(&mut self) {
        self.version = Version::Dtls12.wire();
    }

    pub(crate) const fn protected(epoch: u16, aead: Aead) -> Self {
        Self::new(epoch, Protection::Dtls12(aead))
    }

    pub(crate) fn dtls13(epoch: u16, keys: unified::Keys) -> Self {
        Self::new(epoch, Protection::Dtls13(Box::new(keys)))
    }

    /// Whether several messages go into a record, which saves what a record costs: where nobody but the peer reads them.
    pub(crate) const fn packs(&self) -> bool {
        matches!(self.protection, Protection::Dtls13(_))
    }

    /// The number of the next record.
    pub(crate) const fn next_number(&self) -> RecordNumber {
        RecordNumber { epoch: self.epoch, sequence: self.sequence }
    }

    pub(crate) const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// Whether a record was written.
    pub(crate) const fn is_used(&self) -> bool {
        self.sequence > 0
    }

    /// How many records can still be written, whatever is in them.
    pub(crate) fn left(&self) -> u64 {
        self.numbers_left().min(self.key_lasts())
    }

    /// How many numbers are left.
    pub(crate) const fn numbers_left(&self) -> u64 {
        (RecordNumber::SEQUENCE_MAX + 1).saturating_sub(self.sequence)
    }

    /// How many records the key may still protect.
    ///
    /// RFC 9147 §4.5.3: "Section 5.5 of [TLS13] defines limits on the number of records that can be protected using the same
    /// keys. … Implementations SHOULD NOT protect more records than allowed by the limit specified for the negotiated AEAD."
    ///
    /// In 1.3, where new keys are to be had, records are counted. In 1.2, where they are not, it is what is in them that counts:
    /// those of WebRTC are a twelfth of full size, and 28 GB of them would be the end.
    const fn key_lasts(&self) -> u64 {
        match &self.protection {
            Protection::Dtls13(keys) if keys.aead.is_aes_gcm() => AES_GCM_RECORDS_MAX.saturating_sub(self.sequence),
            Protection::Dtls12(aead) if aead.is_aes_gcm() => {
                AES_GCM_RECORDS_MAX.saturating_sub(self.blocks.div_ceil(RECORD_BLOCKS_MAX))
            }
            Protection::None | Protection::Dtls12(_) | Protection::Dtls13(_) => u64::MAX,
        }
    }

    /// Whether it is time for new keys.
    ///
    /// RFC 9147 §4.5.3: "Implementations SHOULD initiate a key update before reaching this limit."
    pub(crate) fn is_worn(&self) -> bool {
        self.sequence >= self.left()
    }

    /// What a record adds to what it carries, in bytes.
    pub(crate) const fn overhead(&self) -> usize {
        match &self.protection {
            Protection::None => HEADER_LEN,
            Protection::Dtls12(aead) => HEADER_LEN + aead.explicit_nonce_len() + TAG_LEN,
            Protection::Dtls13(_) => unified::HEADER_LEN + unified::CONTENT_TYPE_LEN + TAG_LEN,
        }
    }

    /// What comes before the content.
    const fn prefix_len(&self) -> usize {
        match &self.protection {
            Protection::None => HEADER_LEN,
            Protection::Dtls12(aead) => HEADER_LEN + aead.explicit_nonce_len(),
            Protection::Dtls13(_) => unified::HEADER_LEN,
        }
    }

    /// Appends a record around what `write` appends, sealed where it lies; or nothing, if `write` says `false`. The
    /// sequence number is spent on success only, and never twice.
    pub(crate) fn append(
        &mut self,
        content_type: ContentType,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
    ) -> bool {
        let Some(room) = limit.checked_sub(self.overhead()) else { return false };
        if self.left() == 0 {
            return false;
        }
        let (start, room) = (out.len(), room.min(PLAINTEXT_LEN_MAX));
        let body = start + self.prefix_len();
        out.resize(body, 0);
        let has_written = write(room, out);
        let len = out.len().saturating_sub(body);
        // Application data are written by others.
        let is_ours = content_type != ContentType::ApplicationData;
        debug_assert!(!is_ours || !has_written || len <= room, "write keeps to its limit");
        if !has_written || len > room || self.seal(content_type, start, body, out).is_none() {
            out.truncate(start);
            return false;
        }
        self.sequence += 1;
        self.blocks = self.blocks.saturating_add(blocks(len));
        true
    }

    /// Seals what lies in `out` from `body` on, and fills in what comes before it from `start` on.
    fn seal(&self, content_type: ContentType, start: usize, body: usize, out: &mut Vec<u8>) -> Option<()> {
        let number = self.next_number();
        let header = Header { content_type, version: self.version, number };
        if let Protection::Dtls13(keys) = &self.protection {
            return keys.seal(content_type, number, start, out);
        }
        if let Protection::Dtls12(aead) = &self.protection {
            let plaintext = out.get_mut(body..)?;
            let additional_data = header.additional_data(u16::try_from(plaintext.len()).ok()?);
            // The number is what is unique, whether it is sent once more or not.
            // RFC 5288 §3: "Each value of the nonce_explicit MUST be distinct for each distinct invocation of the GCM
            // encrypt function for any fixed key. … The nonce_explicit MAY be the 64-bit sequence number."
            let tag = aead.seal(number.to_bytes(), &additional_data, plaintext)?;
            out.extend_from_slice(&tag);
        }
        let record_len = out.len().checked_sub(start + HEADER_LEN)?;
        let header = header.encode(u16::try_from(record_len).ok()?);
        let before = out.get_mut(start..body)?;
        before.iter_mut().zip(header.into_iter().chain(number.to_bytes())).for_each(|(to, from)| *to = from);
        Some(())
    }

    /// Goes on with this number in epoch 0, where no nonce can be used twice.
    pub(crate) const fn resume(&mut self, sequence: u64) {
        debug_assert!(matches!(self.protection, Protection::None));
        if let Protection::None = self.protection {
            self.sequence = sequence;
        }
    }

    /// A record of any length.
    #[cfg(test)]
    pub(crate) fn forge(&mut self, content_type: ContentType, body: &[u8]) -> Vec<u8> {
        let start = self.prefix_len();
        let mut out = [&vec![0; start][..], body].concat();
        self.seal(content_type, 0, start, &mut out).unwrap();
        self.sequence += 1;
        out
    }

    #[cfg(test)]
    pub(crate) const fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// As if nothing but so many records of full size were left to its key.
    #[cfg(test)]
    pub(crate) const fn wear(&mut self, left: u64) {
        self.blocks = (AES_GCM_RECORDS_MAX - left) * RECORD_BLOCKS_MAX;
    }
}

/// What we read in one epoch.
pub(crate) struct ReadEpoch {
    epoch: u16,
    aead: Aead,
    seen: ReplayWindow,
    forgeries: u64,
}

impl ReadEpoch {
    pub(crate) fn protected(epoch: u16, aead: Aead) -> Self {
        Self { epoch, aead, seen: ReplayWindow::default(), forgeries: 0 }
    }

    pub(crate) const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// Decrypts a record where it lies.
    pub(crate) fn open<'a>(&mut self, header: &Header, body: &'a mut [u8]) -> Result<&'a mut [u8], Discard> {
        let record_len = body.len();
        let (explicit, rest) = body.split_at_mut_checked(self.aead.explicit_nonce_len()).ok_or(Discard::Malformed)?;
        let unique = explicit.first_chunk().copied().unwrap_or(header.number.to_bytes());
        let (sealed, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(Discard::Malformed)?;
        // Whether it is longer than records may be, is looked at when it is known whose it is.
        let len = u16::try_from(sealed.len()).ok().filter(|_| record_len <= CIPHERTEXT_LEN_MAX);
        let additional_data = header.additional_data(len.ok_or(Discard::Malformed)?);
        match self.seen.check(header.number.sequence) {
            Replay::Fresh => {}
            Replay::Duplicate | Replay::TooOld => return Err(Discard::Replayed),
        }
        if !self.aead.open(unique, &additional_data, sealed, tag) {
            self.forgeries = self.forgeries.saturating_add(1);
            return Err(Discard::NotAuthentic);
        }
        // RFC 6347 §4.1.2.6: "The receive window is updated only if the MAC verification succeeds."
        self.seen.accept(header.number.sequence);
        Ok(sealed)
    }

    /// Whether so much was forged that the next forgery might succeed.
    pub(crate) const fn is_worn(&self) -> bool {
        self.forgeries > FORGERIES_MAX
    }

    #[cfg(test)]
    pub(crate) const fn set_forgeries(&mut self, forgeries: u64) {
        self.forgeries = forgeries;
    }
}

#[cfg(test)]
mod tests {
    use super::super::plaintext;
    use super::*;
    use crate::CipherSuite;
    use std::collections::BTreeSet;

    fn pair() -> (WriteEpoch, ReadEpoch) {
        pair_of(CipherSuite::EcdheEcdsaAes128GcmSha256)
    }

    fn pair_of(suite: CipherSuite) -> (WriteEpoch, ReadEpoch) {
        let aead = || Aead::new(suite, &vec![7; suite.key_len()], &vec![1; suite.iv_len()]).unwrap();
        (WriteEpoch::protected(1, aead()), ReadEpoch::protected(1, aead()))
    }

    fn record(write: &mut WriteEpoch, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(write.append(ContentType::ApplicationData, 1200, &mut out, |_, out| {
            out.extend_from_slice(text);
            true
        }));
        out
    }

    fn open(read: &mut ReadEpoch, record: &[u8]) -> Result<Vec<u8>, Discard> {
        let mut bytes = record.to_vec();
        let (header, body) = plaintext::split(&mut &mut bytes[..])?;
        read.open(&header, body).map(|text| text.to_vec())
    }

    #[test]
    fn what_is_sealed_is_opened_once() {
        for suite in CipherSuite::ALL {
            let (mut write, mut read) = pair_of(*suite);
            for text in [&b"hello"[..], b"", b"again"] {
                let record = record(&mut write, text);
                assert_eq!(record.len(), text.len() + write.overhead());
                assert_eq!(open(&mut read, &record), Ok(text.to_vec()));
                assert_eq!(open(&mut read, &record), Err(Discard::Replayed));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_changes_nothing() {
        for suite in CipherSuite::ALL {
            let (mut write, mut read) = pair_of(*suite);
            let record = record(&mut write, b"hello");
            for bit in 0..record.len() * 8 {
                let mut forged = record.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&mut read, &forged).is_err(), "bit {bit}");
            }
            assert_eq!(open(&mut read, &record), Ok(b"hello".to_vec()));
        }
    }

    #[test]
    fn a_forged_record_far_ahead_does_not_move_the_window() {
        let (mut write, mut read) = pair();
        let [first, next] = [b"1", b"2"].map(|text| record(&mut write, text));
        assert!(open(&mut read, &first).is_ok());
        let mut forged = next.clone();
        forged[5..11].copy_from_slice(&[0xFF; 6]);
        assert_eq!(open(&mut read, &forged), Err(Discard::NotAuthentic));
        assert_eq!(open(&mut read, &next), Ok(b"2".to_vec()));
    }

    #[test]
    fn no_nonce_is_used_twice_and_none_for_what_was_not_written() {
        let (mut write, _) = pair();
        let mut nonces = BTreeSet::new();
        let mut out = Vec::new();
        for n in 0..2000u32 {
            assert!(!write.append(ContentType::Handshake, 1200, &mut out, |_, _| false));
            assert!(!write.append(ContentType::Handshake, 10, &mut out, |_, _| true));
            assert!(out.is_empty());
            let record = record(&mut write, &n.to_be_bytes());
            assert_eq!(record[13..21], record[3..11], "epoch and sequence number");
            assert!(nonces.insert(record[13..21].to_vec()));
        }
        assert_eq!(nonces.last().unwrap()[..], [0, 1, 0, 0, 0, 0, 0x07, 0xCF]);
    }

    /// 2^24.5 records of 2^14 bytes are 2^34.5 blocks; two of each record are for what is authenticated besides.
    #[test]
    fn a_key_of_aes_gcm_in_1_2_lasts_for_so_many_blocks_and_in_1_3_for_so_many_records() {
        assert_eq!((AES_GCM_RECORDS_MAX, RECORD_BLOCKS_MAX), (23_726_566, 1026));
        for suite in CipherSuite::ALL {
            let (mut write, _) = pair_of(*suite);
            let is_aes = suite.to_string().contains("AES");
            write.wear(2);
            assert_eq!(write.left(), if is_aes { 2 } else { 1 << 48 });
            // A record of 1200 bytes is 77 blocks.
            let n = RECORD_BLOCKS_MAX / 77;
            for _ in 0..n {
                assert!(write.append(ContentType::ApplicationData, 13 + 8 + 1200 + 16, &mut Vec::new(), |_, out| {
                    out.resize(out.len() + 1200, 7);
                    true
                }));
            }
            assert_eq!(write.left(), if is_aes { 1 } else { (1 << 48) - n });
            write.wear(0);
            let has_written = write.append(ContentType::ApplicationData, 1200, &mut Vec::new(), |_, _| true);
            assert_eq!(has_written, !is_aes, "{suite}");
        }
    }

    #[test]
    fn the_last_sequence_number_is_the_last() {
        let (mut write, mut read) = pair();
        write.set_sequence(RecordNumber::SEQUENCE_MAX);
        let last = record(&mut write, b"last");
        assert_eq!(last[3..11], [0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(open(&mut read, &last), Ok(b"last".to_vec()));
        assert!(!write.append(ContentType::ApplicationData, 1200, &mut Vec::new(), |_, _| true));
    }
}
