//! Invalid Stream Identifier (RFC 9260 §3.3.10.1).

/// The value of the cause.
pub(crate) fn invalid_stream(stream: u16) -> [u8; 4] {
    let [high, low] = stream.to_be_bytes();
    [high, low, 0, 0]
}
