//! ACKs (RFC 9147 §7): which records of the peer's flight have come, and when it is told.
//!
//! ```text
//!              received, some time ago     written
//!   Idle ─► Delayed ─────────────► Owed ─────────► Idle
//!     │        received, and nothing will answer it   ▲
//!     └────────────────────────────► Owed ────────────┘
//! ```

use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;
use crate::record::ContentType;
use crate::record::epoch::WriteEpoch;
use crate::record::plaintext::RecordNumber;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// Of how many records that are to be told it is remembered that they came, the latest of them: a flight is a few, and more only
/// on paths for almost nothing.
const RECORDS_MAX: usize = 128;
/// How many are told at first, the latest, as BoringSSL does and its suite expects; and how many of those that were told may be
/// told again.
const TOLD_MAX: usize = 32;
/// Epoch and sequence number, of 64 bits each.
const RECORD_NUMBER_LEN: usize = 16;

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Delayed(Timer),
    Owed,
}

#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// What came, and was not told yet.
    untold: BTreeSet<RecordNumber>,
    /// The latest of what was: an acknowledgement may be lost.
    told: BTreeSet<RecordNumber>,
    /// In which epoch the peer has sent something again.
    repeated: Option<u16>,
    state: State,
}

impl Acks {
    /// What the records cost that are remembered.
    pub(crate) const HELD_LEN_MAX: usize = (RECORDS_MAX + TOLD_MAX) * size_of::<RecordNumber>();

    /// A record of the current flight came. It is to be [forgotten](Self::forget) if anything in it was not taken.
    pub(crate) fn received(&mut self, number: RecordNumber) {
        self.untold.insert(number);
        if self.untold.len() > RECORDS_MAX {
            self.untold.pop_first();
        }
    }

    /// RFC 9147 §7: "Implementations MUST NOT acknowledge records containing handshake messages or fragments which have not
    /// been processed or buffered. Otherwise, deadlock can ensue."
    pub(crate) fn forget(&mut self, number: RecordNumber) {
        self.untold.remove(&number);
    }

    /// Whether this record is among those that would be acknowledged now.
    pub(crate) fn has(&self, number: RecordNumber) -> bool {
        self.untold.contains(&number)
    }

    /// Whether there is anything to acknowledge.
    pub(crate) fn has_any(&self) -> bool {
        !self.untold.is_empty() || !self.told.is_empty()
    }

    /// The peer has sent again what had come: it has not been told, or not of all, and is told of all of that epoch, in as many
    /// acknowledgements as that takes.
    pub(crate) const fn repeated(&mut self, epoch: u16) {
        self.repeated = Some(epoch);
    }

    /// A part of a flight came; the rest, or our answer to it, makes it superfluous to say so.
    ///
    /// RFC 9147 §7.1: "One approach is to set a timer for 1/4 the current retransmit timer value when the first record in the
    /// flight is received and then send an ACK when that timer expires."
    pub(crate) fn delay(&mut self, now: Instant, period: Duration) {
        match self.state {
            State::Idle => self.state = State::Delayed(Timer::after(now, period / 4)),
            State::Delayed(_) | State::Owed => {}
        }
    }

    /// The period of which a quarter is waited is another one.
    pub(crate) fn rescale(&mut self, before: Duration, period: Duration) {
        if let State::Delayed(timer) = &mut self.state {
            *timer = timer.rescaled(before / 4, period / 4);
        }
    }

    /// Nothing else will tell the peer.
    pub(crate) fn owe(&mut self) {
        self.state = State::Owed;
    }

    /// What came is answered by the next flight.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) const fn is_owed(&self) -> bool {
        matches!(self.state, State::Owed)
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Delayed(timer) => timer.deadline(),
            State::Idle | State::Owed => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Delayed(timer) => {
                if timer.expire(now) {
                    self.owe();
                }
            }
            State::Idle | State::Owed => {}
        }
    }

    pub(crate) fn held_len(&self) -> usize {
        (self.untold.len() + self.told.len()) * size_of::<RecordNumber>()
    }

    /// Appends a record that acknowledges as many as fit in `limit`, the latest.
    pub(crate) fn write(&mut self, epoch: &mut WriteEpoch, limit: usize, out: &mut Vec<u8>) -> bool {
        let mut chosen = BTreeSet::new();
        let has_written = self.is_owed()
            && epoch.append(ContentType::Ack, limit, out, |room, out| {
                chosen = self.choose(room.saturating_sub(2) / RECORD_NUMBER_LEN);
                put_vec(out, Length::U16, |out| chosen.iter().for_each(|number| put(*number, out)));
                !chosen.is_empty() || !self.has_any() && room >= 2
            });
        if has_written {
            self.wrote(chosen);
        }
        has_written
    }

    /// At most `n` of those that came, in their order.
    ///
    /// RFC 9147 §7.1: "if space is limited, implementations SHOULD favor including records which have not yet been
    /// acknowledged."
    fn choose(&self, n: usize) -> BTreeSet<RecordNumber> {
        let mut chosen: BTreeSet<_> = self.wanted().rev().take(n).copied().collect();
        let mut others: BTreeSet<_> =
            self.untold.union(&self.told).filter(|number| !chosen.contains(number)).copied().collect();
        while others.len() > n.min(TOLD_MAX).saturating_sub(chosen.len()) {
            others.pop_first();
        }
        chosen.append(&mut others);
        chosen
    }

    /// What the peer has to be told, lest it repeat itself once more.
    fn wanted(&self) -> impl DoubleEndedIterator<Item = &RecordNumber> {
        self.untold.iter().filter(|number| Some(number.epoch) == self.repeated)
    }

    fn wrote(&mut self, chosen: BTreeSet<RecordNumber>) {
        for number in chosen {
            self.untold.remove(&number);
            self.told.insert(number);
        }
        while self.told.len() > TOLD_MAX {
            self.told.pop_first();
        }
        self.state = if self.wanted().next().is_some() { State::Owed } else { State::Idle };
        if !self.is_owed() {
            self.repeated = None;
        }
    }
}

