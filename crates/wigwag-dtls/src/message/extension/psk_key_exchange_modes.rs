//! psk_key_exchange_modes (RFC 8446 §4.2.9): without it, a server gives no tickets.

use super::put;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 45;
/// psk_dhe_ke
const WITH_KEY_EXCHANGE: u8 = 1;

/// Whether a session may be resumed with a new key exchange, which is the only way that servers of today know.
pub(crate) fn decode(data: &[u8]) -> Result<bool, DecodeError> {
    let mut reader = Reader::new(data);
    let modes = reader.vec8()?;
    reader.end()?;
    if modes.is_empty() { Err(DecodeError) } else { Ok(modes.contains(&WITH_KEY_EXCHANGE)) }
}

pub(crate) fn encode(out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U8, |out| out.push(WITH_KEY_EXCHANGE)));
}
