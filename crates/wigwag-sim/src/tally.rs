//! How often what hit which phase.

use crate::Fate;
use std::collections::BTreeMap;
use std::fmt;

/// What is counted: what became of a datagram, or what happened otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hit {
    /// A datagram has met this fate.
    Fate(Fate),
    /// Something happened that has a name, as "address changed" or "NAT rebooted".
    Event(&'static str),
}

impl From<Fate> for Hit {
    fn from(fate: Fate) -> Self {
        Self::Fate(fate)
    }
}

impl From<&'static str> for Hit {
    fn from(event: &'static str) -> Self {
        Self::Event(event)
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fate(fate) => fate.fmt(f),
            Self::Event(event) => f.write_str(event),
        }
    }
}

/// How often what hit which phase. Prints itself as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the order in which they began first.
    phases: Vec<&'static str>,
    /// By the place of the phase.
    counts: BTreeMap<(usize, Hit), u64>,
    /// Whether it is of one world alone, of which nothing is expected.
    is_unasserted: bool,
}

impl Tally {
    /// How often something hit a phase.
    pub fn count(&self, phase: &str, hit: impl Into<Hit>) -> u64 {
        let phase = self.phases.iter().position(|other| *other == phase);
        phase.and_then(|phase| self.counts.get(&(phase, hit.into()))).copied().unwrap_or(0)
    }

    /// How often something happened in all phases.
    pub fn total(&self, hit: impl Into<Hit>) -> u64 {
        let hit = hit.into();
        self.counts.iter().filter(|((_, other), _)| *other == hit).map(|(_, count)| count).sum()
    }

    /// The phases, in the order in which they began first.
    pub fn phases(&self) -> &[&'static str] {
        &self.phases
    }

    /// Adds what another one counted, by the names of its phases.
    pub fn add(&mut self, other: &Self) {
        let places: Vec<_> = other.phases.iter().map(|phase| self.place(phase)).collect();
        for ((phase, hit), count) in &other.counts {
            if let Some(place) = places.get(*phase) {
                *self.counts.entry((*place, *hit)).or_default() += count;
            }
        }
    }

    /// Every one of these hit every one of these phases; not asked of a tally of the one world of `WIGWAG_SEED`.
    ///
    /// # Panics
    /// If one did not: what was never tried was not tested.
    #[track_caller]
    pub fn assert_hit(&self, phases: &[&str], hits: &[Hit]) {
        if self.is_unasserted {
            return;
        }
        for (phase, hit) in phases.iter().flat_map(|phase| hits.iter().map(move |hit| (phase, hit))) {
            assert!(self.count(phase, *hit) > 0, "{hit:?} never hit the phase {phase:?}\n{self}");
        }
    }

    pub(crate) fn without_assertions(self) -> Self {
        Self { is_unasserted: true, ..self }
    }

    /// The place of a phase, which is new perhaps.
    pub(crate) fn place(&mut self, phase: &'static str) -> usize {
        self.phases.iter().position(|other| *other == phase).unwrap_or_else(|| {
            self.phases.push(phase);
            self.phases.len() - 1
        })
    }

    pub(crate) fn hit(&mut self, place: usize, hit: impl Into<Hit>) {
        *self.counts.entry((place, hit.into())).or_default() += 1;
    }

    /// It was not so.
    pub(crate) fn miss(&mut self, place: usize, hit: impl Into<Hit>) {
        if let Some(count) = self.counts.get_mut(&(place, hit.into())) {
            *count = count.saturating_sub(1);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hits: Vec<Hit> =
            self.counts.iter().filter(|(_, count)| **count > 0).map(|((_, hit), _)| *hit).collect();
        hits.sort();
        hits.dedup();
        let first = hits.iter().map(|hit| hit.to_string().chars().count()).max().unwrap_or(0);
        let is_hit = |phase: &&&str| self.counts.iter().any(|((n, _), count)| self.phases[*n] == **phase && *count > 0);
        let phases: Vec<_> = self.phases.iter().filter(is_hit).collect();
        write!(f, "{:first$}", "")?;
        phases.iter().try_for_each(|phase| write!(f, "  {phase:>8}"))?;
        for hit in hits {
            write!(f, "\n{:first$}", hit.to_string())?;
            for phase in &phases {
                let width = phase.chars().count().max(8);
                write!(f, "  {:>width$}", self.count(phase, hit))?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn tally(phases: &[(&'static str, &[Hit])]) -> Tally {
        let mut tally = Tally::default();
        for (phase, hits) in phases {
            let place = tally.place(phase);
            hits.iter().for_each(|hit| tally.hit(place, *hit));
        }
        tally
    }

    #[test]
    fn tallies_are_added_by_the_names_of_their_phases() {
        let [passed, lost] = [Fate::Passed, Fate::Lost].map(Hit::Fate);
        let mut sum = tally(&[("connecting", &[passed, passed, lost]), ("transfer", &[passed])]);
        sum.add(&tally(&[("transfer", &[lost, "NAT rebooted".into()]), ("closing", &[passed])]));
        expect![[r#"
                          connecting  transfer   closing
            passed                 2         1         1
            lost                   1         1         0
            NAT rebooted           0         1         0
        "#]]
        .assert_eq(&sum.to_string());
        assert_eq!((sum.total(Fate::Lost), sum.count("transfer", "NAT rebooted")), (2, 1));
        sum.assert_hit(&["connecting", "transfer"], &[lost]);
    }

    #[test]
    #[should_panic(expected = "Fate(Lost) never hit the phase \"closing\"")]
    fn what_never_hit_a_phase_is_noticed() {
        tally(&[("closing", &[Hit::Fate(Fate::Passed)])]).assert_hit(&["closing"], &[Hit::Fate(Fate::Lost)]);
    }

    #[test]
    fn what_was_amended_is_not_counted_twice() {
        let mut tally = tally(&[("closing", &[Hit::Fate(Fate::Passed)])]);
        tally.miss(0, Fate::Passed);
        tally.hit(0, Fate::Filtered);
        assert_eq!((tally.total(Fate::Passed), tally.total(Fate::Filtered)), (0, 1));
    }
}
