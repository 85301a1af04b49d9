//! KeyUpdate (RFC 8446 §4.6.3).

use crate::codec::Reader;
use crate::error::DecodeError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUpdate {
    /// Whether the receiver shall update its keys as well.
    pub(crate) is_requested: bool,
}

impl KeyUpdate {
    /// `None` if it says what nobody knows.
    pub(crate) fn decode(body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new(body);
        let request = reader.u8()?;
        reader.end()?;
        Ok(match request {
            0 => Some(Self { is_requested: false }),
            1 => Some(Self { is_requested: true }),
            _ => None,
        })
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_requested));
    }
}
