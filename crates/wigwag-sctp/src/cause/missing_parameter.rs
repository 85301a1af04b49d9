//! Missing Mandatory Parameter (RFC 9260 §3.3.10.2).

/// The value of the cause: how many are missing, and the type of the one that is.
pub(crate) fn missing_parameter(kind: u16) -> [u8; 6] {
    let [high, low] = kind.to_be_bytes();
    [0, 0, 0, 1, high, low]
}
