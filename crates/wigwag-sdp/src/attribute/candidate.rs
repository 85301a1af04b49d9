//! `a=candidate`: the grammar of candidates; what they mean is not known here (RFC 8839 §5.1, RFC 6544 §4.5).

use super::Value;
use crate::address::Address;
use crate::error::{Error, Expected};
use crate::fields::{Fields, number};
use crate::token::Token;
use std::fmt;
use std::str::FromStr;

/// A candidate, usable alone: it is also what trickles outside of a description.
///
/// ```
/// use wigwag_sdp::{Candidate, CandidateKind};
///
/// let candidate = Candidate::parse("candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host ufrag Yk3v")?;
/// assert_eq!(candidate.kind, CandidateKind::Host);
/// assert_eq!(candidate.extensions.get("ufrag"), Some("Yk3v"));
/// assert_eq!(candidate.to_string(), "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host ufrag Yk3v");
/// # Ok::<(), wigwag_sdp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for candidates of one kind, base and server.
    pub foundation: String,
    /// 1 for RTP and everything multiplexed with it, 2 for RTCP.
    pub component: u16,
    /// `udp` or `tcp`; a candidate of any other transport is to be ignored.
    pub transport: Token,
    /// The greater, the sooner.
    pub priority: u32,
    /// Where it is; a name must be resolved first (RFC 8839 §5.1), `.local` names by multicast.
    pub address: Address,
    /// ... and its port, 9 for those that only connect (RFC 6544 §4.5).
    pub port: u16,
    /// How it was found.
    pub kind: CandidateKind,
    /// `raddr`: the base, or what a relay maps to.
    pub related_address: Option<Address>,
    /// `rport`
    pub related_port: Option<u16>,
    /// `tcptype`
    pub tcp_type: Option<TcpType>,
    /// What follows.
    pub extensions: Extensions,
}

/// How a candidate was found (RFC 8445 §5.1.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CandidateKind {
    /// `host`: an interface.
    Host,
    /// `srflx`: what a server sees.
    ServerReflexive,
    /// `prflx`: what a peer sees.
    PeerReflexive,
    /// `relay`: a relay's.
    Relayed,
    /// Any other word; such a candidate is to be ignored.
    Other(String),
}

/// Who connects (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TcpType {
    /// It connects.
    Active,
    /// It listens.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

/// Pairs of a name and a value, as they came: `generation 0 ufrag Yk3v network-cost 50`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(String);

impl Extensions {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut fields = Fields::new(&self.0);
        std::iter::from_fn(move || fields.next().zip(fields.next()))
    }

    /// Adds a pair; spaces within would make more of them.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.extend([name, " ", value]);
    }
}

impl Candidate {
    /// Reads a candidate that stands alone, as `candidate:1 1 udp …`, with `a=` before it or without either, and
    /// perhaps with an end of line.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let line = text.trim_end_matches(['\r', '\n']);
        let value = line.strip_prefix("a=").unwrap_or(line);
        let value = value.strip_prefix("candidate:").unwrap_or(value);
        let parsed =
            if value.contains(['\0', '\r', '\n']) { Err(Expected("one line")) } else { <Self as Value>::parse(value) };
        parsed.map_err(|expected| Error::new(1, line, expected))
    }

    fn take_extensions(&mut self, mut fields: Fields<'_>) {
        while let Some(name) = fields.next() {
            let value = fields.next().unwrap_or_default();
            let taken = match name {
                "raddr" => set(&mut self.related_address, (!value.is_empty()).then(|| Address::parse(value))),
                "rport" => set(&mut self.related_port, number(value)),
                "tcptype" => set(&mut self.tcp_type, TcpType::parse(value)),
                _ => false,
            };
            if !taken {
                self.extensions.push(name, value);
            }
        }
    }
}

/// Whether there was a value and none before it: anything else stays among the extensions.
fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let takes = slot.is_none() && value.is_some();
    if takes {
        *slot = value;
    }
    takes
}

impl FromStr for Candidate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl Value for Candidate {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str =
            "candidate: foundation, component, transport, priority, address, port, typ and its kind, pairs of words";
        let mut fields = Fields::new(value);
        let mut candidate = Self {
            foundation: fields.word(EXPECTED)?.to_owned(),
            component: fields.number(EXPECTED)?,
            transport: fields.word(EXPECTED)?.into(),
            priority: fields.number(EXPECTED)?,
            address: Address::parse(fields.word(EXPECTED)?),
            port: fields.number(EXPECTED)?,
            kind: match fields.word(EXPECTED)? {
                "typ" => CandidateKind::parse(fields.word(EXPECTED)?),
                _ => return Err(Expected(EXPECTED)),
            },
            related_address: None,
            related_port: None,
            tcp_type: None,
            extensions: Extensions::default(),
        };
        candidate.take_extensions(fields);
        Ok(candidate)
    }
}

/// With `candidate:` before it, as it stands behind `a=`, and as W3C's `RTCIceCandidate` has it.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "candidate:{} {} {} ", self.foundation, self.component, self.transport)?;
        write!(f, "{} {} {} typ {}", self.priority, self.address, self.port, self.kind.as_str())?;
        self.related_address.iter().try_for_each(|address| write!(f, " raddr {address}"))?;
        self.related_port.iter().try_for_each(|port| write!(f, " rport {port}"))?;
        self.tcp_type.iter().try_for_each(|tcp_type| write!(f, " tcptype {}", tcp_type.as_str()))?;
        if self.extensions.0.is_empty() { Ok(()) } else { write!(f, " {}", self.extensions.0) }
    }
}

impl CandidateKind {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
            Self::Other(other) => other,
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "host" => Self::Host,
            "srflx" => Self::ServerReflexive,
            "prflx" => Self::PeerReflexive,
            "relay" => Self::Relayed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl TcpType {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::SimultaneousOpen].into_iter().find(|kind| kind.as_str() == word)
    }
}
