//! The nine laws as checks over any machine.
//!
//! A test puts an adapter around its machine that is a [`Node`] and a [`Subject`], and calls [`check`]:
//!
//! ```
//! use std::time::Instant;
//! use wigwag_sansio::{Datagram, Transmit};
//! use wigwag_sim::contract::{self, Law, Network, Subject};
//! use wigwag_sim::{Node, Wire};
//!
//! /// Greets once, and hopes that it is heard.
//! struct Peer { wire: Wire, greeting: bool, event: bool, greeted: bool }
//!
//! impl Node for Peer {
//!     fn handle_input(&mut self, datagram: Datagram<'_>, _now: Instant) {
//!         self.event |= datagram.payload == b"hello" && !self.greeted;
//!     }
//!     fn handle_timeout(&mut self, _now: Instant) {}
//!     fn poll_transmit(&mut self, _now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
//!         self.wire.transmit(out, |limit, out| {
//!             let is_sent = self.greeting && limit >= 5;
//!             self.greeting &= !is_sent;
//!             out.extend_from_slice(if is_sent { b"hello" } else { b"" });
//!             is_sent
//!         })
//!     }
//!     fn poll_event(&mut self) -> bool {
//!         self.greeted |= self.event;
//!         std::mem::take(&mut self.event)
//!     }
//!     fn poll_timeout(&self, now: Instant) -> Option<Instant> {
//!         (self.greeting || self.event).then_some(now)
//!     }
//! }
//!
//! impl Subject for Peer {
//!     const COMMANDS: usize = 1;
//!     const NETWORK: Network = Network::Reordering;
//!     const UNCHECKED: &'static [(Law, &'static str)] = &[
//!         (Law::InputsCannotFail, "a peer that only greets counts nothing"),
//!         (Law::Bounded, "it holds two bits"),
//!         (Law::CostFollowsWork, "it has no parts"),
//!     ];
//!     fn pair(_seed: u64, _now: Instant) -> [Self; 2] {
//!         Wire::pair().map(|wire| Self { wire, greeting: false, event: false, greeted: false })
//!     }
//!     fn command(&mut self, _n: usize) -> bool {
//!         self.greeting = true;
//!         true
//!     }
//!     fn outcome(&self) -> String {
//!         format!("greeted: {}", self.greeted)
//!     }
//!     fn wire(&mut self) -> Option<&mut Wire> {
//!         Some(&mut self.wire)
//!     }
//! }
//!
//! contract::check::<Peer>();
//! const _: () = contract::is_send_and_sync::<Peer>();
//! ```
//!
//! What is compared is the *outcome*: what a pair of machines has told its users after all commands were done. A first
//! run, by a good driver on a good network, says what it shall be; then the same pair is driven in other ways.

mod bounded;
mod calls;
mod cost;
mod due;
mod hostile;
mod order;
mod owed;
mod pair;
mod record;
mod seed;
mod time;

use crate::node::{Node, Wire};
use crate::seeds;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use wigwag_sansio::Rng;

/// So many seeds are checked, each with [`INTERLEAVINGS`](order::INTERLEAVINGS) interleavings of calls.
const SEEDS: u64 = 4;

/// What a network does to datagrams, when a machine must nevertheless come to the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing.
    Ordered,
    /// Some overtake others.
    Reordering,
    /// Some overtake others, come twice, or never.
    Lossy,
}

/// What a machine holds, and the most that it may hold, in bytes or in entries, as long as both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Everything in queues and lists, with an overhead for each entry.
    pub held: usize,
    /// The sum of their limits.
    pub bound: usize,
}

/// A machine that keeps the laws.
///
/// The first four are needed; each of the others lets one more thing be checked.
pub trait Subject: Node + Sized {
    /// The laws of which a part cannot be checked with this subject, and why, or which test shows it instead.
    const UNCHECKED: &'static [(Law, &'static str)] = &[];

    /// How many [commands](Self::command) each of the two is given.
    const COMMANDS: usize;

    /// The worst network on which the outcome is still the same.
    const NETWORK: Network;

    /// The virtual time within which the outcome is reached on a good network.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Two machines that are to meet, with all their randomness from `seed`. `now` is for configurations that name it
    /// (the clock of RTCP), and for nothing else.
    fn pair(seed: u64, now: Instant) -> [Self; 2];

    /// The `n`th command of the user; `false` if it was refused, and shall be given again later.
    ///
    /// The same `n` is the same command. The first [`COMMANDS`](Self::COMMANDS) contribute to the outcome; those after
    /// them, without end, are the user who does not listen to `Full` (law 8).
    fn command(&mut self, n: usize) -> bool;

    /// All that the user was told and given so far, in a form that does not depend on when, and on in which order if
    /// that is not promised: connected, keys agreed, messages by stream.
    fn outcome(&self) -> String;

    /// The wire of a machine that has `poll_packet`: lets its limit be changed (law 2).
    fn wire(&mut self) -> Option<&mut Wire> {
        None
    }

    /// How often something was sent again because it seemed lost: never, on a network that loses nothing (laws 2, 4).
    fn retransmitted(&self) -> u64 {
        0
    }

    /// A datagram from a stranger, which must be dropped: random bytes, unless that may be something valid (law 3).
    fn hostile(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; rng.below(200) as usize];
        rng.fill(&mut bytes);
        bytes
    }

    /// The sum of all counters of dropped inputs: each [hostile](Self::hostile) one that is not empty is one of them
    /// (law 3).
    fn dropped(&self) -> Option<u64> {
        None
    }

    /// What it holds now, and may hold (law 8).
    fn load(&self) -> Option<Load> {
        None
    }

    /// A machine with so many parts: streams, channels, candidates, connections (law 9).
    fn crowd(_seed: u64, _parts: usize, _now: Instant) -> Option<Self> {
        None
    }

    /// How many parts were looked at since the beginning, by all calls together (law 9).
    fn visits(&self) -> Option<u64> {
        None
    }
}

