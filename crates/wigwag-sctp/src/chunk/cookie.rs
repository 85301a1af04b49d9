//! COOKIE ECHO and COOKIE ACK (RFC 9260 §3.3.11, §3.3.12).

use super::kind;
use crate::packet::CHUNK_HEADER_LEN;
use crate::wire::put_framed;

pub(crate) const COOKIE_ECHO_HEADER_LEN: usize = CHUNK_HEADER_LEN;

pub(crate) fn write_cookie_echo(cookie: &[u8], out: &mut Vec<u8>) {
    put_framed([kind::COOKIE_ECHO, 0], out, |out| out.extend_from_slice(cookie));
}

pub(crate) fn write_cookie_ack(out: &mut Vec<u8>) {
    put_framed([kind::COOKIE_ACK, 0], out, |_| ());
}
