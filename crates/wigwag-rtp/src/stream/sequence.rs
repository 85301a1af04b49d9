//! Sequence numbers as they arrive (RFC 3550 A.1, A.3).

/// So many packets late may a retransmission come, or a packet of a slower path.
pub(crate) const LATE_MAX: u64 = 1024;
/// Where extended sequence numbers begin, so that those before the first packet have one too.
const ORIGIN: u64 = 1 << 16;

/// The sequence numbers of one source, continued beyond 16 bits.
#[derive(Debug)]
pub(crate) struct Sequences {
    base: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// After a packet that was far off, the one that would confirm it.
    awaited: Option<u16>,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After all before; `missing` are between.
    Next { sequence: u64, missing: u64 },
    /// Before one that has arrived, or itself again.
    Late(u64),
    /// The source begins again.
    Restarted(u64),
    /// So far off that another has to confirm it.
    Doubtful,
}

impl Sequences {
    /// From the first packet on, which is not counted yet.
    pub(crate) const fn new(first: u16) -> Self {
        let first = ORIGIN + first as u64;
        Self { base: first, highest: first - 1, received: 0, expected_before: 0, received_before: 0, awaited: None }
    }

    /// Counts a packet.
    pub(crate) fn receive(&mut self, sequence: u16) -> Place {
        let ahead = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        let extended = self.highest.saturating_add_signed(ahead);
        if ahead > 0 {
            let missing = ahead as u64 - 1;
            self.highest = extended;
            self.count();
            return Place::Next { sequence: extended, missing };
        }
        if ahead.unsigned_abs() < LATE_MAX {
            self.count();
            return Place::Late(extended);
        }
        // RFC 3550 A.1: "Two sequential packets -- assume that the other side restarted without telling us so just
        // re-sync (i.e., pretend this was the first packet)."
        if self.awaited != Some(sequence) {
            self.awaited = Some(sequence.wrapping_add(1));
            return Place::Doubtful;
        }
        // Extended numbers go on, or the application would see one twice.
        let circles = (self.highest >> 16) + 1;
        let restarted = circles << 16 | u64::from(sequence);
        *self = Self { base: restarted, highest: restarted, ..Self::new(sequence) };
        self.count();
        Place::Restarted(restarted)
    }

    /// The number of a packet that was sent before others that have arrived, if it is among the last.
    pub(crate) fn late(&self, sequence: u16) -> Option<u64> {
        let age = u64::from((self.highest as u16).wrapping_sub(sequence));
        (age < LATE_MAX).then(|| self.highest.checked_sub(age)).flatten()
    }

    const fn count(&mut self) {
        self.received += 1;
        self.awaited = None;
    }

    /// The highest that arrived, with its circles; 32 bits.
    pub(crate) const fn highest(&self) -> u32 {
        (self.highest - ORIGIN) as u32
    }

    /// Whether a packet would come after all that arrived.
    pub(crate) const fn is_ahead(&self, sequence: u16) -> bool {
        (sequence.wrapping_sub(self.highest as u16) as i16) > 0
    }

    /// Packets expected less packets received; negative if duplicates arrived.
    pub(crate) const fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    const fn expected(&self) -> u64 {
        (self.highest + 1).saturating_sub(self.base)
    }

    /// The share lost since this was last asked, in 1/256 (RFC 3550 A.3).
    pub(crate) fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected().saturating_sub(self.expected_before);
        let received = self.received.saturating_sub(self.received_before);
        (self.expected_before, self.received_before) = (self.expected(), self.received);
        let lost = expected.saturating_sub(received);
        (lost << 8).checked_div(expected).unwrap_or(0).min(255) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(sequences: impl IntoIterator<Item = u16>) -> Sequences {
        let mut sequences = sequences.into_iter().peekable();
        let mut state = Sequences::new(*sequences.peek().expect("at least one"));
        for sequence in sequences {
            state.receive(sequence);
        }
        state
    }

    #[test]
    fn numbers_go_on_around_the_circle() {
        let mut state = receive([65_534, 65_535, 0]);
        assert_eq!(state.highest(), 1 << 16);
        assert_eq!(state.receive(1), Place::Next { sequence: 2 * ORIGIN + 1, missing: 0 });
        assert_eq!(state.receive(65_533), Place::Late(ORIGIN + 65_533));
    }

    #[test]
    fn what_is_missing_is_lost_until_it_comes() {
        let mut state = receive([10, 11, 14, 15]);
        assert_eq!((state.lost(), state.fraction_lost()), (2, (2 * 256 / 6) as u8));
        state.receive(12);
        assert_eq!((state.lost(), state.fraction_lost()), (1, 0));
        state.receive(12);
        state.receive(12);
        assert_eq!(state.lost(), -1);
    }

    #[test]
    fn everything_but_one_lost_is_255() {
        let mut state = receive([0]);
        state.fraction_lost();
        state.receive(2000);
        assert_eq!(state.fraction_lost(), 255);
    }

    #[test]
    fn a_restart_needs_two_packets_in_sequence() {
        let mut state = receive([30_000, 30_001]);
        assert_eq!(state.receive(5), Place::Doubtful);
        assert_eq!(state.receive(30_002), Place::Next { sequence: ORIGIN + 30_002, missing: 0 });
        assert_eq!(state.receive(6), Place::Doubtful);
        assert_eq!(state.receive(7), Place::Restarted(2 * ORIGIN + 7));
        assert_eq!(state.receive(8), Place::Next { sequence: 2 * ORIGIN + 8, missing: 0 });
        assert_eq!(state.lost(), 0);
    }
}
