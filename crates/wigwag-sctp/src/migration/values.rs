//! Numbers, times, and what is there or not.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::State;
use crate::Config;
use crate::parameter::Extensions;
use crate::wire;
use std::time::{Duration, Instant};
use wigwag_sansio::Timer;

/// Numbers and nanoseconds are below, so that they may be added to without end: what is more is as much.
const MANY: u64 = 1 << 62;
/// Lengths are below.
const LONG: u64 = 1 << 48;

/// Where a state is written.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    now: Instant,
}

impl Writer {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { bytes: Vec::new(), now }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// What is left to read of a state, and what is known besides.
pub(crate) struct Reader<'a> {
    bytes: wire::Reader<'a>,
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    /// What was agreed on, once that was read.
    pub(crate) extensions: Extensions,
    /// How long packets may be, once that was read.
    pub(crate) mtu: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: wire::Reader<'a>, now: Instant, config: &'a Config) -> Self {
        Self { bytes, now, config, extensions: Extensions::default(), mtu: config.mtu }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        self.bytes.bytes(len)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl State for $number {
            fn write(&self, out: &mut Writer) {
                out.bytes(&self.to_be_bytes());
            }

            fn read(from: &mut Reader<'_>) -> Option<Self> {
                from.bytes.take().map(Self::from_be_bytes)
            }
        }
    )*};
}

numbers! { u8 u16 u32 }

impl State for u64 {
    fn write(&self, out: &mut Writer) {
        out.bytes(&(*self).min(MANY - 1).to_be_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.bytes.u64().filter(|number| *number < MANY)
    }
}

impl State for usize {
    fn write(&self, out: &mut Writer) {
        u64::try_from(*self).unwrap_or(LONG).min(LONG - 1).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from).filter(|len| *len < LONG).and_then(|len| Self::try_from(len).ok())
    }
}

impl State for bool {
    fn write(&self, out: &mut Writer) {
        u8::from(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<T: State> State for Option<T> {
    fn write(&self, out: &mut Writer) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<A: State, B: State> State for (A, B) {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl State for Duration {
    fn write(&self, out: &mut Writer) {
        u64::try_from(self.as_nanos()).unwrap_or(MANY).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from).map(Self::from_nanos)
    }
}

impl State for Instant {
    fn write(&self, out: &mut Writer) {
        let now = out.now;
        (*self < now).write(out);
        self.max(&now).saturating_duration_since(*self.min(&now)).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let is_past = bool::read(from)?;
        let distance = Duration::read(from)?;
        // A clock that has not run for so long knows no earlier moment than its first.
        if is_past { from.now.checked_sub(distance).or(Some(from.now)) } else { from.now.checked_add(distance) }
    }
}

impl State for Timer {
    fn write(&self, out: &mut Writer) {
        self.deadline().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Option::read(from)?.map_or(Self::idle(), Self::at))
    }
}
