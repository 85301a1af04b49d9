//! What was counted.

use std::time::Duration;

/// What an agent has sent, received and dropped. Each counts messages unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// New checks, nominations included, retransmissions not.
    pub checks_sent: u64,
    /// Checks that were sent again.
    pub checks_retransmitted: u64,
    /// Checks of the selected path that keep its consent alive.
    pub consent_checks_sent: u64,
    /// Requests to STUN servers, retransmissions included.
    pub gathering_requests_sent: u64,
    /// Authenticated requests.
    pub checks_received: u64,
    /// Answers, errors included.
    pub responses_sent: u64,
    /// Authenticated successes.
    pub responses_received: u64,
    /// Authenticated errors, role conflicts included.
    pub errors_received: u64,
    /// Role conflicts that were settled, by either side.
    pub role_conflicts: u64,
    /// Binding indications: nothing is done about them.
    pub indications_received: u64,
    /// Remote candidates that cannot be used: names that nobody has resolved, other protocols or components, impossible addresses (candidates).
    pub remote_candidates_ignored: u64,
    /// How often data began to go another way, or found none any more (changes).
    pub path_changes: u64,
    /// Pairs that were not formed or given up because there were too many (pairs).
    pub pairs_discarded: u64,

    /// Dropped: not STUN, or malformed.
    pub malformed: u64,
    /// Dropped: in TLS, or a method other than Binding.
    pub unsupported: u64,
    /// Dropped: arrived at an address that is no local candidate.
    pub unknown_local_address: u64,
    /// Dropped: a request without USERNAME, or for somebody else.
    pub unknown_ufrag: u64,
    /// Dropped: a request without MESSAGE-INTEGRITY or with a wrong one.
    pub unauthenticated_requests: u64,
    /// Dropped: a response to no request of ours.
    pub unknown_transaction: u64,
    /// Dropped: a response without MESSAGE-INTEGRITY or with a wrong one.
    pub unauthenticated_responses: u64,
    /// Dropped: an authenticated response on another path than its request took. The pair has failed.
    pub asymmetric_responses: u64,
    /// Dropped: more requests than could be answered before somebody polled, or for pairs for which there was no room.
    pub too_many_requests: u64,
    /// Dropped: after the agent was closed or had failed.
    pub after_end: u64,
}

/// What was sent and received to check one pair. Each counts messages unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairStats {
    /// New checks, nominations included, retransmissions not.
    pub requests_sent: u64,
    /// Authenticated answers, to any request.
    pub responses_received: u64,
    /// Authenticated requests.
    pub requests_received: u64,
    /// Answers, errors included.
    pub responses_sent: u64,
    /// Checks that keep the peer's consent alive.
    pub consent_requests_sent: u64,
    /// How long all answers took together of which it can be told.
    pub round_trip_time_total: Duration,
}

impl Stats {
    /// All messages that were dropped, for whatever reason.
    pub const fn dropped(&self) -> u64 {
        self.malformed
            + self.unsupported
            + self.unknown_local_address
            + self.unknown_ufrag
            + self.unauthenticated_requests
            + self.unknown_transaction
            + self.unauthenticated_responses
            + self.asymmetric_responses
            + self.too_many_requests
            + self.after_end
    }
}
