//! From fragments to messages (RFC 9260 §6.9).
//!
//! The fragments of a message have consecutive TSNs. So at the cumulative TSN at most one message is incomplete: it
//! grows in one buffer, which is delivered if the message fills most of it. Fragments beyond a gap wait one by one, in
//! buffers that are used again; a message that is complete among them is delivered from there.

use super::buffers::{Buffer, Buffers, is_mostly_empty};
use super::inbox::Part;
use super::ordered::{Message, Order};
use super::{FRAGMENTS_EXPECTED, Inbox, OVERHEAD};
use crate::chunk::{BEGINNING, Data, ENDING, UNORDERED};
use crate::map::Map;
use crate::migration::{Reader, state};
use crate::serial::Tsn;
use crate::stats::Stats;
use bytes::Bytes;

/// A message is longer than `Config` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// A buffer beyond this is not kept after an unusually long message, nor are those of early fragments together.
const BUFFER_KEPT_MAX: usize = 1024 * 1024;

/// What all fragments of a message have in common; those of an unordered one have no SSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    stream: u16,
    ssn: u16,
    is_unordered: bool,
}

impl Head {
    const fn of(data: &Data<'_>) -> Self {
        let is_unordered = data.is(UNORDERED);
        Self { stream: data.stream, ssn: if is_unordered { 0 } else { data.ssn }, is_unordered }
    }

    fn message(self, ppid: u32, data: Bytes, is_rest: bool) -> Message {
        let Self { stream, ssn, is_unordered } = self;
        Message { stream, number: ssn.into(), ppid, is_unordered, data, is_rest }
    }
}

#[derive(Debug)]
struct Fragment {
    flags: u8,
    head: Head,
    ppid: u32,
    payload: Buffer,
    /// Of the first and the last of neighbouring fragments of one message: where the others end.
    reach: Tsn,
}

impl Fragment {
    const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    const fn charge(&self) -> usize {
        self.payload.bytes.len() + OVERHEAD
    }
}

state!(struct Head { stream, ssn, is_unordered });
state!(struct Fragment { flags, head, ppid, payload } anew { reach: |_| Tsn::first(0) });
state!(struct Reassembly { head, buffer, handed_out, early, order } anew {
    expected_len: |_| 0, part_len_min: |_| usize::MAX,
    message_len_max: |from| from.config.message_len_max_receive,
    early_charged: |_| 0, buffers: |_| Buffers::new(BUFFER_KEPT_MAX),
} => then Self::resumed);

/// See the module.
#[derive(Debug)]
pub(crate) struct Reassembly {
    message_len_max: usize,
    /// The message that is incomplete at the cumulative TSN, and its payload protocol identifier.
    head: Option<(Head, u32)>,
    buffer: Vec<u8>,
    /// As long as the message was that took the buffer with it, so is the next buffer.
    expected_len: usize,
    /// How many bytes of it have been handed out.
    handed_out: usize,
    /// From so many on they are.
    part_len_min: usize,
    early: Map<Tsn, Fragment>,
    early_charged: usize,
    buffers: Buffers,
    order: Order,
}

