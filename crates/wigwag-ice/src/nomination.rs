//! Which of the pairs that work is used (RFC 8445 §8).
//!
//! The controlling agent nominates the best pair as soon as no better one can be expected, and waits for better ones
//! only shortly: data flows before the nomination anyway, but other implementations wait for it. The controlled agent
//! obeys, also a peer that nominates early, often, or differently.

use crate::Role;
use crate::agent::Agent;
use crate::check::Purpose;
use crate::decision::Deed;
use crate::pair::{Nominated, PairId, Path};
use std::time::{Duration, Instant};
use tracing::debug;
use wigwag_stun::TransactionId;

/// A better pair is given at least this long, after the first that works.
const WAIT_MIN: Duration = Duration::from_millis(50);
/// A better pair is given at most this long, after the first that works.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// A pair without a relay is given this long: relays cost, and a path through a NAT opens only after some checks.
const WAIT_RELAYED: Duration = Duration::from_millis(600);
/// A peer that does not nominate a pair any more for so long, but another, means the other. libwebrtc nominates the
/// pair that it uses at least every 2.5 s.
const FORGOTTEN: Duration = Duration::from_secs(3);

/// How far the decision is.
#[derive(Debug, Default)]
pub(crate) enum Nomination {
    /// No pair works yet, or, of a controlled agent, none that was nominated.
    #[default]
    Idle,
    /// A pair works; better ones may come.
    Waiting { since: Instant },
    /// This pair is to be nominated.
    Owed(PairId),
    /// A check with USE-CANDIDATE awaits its answer.
    Asked(PairId),
    /// This pair was nominated.
    Done(PairId),
}

impl Nomination {
    /// The pair that is or will be nominated.
    pub(crate) const fn pair(&self) -> Option<PairId> {
        match self {
            Self::Idle | Self::Waiting { .. } => None,
            Self::Owed(id) | Self::Asked(id) | Self::Done(id) => Some(*id),
        }
    }
}

impl Agent {
    /// An authenticated response says that a pair works.
    pub(crate) fn pair_succeeded(&mut self, id: PairId, purpose: Purpose, role: Role, now: Instant) {
        match self.role {
            Role::Controlling if purpose == Purpose::Nomination && role == self.role => {
                let path = self.list.get(id).map(|pair| pair.path);
                debug!(?path, "nominated");
                self.note(Deed::Nominated, path, "by us: it works, and nothing better was to be expected");
                // Somebody who was told of another pair before may take one word for a late one: a change of mind is
                // told twice.
                self.nominations = self.nominations.wrapping_add(1);
                let is_told = !self.nominations.is_multiple_of(2);
                self.nomination = if is_told { Nomination::Done(id) } else { Nomination::Owed(id) };
                self.list.conclude(id, u64::MAX);
            }
            Role::Controlling => {
                if let Nomination::Idle = self.nomination {
                    self.nomination = Nomination::Waiting { since: now };
                }
            }
            Role::Controlled => self.elect(id, now),
        }
    }

    /// An authenticated request carried USE-CANDIDATE.
    pub(crate) fn nominated_by_peer(&mut self, id: PairId, transaction: TransactionId, now: Instant) {
        if self.role == Role::Controlling {
            return;
        }
        let current = self.nomination.pair().and_then(|current| self.list.get(current)).and_then(|pair| pair.nominated);
        self.list.update(id, |pair| {
            let is_repeated = pair.nominated.is_some_and(|earlier| {
                earlier.transaction != transaction && current.is_some_and(|current| earlier.at > current.at)
            });
            pair.nominated = Some(Nominated { at: now, transaction, is_repeated });
        });
        self.elect(id, now);
    }

    /// As controlled: takes the pair if the peer has nominated it, it works, and it is not worse than another.
    fn elect(&mut self, id: PairId, now: Instant) {
        let Some(pair) = self.list.get(id).filter(|pair| pair.is_valid(now)) else { return };
        let Some(nominated) = pair.nominated else { return };
        let current = self.nomination.pair().and_then(|current| self.list.get(current));
        let is_better = current.is_none_or(|current| {
            let is_forgotten = current.nominated.is_none_or(|last| now.saturating_duration_since(last.at) >= FORGOTTEN);
            // Of several nominated pairs the one of the highest priority is used, as by agents that nominate
            // everything (RFC 5245 §8.1.1.2).
            pair.priority > current.priority || !current.is_valid(now) || (is_forgotten && nominated.is_repeated)
        });
        if is_better {
            let (path, above) = (pair.path, pair.priority);
            debug!(?path, "nominated by the peer");
            self.note(Deed::Nominated, Some(path), "by the peer, and it works");
            self.nomination = Nomination::Done(id);
            self.list.conclude(id, above);
        }
    }

