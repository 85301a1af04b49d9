//! Streams that were accepted, until their first packet says whose they are (RFC 6544 §7.2).
//!
//! A stream is told by its first packet, a check whose USERNAME names a connection. Until then it has no owner, and what it may hold is
//! bounded: in bytes, in time, and in number, of which the oldest makes room.

use crate::transport::CHECK_LEN_MAX;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_ice::{Deframer, HEADER_LEN, Path, Peek, peek};

/// So many are waited for.
const WAITING_MAX: usize = 256;
/// So long. Whoever opens a stream checks at once; what its check waits for may be an application that makes a connection of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has come of a stream that is nobody's yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    until: Option<Instant>,
}

/// What is to be done about a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its first packet is not whole.
    Wait,
    /// It asks for the connection of this name.
    For(String),
    /// It makes no sense.
    Refuse,
}

/// The streams that wait, and whom connections listen for.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    listeners: Vec<SocketAddr>,
    waiting: BTreeMap<Path, Waiting>,
    /// In the order of their coming; some may be gone.
    order: VecDeque<Path>,
}

impl Accepted {
    /// Streams are accepted here.
    pub(super) fn listen(&mut self, address: SocketAddr) {
        if !self.is_listener(address) {
            self.listeners.push(address);
        }
    }

    /// None are any more; those that waited are to be closed.
    pub(super) fn unlisten(&mut self, address: SocketAddr) -> Vec<Path> {
        self.listeners.retain(|known| *known != address);
        let gone: Vec<Path> = self.waiting.keys().copied().filter(|path| path.local == address).collect();
        gone.iter().for_each(|path| self.forget(*path));
        gone
    }

    pub(super) fn is_listener(&self, address: SocketAddr) -> bool {
        self.listeners.contains(&address)
    }

    /// The next bytes of a stream that is nobody's: the verdict, and whom it has taken the place of.
    pub(super) fn read(&mut self, path: Path, bytes: &[u8], now: Instant) -> (Verdict, Option<Path>) {
        let mut gone = None;
        if !self.waiting.contains_key(&path) {
            if self.waiting.len() >= WAITING_MAX {
                gone = self.oldest().inspect(|oldest| self.forget(*oldest));
            }
            self.order.push_back(path);
            self.waiting.insert(path, Waiting { bytes: Vec::new(), until: now.checked_add(PATIENCE) });
        }
        let Some(waiting) = self.waiting.get_mut(&path) else { return (Verdict::Refuse, gone) };
        // Whoever has said more than a check before an answer came says nothing that is kept.
        let room = (2 * (HEADER_LEN + CHECK_LEN_MAX)).saturating_sub(waiting.bytes.len());
        if bytes.len() > room {
            return (Verdict::Refuse, gone);
        }
        waiting.bytes.extend_from_slice(bytes);
        (waiting.verdict(), gone)
    }

    /// What has come of it, which is somebody's now.
    pub(super) fn take(&mut self, path: Path) -> Option<Vec<u8>> {
        let bytes = self.waiting.remove(&path).map(|waiting| waiting.bytes);
        self.tidy();
        bytes
    }

    pub(super) fn forget(&mut self, path: Path) {
        self.take(path);
    }

    /// The next stream that asks for this connection.
    pub(super) fn find(&self, ufrag: &str) -> Option<Path> {
        let is_for = |waiting: &Waiting| matches!(waiting.verdict(), Verdict::For(name) if name == ufrag);
        self.waiting.iter().find(|(_, waiting)| is_for(waiting)).map(|(path, _)| *path)
    }

    fn oldest(&self) -> Option<Path> {
        self.order.iter().find(|path| self.waiting.contains_key(path)).copied()
    }

    /// The next one that was waited for for too long.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Path> {
        let overdue = self.oldest().filter(|path| self.deadline_of(*path).is_some_and(|at| at <= now))?;
        self.forget(overdue);
        Some(overdue)
    }

    /// When [`expire`](Self::expire) has something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline_of(self.oldest()?)
    }

    fn deadline_of(&self, path: Path) -> Option<Instant> {
        self.waiting.get(&path)?.until
    }

    fn tidy(&mut self) {
        while self.order.front().is_some_and(|path| !self.waiting.contains_key(path)) {
            self.order.pop_front();
        }
        if self.order.len() > 2 * WAITING_MAX {
            self.order.retain(|path| self.waiting.contains_key(path));
        }
    }
}

impl Waiting {
    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::Wait;
        let is_sensible = Deframer::default().read(&mut self.bytes.clone(), CHECK_LEN_MAX, |packet| {
            if verdict == Verdict::Wait {
                verdict = match peek(packet) {
                    Some(Peek::Request { ufrag, .. }) => Verdict::For(ufrag.to_owned()),
                    _ => Verdict::Refuse,
                };
            }
        });
        if is_sensible || verdict != Verdict::Wait { verdict } else { Verdict::Refuse }
    }
}
