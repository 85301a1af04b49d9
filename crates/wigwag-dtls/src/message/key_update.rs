//! KeyUpdate (RFC 8446 §4.6.3).

use crate::codec::Reader;
use crate::error::DecodeError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUpdate {
    /// Whether the receiver shall update its keys as well.
    pub(crate) is_requested: bool,
}

impl KeyUpdate {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let request = reader.u8()?;
        reader.end()?;
        match request {
            0 => Ok(Self { is_requested: false }),
            1 => Ok(Self { is_requested: true }),
            _ => Err(DecodeError),
        }
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_requested));
    }
}
