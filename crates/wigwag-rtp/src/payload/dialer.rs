//! Keys of a telephone, pressed one after another (RFC 4733 §2.5.1): each is a series of packets with the timestamp of its
//! beginning, every 20 ms, and three that say that it is over.
//!
//! ```text
//! Idle ──insert──▶ Pressed (every 20 ms a packet) ──duration──▶ Released (three packets) ──▶ Gap ──▶ the next key, or Idle
//! ```

use super::telephone_event::{self, Report};
use crate::event::RtpPacket;
use crate::time::ticks;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_sansio::Monotonic;

/// RFC 4733 §2.5.1.2: as often as sound is sent, which is every 20 ms.
const INTERVAL: Duration = Duration::from_millis(20);
/// How often the last packet of a key is sent.
// RFC 4733 §2.5.1.4: "The final packet for each event and for each segment SHOULD be sent a total of three times at the interval used by the
// source for updates."
const ENDS: u8 = 3;
/// W3C `insertDTMF`: so long a comma pauses.
const COMMA: Duration = Duration::from_secs(2);
/// 10 dB below 0 dBm0, as browsers say.
const VOLUME: u8 = 10;
/// So many keys wait at most.
pub(crate) const KEYS_MAX: usize = 256;

/// What W3C's `insertDTMF` allows for the time that a key is pressed.
const PRESS: [Duration; 2] = [Duration::from_millis(40), Duration::from_millis(6000)];
/// ... and between two.
const GAP: [Duration; 2] = [Duration::from_millis(30), Duration::from_millis(6000)];

/// Presses keys.
#[derive(Debug, Default)]
pub struct Dialer {
    now: Monotonic,
    /// Keys that were not pressed yet.
    keys: VecDeque<char>,
    press: Duration,
    gap: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Idle,
    /// A key is to be pressed.
    Next,
    Pressed {
        press: Press,
        /// When the next packet is owed.
        at: Instant,
        is_first: bool,
    },
    Released {
        press: Press,
        left: u8,
        at: Instant,
    },
    /// Nothing until then.
    Gap {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    began: Instant,
    /// How long it is pressed.
    length: Duration,
    timestamp: u32,
}

impl Press {
    /// How long it has lasted when the sound has been heard that a packet would have that leaves now.
    // RFC 4733 §2.3.5: "A sender MUST NOT transmit a zero duration for events other than those defined as states."
    fn lasted(&self, now: Instant) -> Duration {
        (now.saturating_duration_since(self.began) + INTERVAL).min(self.length)
    }

    /// When the packet leaves that tells the whole length.
    fn last_packet(&self) -> Instant {
        self.began + self.length.saturating_sub(INTERVAL)
    }
}

/// What the stream is like in which keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneStream {
    /// The payload type of events, 0 to 127.
    pub payload_type: u8,
    /// Its clock, which is that of the sound.
    pub clock_rate_hz: u32,
    /// What the timestamp of sound would be now.
    pub timestamp: u32,
}

impl Dialer {
    /// Before the first key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys in the place of all that were not pressed yet: 0 to 9, `*`, `#`, A to D in either case; a comma pauses for two seconds.
    /// `press`, how long each is pressed, is brought to 40 to 6,000 ms, and `gap`, between two, to 30 to 6,000 ms.
    ///
    /// # Errors
    /// Another character, which is given back, or the first of more than 256.
    pub fn insert(&mut self, keys: &str, press: Duration, gap: Duration) -> Result<(), char> {
        if let Some(unknown) = keys.chars().find(|key| *key != ',' && telephone_event::event(*key).is_none()) {
            return Err(unknown);
        }
        if let Some(surplus) = keys.chars().nth(KEYS_MAX) {
            return Err(surplus);
        }
        let ([press_min, press_max], [gap_min, gap_max]) = (PRESS, GAP);
        self.keys = keys.chars().collect();
        (self.press, self.gap) = (press.clamp(press_min, press_max), gap.clamp(gap_min, gap_max));
        if matches!(self.state, State::Idle) && !self.keys.is_empty() {
            self.state = State::Next;
        }
        Ok(())
    }

