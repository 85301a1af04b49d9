//! certificate_authorities (RFC 8446 §4.2.4). Nobody in WebRTC has one, so it is only read.

use crate::codec::Reader;
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 47;

/// Whether it is a list of at least one distinguished name, none of which is empty.
pub(crate) fn decode(data: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(data);
    let mut names = Reader::new(reader.vec16()?);
    reader.end()?;
    // DistinguishedName authorities<3..2^16-1>; opaque DistinguishedName<1..2^16-1>;
    if names.is_empty() {
        return Err(DecodeError);
    }
    while !names.is_empty() {
        Some(names.vec16()?).filter(|name| !name.is_empty()).ok_or(DecodeError)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_empty_and_there_is_at_least_one() {
        assert_eq!(decode(&[0, 3, 0, 1, 9]), Ok(()));
        assert_eq!(decode(&[0, 7, 0, 1, 9, 0, 2, 8, 7]), Ok(()));
        for wrong in [&[][..], &[0, 0], &[0, 2, 0, 0], &[0, 3, 0, 2, 9], &[0, 3, 0, 1, 9, 0], &[0, 3, 0, 1]] {
            assert_eq!(decode(wrong), Err(DecodeError));
        }
    }
}
