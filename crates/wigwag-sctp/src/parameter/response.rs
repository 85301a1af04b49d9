//! Re-configuration Response (RFC 6525 §4.4).

use super::kind;
use crate::migration::state;
use crate::wire::{Reader, put_framed, put_u32};

/// Parameter header, sequence number, result, and two TSNs that only a reset of TSNs has.
pub(crate) const RESPONSE_LEN: usize = 20;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) sequence: u32,
    pub(crate) result: ResponseResult,
    /// The TSNs with which the one who answers, and the one who has asked, go on.
    pub(crate) next_tsns: Option<NextTsns>,
}

/// The Sender's Next TSN and the Receiver's Next TSN, as the one who answers sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextTsns {
    pub(crate) sender: u32,
    pub(crate) receiver: u32,
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

state!(struct Response { sequence, result, next_tsns });
state!(struct NextTsns { sender, receiver });
state!(enum ResponseResult {
    0: NothingToDo, 1: Performed, 2: Denied, 3: WrongSsn, 4: AlreadyInProgress, 5: BadSequenceNumber, 6: InProgress,
});

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
    pub(crate) const fn new(sequence: u32, result: ResponseResult) -> Self {
        Self { sequence, result, next_tsns: None }
    }

    pub(crate) const fn is_in_progress(self) -> bool {
        matches!(self.result, ResponseResult::InProgress)
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let (sequence, code) = (reader.u32()?, reader.u32()?);
        let result = *ResponseResult::ALL.get(usize::try_from(code).ok()?)?;
        let next_tsns =
            if reader.is_empty() { None } else { Some(NextTsns { sender: reader.u32()?, receiver: reader.u32()? }) };
        Some(Self { sequence, result, next_tsns })
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) -> usize {
        put_framed(kind::RESPONSE.to_be_bytes(), out, |out| {
            put_u32(self.sequence, out);
            put_u32(self.result as u32, out);
            if let Some(NextTsns { sender, receiver }) = self.next_tsns {
                put_u32(sender, out);
                put_u32(receiver, out);
            }
        })
    }
}
