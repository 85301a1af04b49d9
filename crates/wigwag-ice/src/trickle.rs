//! Candidates come at any time, from either side, and every new one is paired with all others (RFC 8838).

use crate::agent::Agent;
use crate::candidate::{self, COMPONENT, Candidate, Kind, LocalCandidate, RemoteCandidate, normal, zoneless};
use crate::decision::Deed;
use crate::pair::{self, Pair, PairId, PairState, Path};
use crate::tcp::TcpType;
use crate::{Error, PairStats, State};
use std::net::{IpAddr, SocketAddr};
use tracing::debug;
use wigwag_sansio::Protocol;

/// RFC 8445 §5.1.1.3: candidates have the same foundation if they agree in all of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foundation {
    kind: Kind,
    base: IpAddr,
    protocol: Protocol,
    server: Option<IpAddr>,
}

/// Local candidates.
impl Agent {
    /// Adds an address at which the peer may reach us, and returns it as it is signalled. One that is known already is
    /// returned as it is known.
    ///
    /// One that has failed takes it for when it begins anew.
    ///
    /// # Errors
    /// [`Error::InvalidCandidate`], [`Error::TooManyCandidates`], or [`Error::Ended`] if the agent is closed.
    pub fn add_local_candidate(&mut self, candidate: LocalCandidate) -> Result<Candidate, Error> {
        if self.state() == State::Closed {
            return Err(Error::Ended);
        }
        candidate.validate()?;
        let LocalCandidate { address, base, kind, .. } = candidate;
        let (address, base) = (normal(address), normal(base));
        let is_alike = |known: &Candidate| (known.protocol, known.tcp_type) == (candidate.protocol, candidate.tcp_type);
        let name = self.name_for(kind, address.ip()).map(str::to_owned);
        let related = self.related(address.ip(), candidate.related);
        let is_same = |known: &&mut Candidate| {
            known.address == address && known.base == base && known.name == name && is_alike(known)
        };
        match self.local_candidates.iter_mut().find(is_same) {
            Some(known) if known.kind == Kind::PeerReflexive && kind == Kind::ServerReflexive => {
                // The peer's answer was faster than the server's.
                known.kind = kind;
                known.related = related;
                return Ok(known.clone());
            }
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        if !self.has_room_for_local() {
            return Err(Error::TooManyCandidates);
        }
        let foundation = Foundation { kind, base: base.ip(), protocol: candidate.protocol, server: candidate.server };
        let priority = self.local_priority(&candidate);
        let candidate = Candidate {
            foundation: self.foundation(foundation),
            component: COMPONENT,
            protocol: candidate.protocol,
            tcp_type: candidate.tcp_type,
            priority,
            address,
            kind,
            base,
            related,
            name,
        };
        let index = self.push_local(candidate.clone());
        if self.has_ended() {
            if !self.is_deaf() {
                self.ask_all(index);
            }
            self.touch();
            return Ok(candidate);
        }
        for remote in 0..self.remote_candidates.len() {
            let formed = self.try_pair(index, remote);
            // After a nomination no pair has a turn of its own; one of a new address may be needed when the old one vanishes.
            if let Some(id) = formed.filter(|_| self.nomination.pair().is_some()) {
                self.list.trigger(id);
            }
        }
        self.ask_all(index);
        self.touch();
        Ok(candidate)
    }

    /// There will be no more local candidates.
    pub fn end_of_local_candidates(&mut self) {
        self.has_all_local = true;
        self.touch();
    }

    fn has_room_for_local(&self) -> bool {
        self.local_candidates.len() < self.config.candidates_max || self.learned_local().is_some()
    }

    /// What a peer claims to see is forgotten before what we know ourselves. It has no pairs of its own.
    fn learned_local(&self) -> Option<usize> {
        self.local_candidates.iter().position(|candidate| candidate.kind == Kind::PeerReflexive)
    }

    /// Adds a candidate for which there is room, and says where.
    fn push_local(&mut self, candidate: Candidate) -> usize {
        debug!(?candidate, "local candidate");
        let is_full = self.local_candidates.len() >= self.config.candidates_max;
        let index = self.learned_local().filter(|_| is_full);
        if let Some((index, place)) = index.and_then(|index| Some((index, self.local_candidates.get_mut(index)?))) {
            *place = candidate;
            return index;
        }
        self.local_candidates.reserve_exact(1);
        self.local_candidates.push(candidate);
        self.local_candidates.len().saturating_sub(1)
    }

    fn foundation(&mut self, foundation: Foundation) -> String {
        let known = self.foundations.iter().position(|known| *known == foundation);
        let index = known.unwrap_or_else(|| {
            self.foundations.push(foundation);
            self.foundations.len().saturating_sub(1)
        });
        index.saturating_add(1).to_string()
    }

    /// RFC 8445 §5.1.2.1: an agent with several addresses gives each a local preference of its own; a reflexive
    /// candidate has that of its base.
    fn local_priority(&self, candidate: &LocalCandidate) -> u32 {
        let is_host = |known: &&Candidate| known.kind == Kind::Host && known.tcp_type.is_none();
        let base = self.local_candidates.iter().filter(is_host).find(|known| known.base == candidate.base);
        let of_base =
            base.filter(|_| candidate.kind == Kind::ServerReflexive).map(|host| (host.priority >> 8) & 0xFFFF);
        let is_alike = |known: &&Candidate| (known.kind, known.tcp_type) == (candidate.kind, candidate.tcp_type);
        let alike = u16::try_from(self.local_candidates.iter().filter(is_alike).count()).unwrap_or(u16::MAX);
        let in_turn = candidate.tcp_type.map_or(u16::MAX.saturating_sub(alike), |it| it.local_preference(alike));
        let in_turn = u32::from(in_turn);
        let preference = candidate.local_preference.map(u32::from).or(of_base).unwrap_or(in_turn);
        let mut preference = u16::try_from(preference).unwrap_or(u16::MAX);
        // RFC 8445 §5.1.2: no two candidates have the same priority.
        loop {
            let priority = candidate::priority(candidate.kind, candidate.protocol, preference);
            if preference == 0 || self.local_candidates.iter().all(|known| known.priority != priority) {
                return priority;
            }
            preference = preference.saturating_sub(1);
        }
    }

    /// What the peer saw of us: a peer-reflexive candidate, if it was not known (RFC 8445 §7.2.5.3.1). Of a stream that we have opened it is
    /// where the peer cannot open another.
    pub(crate) fn learn_mapped(&mut self, id: PairId, mapped: SocketAddr) {
        let is_known = |known: &Candidate| zoneless(known.address) == mapped;
        let is_full = self.local_candidates.len() >= self.config.candidates_max;
        if is_full
            || self.is_secret(mapped.ip())
            || !candidate::is_usable(mapped)
            || self.local_candidates.iter().any(is_known)
        {
            return;
        }
        let Some(local) = self.list.get(id).and_then(|pair| self.local_candidates.get(pair.local)) else { return };
        if local.base.is_ipv4() != mapped.is_ipv4() || local.protocol != Protocol::Udp {
            return;
        }
        let (base, protocol, priority) = (local.base, local.protocol, local.priority);
        let kind = Kind::PeerReflexive;
        let name = self.name_for(kind, mapped.ip()).map(str::to_owned);
        let related = self.related(mapped.ip(), Some(base));
        let foundation = self.foundation(Foundation { kind, base: base.ip(), protocol, server: None });
        // It has the same base as what it was learned with, so it is not paired: all its pairs exist.
        self.push_local(Candidate {
            foundation,
            component: COMPONENT,
            protocol,
            tcp_type: None,
            priority: candidate::peer_reflexive_priority(protocol, priority),
            address: mapped,
            kind,
            base,
            related,
            name,
        });
    }
}

/// Remote candidates.
impl Agent {
    /// Adds an address at which the peer says it may be reached.
    ///
    /// One that cannot be used (a name that is not resolved, another component or protocol, an impossible address) is counted in
    /// [`Stats::remote_candidates_ignored`](crate::Stats::remote_candidates_ignored), and that is not an error.
    ///
    /// # Errors
    /// [`Error::TooManyCandidates`] or [`Error::Ended`].
    #[expect(clippy::needless_pass_by_value, reason = "it is handed over")]
    pub fn add_remote_candidate(&mut self, candidate: RemoteCandidate) -> Result<(), Error> {
        if self.has_ended() {
            return Err(Error::Ended);
        }
        let Some(address) = candidate.usable_address() else {
            debug!(?candidate, "remote candidate ignored");
            self.stats.remote_candidates_ignored += 1;
            return Ok(());
        };
        let protocol = candidate.protocol;
        let is_same = |known: &Candidate| known.address == address && known.protocol == protocol;
        let known = self.remote_candidates.iter_mut().enumerate().find(|(_, known)| is_same(known));
        match known {
            // A check was faster than the signalling, which knows better.
            Some((index, known)) if known.kind == Kind::PeerReflexive => {
                known.tcp_type = candidate.tcp_type;
                known.foundation.clone_from(&candidate.foundation);
                known.kind = candidate.kind;
                known.priority = candidate.priority;
                known.name = candidate.name().cloned();
                self.reprioritize();
                self.pair_with_all(index); // the check has made one pair
            }
            Some(_) => {}
            None => {
                let index = self.push_remote(Candidate {
                    foundation: candidate.foundation.clone(),
                    component: COMPONENT,
                    protocol,
                    tcp_type: candidate.tcp_type,
                    priority: candidate.priority,
                    address,
                    kind: candidate.kind,
                    base: address,
                    related: None,
                    name: candidate.name().cloned(),
                });
                self.pair_with_all(index.ok_or(Error::TooManyCandidates)?);
            }
        }
        self.touch();
        Ok(())
    }

