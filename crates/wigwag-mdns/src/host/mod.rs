//! A host on its links: asks for names of others, and answers for its own (RFC 6762).

mod input;
mod output;
mod owned;
mod query;
mod reply;

use crate::interface::{Interface, is_of_a_host};
use crate::{Config, Error, Event, Name, Stats};
use owned::Owned;
use query::Query;
use reply::Replies;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use wigwag_sansio::{Datagram, Monotonic, Rng, Seed, Transmit, earliest};

/// Machines have few links; what costs is in proportion.
const INTERFACES_MAX: usize = 64;

/// A host on its links.
///
/// [`resolve`](Self::resolve) asks for the address of a name, and [`Event`]s tell what became of it. [`register`](Self::register) makes
/// a name for an address of ours, which is answered for until it is [taken back](Self::unregister). Nothing is asked and nobody is
/// answered but on the [interfaces](Self::add_interface) that it is told of.
#[derive(Debug)]
pub struct Host {
    config: Config,
    names: Rng,
    delays: Rng,
    interfaces: BTreeMap<SocketAddr, Interface>,
    queries: BTreeMap<Name, Query>,
    owned: BTreeMap<Name, Owned>,
    replies: Replies,
    told: VecDeque<Event>,
    clock: Monotonic,
    /// Whether something has changed since it was computed what follows.
    is_touched: bool,
    /// What follows: whether something is owed, and when to look again.
    is_owed: bool,
    wake: Option<Instant>,
    stats: Stats,
}

impl Host {
    /// A host without links and names.
    pub fn new(config: Config, seed: Seed) -> Self {
        Self {
            config,
            delays: Rng::new(seed.fork("delays")),
            names: Rng::new(seed),
            interfaces: BTreeMap::new(),
            queries: BTreeMap::new(),
            owned: BTreeMap::new(),
            replies: Replies::default(),
            told: VecDeque::new(),
            clock: Monotonic::default(),
            is_touched: false,
            is_owed: false,
            wake: None,
            stats: Stats::default(),
        }
    }

    /// A link to ask and to answer on. Of one that is known, by its address, this is what is known from now on.
    ///
    /// # Errors
    /// [`Error::TooManyInterfaces`] after 64, [`Error::NotAnAddress`].
    pub fn add_interface(&mut self, interface: Interface) -> Result<(), Error> {
        let local = interface.local;
        if !is_of_a_host(local.ip()) {
            return Err(Error::NotAnAddress(local.ip()));
        }
        if self.interfaces.len() >= INTERFACES_MAX && !self.interfaces.contains_key(&local) {
            return Err(Error::TooManyInterfaces(INTERFACES_MAX));
        }
        for owned in self.owned.values_mut().filter(|owned| !interface.has(owned.address)) {
            owned.remove_link(local);
        }
        self.interfaces.insert(local, interface);
        self.is_touched = true;
        Ok(())
    }

    /// Nothing is asked or answered there any more. Those on it are not told: it may be gone.
    pub fn remove_interface(&mut self, local: SocketAddr) {
        self.interfaces.remove(&local);
        self.queries.values_mut().for_each(|query| query.remove_link(local));
        self.owned.values_mut().for_each(|owned| owned.remove_link(local));
        self.replies.retain(|link, _| link != local);
        self.is_touched = true;
    }

    /// The interfaces that there are, by their addresses.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// Asks for the address of a name: one [`Event`] tells what became of it. A name that is asked for already is asked for once.
    ///
    /// # Errors
    /// [`Error::NotAName`], [`Error::TooManyQueries`].
    pub fn resolve(&mut self, name: &str) -> Result<Name, Error> {
        let name: Name = name.parse()?;
        if self.queries.contains_key(&name) {
            return Ok(name);
        }
        if self.queries() >= self.config.queries_max {
            return Err(Error::TooManyQueries(self.config.queries_max));
        }
        match self.owned.get(&name).filter(|owned| !owned.is_leaving()) {
            Some(owned) => self.told.push_back(Event::Resolved { name, address: owned.address }),
            None => _ = self.queries.insert(name, Query::default()),
        }
        self.is_touched = true;
        Ok(name)
    }

    /// Asks for a name no more; nothing is told of it.
    pub fn cancel(&mut self, name: &Name) {
        self.is_touched |= self.queries.remove(name).is_some();
    }

    /// A new name for an address of ours, drawn at random. It is told at once to all of the link that the address is of, and to whoever
    /// asks there. An address may have several: each context that must not be linked to others has its own (draft-ietf-mmusic-mdns-ice-candidates §3.3.3).
    ///
    /// # Errors
    /// [`Error::NotAnAddress`], [`Error::TooManyNames`].
    pub fn register(&mut self, address: IpAddr) -> Result<Name, Error> {
        let name = Name::random(&mut self.names);
        self.register_name(name, address)?;
        Ok(name)
    }

