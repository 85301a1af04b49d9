//! What follows from a change, and from time.

use super::{Agenda, Agent, Patience};
use crate::consent::Consent;
use crate::decision::Deed;
use crate::nomination::Nomination;
use crate::pair::{PairId, Path};
use crate::restart::Previous;
use crate::{Kind, State};
use std::time::Instant;
use tracing::debug;
use wigwag_sansio::{Timer, earliest};

/// What follows from a change.
impl Agent {
    /// Takes note of the time, and of what is due by now.
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if self.is_touched || self.agenda.wake.is_some_and(|wake| wake <= now) {
            self.expire(now);
            self.settle(now);
        }
        now
    }

    pub(super) fn expire(&mut self, now: Instant) {
        match &mut self.patience {
            Patience::Beginning => self.begin_patience(now),
            Patience::Running(timer) => {
                if timer.expire(now) {
                    self.patience = Patience::Over;
                }
            }
            Patience::Unneeded | Patience::Over => {}
        }
        self.expire_checks(now);
        self.consent.expire(now);
        self.expire_previous(now);
        self.conclude_questions(now);
    }

    /// Some have none: it is over at once.
    fn begin_patience(&mut self, now: Instant) {
        let mut timer = Timer::after(now, self.config.patience);
        self.patience = if timer.expire(now) { Patience::Over } else { Patience::Running(timer) };
    }

    /// The agent is as patient as at its beginning.
    pub(crate) fn await_anew(&mut self) {
        self.patience = if self.peer.is_some() { Patience::Beginning } else { Patience::Unneeded };
        (self.is_roaming, self.is_deserted) = (false, false);
        if self.old_in_use().is_none() && self.selected.is_none() && self.state != State::Closed {
            self.enter(State::New);
        }
    }

    /// What was in use has vanished. The agent is as patient as at its beginning, also with a peer that is not known yet.
    pub(crate) const fn roam(&mut self) {
        self.patience = Patience::Beginning;
        self.is_roaming = true;
    }

    /// Whether checks that came to nothing may be made again: when nothing works and the patience is over, what is on its
    /// way is the last. A peer that goes on checking and never answers would have no end otherwise.
    pub(crate) const fn may_try_again(&self) -> bool {
        self.path.is_some() || !matches!(self.patience, Patience::Over)
    }

    /// Draws all conclusions, and computes what is due when.
    pub(super) fn settle(&mut self, now: Instant) {
        self.is_touched = false;
        if !self.has_ended() {
            self.list.expire(now);
            self.agree_without_checks(now);
            let decision = self.decide(now);
            self.select(now);
            let silent_at = self.progress(now);
            let unused_at = self.close_streams(now);
            if !self.has_ended() {
                self.plan([decision, silent_at, unused_at], now);
            }
        }
        if !self.is_deaf() && self.has_ended() {
            let unused_at = self.close_streams(now);
            self.plan_questions(unused_at, now);
        }
        #[cfg(debug_assertions)]
        self.invariants(now);
    }

    /// The nominated pair, or the best that works.
    pub(super) fn select(&mut self, now: Instant) {
        let is_valid = |id: &PairId| self.list.get(*id).is_some_and(|pair| pair.is_valid(now));
        let nominated = self.nomination.pair().filter(is_valid);
        let selected = self.stand_in(now).or(nominated).or_else(|| self.list.best_valid());
        if selected.is_some_and(|id| matches!(self.nomination, Nomination::Done(done) if done == id)) {
            self.supersede();
        }
        let new = selected.and_then(|id| self.list.get(id)).map(|pair| pair.path);
        let path = self.old_in_use().map(|previous| previous.path).or(new);
        if self.path != path {
            debug!(?path, "selected");
            self.path = path;
            self.stats.path_changes += 1;
            let why = match (&self.nomination, self.old_in_use()) {
                _ if path.is_none() => "none works any more",
                (_, Some(_)) => "as before the restart, until there is a new one",
                (Nomination::Done(id), None) if Some(*id) != selected => "the nominated one is silent",
                (Nomination::Done(_), None) => "it is nominated",
                (Nomination::Owed(_) | Nomination::Asked(_), None) => "it is to be nominated",
                (Nomination::Idle | Nomination::Waiting { .. }, None) => "it is the best that works",
            };
            self.note(Deed::Selected, path, why);
        }
        if self.selected != selected {
            self.selected = selected;
            self.restart_consent(now);
        }
        self.is_roaming &= path.is_none();
    }

    /// What was in use before the restart, as long as nothing new was nominated.
    pub(crate) fn old_in_use(&self) -> Option<&Previous> {
        self.previous.as_deref().filter(|previous| previous.is_in_use())
    }

    /// Something that is not STUN came on the path in use, which was authentic. Consent is given by checks alone (RFC 7675 §5.1).
    pub(crate) fn hear_data(&mut self, path: Path, now: Instant) {
        let now = self.clock.latest(now);
        match self.previous.as_mut().filter(|previous| previous.is_in_use() && previous.path == path) {
            Some(previous) => previous.heard = Some(now),
            None => self.selected.into_iter().for_each(|id| self.list.hear_data(id, now)),
        }
        // A restart amid a silence is checking.
        self.is_touched |= matches!(self.state, State::Disconnected | State::Checking);
    }

    /// Computes the state; returns when the selected path will have been silent for too long.
    pub(super) fn progress(&mut self, now: Instant) -> Option<Instant> {
        let is_old = self.old_in_use().is_some();
        let heard = match self.old_in_use() {
            Some(previous) => previous.heard,
            None => self.selected.and_then(|id| self.list.get(id)?.heard),
        };
        let silent_at = heard.and_then(|heard| heard.checked_add(self.config.silence_max));
        let is_silent = silent_at.is_some_and(|at| at <= now);
        let is_trying = !self.config.lite && self.list.unresolved() > 0;
        let is_complete = self.has_all_candidates();
        let state = match (self.path, &self.nomination) {
            // A restart forgets that the path was silent.
            (Some(_), _) if is_silent && is_old && self.peer.is_some() => State::Checking,
            (Some(_), _) if is_silent => State::Disconnected,
            (Some(_), Nomination::Done(_)) if is_complete && !is_trying && !is_old => State::Completed,
            (Some(_), _) => State::Connected,
            (None, _) if self.has_lost(is_trying) => State::Failed,
            (None, _) if self.is_roaming || self.is_deserted => State::Disconnected,
            (None, _) if self.peer.is_some() && !self.list.is_empty() => State::Checking,
            (None, _) => self.state,
        };
        if state == State::Failed {
            self.explain_failure();
            self.end(state);
        } else {
            let has_fallen_silent = state == State::Disconnected && self.state != state && !is_old;
            if has_fallen_silent && !self.config.lite && !self.is_roaming {
                self.search(now);
            }
            self.is_deserted &= self.path.is_none() || is_silent;
            self.enter(state);
        }
        silent_at.filter(|_| !is_silent)
    }

    /// The path in use has fallen silent: the peer may have moved to where only our own check opens the way, through a NAT before us.
    /// What it has told is tried, with as much patience as at the beginning; what its checks have brought, its checks bring again.
    fn search(&mut self, now: Instant) {
        self.is_deserted = true;
        self.begin_patience(now);
        let remotes = &self.remote_candidates;
        let is_told = |remote: usize| remotes.get(remote).is_some_and(|it| it.kind != Kind::PeerReflexive);
        self.list.revive(|pair| is_told(pair.remote));
    }

    /// Without a pair that works: whether there is no hope left.
    pub(super) fn has_lost(&self, is_trying: bool) -> bool {
        let was_connected = match self.state {
            State::Connected | State::Completed | State::Disconnected => true,
            State::New | State::Checking | State::Failed | State::Closed => false,
        };
        if self.is_resolving {
            return false;
        }
        let is_over = matches!(self.patience, Patience::Over);
        // RFC 8863 §4: the agent must not fail before its patience is over, for the peer's checks may bring new pairs. Who has
        // gone is not waited for any longer, though checks of many pairs begin one after another, and end so.
        self.is_deserted && is_over || !is_trying && (was_connected && !self.is_roaming || is_over)
    }

    /// Whether both sides have told all candidates they know of.
    pub(crate) fn has_all_candidates(&self) -> bool {
        self.has_all_local && self.gathering.is_idle() && self.has_all_remote && !self.is_resolving
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            debug!(from = ?self.state, to = ?state, "state");
            self.state = state;
            self.note(Deed::StateChanged, None, state.name());
        }
    }

    /// Nothing is kept that could be sent.
    pub(crate) fn end(&mut self, state: State) {
        self.enter(state);
        self.list.clear();
        self.streams.end();
        self.transactions.clear();
        self.answers.clear();
        self.nomination = Nomination::Idle;
        (self.selected, self.path) = (None, None);
        self.consent = Consent::default();
        self.patience = Patience::Unneeded;
        self.is_resolving = false;
        self.previous = None;
        if state == State::Closed {
            self.prepared = None;
        }
        if self.prepared.is_none() {
            self.gathering.stop();
        }
        self.agenda = Agenda::default();
        self.is_touched = false;
    }

    pub(super) fn plan(&mut self, others: [Option<Instant>; 3], now: Instant) {
        let patience = match &self.patience {
            Patience::Running(timer) => timer.deadline(),
            Patience::Unneeded | Patience::Beginning | Patience::Over => None,
        };
        let consent_end = self.selected.and_then(|id| self.list.get(id)?.valid).map(|valid| valid.until);
        let is_nomination_owed = matches!(self.nomination, Nomination::Owed(_));
        let previous = self.previous.as_deref().and_then(Previous::deadline);
        let question = self.gathering.deadline(now);
        let is_question_owed = question.is_some_and(|at| at <= now);
        let ends =
            [self.list.deadline(), patience, consent_end, self.consent.deadline(), previous].into_iter().chain(others);
        self.agenda = Agenda {
            wake: earliest(ends.chain([question.filter(|_| !is_question_owed)])),
            is_question_wanted: self.gathering.is_new_owed(),
            is_check_wanted: !self.config.lite
                && self.peer.is_some()
                && (is_nomination_owed || self.list.next().is_some()),
            is_resend_owed: self.list.resend().is_some() || is_question_owed,
        };
    }

    /// What has failed, and is to begin anew, asks what addresses it has by now, and nothing else.
    fn plan_questions(&mut self, unused_at: Option<Instant>, now: Instant) {
        let question = self.gathering.deadline(now);
        let is_question_owed = question.is_some_and(|at| at <= now);
        self.agenda = Agenda {
            wake: earliest([question.filter(|_| !is_question_owed), unused_at]),
            is_question_wanted: self.gathering.is_new_owed(),
            is_check_wanted: false,
            is_resend_owed: is_question_owed,
        };
    }

    /// What is always true.
    #[cfg(debug_assertions)]
    pub(super) fn invariants(&self, now: Instant) {
        self.list.invariants();
        assert!(self.is_nomination_alive(), "a nomination is sent again or given up");
        assert!(self.agenda.wake.is_none_or(|wake| wake > now), "what was due is owed");
        let has_path = self.selected.is_some() || self.old_in_use().is_some();
        assert_eq!(has_path, self.path.is_some(), "a selected pair has a path");
        assert!(self.previous.as_ref().is_none_or(|previous| previous.until > now), "old paths end with their consent");
        if let Some(pair) = self.selected.and_then(|id| self.list.get(id)) {
            assert!(pair.is_valid(now), "what is not STUN is sent with consent only");
            let is_lite = self.config.lite;
            assert!(
                is_lite || self.consent.is_owed() || self.consent.deadline().is_some(),
                "consent is asked for again"
            );
        }
        let is_lost = matches!(self.state, State::Disconnected) && self.path.is_none();
        let is_waiting = (matches!(self.state, State::Checking) || is_lost) && self.peer.is_some();
        let is_alive = self.is_resolving
            || self.agenda.wake.is_some()
            || self.agenda.is_check_wanted
            || self.agenda.is_resend_owed;
        let is_endless = matches!(&self.patience, Patience::Running(timer) if !timer.is_armed());
        assert!(!is_waiting || is_alive || is_endless, "whoever checks comes to an end");
    }
}
