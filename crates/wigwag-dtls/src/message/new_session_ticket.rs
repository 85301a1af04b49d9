//! NewSessionTicket of DTLS 1.3 (RFC 8446 §4.6.1). What comes is read, and thrown away.

use super::extension::Extensions;
use crate::codec::{Length, Reader, put_vec};
use crate::error::DecodeError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSessionTicket<'a> {
    /// How long the client may keep it, in seconds.
    pub(crate) lifetime: u32,
    /// Hides how old it is when it comes back.
    pub(crate) age_add: u32,
    /// Another one for each ticket of a connection.
    pub(crate) nonce: &'a [u8],
    /// Not empty.
    pub(crate) ticket: &'a [u8],
}

impl<'a> NewSessionTicket<'a> {
    /// Without what its extensions say.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let [lifetime, age_add] = [reader.array()?, reader.array()?].map(u32::from_be_bytes);
        let ticket = Self { lifetime, age_add, nonce: reader.vec8()?, ticket: reader.vec16()? };
        Extensions::decode(&mut reader)?;
        reader.end()?;
        // opaque ticket<1..2^16-1>;
        if ticket.ticket.is_empty() { Err(DecodeError) } else { Ok(ticket) }
    }

    /// Without extensions.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.lifetime.to_be_bytes());
        out.extend_from_slice(&self.age_add.to_be_bytes());
        put_vec(out, Length::U8, |out| out.extend_from_slice(self.nonce));
        put_vec(out, Length::U16, |out| out.extend_from_slice(self.ticket));
        put_vec(out, Length::U16, |_| {});
    }
}
