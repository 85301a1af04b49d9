//! Streams that were accepted, until their first packet says whose they are (RFC 6544 §7.2).
//!
//! A stream is told by its first packet, a check whose USERNAME names a connection. Until then it has no owner, and what it may hold is
//! bounded: in bytes, in time, and in number, of which the oldest makes room.

use crate::transport::CHECK_LEN_MAX;
use std::collections::BTreeMap;
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
    number: u64,
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
    /// In the order of their coming.
    order: BTreeMap<u64, Path>,
    next_number: u64,
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
            let number = self.next_number;
            self.next_number = number.wrapping_add(1);
            self.order.insert(number, path);
            self.waiting.insert(path, Waiting { number, bytes: Vec::new(), until: now.checked_add(PATIENCE) });
        }
        let Some(waiting) = self.waiting.get_mut(&path) else { return (Verdict::Refuse, gone) };
        if bytes.len() > waiting.room() {
            waiting.forget_repetitions();
        }
        if bytes.len() > waiting.room() {
            return (Verdict::Refuse, gone);
        }
        waiting.bytes.extend_from_slice(bytes);
        (waiting.verdict(), gone)
    }

    /// What has come of it, which is somebody's now.
    pub(super) fn take(&mut self, path: Path) -> Option<Vec<u8>> {
        let waiting = self.waiting.remove(&path)?;
        self.order.remove(&waiting.number);
        Some(waiting.bytes)
    }

    pub(super) fn forget(&mut self, path: Path) {
        self.take(path);
    }

    /// The streams that ask for this connection.
    pub(super) fn find(&self, ufrag: &str) -> Vec<Path> {
        let is_for = |waiting: &Waiting| matches!(waiting.verdict(), Verdict::For(name) if name == ufrag);
        self.waiting.iter().filter(|(_, waiting)| is_for(waiting)).map(|(path, _)| *path).collect()
    }

    fn oldest(&self) -> Option<Path> {
        self.order.first_key_value().map(|(_, path)| *path)
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
}

impl Waiting {
    /// How much more is kept: a check, and one that has begun.
    const fn room(&self) -> usize {
        (2 * (HEADER_LEN + CHECK_LEN_MAX)).saturating_sub(self.bytes.len())
    }

    /// Browsers check again until they are answered: the first check is kept, and what has come of the last.
    fn forget_repetitions(&mut self) {
        let (first, mut last) = (self.frame_end(0), 0);
        while let Some(end) = self.frame_end(last) {
            last = end;
        }
        if let Some(first) = first {
            self.bytes.drain(first..last);
        }
    }

    /// Where the frame ends that begins here, if it is whole.
    fn frame_end(&self, start: usize) -> Option<usize> {
        let (head, packet) = self.bytes.get(start..)?.split_first_chunk::<HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes(*head));
        (len <= packet.len()).then_some(start + HEADER_LEN + len)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Protocol;

    fn path(number: u16) -> Path {
        let [local, remote] = [(1, 443), (2, 2000 + number)].map(|(host, port)| ([10, 0, 0, host], port).into());
        Path { protocol: Protocol::Tcp, local, remote }
    }

    #[test]
    fn whoever_comes_again_and_again_keeps_nobody_else_there() {
        let (mut accepted, begin) = (Accepted::default(), wigwag_sim::origin());
        let at = |seconds| begin + Duration::from_secs(seconds);
        (0..3).for_each(|number| assert_eq!(accepted.read(path(number), &[0], at(0)), (Verdict::Wait, None)));
        for seconds in 1..=9 {
            accepted.forget(path(1));
            assert_eq!(accepted.read(path(1), &[0], at(seconds)), (Verdict::Wait, None));
        }
        assert_eq!(accepted.deadline(), Some(at(10)));
        let gone: Vec<_> = std::iter::from_fn(|| accepted.expire(at(10))).collect();
        assert_eq!(gone, [path(0), path(2)]);
        assert_eq!((accepted.deadline(), accepted.expire(at(18))), (Some(at(19)), None));
        assert_eq!(accepted.expire(at(19)), Some(path(1)));
        assert_eq!((accepted.deadline(), accepted.order.len()), (None, 0));
    }
}
