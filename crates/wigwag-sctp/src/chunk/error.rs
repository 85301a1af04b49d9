//! ERROR (RFC 9260 §3.3.10).

use super::kind;
use crate::wire::put_framed;

/// `causes` are encoded and padded already.
pub(crate) fn write_error(causes: &[u8], out: &mut Vec<u8>) {
    put_framed([kind::ERROR, 0], out, |out| out.extend_from_slice(causes));
}
