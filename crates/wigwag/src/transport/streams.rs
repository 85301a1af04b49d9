//! ICE over TCP: packets out of streams and into them (RFC 4571, RFC 6544).
//!
//! ICE names the streams that it opens, and says when one is to be closed. Streams of others come as input: whoever does not begin with an
//! authentic check for this connection is a stranger, and its stream is closed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wigwag_ice::{Agent, Deframer, FRAME_LEN_MAX, Path};
use wigwag_sansio::Transmit;

/// So many streams of strangers are read at a time; of more, the oldest makes room: whoever is none says it at once.
const STRANGERS_MAX: usize = 8;
/// What a check has room in, in bytes: no request of STUN is longer than what fits the path of any network (RFC 8489 §6.1).
pub(crate) const CHECK_LEN_MAX: usize = 1500;

/// What has come of each stream and is no whole packet yet, and which are to be closed.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_path: BTreeMap<Path, Deframer>,
    /// Those that were strangers' when they came, in turn; some may be gone, or none any more.
    strangers: VecDeque<Path>,
    closing: BTreeSet<Path>,
}

impl Streams {
    /// Whoever reads the next bytes of a stream takes this, with the length that no packet exceeds, and puts it back. `None` if it is to be
    /// closed. Says who made room.
    pub(super) fn take(&mut self, path: Path, ice: &Agent) -> (Option<(Deframer, usize)>, Option<Path>) {
        if ice.has_stream(path) {
            return (Some((self.by_path.remove(&path).unwrap_or_default(), FRAME_LEN_MAX)), None);
        }
        if self.closing.contains(&path) {
            return (None, None);
        }
        let known = self.by_path.remove(&path);
        let gone = if known.is_none() { self.make_room(path, ice) } else { None };
        (Some((known.unwrap_or_default(), CHECK_LEN_MAX)), gone)
    }

    /// One more stranger comes.
    fn make_room(&mut self, path: Path, ice: &Agent) -> Option<Path> {
        self.strangers.retain(|known| self.by_path.contains_key(known) && !ice.has_stream(*known) && *known != path);
        let gone = if self.strangers.len() >= STRANGERS_MAX { self.strangers.pop_front() } else { None };
        gone.into_iter().for_each(|gone| self.close(gone));
        self.strangers.push_back(path);
        gone
    }

    pub(super) fn put_back(&mut self, path: Path, deframer: Deframer) {
        self.by_path.insert(path, deframer);
    }

    /// It is to be closed.
    pub(super) fn close(&mut self, path: Path) {
        self.by_path.remove(&path);
        self.closing.insert(path);
    }

    /// It is closed.
    pub(super) fn forget(&mut self, path: Path) {
        self.by_path.remove(&path);
        self.closing.remove(&path);
    }

    /// All that are read are to be closed.
    pub(super) fn end(&mut self) {
        self.closing.extend(std::mem::take(&mut self.by_path).into_keys());
    }

    /// What closes the next one.
    pub(super) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let Path { protocol, local, remote } = self.closing.pop_first()?;
        out.clear();
        Some(Transmit { protocol, ..Transmit::udp(local, remote, 1) })
    }

    pub(super) fn owes(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_path.is_empty() && self.closing.is_empty()
    }
}
