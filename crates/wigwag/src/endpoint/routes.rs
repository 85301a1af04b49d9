//! Whose a datagram is.

use std::collections::{BTreeMap, VecDeque};
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
}

impl Routes {
    pub(super) fn knows_ufrag(&self, ufrag: &str) -> bool {
        self.by_ufrag.contains_key(ufrag)
    }

    pub(super) fn add_ufrag(&mut self, ufrag: &str, slot: usize) {
        self.by_ufrag.insert(ufrag.to_owned(), slot);
        if self.paths.len() <= slot {
            self.paths.resize_with(slot + 1, Vec::new);
        }
    }

    pub(super) fn find(&self, path: Path, peek: Option<&Peek<'_>>) -> Option<usize> {
        let by_path = self.by_path.get(&path).map(|owner| owner.slot);
        match peek {
            Some(Peek::Request { ufrag, .. }) => self.by_ufrag.get(*ufrag).copied(),
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

    pub(super) fn release_paths(&mut self, slot: usize) {
        for path in self.paths.get_mut(slot).map(std::mem::take).unwrap_or_default() {
            self.by_path.remove(&path);
        }
    }

    pub(super) fn remove(&mut self, ufrag: &str, slot: usize) {
        self.by_ufrag.remove(ufrag);
        self.release_paths(slot);
        // A slot is used again, a transaction is not: whoever sits there next must not get the answers of who left.
        self.by_transaction.retain(|_, held| *held != slot);
        self.transactions.retain(|transaction| self.by_transaction.contains_key(transaction));
    }
}
