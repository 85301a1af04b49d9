//! Candidates of the peer's that are told by a name (draft-ietf-mmusic-mdns-ice-candidates §3.2): whoever has sockets finds out what it
//! stands for, and the candidate is ICE's then.
//!
//! A name is of one generation of ICE: what is found out after a restart is for the candidates that are told after it.

use super::{End, PeerConnection};
use crate::config::IceTransportPolicy;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_ice::{self as ice, RemoteAddress, RemoteCandidate};
use wigwag_mdns::Name;
use wigwag_sansio::{Timer, earliest};

/// So many names are asked for in a generation: of each of the peer's addresses one, and machines have few.
const NAMES_MAX: usize = 16;
/// So many candidates wait for their names: as many as an agent takes.
const CANDIDATES_MAX: usize = 100;
/// So long ICE waits for one: as long as a multicast resolver tries, and some more.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long ICE waits for a name.
#[derive(Debug)]
enum Wait {
    /// From the next call that tells the time on.
    Beginning,
    /// Until then.
    Running(Timer),
    /// No longer. What is found out later is of use all the same.
    Over,
}

#[derive(Debug)]
struct Asked {
    name: Name,
    /// Those that wait for the address.
    candidates: Vec<RemoteCandidate>,
    address: Option<IpAddr>,
    wait: Wait,
}

/// The names of this generation.
#[derive(Debug, Default)]
pub(super) struct Names {
    generation: u32,
    asked: Vec<Asked>,
    /// Those that the application was not told of yet.
    owed: VecDeque<Name>,
}

impl Names {
    /// Forgets the names of another generation.
    fn begin(&mut self, generation: u32) {
        if self.generation != generation {
            *self = Self { generation, ..Self::default() };
        }
    }

    /// Nothing is asked any more.
    pub(super) fn clear(&mut self) {
        *self = Self { generation: self.generation, ..Self::default() };
    }

    pub(super) fn next(&mut self) -> Option<Name> {
        self.owed.pop_front()
    }

    fn is_awaited(&self) -> bool {
        self.asked.iter().any(|asked| !matches!(asked.wait, Wait::Over))
    }

    /// The candidate as it can be used now, if it can: with its address, or without a name that anybody could resolve. Else it waits.
    ///
    /// # Errors
    /// Too many wait.
    fn take(&mut self, candidate: RemoteCandidate) -> Result<Option<RemoteCandidate>, ice::Error> {
        let RemoteAddress::Name(text, port) = &candidate.address else { return Ok(Some(candidate)) };
        let Some(name) = text.parse::<Name>().ok().filter(|_| candidate.is_supported()) else {
            return Ok(Some(candidate));
        };
        let port = *port;
        let waiting: usize = self.asked.iter().map(|asked| asked.candidates.len()).sum();
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.name == name) {
            if let Some(address) = asked.address {
                return Ok(Some(resolved(candidate, name, SocketAddr::new(address, port))));
            }
            if asked.candidates.contains(&candidate) {
                return Ok(None);
            }
            if waiting >= CANDIDATES_MAX {
                return Err(ice::Error::TooManyCandidates);
            }
            asked.candidates.push(candidate);
            return Ok(None);
        }
        if self.asked.len() >= NAMES_MAX {
            return Ok(Some(candidate)); // one more that nobody can use
        }
        if waiting >= CANDIDATES_MAX {
            return Err(ice::Error::TooManyCandidates);
        }
        self.asked.push(Asked { name, candidates: vec![candidate], address: None, wait: Wait::Beginning });
        self.owed.push_back(name);
        Ok(None)
    }

    /// What a name stands for, if anything; returns the candidates that have waited for it. If it is nothing, they wait all the same.
    fn answer(&mut self, name: Name, address: Option<IpAddr>) -> Vec<RemoteCandidate> {
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.name == name) else { return Vec::new() };
        asked.wait = Wait::Over;
        let Some(address) = address else { return asked.candidates.clone() };
        if asked.address.is_some() {
            return Vec::new();
        }
        asked.address = Some(address);
        let waited = std::mem::take(&mut asked.candidates).into_iter();
        let port = |candidate: &RemoteCandidate| match candidate.address {
            RemoteAddress::Name(_, port) => port,
            RemoteAddress::Socket(address) | RemoteAddress::Resolved(_, address) => address.port(),
        };
        waited
            .map(|candidate| {
                let port = port(&candidate);
                resolved(candidate, name, SocketAddr::new(address, port))
            })
            .collect()
    }

    /// Takes note of the time; returns the candidates that ICE waits for no longer.
    fn expire(&mut self, now: Instant) -> Vec<RemoteCandidate> {
        let mut given_up = Vec::new();
        for asked in &mut self.asked {
            match &mut asked.wait {
                Wait::Beginning => asked.wait = Wait::Running(Timer::after(now, PATIENCE)),
                Wait::Running(timer) => {
                    if timer.expire(now) {
                        asked.wait = Wait::Over;
                        given_up.extend_from_slice(&asked.candidates);
                    }
                }
                Wait::Over => {}
            }
        }
        given_up
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        earliest(self.asked.iter().map(|asked| match &asked.wait {
            Wait::Beginning => Some(now),
            Wait::Running(timer) => timer.deadline(),
            Wait::Over => None,
        }))
    }
}

