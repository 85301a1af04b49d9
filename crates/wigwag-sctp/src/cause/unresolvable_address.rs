//! Unresolvable Address (RFC 9260 §3.3.10.5).

use crate::wire::Tlv;

/// The value of the cause: the whole parameter.
pub(crate) fn unresolvable_address(parameter: Tlv<'_>) -> Vec<u8> {
    let mut value = Vec::new();
    let padding = parameter.write(&mut value);
    value.truncate(value.len().saturating_sub(padding));
    value
}
