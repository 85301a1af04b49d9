//! How much was carried, and which way: everything but connectivity checks.

use std::collections::BTreeMap;
use std::time::Instant;
use wigwag_ice::Path;

/// So many paths are counted by themselves: as many as an agent's check list has pairs (RFC 8445 §6.1.2.5).
const PATHS_MAX: usize = 100;

/// What was carried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) packets_sent: u64,
    pub(crate) packets_received: u64,
    /// Above UDP.
    pub(crate) bytes_sent: u64,
    /// Above UDP.
    pub(crate) bytes_received: u64,
    pub(crate) last_sent: Option<Instant>,
    pub(crate) last_received: Option<Instant>,
}

/// What was carried on all paths, and on each.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    total: Carried,
    by_path: BTreeMap<Path, Carried>,
}

impl Traffic {
    /// So many datagrams of one size leave, of which the last may be shorter.
    pub(super) fn sent(&mut self, path: Path, len: usize, segment_size: usize, now: Instant) {
        self.count(path, |carried| {
            carried.packets_sent += len.div_ceil(segment_size.max(1)) as u64;
            carried.bytes_sent += len as u64;
            carried.last_sent = Some(now);
        });
    }

    pub(super) fn received(&mut self, path: Path, len: usize, now: Instant) {
        self.count(path, |carried| {
            carried.packets_received += 1;
            carried.bytes_received += len as u64;
            carried.last_received = Some(now);
        });
    }

    fn count(&mut self, path: Path, count: impl Fn(&mut Carried)) {
        count(&mut self.total);
        if let Some(carried) = self.by_path.get_mut(&path) {
            count(carried);
        } else if self.by_path.len() < PATHS_MAX {
            count(self.by_path.entry(path).or_default());
        }
    }

    pub(crate) const fn total(&self) -> Carried {
        self.total
    }

    pub(crate) fn on(&self, path: Path) -> Carried {
        self.by_path.get(&path).copied().unwrap_or_default()
    }
}
