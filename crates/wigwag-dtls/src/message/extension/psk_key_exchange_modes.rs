//! psk_key_exchange_modes (RFC 8446 §4.2.9): without it, a server gives no tickets.

use super::put;
use crate::codec::{Length, put_vec};

pub(crate) const NUMBER: u16 = 45;
/// psk_dhe_ke
const WITH_KEY_EXCHANGE: u8 = 1;

pub(crate) fn encode(out: &mut Vec<u8>) {
    put(out, NUMBER, |out| put_vec(out, Length::U8, |out| out.push(WITH_KEY_EXCHANGE)));
}
