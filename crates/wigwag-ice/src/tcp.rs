//! Candidates over TCP (RFC 6544): who opens a stream, what it is called, and when it is closed.
//!
//! A passive candidate is where somebody listens, and an active one where streams are opened from: each pair of an active and a passive
//! candidate is one stream. Whoever opens it names it: the port of its local address is drawn here, once for each stream, and means
//! nothing to the network. What travels inside are whole packets: framing (RFC 4571) is done around the agent, by [`Deframer`](crate::Deframer).
//!
//! A stream is closed when its pair has come to nothing, or the generation that it belongs to has.

use crate::agent::Agent;
use crate::candidate::Candidate;
use crate::consent;
use crate::pair::{PairId, PairState, Path};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use tracing::debug;
use wigwag_sansio::{Protocol, earliest};

/// RFC 6544 §4.5: an active candidate has no port to tell, and tells that which discards what it gets.
pub(crate) const DISCARD_PORT: u16 = 9;
/// The ports that name streams; no system gives them to a socket that did not ask, so they are told apart from those of sockets by sight.
const NAMES: std::ops::RangeInclusive<u16> = 1024..=32_767;

/// Who opens the stream (RFC 6544 §4.5). Simultaneous opening is not used: no browser does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpType {
    /// This side opens it.
    Active,
    /// The other side does: this one listens.
    Passive,
}

impl TcpType {
    /// RFC 6544 §4.2: of what is open to the network itself, 6 for active candidates and 4 for passive ones; "local preference =
    /// (2^13) * direction-pref + other-pref".
    const fn direction_preference(self) -> u16 {
        match self {
            Self::Active => 6,
            Self::Passive => 4,
        }
    }

    /// The local preference of a candidate, the less the more others there are (RFC 6544 §4.2).
    pub(crate) fn local_preference(self, others: u16) -> u16 {
        (self.direction_preference() << 13) | 0x1FFF_u16.saturating_sub(others)
    }
}

/// So many streams that no pair has are kept, as of whoever was told that both are controlling: those heard of last.
const STRAYS_MAX: usize = 32;

/// What a stream is open for.
enum Use {
    /// A pair that works or is tried.
    Pair,
    /// What was heard there lately; it ends here.
    Heard(Instant),
    /// A check that made no pair, and may be made again; it ends here.
    Stray(Instant),
    Nothing,
}

/// The streams that there are.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// And when something authentic was last sent or heard there.
    open: BTreeMap<Path, Instant>,
    closing: VecDeque<Path>,
    next_name: u16,
}

impl Streams {
    pub(crate) fn is_open(&self, path: Path) -> bool {
        self.open.contains_key(&path)
    }

    /// Something was sent, or heard that is authentic.
    pub(crate) fn note(&mut self, path: Path, now: Instant) {
        if path.protocol != Protocol::Udp {
            self.closing.retain(|closing| *closing != path); // it is of use again
            self.open.insert(path, now);
        }
    }

    /// It is no more, and needs no end of ours.
    pub(crate) fn forget(&mut self, path: Path) {
        self.open.remove(&path);
        self.closing.retain(|closing| *closing != path);
    }

    /// The next to be closed.
    pub(crate) fn close(&mut self) -> Option<Path> {
        self.closing.pop_front()
    }

    pub(crate) fn owes(&self) -> bool {
        !self.closing.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closing.is_empty()
    }

    /// All are to be closed.
    pub(crate) fn end(&mut self) {
        self.closing.extend(std::mem::take(&mut self.open).into_keys());
    }
}

fn is_active(candidate: &Candidate) -> bool {
    candidate.tcp_type == Some(TcpType::Active)
}

impl Agent {
    /// Whether this stream was opened by us, or an authenticated request came on it, and it is not closed yet. Whoever accepts streams
    /// asks after the first packet whether it was of use.
    pub fn has_stream(&self, path: Path) -> bool {
        self.streams.is_open(path.normal())
    }

    /// Whether there are streams that are open, or are still to be closed.
    pub fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Whether packets that arrive here are ours.
    pub(crate) fn has_base(&self, path: Path) -> bool {
        self.receives(path).is_some() || path.protocol == Protocol::Tcp && self.streams.is_open(path)
    }

    /// The candidate that is reached there, by its number. What an active one sends from has the name of its pair alone.
    pub(crate) fn receives(&self, path: Path) -> Option<usize> {
        self.local_candidates.iter().position(|known| {
            let is_reached = known.base == path.local && known.protocol == path.protocol;
            is_reached && known.tcp_type != Some(TcpType::Active) && known.kind != crate::Kind::PeerReflexive
        })
    }

    /// The path of a new pair of these. `None` if they cannot reach each other, or have a pair.
    pub(crate) fn new_stream(&mut self, local: usize, remote: usize) -> Option<Path> {
        let (from, to) = self.local_candidates.get(local).zip(self.remote_candidates.get(remote))?;
        let (from, to) = (from.base, crate::candidate::reachable(from.base, to.address)?);
        let is_there = self.list.iter().any(|(_, pair)| (pair.local, pair.remote) == (local, remote));
        if is_there { None } else { Some(self.name(from, to)) }
    }

