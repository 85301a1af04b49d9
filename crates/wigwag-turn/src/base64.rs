//! Base64 (RFC 4648 §4), in nonces and in the passwords of an hour.

/// The digits of bytes; what a last group lacks is told by `=`, if it is `padded`.
pub(crate) fn encode(bytes: &[u8], is_padded: bool) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number =
            (0..3).fold(0u32, |number, at| number << 8 | u32::from(group.get(at).copied().unwrap_or_default()));
        for (place, shift) in [18u32, 12, 6, 0].into_iter().enumerate() {
            match (place <= group.len(), is_padded) {
                (true, _) => text.push(digit(number >> shift)),
                (false, true) => text.push('='),
                (false, false) => {}
            }
        }
    }
    text
}

/// The bytes of digits that stand in whole groups of four, as many as there is room for; `None` if they are others.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() & 3 != 0 || (text.len() / 4).saturating_mul(3) != N {
        return None;
    }
    for (group, out) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let number = group.iter().try_fold(0u32, |number, digit| Some(number << 6 | sextet(*digit)?))?;
        out.iter_mut().zip(number.to_be_bytes().into_iter().skip(1)).for_each(|(out, byte)| *out = byte);
    }
    Some(bytes)
}

/// The value of a digit.
pub(crate) fn sextet(digit: u8) -> Option<u32> {
    let place = |base: u8, first: u32| u32::from(digit.wrapping_sub(base)).checked_add(first);
    match digit {
        b'A'..=b'Z' => place(b'A', 0),
        b'a'..=b'z' => place(b'a', 26),
        b'0'..=b'9' => place(b'0', 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn digit(number: u32) -> char {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = usize::try_from(number & 63).unwrap_or_default();
    char::from(DIGITS.get(at).copied().unwrap_or(b'A'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10.
    #[test]
    fn is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(bytes.as_bytes(), true), text);
            assert_eq!(encode(bytes.as_bytes(), false), text.trim_end_matches('='));
        }
        assert_eq!(encode(&[0xFB, 0xFF, 0xBF], true), "+/+/");
        assert_eq!(decode(b"Zm9vYmFy"), Some(*b"foobar"));
        assert_eq!(decode(b"+/+/"), Some([0xFB, 0xFF, 0xBF]));
    }

    #[test]
    fn what_is_none_is_not_read() {
        for text in [&b"Zm9"[..], b"Zm9vY", b"Zm9vYmF=", b"Zm9vYmF-", b"Zm9vYmFyZm9v"] {
            assert_eq!(decode::<6>(text), None);
        }
    }
}