    /// Whether names of the peer's candidates are being resolved: as long as they are, the agent neither completes nor fails for want of
    /// candidates. A restart forgets it.
    pub fn set_resolving(&mut self, is_resolving: bool) {
        self.is_resolving = is_resolving && !self.has_ended();
        self.touch();
    }

    /// The peer has said that there will be no more candidates.
    pub fn end_of_remote_candidates(&mut self) {
        self.has_all_remote = true;
        self.touch();
    }

    fn push_remote(&mut self, candidate: Candidate) -> Option<usize> {
        let is_full = self.remote_candidates.len() >= self.config.candidates_max;
        let place = match candidate.kind {
            _ if !is_full => None,
            Kind::PeerReflexive => Some(self.spent_remote()?),
            Kind::Host | Kind::ServerReflexive | Kind::Relayed => Some(self.unproven_remote()?),
        };
        debug!(?candidate, "remote candidate");
        if let Some((index, place)) = place.and_then(|index| Some((index, self.remote_candidates.get_mut(index)?))) {
            *place = candidate;
            self.remove_pairs(|pair| pair.remote == index);
            return Some(index);
        }
        self.remote_candidates.reserve_exact(1);
        self.remote_candidates.push(candidate);
        self.remote_candidates.len().checked_sub(1)
    }

