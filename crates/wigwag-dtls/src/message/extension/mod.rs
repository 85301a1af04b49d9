//! Extensions (RFC 5246 §7.4.1.4): one file an extension, each with its number and what it carries.

pub(crate) mod certificate_authorities;
pub(crate) mod cookie;
pub(crate) mod early_data;
pub(crate) mod ec_point_formats;
pub(crate) mod extended_master_secret;
pub(crate) mod key_share;
pub(crate) mod padding;
pub(crate) mod pre_shared_key;
pub(crate) mod psk_key_exchange_modes;
pub(crate) mod renegotiation_info;
pub(crate) mod signature_algorithms;
pub(crate) mod supported_groups;
pub(crate) mod supported_versions;
pub(crate) mod use_srtp;

use crate::codec::{Length, Reader, put_u16, put_vec};
use crate::error::DecodeError;

/// How many there are, mostly: a buffer for more grows.
const USUAL_COUNT: usize = 16;
/// How long they are together, without shares: a buffer for more grows.
pub(crate) const USUAL_LEN: usize = 128;

/// A list of extensions, each of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Extensions that we wrote with [`put`].
    pub(crate) const fn written(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// RFC 5246 §7.4.1.2: "The presence of extensions can be detected by determining whether there are bytes following
    /// the compression_methods at the end of the ClientHello."
    pub(crate) fn decode_optional(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Ok(Self(&[]));
        }
        Self::decode(reader)
    }

    /// A list that must be there.
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let extensions = Self(reader.vec16()?);
        // RFC 5246 §7.4.1.4: "There MUST NOT be more than one extension of the same type."
        let mut types = Vec::with_capacity(USUAL_COUNT);
        let mut rest = Reader::new(extensions.0);
        while !rest.is_empty() {
            types.push(rest.u16()?);
            rest.vec16()?;
        }
        types.sort_unstable();
        if types.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(DecodeError);
        }
        Ok(extensions)
    }

    /// Types and what they carry.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = Reader::new(self.0);
        std::iter::from_fn(move || Some((rest.u16().ok()?, rest.vec16().ok()?)))
    }

    /// What the extension of this type carries, if it is there.
    pub(crate) fn find(self, number: u16) -> Option<&'a [u8]> {
        self.iter().find(|(other, _)| *other == number).map(|(_, data)| data)
    }

    /// Decodes the extension of this type, if it is there.
    pub(crate) fn get<T>(
        self,
        number: u16,
        decode: impl FnOnce(&'a [u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        self.find(number).map(decode).transpose()
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_vec(out, Length::U16, |out| out.extend_from_slice(self.0));
    }
}

/// Appends an extension.
pub(crate) fn put(out: &mut Vec<u8>, number: u16, write: impl FnOnce(&mut Vec<u8>)) {
    put_u16(out, number);
    put_vec(out, Length::U16, write);
}
