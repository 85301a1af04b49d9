//! What an agent is told when it is made.

use crate::Credentials;
use std::time::Duration;

/// Who decides which pair is used (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// This agent nominates. With WebRTC, whose offer began the session.
    #[default]
    Controlling,
    /// The peer nominates.
    Controlled,
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// What an agent is told when it is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who nominates; two agents with the same role settle it between them. Controlling by default.
    pub role: Role,
    /// Whether the agent is lite: it answers checks and sends none (RFC 8445 §2.5), and the peer controls. Only for hosts
    /// whose address everybody can reach. Off by default.
    pub lite: bool,
    /// The local credentials; drawn from the seed if there are none. Those given must be unpredictable and of at least
    /// 4 and 22 characters (RFC 8445 §5.3).
    pub credentials: Option<Credentials>,
    /// So many candidates are kept of each side, those learned from checks included. 100 by default.
    pub candidates_max: usize,
    /// So many pairs are kept; of more, those of the lowest priority are given up (RFC 8445 §6.1.2.5). 100 by default.
    pub pairs_max: usize,
    /// The time between two new checks, Ta; at least 5 ms (RFC 8445 §14.2), and a minute at most. 50 ms by default.
    pub pacing: Duration,
    /// How long to go on without any pair that works, counted from when the peer's credentials are known (RFC 8863);
    /// with [`Duration::MAX`], for ever. 39.5 s by default.
    pub patience: Duration,
    /// After so much silence on the selected path the agent says that it is disconnected. What the peer's checks and
    /// our own, every 4 to 6 seconds, bring in ends a silence, and what [`data_received`](crate::Agent::data_received) is told
    /// of. 8 s by default.
    pub silence_max: Duration,
    /// Whether no local candidate says by its [`related`](crate::Candidate::related) address what it is of: the unspecified address stands
    /// there, and port 9 (RFC 8839 §5.1). Off by default.
    pub hide_related: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::default(),
            lite: false,
            credentials: None,
            candidates_max: 100,
            // The default of RFC 8445 §6.1.2.5.
            pairs_max: 100,
            pacing: Duration::from_millis(50),
            patience: Duration::from_millis(39_500),
            silence_max: Duration::from_secs(8),
            hide_related: false,
        }
    }
}
