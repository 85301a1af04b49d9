//! Telling the application which candidates there are.
//!
//! Host candidates are known as soon as the driver tells its addresses; they are told once a description was set, and
//! then those that STUN servers tell, as they are found.

use crate::description::IceCandidate;
use crate::event::Event;
use crate::mapping;
use crate::state::IceGatheringState;
use std::collections::VecDeque;
use wigwag_ice as ice;

/// What is still to be told. Bounded: an agent takes a bounded number of candidates.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// The section that candidates are told for, once a description was set.
    section: Option<(String, usize)>,
    owed: VecDeque<Event>,
    has_ended: bool,
}

impl Gathering {
    pub(crate) fn state(&self) -> IceGatheringState {
        match (&self.section, self.has_ended) {
            (None, _) => IceGatheringState::New,
            (Some(_), false) => IceGatheringState::Gathering,
            (Some(_), true) => IceGatheringState::Complete,
        }
    }

    /// A description was set. The section may be another than before, if the offer before was rolled back.
    pub(crate) fn begin(&mut self, section: Option<(&str, usize)>, agent: &ice::Agent) {
        let Some((mid, index)) = section else { return };
        if self.section.replace((mid.to_owned(), index)).is_some() {
            return;
        }
        for candidate in agent.local_candidates() {
            self.owe(candidate, &agent.local_credentials().ufrag);
        }
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
                    address: local,
                    url,
                    error_code: code,
                    error_text: text,
                });
            }
            _ => {} // its states are compared, its path is asked for
        }
        false
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
        self.owed.pop_front()
    }
}
