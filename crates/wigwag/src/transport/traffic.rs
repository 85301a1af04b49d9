//! How much was carried, and which way: everything but connectivity checks.

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
    /// In the order of the paths.
    by_path: Vec<(Path, Carried)>,
}

impl Traffic {
    /// So many datagrams leave, of so many bytes together.
    pub(super) fn sent(&mut self, path: Path, packets: usize, len: usize, now: Instant) {
        self.count(path, |carried| {
            carried.packets_sent += packets as u64;
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
        let place = self.place(path).or_else(|place| {
            let has_room = self.by_path.len() < PATHS_MAX;
            if has_room {
                self.by_path.reserve_exact(1);
                self.by_path.insert(place, (path, Carried::default()));
            }
            has_room.then_some(place).ok_or(())
        });
        if let Some((_, carried)) = place.ok().and_then(|place| self.by_path.get_mut(place)) {
            count(carried);
        }
    }

    pub(crate) const fn total(&self) -> Carried {
        self.total
    }

    pub(crate) fn on(&self, path: Path) -> Carried {
        let place = self.place(path).ok();
        place.and_then(|place| self.by_path.get(place)).map(|(_, carried)| *carried).unwrap_or_default()
    }

    fn place(&self, path: Path) -> Result<usize, usize> {
        self.by_path.binary_search_by_key(&path, |(path, _)| *path)
    }
}
