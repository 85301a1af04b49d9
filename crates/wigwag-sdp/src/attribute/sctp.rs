//! `a=sctpmap`, of drafts before RFC 8841; what replaced it are the numbers `sctp-port` and `max-message-size`. And
//! `a=sctp-init`, of a draft after it (SNAP: the handshake of SCTP within the descriptions).

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

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The writer's INIT chunk in Base64, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SctpInit(String);

impl SctpInit {
    /// Says this chunk.
    #[must_use]
    pub fn new(chunk: &[u8]) -> Self {
        let encode = |bytes: &[u8]| {
            let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
            let bits = u32::from_be_bytes([0, at(0), at(1), at(2)]);
            let digits = [bits >> 18, bits >> 12, bits >> 6, bits].map(|digit| DIGITS.get(digit as usize & 63));
            // As many digits as there are bytes, and one more.
            let len = bytes.len();
            let digits = digits.into_iter().enumerate().map(move |(place, digit)| digit.filter(|_| place <= len));
            digits.map(|digit| digit.map_or('=', |digit| char::from(*digit)))
        };
        Self(chunk.chunks(3).flat_map(encode).collect())
    }

    /// The chunk's bytes; `None` if they are not Base64 (RFC 4648 §4).
    #[must_use]
    pub fn chunk(&self) -> Option<Vec<u8>> {
        let (groups, rest) = self.0.as_bytes().as_chunks::<4>();
        let (last, groups) = groups.split_last().filter(|_| rest.is_empty())?;
        let mut bytes = Vec::new();
        for group in groups {
            bytes.extend(decode(group, 3)?);
        }
        match last {
            [a, b, b'=', b'='] => bytes.extend(decode(&[*a, *b, b'A', b'A'], 1)?),
            [a, b, c, b'='] => bytes.extend(decode(&[*a, *b, *c, b'A'], 2)?),
            group => bytes.extend(decode(group, 3)?),
        }
        Some(bytes)
    }
}

/// The first `len` bytes of a group; the others must be 0.
fn decode(group: &[u8; 4], len: usize) -> Option<impl Iterator<Item = u8>> {
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte).and_then(|at| u32::try_from(at).ok());
    let bits = group.iter().try_fold(0, |bits, byte| Some(bits << 6 | digit(byte)?))?;
    let [_, bytes @ ..] = bits.to_be_bytes();
    bytes.iter().skip(len).all(|byte| *byte == 0).then(|| bytes.into_iter().take(len))
}

impl Value for SctpInit {
    fn parse(value: &str) -> Result<Self, Expected> {
        String::parse(value).map(Self)
    }
}

impl fmt::Display for SctpInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
