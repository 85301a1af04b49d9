//! Fragments of handshake messages, and how they become whole again (RFC 6347 §4.2.2, §4.2.3).

use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;
use crate::message::HandshakeType;

/// msg_type 1, length 3, message_seq 2, fragment_offset 3, fragment_length 3
pub(crate) const HEADER_LEN: usize = 12;

/// The longest message, unless it is configured: certificates are a few hundred bytes, chains of them a few thousand.
pub(crate) const MESSAGE_LEN_MAX: usize = 32 * 1024;

/// The longest that it can be configured to be: what a connection can hold, with a bit for each byte.
const LONGEST_LEN: usize = (HELD_LEN_MAX - OVERHEAD) / 9 * 8;

/// What a connection holds of incomplete messages at most (CVE-2014-3506: a header of 12 bytes claimed 16 MB).
pub(crate) const HELD_LEN_MAX: usize = 64 * 1024;

/// How far ahead of the next message another may be: no flight has more messages.
const AHEAD_MAX: u32 = 8;

/// What keeping a message costs beside its bytes.
const OVERHEAD: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) message_type: HandshakeType,
    pub(crate) message_len: usize,
    pub(crate) message_seq: u16,
    pub(crate) offset: usize,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the next fragment of a record.
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (message_type, message_len) = (HandshakeType(reader.u8()?), reader.u24()?);
        let (message_seq, offset, bytes) = (reader.u16()?, reader.u24()?, reader.vec24()?);
        let end = offset.checked_add(bytes.len()).ok_or(DecodeError)?;
        // CVE-2014-0195: the end was not compared.
        if end > message_len {
            return Err(DecodeError);
        }
        Ok(Self { message_type, message_len, message_seq, offset, bytes })
    }

    /// Whether it is all of its message.
    pub(crate) const fn is_whole(&self) -> bool {
        self.bytes.len() == self.message_len
    }
}

/// A message with its header, as if it had come in one fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) epoch: u16,
    bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The same body in another message.
    #[cfg(test)]
    pub(crate) fn with_type(&self, message_type: HandshakeType, epoch: u16) -> Self {
        let mut bytes = self.bytes.clone();
        bytes[0] = message_type.0;
        Self { epoch, bytes }
    }

    /// As it would come in one fragment.
    pub(crate) fn as_fragment(&self) -> Fragment<'_> {
        let seq = self.bytes.get(4..6).and_then(|seq| seq.first_chunk().copied()).unwrap_or_default();
        Fragment {
            message_type: self.message_type(),
            message_len: self.body().len(),
            message_seq: u16::from_be_bytes(seq),
            offset: 0,
            bytes: self.body(),
        }
    }

    pub(crate) fn message_type(&self) -> HandshakeType {
        HandshakeType(self.bytes.first().copied().unwrap_or(u8::MAX))
    }
}

/// A message with its header, as of one fragment.
pub(crate) fn whole(message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    written(message_type, message_seq, HEADER_LEN + body.len(), |out| out.extend_from_slice(body))
}

/// A message whose body is what `write` appends, as of one fragment. It is expected to be so long, and may be longer.
pub(crate) fn written(
    message_type: HandshakeType,
    message_seq: u16,
    len: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    bytes.push(message_type.0);
    bytes.extend_from_slice(&[0; 3]);
    put_u16(&mut bytes, message_seq);
    bytes.extend_from_slice(&[0; 3]);
    put_vec(&mut bytes, Length::U24, write);
    if let Some((header, _)) = bytes.split_first_chunk_mut::<HEADER_LEN>() {
        let [_, len_a, len_b, len_c, .., fragment_a, fragment_b, fragment_c] = header;
        (*len_a, *len_b, *len_c) = (*fragment_a, *fragment_b, *fragment_c);
    }
    bytes
}

/// Why a fragment was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentDiscard {
    /// Of a message that is complete.
    Repeated,
    /// Without anything of a message that is not empty: there is nothing in it to miss.
    Empty,
    /// It contradicts what had come of the message: that is forgotten in its favour, unless it was protected better.
    Contradicting,
    /// Too far ahead, or too large.
    Excessive,
    /// Without the protection that messages have by now.
    Unprotected,
}

/// A message of which parts have come.
#[derive(Debug)]
struct Partial {
    message: Message,
    /// A bit for each byte of the body; none if all of it came at once.
    has: Vec<u64>,
    missing: usize,
}

