//! `a=simulcast`: streams sent side by side (RFC 8853 §5.1).

use super::{RidDirection, Value};
use crate::error::Expected;
use crate::fields::Fields;
use std::fmt;

/// The streams of one or both directions, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulcast(pub Vec<SimulcastStreams>);

/// The streams of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulcastStreams {
    /// Which way they go.
    pub direction: RidDirection,
    /// For each stream its alternatives, the preferred first.
    pub streams: Vec<Vec<Alternative>>,
}

/// A way to send a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The name that `a=rid` gives it.
    pub rid: String,
    /// Whether it begins paused (`~`).
    pub paused: bool,
}

impl Simulcast {
    /// The streams of a direction.
    #[must_use]
    pub fn streams(&self, direction: RidDirection) -> Option<&[Vec<Alternative>]> {
        self.0.iter().find(|streams| streams.direction == direction).map(|streams| streams.streams.as_slice())
    }
}

impl Value for Simulcast {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "simulcast with send or recv or both, each once and followed by rids";
        let mut fields = Fields::new(value);
        let mut all = Self(Vec::new());
        while let Some(word) = fields.next() {
            let direction = RidDirection::parse(word).ok_or(Expected(EXPECTED))?;
            let streams = fields.word(EXPECTED)?.split(';');
            let streams = streams.map(|stream| stream.split(',').map(alternative).collect()).collect::<Option<_>>();
            if all.streams(direction).is_some() {
                return Err(Expected(EXPECTED));
            }
            all.0.push(SimulcastStreams { direction, streams: streams.ok_or(Expected(EXPECTED))? });
        }
        if all.0.is_empty() { Err(Expected(EXPECTED)) } else { Ok(all) }
    }
}

fn alternative(text: &str) -> Option<Alternative> {
    let (rid, paused) = text.strip_prefix('~').map_or((text, false), |rid| (rid, true));
    (!rid.is_empty()).then(|| Alternative { rid: rid.to_owned(), paused })
}

impl fmt::Display for Simulcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (all, before) in self.0.iter().zip(std::iter::once("").chain(std::iter::repeat(" "))) {
            write!(f, "{before}{} ", all.direction)?;
            for (stream, before) in all.streams.iter().zip(std::iter::once("").chain(std::iter::repeat(";"))) {
                f.write_str(before)?;
                for (alternative, before) in stream.iter().zip(std::iter::once("").chain(std::iter::repeat(","))) {
                    let paused = if alternative.paused { "~" } else { "" };
                    write!(f, "{before}{paused}{}", alternative.rid)?;
                }
            }
        }
        Ok(())
    }
}
