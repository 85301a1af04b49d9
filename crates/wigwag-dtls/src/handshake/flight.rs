//! Our side of a flight: what is owed, when it is owed again (RFC 6347 §4.2.4, RFC 9147 §5.8).
//!
//! ```text
//!            push                all written               the answer comes
//!   Idle ───────────► Sending ───────────────► Waiting ───────────────────────► Idle, or the next flight
//!                        ▲                        │ │
//!                        └────────────────────────┘ └──────► Acknowledged: nothing is repeated any more, but no answer yet
//!                                 timer expires, or the peer repeats its flight
//! ```
//! The last flight of a handshake of 1.2 waits for no answer, so it has no timer, and is repeated only when the peer repeats
//! its own: `Kept`. In 1.3 records are acknowledged, and only what was not is sent again.

use super::fragment::HEADER_LEN;
use super::ranges::Ranges;
use crate::config::{Retransmission, TIMEOUT_MIN};
use crate::record::ContentType;
use crate::record::epoch::WriteEpoch;
use crate::record::plaintext::RecordNumber;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};
use wigwag_sansio::{Backoff, Timer};

/// A fragment smaller than this is not worth the headers of its record and its own, if there can be a larger one in the next
/// datagram. Where several share a record, every byte is.
const FRAGMENT_LEN_MIN: usize = 64;

// RFC 6347 §4.1.1.1: "If repeated retransmissions do not result in a response, and the PMTU is unknown, subsequent
// retransmissions SHOULD back off to a smaller record size, fragmenting the handshake message as appropriate."
const SMALLER_AFTER: u32 = 3;
/// After how many retransmissions in vain an acknowledgement that anybody can have sent counts no longer.
const DOUBT_AFTER: u32 = 3;
/// What part of our first waiting time a peer waits at least before it repeats itself. Ours may be longer than its.
const REPEAT_AFTER: u32 = 8;
/// What every path of IPv4 carries (RFC 1122 §3.3.3), less the headers of IP and UDP.
const SMALL_DATAGRAM_LEN: usize = 576 - 20 - 8;

/// Of how many records it is known what was in them; an acknowledgement of an older one is nothing. A flight is a few
/// records, and more only on paths for almost nothing.
const RECORDS_MAX: usize = 128;

#[derive(Debug)]
pub(crate) enum Content {
    /// A message with its header, as of one fragment.
    Handshake(Vec<u8>),
    ChangeCipherSpec,
}

#[derive(Debug)]
struct Item {
    epoch: u16,
    content: Content,
    /// What of the body the peer has.
    acknowledged: Ranges,
}

/// A part of the body of an item.
#[derive(Clone, Debug)]
struct Part {
    item: usize,
    range: Range<usize>,
}

#[derive(Debug)]
enum State {
    /// Nothing is owed, and no answer awaited.
    Idle,
    /// The bytes from `offset` of the body of item `next` are owed, and all that comes after them.
    Sending {
        next: usize,
        offset: usize,
    },
    Waiting {
        retransmit: Timer,
    },
    /// The peer has the flight, and its answer is on its way; or anybody has said so, and the flight is kept.
    Acknowledged {
        patience: Timer,
    },
    /// The last flight of 1.2.
    Kept,
}

/// What an expired timer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    None,
    Again,
    GaveUp,
}

#[derive(Debug)]
pub(crate) struct Flight {
    items: Vec<Item>,
    /// What was in the records that may still be acknowledged.
    records: BTreeMap<RecordNumber, Vec<Part>>,
    /// Whether records may be acknowledged: in 1.2 none is.
    has_acks: bool,
    state: State,
    is_last: bool,
    backoff: Backoff,
    limit: u32,
    patience: Duration,
    /// The same where anybody can have said that the peer has the flight: it is sent again then.
    doubtful_patience: Duration,
    /// Since the peer was heard of.
    retransmissions: u32,
    /// Since the timer last expired.
    has_repeated: bool,
    /// Whether all of it was sent once.
    is_sent: bool,
    /// When all of it, or of one before it, was last sent.
    sent_at: Option<Instant>,
    /// When an acknowledgement was last [doubted](Self::doubt_acknowledgements).
    doubted_at: Option<Instant>,
    repeat_after: Duration,
}

