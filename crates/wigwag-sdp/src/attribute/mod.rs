//! The attributes `a=`: one typed value each, unknown ones kept as they came (RFC 8866 §5.13).

mod candidate;
mod direction;
mod extmap;
mod fingerprint;
mod fmtp;
mod framerate;
mod group;
mod ice;
mod list;
mod msid;
mod rid;
mod rtcp;
mod rtpmap;
mod sctp;
mod setup;
mod simulcast;
mod ssrc;

pub use candidate::{Candidate, CandidateKind, Extensions, TcpType};
pub use direction::Direction;
pub use extmap::Extmap;
pub use fingerprint::Fingerprint;
pub use fmtp::Fmtp;
pub use framerate::Framerate;
pub use group::Group;
pub use ice::{IceOptions, IcePwd};
pub use list::Attributes;
pub use msid::Msid;
pub use rid::{Rid, RidDirection};
pub use rtcp::{Feedback, Rtcp, RtcpFb, RtcpXr};
pub use rtpmap::Rtpmap;
pub use sctp::{SctpInit, Sctpmap};
pub use setup::Setup;
pub use simulcast::{Alternative, Simulcast, SimulcastStreams};
pub use ssrc::{Ssrc, SsrcGroup};

use crate::error::Expected;
use crate::fields::number;
use std::fmt;

/// What stands behind the colon of an attribute; printing is its `Display`.
trait Value: Sized + fmt::Display {
    fn parse(value: &str) -> Result<Self, Expected>;
}

