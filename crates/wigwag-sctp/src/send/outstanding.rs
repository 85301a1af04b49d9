//! Chunks that were sent and not yet acknowledged cumulatively, found by their TSN in O(1).

use crate::chunk::{DATA_HEADER_LEN, Data, ENDING, I_DATA_HEADER_LEN, IData, UNORDERED};
use crate::map::Map;
use crate::migration::{Reader, state};
use crate::serial::Tsn;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// Chunks after which an association is one that carries data, and how many find room then: who says little needs none.
const PREPARED_AFTER: u32 = 32;
const CHUNKS_EXPECTED: usize = 64;

/// When to give up (RFC 3758 §3.5, RFC 7496).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lifetime {
    pub(crate) max_retransmits: Option<u16>,
    /// The first moment at which it is too old.
    pub(crate) expires: Option<Instant>,
}

/// In which chunks messages travel: one kind for a whole association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Data,
    /// I-DATA (RFC 8260): fragments of several messages may follow one another.
    Interleaved,
}

impl Format {
    pub(crate) const fn new(is_interleaved: bool) -> Self {
        if is_interleaved { Self::Interleaved } else { Self::Data }
    }

    pub(crate) const fn header_len(self) -> usize {
        match self {
            Self::Data => DATA_HEADER_LEN,
            Self::Interleaved => I_DATA_HEADER_LEN,
        }
    }
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkState {
    InFlight,
    /// It is in `resend`.
    Lost,
    /// By a gap ack block, which the peer may take back.
    Acked,
    Abandoned,
}

/// A DATA or I-DATA chunk, but for its TSN, which is its place.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) payload: Bytes,
    /// The payload protocol identifier; but of an I-DATA chunk that does not begin a message, the FSN.
    pub(crate) ppid_or_fsn: u32,
    pub(crate) stream: u16,
    pub(crate) flags: u8,
    pub(crate) state: ChunkState,
    /// The MID, whose lower half is the SSN of a DATA chunk.
    pub(crate) mid: u32,
    /// How many TSNs before this one the fragment before it in its message has, and how many behind the one after it; 0: none.
    pub(crate) to_previous: u32,
    to_next: u32,
    misses: u8,
    is_fast_retransmitted: bool,
    pub(crate) retransmits: u16,
    /// The number of its last departure, in [`super::flights::Flights`].
    pub(crate) departure: u64,
    pub(crate) lifetime: Lifetime,
}

state!(struct Lifetime { max_retransmits, expires });
state!(enum ChunkState { 0: InFlight, 1: Lost, 2: Acked, 3: Abandoned });
state!(struct Chunk {
    payload, ppid_or_fsn, stream, flags, state, mid, to_previous, misses, is_fast_retransmitted, retransmits, departure, lifetime,
} anew {
    to_next: |_| 0,
} if |chunk, _| {
    let is_left_out = chunk.state == ChunkState::Abandoned;
    chunk.flags < 16 && (chunk.len() > 0 || is_left_out)
});

impl Chunk {
    /// What is to be sent of a message, and which one it is.
    pub(crate) const fn new(payload: Bytes, stream: u16, mid: u32, flags: u8) -> Self {
        Self {
            payload,
            ppid_or_fsn: 0,
            stream,
            flags,
            state: ChunkState::InFlight,
            mid,
            to_previous: 0,
            to_next: 0,
            misses: 0,
            is_fast_retransmitted: false,
            retransmits: 0,
            departure: 0,
            lifetime: Lifetime { max_retransmits: None, expires: None },
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.payload.len()
    }

    /// What it takes of a packet, padding apart.
    pub(crate) const fn size(&self, format: Format) -> usize {
        self.payload.len() + format.header_len()
    }

    pub(crate) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) const fn is_ordered(&self) -> bool {
        !self.is(UNORDERED)
    }

    pub(crate) const fn expires(&self) -> Option<Instant> {
        self.lifetime.expires
    }

    fn is_over(&self, now: Instant) -> bool {
        self.lifetime.expires.is_some_and(|at| at <= now)
            || self.lifetime.max_retransmits.is_some_and(|times| self.retransmits >= times)
    }

