//! Whose a datagram is.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use wigwag_ice::{Path, Peek, TransactionId};

/// How many checks on unowned paths are remembered for their answers; the oldest are forgotten.
const TRANSACTIONS_MAX: usize = 4096;
/// How many paths a connection may hold: an agent forms no more pairs.
const PATHS_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    slot: usize,
    /// Our check was answered here, so a forged source address proves nothing. Else the path is merely open: a request
    /// with the right MESSAGE-INTEGRITY came from it.
    is_proven: bool,
}

#[derive(Debug, Default)]
pub(super) struct Routes {
    by_ufrag: BTreeMap<String, usize>,
    by_path: BTreeMap<Path, Owner>,
    by_transaction: BTreeMap<TransactionId, usize>,
    transactions: VecDeque<TransactionId>,
    /// By slot: what `by_path` holds of it.
    paths: Vec<Vec<Path>>,
    /// By slot: what `by_ufrag` holds of it.
    ufrags: Vec<Vec<String>>,
}

impl Routes {
    pub(super) fn knows_ufrag(&self, ufrag: &str) -> bool {
        self.by_ufrag.contains_key(ufrag)
    }

    /// A connection is known by these names, and by no others any more: during a restart, by those of before, of now and
    /// of then (RFC 8445 §9). One that is another connection's stays theirs.
    pub(super) fn set_ufrags<'a>(&mut self, slot: usize, ufrags: impl Iterator<Item = &'a str> + Clone) {
        if self.paths.len() <= slot {
            self.paths.resize_with(slot + 1, Vec::new);
            self.ufrags.resize_with(slot + 1, Vec::new);
        }
        let Some(held) = self.ufrags.get_mut(slot) else { return };
        if held.iter().map(String::as_str).eq(ufrags.clone()) {
            return;
        }
        for gone in std::mem::take(held) {
            self.by_ufrag.remove(&gone);
        }
        for ufrag in ufrags {
            if !self.by_ufrag.contains_key(ufrag) {
                self.by_ufrag.insert(ufrag.to_owned(), slot);
                held.push(ufrag.to_owned());
            }
        }
    }

    /// Who is known by this name.
    pub(super) fn of_ufrag(&self, ufrag: &str) -> Option<usize> {
        self.by_ufrag.get(ufrag).copied()
    }

    pub(super) fn find(&self, path: Path, peek: Option<&Peek<'_>>) -> Option<usize> {
        let by_path = self.by_path.get(&path).map(|owner| owner.slot);
        match peek {
            Some(Peek::Request { ufrag, .. }) => self.of_ufrag(ufrag),
            Some(Peek::Response { transaction }) => self.by_transaction.get(transaction).copied().or(by_path),
            _ => by_path,
        }
    }

    /// Takes note of what a connection says of a path on which STUN arrived. `false` if it is another's.
    pub(super) fn learn(&mut self, path: Path, slot: usize, is_proven: bool, is_open: bool) -> bool {
        if !is_proven && !is_open {
            return true;
        }
        match self.by_path.get(&path).copied() {
            Some(owner) if owner.slot == slot && (owner.is_proven || !is_proven) => return true,
            Some(owner) if owner.slot != slot && owner.is_proven => return false,
            Some(owner) if owner.slot != slot && !is_proven => return false, // both merely open: who came first stays
            Some(owner) if owner.slot != slot => self.forget_path(owner.slot, path),
            _ => {}
        }
        let Some(paths) = self.paths.get_mut(slot) else { return true };
        if !paths.contains(&path) {
            if paths.len() >= PATHS_MAX {
                return false;
            }
            paths.push(path);
        }
        self.by_path.insert(path, Owner { slot, is_proven });
        true
    }

    /// Whose a path is.
    pub(super) fn owner(&self, path: Path) -> Option<usize> {
        self.by_path.get(&path).map(|owner| owner.slot)
    }

    /// What its owner has proven holds no more.
    pub(super) fn doubt(&mut self, path: Path) {
        if let Some(owner) = self.by_path.get_mut(&path) {
            owner.is_proven = false;
        }
    }

    /// Whether there is no room for one path more.
    pub(super) fn is_full(&self, slot: usize) -> bool {
        self.paths.get(slot).is_some_and(|paths| paths.len() >= PATHS_MAX)
    }

    /// Gives up paths of a connection.
    pub(super) fn retain_paths(&mut self, slot: usize, is_kept: impl Fn(Path) -> bool) {
        let Some(paths) = self.paths.get_mut(slot) else { return };
        for gone in paths.extract_if(.., |path| !is_kept(*path)) {
            self.by_path.remove(&gone);
        }
    }

    fn forget_path(&mut self, slot: usize, path: Path) {
        if let Some(paths) = self.paths.get_mut(slot) {
            paths.retain(|held| *held != path);
        }
    }

    pub(super) fn owns(&self, slot: usize, path: Path) -> bool {
        self.by_path.get(&path).is_some_and(|owner| owner.slot == slot && owner.is_proven)
    }

    pub(super) fn remember(&mut self, transaction: TransactionId, slot: usize) {
        if self.by_transaction.insert(transaction, slot).is_some() {
            return; // sent again
        }
        if self.transactions.len() >= TRANSACTIONS_MAX
            && let Some(oldest) = self.transactions.pop_front()
        {
            self.by_transaction.remove(&oldest);
        }
        self.transactions.push_back(transaction);
    }

    /// The address is gone, and may be another's tomorrow.
    pub(super) fn release_local(&mut self, local: SocketAddr) {
        self.by_path.retain(|path, _| path.local != local);
        self.paths.iter_mut().for_each(|paths| paths.retain(|path| path.local != local));
    }

    pub(super) fn release_paths(&mut self, slot: usize) {
        for path in self.paths.get_mut(slot).map(std::mem::take).unwrap_or_default() {
            self.by_path.remove(&path);
        }
    }

    pub(super) fn remove(&mut self, slot: usize) {
        for ufrag in self.ufrags.get_mut(slot).map(std::mem::take).unwrap_or_default() {
            self.by_ufrag.remove(&ufrag);
        }
        self.release_paths(slot);
        // A slot is used again, a transaction is not: whoever sits there next must not get the answers of who left.
        self.by_transaction.retain(|_, held| *held != slot);
        self.transactions.retain(|transaction| self.by_transaction.contains_key(transaction));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Protocol;

    fn path(port: u16) -> Path {
        Path { protocol: Protocol::Udp, local: ([10, 0, 0, 1], 1).into(), remote: ([10, 0, 0, 2], port).into() }
    }

    fn routes() -> Routes {
        let mut routes = Routes::default();
        routes.set_ufrags(0, ["zero"].into_iter());
        routes.set_ufrags(1, ["one"].into_iter());
        routes
    }

    #[test]
    fn a_path_is_whose_it_was_first_until_somebody_proves_that_it_is_theirs() {
        let mut routes = routes();
        assert!(routes.learn(path(1), 0, false, true));
        assert!(!routes.learn(path(1), 1, false, true), "both are merely open");
        assert_eq!(routes.find(path(1), None), Some(0));
        assert!(routes.learn(path(1), 1, true, true), "a proof is better");
        assert_eq!(routes.find(path(1), None), Some(1));
        for is_proven in [false, true] {
            assert!(!routes.learn(path(1), 0, is_proven, true), "who has proven it keeps it");
        }
        assert_eq!(routes.find(path(1), None), Some(1));
        routes.remove(0);
        assert_eq!(routes.find(path(1), None), Some(1), "who lost it takes nothing along");
        routes.remove(1);
        assert_eq!(routes.find(path(1), None), None);
        assert!(routes.by_path.is_empty() && routes.by_ufrag.is_empty());
    }

    #[test]
    fn a_connection_is_known_by_all_its_names_and_by_none_that_it_gave_up() {
        let mut routes = routes();
        let request = |ufrag| Peek::Request { ufrag, transaction: TransactionId([1; 12]) };
        let names: [&[&str]; 5] =
            [&["zero", "second"], &["zero", "second"], &["second"], &["second", "one"], &["second", "third"]];
        for names in names {
            routes.set_ufrags(0, names.iter().copied());
        }
        let found = ["zero", "second", "third", "one"].map(|ufrag| routes.find(path(1), Some(&request(ufrag))));
        assert_eq!(found, [None, Some(0), Some(0), Some(1)], "another's name is not taken from it");
        routes.remove(0);
        assert_eq!(routes.by_ufrag.len(), 1);
    }

    #[test]
    fn nobody_holds_more_paths_than_an_agent_has_pairs() {
        let mut routes = routes();
        let held = (0..1000).filter(|port| routes.learn(path(*port), 0, true, true)).count();
        assert_eq!((held, routes.by_path.len()), (PATHS_MAX, PATHS_MAX));
        routes.release_paths(0);
        assert!(routes.by_path.is_empty());
    }

    #[test]
    fn the_paths_of_an_address_that_is_gone_are_nobodys() {
        let mut routes = routes();
        let elsewhere = Path { local: ([10, 0, 0, 9], 1).into(), ..path(1) };
        for path in [path(1), path(2), elsewhere] {
            assert!(routes.learn(path, 0, true, true));
        }
        routes.release_local(path(1).local);
        assert_eq!([path(1), path(2), elsewhere].map(|path| routes.find(path, None)), [None, None, Some(0)]);
        assert!(routes.learn(path(1), 1, true, true), "another may prove it");
        assert_eq!(routes.paths, [vec![elsewhere], vec![path(1)]]);
    }

    #[test]
    fn transactions_are_forgotten_oldest_first_and_with_their_connection() {
        let mut routes = routes();
        let id = |n: u32| {
            let [a, b, c, d] = n.to_be_bytes();
            TransactionId([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0])
        };
        for n in 0..100_000 {
            routes.remember(id(n), n as usize % 2);
            routes.remember(id(n), n as usize % 2);
        }
        assert_eq!((routes.by_transaction.len(), routes.transactions.len()), (TRANSACTIONS_MAX, TRANSACTIONS_MAX));
        let find = |routes: &Routes, n| routes.find(path(1), Some(&Peek::Response { transaction: id(n) }));
        assert_eq!(find(&routes, 0), None);
        assert_eq!([find(&routes, 99_999), find(&routes, 99_998)], [Some(1), Some(0)]);
        routes.remove(1);
        assert_eq!([find(&routes, 99_999), find(&routes, 99_998)], [None, Some(0)]);
        assert_eq!(
            (routes.by_transaction.len(), routes.transactions.len()),
            (TRANSACTIONS_MAX / 2, TRANSACTIONS_MAX / 2)
        );
    }
}
