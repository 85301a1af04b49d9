//! Re-configuration Response (RFC 6525 §4.4).

use super::kind;
use crate::wire::{Reader, put_framed, put_u32};

/// Parameter header, sequence number, result.
pub(crate) const RESPONSE_LEN: usize = 12;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) sequence: u32,
    pub(crate) result: ResponseResult,
}

/// RFC 6525 §4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseResult {
    NothingToDo,
    Performed,
    Denied,
    WrongSsn,
    AlreadyInProgress,
    BadSequenceNumber,
    InProgress,
}

impl ResponseResult {
    const ALL: [Self; 7] = [
        Self::NothingToDo,
        Self::Performed,
        Self::Denied,
        Self::WrongSsn,
        Self::AlreadyInProgress,
        Self::BadSequenceNumber,
        Self::InProgress,
    ];
}

impl Response {
    pub(crate) const fn is_in_progress(self) -> bool {
        matches!(self.result, ResponseResult::InProgress)
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let (sequence, code) = (reader.u32()?, reader.u32()?);
        let result = *ResponseResult::ALL.get(usize::try_from(code).ok()?)?;
        Some(Self { sequence, result })
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) -> usize {
        put_framed(kind::RESPONSE.to_be_bytes(), out, |out| {
            put_u32(self.sequence, out);
            put_u32(self.result as u32, out);
        })
    }
}
