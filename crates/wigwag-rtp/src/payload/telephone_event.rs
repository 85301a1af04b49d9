//! Tones of a telephone's keys, as events (RFC 4733): a report of four bytes in each packet, repeated while the key is held.

use crate::DecodeError;
use crate::read::Reader;

/// The keys, by the numbers of their events (RFC 4733 §3.2, table 3).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// What a packet says of an event (RFC 4733 §2.3). Its timestamp is when the event began, and with it what the event is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which event: 0 to 15 are keys ([`key`]).
    pub event: u8,
    /// E: the event is over.
    pub is_end: bool,
    /// How far it is below 0 dBm0, in dB: 0 to 63.
    pub volume: u8,
    /// How long it has lasted, in ticks of the RTP timestamp.
    pub duration: u16,
}

impl Report {
    /// Reads a payload. Where it has more than one report, the first.
    ///
    /// # Errors
    /// If it is shorter than a report.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(payload);
        let [event, flags] = reader.array()?;
        // RFC 4733 §2.3.3: the bit R is reserved: 0 where it is sent, ignored where it is received.
        Ok(Self { event, is_end: flags & 0x80 != 0, volume: flags & 0x3f, duration: reader.u16()? })
    }

    /// The payload.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (self.is_end as u8) << 7 | self.volume & 0x3f, high, low]
    }
}

/// The key of an event: 0 to 9, `*`, `#`, A to D.
#[must_use]
pub fn key(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).copied()
}

/// The event of a key; a to d are A to D.
#[must_use]
pub fn event(key: char) -> Option<u8> {
    let key = key.to_ascii_uppercase();
    KEYS.iter().position(|known| *known == key).and_then(|event| u8::try_from(event).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4733 §5, table 7: the dialling of "911", of which these are the first, an update, and the end of a "9".
    #[test]
    fn reports_by_hand() {
        for (bytes, report) in [
            ([9, 0x07, 0x01, 0x90], Report { event: 9, is_end: false, volume: 7, duration: 400 }),
            ([9, 0x07, 0x03, 0x20], Report { event: 9, is_end: false, volume: 7, duration: 800 }),
            ([9, 0x87, 0x06, 0x40], Report { event: 9, is_end: true, volume: 7, duration: 1600 }),
        ] {
            assert_eq!(Report::parse(&bytes), Ok(report));
            assert_eq!(report.to_bytes(), bytes);
            assert_eq!(Report::parse(&[bytes[0], bytes[1] | 0x40, bytes[2], bytes[3]]), Ok(report), "R is ignored");
        }
        for len in 0..4 {
            assert_eq!(Report::parse(&[9; 4][..len]), Err(DecodeError::Truncated));
        }
    }

    #[test]
    fn keys_have_the_numbers_of_the_table() {
        let numbers: Vec<_> = "0123456789*#ABCDabcd".chars().filter_map(event).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15]);
        assert_eq!((event('E'), event(','), event('٣'), key(16), key(11)), (None, None, None, None, Some('#')));
    }
}
