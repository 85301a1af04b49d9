//! Telling the application which candidates there are.
//!
//! Host candidates are known as soon as the driver tells its addresses; they are told once a description was set, and
//! then those that STUN servers tell, as they are found.

use crate::description::IceCandidate;
use crate::event::Event;
use crate::mapping;
use crate::state::IceGatheringState;
use crate::transport::Found;
use std::collections::VecDeque;
use wigwag_ice as ice;
use wigwag_turn as turn;

/// W3C: what `icecandidateerror` says of a server that does not answer.
const UNREACHABLE: u16 = 701;

/// What is still to be told. Bounded: an agent takes a bounded number of candidates.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// Whether errors tell no address of ours.
    is_hidden: bool,
    /// The section that candidates are told for, once a description was set.
    section: Option<(String, usize)>,
    /// The name under which they are told: with another one all are told again.
    ufrag: String,
    owed: VecDeque<Event>,
    /// Whether it is still to be told that the search has begun.
    has_begun: bool,
    has_ended: bool,
}

impl Gathering {
    pub(crate) fn new(is_hidden: bool) -> Self {
        Self { is_hidden, ..Self::default() }
    }

    pub(crate) fn state(&self) -> IceGatheringState {
        match (&self.section, self.has_ended) {
            (None, _) => IceGatheringState::New,
            (Some(_), false) => IceGatheringState::Gathering,
            (Some(_), true) => IceGatheringState::Complete,
        }
    }

    /// A description was set. The section may be another than before, if the offer before was rolled back; the name is
    /// another if it begins anew. Whether the search does.
    pub(crate) fn begin(&mut self, mid: &str, index: usize, agent: &ice::Agent) -> bool {
        let had_section = self.section.replace((mid.to_owned(), index)).is_some();
        let ufrag = &agent.offered_credentials().ufrag;
        if had_section && self.ufrag == *ufrag {
            return false;
        }
        self.ufrag.clone_from(ufrag);
        (self.has_begun, self.has_ended) = (true, false);
        self.owe_all(agent);
        true
    }

    /// An answer of the peer's was set. If it has refused the section that was told of, it is told of another.
    pub(crate) fn answered(&mut self, mid: &str, index: usize, agent: &ice::Agent) {
        let new = Some((mid.to_owned(), index));
        if self.section.is_some() && self.section != new {
            self.section = new;
            self.owe_all(agent);
            self.owed.extend(self.has_ended.then_some(Event::IceCandidate(None)));
        }
    }

    fn owe_all(&mut self, agent: &ice::Agent) {
        let ufrag = &agent.offered_credentials().ufrag;
        for candidate in agent.local_candidates().iter().filter(|known| known.kind != ice::Kind::PeerReflexive) {
            self.owe(candidate, ufrag);
        }
    }

    /// Whether the search has begun since this was last asked.
    pub(crate) fn take_begun(&mut self) -> bool {
        std::mem::take(&mut self.has_begun)
    }

    /// How far the agent's search is.
    pub(crate) fn update(&mut self, state: ice::GatheringState) {
        if self.section.is_some() && !self.has_ended && state == ice::GatheringState::Complete {
            self.owed.push_back(Event::IceCandidate(None));
            self.has_ended = true;
        }
    }

    /// What the agent has found, or not. Whether it was a candidate.
    pub(crate) fn handle_event(&mut self, event: ice::Event, ufrag: &str) -> bool {
        match event {
            ice::Event::LocalCandidate(candidate) => {
                self.found(&candidate, ufrag);
                return true;
            }
            ice::Event::CandidateError { local, server, code, text } => {
                let url = format!("stun:{server}");
                self.owed.push_back(Event::IceCandidateError {
                    address: Some(local).filter(|_| !self.is_hidden),
                    url,
                    error_code: code,
                    error_text: text,
                });
            }
            _ => {} // its states are compared, its path is asked for
        }
        false
    }

    /// What a TURN server has given, or not. Whether it was a candidate.
    pub(crate) fn handle_relay(&mut self, found: Found, ufrag: &str) -> bool {
        match found {
            Found::Candidate(candidate) => {
                self.found(&candidate, ufrag);
                true
            }
            Found::Error { local, url, failure } => {
                let (error_code, error_text) = match failure {
                    turn::Failure::Refused { code, reason } => (code, reason),
                    failure => (UNREACHABLE, failure.to_string()),
                };
                let address = local.filter(|_| !self.is_hidden);
                self.owed.push_back(Event::IceCandidateError { address, url, error_code, error_text });
                false
            }
        }
    }

    /// One more address is known.
    pub(crate) fn found(&mut self, candidate: &ice::Candidate, ufrag: &str) {
        if self.section.is_some() {
            self.owe(candidate, ufrag);
        }
    }

    fn owe(&mut self, candidate: &ice::Candidate, ufrag: &str) {
        self.owed.push_back(Event::IceCandidate(Some(IceCandidate {
            candidate: mapping::candidate(candidate, ufrag).to_string(),
            sdp_mid: self.section.as_ref().map(|(mid, _)| mid.clone()),
            sdp_m_line_index: self.section.as_ref().and_then(|(_, index)| u16::try_from(*index).ok()),
            username_fragment: Some(ufrag.to_owned()),
        })));
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        let next = self.owed.pop_front();
        if next.is_none() {
            self.owed.shrink_to_fit();
        }
        next
    }
}