    /// Appends the chunk, with these flags beside its own.
    #[inline(always)]
    pub(crate) fn write(&self, tsn: Tsn, format: Format, flags: u8, out: &mut Vec<u8>) {
        let Self { stream, mid, ppid_or_fsn, .. } = *self;
        let flags = self.flags | flags;
        let (tsn, payload) = (tsn.wire(), self.payload.as_ref());
        match format {
            // RFC 9260 §3.3.1: the SSN of an unordered message says nothing.
            Format::Data => {
                let ssn = if self.is_ordered() { mid as u16 } else { 0 };
                Data { flags, tsn, stream, ssn, ppid: ppid_or_fsn, payload }.write(out);
            }
            Format::Interleaved => IData { flags, tsn, stream, mid, ppid_or_fsn, payload }.write(out),
        }
    }
}

/// How much lies between here and the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) chunks: usize,
    /// Bytes of user data.
    pub(crate) len: usize,
}

impl Flight {
    /// Bytes with chunk headers, which is what congestion control counts.
    pub(crate) const fn size(self, format: Format) -> usize {
        self.len + self.chunks * format.header_len()
    }

    const fn add(&mut self, len: usize) {
        self.chunks += 1;
        self.len += len;
    }

    const fn remove(&mut self, len: usize) {
        self.chunks -= 1;
        self.len -= len;
    }
}

/// What a SACK has told of chunks that were not known to have arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrived {
    /// Bytes with chunk headers.
    pub(crate) size: usize,
    /// The departure that was the last one of them.
    pub(crate) latest: Option<u64>,
    /// The first departure of those that have departed once.
    pub(crate) earliest_once: Option<u64>,
}