impl Flight {
    pub(crate) fn new(config: &Retransmission) -> Self {
        Self {
            items: Vec::new(),
            records: BTreeMap::new(),
            has_acks: true,
            state: State::Idle,
            is_last: false,
            backoff: Backoff::new(config.initial, config.max),
            limit: config.limit,
            patience: config.patience,
            doubtful_patience: config.doubtful_patience(),
            retransmissions: 0,
            has_repeated: false,
            is_sent: false,
            sent_at: None,
            doubted_at: None,
            repeat_after: config.initial / REPEAT_AFTER,
        }
    }

    /// Begins a new flight: the peer has answered the one before.
    pub(crate) fn begin(&mut self, is_last: bool) {
        self.clear();
        self.is_last = is_last;
        self.is_sent = false;
        self.retransmissions = 0;
        self.has_repeated = false;
        self.backoff.reset();
    }

    /// Adds to the flight, which is owed from now on.
    pub(crate) fn push(&mut self, epoch: u16, content: Content) {
        self.items.push(Item { epoch, content, acknowledged: Ranges::default() });
        match self.state {
            State::Sending { .. } => {}
            State::Idle | State::Waiting { .. } | State::Acknowledged { .. } | State::Kept => self.send(),
        }
    }

    /// The version is 1.2.
    pub(crate) fn become_dtls12(&mut self) {
        self.has_acks = false;
        self.records.clear();
    }

