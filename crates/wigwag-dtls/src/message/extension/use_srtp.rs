//! use_srtp (RFC 5764 §4.1.1).

use super::put;
use crate::SrtpProfile;
use crate::codec::{Length, Numbers, Reader, put_numbers, put_vec};
use crate::error::DecodeError;

pub(crate) const NUMBER: u16 = 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UseSrtp<'a> {
    pub(crate) profiles: Numbers<'a>,
    /// RFC 8827 §6.5: no MKI is used; a client may offer one, a server must not answer with one that was not offered.
    pub(crate) mki: &'a [u8],
}

pub(crate) fn decode(data: &[u8]) -> Result<UseSrtp<'_>, DecodeError> {
    let mut reader = Reader::new(data);
    let use_srtp = UseSrtp { profiles: reader.numbers()?, mki: reader.vec8()? };
    reader.end()?;
    Ok(use_srtp)
}

pub(crate) fn encode(profiles: &[SrtpProfile], out: &mut Vec<u8>) {
    put(out, NUMBER, |out| {
        put_numbers(out, profiles.iter().map(|profile| profile.wire()));
        put_vec(out, Length::U8, |_| {});
    });
}
