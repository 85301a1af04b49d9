//! Opus (RFC 7587): a packet of the encoder is a payload. What can be read of it (RFC 6716 §3) is how long it lasts.

use crate::DecodeError;
use std::time::Duration;

/// Ticks of the RTP timestamp in a second, whatever the rate of the sound (RFC 7587 §4.1).
pub const CLOCK_RATE_HZ: u32 = 48_000;
/// RFC 6716 §3.2.5: no packet lasts longer, in ticks.
const TICKS_MAX: u32 = 5_760;
const MALFORMED: DecodeError = DecodeError::Malformed("Opus");

/// How long the sound in a packet lasts, 2.5 to 120 ms.
///
/// # Errors
/// If it is not an Opus packet: empty, of no frame, or of too many.
pub fn duration(packet: &[u8]) -> Result<Duration, DecodeError> {
    ticks(packet).map(|ticks| crate::time::from_ticks(ticks, CLOCK_RATE_HZ))
}

/// As [`duration`], in ticks of the RTP timestamp.
pub(super) fn ticks(packet: &[u8]) -> Result<u32, DecodeError> {
    let (first, rest) = packet.split_first().ok_or(MALFORMED)?;
    // RFC 6716 §3.2: the number of frames, by the two lowest bits.
    let frames = match first & 3 {
        0 => 1,
        // Two frames of one size share what follows.
        1 if !rest.len().is_multiple_of(2) => return Err(MALFORMED),
        1 | 2 => 2,
        _ => u32::from(rest.first().ok_or(MALFORMED)? & 0x3f),
    };
    let ticks = frames.saturating_mul(frame_ticks(first >> 3));
    if (1..=TICKS_MAX).contains(&ticks) { Ok(ticks) } else { Err(MALFORMED) }
}

/// RFC 6716 §3.1, table 2: SILK of 10, 20, 40 and 60 ms; hybrid of 10 and 20; CELT of 2.5, 5, 10 and 20.
const fn frame_ticks(configuration: u8) -> u32 {
    match (configuration, configuration & 3) {
        (0..=11, 3) => 2_880,
        (0..=11, n) => 480 << n,
        (12..=15, n) => 480 << (n & 1),
        (_, n) => 120 << n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_of_rfc_6716_lasts_as_long_as_its_table_says() {
        let silk = [10_000, 20_000, 40_000, 60_000].repeat(3);
        let hybrid = [10_000, 20_000].repeat(2);
        let celt = [2_500, 5_000, 10_000, 20_000].repeat(4);
        for (configuration, micros) in (0u8..).zip([silk, hybrid, celt].concat()) {
            assert_eq!(duration(&[configuration << 3, 0]), Ok(Duration::from_micros(micros)), "{configuration}");
        }
    }

    #[test]
    fn frames_are_counted_and_last_120_ms_together_at_most() {
        let millis = |packet: &[u8]| duration(packet).map(|duration| duration.as_millis());
        assert_eq!(millis(&[0x78 | 1, 7, 7]), Ok(40));
        assert_eq!(millis(&[0x78 | 2, 1, 7]), Ok(40));
        assert_eq!(millis(&[0x78 | 3, 0xc6]), Ok(120));
        for malformed in [&[][..], &[0x78 | 1, 7], &[0x78 | 3], &[0x78 | 3, 0], &[0x78 | 3, 7], &[0x18 | 3, 3]] {
            assert_eq!(duration(malformed), Err(MALFORMED), "{malformed:x?}");
        }
    }
}
