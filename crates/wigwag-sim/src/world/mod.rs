//! Hosts, links between them, and what happens next.

mod flight;
mod plan;
mod time;

use crate::topology::{INTERNET, Topology};
use crate::{Fate, Link, Nat, Node, Realm, Trace, origin};
use flight::Flight;
use plan::{Action, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Index, IndexMut};
use std::time::{Duration, Instant};
use wigwag_sansio::{Deadlines, Protocol, Rng, Seed};

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

/// Machines on hosts, connected by links, in virtual time: a function of its seed.
///
/// When a test fails, the seed and the ladder are printed.
pub struct World<N> {
    seed: u64,
    begin: Instant,
    now: Instant,
    nodes: Vec<N>,
    topology: Topology,
    links: BTreeMap<(Host, Host), Link>,
    /// By time, and at one time in the order in which they were sent.
    flights: BTreeMap<(Instant, u64), Flight>,
    actions: BTreeMap<(Instant, u64), Action<N>>,
    plans: Vec<Plan<N>>,
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
            topology: Topology::default(),
            links: BTreeMap::new(),
            flights: BTreeMap::new(),
            actions: BTreeMap::new(),
            plans: Vec::new(),
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
        self.add_behind(INTERNET, name, addresses, node)
    }

    /// Adds a host with these addresses behind a NAT.
    ///
    /// # Panics
    /// If an address belongs to another there, or is not IPv4.
    pub fn add_behind(&mut self, realm: Realm, name: &str, addresses: &[SocketAddr], node: N) -> Host {
        let host = Host(self.nodes.len());
        self.nodes.push(node);
        self.trace.add_host(name);
        self.touched.insert(host.0);
        for address in addresses {
            self.add_address_behind(realm, host, *address);
        }
        host
    }

    /// Gives a host one more address.
    ///
    /// # Panics
    /// If it belongs to another.
    pub fn add_address(&mut self, host: Host, address: SocketAddr) {
        self.add_address_behind(INTERNET, host, address);
    }

    /// Gives a host one more address, behind a NAT.
    ///
    /// # Panics
    /// If it belongs to another there, is not IPv4, or the host has it elsewhere.
    pub fn add_address_behind(&mut self, realm: Realm, host: Host, address: SocketAddr) {
        self.topology.add_address(realm, host, address);
    }

    /// Takes an address from its host: what is sent from it or to it has no route.
    pub fn remove_address(&mut self, address: SocketAddr) {
        self.topology.remove_address(INTERNET, address);
    }

    /// Gives a host another address instead of one, where that was. The old one is dead, also for what is on its way.
    ///
    /// # Panics
    /// If the host has no such address, or the new one belongs to another.
    pub fn change_address(&mut self, host: Host, old: SocketAddr, new: SocketAddr) {
        let realm = self.topology.realm_of(host, old);
        let realm = realm.unwrap_or_else(|| panic!("{old} is no address of {}", self.name(host)));
        self.topology.remove_address(realm, old);
        self.topology.add_address(realm, host, new);
    }

    /// Adds a NAT that opens on `outside` with this address, and returns what is behind it: a realm of its own, empty.
    /// What it does is said by [`nat`](Self::nat).
    ///
    /// # Panics
    /// If the address belongs to another.
    pub fn add_nat(&mut self, outside: Realm, external: Ipv4Addr) -> Realm {
        let seed = Seed::for_test(self.seed).fork(&format!("nat {}", self.topology.nats()));
        self.topology.add_nat(outside, Nat::new(Rng::new(seed), external))
    }

    /// The NAT before a realm.
    ///
    /// # Panics
    /// If the realm is the internet.
    pub fn nat(&mut self, realm: Realm) -> &mut Nat {
        self.topology.nat(realm).expect("the internet is behind no NAT")
    }

    /// All realms behind NATs, in the order in which these were added.
    pub fn realms(&self) -> Vec<Realm> {
        self.topology.realms().collect()
    }

    /// The address that `remote` would see if a host sent to it now; this makes the bindings, or refreshes them, as the
    /// request to a STUN server there would. Nobody need be there. `None` if there is no way out.
    pub fn reflexive(&mut self, host: Host, local: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
        let summit = self.topology.climb(host, Protocol::Udp, [local, remote], self.now);
        summit.ok().map(|summit| summit.from)
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

    /// How many datagrams have met this fate.
    pub fn count(&self, fate: Fate) -> u64 {
        self.trace.tally().total(fate)
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

    /// Says how datagrams are printed when a test fails; else as bytes.
    pub fn dissector(&mut self, dissect: fn(&[u8]) -> String) {
        self.trace.dissector(dissect);
    }

    pub(crate) fn take_trace(&mut self) -> Trace {
        std::mem::replace(&mut self.trace, Trace::new())
    }

    /// One line a datagram: see [`Trace::ladder`].
    pub fn ladder(&self, dissect: impl Fn(&[u8]) -> String) -> String {
        self.trace.ladder(dissect)
    }

    fn name(&self, host: Host) -> &str {
        self.trace.names().get(host.0).map_or("", String::as_str)
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