impl Arrived {
    fn add(&mut self, chunk: &Chunk, format: Format) {
        self.size += chunk.size(format);
        self.latest = self.latest.max(Some(chunk.departure));
        if chunk.retransmits == 0 {
            self.earliest_once = Some(self.earliest_once.map_or(chunk.departure, |first| first.min(chunk.departure)));
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outstanding {
    format: Format,
    /// The TSN of the first chunk, or of the next one if there is none.
    first: Tsn,
    chunks: VecDeque<Chunk>,
    /// Bytes of user data, acknowledged or not.
    len: usize,
    flight: Flight,
    until_prepared: u32,
    /// Something was sent since `rest` looked last.
    is_busy: bool,
    /// Exactly the chunks that are `Lost`.
    resend: Map<Tsn, ()>,
}

state!(struct Outstanding { first, chunks } anew {
    format: |from| Format::new(from.extensions.has_interleaving),
    len: |_| 0, flight: |_| Flight::default(), until_prepared: |_| PREPARED_AFTER, is_busy: |_| true, resend: |_| Map::new(),
} => then Self::resumed);

impl Outstanding {
    fn resumed(mut self, _: &mut Reader<'_>) -> Option<Self> {
        for chunk in std::mem::take(&mut self.chunks) {
            let tsn = self.next_tsn();
            let previous = tsn.minus(chunk.to_previous.into());
            if chunk.to_previous > 0 && !self.may_follow(previous, chunk.stream) {
                return None;
            }
            if chunk.state == ChunkState::Lost {
                self.resend.insert(tsn, ());
            }
            self.push(chunk);
        }
        Some(self)
    }

    /// Whether a fragment of the stream may be the next one of the message that this one is of, as far as it is known.
    pub(crate) fn may_follow(&self, previous: Tsn, stream: u16) -> bool {
        let is_open = |chunk: &Chunk| chunk.to_next == 0 && !chunk.is(ENDING) && chunk.stream == stream;
        previous < self.next_tsn() && self.get(previous).is_none_or(is_open)
    }

    /// What the longest chunk takes of a packet, padding apart.
    pub(crate) fn size_max(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.size(self.format)).max().unwrap_or(0)
    }

    pub(crate) const fn new(initial: Tsn, format: Format) -> Self {
        let flight = Flight { chunks: 0, len: 0 };
        Self {
            format,
            first: initial,
            chunks: VecDeque::new(),
            len: 0,
            flight,
            until_prepared: PREPARED_AFTER,
            is_busy: false,
            resend: Map::new(),
        }
    }

    /// The last TSN that was acknowledged cumulatively.
    pub(crate) const fn cumulative(&self) -> Tsn {
        self.first.previous()
    }

    pub(crate) fn next_tsn(&self) -> Tsn {
        self.first.plus(self.chunks.len() as u64)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.chunks.len()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    pub(crate) const fn flight_size(&self) -> usize {
        self.flight.size(self.format)
    }

    pub(crate) const fn flight(&self) -> Flight {
        self.flight
    }

    pub(crate) fn front(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Tsn, &Chunk)> {
        (0..).map(|index| self.first.plus(index)).zip(&self.chunks)
    }

    fn index(&self, tsn: Tsn) -> Option<usize> {
        (tsn >= self.first).then(|| self.first.distance_to(tsn) as usize)
    }

    pub(crate) fn get(&self, tsn: Tsn) -> Option<&Chunk> {
        self.chunks.get(self.index(tsn)?)
    }

    fn get_mut(&mut self, tsn: Tsn) -> Option<&mut Chunk> {
        let index = self.index(tsn)?;
        self.chunks.get_mut(index)
    }

    /// Whether there is room for what loss brings.
    pub(crate) const fn is_prepared(&self) -> bool {
        self.until_prepared == 0
    }

    /// Asked now and then: if nothing was sent since, gives back what is kept for more. Whether it did.
    pub(crate) fn rest(&mut self) -> bool {
        let rests = !std::mem::take(&mut self.is_busy) && self.chunks.is_empty();
        if rests {
            self.until_prepared = PREPARED_AFTER;
            self.chunks = VecDeque::new();
            self.resend.release();
        }
        rests
    }

    fn prepare(&mut self) {
        self.until_prepared = self.until_prepared.saturating_sub(1);
        if self.until_prepared == 0 {
            self.chunks.reserve(CHUNKS_EXPECTED);
            self.resend.prepare();
        }
    }

    /// Takes a chunk that is sent now, or one that is `Abandoned` from the beginning.
    #[inline]
    pub(crate) fn push(&mut self, chunk: Chunk) -> Tsn {
        self.is_busy = true;
        if !self.is_prepared() {
            self.prepare();
        }
        let tsn = self.next_tsn();
        self.len += chunk.len();
        if chunk.state == ChunkState::InFlight {
            self.flight.add(chunk.len());
        }
        let to_previous = chunk.to_previous;
        if to_previous > 0
            && let Some(previous) = self.get_mut(tsn.minus(to_previous.into()))
        {
            previous.to_next = to_previous;
        }
        self.chunks.push_back(chunk);
        tsn
    }

    /// Removes everything up to `cumulative`.
    pub(crate) fn ack_up_to(&mut self, cumulative: Tsn, arrived: &mut Arrived) {
        while self.first <= cumulative
            && let Some(chunk) = self.chunks.pop_front()
        {
            match chunk.state {
                ChunkState::InFlight => self.flight.remove(chunk.len()),
                ChunkState::Lost => _ = self.resend.remove(&self.first),
                ChunkState::Acked | ChunkState::Abandoned => {}
            }
            if matches!(chunk.state, ChunkState::InFlight | ChunkState::Lost) {
                arrived.add(&chunk, self.format);
            }
            self.len -= chunk.len();
            self.first = self.first.next();
        }
    }

    /// A gap ack block tells that this chunk has arrived; returns how many bytes were not yet known to have.
    pub(crate) fn ack(&mut self, tsn: Tsn, arrived: &mut Arrived) -> usize {
        let format = self.format;
        let Some(chunk) = self.get_mut(tsn) else { return 0 };
        let (len, size, state) = (chunk.len(), chunk.size(format), chunk.state);
        if matches!(state, ChunkState::InFlight | ChunkState::Lost) {
            arrived.add(chunk, format);
        }
        match state {
            ChunkState::Acked | ChunkState::Abandoned => return 0,
            ChunkState::InFlight => {
                chunk.state = ChunkState::Acked;
                self.flight.remove(len);
            }
            ChunkState::Lost => {
                chunk.state = ChunkState::Acked;
                self.resend.remove(&tsn);
            }
        }
        size
    }

    /// A SACK tells that the chunk is missing though `later` packets sent after it have arrived. True if it is lost.
    //
    // RFC 9260 §7.2.4: "When the third consecutive miss indication is received for one or more TSNs, the data sender does
    // the following: […] Mark the DATA chunk(s) with three miss indications for retransmission." A SACK may stand for a
    // batch, so it counts as often as there are packets of later data that it brings news of (RFC 6675 §4, IsLost).
    pub(crate) fn miss(&mut self, tsn: Tsn, later: usize) -> bool {
        let Some(chunk) = self.get_mut(tsn) else { return false };
        if chunk.state != ChunkState::InFlight || chunk.is_fast_retransmitted {
            return false;
        }
        chunk.misses = chunk.misses.saturating_add(u8::try_from(later.max(1)).unwrap_or(u8::MAX));
        let is_lost = chunk.misses >= 3;
        chunk.is_fast_retransmitted = is_lost;
        is_lost
    }

    /// The chunk is not on its way any more, and is to be sent again. `false`: its message is given up instead.
    pub(crate) fn lose(&mut self, tsn: Tsn, now: Instant, may_give_up: bool) -> bool {
        let Some(chunk) = self.get_mut(tsn) else { return true };
        let (len, state) = (chunk.len(), chunk.state);
        if may_give_up && chunk.is_over(now) {
            return false;
        }
        chunk.state = ChunkState::Lost;
        if state == ChunkState::InFlight {
            self.flight.remove(len);
        }
        self.resend.insert(tsn, ());
        true
    }

    /// The first chunk that is to be sent again.
    pub(crate) fn next_lost(&self) -> Option<(Tsn, &Chunk)> {
        let &(tsn, ()) = self.resend.first()?;
        Some((tsn, self.get(tsn)?))
    }

    /// Whether another one waits behind it.
    pub(crate) const fn has_more_lost(&self) -> bool {
        self.resend.len() > 1
    }

    pub(crate) fn is_over(&self, tsn: Tsn, now: Instant) -> bool {
        self.get(tsn).is_some_and(|chunk| chunk.lifetime.expires.is_some_and(|at| at <= now))
    }

    /// Whether it is this departure of the chunk that is on its way.
    pub(crate) fn is_on_its_way(&self, tsn: Tsn, departure: u64) -> bool {
        self.get(tsn).is_some_and(|chunk| chunk.state == ChunkState::InFlight && chunk.departure == departure)
    }

    /// A lost chunk is on its way again.
    pub(crate) fn resent(&mut self, tsn: Tsn, departure: u64) {
        self.resend.remove(&tsn);
        let Some(chunk) = self.get_mut(tsn) else { return };
        chunk.departure = departure;
        chunk.state = ChunkState::InFlight;
        chunk.retransmits = chunk.retransmits.saturating_add(1);
        chunk.misses = 0;
        let len = chunk.len();
        self.flight.add(len);
    }

    /// Gives up the whole message that the chunk is of. True if more of it has not been sent yet.
    pub(crate) fn abandon_message(&mut self, tsn: Tsn) -> bool {
        let mut at = tsn;
        while let Some(chunk) = self.get(at)
            && chunk.to_previous > 0
            && let previous = at.minus(chunk.to_previous.into())
            && previous >= self.first
        {
            at = previous;
        }
        loop {
            let Some(chunk) = self.get_mut(at) else { return true };
            let (len, state) = (chunk.len(), chunk.state);
            let (is_end, to_next) = (chunk.is(ENDING), chunk.to_next);
            chunk.state = ChunkState::Abandoned;
            match state {
                ChunkState::InFlight => self.flight.remove(len),
                ChunkState::Lost => _ = self.resend.remove(&at),
                ChunkState::Acked | ChunkState::Abandoned => {}
            }
            if is_end || to_next == 0 {
                return !is_end;
            }
            at = at.plus(to_next.into());
        }
    }

    pub(crate) fn invariants(&self) {
        let mut flight = Flight::default();
        let mut lost = 0;
        for chunk in &self.chunks {
            match chunk.state {
                ChunkState::InFlight => flight.add(chunk.len()),
                ChunkState::Lost => lost += 1,
                ChunkState::Acked | ChunkState::Abandoned => {}
            }
        }
        debug_assert_eq!(flight, self.flight);
        debug_assert_eq!(lost, self.resend.len());
        debug_assert_eq!(self.len, self.chunks.iter().map(Chunk::len).sum::<usize>());
    }
}
