//! Credentials that the peer is being told, and that take effect when it has answered (RFC 8445 §9).
//!
//! An offer that begins anew may be refused, taken back, or never answered: until the peer's new credentials are known,
//! everything goes on as before. But the peer may check at once, by the new credentials: it is answered, and what its
//! checks say is remembered for the generation that they belong to.

use crate::Credentials;
use crate::State;
use crate::agent::Agent;
use crate::check::Generation;
use crate::credentials::Identity;
use crate::pair::Path;
use std::time::Instant;
use wigwag_stun::{IntegrityKey, Message, TransactionId};

/// So many paths are remembered: as many as a peer checks in a second or two (RFC 8445 §14.2: one every 50 ms).
const EARLY_MAX: usize = 32;

/// What the peer has said of a path of the generation to come.
#[derive(Debug)]
pub(crate) struct Early {
    path: Path,
    priority: u32,
    nomination: Option<TransactionId>,
    at: Instant,
}

/// The credentials of the generation to come.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) identity: Identity,
    pub(crate) early: Vec<Early>,
}

impl Prepared {
    fn has_heard(&self, path: Path) -> bool {
        self.early.iter().any(|early| early.path == path)
    }

    fn note(&mut self, new: Early) {
        if let Some(known) = self.early.iter_mut().find(|early| early.path == new.path) {
            *known = Early { nomination: new.nomination.or(known.nomination), ..new };
        } else if self.early.len() < EARLY_MAX {
            self.early.push(new);
        }
    }
}

/// Beginning anew in two steps.
impl Agent {
    /// Credentials that nobody can guess, for [`prepare_restart`](Self::prepare_restart). Nothing changes but what is
    /// drawn next.
    pub fn new_credentials(&mut self) -> Credentials {
        Credentials::random(&mut self.rng)
    }

    /// These credentials are told to the peer, and take effect with the peer's answer, which
    /// [`set_remote_credentials`](Self::set_remote_credentials) tells, or with [`restart`](Self::restart). Until then all
    /// goes on as before, checks that name them are answered, and STUN servers are asked again.
    ///
    /// Those that were prepared before are forgotten. A name that is ours already is no beginning, and changes nothing;
    /// so with an agent that is closed.
    pub fn prepare_restart(&mut self, credentials: Credentials) {
        let is_known = self.ufrags().any(|known| known == credentials.ufrag);
        if is_known || self.state() == State::Closed {
            return;
        }
        self.answers.forget(Generation::Prepared);
        self.prepared = Some(Prepared { identity: Identity::new(credentials), early: Vec::new() });
        self.ask_again();
        self.touch();
    }

    /// What was prepared does not happen: the offer was taken back.
    pub fn cancel_restart(&mut self) {
        if self.prepared.take().is_none() {
            return;
        }
        if self.has_ended() {
            self.end(self.state()); // it has asked servers for what does not begin
        }
        self.touch();
    }

    /// The credentials that the peer was told last: those prepared, or else those in effect.
    pub fn offered_credentials(&self) -> &Credentials {
        match &self.prepared {
            Some(prepared) => &prepared.identity.credentials,
            None => self.local_credentials(),
        }
    }

    /// The names by which checks are known to be for this agent: of the generation before as long as its path is
    /// consented to, of this one, and of one to come. At most three.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> + Clone {
        let previous = self.previous.as_ref().map(|previous| &previous.local);
        let prepared = self.prepared.as_ref().map(|prepared| &prepared.identity);
        previous.into_iter().chain([&self.local]).chain(prepared).map(|identity| identity.credentials.ufrag.as_str())
    }

    /// The generation that a request names, and the key that proves it.
    pub(crate) fn named(&self, ufrag: &str) -> Option<(Generation, &IntegrityKey)> {
        let previous = self.previous.as_ref().map(|previous| (Generation::Previous, &previous.local));
        let prepared = self.prepared.as_ref().map(|prepared| (Generation::Prepared, &prepared.identity));
        let all = [Some((Generation::Current, &self.local)), prepared, previous].into_iter().flatten();
        all.map(|(generation, identity)| (generation, &identity.credentials.ufrag, &identity.key))
            .find(|(_, known, _)| *known == ufrag)
            .map(|(generation, _, key)| (generation, key))
    }

    /// A request of the generation to come: what it says is kept for then.
    pub(crate) fn note_early(&mut self, message: &Message<'_>, priority: u32, path: Path, now: Instant) {
        if let Some(prepared) = &mut self.prepared {
            let nomination = message.attributes.use_candidate.then(|| message.transaction());
            prepared.note(Early { path, priority, nomination, at: now });
        }
    }

    /// The generation has begun: what was kept for it is acted upon.
    pub(crate) fn take_in(&mut self, early: Vec<Early>) {
        for Early { path, priority, nomination, at } in early {
            let Some(id) = self.pair_of_request(path, priority) else { continue };
            self.list.hear(id, at);
            if self.config.lite {
                self.believe(id, nomination.is_some(), at);
            } else {
                self.list.trigger(id);
            }
            if let Some(transaction) = nomination {
                self.nominated_by_peer(id, transaction, at);
            }
        }
    }

    /// The stream on which the peer has checked is no more.
    pub(crate) fn forget_early(&mut self, path: Path) {
        if let Some(prepared) = &mut self.prepared {
            prepared.early.retain(|early| early.path != path);
        }
    }

    /// Whether the peer has checked this path by the credentials to come.
    pub(crate) fn is_open_early(&self, path: Path) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| prepared.has_heard(path))
    }

    /// What has failed answers nobody but those who begin anew.
    pub(crate) const fn is_deaf(&self) -> bool {
        self.has_ended() && !(matches!(self.state(), State::Failed) && self.prepared.is_some())
    }
}