fn put(number: RecordNumber, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::from(number.epoch).to_be_bytes());
    out.extend_from_slice(&number.sequence.to_be_bytes());
}

/// The records that the peer has got. Of epochs that we never reach there is none.
pub(crate) fn decode(body: &[u8]) -> Result<impl Iterator<Item = RecordNumber>, DecodeError> {
    let mut reader = Reader::new(body);
    let numbers = reader.vec16()?;
    reader.end()?;
    let (numbers, []) = numbers.as_chunks::<RECORD_NUMBER_LEN>() else { return Err(DecodeError) };
    Ok(numbers.iter().filter_map(|bytes| {
        let mut reader = Reader::new(bytes);
        let (epoch, sequence) = (reader.array().ok()?, reader.array().ok()?);
        Some(RecordNumber { epoch: u64::from_be_bytes(epoch).try_into().ok()?, sequence: u64::from_be_bytes(sequence) })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn number(epoch: u16, sequence: u64) -> RecordNumber {
        RecordNumber { epoch, sequence }
    }

    fn written(acks: &mut Acks, limit: usize) -> Option<Vec<RecordNumber>> {
        let mut out = Vec::new();
        // In epoch 0 one can see what is written.
        let has_written = acks.write(&mut WriteEpoch::plaintext(), limit, &mut out);
        has_written.then(|| decode(&out[13..]).unwrap().collect())
    }

    #[test]
    fn what_came_is_told_in_its_order_the_latest_if_there_is_no_room() {
        let mut acks = Acks::default();
        for received in [number(2, 1), number(0, 0), number(2, 0), number(2, 1)] {
            acks.received(received);
        }
        assert_eq!(written(&mut acks, 1200), None, "it is not owed");
        acks.owe();
        assert_eq!(written(&mut acks, 13 + 2 + 15), None);
        assert_eq!(written(&mut acks, 13 + 2 + 47), Some(vec![number(2, 0), number(2, 1)]));
        acks.owe();
        assert_eq!(written(&mut acks, 1200), Some(vec![number(0, 0), number(2, 0), number(2, 1)]));
        acks.received(number(2, 2));
        acks.received(number(2, 3));
        acks.forget(number(2, 2));
        acks.owe();
        let rest = [number(2, 0), number(2, 1), number(2, 3)];
        assert_eq!(written(&mut acks, 1200), Some([&[number(0, 0)], &rest[..]].concat()));
    }

    fn numbers(range: std::ops::Range<u64>) -> Option<Vec<RecordNumber>> {
        Some(range.map(|n| number(2, n)).collect())
    }

    #[test]
    fn the_last_32_are_told() {
        let mut acks = Acks::default();
        (0..1000).for_each(|n| acks.received(number(2, n)));
        acks.owe();
        assert_eq!(written(&mut acks, 1200), numbers(968..1000));
        assert_eq!(written(&mut acks, 1200), None);
        acks.received(number(2, 1000));
        acks.owe();
        assert_eq!(written(&mut acks, 1200), numbers(969..1001));
        assert!(acks.held_len() <= Acks::HELD_LEN_MAX);
    }

    #[test]
    fn a_peer_that_repeats_itself_is_told_of_the_last_128() {
        let mut acks = Acks::default();
        (0..1000).for_each(|n| acks.received(number(2, n)));
        acks.repeated(2);
        acks.owe();
        assert_eq!(written(&mut acks, 1200), numbers(926..1000), "as many as fit");
        assert_eq!(written(&mut acks, 1200), numbers(872..926), "and the others");
        assert_eq!(written(&mut acks, 1200), None);
        acks.received(number(2, 1000));
        acks.owe();
        assert_eq!(written(&mut acks, 1200), numbers(969..1001), "and what it may not know of, but not for ever");
        assert!(acks.held_len() <= Acks::HELD_LEN_MAX);
    }

    #[test]
    fn a_quarter_of_the_period_passes_first() {
        let (mut acks, now) = (Acks::default(), wigwag_sim::origin());
        acks.received(number(2, 0));
        acks.delay(now, Duration::from_millis(400));
        acks.delay(now + Duration::from_millis(50), Duration::from_millis(400));
        assert_eq!(acks.deadline(), Some(now + Duration::from_millis(100)));
        acks.handle_timeout(now + Duration::from_millis(99));
        assert!(!acks.is_owed());
        acks.handle_timeout(now + Duration::from_millis(100));
        assert!(acks.is_owed() && acks.deadline().is_none());
        acks.clear();
        assert!(!acks.is_owed());
    }

    #[test]
    fn what_is_cut_or_longer_does_not_decode_and_other_epochs_are_left_out() {
        let entry = [&2u64.to_be_bytes()[..], &7u64.to_be_bytes()].concat();
        let far = [&0x1_0002u64.to_be_bytes()[..], &7u64.to_be_bytes()].concat();
        let body = [&[0, 32][..], &far, &entry].concat();
        assert_eq!(decode(&body).unwrap().collect::<Vec<_>>(), [number(2, 7)]);
        for len in 0..body.len() {
            assert!(decode(&body[..len]).is_err());
        }
        assert!(decode(&[&body[..], &[0]].concat()).is_err());
        assert!(decode(&[&[0, 31][..], &[0; 31]].concat()).is_err());
    }
}
