//! Hosts, links between them, and what happens next.

use crate::link::{Fate, Link};
use crate::node::Node;
use crate::origin;
use crate::trace::{Record, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Deadlines, Ecn, Protocol, Rng, Seed, Transmit};

/// So many steps at one instant are work; more are a livelock.
const STEPS_AT_ONE_INSTANT_MAX: usize = 100_000;
/// A world in which nobody wakes for so long has come to rest.
const REST: Duration = Duration::from_secs(10);
/// A world that has not come to rest by then never does.
const RUN_MAX: Duration = Duration::from_secs(600);
/// So much of the ladder is printed when a test fails.
const LADDER_LINES_MAX: usize = 200;

/// A host of a world, in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(usize);

/// The first host.
pub const A: Host = Host(0);
/// The second host.
pub const Z: Host = Host(1);

/// An address for a host: 10.0.0.1:1000 for [`A`], 10.0.0.2:1000 for [`Z`].
pub fn address(host: Host) -> SocketAddr {
    let [.., high, low] = host.0.saturating_add(1).to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 1000))
}

/// Something on its way.
#[derive(Debug)]
struct Flight {
    to: Host,
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
    ecn: Ecn,
    payload: Vec<u8>,
}

/// Machines on hosts, connected by links, in virtual time: a function of its seed.
///
/// When a test fails, the seed and the ladder are printed.
pub struct World<N> {
    seed: u64,
    begin: Instant,
    now: Instant,
    nodes: Vec<N>,
    addresses: BTreeMap<SocketAddr, Host>,
    links: BTreeMap<(Host, Host), Link>,
    /// By time, and at one time in the order in which they were sent.
    flights: BTreeMap<(Instant, u64), Flight>,
    sequence: u64,
    /// When each host wakes, except those in `touched`, which have to be asked again.
    deadlines: Deadlines,
    touched: BTreeSet<usize>,
    steps_at_now: usize,
    trace: Trace,
    out: Vec<u8>,
}

