//! What is tried with every other stack, in both roles: one scenario a file.

mod attributes;
mod churn;
mod close;
mod dtls_roles;
mod largest;
mod many_channels;
mod media;
mod profiles;
mod sizes;
mod streams;
mod trickle;
mod unreliable;

use super::{Fault, Stack};
use crate::call::Role;
use anyhow::Result;

/// What a scenario is given.
pub(crate) struct Stage {
    pub(crate) stack: &'static Stack,
    pub(crate) role: Role,
}

/// A thing that must work.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether it is part of the short run.
    pub(crate) is_smoke: bool,
    /// Whether the stack has what it needs in this role.
    pub(crate) suits: fn(&Stage) -> bool,
    pub(crate) run: fn(&Stage) -> Result<String>,
}

const fn data(name: &'static str, run: fn(&Stage) -> Result<String>) -> Scenario {
    Scenario { name, is_smoke: false, suits: |_| true, run }
}

const fn media(name: &'static str, run: fn(&Stage) -> Result<String>) -> Scenario {
    Scenario { suits: |stage| stage.stack.media.is_some(), ..data(name, run) }
}

const fn streams(name: &'static str, run: fn(&Stage) -> Result<String>) -> Scenario {
    Scenario { suits: |stage| stage.stack.has_streams, ..data(name, run) }
}

/// Whether the stack can be told whether it is the DTLS server; if not, the answerer is the client.
fn has_role(stage: &Stage, is_server: bool) -> bool {
    !stage.stack.has(Fault::HasOneDtlsRole) || is_server == (stage.role == Role::BrowserOffers)
}

/// All of them. What browsers are asked for too has the same name.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { is_smoke: true, ..data("messages of 0, 1, 1,200 and 65,536 bytes", sizes::run) },
    data("the largest message, and one byte more", largest::run),
    data("unordered and unreliable", unreliable::run),
    data("a hundred channels", many_channels::run),
    data("label, protocol and reliability seen by the peer", attributes::run),
    data("channels closed from alternating sides, ids used again", churn::run),
    data("trickled candidates", trickle::run),
    streams("over TCP alone", streams::listening),
    streams("over TCP alone, opened by wigwag", streams::opening),
    Scenario { suits: |stage| has_role(stage, true), ..data("DTLS active", dtls_roles::active) },
    Scenario { suits: |stage| has_role(stage, false), ..data("DTLS passive", dtls_roles::passive) },
    data("the peer closes", close::by_peer),
    Scenario { suits: |stage| !stage.stack.has(Fault::HearsNoEnd), ..data("wigwag closes", close::by_wigwag) },
    Scenario { is_smoke: true, ..media("Opus and VP8 echoed", media::both) },
    media("Opus alone", media::audio),
    media("VP8 alone", media::video),
    media("media with each SRTP profile that the peer has", profiles::run),
];