    /// Nothing is owed any more.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.records.clear();
        self.state = State::Idle;
    }

    /// The peer has got the last flight of 1.2.
    pub(crate) fn acknowledge(&mut self) {
        match self.state {
            State::Kept => self.clear(),
            State::Idle | State::Sending { .. } | State::Waiting { .. } | State::Acknowledged { .. } => {}
        }
    }

    /// The peer has got this record. Numbers of records that we never sent, or sent long ago, mean nothing.
    ///
    /// RFC 9147 §7.2: "When an implementation receives an ACK, it SHOULD record that the messages or message fragments sent in
    /// the records being ACKed were received and omit them from any future retransmissions."
    ///
    /// Says whether that is news.
    pub(crate) fn acknowledge_record(&mut self, number: RecordNumber) -> bool {
        let Some(parts) = self.records.remove(&number) else { return false };
        for part in parts {
            if let Some(item) = self.items.get_mut(part.item) {
                item.acknowledged.insert(part.range);
            }
        }
        true
    }

    /// Whether the peer has all of the flight, and there is one.
    pub(crate) fn is_acknowledged(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|item| item.gap(0).is_none())
    }

    /// RFC 9147 §7.2: "Once all the messages in a flight have been acknowledged, the implementation MUST cancel all
    /// retransmissions of that flight. … the receipt of any record responding to a given flight MUST be taken as an implicit
    /// acknowledgement for the entire flight to which it is responding."
    ///
    /// What is awaited now is the (rest of the) answer. If anybody can have said so, the flight is kept, and sent again when the
    /// peer repeats its own, or patience ends.
    pub(crate) fn await_answer(&mut self, now: Instant, is_authentic: bool) {
        match self.state {
            // Who says so again and again would put off for ever what was lost.
            State::Acknowledged { .. } if !is_authentic => {}
            State::Sending { .. } | State::Waiting { .. } | State::Acknowledged { .. } => {
                if is_authentic {
                    self.clear();
                }
                self.state = self.awaiting(now);
            }
            State::Idle | State::Kept => {}
        }
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        let records = self.records.len() * Self::RECORD_LEN;
        records + self.items.iter().map(|item| HEADER_LEN + item.body_len()).sum::<usize>()
    }

    /// What it costs to remember a record: those with more parts than two are few.
    const RECORD_LEN: usize = size_of::<RecordNumber>() + 2 * size_of::<Part>();
    /// The most that is held to remember records.
    pub(crate) const RECORDS_LEN_MAX: usize = RECORDS_MAX * Self::RECORD_LEN;

    pub(crate) const fn is_owed(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// Whether what is written in this epoch would overtake what leads to it, of which no copy has left yet.
    pub(crate) fn leads_to(&self, epoch: u16) -> bool {
        self.is_owed() && !self.is_sent && self.items.first().is_some_and(|item| item.epoch < epoch)
    }

    /// The last epoch that the peer can read, if that is less than we write in: what leads to later ones has not left yet. The last
    /// flight of 1.2 leads nowhere: its reader has the keys.
    pub(crate) fn readable(&self) -> Option<u16> {
        let State::Sending { next, .. } = self.state else { return None };
        self.items.get(next).filter(|_| !self.is_last && !self.is_sent).map(|item| item.epoch)
    }

    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { retransmit: timer } | State::Acknowledged { patience: timer } => timer.deadline(),
            State::Idle | State::Sending { .. } | State::Kept => None,
        }
    }

    /// Waits so long at first, and now for as long as it would have doubled to.
    pub(crate) fn set_initial(&mut self, initial: Duration) {
        let (before, initial) = (self.backoff.current(), initial.max(TIMEOUT_MIN));
        self.backoff.set_initial(initial);
        self.repeat_after = initial / REPEAT_AFTER;
        if let State::Waiting { retransmit } = &mut self.state {
            *retransmit = retransmit.rescaled(before, self.backoff.current());
        }
    }

    /// The epochs and messages of the flight.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<(u16, Vec<u8>)> {
        let message = |item: &Item| match &item.content {
            Content::Handshake(message) => Some((item.epoch, message.clone())),
            Content::ChangeCipherSpec => None,
        };
        self.items.iter().filter_map(message).collect()
    }

    /// How long an answer is awaited at present.
    pub(crate) fn period(&self) -> Duration {
        self.backoff.current()
    }

    /// A new message of the peer: it lives, and what is lost is asked for soon.
    pub(crate) fn progress(&mut self, now: Instant) {
        self.retransmissions = 0;
        self.backoff.reset();
        match &mut self.state {
            State::Waiting { retransmit } => *retransmit = Timer::after(now, self.backoff.current()),
            State::Acknowledged { .. } => self.state = self.awaiting(now),
            State::Idle | State::Sending { .. } | State::Kept => {}
        }
    }

    /// The peer sends, so it lives. Whether it has the flight is not known: only its keys, which are those of before, are.
    pub(crate) const fn hear(&mut self) {
        self.retransmissions = 0;
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Expiry {
        match &mut self.state {
            State::Waiting { retransmit } => {
                if !retransmit.expire(now) {
                    return Expiry::None;
                }
                if self.retransmissions >= DOUBT_AFTER {
                    self.doubt_acknowledgements();
                }
            }
            State::Acknowledged { patience } => {
                if !patience.expire(now) {
                    return Expiry::None;
                }
                self.doubt_acknowledgements();
            }
            State::Idle | State::Sending { .. } | State::Kept => return Expiry::None,
        }
        if self.retransmissions >= self.limit || self.items.is_empty() {
            self.clear();
            return Expiry::GaveUp;
        }
        self.retransmissions += 1;
        self.has_repeated = false;
        self.backoff.double();
        self.send();
        Expiry::Again
    }

    /// The peer repeats the flight that this one answers, so this one was lost. Says whether it is owed again.
    ///
    /// RFC 6347 §4.2.4: "The implementation receives a retransmitted flight from the peer: the implementation transitions to
    /// the SENDING state, where it retransmits the flight, resets the retransmit timer, and returns to the WAITING state."
    ///
    /// Before the handshake is complete, who repeats is not known, so it is done once a period of the timer at most. What
    /// comes again at once was repeated on its way, or by a peer that had not yet waited for us.
    pub(crate) fn repeat(&mut self, now: Instant) -> bool {
        let is_soon = |at: Option<Instant>| at.is_some_and(|at| now < at + self.repeat_after);
        // What was left out is asked for once at a time as well.
        let is_in_doubt = self.is_in_doubt() && !is_soon(self.doubted_at);
        let is_early = is_soon(self.sent_at) && !is_in_doubt;
        let may_repeat = match &self.state {
            State::Waiting { .. } => !is_early && !std::mem::replace(&mut self.has_repeated, true),
            State::Acknowledged { .. } => !is_early && !self.items.is_empty(),
            State::Kept => true,
            State::Idle | State::Sending { .. } => false,
        };
        if may_repeat {
            self.doubted_at = if is_in_doubt { Some(now) } else { self.doubted_at };
            self.doubt_acknowledgements();
            self.send();
        }
        may_repeat
    }

    /// Appends a datagram of at most `limit` bytes, with as much of the flight as fits; or nothing and says `false`.
    pub(crate) fn write(&mut self, now: Instant, limit: usize, epochs: &mut [WriteEpoch], out: &mut Vec<u8>) -> bool {
        let limit = if self.retransmissions >= SMALLER_AFTER { limit.min(SMALL_DATAGRAM_LEN) } else { limit };
        let State::Sending { mut next, mut offset } = self.state else { return false };
        let start = out.len();
        while let Some((item, gap)) = self.next_gap(next, offset) {
            let room = limit.saturating_sub(out.len() - start);
            let Some(epoch) = epochs.iter_mut().find(|epoch| epoch.epoch() == item.epoch) else { break };
            let number = epoch.next_number();
            let Some(parts) = self.write_record(gap, room, out.len() == start, epoch, out) else { break };
            if let Some(last) = parts.last() {
                (next, offset) = (last.item, last.range.end);
                if self.items.get(next).is_none_or(|item| offset >= item.body_len()) {
                    (next, offset) = (next + 1, 0);
                }
            }
            if self.has_acks {
                self.remember(number, parts);
            }
        }
        let has_written = out.len() > start;
        if has_written {
            self.state = match self.next_gap(next, offset) {
                Some(_) => State::Sending { next, offset },
                None => self.sent(now),
            };
        }
        has_written
    }

    /// What of the flight the peer does not have, as far as we know, from there on.
    fn next_gap(&self, next: usize, offset: usize) -> Option<(&Item, Part)> {
        let offsets = std::iter::once(offset).chain(std::iter::repeat(0));
        let mut items = self.items.iter().enumerate().skip(next).zip(offsets);
        items.find_map(|((index, item), offset)| Some((item, Part { item: index, range: item.gap(offset)? })))
    }

    /// Appends a record that begins with `first`, as much as fits in `room`, and returns what is in it.
    fn write_record(
        &self,
        first: Part,
        room: usize,
        is_first: bool,
        epoch: &mut WriteEpoch,
        out: &mut Vec<u8>,
    ) -> Option<Vec<Part>> {
        let item = self.items.get(first.item)?;
        let (number, packs) = (epoch.epoch(), epoch.packs());
        let mut parts = Vec::new();
        let has_written = match &item.content {
            // RFC 5246 §7.1: "The message consists of a single byte of value 1."
            Content::ChangeCipherSpec => epoch.append(ContentType::ChangeCipherSpec, room, out, |room, out| {
                out.push(1);
                parts.push(first);
                room > 0
            }),
            Content::Handshake(_) => epoch.append(ContentType::Handshake, room, out, |room, out| {
                let (start, mut next) = (out.len(), Some((item, first)));
                while let Some((item, Part { item: index, range })) = next.filter(|(item, _)| item.epoch == number) {
                    let room = room.saturating_sub(out.len() - start);
                    let Some(range) = item.write(range, room, packs || is_first, out) else { break };
                    let end = range.end;
                    parts.push(Part { item: index, range });
                    next = if packs { self.next_gap(index, end) } else { None };
                    // A fragment that was cut off filled the record.
                    next = next.filter(|(_, next)| next.item != index || next.range.start != end);
                }
                !parts.is_empty()
            }),
        };
        has_written.then_some(parts)
    }

    fn remember(&mut self, number: RecordNumber, parts: Vec<Part>) {
        if self.records.len() >= RECORDS_MAX {
            self.records.pop_first();
        }
        self.records.insert(number, parts);
    }

    /// Whether anybody may have said that the peer has what was left out when the flight was last sent.
    fn is_in_doubt(&self) -> bool {
        self.items.iter().any(|item| item.epoch == 0 && item.acknowledged != Ranges::default())
    }

    /// Whoever repeats itself, or does not answer, has not got what nobody protected, whatever an ACK said that nobody protected
    /// either.
    fn doubt_acknowledgements(&mut self) {
        self.items.iter_mut().filter(|item| item.epoch == 0).for_each(|item| item.acknowledged = Ranges::default());
    }

    fn send(&mut self) {
        self.state = State::Sending { next: 0, offset: 0 };
    }

    /// For an answer to what the peer has; or for its copy of it, if anybody can have said so and the flight is kept.
    fn awaiting(&self, now: Instant) -> State {
        let patience = if self.items.is_empty() { self.patience } else { self.doubtful_patience };
        State::Acknowledged { patience: Timer::after(now, patience) }
    }

    fn sent(&mut self, now: Instant) -> State {
        self.is_sent = true;
        self.sent_at = Some(now);
        if self.is_last {
            State::Kept
        } else {
            State::Waiting { retransmit: Timer::after(now, self.backoff.current()) }
        }
    }
}