impl<N: Node> World<N> {
    /// A world without hosts.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            begin: origin(),
            now: origin(),
            nodes: Vec::new(),
            addresses: BTreeMap::new(),
            links: BTreeMap::new(),
            flights: BTreeMap::new(),
            sequence: 0,
            deadlines: Deadlines::default(),
            touched: BTreeSet::new(),
            steps_at_now: 0,
            trace: Trace::new(),
            out: Vec::new(),
        }
    }

    /// A world of two hosts, [`A`] and [`Z`], each at its [`address`].
    pub fn pair(seed: u64, [a, z]: [N; 2]) -> Self {
        let mut world = Self::new(seed);
        world.add("A", &[address(A)], a);
        world.add("Z", &[address(Z)], z);
        world
    }

    /// Adds a host with these addresses.
    ///
    /// # Panics
    /// If an address belongs to another.
    pub fn add(&mut self, name: &str, addresses: &[SocketAddr], node: N) -> Host {
        let host = Host(self.nodes.len());
        self.nodes.push(node);
        self.trace.add_host(name);
        self.touched.insert(host.0);
        for address in addresses {
            self.add_address(host, *address);
        }
        host
    }

    /// Gives a host one more address.
    ///
    /// # Panics
    /// If it belongs to another.
    pub fn add_address(&mut self, host: Host, address: SocketAddr) {
        let owner = *self.addresses.entry(address).or_insert(host);
        assert_eq!(owner, host, "{address} belongs to another host");
    }

    /// Takes an address from its host: what is sent from it or to it has no route.
    pub fn remove_address(&mut self, address: SocketAddr) {
        self.addresses.remove(&address);
    }

    /// The link from one host to another.
    pub fn link(&mut self, from: Host, to: Host) -> &mut Link {
        let seed = self.seed;
        self.links
            .entry((from, to))
            .or_insert_with(|| Link::new(Rng::new(Seed::for_test(seed).fork(&format!("link {} {}", from.0, to.0)))))
    }

    /// Does the same to both links between two hosts.
    pub fn links(&mut self, a: Host, z: Host, configure: impl Fn(&mut Link)) {
        configure(self.link(a, z));
        configure(self.link(z, a));
    }

    /// How many datagrams have met this fate, on all links.
    pub fn count(&self, fate: Fate) -> u64 {
        self.links.values().map(|link| link.count(fate)).sum()
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How old the world is.
    pub fn age(&self) -> Duration {
        self.now.duration_since(self.begin)
    }

    /// All that was sent.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// One line a datagram: see [`Trace::ladder`].
    pub fn ladder(&self, dissect: impl Fn(&[u8]) -> String) -> String {
        self.trace.ladder(dissect)
    }

    /// Lets the earliest thing happen that can: a host that has to wake does, or a datagram arrives. `false` if
    /// nothing can happen any more.
    ///
    /// # Panics
    /// If a machine breaks a law: it wants to be woken for what it was woken for just now, or never comes to an end.
    pub fn step(&mut self) -> bool {
        self.step_until(None)
    }

    /// Runs until nothing is on its way and nobody wakes in the next 10 seconds.
    ///
    /// # Panics
    /// If that is not so within 10 minutes of virtual time: a world that never rests wants [`run_for`](Self::run_for).
    #[track_caller]
    pub fn run(&mut self) {
        let end = self.now + RUN_MAX;
        while !self.flights.is_empty() || self.next_wake().is_some_and(|at| at <= self.now + REST) {
            self.step();
            assert!(self.now < end, "the world does not come to rest within {RUN_MAX:?}");
        }
    }

    /// Runs for so long, and no shorter: the time has passed then.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_until(Some(end)) {}
        self.advance(end);
    }

    /// Runs until `condition` is true.
    ///
    /// # Panics
    /// If it is not within `limit`, or nothing happens any more.
    #[track_caller]
    pub fn run_until(&mut self, condition: impl Fn(&Self) -> bool, limit: Duration) {
        let end = self.now + limit;
        while !condition(self) {
            assert!(self.step_until(Some(end)), "the condition was not true within {limit:?}");
        }
    }

    /// A step that happens at `end` at the latest.
    fn step_until(&mut self, end: Option<Instant>) -> bool {
        let wake = self.next_wake();
        let arrival = self.flights.keys().next().map(|(at, _)| *at);
        // Who owes something now goes first; a timer that ends just when a datagram arrives comes after it.
        let is_arrival_next = match (wake, arrival) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(wake), Some(arrival)) => wake > self.now && arrival <= wake,
        };
        let Some(at) = (if is_arrival_next { arrival } else { wake }) else { return false };
        if end.is_some_and(|end| at > end) {
            return false;
        }
        self.advance(at);
        if is_arrival_next {
            self.arrive();
        } else {
            self.wake();
        }
        true
    }

    fn advance(&mut self, at: Instant) {
        assert!(at >= self.now, "time never runs backwards");
        self.steps_at_now = if at > self.now { 0 } else { self.steps_at_now + 1 };
        assert!(self.steps_at_now <= STEPS_AT_ONE_INSTANT_MAX, "livelock at {:?}", self.age());
        self.now = at;
    }

    /// The earliest wake-up of all hosts, but not before now.
    fn next_wake(&mut self) -> Option<Instant> {
        while let Some(host) = self.touched.pop_first() {
            self.deadlines.set(host, self.nodes[host].poll_timeout(self.now));
        }
        self.deadlines.earliest().map(|at| at.max(self.now))
    }

    fn arrive(&mut self) {
        let Some((_, flight)) = self.flights.pop_first() else { return };
        let Flight { to, protocol, local, remote, ecn, mut payload } = flight;
        // The address may have been taken away meanwhile.
        if self.addresses.get(&local) == Some(&to) {
            let now = self.now;
            self[to].handle_input(Datagram { protocol, local, remote, ecn, payload: &mut payload }, now);
        }
    }

    /// What a loop does with each machine, in full.
    fn wake(&mut self) {
        let Some(host) = self.deadlines.expire(self.now).map(Host) else { return };
        let now = self.now;
        self[host].handle_timeout(now);
        let mut turns = 0;
        while self.poll_transmit(host) | self[host].poll_event() {
            turns += 1;
            assert!(turns <= STEPS_AT_ONE_INSTANT_MAX, "{} never has enough", self.name(host));
        }
        let again = self[host].poll_timeout(now);
        assert!(again.is_none_or(|at| at > now), "{} was woken, and is still due", self.name(host));
    }

    fn name(&self, host: Host) -> &str {
        self.trace.names().get(host.0).map_or("", String::as_str)
    }

    fn poll_transmit(&mut self, host: Host) -> bool {
        let mut out = std::mem::take(&mut self.out);
        let transmit = self.nodes[host.0].poll_transmit(self.now, &mut out);
        if let Some(transmit) = &transmit {
            self.send(host, transmit, &out);
        }
        self.out = out;
        transmit.is_some()
    }

    /// Cuts a batch as the kernel would.
    fn send(&mut self, from: Host, transmit: &Transmit, out: &[u8]) {
        match transmit.protocol {
            Protocol::Udp if !out.is_empty() => {
                assert!(transmit.segment_size > 0, "datagrams of a batch have a size");
                for payload in out.chunks(transmit.segment_size) {
                    self.send_one(from, transmit, payload.to_vec());
                }
            }
            Protocol::Udp | Protocol::Tcp | Protocol::Tls => self.send_one(from, transmit, out.to_vec()),
        }
    }

    fn send_one(&mut self, from: Host, transmit: &Transmit, payload: Vec<u8>) {
        let Transmit { protocol, local, remote, ecn, .. } = *transmit;
        let to = self.addresses.get(&remote).copied();
        let is_routed = self.addresses.get(&local) == Some(&from);
        let (begin, now) = (self.begin, self.now);
        let mut arriving = payload.clone();
        let (fate, arrivals) = match to {
            Some(to) if is_routed => self.link(from, to).pass(protocol, [local, remote], [begin, now], &mut arriving),
            Some(_) | None => (Fate::NoRoute, vec![]),
        };
        let hosts = (from.0, to.map(|to| to.0));
        self.trace.push(Record { at: self.age(), protocol, from: local, to: remote, payload, fate, hosts });
        if let (Fate::NoRoute, Protocol::Tcp | Protocol::Tls) = (fate, protocol) {
            // A stream that could not be opened has ended.
            let end = Flight { to: from, protocol, local, remote, ecn, payload: vec![] };
            self.fly(now, end);
        }
        for at in arrivals {
            let Some(to) = to else { continue };
            let flight = Flight { to, protocol, local: remote, remote: local, ecn, payload: arriving.clone() };
            self.fly(at, flight);
        }
    }

    fn fly(&mut self, at: Instant, flight: Flight) {
        self.flights.insert((at, self.sequence), flight);
        self.sequence += 1;
    }
}

impl<N> Index<Host> for World<N> {
    type Output = N;

    fn index(&self, host: Host) -> &N {
        &self.nodes[host.0]
    }
}

/// Whoever is touched is asked again when it wants to wake: commands need nothing else.
impl<N> IndexMut<Host> for World<N> {
    fn index_mut(&mut self, host: Host) -> &mut N {
        self.touched.insert(host.0);
        &mut self.nodes[host.0]
    }
}

impl<N> Drop for World<N> {
    #[expect(clippy::print_stderr, reason = "a failing test says how to repeat it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("WIGWAG_SEED={}\n{}", self.seed, self.trace.tail(LADDER_LINES_MAX));
        }
    }
}
