//! Streams of connections, by the names that the driver knows them by.
//!
//! A connection names its streams by ports that no other of its own has; two connections may choose the same one. What the driver sees
//! has a port that no stream of this endpoint to that server has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use wigwag_ice::Path;
use wigwag_sansio::{Dscp, Ecn, Protocol, Transmit};

/// RFC 6335 §6: the dynamic ports.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

#[derive(Debug)]
pub(super) struct Streams {
    /// By the driver's name: whose it is, and by which local address its connection knows it.
    by_outer: BTreeMap<Path, (usize, SocketAddr)>,
    /// By the connection and its name: the local address that the driver is told.
    by_inner: BTreeMap<(usize, Path), SocketAddr>,
    next_port: u16,
    /// Those of connections that are no more, and of strangers, to be closed.
    closing: BTreeSet<Path>,
}

impl Default for Streams {
    fn default() -> Self {
        let (by_outer, by_inner) = (BTreeMap::new(), BTreeMap::new());
        Self { by_outer, by_inner, next_port: *PORTS.start(), closing: BTreeSet::new() }
    }
}

impl Streams {
    /// Gives what a connection sends the name that the driver knows the stream by. `false` if no name is left for it.
    ///
    /// No name of a stream that is opened is one of those that are accepted at these addresses.
    pub(super) fn send(
        &mut self,
        slot: usize,
        transmit: &mut Transmit,
        is_end: bool,
        is_listener: impl Fn(SocketAddr) -> bool,
    ) -> bool {
        let inner = path(transmit);
        let known = self.by_inner.get(&(slot, inner)).copied();
        let Some(local) = known.or_else(|| self.open(slot, inner, is_listener)) else { return false };
        transmit.local = local;
        if is_end {
            self.forget(Path { local, ..inner });
        }
        true
    }

    fn open(&mut self, slot: usize, inner: Path, is_listener: impl Fn(SocketAddr) -> bool) -> Option<SocketAddr> {
        let mut outer = inner;
        for _ in PORTS {
            outer.local.set_port(self.next_port);
            self.next_port = self.next_port.checked_add(1).unwrap_or(*PORTS.start());
            let is_used = self.by_outer.contains_key(&outer) || self.closing.contains(&outer);
            if !is_used && !is_listener(outer.local) {
                self.by_outer.insert(outer, (slot, inner.local));
                self.by_inner.insert((slot, inner), outer.local);
                return Some(outer.local);
            }
        }
        None
    }

    /// A stream that was accepted is this connection's, and has the same name for both.
    pub(super) fn adopt(&mut self, slot: usize, path: Path) {
        self.by_outer.insert(path, (slot, path.local));
        self.by_inner.insert((slot, path), path.local);
    }

    /// A stream that is nobody's is to be closed.
    pub(super) fn refuse(&mut self, path: Path) {
        self.closing.insert(path);
    }

    /// Whether a connection's own stream is open by this name.
    pub(super) fn knows(&self, slot: usize, inner: Path) -> bool {
        self.by_inner.contains_key(&(slot, inner))
    }

    /// Whose a stream is, and by which local address its connection knows it.
    pub(super) fn find(&self, outer: Path) -> Option<(usize, Path)> {
        self.by_outer.get(&outer).map(|(slot, local)| (*slot, Path { local: *local, ..outer }))
    }

    /// It has ended.
    pub(super) fn forget(&mut self, outer: Path) {
        self.closing.remove(&outer);
        if let Some((slot, local)) = self.by_outer.remove(&outer) {
            self.by_inner.remove(&(slot, Path { local, ..outer }));
        }
    }

    /// A connection is no more: its streams are to be closed.
    pub(super) fn vacate(&mut self, slot: usize) {
        let first = Path { protocol: Protocol::Udp, local: LOWEST, remote: LOWEST };
        let of_slot = self.by_inner.range((slot, first)..).take_while(|((owner, _), _)| *owner == slot);
        let held: Vec<_> = of_slot.map(|((_, inner), local)| (*inner, *local)).collect();
        for (inner, local) in held {
            let outer = Path { local, ..inner };
            self.forget(outer);
            self.closing.insert(outer);
        }
    }

