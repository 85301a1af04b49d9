//! Answers for one asker alone, so many in a second (RFC 6762 §5.4, §6.7).

use crate::Name;
use crate::message::{HEADER_LEN, Question};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So many are sent in a second: whoever asks may say that they are somebody else, who is sent up to four times as much.
const PER_SECOND: u32 = 32;
/// So many wait to be sent.
const WAITING_MAX: usize = 32;
const SECOND: Duration = Duration::from_secs(1);
/// The longest thing that is said of a name: its address and that there is nothing else, and for a legacy asker its question.
pub(super) const ENTRY_LEN_MAX: usize = 44 + 4 + 12 + 16 + 12 + 44 + 6;
/// So many names are told in one answer, which has 576 bytes at most as any path takes.
pub(super) const NAMES_MAX: usize = (548 - HEADER_LEN) / ENTRY_LEN_MAX;

/// An answer that is owed.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) link: SocketAddr,
    pub(super) to: SocketAddr,
    /// Of a query that is of no multicast DNS: its id.
    pub(super) legacy: Option<u16>,
    pub(super) questions: Vec<Question>,
}

/// The answers that are owed, and how many were in this second.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: VecDeque<Reply>,
    second: Option<(Instant, u32)>,
}

impl Replies {
    /// Whether there is room for one more.
    pub(super) fn push(&mut self, reply: Reply, now: Instant) -> bool {
        let is_over = |(begin, _): &(Instant, u32)| now.saturating_duration_since(*begin) >= SECOND;
        let (begin, count) = self.second.filter(|second| !is_over(second)).unwrap_or((now, 0));
        if count >= PER_SECOND || self.waiting.len() >= WAITING_MAX {
            return false;
        }
        self.second = Some((begin, count.saturating_add(1)));
        self.waiting.push_back(reply);
        true
    }

    pub(super) fn pop(&mut self) -> Option<Reply> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A link or a name is gone.
    pub(super) fn retain(&mut self, is_kept: impl Fn(SocketAddr, &Name) -> bool) {
        self.waiting.retain_mut(|reply| {
            reply.questions.retain(|question| is_kept(reply.link, &question.name));
            !reply.questions.is_empty()
        });
    }
}
