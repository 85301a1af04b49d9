//! PEM (RFC 7468).

use zeroize::Zeroizing;

/// What the blocks with this label have in them, in their order; `None` if one of them does not decode.
pub(crate) fn decode(mut text: &str, label: &str) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    while let Some((_, rest)) = text.split_once(&begin) {
        let (body, rest) = rest.split_once(&end)?;
        let block = Zeroizing::new(format!("{begin}{body}{end}"));
        blocks.push(pem_rfc7468::decode_vec(block.as_bytes()).ok()?.1.into());
        text = rest;
    }
    Some(blocks)
}
