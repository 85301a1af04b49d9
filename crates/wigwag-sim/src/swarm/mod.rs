//! Many worlds, each drawn from a seed: where hosts are, what goes wrong, what is to do.
//!
//! A scenario is a function of a [`Draw`] and an empty [`World`]. It adds [`homes`] and hosts, lets [`faults`] go wrong,
//! names the phases, runs the world, and panics if something is not as it should be. [`run`] does that for many seeds,
//! and prints how often what hit which phase. A world that fails is made simpler as long as it fails at the same place:
//! its choices and its ladder are printed, `WIGWAG_SEED=…` runs just that one again, and with `WIGWAG_PCAP=path` its
//! datagrams are written there for Wireshark.
//!
//! ```
//! # use std::time::{Duration, Instant};
//! # use wigwag_sansio::{Datagram, Transmit};
//! use wigwag_sim::{Fate, Node, swarm};
//!
//! # struct Peer;
//! # impl Node for Peer {
//! #     fn handle_input(&mut self, _: Datagram<'_>, _: Instant) {}
//! #     fn handle_timeout(&mut self, _: Instant) {}
//! #     fn poll_transmit(&mut self, _: Instant, _: &mut Vec<u8>) -> Option<Transmit> { None }
//! #     fn poll_event(&mut self) -> bool { false }
//! #     fn poll_timeout(&self, _: Instant) -> Option<Instant> { None }
//! # }
//! const PHASES: [&str; 2] = ["connecting", "transfer"];
//!
//! let tally = swarm::run(50, |draw, world| {
//!     let homes = swarm::homes(draw, world, &[wigwag_sim::Behavior::EndpointIndependent]);
//!     let [a, z] = homes.map(|home| world.add_behind(home.realm, "peer", &[home.address], Peer));
//!     swarm::faults(draw, world, [a, z], &PHASES, &swarm::Kind::ALL);
//!     let messages = draw.list("messages", 1..=9, |draw| draw.number("len", 1..=5000));
//!     world.phase("connecting");
//!     // … until it is connected
//!     world.phase("transfer");
//!     // … until all messages have arrived
//!     world.run_for(Duration::from_secs(60));
//! });
//! // … tally.assert_hit(&PHASES, &[Fate::Lost.into(), Fate::Corrupted.into()]);
//! ```

mod catch;
mod draw;
mod faults;
mod homes;
mod shrink;

pub use draw::Draw;
pub use faults::{Kind, faults};
pub use homes::{Home, STUN_SERVER, homes};

use crate::seeds::pcap_from_env;
use crate::{Node, Tally, Trace, World, seed_from_env, seeds};
use catch::{Panic, catch};
use draw::Choice;
use shrink::{Decided, Shrinker};
use std::fmt;
use std::fs::File;

/// So much of the ladder is printed.
const LADDER_LINES_MAX: usize = 200;

/// A world that failed, made as simple as it can be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Where and why it failed.
    pub message: String,
    /// What was drawn for it: names, and what they are.
    pub choices: Vec<(String, String)>,
    /// How many simpler worlds were tried.
    pub worlds: u32,
    /// All that was sent in it, and what hit which phase.
    pub trace: Trace,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, message, choices, worlds, trace } = self;
        writeln!(f, "{message}\n\nthe simplest of {worlds} worlds that were tried:")?;
        let width = choices.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        choices.iter().try_for_each(|(name, value)| writeln!(f, "  {name:width$}  {value}"))?;
        writeln!(f, "\n{}\n{}\nWIGWAG_SEED={seed}", trace.tally(), trace.tail(LADDER_LINES_MAX))
    }
}

/// Runs `n` worlds, more if the environment asks for more, or the one that it asks for (see [`seeds`]), and prints how
/// often what hit which phase. Never fewer: not everything would be tried in them.
///
/// # Panics
/// If one fails, with the [`Failure`].
#[track_caller]
#[expect(clippy::print_stderr, reason = "a test says what it tried")]
pub fn run<N: Node>(n: u64, scenario: impl Fn(&mut Draw, &mut World<N>)) -> Tally {
    let mut tally = Tally::default();
    let asked = seeds(n);
    let wanted = if seed_from_env().is_some() { asked } else { 0..asked.end.max(n) };
    for seed in wanted {
        match check(seed, &scenario) {
            Ok(trace) => tally.add(trace.tally()),
            Err(failure) => fail(&failure),
        }
    }
    eprintln!("{tally}");
    // What one world does not hit, others do.
    if seed_from_env().is_some() { tally.without_assertions() } else { tally }
}

#[track_caller]
#[expect(clippy::print_stderr, reason = "a failing test says where its capture is")]
fn fail(failure: &Failure) -> ! {
    if let Some(path) = pcap_from_env() {
        let written = File::create(&path).and_then(|file| failure.trace.write_pcap(std::io::BufWriter::new(file)));
        match written {
            Ok(()) => eprintln!("captured in {}", path.display()),
            Err(error) => eprintln!("not captured in {}: {error}", path.display()),
        }
    }
    panic!("{failure}");
}

/// Runs one world, and if it fails, looks for the simplest that fails at the same place.
///
/// # Errors
/// The simplest world that was found.
pub fn check<N: Node>(seed: u64, scenario: impl Fn(&mut Draw, &mut World<N>)) -> Result<Trace, Box<Failure>> {
    let (first, choices, trace) = play(seed, Decided::new(), &scenario);
    let Err(first) = first else { return Ok(trace) };
    let mut shrinker = Shrinker::new(choices, |decided| {
        let (outcome, choices, _) = play(seed, decided.clone(), &scenario);
        outcome.is_err_and(|panic| panic.place == first.place).then_some(choices)
    });
    let (decided, worlds) = (shrinker.run(), shrinker.worlds);
    let (last, choices, trace) = play(seed, decided, &scenario);
    let message = match last {
        Err(Panic { place, message }) => format!("{place}: {message}"),
        Ok(()) => format!("{}: {}\nbut not again: something is not a function of the seed", first.place, first.message),
    };
    let choices = choices.into_iter().filter(|choice| !choice.shown.is_empty());
    let choices = choices.map(|Choice { name, shown, .. }| (name, shown)).collect();
    Err(Box::new(Failure { seed, message, choices, worlds, trace }))
}

fn play<N: Node>(
    seed: u64,
    decided: Decided,
    scenario: impl Fn(&mut Draw, &mut World<N>),
) -> (Result<(), Panic>, Vec<Choice>, Trace) {
    let (mut draw, mut world) = (Draw::new(seed, decided), World::new(seed));
    let outcome = catch(|| scenario(&mut draw, &mut world));
    (outcome, draw.into_choices(), world.take_trace())
}
