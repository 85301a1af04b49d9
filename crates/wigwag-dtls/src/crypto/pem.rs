//! PEM (RFC 7468).

/// What the first block with this label has in it.
pub(crate) fn decode(text: &str, label: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let (_, rest) = text.split_once(&begin)?;
    let (body, _) = rest.split_once(&end)?;
    let block = zeroize::Zeroizing::new(format!("{begin}{body}{end}"));
    pem_rfc7468::decode_vec(block.as_bytes()).ok().map(|(_, der)| der.into())
}
