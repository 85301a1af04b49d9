//! Whose keys and packets wait to be polled, and those of connections that are over.

use super::ConnectionId;
use crate::tap::{Tap, Tapped};
use std::collections::VecDeque;
use wigwag_sansio::Ready;

/// Of how many connections that are over: whoever polls in every turn leaves none.
const VACATED_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Taps {
    /// Slots that may show something.
    pub(super) ready: Ready,
    vacated: VecDeque<(ConnectionId, Box<Tap>)>,
}

impl Taps {
    pub(super) fn vacate(&mut self, id: ConnectionId, tap: Box<Tap>) {
        if tap.is_empty() {
            return;
        }
        if self.vacated.len() >= VACATED_MAX {
            self.vacated.pop_front();
        }
        self.vacated.push_back((id, tap));
    }

    pub(super) fn poll_vacated(&mut self) -> Option<(ConnectionId, Tapped)> {
        loop {
            let (id, tap) = self.vacated.front_mut()?;
            let id = *id;
            if let Some(tapped) = tap.poll() {
                return Some((id, tapped));
            }
            self.vacated.pop_front();
        }
    }
}