    /// A name that no stream has.
    fn name(&mut self, mut local: SocketAddr, remote: SocketAddr) -> Path {
        loop {
            let port = self.streams.next_name.max(*NAMES.start());
            self.streams.next_name = if port >= *NAMES.end() { 0 } else { port.saturating_add(1) };
            local.set_port(port);
            let path = Path { protocol: Protocol::Tcp, local, remote };
            let is_used = self.list.find(path).is_some() || self.receives(path).is_some();
            if !is_used && !self.streams.is_open(path) && !self.streams.closing.contains(&path) {
                return path; // there are many more names than pairs
            }
        }
    }

    /// It was closed by the peer, or could not be opened.
    pub(crate) fn stream_ended(&mut self, path: Path, now: Instant) {
        self.streams.forget(path);
        self.answers.forget_stream(path);
        self.forget_early(path);
        let was_old_in_use = self.old_in_use().is_some_and(|previous| previous.path == path);
        self.previous = self.previous.take().filter(|previous| previous.path != path);
        let pair = self.list.find(path);
        let was_in_use = was_old_in_use || pair.is_some() && self.selected == pair;
        if let Some(id) = pair
            && !self.open_again(id, now)
        {
            self.fail_pair(id, "its stream has ended");
            self.give_up_stream(id);
        }
        self.search_elsewhere(was_in_use);
    }

    /// A check that we have opened the stream for is not answered yet, or not sent: after a while it is tried with another. Whoever is
    /// without a network for a moment cannot open any.
    fn open_again(&mut self, id: PairId, now: Instant) -> bool {
        let Some(pair) = self.list.get(id) else { return false };
        let is_tried = match pair.state {
            PairState::Waiting | PairState::InProgress(_) => pair.valid.is_none(),
            PairState::Frozen | PairState::Succeeded | PairState::Failed => false,
        };
        if !is_tried || !self.local_candidates.get(pair.local).is_some_and(is_active) {
            return false;
        }
        self.list.update(id, |pair| {
            if let PairState::InProgress(check) = &mut pair.state {
                check.stream_ended(now);
            }
        });
        self.give_up_stream(id);
        true
    }

    /// The stream of a pair is no more. One that we have opened may be opened again, by another name; the peer's is the past.
    fn give_up_stream(&mut self, id: PairId) {
        let Some(pair) = self.list.get(id) else { return };
        let (local, remote) = (pair.path.local, pair.path.remote);
        if self.local_candidates.get(pair.local).is_some_and(is_active) {
            let name = self.name(local, remote);
            self.list.rename(id, name);
            // Only the check that is sent again is asked there; what comes late on the old stream says nothing of the new one.
            let awaits = |transaction| self.list.get(id).is_some_and(|pair| pair.awaits(transaction));
            self.transactions.rename(id, name, awaits);
        } else {
            self.remove_pairs(|pair| pair.path == (Path { protocol: Protocol::Tcp, local, remote }));
        }
    }

    /// What nobody needs any more is closed; returns when there may be more of it.
    pub(crate) fn close_streams(&mut self, now: Instant) -> Option<Instant> {
        let (mut unused, mut strays, mut next) = (Vec::new(), BTreeSet::new(), None);
        for (path, noted) in &self.streams.open {
            match self.use_of(*path, *noted) {
                Use::Pair => {}
                Use::Heard(until) if now < until => next = earliest([next, Some(until)]),
                Use::Stray(until) if now < until => _ = strays.insert((until, *path)),
                Use::Heard(_) | Use::Stray(_) | Use::Nothing => unused.push(*path),
            }
        }
        while strays.len() > STRAYS_MAX {
            unused.extend(strays.pop_first().map(|(_, path)| path));
        }
        for path in unused {
            self.streams.open.remove(&path);
            self.streams.closing.push_back(path);
            self.answers.forget_stream(path);
            debug!(?path, "stream closed");
            if let Some(id) = self.list.find(path) {
                self.give_up_stream(id);
            }
        }
        earliest([next, strays.first().map(|(until, _)| *until)])
    }

    fn use_of(&self, path: Path, noted: Instant) -> Use {
        if self.previous.as_ref().is_some_and(|previous| previous.path == path) || self.is_open_early(path) {
            return Use::Pair;
        }
        let Some(pair) = self.list.find(path).and_then(|id| self.list.get(id)) else {
            let until = noted.checked_add(consent::EXPIRY).filter(|_| self.receives(path).is_some());
            return until.map_or(Use::Nothing, Use::Stray);
        };
        let is_tried = match pair.state {
            PairState::Waiting | PairState::InProgress(_) => !self.config.lite,
            PairState::Frozen | PairState::Succeeded | PairState::Failed => false,
        };
        if is_tried || pair.valid.is_some() {
            return Use::Pair;
        }
        pair.heard.and_then(|at| at.checked_add(consent::EXPIRY)).map_or(Use::Nothing, Use::Heard)
    }
}