    /// A candidate that a request has brought, from where no check was answered: whoever saw the request may have sent
    /// it again from anywhere.
    fn unproven_remote(&self) -> Option<usize> {
        let has_valid = |index| self.list.iter().any(|(_, pair)| pair.remote == index && pair.valid.is_some());
        let mut learned =
            self.remote_candidates.iter().enumerate().filter(|(_, known)| known.kind == Kind::PeerReflexive);
        learned.find(|(index, _)| !has_valid(*index)).map(|(index, _)| index)
    }

    /// A candidate that a request has brought, and from which nothing comes any more: a peer may move as often as it likes.
    /// But two NATs that map anew for each new address make new addresses of each other without end.
    fn spent_remote(&self) -> Option<usize> {
        if !self.may_try_again() {
            return None;
        }
        // A pair that is frozen was given up for the nominated one: what a request has brought was checked at once.
        let is_given_up = |pair: &Pair| pair.valid.is_none() && matches!(pair.state, PairState::Frozen);
        let is_spent = |pair: &Pair| pair.is_spent() || is_given_up(pair);
        let is_spent = |index| self.list.iter().all(|(_, pair)| pair.remote != index || is_spent(pair));
        let mut learned =
            self.remote_candidates.iter().enumerate().filter(|(_, known)| known.kind == Kind::PeerReflexive);
        learned.find(|(index, _)| is_spent(*index)).map(|(index, _)| index)
    }

    /// What the peer has checked is worth more than what came to nothing, whatever their priorities.
    fn make_room_for_checked(&mut self) {
        if let Some(spent) = self.list.spent_if_full().filter(|_| self.may_try_again()) {
            self.remove_pair(spent);
        }
    }

    /// There is room again: pairs are formed for which there was none.
    pub(crate) fn pair_again(&mut self) {
        if self.stats.pairs_discarded > 0 {
            (0..self.remote_candidates.len()).for_each(|remote| self.pair_with_all(remote));
        }
    }

    fn pair_with_all(&mut self, remote: usize) {
        for local in 0..self.local_candidates.len() {
            self.try_pair(local, remote);
        }
    }