/// An attribute that has no type of its own here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What stands before the colon.
    pub name: String,
    /// What follows it, as it came; `None` if there is no colon.
    pub value: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}:{value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// One row for each attribute: reading, printing and the name follow from it.
macro_rules! attributes {
    (flags { $($(#[$flag_doc:meta])* $flag_name:literal => $flag:ident,)* }
     values { $($(#[$doc:meta])* $name:literal => $variant:ident($kind:ty),)* }) => {
        /// An attribute: what follows `a=`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Attribute {
            $($(#[$flag_doc])* $flag,)*
            $($(#[$doc])* $variant($kind),)*
            /// An ICE candidate (RFC 8839 §5.1).
            Candidate(Box<Candidate>),
            /// `sendrecv`, `sendonly`, `recvonly`, `inactive` (RFC 8866 §6.7).
            Direction(Direction),
            /// Any other, kept as it came.
            Unknown(Unknown),
        }

        impl Attribute {
            /// What stands before the colon.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$flag => $flag_name,)*
                    $(Self::$variant(_) => $name,)*
                    Self::Candidate(_) => "candidate",
                    Self::Direction(direction) => direction.as_str(),
                    Self::Unknown(unknown) => &unknown.name,
                }
            }

            fn parse_flag(name: &str) -> Option<Self> {
                match name {
                    $($flag_name => Some(Self::$flag),)*
                    _ => Direction::from_name(name).map(Self::Direction),
                }
            }

            fn parse_value(name: &str, value: &str) -> Option<Result<Self, Expected>> {
                match name {
                    $($name => Some(<$kind as Value>::parse(value).map(Self::$variant)),)*
                    "candidate" => Some(<Candidate as Value>::parse(value).map(Box::new).map(Self::Candidate)),
                    _ => None,
                }
            }
        }

        impl fmt::Display for Attribute {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$flag => f.write_str($flag_name),)*
                    $(Self::$variant(value) => write!(f, concat!($name, ":{}"), value),)*
                    Self::Candidate(candidate) => candidate.fmt(f),
                    Self::Direction(direction) => f.write_str(direction.as_str()),
                    Self::Unknown(unknown) => unknown.fmt(f),
                }
            }
        }
    };
}

attributes! {
    flags {
        /// The section is sent in a bundle or not at all (RFC 9143 §6).
        "bundle-only" => BundleOnly,
        /// Header extensions and sources are sealed too (RFC 9335 §4).
        "cryptex" => Cryptex,
        /// No candidate follows (RFC 8840 §8.2).
        "end-of-candidates" => EndOfCandidates,
        /// One-byte and two-byte header extensions may be mixed (RFC 8285 §6).
        "extmap-allow-mixed" => ExtmapAllowMixed,
        /// The sender answers checks and makes none (RFC 8839 §5.3).
        "ice-lite" => IceLite,
        /// RTP and RTCP share a port (RFC 5761 §5.1.1).
        "rtcp-mux" => RtcpMux,
        /// ... and nothing else is possible (RFC 8858).
        "rtcp-mux-only" => RtcpMuxOnly,
        /// Reduced-size RTCP (RFC 5506).
        "rtcp-rsize" => RtcpRsize,
    }
    values {
        /// A header extension and its number (RFC 8285 §5).
        "extmap" => Extmap(Extmap),
        /// The hash of a certificate (RFC 8122 §5).
        "fingerprint" => Fingerprint(Fingerprint),
        /// Parameters of a format (RFC 8866 §6.15).
        "fmtp" => Fmtp(Fmtp),
        /// The most frames in a second (RFC 8866 §6.13).
        "framerate" => Framerate(Framerate),
        /// Sections that belong together (RFC 5888, RFC 9143).
        "group" => Group(Group),
        /// Names of extensions of ICE (RFC 8839 §5.6).
        "ice-options" => IceOptions(IceOptions),
        /// The password of ICE (RFC 8839 §5.4).
        "ice-pwd" => IcePwd(IcePwd),
        /// The name of ICE (RFC 8839 §5.4).
        "ice-ufrag" => IceUfrag(String),
        /// The most bytes a message may have, 0 for any number (RFC 8841 §6).
        "max-message-size" => MaxMessageSize(u64),
        /// The longest time of sound in a packet, in milliseconds (RFC 8866 §6.5).
        "maxptime" => Maxptime(u32),
        /// The name of the section (RFC 5888 §4).
        "mid" => Mid(String),
        /// The stream and track that are sent (RFC 8830 §2).
        "msid" => Msid(Msid),
        /// An obsolete announcement, as it came: browsers differ in a space.
        "msid-semantic" => MsidSemantic(String),
        /// The time of sound in a packet, in milliseconds (RFC 8866 §6.4).
        "ptime" => Ptime(u32),
        /// A restricted stream (RFC 8851).
        "rid" => Rid(Rid),
        /// Where RTCP goes without `rtcp-mux` (RFC 3605).
        "rtcp" => Rtcp(Rtcp),
        /// Feedback that is understood (RFC 4585 §4.2).
        "rtcp-fb" => RtcpFb(RtcpFb),
        /// Extended reports that are wanted (RFC 3611 §5.1).
        "rtcp-xr" => RtcpXr(RtcpXr),
        /// The codec of a payload type (RFC 8866 §6.6).
        "rtpmap" => Rtpmap(Rtpmap),
        /// The INIT chunk of SCTP, of a draft.
        "sctp-init" => SctpInit(SctpInit),
        /// The port within the association of DTLS (RFC 8841 §5).
        "sctp-port" => SctpPort(u16),
        /// What `sctp-port` was before it had its name.
        "sctpmap" => Sctpmap(Sctpmap),
        /// Who opens the DTLS connection (RFC 4145 §4, RFC 8842 §5).
        "setup" => Setup(Setup),
        /// Streams sent side by side (RFC 8853).
        "simulcast" => Simulcast(Simulcast),
        /// A fact about a stream (RFC 5576 §4.1).
        "ssrc" => Ssrc(Ssrc),
        /// Streams that belong together (RFC 5576 §4.2).
        "ssrc-group" => SsrcGroup(SsrcGroup),
        /// The identity of a DTLS association (RFC 8842 §4).
        "tls-id" => TlsId(String),
    }
}

impl Attribute {
    /// Reads what follows `a=`. A name that is known with another form, as a flag with a value, is unknown. Spaces at the end
    /// mean nothing to names that are known, and are left out, unless there is nothing else.
    pub(crate) fn parse(text: &str) -> Result<Self, Expected> {
        let trimmed = |text| Some(str::trim_end_matches(text, ' ')).filter(|text| !text.is_empty()).unwrap_or(text);
        match text.split_once(':') {
            _ if text.is_empty() => Err(Expected("a= with the name of an attribute")),
            Some((name @ ("ptime" | "maxptime"), value)) if is_real(trimmed(value)) => {
                Ok(Self::unknown(name, Some(value)))
            }
            Some((name, value)) => {
                Self::parse_value(name, trimmed(value)).unwrap_or_else(|| Ok(Self::unknown(name, Some(value))))
            }
            None => Ok(Self::parse_flag(trimmed(text)).unwrap_or_else(|| Self::unknown(text, None))),
        }
    }

    /// An attribute without a type of its own here.
    #[must_use]
    pub fn unknown(name: &str, value: Option<&str>) -> Self {
        Self::Unknown(Unknown { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

/// RFC 8866 §6.4 allows times that are not whole; nobody here asks for them.
fn is_real(value: &str) -> bool {
    value
        .split_once('.')
        .is_some_and(|(whole, fraction)| [whole, fraction].iter().all(|part| number::<u64>(part).is_some()))
}

impl Value for String {
    fn parse(value: &str) -> Result<Self, Expected> {
        if value.is_empty() { Err(Expected("a value after the colon")) } else { Ok(value.to_owned()) }
    }
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Value for $kind {
            fn parse(value: &str) -> Result<Self, Expected> {
                const EXPECTED: &str = concat!("a number from 0 to the greatest ", stringify!($kind));
                number(value.trim_matches(' ')).ok_or(Expected(EXPECTED))
            }
        }
    )*};
}

numbers!(u16, u32, u64);
