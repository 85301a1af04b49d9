//! `a=sctpmap`, of drafts before RFC 8841; what replaced it are the numbers `sctp-port` and `max-message-size`.

use super::Value;
use crate::error::Expected;
use crate::fields::Fields;
use std::fmt;

/// A port, its protocol and how many streams there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sctpmap {
    /// The port of SCTP, which the `m=` line names too.
    pub port: u16,
    /// `webrtc-datachannel`.
    pub protocol: String,
    /// Streams.
    pub streams: Option<u32>,
}

impl Value for Sctpmap {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "sctpmap with a port, a protocol and perhaps a number of streams";
        let mut fields = Fields::new(value);
        let port = fields.number(EXPECTED)?;
        let protocol = fields.word(EXPECTED)?.to_owned();
        let streams = match fields.rest() {
            "" => None,
            _ => Some(fields.number(EXPECTED)?),
        };
        fields.end(EXPECTED)?;
        Ok(Self { port, protocol, streams })
    }
}

impl fmt::Display for Sctpmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.port, self.protocol)?;
        self.streams.iter().try_for_each(|streams| write!(f, " {streams}"))
    }
}
