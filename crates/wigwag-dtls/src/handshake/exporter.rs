//! Keying material for other protocols (RFC 5705, RFC 5764 §4.2).

use crate::error::Error;

/// The label for SRTP.
pub(crate) const DTLS_SRTP: &str = "EXTRACTOR-dtls_srtp";

/// Labels of TLS itself (RFC 5705 §4): with one of these, the exporter would give away what proves our identity, or the
/// keys.
const RESERVED: [&str; 5] =
    ["client finished", "server finished", "master secret", "extended master secret", "key expansion"];

/// The length of the context before it, if there is a context.
///
/// RFC 5705 §4: "The context_value_length is encoded as an unsigned, 16-bit quantity"
///
/// Without a context there is no length either.
pub(crate) fn check(label: &str, context: Option<&[u8]>) -> Result<Option<[u8; 2]>, Error> {
    if RESERVED.contains(&label) {
        return Err(Error::InvalidExporter);
    }
    let len = context.map(|context| u16::try_from(context.len()).map(u16::to_be_bytes));
    len.transpose().map_err(|_| Error::InvalidExporter)
}
