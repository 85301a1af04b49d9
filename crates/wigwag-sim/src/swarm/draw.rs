//! What a seed decides.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};

/// Something that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) name: String,
    /// 0 is the simplest.
    pub(super) value: u64,
    /// As it is printed; nothing, if it is not.
    pub(super) shown: String,
}

/// Draws what a world shall be like, by name.
///
/// What is drawn depends on the seed and on its name alone, so that one more draw changes no other, and what fails can
/// be made simpler one thing at a time: numbers become smaller, lists shorter, and of several things the first is
/// picked.
#[derive(Debug)]
pub struct Draw {
    seed: u64,
    scope: String,
    /// What was decided by who makes it simpler.
    decided: BTreeMap<String, u64>,
    choices: Vec<Choice>,
}

impl Draw {
    pub(super) const fn new(seed: u64, decided: BTreeMap<String, u64>) -> Self {
        Self { seed, scope: String::new(), decided, choices: Vec::new() }
    }

    pub(super) fn into_choices(self) -> Vec<Choice> {
        self.choices
    }

    /// The seed of this world.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Any number of a range; the simplest is the lowest.
    ///
    /// # Panics
    /// If the range is empty, or the name was drawn before.
    pub fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        assert!(low <= high, "a range for {name}");
        let number = low + self.choose(name, high - low, None);
        self.show(number, number)
    }

    /// Any duration of a range of milliseconds; the simplest is the shortest.
    pub fn millis(&mut self, name: &str, range: RangeInclusive<u64>) -> Duration {
        let duration = Duration::from_millis(self.number(name, range));
        self.show(format!("{duration:?}"), duration)
    }

    /// One of several; the simplest is the first.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<T: Copy + Debug>(&mut self, name: &str, among: &[T]) -> T {
        assert!(!among.is_empty(), "something to pick for {name}");
        let picked = among[self.choose(name, among.len() as u64 - 1, None) as usize];
        self.show(format!("{picked:?}"), picked)
    }

    /// Yes in so many of a hundred worlds; the simplest is no.
    pub fn chance(&mut self, name: &str, percent: u64) -> bool {
        let is_so = u64::from(self.rng(name).below(100) < percent);
        let is_so = self.choose(name, 1, Some(is_so)) == 1;
        self.show(is_so, is_so)
    }

    /// As many as a range says, each drawn by `item`. Any of them is left out, if that is simpler.
    pub fn list<T>(&mut self, name: &str, len: RangeInclusive<usize>, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let (low, high) = (*len.start() as u64, *len.end() as u64);
        let len = self.number(&format!("{name}.len"), low..=high);
        let place = self.choices.len() - 1;
        let mut items = Vec::new();
        let mut spare = len - low;
        for n in 0..len {
            let is_left_out = self.choose(&format!("{name}[{n}]"), 1, Some(1)) == 0;
            if is_left_out && spare > 0 {
                spare -= 1;
            } else {
                items.push(self.within(&format!("{name}[{n}]"), &mut item));
            }
        }
        self.choices[place].shown = items.len().to_string();
        items
    }

    /// Draws names that begin with `name`, so that they are not drawn twice.
    pub fn within<T>(&mut self, name: &str, draw: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.scope.len();
        self.scope += &format!("{name}.");
        let drawn = draw(self);
        self.scope.truncate(len);
        drawn
    }

    fn rng(&self, name: &str) -> Rng {
        Rng::new(Seed::for_test(self.seed).fork("draw").fork(&format!("{}{name}", self.scope)))
    }

    /// From 0 to `max`: what was decided, or what is usual, or what the seed says.
    fn choose(&mut self, name: &str, max: u64, usual: Option<u64>) -> u64 {
        let drawn = usual.unwrap_or_else(|| match max.checked_add(1) {
            Some(count) => self.rng(name).below(count),
            None => self.rng(name).u64(),
        });
        let name = format!("{}{name}", self.scope);
        assert!(self.choices.iter().all(|choice| choice.name != name), "{name} was drawn before: see Draw::within");
        let value = self.decided.get(&name).map_or(drawn, |decided| *decided.min(&max));
        self.choices.push(Choice { name, value, shown: String::new() });
        value
    }

    /// How the last choice is printed, and what it is.
    pub(super) fn show<T>(&mut self, shown: impl Display, drawn: T) -> T {
        if let Some(choice) = self.choices.last_mut() {
            choice.shown = shown.to_string();
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64) -> Draw {
        Draw::new(seed, BTreeMap::new())
    }

    #[test]
    fn a_draw_depends_on_seed_and_name_alone() {
        let [mut one, mut other, mut next] = [1, 1, 2].map(draw);
        other.number("another", 0..=9);
        let [first, second, third] =
            [&mut one, &mut other, &mut next].map(|draw| draw.within("a", |draw| draw.number("b", 5..=1 << 40)));
        assert_eq!(first, second);
        assert_ne!(first, third);
    }

    #[test]
    fn everything_is_drawn_in_some_world_and_nothing_else() {
        let (mut seen, mut chances) = ([0; 3], 0);
        for seed in 0..300 {
            let mut draw = draw(seed);
            seen[draw.pick("pick", &[0, 1, 2])] += 1;
            chances += u32::from(draw.chance("chance", 20));
            assert!((3..=4).contains(&draw.number("number", 3..=4)));
            assert!(draw.list("list", 1..=3, |draw| draw.millis("ms", 0..=9)).len() <= 3);
            draw.number("everything", 0..=u64::MAX);
        }
        assert!(seen.iter().all(|count| *count > 70) && (40..80).contains(&chances), "{seen:?} {chances}");
    }

    #[test]
    fn what_is_decided_is_not_drawn_but_keeps_to_its_bounds() {
        let decided = [("number", 90), ("list.len", 3), ("list[1]", 0)].map(|(name, value)| (name.to_owned(), value));
        let mut draw = Draw::new(1, decided.into());
        assert_eq!(draw.number("number", 2..=5), 5);
        let mut n = 0;
        let mut count = |_: &mut Draw| {
            n += 1;
            n
        };
        assert_eq!(draw.list("list", 0..=9, &mut count), [1, 2]);
    }

    #[test]
    #[should_panic(expected = "a was drawn before")]
    fn a_name_is_drawn_once() {
        let mut draw = draw(1);
        draw.chance("a", 5);
        draw.chance("a", 5);
    }
}