    /// The pair that an authenticated request came in on. If it is new, so may be its remote candidate, which is
    /// peer-reflexive then (RFC 8445 §7.3.1.3). `None` if there are too many.
    pub(crate) fn pair_of_request(&mut self, path: Path, priority: u32) -> Option<PairId> {
        if let Some(id) = self.list.find(path) {
            return Some(id);
        }
        let address = zoneless(path.remote);
        let protocol = path.protocol;
        let is_it = |known: &Candidate| known.address == address && known.protocol == protocol;
        let local = self.receives(path)?;
        let known = self.remote_candidates.iter().position(is_it);
        let remote = known.or_else(|| {
            self.push_remote(Candidate {
                // No signalled foundation has this character, so it is like none of them.
                foundation: format!("~{}", self.remote_candidates.len()),
                component: COMPONENT,
                protocol,
                tcp_type: (protocol == Protocol::Tcp).then_some(TcpType::Active),
                priority,
                address,
                kind: Kind::PeerReflexive,
                base: address,
                related: None,
                name: None,
            })
        })?;
        self.make_room_for_checked();
        self.pair_up(local, remote);
        self.list.find(path)
    }
}

/// Pairs.
impl Agent {
    /// Forms a pair of which nobody knows yet whether it works.
    fn try_pair(&mut self, local: usize, remote: usize) -> Option<PairId> {
        let (from, to) = self.local_candidates.get(local).zip(self.remote_candidates.get(remote))?;
        // draft-ietf-mmusic-mdns-ice-candidates §3.3.2: "the ICE agent MUST NOT form candidate pairs between its own relay candidates and
        // remote mDNS candidates."
        let is_hidden = from.kind == Kind::Relayed && to.may_be_hidden();
        // RFC 6544 §6.2: who listens waits for the stream, and has no pair before. Who is lite has no check to open one with.
        let is_ours_to_open = match (from.tcp_type, to.tcp_type) {
            (None, None) => true,
            (Some(TcpType::Active), Some(TcpType::Passive)) => !self.config.lite,
            (None | Some(_), _) => false,
        };
        let is_wanted = !is_hidden && is_ours_to_open && candidate::is_worth_trying(from.base, to.address);
        if is_wanted { self.pair_up(local, remote) } else { None }
    }

    /// Forms a pair, unless these cannot reach each other or their path is that of another.
    fn pair_up(&mut self, local: usize, remote: usize) -> Option<PairId> {
        let (from, to) = self.local_candidates.get(local).zip(self.remote_candidates.get(remote))?;
        if from.kind == Kind::PeerReflexive || from.protocol != to.protocol {
            return None;
        }
        let path = match from.tcp_type {
            Some(TcpType::Active) => self.new_stream(local, remote)?,
            // RFC 8445 §6.1.2.4: a reflexive candidate is sent from its base, so its pairs are those of the base.
            Some(TcpType::Passive) | None => {
                let remote = candidate::reachable(from.base, to.address)?;
                Path { protocol: from.protocol, local: from.base, remote }
            }
        };
        let (from, to) = self.local_candidates.get(local).zip(self.remote_candidates.get(remote))?;
        let priority = pair::priority(self.role, from.priority, to.priority);
        let foundation = format!("{}:{}", from.foundation, to.foundation);
        let is_relayed = from.kind == Kind::Relayed || to.kind == Kind::Relayed;
        if let Some(id) = self.list.find(path) {
            if self.list.get(id).is_some_and(|pair| pair.priority < priority) {
                self.list.update(id, |pair| {
                    (pair.local, pair.priority, pair.foundation) = (local, priority, foundation);
                });
            }
            return None;
        }
        let (added, gone) = self.list.add(Pair {
            local,
            remote,
            path,
            priority,
            foundation,
            is_relayed,
            state: PairState::Frozen,
            triggered: None,
            valid: None,
            heard: None,
            nominated: None,
            stats: PairStats::default(),
        });
        if added.is_some() {
            debug!(?path, "pair");
            self.note(Deed::Formed, Some(path), "both addresses are known, and of one kind");
        }
        if added.is_none() || gone.is_some() {
            self.stats.pairs_discarded += 1;
        }
        if added.is_none() {
            self.note(Deed::Discarded, Some(path), "there are too many, and none is worse");
        }
        if let Some((gone, path)) = gone {
            self.note(Deed::Discarded, Some(path), "there are too many, and a better one has come");
            self.transactions.forget(gone);
            self.nomination_failed(gone);
        }
        added
    }

    pub(crate) fn remove_pairs(&mut self, is_gone: impl Fn(&Pair) -> bool) {
        let gone: Vec<PairId> = self.list.iter().filter(|(_, pair)| is_gone(pair)).map(|(id, _)| id).collect();
        gone.into_iter().for_each(|id| self.remove_pair(id));
    }

    fn remove_pair(&mut self, id: PairId) {
        self.list.remove(id);
        self.transactions.forget(id);
        self.nomination_failed(id);
    }

    /// The role or a candidate has changed.
    pub(crate) fn reprioritize(&mut self) {
        self.list.update_all(|_, pair| {
            let candidates = self.local_candidates.get(pair.local).zip(self.remote_candidates.get(pair.remote));
            let Some((local, remote)) = candidates else { return };
            pair.priority = pair::priority(self.role, local.priority, remote.priority);
            pair.foundation = format!("{}:{}", local.foundation, remote.foundation);
            pair.is_relayed = local.kind == Kind::Relayed || remote.kind == Kind::Relayed;
        });
    }
}