impl Partial {
    fn new(epoch: u16, fragment: &Fragment<'_>) -> Self {
        let (body_len, len) = (fragment.message_len, HEADER_LEN + fragment.message_len);
        let bytes = written(fragment.message_type, fragment.message_seq, len, |out| {
            out.extend_from_slice(if fragment.is_whole() { fragment.bytes } else { &[] });
            out.resize(len, 0);
        });
        let message = Message { epoch, bytes };
        // The usual case: a whole message at once.
        if fragment.is_whole() {
            return Self { message, has: Vec::new(), missing: 0 };
        }
        let mut partial = Self { message, has: vec![0; body_len.div_ceil(64)], missing: body_len };
        partial.fill(fragment);
        partial
    }

    /// Whether they are of the same message: its type, its length, and every byte that both have.
    fn agrees(&self, fragment: &Fragment<'_>) -> bool {
        let held = self.message.body();
        self.message.message_type() == fragment.message_type
            && held.len() == fragment.message_len
            && held.iter().enumerate().skip(fragment.offset).zip(fragment.bytes).all(|((position, held), byte)| {
                let has = || self.has.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1);
                held == byte || self.missing > 0 && !has()
            })
    }

    fn fill(&mut self, fragment: &Fragment<'_>) {
        let body = self.message.bytes.iter_mut().skip(HEADER_LEN + fragment.offset);
        for (position, (to, from)) in (fragment.offset..).zip(body.zip(fragment.bytes)) {
            let Some(word) = self.has.get_mut(position / 64) else { return };
            let bit = 1 << (position % 64);
            if *word & bit == 0 {
                *word |= bit;
                *to = *from;
                self.missing = self.missing.saturating_sub(1);
            }
        }
    }

    const fn cost(body_len: usize) -> usize {
        body_len + body_len / 8 + OVERHEAD
    }
}

/// Messages in their order, from fragments in any order.
#[derive(Debug)]
pub(crate) struct Reassembly {
    message_len_max: usize,
    /// One more than the last number there is, when that has come.
    next: u32,
    /// Epochs before this one no longer count.
    epoch_min: u16,
    /// In their order; few, for none is farther ahead than a flight is long.
    partials: Vec<(u16, Partial)>,
}

impl Reassembly {
    /// Takes messages whose bodies are no longer than that.
    pub(crate) fn new(message_len_max: usize) -> Self {
        let message_len_max = message_len_max.min(LONGEST_LEN);
        Self { message_len_max, next: 0, epoch_min: 0, partials: Vec::new() }
    }

    pub(crate) const fn message_len_max(&self) -> usize {
        self.message_len_max
    }

    /// The number of the message that comes next.
    pub(crate) const fn next(&self) -> u32 {
        self.next
    }

    /// The message of this number is the first; what came of another one is forgotten, or it would be in the way.
    pub(crate) fn resume(&mut self, next: u16) {
        self.clear();
        self.next = next.into();
    }

    /// Takes a fragment.
    pub(crate) fn insert(&mut self, epoch: u16, fragment: &Fragment<'_>) -> Result<(), FragmentDiscard> {
        let seq = fragment.message_seq;
        let Some(ahead) = u32::from(seq).checked_sub(self.next) else {
            return Err(FragmentDiscard::Repeated);
        };
        if epoch < self.epoch_min {
            return Err(FragmentDiscard::Unprotected);
        }
        if fragment.bytes.is_empty() && fragment.message_len > 0 {
            return Err(FragmentDiscard::Empty);
        }
        if ahead >= AHEAD_MAX || fragment.message_len > self.message_len_max {
            return Err(FragmentDiscard::Excessive);
        }
        let place = self.partials.binary_search_by_key(&seq, |(seq, _)| *seq);
        let held = place.ok().and_then(|place| self.partials.get_mut(place)).map(|(_, partial)| partial);
        let contradicts = match held {
            Some(partial) if partial.message.epoch == epoch && partial.agrees(fragment) => {
                if partial.missing == 0 {
                    return Err(FragmentDiscard::Repeated);
                }
                partial.fill(fragment);
                return Ok(());
            }
            // What is protected is believed more than what is not.
            Some(partial) if partial.message.epoch > epoch => return Err(FragmentDiscard::Contradicting),
            Some(partial) => partial.message.epoch == epoch,
            None => false,
        };
        // Of two that are protected alike, the later one is believed: the peer sends again what is true, whereas somebody
        // who forged one fragment in time would otherwise be believed for ever.
        if let Ok(place) = place {
            self.partials.remove(place);
        }
        self.make_room(seq, fragment.message_len)?;
        // What made room was behind it.
        let (Ok(place) | Err(place)) = place;
        self.partials.insert(place, (seq, Partial::new(epoch, fragment)));
        if contradicts { Err(FragmentDiscard::Contradicting) } else { Ok(()) }
    }