impl Reassembly {
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        let mut early = std::mem::replace(&mut self.early, Map::new());
        while let Some(&(tsn, _)) = early.first()
            && let Some(fragment) = early.remove(&tsn)
        {
            let payload = self.buffers.take_over(&fragment.payload);
            self.early_charged += fragment.charge();
            self.early.insert(tsn, Fragment { payload, reach: tsn, ..fragment });
            self.join(tsn);
        }
        (self.head.is_some() || self.buffer.is_empty() && self.handed_out == 0).then_some(self)
    }

    pub(crate) const fn new(message_len_max: usize) -> Self {
        Self {
            message_len_max,
            head: None,
            buffer: Vec::new(),
            expected_len: 0,
            handed_out: 0,
            part_len_min: usize::MAX,
            early: Map::new(),
            early_charged: 0,
            buffers: Buffers::new(BUFFER_KEPT_MAX),
            order: Order::new(16),
        }
    }

    pub(crate) const fn charged(&self) -> usize {
        self.buffer.len() + self.early_charged + self.order.charged()
    }

    /// From so many bytes on, an incomplete message is handed out in parts.
    pub(crate) const fn set_part_len_min(&mut self, len: usize) {
        self.part_len_min = len;
    }

    /// The chunk that was waited for.
    pub(crate) fn push_next(&mut self, data: &Data<'_>, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        let head = Head::of(data);
        match (data.is(BEGINNING), data.is(ENDING)) {
            (true, true) => {
                self.discard_incomplete(inbox, stats);
                if data.payload.len() > self.message_len_max {
                    return Err(TooLarge);
                }
                let message = head.message(data.ppid, Bytes::copy_from_slice(data.payload), false);
                self.order.take_in(message, 0, inbox, stats);
                return Ok(());
            }
            (true, false) => {
                self.discard_incomplete(inbox, stats);
                self.head = Some((head, data.ppid));
            }
            // The rest of a message that was given up, or nonsense.
            (false, _) if self.head.is_none_or(|(begun, _)| begun != head) => {
                self.discard_incomplete(inbox, stats);
                stats.discarded.orphan += 1;
                return Ok(());
            }
            (false, _) => {}
        }
        if self.handed_out.saturating_add(self.buffer.len() + data.payload.len()) > self.message_len_max {
            return Err(TooLarge);
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(self.expected_len);
        }
        self.buffer.extend_from_slice(data.payload);
        if data.is(ENDING)
            && let Some((head, ppid)) = self.head.take()
        {
            let is_rest = std::mem::take(&mut self.handed_out) > 0;
            let message = self.take_buffer();
            self.order.take_in(head.message(ppid, message, is_rest), 0, inbox, stats);
        } else if self.buffer.len() >= self.part_len_min {
            self.hand_out(inbox);
        }
        Ok(())
    }

    /// What is in the buffer, which goes with its content, unless that would waste most of it.
    fn take_buffer(&mut self) -> Bytes {
        if is_mostly_empty(&self.buffer) {
            let content = Bytes::copy_from_slice(&self.buffer);
            self.clear_buffer();
            return content;
        }
        let content = std::mem::take(&mut self.buffer).into_boxed_slice();
        self.expected_len = if content.len() > BUFFER_KEPT_MAX { 0 } else { content.len() };
        content.into()
    }

    /// Hands out what is there of the message that is incomplete, if it is its turn.
    //
    // RFC 9260 §6.9: "If the data receiver runs out of buffer space while still waiting for more fragments to complete the
    // reassembly of the message, it SHOULD dispatch part of its inbound message through a partial delivery API […]"
    fn hand_out(&mut self, inbox: &mut Inbox) {
        let Some((Head { stream, ssn, is_unordered: unordered }, ppid)) = self.head else { return };
        if unordered || self.order.is_next(stream, ssn.into()) {
            let data = self.take_buffer();
            let is_first = self.handed_out == 0;
            self.handed_out = self.handed_out.saturating_add(data.len());
            inbox.part(Part { stream, ppid, unordered, data, is_first, is_last: false });
        }
    }

    fn clear_buffer(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > BUFFER_KEPT_MAX {
            self.buffer = Vec::new();
        }
    }

    #[inline]
    fn discard_incomplete(&mut self, inbox: &mut Inbox, stats: &mut Stats) {
        if self.head.is_some() {
            stats.discarded.orphan += u64::from(self.discard(inbox));
        }
    }

    /// Nothing more comes of the message that is incomplete, if there is one. Whether there was.
    pub(crate) fn discard(&mut self, inbox: &mut Inbox) -> bool {
        let Some((head, _)) = self.head.take() else { return false };
        if std::mem::take(&mut self.handed_out) > 0 {
            inbox.incomplete(head.stream);
        }
        self.clear_buffer();
        true
    }

    /// A chunk beyond a gap, which begins after `cumulative`.
    pub(crate) fn push_early(
        &mut self,
        tsn: Tsn,
        cumulative: Tsn,
        data: &Data<'_>,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let head = Head::of(data);
        if data.is(BEGINNING) && data.is(ENDING) {
            if data.payload.len() > self.message_len_max {
                return Err(TooLarge);
            }
            let message = head.message(data.ppid, Bytes::copy_from_slice(data.payload), false);
            self.order.take_in(message, cumulative.distance_to(tsn), inbox, stats);
            return Ok(());
        }
        let payload = self.buffers.copy(data.payload);
        let fragment = Fragment { flags: data.flags, head, ppid: data.ppid, payload, reach: tsn };
        self.early_charged += fragment.charge();
        self.early.insert(tsn, fragment);
        let (first, last) = self.join(tsn);
        let is_at = |at: Tsn, flag| self.early.get(&at).is_some_and(|fragment| fragment.is(flag));
        if is_at(first, BEGINNING) && is_at(last, ENDING) {
            self.assemble(first, last, cumulative, inbox, stats)?;
        }
        Ok(())
    }

    /// Joins the fragment with its neighbours of the same message; returns the first and the last of them.
    fn join(&mut self, tsn: Tsn) -> (Tsn, Tsn) {
        let Some(fragment) = self.early.get(&tsn) else { return (tsn, tsn) };
        let neighbour = |at: Tsn| self.early.get(&at).filter(|other| other.head == fragment.head);
        let before = neighbour(tsn.previous()).filter(|other| !other.is(ENDING) && !fragment.is(BEGINNING));
        let after = neighbour(tsn.next()).filter(|other| !other.is(BEGINNING) && !fragment.is(ENDING));
        let first = before.map_or(tsn, |other| other.reach);
        let last = after.map_or(tsn, |other| other.reach);
        for (end, reach) in [(first, last), (last, first)] {
            if let Some(fragment) = self.early.get_mut(&end) {
                fragment.reach = reach;
            }
        }
        (first, last)
    }

    fn assemble(
        &mut self,
        first: Tsn,
        last: Tsn,
        cumulative: Tsn,
        inbox: &mut Inbox,
        stats: &mut Stats,
    ) -> Result<(), TooLarge> {
        let tsns = || (0..=first.distance_to(last)).map(|ahead| first.plus(ahead));
        let len = tsns().filter_map(|tsn| self.early.get(&tsn)).map(|fragment| fragment.payload.bytes.len()).sum();
        if len > self.message_len_max {
            return Err(TooLarge);
        }
        let Some((head, ppid)) = self.early.get(&first).map(|begin| (begin.head, begin.ppid)) else { return Ok(()) };
        let mut message = Vec::with_capacity(len);
        for tsn in tsns() {
            if let Some(fragment) = self.remove_early(tsn) {
                message.extend_from_slice(&fragment.payload.bytes);
                self.buffers.give_back(fragment.payload);
            }
        }
        self.order.take_in(head.message(ppid, message.into(), false), cumulative.distance_to(last), inbox, stats);
        Ok(())
    }

    fn remove_early(&mut self, tsn: Tsn) -> Option<Fragment> {
        let fragment = self.early.remove(&tsn)?;
        self.early_charged -= fragment.charge();
        Some(fragment)
    }

    /// The first early fragment, if it is early no more.
    fn take_first(&mut self, cumulative: Tsn) -> Option<(Tsn, Fragment)> {
        let &(tsn, _) = self.early.first()?;
        (tsn <= cumulative).then(|| self.remove_early(tsn)).flatten().map(|fragment| (tsn, fragment))
    }

    /// The gap before fragments up to `cumulative` has closed.
    #[inline]
    pub(crate) fn close_up(&mut self, cumulative: Tsn, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        if self.early.is_empty() { Ok(()) } else { self.close_up_early(cumulative, inbox, stats) }
    }

    fn close_up_early(&mut self, cumulative: Tsn, inbox: &mut Inbox, stats: &mut Stats) -> Result<(), TooLarge> {
        while let Some((tsn, Fragment { flags, head, ppid, payload, .. })) = self.take_first(cumulative) {
            let Head { stream, ssn, .. } = head;
            let data = Data { flags, tsn: tsn.wire(), stream, ssn, ppid, payload: &payload.bytes };
            let result = self.push_next(&data, inbox, stats);
            self.buffers.give_back(payload);
            result?;
        }
        Ok(())
    }

    /// Nothing up to `cumulative` will come any more (RFC 3758 §3.6).
    pub(crate) fn forward(&mut self, cumulative: Tsn, inbox: &mut Inbox) {
        self.discard(inbox);
        while let Some((_, fragment)) = self.take_first(cumulative) {
            self.buffers.give_back(fragment.payload);
        }
    }

    /// The fragments that are early.
    pub(crate) fn early(&self) -> impl Iterator<Item = Tsn> {
        self.early.iter().map(|(tsn, _)| *tsn)
    }

    /// TSNs go on elsewhere: what is early is so no more.
    pub(crate) fn forget_early(&mut self) {
        while let Some(&(tsn, _)) = self.early.first()
            && let Some(fragment) = self.remove_early(tsn)
        {
            self.buffers.give_back(fragment.payload);
        }
    }

    /// Gives back what is kept though nothing is in it.
    pub(crate) fn release(&mut self) {
        self.early.release();
        self.buffers.release();
        if self.buffer.is_empty() {
            (self.buffer, self.expected_len) = (Vec::new(), 0);
        }
        self.order.release();
    }

    /// Data comes: makes room for what loss will bring.
    pub(crate) fn prepare(&mut self, fragment_len: usize) {
        self.early.prepare();
        self.buffers.prepare(FRAGMENTS_EXPECTED, fragment_len);
        self.order.prepare();
    }

    /// A FORWARD TSN of so many TSNs tells of the last message that it skips of the stream.
    pub(crate) fn skip(&mut self, stream: u16, ssn: u16, tsns: u64, inbox: &mut Inbox) {
        self.order.skip(stream, ssn.into(), tsns, inbox);
    }

    /// Streams begin anew; none: all of them.
    pub(crate) fn reset(&mut self, streams: &[u16], inbox: &mut Inbox) {
        if self.head.is_some_and(|(head, _)| streams.is_empty() || streams.contains(&head.stream)) {
            self.discard(inbox);
        }
        if streams.is_empty() {
            self.order.reset_all();
        }
        for stream in streams {
            self.order.reset(*stream);
        }
    }

    pub(crate) fn invariants(&self) {
        self.order.invariants();
        debug_assert_eq!(
            self.early_charged,
            self.early.iter().map(|(_, fragment)| fragment.charge()).sum::<usize>(),
            "C8"
        );
        debug_assert!(self.head.is_some() || self.buffer.is_empty() && self.handed_out == 0);
    }
}
