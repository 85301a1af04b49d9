//! Why each pair was formed, checked, failed, nominated and chosen: a bounded trace for people and programs.

use crate::agent::Agent;
use crate::{Path, State};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// So many decisions are kept: those about two checks of each of 100 pairs, and what follows from them.
const KEPT_MAX: usize = 512;
/// So many decisions are told with a failure.
const TOLD_MAX: usize = 10;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Deed {
    /// Two candidates became a pair.
    Formed,
    /// A pair was given up, or not formed.
    Discarded,
    /// A check was sent; retransmissions and consent are not told.
    Checked,
    /// A check was answered.
    Succeeded,
    /// A pair does not work.
    Failed,
    /// A pair was nominated, by either side.
    Nominated,
    /// Data goes this way now.
    Selected,
    /// The agent's role has changed.
    SwitchedRole,
    /// The agent's state has changed.
    StateChanged,
    /// The agent has begun anew.
    Restarted,
    /// A local address has vanished.
    Vanished,
}

impl Deed {
    const fn name(self) -> &'static str {
        match self {
            Self::Formed => "formed",
            Self::Discarded => "discarded",
            Self::Checked => "checked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Nominated => "nominated",
            Self::Selected => "selected",
            Self::SwitchedRole => "switched role",
            Self::StateChanged => "state changed",
            Self::Restarted => "restarted",
            Self::Vanished => "vanished",
        }
    }
}

/// One decision. It is printed as a line of text; [`to_json`](Self::to_json) makes a line of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// When, since the agent was first told the time.
    pub after: Duration,
    /// What was decided.
    pub deed: Deed,
    /// About which path, if it was about one. An address of ours that is [hidden](crate::Agent::hide_local_address) is unspecified.
    pub path: Option<Path>,
    /// Why.
    pub why: &'static str,
}

impl Decision {
    /// An object on one line: `after_ms`, `deed`, `why`, and `local` and `remote` if it was about a path.
    pub fn to_json(&self) -> String {
        let Self { after, deed, path, why } = self;
        let path = path.map(|path| {
            format!(r#","local":{},"remote":{}"#, Quoted(&path.local.to_string()), Quoted(&path.remote.to_string()))
        });
        let (deed, path, why) = (Quoted(deed.name()), path.unwrap_or_default(), Quoted(why));
        format!(r#"{{"after_ms":{},"deed":{deed}{path},"why":{why}}}"#, after.as_millis())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms  {}", self.after.as_millis(), self.deed.name())?;
        if let Some(Path { local, remote, .. }) = self.path {
            write!(f, " {local} → {remote}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// A string of JSON (RFC 8259 §7).
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if u32::from(c) < 0x20 => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Why an agent has failed. It is printed as text of several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What somebody might do about it.
    pub advice: String,
    /// The last decisions.
    pub last: Vec<Decision>,
}

impl Failure {
    /// An object on one line: `advice`, and `last`, a list of [decisions](Decision::to_json).
    pub fn to_json(&self) -> String {
        let last: Vec<_> = self.last.iter().map(Decision::to_json).collect();
        format!(r#"{{"advice":{},"last":[{}]}}"#, Quoted(&self.advice), last.join(","))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.advice)?;
        self.last.iter().try_for_each(|decision| write!(f, "\n{decision}"))
    }
}

/// The last decisions.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    kept: VecDeque<Decision>,
    begin: Option<Instant>,
    failure: Option<Failure>,
}

impl Agent {
    /// The last 512 decisions, in their order.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.kept.iter()
    }

    /// Why the agent has failed, if it has.
    pub const fn failure(&self) -> Option<&Failure> {
        match self.state() {
            State::Failed => self.decisions.failure.as_ref(),
            State::New
            | State::Checking
            | State::Connected
            | State::Completed
            | State::Disconnected
            | State::Closed => None,
        }
    }

    pub(crate) fn note(&mut self, deed: Deed, path: Option<Path>, why: &'static str) {
        let now = self.seen();
        let path = path.map(|path| self.hidden.mask_path(path));
        let Decisions { kept, begin, .. } = &mut self.decisions;
        *begin = begin.or(now);
        let after = now.zip(*begin).map(|(now, begin)| now.saturating_duration_since(begin)).unwrap_or_default();
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Decision { after, deed, path, why });
    }

    /// The agent is about to fail, and still knows of what.
    pub(crate) fn explain_failure(&mut self) {
        let advice = self.advice();
        let kept = &self.decisions.kept;
        let last = kept.iter().skip(kept.len().saturating_sub(TOLD_MAX)).copied().collect();
        self.decisions.failure = Some(Failure { advice, last });
    }

    fn advice(&self) -> String {
        let stats = self.stats();
        let mut latest = self.decisions.kept.iter().rev().take_while(|decision| decision.deed != Deed::Restarted);
        let was_connected = latest.any(|decision| decision.deed == Deed::Selected);
        let remotes = self.remote_candidates().iter().map(|candidate| match &candidate.name {
            Some(name) => format!("{name}:{}", candidate.address.port()),
            None => self.hidden.mask_remote(candidate.address),
        });
        let remotes = remotes.take(5).collect::<Vec<_>>().join(", ");
        match () {
            () if was_connected => {
                "the peer does not consent any more: has it gone, or a network changed? restart ICE if it is to come back".into()
            }
            () if self.local_candidates().is_empty() => "there is no local address: is there a network?".into(),
            () if self.remote_candidates().is_empty() && stats.remote_candidates_ignored > 0 => {
                "none of the peer's candidates can be used: are they all names that nobody here knows, or TCP?".into()
            }
            () if self.remote_candidates().is_empty() => "the peer has told no candidate: does signalling work?".into(),
            () if stats.unauthenticated_responses > 0 || stats.unauthenticated_requests > 0 => {
                "messages had a wrong password: do both sides have the credentials of this session?".into()
            }
            // They were authentic: this is the driver's doing, not a stranger's.
            () if stats.unknown_local_address > 0 && stats.checks_received == 0 => {
                "checks came to an address that is none of ours: is each datagram handed in with the address it came to?".into()
            }
            () if stats.checks_sent == 0 => format!("no check could be sent: does any local address reach {remotes}?"),
            () if stats.responses_received == 0 && stats.errors_received == 0 && stats.checks_received > 0 => {
                format!("the peer's checks come in, and ours are not answered: is UDP to {remotes} blocked?")
            }
            () if stats.responses_received == 0 && stats.errors_received == 0 => {
                format!("every check timed out: is UDP to {remotes} blocked?")
            }
            () => format!("no pair was confirmed: do answers from {remotes} get lost?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_reserves_is_escaped() {
        assert_eq!(Quoted("a\"b\\c\n\u{1}é").to_string(), "\"a\\\"b\\\\c\\u000a\\u0001é\"");
    }
}
