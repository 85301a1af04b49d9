//! Which stream a channel of ours gets.

/// Stream numbers of our parity, the lowest free one first.
#[derive(Debug, Default)]
pub(super) struct StreamIds {
    /// 0 for the DTLS client, 1 for the server, `None` until that is known.
    parity: Option<u16>,
    /// No number of our parity below this one is free.
    hint: u16,
}

impl StreamIds {
    /// RFC 8831 §6.2: there are 65,535 streams at most, so that no stream has the number 65,535.
    pub(super) const END: u16 = 65_535;

    pub(super) fn set_parity(&mut self, parity: u16) {
        if self.parity != Some(parity) {
            *self = Self { parity: Some(parity), hint: parity };
        }
    }

    pub(super) fn lowest_free(&mut self, is_used: impl Fn(u16) -> bool) -> Option<u16> {
        self.parity?;
        let free = (self.hint..Self::END).step_by(2).find(|id| !is_used(*id))?;
        self.hint = free;
        Some(free)
    }

    pub(super) fn release(&mut self, id: u16) {
        if self.parity == Some(id % 2) {
            self.hint = self.hint.min(id);
        }
    }

    /// Whether the peer may open a channel on `id`.
    pub(super) fn is_theirs(&self, id: u16) -> bool {
        id < Self::END && self.parity.is_some_and(|ours| ours != id % 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_server_uses_odd_numbers_and_reuses_what_was_released() {
        let (mut ids, mut used) = (StreamIds::default(), BTreeSet::new());
        assert_eq!(ids.lowest_free(|_| false), None, "the role is not known yet");
        ids.set_parity(1);
        for expected in [1, 3, 5] {
            assert_eq!(ids.lowest_free(|id| used.contains(&id)), Some(expected));
            used.insert(expected);
        }
        used.remove(&3);
        ids.release(3);
        assert_eq!(ids.lowest_free(|id| used.contains(&id)), Some(3));
    }

    #[test]
    fn there_are_half_of_the_numbers_and_never_65535() {
        let (mut ids, mut used) = (StreamIds::default(), BTreeSet::new());
        ids.set_parity(1);
        while let Some(id) = ids.lowest_free(|id| used.contains(&id)) {
            used.insert(id);
        }
        assert_eq!((used.len(), used.last()), (32_767, Some(&65_533)));
    }

    #[test]
    fn the_peer_uses_the_other_parity() {
        let mut ids = StreamIds::default();
        assert!(!ids.is_theirs(0) && !ids.is_theirs(1));
        ids.set_parity(0);
        assert!(ids.is_theirs(1) && !ids.is_theirs(2) && !ids.is_theirs(65_535));
    }
}