fn resolved(candidate: RemoteCandidate, name: Name, address: SocketAddr) -> RemoteCandidate {
    let mut resolved = candidate;
    resolved.address = RemoteAddress::Resolved(name.to_string(), address);
    resolved
}

impl PeerConnection {
    /// Says which address a name has that [`Event::NameResolutionNeeded`](crate::Event::NameResolutionNeeded) has told, or that nobody
    /// knows one. It may come late, or more than once: the first address counts. A name that was not told is nothing; one that was told
    /// before ICE was restarted neither, for the peer tells its candidates anew.
    ///
    /// Where the name has several addresses, say that there is none: draft-ietf-mmusic-mdns-ice-candidates §3.2.2 has such a candidate
    /// ignored.
    pub fn set_address_of_name(&mut self, name: &str, address: Option<IpAddr>) {
        let Ok(name) = name.parse::<Name>() else { return };
        if self.end != End::No || self.names.generation != self.transport.ice.generation() {
            return;
        }
        for candidate in self.names.answer(name, address) {
            // Of too many, those that have a place may still work; names without an address are counted.
            let _ = self.transport.ice.add_remote_candidate(candidate);
        }
        self.let_through();
        self.transport.ice.set_resolving(self.names.is_awaited());
        self.may_tell = true;
    }

    /// A candidate of the peer's that ICE goes by, at once or when its name is resolved.
    pub(super) fn take_candidate(&mut self, candidate: RemoteCandidate) -> Result<(), ice::Error> {
        let agent = &mut self.transport.ice;
        self.names.begin(agent.generation());
        // Whoever wants relays alone asks nobody for names: who is asked learns that we are here. The agent counts it as of no use.
        if self.config.ice_transport_policy == IceTransportPolicy::Relay {
            return agent.add_remote_candidate(candidate);
        }
        // And whoever tells us a name of ours as theirs cannot be there.
        if self.hidden.is_ours(&candidate.address) {
            return agent.add_remote_candidate(candidate);
        }
        let has_failed = agent.state() == ice::State::Failed;
        let usable = if has_failed { Some(candidate) } else { self.names.take(candidate)? };
        let added = usable.map_or(Ok(()), |candidate| agent.add_remote_candidate(candidate));
        agent.set_resolving(self.names.is_awaited());
        added
    }

    pub(super) fn expire_names(&mut self, now: Instant) {
        let given_up = self.names.expire(now);
        if given_up.is_empty() {
            return;
        }
        for candidate in given_up {
            let _ = self.transport.ice.add_remote_candidate(candidate); // it counts them, to say why it has failed
        }
        self.transport.ice.set_resolving(self.names.is_awaited());
    }
}