    /// What is not STUN has come this way, and was authentic: the path in use is not silent. A controlled agent that is told so of
    /// another answers where the peer sends, as long as that is a pair that the peer has nominated, and nominated later than the one in
    /// use: so it need not wait until the peer has repeated itself.
    pub fn data_received(&mut self, path: Path, now: Instant) {
        let path = path.normal();
        if self.selected_path() == Some(path) {
            return self.hear_data(path, now);
        }
        let found = self.list.find(path).filter(|_| self.role == Role::Controlled && !self.has_ended());
        let Some((id, pair)) = found.and_then(|id| Some((id, self.list.get(id)?))) else { return };
        let current =
            self.nomination.pair().filter(|current| *current != id).and_then(|current| self.list.get(current));
        let Some((nominated, current)) = pair.nominated.zip(current) else { return };
        let is_later = current.nominated.is_none_or(|last| nominated.at > last.at);
        if is_later && pair.valid.is_some() {
            debug!(?path, "the peer sends on another pair that it has nominated");
            let above = pair.priority;
            self.note(Deed::Nominated, Some(path), "by the peer, which sends on it");
            self.nomination = Nomination::Done(id);
            self.list.conclude(id, above);
            self.touch();
        }
    }

    pub(crate) fn nomination_failed(&mut self, id: PairId) {
        match self.nomination {
            Nomination::Owed(failed) | Nomination::Asked(failed) | Nomination::Done(failed) if failed == id => {
                self.restart_nomination();
            }
            Nomination::Idle
            | Nomination::Waiting { .. }
            | Nomination::Owed(_)
            | Nomination::Asked(_)
            | Nomination::Done(_) => {}
        }
    }

    pub(crate) fn restart_nomination(&mut self) {
        self.nomination = Nomination::Idle;
        self.list.reopen();
    }

    /// As controlling: decides, or says when to ask again.
    pub(crate) fn decide(&mut self, now: Instant) -> Option<Instant> {
        if self.role == Role::Controlled || self.config.lite {
            return None;
        }
        let Some(best) = self.list.best_valid() else {
            if let Nomination::Waiting { .. } = self.nomination {
                self.nomination = Nomination::Idle;
            }
            return None;
        };
        match self.nomination {
            Nomination::Idle => self.nomination = Nomination::Waiting { since: now },
            Nomination::Waiting { .. } => {}
            Nomination::Done(id) => return self.reconsider(id, now),
            Nomination::Owed(_) | Nomination::Asked(_) => return None,
        }
        let Nomination::Waiting { since } = self.nomination else { return None };
        let at = since.checked_add(self.nomination_wait(best)).unwrap_or(now);
        if at > now {
            return Some(at);
        }
        self.nomination = Nomination::Owed(best);
        None
    }

    /// The nominated pair is silent: if the peer uses another that works, it has lost its address, and we follow. Strictly
    /// (RFC 8445 §8.1.1) that takes a restart, which nobody can signal without a path.
    fn reconsider(&mut self, id: PairId, now: Instant) -> Option<Instant> {
        if !self.is_alive(id, now)
            && let Some(other) = self.list.valid().find(|other| self.is_alive(*other, now))
        {
            debug!("the nominated pair is silent, another is not");
            self.nomination = Nomination::Owed(other);
        }
        None
    }

    /// Whether something was heard of this pair lately.
    fn is_alive(&self, id: PairId, now: Instant) -> bool {
        let heard = self.list.get(id).and_then(|pair| pair.heard);
        heard.and_then(|heard| heard.checked_add(self.config.silence_max)).is_some_and(|silent_at| now < silent_at)
    }

    /// As controlled: another pair than the nominated one is used as long as only the other is heard of. The peer's NAT may
    /// give it another address, of which the peer knows nothing; and what it has nominated comes back when it is heard again.
    pub(crate) fn stand_in(&self, now: Instant) -> Option<PairId> {
        let nominated = self.nomination.pair().filter(|_| self.role == Role::Controlled && !self.config.lite)?;
        if self.is_alive(nominated, now) {
            return None;
        }
        self.list.valid().find(|other| *other != nominated && self.is_alive(*other, now))
    }

    /// How long to wait for something better than this pair.
    fn nomination_wait(&self, best: PairId) -> Duration {
        let Some(best) = self.list.get(best) else { return Duration::ZERO };
        let is_better_possible = self.list.is_better_possible(best.priority);
        let is_complete = self.has_all_candidates();
        match (best.is_relayed, is_better_possible) {
            (false, false) => Duration::ZERO,
            (true, false) if is_complete => Duration::ZERO,
            (true, _) => WAIT_RELAYED,
            (false, true) => {
                let round_trip_time = best.valid.and_then(|valid| valid.round_trip_time).unwrap_or_default();
                round_trip_time.saturating_mul(2).clamp(WAIT_MIN, WAIT_MAX)
            }
        }
    }

    /// Writes the check that nominates.
    pub(crate) fn write_nomination(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Path> {
        let Nomination::Owed(id) = self.nomination else { return None };
        self.nomination = Nomination::Asked(id);
        self.write_check(id, Purpose::Nomination, now, out)
    }

    /// Whether the nomination that was asked for is on its way.
    #[cfg(debug_assertions)]
    pub(crate) fn is_nomination_alive(&self) -> bool {
        match self.nomination {
            Nomination::Asked(id) => self.list.get(id).is_some_and(|pair| {
                matches!(pair.state, crate::pair::PairState::InProgress(_) | crate::pair::PairState::Waiting)
            }),
            Nomination::Idle | Nomination::Waiting { .. } | Nomination::Owed(_) | Nomination::Done(_) => true,
        }
    }
}
