//! A local and a remote candidate, and what is known of the path between them (RFC 8445 §6.1.2).
//!
//! ```text
//!   Frozen ──▶ Waiting ──▶ InProgress ──▶ Succeeded
//!                 ▲            │   ▲           │ (nomination)
//!                 └─ triggered ┤   └───────────┘
//!                              └─────────▶ Failed
//! ```

use crate::agent::Agent;
use crate::candidate::normal;
use crate::nomination::Nomination;
use crate::persistence::Check;
use crate::{Candidate, PairStats, Role};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol};
use wigwag_stun::TransactionId;

/// A 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// How datagrams travel.
    pub protocol: Protocol,
    /// The address that they are sent from: the base of a local candidate.
    pub local: SocketAddr,
    /// Where they are sent.
    pub remote: SocketAddr,
}

impl Path {
    /// The path that a datagram took.
    pub fn of(datagram: &Datagram<'_>) -> Self {
        Self { protocol: datagram.protocol, local: datagram.local, remote: datagram.remote }.normal()
    }

    /// The same path, written as the agent writes it.
    pub(crate) fn normal(self) -> Self {
        Self { protocol: self.protocol, local: normal(self.local), remote: normal(self.remote) }
    }
}

/// Names a pair of the check list.
pub(crate) type PairId = u64;

/// How far the check of a pair is.
#[derive(Debug)]
pub(crate) enum PairState {
    /// Something alike is tried first.
    Frozen,
    /// To be checked when its turn comes.
    Waiting,
    /// A check awaits its answer.
    InProgress(Check),
    /// A check was answered, and no other is on its way.
    Succeeded,
    /// No check was answered in time, or one was refused.
    Failed,
}

/// What an answered check has proved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Valid {
    /// The consent to send ends here (RFC 7675 §5.1).
    pub(crate) until: Instant,
    /// How long the last answer took that can be told.
    pub(crate) round_trip_time: Option<Duration>,
}

/// Two candidates.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Index of the local candidate.
    pub(crate) local: usize,
    /// Index of the remote candidate.
    pub(crate) remote: usize,
    pub(crate) path: Path,
    pub(crate) priority: u64,
    pub(crate) foundation: String,
    /// Whether one of the candidates is relayed.
    pub(crate) is_relayed: bool,
    pub(crate) state: PairState,
    /// Its turn among those that the peer has checked.
    pub(crate) triggered: Option<u64>,
    pub(crate) valid: Option<Valid>,
    /// When an authenticated message came this way for the last time.
    pub(crate) heard: Option<Instant>,
    /// That and how the controlling peer has nominated it.
    pub(crate) nominated: Option<Nominated>,
    pub(crate) stats: PairStats,
}

/// How far the check of a pair is (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckState {
    /// Something alike is tried first.
    Frozen,
    /// To be checked when its turn comes.
    Waiting,
    /// A check awaits its answer.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// No check was answered in time, or one was refused.
    Failed,
}

/// What is known of two candidates and the path between them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PairView<'a> {
    /// The local candidate.
    pub local: &'a Candidate,
    /// The remote candidate.
    pub remote: &'a Candidate,
    /// How datagrams travel.
    pub path: Path,
    /// How far its check is.
    pub state: CheckState,
    /// Whether it was nominated, by either side.
    pub is_nominated: bool,
    /// How long the last answer took of which it can be told, if the pair works.
    pub round_trip_time: Option<Duration>,
    /// What was counted.
    pub stats: PairStats,
}

impl Agent {
    /// All pairs, formed but not given up, in the order in which they were formed. It looks at each of them.
    pub fn pairs(&self) -> impl Iterator<Item = PairView<'_>> {
        self.list.iter().filter_map(|(id, pair)| {
            let is_nominated =
                matches!(self.nomination, Nomination::Done(done) if done == id) || pair.nominated.is_some();
            Some(PairView {
                local: self.local_candidates.get(pair.local)?,
                remote: self.remote_candidates.get(pair.remote)?,
                path: pair.path,
                state: pair.state.name(),
                is_nominated,
                round_trip_time: pair.valid.and_then(|valid| valid.round_trip_time),
                stats: pair.stats,
            })
        })
    }
}

impl PairState {
    const fn name(&self) -> CheckState {
        match self {
            Self::Frozen => CheckState::Frozen,
            Self::Waiting => CheckState::Waiting,
            Self::InProgress(_) => CheckState::InProgress,
            Self::Succeeded => CheckState::Succeeded,
            Self::Failed => CheckState::Failed,
        }
    }
}

/// The controlling peer wants this pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nominated {
    pub(crate) at: Instant,
    pub(crate) transaction: TransactionId,
    /// In another transaction too.
    pub(crate) is_repeated: bool,
}

impl Pair {
    /// Whether a check was answered and the consent that it gave is alive.
    pub(crate) fn is_valid(&self, now: Instant) -> bool {
        self.valid.is_some_and(|valid| now < valid.until)
    }

    /// Whether nothing came of it, or nothing comes any more, as far as one can tell before the end of its check.
    pub(crate) const fn is_spent(&self) -> bool {
        self.valid.is_none()
            && match &self.state {
                PairState::Succeeded | PairState::Failed => true,
                PairState::InProgress(check) => check.is_doubtful(),
                PairState::Frozen | PairState::Waiting => false,
            }
    }

    /// Whether its check is this one.
    pub(crate) fn awaits(&self, transaction: TransactionId) -> bool {
        match &self.state {
            PairState::InProgress(check) => check.is_of(transaction),
            PairState::Frozen | PairState::Waiting | PairState::Succeeded | PairState::Failed => false,
        }
    }

    /// Only a pair that waits has a turn.
    pub(crate) const fn tidy(&mut self) {
        match self.state {
            PairState::Waiting => {}
            PairState::Frozen | PairState::InProgress(_) | PairState::Succeeded | PairState::Failed => {
                self.triggered = None;
            }
        }
    }
}

/// RFC 8445 §6.1.2.3: "pair priority = 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)", G being the priority of the
/// controlling agent's candidate.
pub(crate) fn priority(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (local, remote),
        Role::Controlled => (remote, local),
    };
    // Of priorities beyond the 2^31 - 1 that RFC 8445 §5.1.2 allows, two can be too much.
    (u64::from(g.min(d)) << 32).saturating_add(2 * u64::from(g.max(d)) + u64::from(g > d))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: u32 = 2_130_706_431;
    const PRFLX: u32 = 1_862_270_975;
    const SRFLX: u32 = 1_694_498_815;

    /// RFC 8445 §6.1.2.3, computed by hand.
    #[test]
    fn priorities_are_those_of_the_rfc() {
        assert_eq!(priority(Role::Controlling, HOST, HOST), 9_151_314_442_783_293_438);
        assert_eq!(priority(Role::Controlling, HOST, PRFLX), 7_998_392_938_176_446_463);
        assert_eq!(priority(Role::Controlled, HOST, PRFLX), 7_998_392_938_176_446_462);
        assert_eq!(priority(Role::Controlling, HOST, SRFLX), 7_277_816_997_797_167_103);
        assert_eq!(priority(Role::Controlled, HOST, SRFLX), 7_277_816_997_797_167_102);
    }

    #[test]
    fn both_agents_compute_the_same() {
        for (a, z) in [(HOST, SRFLX), (0, u32::MAX), (u32::MAX, u32::MAX), (PRFLX, HOST)] {
            assert_eq!(priority(Role::Controlling, a, z), priority(Role::Controlled, z, a));
        }
    }
}
