//! Which packets of each source arrived, until the peer is told (RFC 8888 §3.1).

use crate::record::{LATE_MAX, Record};
use crate::rtcp::congestion_control_feedback::Writer;
use crate::rtcp::{ArrivalTimeOffset, Reception};
use crate::time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wigwag_sansio::Ecn;

/// So many sources are reported on, those of retransmissions included.
const SOURCES_MAX: usize = 1024;
/// A source that was silent for so long makes room for another.
const SILENCE: Duration = Duration::from_secs(10);
/// So many packets of one source may wait to be reported; a feedback interval of 100 Mbit/s.
const LEN_MAX: usize = 1024;
/// So many of one source find room from the beginning: those of a feedback interval of 12 Mbit/s, and those that are kept.
const LEN_EXPECTED: usize = 3 * LATE_MAX as usize;
/// So many are held of all sources together, and one more of each.
const HELD_MAX: usize = SOURCES_MAX * LEN_EXPECTED;

/// Which packets arrived, when and with what mark.
#[derive(Debug, Default)]
pub(crate) struct StreamArrivals {
    sources: BTreeMap<u32, Source>,
    /// Those of which something is to be told, each once.
    waiting: VecDeque<u32>,
    /// How many packets are in all records.
    held: usize,
    /// When those were last looked for that are silent, if there were too many sources.
    swept: Option<Duration>,
}

#[derive(Debug)]
struct Source {
    record: Record<Arrival>,
    is_waiting: bool,
    last: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// Since the session began.
    elapsed: Duration,
    ecn: Ecn,
}

impl Arrival {
    /// As it is told at a time.
    fn told(self, elapsed: Duration) -> Reception {
        let offset = ArrivalTimeOffset::before(time::short(elapsed.saturating_sub(self.elapsed)));
        Reception { ecn: self.ecn, offset }
    }

    // RFC 8888 §3.1: "If duplicate copies of a particular RTP packet are received, then the arrival time of the first copy to arrive MUST be
    // reported. If any of the copies of the duplicated packet are ECN-CE marked, then an ECN-CE mark MUST be reported for that packet;
    // otherwise, the ECN mark of the first copy to arrive is reported."
    /// Another copy came. Returns whether that is news.
    fn copied(&mut self, ecn: Ecn) -> bool {
        let is_news = ecn == Ecn::Ce && self.ecn != Ecn::Ce;
        if is_news {
            self.ecn = ecn;
        }
        is_news
    }
}

impl StreamArrivals {
    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many packets it holds, and may.
    pub(crate) const fn load(&self) -> (usize, usize) {
        (self.held, HELD_MAX + SOURCES_MAX)
    }

    /// How many sources it knows, and may.
    pub(crate) fn sources(&self) -> (usize, usize) {
        (self.sources.len(), SOURCES_MAX)
    }

    /// A packet arrived, so long after the session began. Returns whether there was none to report before.
    pub(crate) fn add(&mut self, ssrc: u32, sequence: u16, ecn: Ecn, elapsed: Duration) -> bool {
        if !self.sources.contains_key(&ssrc) && !self.has_room(elapsed) {
            return false;
        }
        let was_empty = self.is_empty();
        let new = || Source { record: Record::new(LEN_MAX, LEN_EXPECTED), is_waiting: false, last: elapsed };
        let source = self.sources.entry(ssrc).or_insert_with(new);
        source.last = elapsed;
        let before = source.record.len();
        source.record.add(sequence, Arrival { elapsed, ecn }, |known| known.copied(ecn));
        if self.held - before + source.record.len() > HELD_MAX {
            source.record.keep_last();
        }
        self.held = self.held - before + source.record.len();
        if !source.record.is_empty() && !std::mem::replace(&mut source.is_waiting, true) {
            self.waiting.push_back(ssrc);
        }
        was_empty && !self.is_empty()
    }

    /// Whether there is room for one more source, perhaps after silent ones had to go. That none is silent is found out once, not by each
    /// packet of a flood.
    fn has_room(&mut self, elapsed: Duration) -> bool {
        let is_silent = |since: Duration| elapsed.saturating_sub(since) >= SILENCE;
        if self.sources.len() >= SOURCES_MAX && self.swept.is_none_or(is_silent) {
            self.swept = Some(elapsed);
            self.sources.retain(|_, source| source.is_waiting || !is_silent(source.last));
            self.held = self.sources.values().map(|source| source.record.len()).sum();
        }
        self.sources.len() < SOURCES_MAX
    }

    /// Appends a report of at most `room` bytes about as many packets as it can hold, or changes nothing; `report_timestamp` is the time
    /// that is so long after the session began.
    // RFC 8888 §3.1: who has more to say than finds room in a packet says it in several.
    pub(crate) fn write(
        &mut self,
        sender_ssrc: u32,
        (elapsed, report_timestamp): (Duration, u32),
        room: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.is_empty() {
            return false;
        }
        let Some(mut writer) = Writer::begin(sender_ssrc, room, out) else { return false };
        while let Some(ssrc) = self.waiting.front() {
            let capacity = writer.capacity();
            let Some(source) = self.sources.get_mut(ssrc).filter(|_| capacity > 0) else { break };
            let record = &mut source.record;
            let (begin, before) = (record.base() as u16, record.len());
            let told = record.untold().take(capacity).map(|arrival| arrival.map(|arrival| arrival.told(elapsed)));
            let count = told.len();
            writer.stream(*ssrc, begin, told);
            record.tell(count);
            self.held = self.held - before + record.len();
            if !record.is_empty() {
                break;
            }
            source.is_waiting = false;
            self.waiting.pop_front();
        }
        writer.end(report_timestamp);
        true
    }

    /// Whether what is counted, and who waits, is so.
    pub(crate) fn is_consistent(&self) -> bool {
        let held: usize = self.sources.values().map(|source| source.record.len()).sum();
        let waiting = self.sources.values().filter(|source| source.is_waiting).count();
        let waits =
            |ssrc: &u32| self.sources.get(ssrc).is_some_and(|source| source.is_waiting && !source.record.is_empty());
        held == self.held && waiting == self.waiting.len() && self.waiting.iter().all(waits)
    }
}
