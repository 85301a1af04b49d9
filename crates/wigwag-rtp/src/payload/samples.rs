//! Sound of which a byte is a tick: G.711 (PCMU, PCMA) and G.722 (RFC 3551 §4.5.2, §4.5.14). A payload is as many bytes as
//! the encoder made.

use crate::DecodeError;

/// Ticks of the RTP timestamp in a second. G.722 samples 16,000 times in a second, two samples are a byte, and its clock is
/// that of the bytes.
// RFC 3551 §4.5.2: "Even though the actual sampling rate for G.722 audio is 16,000 Hz, the RTP clock rate for the G722 payload format is
// 8,000 Hz because that value was erroneously assigned in RFC 1890 and must remain unchanged for backward compatibility."
pub const CLOCK_RATE_HZ: u32 = 8_000;

/// How long the sound in a payload lasts, in ticks of the RTP timestamp.
pub(super) fn ticks(payload: &[u8]) -> Result<u32, DecodeError> {
    u32::try_from(payload.len()).ok().filter(|ticks| *ticks > 0).ok_or(DecodeError::Truncated)
}