    /// The same with a name that somebody else has drawn at random, as a connection that hides its addresses. One that is ours for this
    /// address already stays so.
    ///
    /// # Errors
    /// [`Error::NotAnAddress`], [`Error::TooManyNames`], [`Error::NameInUse`].
    pub fn register_name(&mut self, name: Name, address: IpAddr) -> Result<(), Error> {
        if !is_of_a_host(address) {
            return Err(Error::NotAnAddress(address));
        }
        let is_full = self.owned.len() >= self.config.names_max;
        match self.owned.get_mut(&name) {
            Some(owned) if owned.address != address => return Err(Error::NameInUse(name)),
            Some(owned) => owned.stay(),
            None if is_full => return Err(Error::TooManyNames(self.config.names_max)),
            None => _ = self.owned.insert(name, Owned::new(address)),
        }
        if self.queries.remove(&name).is_some() {
            self.stats.resolved = self.stats.resolved.saturating_add(1);
            self.told.push_back(Event::Resolved { name, address });
        }
        self.is_touched = true;
        Ok(())
    }

    /// A name is not ours any more. Those who may have heard of it are told so, a second after they heard of it at the earliest.
    pub fn unregister(&mut self, name: &Name) {
        let Some(owned) = self.owned.get_mut(name) else { return };
        owned.leave();
        self.replies.retain(|_, of| of != name);
        self.is_touched = true;
    }

    /// The names that are ours, and their addresses.
    pub fn names(&self) -> impl Iterator<Item = (Name, IpAddr)> {
        let kept = self.owned.iter().filter(|(_, owned)| !owned.is_leaving());
        kept.map(|(name, owned)| (*name, owned.address))
    }

    /// How many names are asked for, those included whose end was not polled yet.
    pub fn queries(&self) -> usize {
        self.queries.len().saturating_add(self.told.len())
    }

    /// Whether there is nothing to ask, to answer for or to tell: sockets are of no use now.
    pub fn is_idle(&self) -> bool {
        self.queries.is_empty() && self.owned.is_empty() && self.told.is_empty()
    }

    /// What was counted.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The five calls.
impl Host {
    /// A datagram arrived at an interface, whose address it names as its `local`, also if it was sent to the group.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        let now = self.advance(now);
        self.read(&datagram, now);
        if self.is_touched {
            self.settle(now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What shall be sent? Replaces what is in `out`. It leaves from [`Transmit::local`], by the interface that has it, with
    /// 255 hops (RFC 6762 §11); other programs of this machine are to hear it, too.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.advance(now);
        if !self.is_owed {
            return None;
        }
        let transmit = self.write(now, out);
        self.settle(now);
        transmit
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<Event> {
        self.told.pop_front()
    }

    /// When to call again; `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.clock.latest(now);
        if self.is_touched || self.is_owed || !self.told.is_empty() {
            return Some(now);
        }
        self.wake.map(|wake| wake.max(now))
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.clock.advance(now);
        if self.is_touched || self.wake.is_some_and(|wake| wake <= now) {
            self.settle(now);
        }
        now
    }

    /// Sees to all that the time or a change has brought.
    fn settle(&mut self, now: Instant) {
        self.is_touched = false;
        let Self { config, interfaces, queries, owned, told, stats, .. } = self;
        queries.retain(|name, query| {
            let is_over = query.is_over(config, interfaces.keys().copied(), now);
            stats.unresolved = stats.unresolved.saturating_add(u64::from(is_over));
            told.extend(is_over.then_some(Event::Unresolved(*name)));
            !is_over
        });
        for owned in owned.values_mut() {
            // RFC 6762 §6.2: "... and MUST NOT include addresses that are not valid on that interface (such as addresses that may be
            // configured on the host's other interfaces)."
            let address = owned.address;
            let links = interfaces.iter().filter(|(_, interface)| interface.has(address));
            owned.settle(links.map(|(local, _)| *local), now);
        }
        owned.retain(|_, owned| !owned.has_left());
        self.plan(now);
    }

    /// What is owed, and when to look again.
    fn plan(&mut self, now: Instant) {
        self.is_owed = !self.replies.is_empty()
            || self.owned.values().any(|owned| owned.is_owed(now))
            || self.queries.values().any(Query::is_owed);
        let owned = self.owned.values().map(Owned::deadline);
        let later = owned.chain(self.queries.values().map(Query::deadline)).filter(|at| at.is_some_and(|at| at > now));
        self.wake = earliest(later);
    }
}