impl Item {
    fn body_len(&self) -> usize {
        match &self.content {
            Content::Handshake(message) => message.len().saturating_sub(HEADER_LEN),
            Content::ChangeCipherSpec => 0,
        }
    }

    /// What the peer does not have from `offset` on, up to what it has; nothing of an empty body is empty, if the peer has not
    /// got it.
    fn gap(&self, offset: usize) -> Option<Range<usize>> {
        let len = self.body_len();
        if len == 0 { (!self.acknowledged.has_empty()).then_some(0..0) } else { self.acknowledged.gap(offset..len) }
    }

    /// Appends a fragment with what fits of `range`, and returns what that is.
    fn write(&self, range: Range<usize>, room: usize, takes_any: bool, out: &mut Vec<u8>) -> Option<Range<usize>> {
        let Content::Handshake(message) = &self.content else { return None };
        let len = write_fragment(message, range.clone(), room, takes_any, out)?;
        Some(range.start..range.start + len)
    }
}

/// Appends a fragment with what fits of `range` and returns how much of the body is in it.
///
/// RFC 6347 §4.2.3: "Each new message is labeled with the fragment_offset (the number of bytes contained in previous
/// fragments) and the fragment_length (the length of this fragment)."
fn write_fragment(
    message: &[u8],
    range: Range<usize>,
    room: usize,
    takes_any: bool,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let (header, body) = message.split_at_checked(HEADER_LEN)?;
    let offset = range.start;
    let rest = body.get(range)?;
    let len = rest.len().min(room.checked_sub(HEADER_LEN)?);
    let is_worth_it = len == rest.len() || len >= FRAGMENT_LEN_MIN || takes_any && len > 0;
    let fragment = rest.get(..len).filter(|_| is_worth_it)?;
    // type, length and message_seq
    out.extend_from_slice(header.get(..6)?);
    for number in [offset, len] {
        let [_, bytes @ ..] = u32::try_from(number).ok()?.to_be_bytes();
        out.extend_from_slice(&bytes);
    }
    out.extend_from_slice(fragment);
    Some(len)
}

#[cfg(test)]
mod tests;