    /// The next message, if it is complete.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let (seq, first) = self.partials.first()?;
        if u32::from(*seq) != self.next || first.missing > 0 {
            return None;
        }
        let (_, Partial { message, .. }) = self.partials.remove(0);
        self.next = self.next.saturating_add(1);
        Some(message)
    }

    /// From now on, messages come in this epoch; what came before in others is forgotten.
    pub(crate) fn require(&mut self, epoch: u16) {
        self.epoch_min = epoch;
        self.partials.retain(|(_, partial)| partial.message.epoch >= epoch);
    }

    /// Whether anything of a message came for which it is not time yet.
    pub(crate) fn has_any(&self) -> bool {
        !self.partials.is_empty()
    }

    /// Forgets what is incomplete.
    pub(crate) fn clear(&mut self) {
        self.partials = Vec::new();
    }

    /// Bytes held, with what it costs to hold them.
    pub(crate) fn held_len(&self) -> usize {
        self.partials.iter().map(|(_, partial)| Partial::cost(partial.message.body().len())).sum()
    }

    /// Nearer messages come first: those farther ahead make room for them, and come again.
    fn make_room(&mut self, seq: u16, body_len: usize) -> Result<(), FragmentDiscard> {
        while self.held_len() + Partial::cost(body_len) > HELD_LEN_MAX {
            let farthest = self.partials.pop_if(|(farthest, _)| *farthest > seq);
            farthest.ok_or(FragmentDiscard::Excessive)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fragment(message_seq: u16, message_len: usize, offset: usize, bytes: &[u8]) -> Fragment<'_> {
        Fragment { message_type: HandshakeType(1), message_len, message_seq, offset, bytes }
    }

    #[test]
    fn a_fragment_beyond_its_message_does_not_decode() {
        let decode = |len, offset, fragment_len: u8| {
            let mut bytes = vec![1, 0, 0, len, 0, 7, 0, 0, offset, 0, 0, fragment_len];
            bytes.resize(HEADER_LEN + usize::from(fragment_len), 9);
            Fragment::decode(&mut Reader::new(&bytes)).map(|fragment| (fragment.message_seq, fragment.offset))
        };
        assert_eq!(decode(5, 2, 3), Ok((7, 2)));
        assert_eq!(decode(0, 0, 0), Ok((7, 0)), "an empty message");
        for (len, offset, fragment_len) in [(5, 2, 4), (5, 6, 0), (5, 255, 255), (0, 0, 1), (0, 1, 0)] {
            assert_eq!(decode(len, offset, fragment_len), Err(DecodeError), "{len} {offset} {fragment_len}");
        }
    }

    #[test]
    fn the_longest_message_is_as_long_as_is_configured_and_never_longer_than_what_is_held() {
        for (configured, longest) in [(100, 100), (MESSAGE_LEN_MAX, MESSAGE_LEN_MAX), (usize::MAX, LONGEST_LEN)] {
            let mut reassembly = Reassembly::new(configured);
            let body = vec![7; longest + 1];
            let too_long = reassembly.insert(0, &fragment(0, longest + 1, 0, &body));
            assert_eq!(too_long, Err(FragmentDiscard::Excessive));
            assert_eq!(reassembly.insert(0, &fragment(0, longest, 0, &body[1..])), Ok(()));
            assert!(reassembly.held_len() <= HELD_LEN_MAX);
            assert_eq!(reassembly.pop().unwrap().body(), &body[1..]);
        }
    }

    #[test]
    fn nothing_of_a_message_makes_no_progress_and_holds_nothing() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        assert_eq!(reassembly.insert(0, &fragment(0, 5, 2, &[])), Err(FragmentDiscard::Empty));
        assert_eq!((reassembly.held_len(), reassembly.pop()), (0, None));
    }

    #[test]
    fn single_bytes_in_reverse_make_a_message_whose_header_is_that_of_one_fragment() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        for (i, byte) in b"hello".iter().enumerate().rev() {
            assert_eq!(reassembly.pop(), None);
            reassembly.insert(0, &fragment(0, 5, i, &[*byte])).unwrap();
        }
        let message = reassembly.pop().unwrap();
        assert_eq!(message.bytes(), b"\x01\0\0\x05\0\0\0\0\0\0\0\x05hello");
        assert_eq!(message.body(), b"hello");
        assert_eq!((reassembly.next(), reassembly.held_len()), (1, 0));
    }

    #[test]
    fn messages_come_in_their_order_and_once() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        for seq in [2, 0, 1] {
            reassembly.insert(0, &fragment(seq, 1, 0, &[seq as u8])).unwrap();
        }
        assert_eq!(reassembly.insert(0, &fragment(2, 1, 0, &[2])), Err(FragmentDiscard::Repeated));
        for seq in 0..3 {
            assert_eq!(reassembly.pop().unwrap().body(), [seq]);
        }
        assert_eq!(reassembly.insert(0, &fragment(2, 1, 0, &[9])), Err(FragmentDiscard::Repeated));
    }

    #[test]
    fn another_length_or_type_or_byte_contradicts_and_what_was_held_gives_way() {
        let other_type = Fragment { message_type: HandshakeType(2), ..fragment(0, 4, 2, b"cd") };
        for other in [fragment(0, 5, 0, b"ab"), other_type, fragment(0, 4, 1, b"XY")] {
            let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
            reassembly.insert(0, &other).unwrap();
            assert_eq!(reassembly.insert(0, &fragment(0, 4, 0, b"ab")), Err(FragmentDiscard::Contradicting));
            reassembly.insert(0, &fragment(0, 4, 1, b"bcd")).unwrap();
            assert_eq!(reassembly.pop().unwrap().body(), b"abcd");
        }
    }

    #[test]
    fn what_is_complete_and_waits_gives_way_as_well() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        reassembly.insert(0, &fragment(1, 4, 0, b"lies")).unwrap();
        assert_eq!(reassembly.insert(0, &fragment(1, 4, 0, b"true")), Err(FragmentDiscard::Contradicting));
        assert_eq!(reassembly.insert(0, &fragment(1, 4, 0, b"true")), Err(FragmentDiscard::Repeated));
        reassembly.insert(0, &fragment(0, 0, 0, b"")).unwrap();
        assert_eq!([reassembly.pop().unwrap().body(), reassembly.pop().unwrap().body()], [&b""[..], b"true"]);
    }

    #[test]
    fn what_is_protected_takes_the_place_of_what_is_not() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        reassembly.insert(0, &fragment(0, 2, 0, b"no")).unwrap();
        reassembly.insert(1, &fragment(0, 3, 0, b"yes")).unwrap();
        assert_eq!(reassembly.insert(0, &fragment(0, 2, 0, b"no")), Err(FragmentDiscard::Contradicting));
        assert_eq!(reassembly.pop().map(|message| message.epoch), Some(1));
        reassembly.insert(0, &fragment(1, 2, 0, b"no")).unwrap();
        reassembly.require(1);
        assert_eq!(reassembly.pop(), None);
        assert_eq!(reassembly.insert(0, &fragment(1, 2, 0, b"no")), Err(FragmentDiscard::Unprotected));
    }

    #[test]
    fn a_hundred_thousand_claims_hold_no_more_than_the_limit() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        for n in 0..100_000u32 {
            let len = 1 + (n as usize * 7919) % (1 << 24);
            let _ = reassembly.insert(0, &fragment(n as u16, len, 0, b"x"));
            assert!(reassembly.held_len() <= HELD_LEN_MAX);
        }
    }

    #[test]
    fn the_next_message_finds_room_whatever_was_claimed_for_later_ones() {
        let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
        for seq in 1..8 {
            let _ = reassembly.insert(0, &fragment(seq, 9_000, 0, b"x"));
        }
        reassembly.insert(0, &fragment(0, MESSAGE_LEN_MAX, 0, &[7; MESSAGE_LEN_MAX])).unwrap();
        assert!(reassembly.pop().is_some());
    }

    proptest! {
        #[test]
        fn any_cuts_in_any_order_with_repetitions_make_the_messages(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..9), 0..60),
        ) {
            let mut reassembly = Reassembly::new(MESSAGE_LEN_MAX);
            let whole = |seq: usize, from: usize, len: usize| {
                let bytes = &bodies[seq][from..(from + len).min(bodies[seq].len())];
                fragment(seq as u16, bodies[seq].len(), from, bytes)
            };
            let mut out = Vec::new();
            for (seq, from, len) in cuts {
                let seq = seq.index(bodies.len());
                if !bodies[seq].is_empty() {
                    let _ = reassembly.insert(0, &whole(seq, from.index(bodies[seq].len()), len));
                }
                out.extend(std::iter::from_fn(|| reassembly.pop()));
            }
            for seq in 0..bodies.len() {
                let _ = reassembly.insert(0, &whole(seq, 0, 40));
            }
            out.extend(std::iter::from_fn(|| reassembly.pop()));
            let out: Vec<_> = out.iter().map(|message| message.body().to_vec()).collect();
            prop_assert_eq!(out, bodies);
        }
    }
}
