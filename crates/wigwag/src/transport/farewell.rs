//! How a connection ends: the association is aborted, then DTLS says close_notify, then nothing more is sent.

use super::Secured;
use std::time::Instant;

/// What the peer is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Nobody has said goodbye.
    None,
    /// ABORT, inside DTLS.
    Association,
    /// close_notify.
    Security,
    /// Nothing more.
    Done,
}

impl Farewell {
    pub(super) fn begin(&mut self, secured: &mut Secured) {
        if *self == Self::None {
            *self = Self::Association;
            if let Some(sctp) = &mut secured.sctp {
                sctp.abort();
            }
        }
    }

    /// Appends the next packet of the farewell and returns its size.
    pub(super) fn append(
        &mut self,
        secured: &mut Secured,
        now: Instant,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        if *self == Self::Association {
            if secured.append_data(now, limit, out) {
                return Some(out.len());
            }
            *self = Self::Security;
            if let Some(dtls) = &mut secured.dtls {
                dtls.close();
            }
        }
        if *self == Self::Security {
            if secured.append_handshake(now, limit, out) {
                return Some(out.len());
            }
            *self = Self::Done;
        }
        None
    }

    /// There is no path to the peer.
    pub(super) fn give_up(&mut self) {
        if self.is_owed() {
            *self = Self::Done;
        }
    }

    pub(super) const fn is_owed(self) -> bool {
        matches!(self, Self::Association | Self::Security)
    }
}