    /// What closes the next stream that nobody has any more.
    pub(super) fn close(&mut self) -> Option<Transmit> {
        let Path { protocol, local, remote } = self.closing.pop_first()?;
        Some(Transmit { protocol, local, remote, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, segment_size: 1 })
    }

    pub(super) fn owes(&self) -> bool {
        !self.closing.is_empty()
    }
}

/// Before all others in the order of addresses.
const LOWEST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

const fn path(transmit: &Transmit) -> Path {
    Path { protocol: transmit.protocol, local: transmit.local, remote: transmit.remote }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(local: &str, remote: u16) -> Transmit {
        let remote = SocketAddr::from(([192, 0, 2, 1], remote));
        Transmit { protocol: Protocol::Tcp, ..Transmit::udp(local.parse().unwrap(), remote, 9) }
    }

    #[test]
    fn each_connection_finds_its_own_by_its_own_name() {
        let mut streams = Streams::default();
        let inner = stream("10.0.0.1:49152", 1);
        let outer: Vec<_> = (0..3)
            .map(|slot| {
                let mut transmit = inner;
                assert!(streams.send(slot, &mut transmit, false, |_| false));
                let again = transmit;
                transmit = inner;
                assert!(
                    streams.send(slot, &mut transmit, false, |_| false) && transmit == again,
                    "as long as it is open"
                );
                path(&again)
            })
            .collect();
        for (slot, outer) in outer.iter().enumerate() {
            assert_eq!(streams.find(*outer), Some((slot, path(&inner))));
            assert_eq!((outer.local.ip(), outer.remote), (inner.local.ip(), inner.remote));
        }
        assert_eq!(streams.find(Path { protocol: Protocol::Tls, ..outer[0] }), None);
        let mut end = inner;
        assert!(streams.send(1, &mut end, true, |_| false) && path(&end) == outer[1]);
        assert_eq!(streams.find(outer[1]), None);
        let mut anew = inner;
        assert!(
            streams.send(1, &mut anew, false, |_| false) && !outer.contains(&path(&anew)),
            "late bytes are of no other's"
        );
        streams.forget(outer[0]);
        assert_eq!((streams.by_outer.len(), streams.by_inner.len()), (2, 2));
    }

    #[test]
    fn what_we_open_has_no_name_of_what_others_open() {
        let mut streams = Streams::default();
        for _ in 0..2 {
            let mut transmit = stream("10.0.0.1:1024", 1);
            assert!(streams.send(0, &mut transmit, false, |local| local.port() < 50_000));
            assert_eq!(transmit.local.port(), 50_000);
        }
    }

    #[test]
    fn streams_of_who_is_gone_are_closed() {
        let mut streams = Streams::default();
        for slot in 0..3 {
            for (local, remote) in [("10.0.0.1:50000", 1), ("0.0.0.0:1", 2), ("[2001:db8::1]:50000", 3)] {
                assert!(streams.send(slot, &mut stream(local, remote), false, |_| false));
            }
        }
        streams.vacate(1);
        assert!(streams.owes());
        let closed: Vec<_> = std::iter::from_fn(|| streams.close()).map(|transmit| path(&transmit)).collect();
        assert_eq!((closed.len(), streams.by_outer.len(), streams.by_inner.len()), (3, 6, 6));
        assert!(closed.iter().all(|path| streams.find(*path).is_none()) && !streams.owes());
    }

    #[test]
    fn there_are_as_many_to_one_server_as_there_are_ports() {
        let mut streams = Streams::default();
        for slot in 0..PORTS.len() {
            assert!(streams.send(slot, &mut stream("10.0.0.1:50000", 1), false, |_| false));
        }
        assert!(!streams.send(99_999, &mut stream("10.0.0.1:50000", 1), false, |_| false), "there is none left");
        assert!(streams.send(99_999, &mut stream("10.0.0.1:50000", 2), false, |_| false), "but to another");
        assert!(streams.send(7, &mut stream("10.0.0.1:50000", 1), true, |_| false));
        assert!(streams.send(99_999, &mut stream("10.0.0.1:50000", 1), false, |_| false), "one has ended");
    }
}