    /// W3C `toneBuffer`: what was not pressed yet.
    #[must_use]
    pub fn waiting(&self) -> String {
        self.keys.iter().collect()
    }

    /// Whether a key is pressed now.
    #[must_use]
    pub const fn is_pressing(&self) -> bool {
        matches!(self.state, State::Pressed { .. } | State::Released { .. })
    }

    /// The packet that is owed, if one is. `stream` is asked when a key is pressed, and for each packet.
    pub fn poll_packet(&mut self, now: Instant, stream: impl Fn() -> Option<ToneStream>) -> Option<RtpPacket> {
        let now = self.now.advance(now);
        if let State::Gap { until } = self.state
            && until <= now
        {
            self.state = if self.keys.is_empty() { State::Idle } else { State::Next };
        }
        let is_owed = match self.state {
            State::Next => true,
            State::Pressed { at, .. } | State::Released { at, .. } => at <= now,
            State::Idle | State::Gap { .. } => false,
        };
        if !is_owed {
            return None;
        }
        let Some(stream) = stream() else {
            // Events are taken no more.
            (self.state, self.keys) = (State::Idle, VecDeque::new());
            return None;
        };
        if matches!(self.state, State::Next) {
            self.press_next(now, stream);
        }
        self.packet(now, stream)
    }

    fn press_next(&mut self, now: Instant, stream: ToneStream) {
        self.state = match self.keys.pop_front() {
            None => State::Idle,
            Some(key) => match telephone_event::event(key) {
                None => State::Gap { until: now + COMMA },
                Some(event) => {
                    // The field for its length has 16 bits; a longer one would be in segments (RFC 4733 §2.5.1.3).
                    let longest = crate::time::from_ticks(u16::MAX.into(), stream.clock_rate_hz);
                    let length = self.press.min(longest);
                    let press = Press { event, began: now, length, timestamp: stream.timestamp };
                    State::Pressed { press, at: now, is_first: true }
                }
            },
        };
    }

    fn packet(&mut self, now: Instant, stream: ToneStream) -> Option<RtpPacket> {
        let (press, is_first) = match self.state {
            State::Pressed { press, is_first, .. } => (press, is_first),
            State::Released { press, .. } => (press, false),
            State::Idle | State::Next | State::Gap { .. } => return None,
        };
        let lasted = press.lasted(now);
        let is_end = lasted >= press.length;
        let duration = u16::try_from(ticks(lasted, stream.clock_rate_hz)).unwrap_or(u16::MAX);
        self.state = match self.state {
            State::Released { left, .. } if left > 1 => State::Released { press, left: left - 1, at: now + INTERVAL },
            // W3C has the gap begin with the end of the key, whatever is sent of it afterwards.
            State::Released { .. } => State::Gap { until: (press.began + press.length + self.gap).max(now) },
            _ if is_end => State::Released { press, left: ENDS - 1, at: now + INTERVAL },
            _ => State::Pressed { press, at: (now + INTERVAL).min(press.last_packet()).max(now), is_first: false },
        };
        let report = Report { event: press.event, is_end, volume: VOLUME, duration };
        let payload = Bytes::copy_from_slice(&report.to_bytes());
        let mut packet = RtpPacket::new(stream.payload_type, press.timestamp, payload);
        // RFC 4733 §2.2: the marker is on the first packet of an event.
        packet.marker = is_first;
        Some(packet)
    }

    /// When to poll: at `now` if a packet is owed.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let now = self.now.latest(now);
        match self.state {
            State::Idle => None,
            State::Next => Some(now),
            State::Pressed { at, .. } | State::Released { at, .. } => Some(at.max(now)),
            State::Gap { until } => Some(until.max(now)),
        }
    }
}
