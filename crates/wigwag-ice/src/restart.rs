//! Beginning anew, while data goes on (RFC 8445 §9), and addresses that come and go.

use crate::agent::Agent;
use crate::candidate::{Candidate, normal};
use crate::check::claim;
use crate::consent::{self, Consent};
use crate::credentials::{Identity, Peer};
use crate::decision::Deed;
use crate::pair::Path;
use crate::tcp::TcpType;
use crate::{Credentials, Error, Kind, State};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;
use tracing::debug;
use wigwag_sansio::{Protocol, earliest};
use wigwag_stun::{Message, MessageWriter, TransactionId};

/// So many consents of a generation that is over await their answers: those of 30 s, one every 4 s at most.
const AWAITED_MAX: usize = 16;

/// The path in use before a restart, which carries data until a pair of the new generation is nominated.
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) local: Identity,
    peer: Peer,
    pub(crate) path: Path,
    /// The priority of our candidate, as if it were learned by the peer.
    priority: u32,
    /// The consent to send ends here.
    pub(crate) until: Instant,
    pub(crate) heard: Option<Instant>,
    pub(crate) consent: Consent,
    awaited: BTreeSet<TransactionId>,
    /// The new generation has its pair: this one only answers.
    pub(crate) is_superseded: bool,
}

impl Previous {
    pub(crate) fn is_awaiting(&self, transaction: TransactionId) -> bool {
        self.awaited.contains(&transaction)
    }

    /// Whether data goes this way.
    pub(crate) const fn is_in_use(&self) -> bool {
        !self.is_superseded
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([Some(self.until), self.consent.deadline()])
    }
}

/// Beginning anew.
impl Agent {
    /// Begins anew: with the credentials that were [prepared](Self::prepare_restart) or else new ones, without remote
    /// candidates, in the same role. Returns the new credentials, which are to be signalled, and with them once more the
    /// [local candidates](Self::local_candidates), which stay as they were; checks begin when the peer's
    /// new credentials are known too. Until a new pair is nominated, data goes on where it went, as long as the peer
    /// consents.
    ///
    /// The agent does this of itself if [`set_remote_credentials`](Self::set_remote_credentials) tells it that the peer has
    /// begun anew; [`generation`](Self::generation) tells.
    ///
    /// # Errors
    /// [`Error::Ended`] if the agent is closed. One that has failed may begin anew.
    pub fn restart(&mut self) -> Result<&Credentials, Error> {
        if self.state() == State::Closed {
            return Err(Error::Ended);
        }
        // RFC 8445 §9: "To restart ICE, an agent MUST change both the password and the username fragment for the data
        // stream(s) being restarted."
        let (identity, early) = match self.prepared.take() {
            Some(prepared) => (prepared.identity, prepared.early),
            None => {
                self.ask_again();
                (Identity::new(Credentials::random(&mut self.rng)), Vec::new())
            }
        };
        let old = (std::mem::replace(&mut self.local, identity), self.peer.take());
        self.keep_selected(old);
        self.flush();
        self.take_in(early);
        self.generation = self.generation.saturating_add(1);
        debug!(generation = self.generation, "restart");
        self.note(Deed::Restarted, None, "new credentials");
        self.touch();
        Ok(&self.local.credentials)
    }

    /// How often the agent has begun anew.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The pair in use carries data until there is a new one. If there is a path from an earlier generation, and none of
    /// this one, that one is kept.
    fn keep_selected(&mut self, (local, peer): (Identity, Option<Peer>)) {
        let selected = self.selected.and_then(|id| self.list.get(id));
        let kept = selected.zip(peer).and_then(|(pair, peer)| {
            let priority = self.local_candidates.get(pair.local)?.priority;
            Some(Previous {
                local,
                peer,
                path: pair.path,
                priority: crate::candidate::peer_reflexive_priority(pair.path.protocol, priority),
                until: pair.valid?.until,
                heard: pair.heard,
                consent: Consent::default(),
                awaited: BTreeSet::new(),
                is_superseded: false,
            })
        });
        let is_old_in_use = self.previous.as_deref().is_some_and(Previous::is_in_use);
        if let Some(mut kept) = kept.filter(|_| !is_old_in_use) {
            kept.consent = std::mem::take(&mut self.consent);
            self.previous = Some(Box::new(kept));
        }
    }

    /// RFC 8445 §9: "An ICE restart causes all previous states of the data streams, excluding the roles of the agents, to be
    /// flushed."
    fn flush(&mut self) {
        self.remote_candidates.clear();
        (self.has_all_remote, self.is_resolving) = (false, false);
        self.local_candidates.retain(|candidate| candidate.kind != Kind::PeerReflexive);
        self.list.clear();
        self.transactions.clear();
        self.answers.begin_anew();
        self.restart_nomination();
        (self.selected, self.nominations) = (None, 0);
        self.consent = Consent::default();
        self.await_anew();
    }
}

/// What is left of the generation before.
impl Agent {
    pub(crate) fn hear_previous(&mut self, path: Path, now: Instant) {
        if let Some(previous) = self.previous.as_mut().filter(|previous| previous.path == path) {
            previous.heard = Some(now);
            if self.config.lite {
                previous.until = now.checked_add(consent::EXPIRY).unwrap_or(now);
            }
        }
    }

