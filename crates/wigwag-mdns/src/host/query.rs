//! A name that somebody wants to know the address of: asked for on each link, again and again (RFC 6762 §5.2).
//!
//! ```text
//! Owed ──sent──▶ Waiting ──time──▶ Owed … ──time, and often enough──▶ Done
//! ```

use crate::config::Config;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Timer, earliest};

/// How far it is on one link.
#[derive(Debug)]
enum Ask {
    /// The question is to be sent, after so many.
    Owed { sent: u32 },
    /// The question was sent so often.
    Waiting { sent: u32, timer: Timer },
    /// Nobody there has answered.
    Done,
}

/// A name that is asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// When it is given up; idle until somebody tells the time.
    ends: Timer,
    asks: BTreeMap<SocketAddr, Ask>,
}

impl Query {
    /// Takes note of the time and of the links that there are; whether it has come to its end.
    pub(super) fn is_over(&mut self, config: &Config, links: impl Iterator<Item = SocketAddr>, now: Instant) -> bool {
        if !self.ends.is_armed() {
            self.ends = Timer::after(now, config.patience());
        }
        for link in links {
            self.asks.entry(link).or_insert(Ask::Owed { sent: 0 });
        }
        for ask in self.asks.values_mut() {
            if let Ask::Waiting { sent, timer } = ask
                && timer.expire(now)
            {
                *ask = if *sent < config.attempts() { Ask::Owed { sent: *sent } } else { Ask::Done };
            }
        }
        self.ends.expire(now)
    }

    pub(super) fn remove_link(&mut self, link: SocketAddr) {
        self.asks.remove(&link);
    }

    /// Whether it is to be asked on this link, and how often it was before.
    pub(super) fn owed(&self, link: SocketAddr) -> Option<u32> {
        match self.asks.get(&link) {
            Some(Ask::Owed { sent }) => Some(*sent),
            Some(Ask::Waiting { .. } | Ask::Done) | None => None,
        }
    }

    pub(super) fn is_owed(&self) -> bool {
        self.asks.values().any(|ask| matches!(ask, Ask::Owed { .. }))
    }

    /// RFC 6762 §5.2: "... the interval between the first two queries MUST be at least one second, the intervals between
    /// successive queries MUST increase by at least a factor of two": counted from when it has left.
    pub(super) fn sent(&mut self, link: SocketAddr, now: Instant) {
        if let Some(ask) = self.asks.get_mut(&link)
            && let Ask::Owed { sent } = *ask
        {
            let sent = sent.saturating_add(1);
            *ask = Ask::Waiting { sent, timer: Timer::after(now, Config::interval(sent)) };
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timers = self.asks.values().map(|ask| match ask {
            Ask::Waiting { timer, .. } => timer.deadline(),
            Ask::Owed { .. } | Ask::Done => None,
        });
        earliest(timers.chain([self.ends.deadline()]))
    }
}
