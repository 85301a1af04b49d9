//! What goes wrong, in which phase, and for how long.

use super::Draw;
use crate::{Fate, Fault, Hit, Host, Node, World};
use std::time::Duration;

const NAT_REBOOTED: &str = "NAT rebooted";

/// A kind of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The link is down.
    Down,
    /// Datagrams are lost, each for itself.
    Loss,
    /// Datagrams are lost in a row.
    Bursts,
    /// Long datagrams vanish.
    BlackHole,
    /// All are late.
    Delay,
    /// All are late, by different times.
    Jitter,
    /// They wait for a slow link, and its queue overflows.
    Rate,
    /// Some are held back.
    Reordering,
    /// Some arrive twice.
    Duplication,
    /// Some arrive with bits turned over.
    Corruption,
    /// Some arrive without their ends.
    Truncation,
    /// A NAT forgets everything, if there is one.
    Reboot,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Down,
        Self::Loss,
        Self::Bursts,
        Self::BlackHole,
        Self::Delay,
        Self::Jitter,
        Self::Rate,
        Self::Reordering,
        Self::Duplication,
        Self::Corruption,
        Self::Truncation,
        Self::Reboot,
    ];

    /// As what it is counted when it hits.
    pub const fn hit(self) -> Hit {
        match self {
            Self::Down => Hit::Fate(Fate::Down),
            Self::Loss => Hit::Fate(Fate::Lost),
            Self::Bursts => Hit::Fate(Fate::LostInBurst),
            Self::BlackHole => Hit::Fate(Fate::TooLarge),
            Self::Delay | Self::Jitter | Self::Rate => Hit::Event("delayed"),
            Self::Reordering => Hit::Fate(Fate::Reordered),
            Self::Duplication => Hit::Fate(Fate::Duplicated),
            Self::Corruption => Hit::Fate(Fate::Corrupted),
            Self::Truncation => Hit::Fate(Fate::Truncated),
            Self::Reboot => Hit::Event(NAT_REBOOTED),
        }
    }

    /// How bad it is; `None` for what happens to no link.
    fn fault(self, draw: &mut Draw) -> Option<Fault> {
        // What hits surely is simpler than what hits perhaps: no percent stands for all.
        let mut percent = |most| match draw.number("percent", 0..=most) {
            0 => draw.show(100, 100.0),
            percent => percent as f64,
        };
        Some(match self {
            Self::Down => Fault::Down,
            Self::Loss => Fault::Loss(percent(30)),
            Self::Bursts => Fault::Bursts { enter: percent(10), leave: 25.0, loss: 100.0 },
            Self::BlackHole => Fault::BlackHole(draw.number("bytes", 600..=1300) as usize),
            Self::Delay => Fault::Delay(draw.millis("by", 1..=1000)),
            Self::Jitter => Fault::Jitter(draw.millis("by", 1..=200)),
            Self::Rate => {
                let bits_per_second = draw.number("bits a second", 50_000..=2_000_000);
                Fault::Rate { bits_per_second, queue_len_max: 20_000 }
            }
            Self::Reordering => Fault::Reordering(percent(30), draw.millis("by", 1..=300)),
            Self::Duplication => Fault::Duplication(percent(30)),
            Self::Corruption => Fault::Corruption { percent: percent(10), bits_max: draw.number("bits", 1..=64) },
            Self::Truncation => Fault::Truncation(percent(10)),
            Self::Reboot => return None,
        })
    }
}

/// Which way a fault goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    There,
    Back,
    Both,
}

/// Draws up to five faults of these kinds on the links between two hosts. Each begins when one of these phases does,
/// or up to two seconds later, and lasts up to five seconds.
pub fn faults<N: Node>(
    draw: &mut Draw,
    world: &mut World<N>,
    [a, z]: [Host; 2],
    phases: &[&'static str],
    kinds: &[Kind],
) {
    draw.list("faults", 0..=5, |draw| {
        let (kind, phase) = (draw.pick("kind", kinds), draw.pick("phase", phases));
        let delay = if draw.chance("is late", 50) { draw.millis("after", 1..=2000) } else { Duration::ZERO };
        let Some(fault) = kind.fault(draw) else { return reboot(draw, world, phase, delay) };
        let direction = draw.pick("direction", &[Direction::There, Direction::Back, Direction::Both]);
        let length = draw.millis("for", 50..=5000);
        world.in_phase(phase, delay, move |world| {
            let during = world.age()..world.age() + length;
            for (from, to, other) in [(a, z, Direction::Back), (z, a, Direction::There)] {
                if direction != other {
                    world.link(from, to).fault(during.clone(), fault);
                }
            }
        });
    });
}

fn reboot<N: Node>(draw: &mut Draw, world: &mut World<N>, phase: &'static str, delay: Duration) {
    let realms = world.realms();
    if !realms.is_empty() {
        let realm = realms[draw.number("NAT", 0..=realms.len() as u64 - 1) as usize];
        world.in_phase(phase, delay, move |world| {
            world.nat(realm).reboot();
            world.note(NAT_REBOOTED);
        });
    }
}