    /// A response to a consent check of the generation before.
    pub(crate) fn handle_previous_response(&mut self, message: &Message<'_>, path: Path, now: Instant) {
        let Some(previous) = &mut self.previous else { return };
        if !message.is_authentic(&previous.peer.identity.key) {
            self.stats.unauthenticated_responses += 1;
        } else if previous.path != path {
            self.stats.asymmetric_responses += 1;
        } else {
            previous.awaited.remove(&message.transaction());
            previous.heard = Some(now);
            match message.attributes.error_code.map(|error| error.code) {
                None => {
                    self.stats.responses_received += 1;
                    previous.until = now.checked_add(consent::EXPIRY).unwrap_or(now);
                }
                Some(403) => self.previous = None,
                Some(_) => self.stats.errors_received += 1,
            }
        }
    }

    pub(crate) fn expire_previous(&mut self, now: Instant) {
        let Some(previous) = &mut self.previous else { return };
        previous.consent.expire(now);
        if previous.until <= now {
            debug!(path = ?previous.path, "the path from before the restart has ended");
            self.previous = None;
        }
    }

    /// A pair of this generation was nominated.
    pub(crate) fn supersede(&mut self) {
        if let Some(previous) = &mut self.previous {
            previous.is_superseded = true;
            previous.consent = Consent::default();
        }
    }

    pub(crate) fn write_previous_consent(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Path> {
        let previous = self.previous.as_mut().filter(|previous| previous.consent.is_owed())?;
        previous.consent = Consent::scheduled(&mut self.rng, now);
        if previous.awaited.len() >= AWAITED_MAX {
            previous.awaited.pop_first();
        }
        let transaction = TransactionId::random(&mut self.rng);
        previous.awaited.insert(transaction);
        let (peer, priority, path) = (&previous.peer, previous.priority, previous.path);
        out.clear();
        let writer = MessageWriter::request(out, transaction).username(&peer.username).priority(priority);
        let writer = claim(self.role, self.tie_breaker, writer);
        writer.integrity(&peer.identity.key).fingerprint();
        self.stats.consent_checks_sent += 1;
        Some(path)
    }
}

/// Addresses that vanish.
impl Agent {
    /// The address of a host or relayed candidate has vanished, and with it all candidates and pairs that need it. Other
    /// pairs are tried again; if none is left, the agent is disconnected, and fails only when its patience has ended.
    pub fn remove_local_candidate(&mut self, address: SocketAddr) {
        let base = normal(address);
        self.gathering.forget(base);
        let is_gone = |it: &Candidate| it.base == base && it.tcp_type.is_none();
        self.remove_base(is_gone, |path| path.protocol == Protocol::Udp && path.local == base);
    }

    /// The same of a candidate over TCP; the port of an active one means nothing.
    pub fn remove_local_tcp_candidate(&mut self, address: SocketAddr, tcp_type: TcpType) {
        let base = normal(address);
        let is_here = |local: SocketAddr| match tcp_type {
            TcpType::Passive => local == base,
            TcpType::Active => local.ip() == base.ip(),
        };
        let is_gone = |it: &Candidate| it.tcp_type == Some(tcp_type) && is_here(it.base);
        let passive = self.local_candidates.iter().filter(|it| it.tcp_type == Some(TcpType::Passive));
        let listening: Vec<SocketAddr> = passive.map(|it| it.base).collect();
        self.remove_base(is_gone, |path| {
            let is_accepted = listening.contains(&path.local);
            path.protocol == Protocol::Tcp && is_here(path.local) && is_accepted == (tcp_type == TcpType::Passive)
        });
    }

    /// Candidates are gone, and what went from there.
    fn remove_base(&mut self, is_gone: impl Fn(&Candidate) -> bool, is_from: impl Fn(Path) -> bool) {
        if !self.local_candidates.iter().any(&is_gone) {
            return;
        }
        debug!("local address vanished");
        self.note(Deed::Vanished, None, "a local address");
        let was_selected = self.selected.and_then(|id| self.list.get(id)).is_some_and(|pair| is_from(pair.path));
        let was_in_use = was_selected || self.old_in_use().is_some_and(|previous| is_from(previous.path));
        self.previous = self.previous.take().filter(|previous| !is_from(previous.path));
        self.remove_pairs(|pair| is_from(pair.path));
        self.remove_local(is_gone);
        self.search_elsewhere(was_in_use);
        self.touch();
    }

    /// What was in use is gone: other pairs are tried again.
    pub(crate) fn search_elsewhere(&mut self, was_in_use: bool) {
        if was_in_use {
            self.pair_again();
            self.list.revive(|_| true);
            self.roam();
        }
    }

    /// Forgets local candidates that no pair is of.
    pub(crate) fn remove_local(&mut self, is_gone: impl Fn(&Candidate) -> bool) {
        let kept: Vec<_> = self.local_candidates.iter().map(|candidate| !is_gone(candidate)).collect();
        self.local_candidates.retain(|candidate| !is_gone(candidate));
        self.list.update_all(|_, pair| {
            pair.local = kept.iter().take(pair.local).filter(|is_kept| **is_kept).count();
        });
    }
}
