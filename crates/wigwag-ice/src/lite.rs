//! Agents that answer checks and send none (RFC 8445 §2.5, §6.2, §8.2).
//!
//! What a full agent learns by its checks, a lite one believes of whoever nominates: an authenticated request with
//! USE-CANDIDATE makes its path the one in use, and each further request on it renews the consent.

use crate::Role;
use crate::agent::Agent;
use crate::consent;
use crate::nomination::Nomination;
use crate::pair::{PairId, PairState, Valid};
use std::time::{Duration, Instant};

/// Between two lite agents nobody ever asks for consent.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Agent {
    /// Says that the peer is lite (`a=ice-lite`): whoever is full controls then, and of two lite agents, who was to.
    pub fn set_remote_lite(&mut self) {
        if !self.is_remote_lite {
            self.is_remote_lite = true;
            self.determine_role();
            self.assume_role_known();
            self.touch();
        }
    }

    /// RFC 8445 §6.1.1: "The full agent MUST take the controlling role, and the lite agent MUST take the controlled role."
    pub(crate) fn determine_role(&mut self) {
        let role = match (self.config.lite, self.is_remote_lite) {
            (false, true) => Role::Controlling,
            (true, false) => Role::Controlled,
            (false, false) | (true, true) => self.config.role,
        };
        if self.role != role {
            self.role = role;
            self.restart_nomination();
            self.reprioritize();
        }
    }

    /// An authenticated request came on this pair.
    pub(crate) fn believe(&mut self, id: PairId, is_nominating: bool, now: Instant) {
        let until = now.checked_add(consent::EXPIRY);
        self.list.update(id, |pair| {
            // RFC 8445 §7.3.2: "This candidate pair is assigned an arbitrary priority and placed into the valid list of the
            // associated checklist."
            if is_nominating || pair.valid.is_some() {
                pair.state = PairState::Succeeded;
                pair.valid = until.map(|until| Valid { until, round_trip_time: None });
            }
        });
    }

    /// RFC 8445 §8.2: "If the peer is a lite agent, the agent pairs local candidates with remote candidates that are of the
    /// same data stream and have the same component, transport protocol, and IP address family."
    ///
    /// Of several pairs the best is used, as the peer does who computes the same.
    pub(crate) fn agree_without_checks(&mut self, now: Instant) {
        let is_ready = self.config.lite && self.is_remote_lite && self.peer.is_some() && self.has_all_candidates();
        let Some(best) = self.list.next().filter(|_| is_ready && self.nomination.pair().is_none()) else { return };
        let until = now.checked_add(FOREVER);
        self.list.update(best, |pair| {
            pair.state = PairState::Succeeded;
            pair.valid = until.map(|until| Valid { until, round_trip_time: None });
        });
        self.nomination = Nomination::Done(best);
    }
}
