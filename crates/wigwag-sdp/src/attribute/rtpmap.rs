//! `a=rtpmap`: the codec of a payload type (RFC 8866 §6.6).

use super::Value;
use crate::error::Expected;
use crate::fields::{Fields, number};
use crate::token::Token;
use std::fmt;

/// A payload type and its codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtpmap {
    /// 0 to 127 if the other side is right.
    pub payload_type: u8,
    /// `opus`, `VP8` and others.
    pub encoding: Token,
    /// Ticks of the RTP clock per second.
    pub clock_rate: u32,
    /// Of sound; one if it is not said.
    pub channels: Option<u16>,
}

impl Value for Rtpmap {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "rtpmap with a payload type, a codec, / and its clock rate";
        let mut fields = Fields::new(value);
        let payload_type = fields.number(EXPECTED)?;
        let mut parts = fields.word(EXPECTED)?.split('/');
        let encoding = parts.next().filter(|name| !name.is_empty()).ok_or(Expected(EXPECTED))?.into();
        let clock_rate = parts.next().and_then(number).ok_or(Expected(EXPECTED))?;
        let channels = match parts.next() {
            Some(channels) => Some(number(channels).ok_or(Expected(EXPECTED))?),
            None => None,
        };
        if parts.next().is_some() {
            return Err(Expected(EXPECTED));
        }
        fields.end(EXPECTED)?;
        Ok(Self { payload_type, encoding, clock_rate, channels })
    }
}

impl fmt::Display for Rtpmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload_type, self.encoding, self.clock_rate)?;
        self.channels.iter().try_for_each(|channels| write!(f, "/{channels}"))
    }
}