/// The laws of the five calls, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// 1. `now` enters through the calls that take it; one that runs backwards is the latest seen.
    TimeIsAnArgument = 1,
    /// 2. What is owed stays owed until it is taken, however late, and however small the limit meanwhile.
    PacketsAreOwed,
    /// 3. Hostile bytes are dropped and counted.
    InputsCannotFail,
    /// 4. Any calls in any order are correct.
    NoOrder,
    /// 5. Whatever is owed is due, also after a command; what was handled is not due; nothing spins.
    OwedIsDue,
    /// 6. Early and repeated calls change nothing.
    EarlyCallsAreHarmless,
    /// 7. Configuration, seed and inputs determine every byte.
    OneSeed,
    /// 8. What a machine holds has a limit.
    Bounded,
    /// 9. A poll with nothing to do looks at nothing.
    CostFollowsWork,
}

impl Law {
    /// All nine.
    pub const ALL: [Self; 9] = [
        Self::TimeIsAnArgument,
        Self::PacketsAreOwed,
        Self::InputsCannotFail,
        Self::NoOrder,
        Self::OwedIsDue,
        Self::EarlyCallsAreHarmless,
        Self::OneSeed,
        Self::Bounded,
        Self::CostFollowsWork,
    ];

    /// Its number, from 1.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether pairs of this seed keep the law.
    ///
    /// # Errors
    /// What was seen that breaks it. A driver that spins meets law 5 under any law, and a panic breaks the law that
    /// was being checked.
    pub fn check<S: Subject>(self, seed: u64) -> Result<(), Violation> {
        let check = match self {
            Self::TimeIsAnArgument => time::check::<S>,
            Self::PacketsAreOwed => owed::check::<S>,
            Self::InputsCannotFail => hostile::check::<S>,
            Self::NoOrder => order::check::<S>,
            Self::OwedIsDue => due::check::<S>,
            Self::EarlyCallsAreHarmless => calls::check::<S>,
            Self::OneSeed => seed::check::<S>,
            Self::Bounded => bounded::check::<S>,
            Self::CostFollowsWork => cost::check::<S>,
        };
        catch_unwind(AssertUnwindSafe(|| check(seed)))
            .unwrap_or_else(|panic| Err(self.broken(format!("panicked: {}", message(panic.as_ref())))))
            .map_err(|violation| Violation { seed, ..violation })
    }

    pub(crate) const fn broken(self, what: String) -> Violation {
        Violation { law: self, seed: 0, what }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::TimeIsAnArgument => "time is an argument",
            Self::PacketsAreOwed => "packets are owed by states",
            Self::InputsCannotFail => "inputs cannot fail",
            Self::NoOrder => "no order to remember",
            Self::OwedIsDue => "owed is due, and nothing spins",
            Self::EarlyCallsAreHarmless => "early and repeated calls are harmless",
            Self::OneSeed => "one seed",
            Self::Bounded => "bounded",
            Self::CostFollowsWork => "cost follows work",
        };
        write!(f, "law {}, {name}", self.number())
    }
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// By the pair of which seed.
    pub seed: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\nWIGWAG_SEED={}", self.law, self.what, self.seed)
    }
}

impl std::error::Error for Violation {}

/// Checks all laws with some seeds (`WIGWAG_SEED` and `WIGWAG_SEEDS` choose others).
///
/// # Panics
/// If a law is broken; or if one cannot be checked, since the subject does not offer what the check needs, and
/// [`Subject::UNCHECKED`] does not say why.
#[track_caller]
pub fn check<S: Subject>() {
    check_but::<S>(&[]);
}

/// Checks all laws but these, which the subject breaks for a reason that its test tells.
///
/// # Panics
/// As [`check`].
#[track_caller]
pub fn check_but<S: Subject>(excepted: &[Law]) {
    for seed in seeds(SEEDS) {
        for law in Law::ALL {
            match law.check::<S>(seed) {
                Err(violation) if !excepted.contains(&violation.law) => panic!("{violation}"),
                Ok(()) | Err(_) => {}
            }
        }
    }
    ensure_checked::<S>();
}

#[track_caller]
fn ensure_checked<S: Subject>() {
    let now = crate::origin();
    let [mut subject, _] = S::pair(0, now);
    let crowd = S::crowd(0, 1, now);
    for (is_there, law, what) in [
        (subject.wire().is_some(), Law::PacketsAreOwed, "Subject::wire"),
        (subject.dropped().is_some(), Law::InputsCannotFail, "Subject::dropped"),
        (subject.load().is_some(), Law::Bounded, "Subject::load"),
        (
            crowd.is_some_and(|crowd| crowd.visits().is_some()),
            Law::CostFollowsWork,
            "Subject::crowd and Subject::visits",
        ),
    ] {
        let is_explained = S::UNCHECKED.iter().any(|(unchecked, _)| *unchecked == law);
        assert!(
            is_there || is_explained,
            "law {} cannot be checked in full: implement {what}, or say in Subject::UNCHECKED why not",
            law.number()
        );
        assert!(
            !(is_there && is_explained),
            "law {} is checked, and Subject::UNCHECKED says that it is not",
            law.number()
        );
    }
}

/// Compiles for what other threads may have and look at (law 7): `const _: () = is_send_and_sync::<Association>();`.
pub const fn is_send_and_sync<T: Send + Sync>() {}
