//! When a packet left: 24 bits, 6 of whole seconds and 18 of fractions (abs-send-time).

use std::time::Duration;

/// `time` in 2⁻¹⁸ s, modulo 64 s.
pub(crate) const fn from_duration(time: Duration) -> u32 {
    let seconds = (time.as_secs() % 64) as u32;
    let fraction = ((time.subsec_nanos() as u64) << 18) / 1_000_000_000;
    seconds << 18 | fraction as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_quarter_millionths_of_a_second_modulo_a_minute() {
        assert_eq!(from_duration(Duration::from_millis(500)), 1 << 17);
        assert_eq!(from_duration(Duration::from_secs(65)), 1 << 18);
        assert_eq!(from_duration(Duration::from_nanos(63_999_999_999)), 0xff_ffff);
    }
}
