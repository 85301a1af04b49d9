//! `a=rtcp` (RFC 3605), `a=rtcp-fb` (RFC 4585 §4.2) and `a=rtcp-xr` (RFC 3611 §5.1).

use super::Value;
use crate::address::Connection;
use crate::error::Expected;
use crate::fields::{Fields, number};
use std::fmt;

/// Where RTCP goes without `rtcp-mux`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtcp {
    /// The port.
    pub port: u16,
    /// The address, if it is another than the section's.
    pub connection: Option<Connection>,
}

impl Value for Rtcp {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "rtcp with a port and perhaps IN, IP4 or IP6, and an address";
        let mut fields = Fields::new(value);
        let port = fields.number(EXPECTED)?;
        let connection = match fields.rest() {
            "" => None,
            rest => Some(Connection::parse(rest)?),
        };
        Ok(Self { port, connection })
    }
}

impl fmt::Display for Rtcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        self.connection.iter().try_for_each(|connection| write!(f, " {connection}"))
    }
}

/// Feedback that the writer understands for a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpFb {
    /// The format; `None` for all (`*`).
    pub payload_type: Option<u8>,
    /// Which feedback.
    pub feedback: Feedback,
}

/// A kind of feedback.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feedback {
    /// `nack`: lost packets (RFC 4585 §6.2.1).
    Nack,
    /// `nack pli`: a lost picture (RFC 4585 §6.3.1).
    NackPli,
    /// `ccm fir`: a full picture is asked for (RFC 5104 §4.3.1).
    CcmFir,
    /// `goog-remb`: the bandwidth that the receiver estimates.
    GoogRemb,
    /// `transport-cc`: times of arrival by transport-wide numbers.
    TransportCc,
    /// `ack ccfb`: times of arrival by stream (RFC 8888 §6).
    AckCcfb,
    /// Any other, as it came.
    Other(String),
}

impl Feedback {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Nack => "nack",
            Self::NackPli => "nack pli",
            Self::CcmFir => "ccm fir",
            Self::GoogRemb => "goog-remb",
            Self::TransportCc => "transport-cc",
            Self::AckCcfb => "ack ccfb",
            Self::Other(other) => other,
        }
    }
}

impl Value for RtcpFb {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: Expected = Expected("rtcp-fb with a payload type or *, and a feedback");
        let (format, feedback) = value.split_once(' ').ok_or(EXPECTED)?;
        let payload_type = match format {
            "*" => None,
            format => Some(number(format).ok_or(EXPECTED)?),
        };
        let feedback = match feedback {
            "" => return Err(EXPECTED),
            "nack" => Feedback::Nack,
            "nack pli" => Feedback::NackPli,
            "ccm fir" => Feedback::CcmFir,
            "goog-remb" => Feedback::GoogRemb,
            "transport-cc" => Feedback::TransportCc,
            "ack ccfb" => Feedback::AckCcfb,
            other => Feedback::Other(other.to_owned()),
        };
        Ok(Self { payload_type, feedback })
    }
}

impl fmt::Display for RtcpFb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload_type {
            Some(payload_type) => write!(f, "{payload_type} {}", self.feedback.as_str()),
            None => write!(f, "* {}", self.feedback.as_str()),
        }
    }
}

/// Which extended reports the writer wants, as they came; perhaps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpXr(String);

impl RtcpXr {
    /// The formats `name=value` between spaces; the value of one without `=` is empty.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split(' ')
            .filter(|format| !format.is_empty())
            .map(|format| format.split_once('=').unwrap_or((format, "")))
    }
}

impl Value for RtcpXr {
    fn parse(value: &str) -> Result<Self, Expected> {
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for RtcpXr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
