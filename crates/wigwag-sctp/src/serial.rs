//! TSNs that do not wrap.

use crate::migration::{Reader, State, Writer};

/// A TSN with the turns that it has made in its upper half, so that comparing is plain. Begins at turn one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tsn(u64);

impl Tsn {
    pub(crate) const fn first(wire: u32) -> Self {
        Self(1 << 32 | wire as u64)
    }

    /// The TSN that is `wire` in a packet and nearest to this one.
    pub(crate) const fn nearest(self, wire: u32) -> Self {
        let ahead = wire.wrapping_sub(self.wire()).cast_signed();
        Self(self.0.saturating_add_signed(ahead as i64))
    }

    pub(crate) const fn wire(self) -> u32 {
        self.0 as u32
    }

    pub(crate) const fn next(self) -> Self {
        self.plus(1)
    }

    pub(crate) const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    pub(crate) const fn previous(self) -> Self {
        self.minus(1)
    }

    pub(crate) const fn minus(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }

    /// How far this is behind `other`; 0 if it is not.
    pub(crate) const fn distance_to(self, other: Self) -> u64 {
        other.0.saturating_sub(self.0)
    }
}

impl State for Tsn {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
    }

    /// Some turns may go on in either direction.
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from).filter(|tsn| *tsn >= 1 << 31).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_across_the_wrap() {
        let tsn = Tsn::first(u32::MAX);
        assert_eq!(tsn.nearest(2), tsn.plus(3));
        assert_eq!(tsn.nearest(2).wire(), 2);
        assert_eq!(tsn.plus(3).nearest(u32::MAX), tsn);
        assert!(tsn.nearest(2) > tsn && tsn.nearest(u32::MAX - 1) < tsn);
        assert_eq!((tsn.distance_to(tsn.plus(9)), tsn.plus(9).distance_to(tsn)), (9, 0));
    }
}
