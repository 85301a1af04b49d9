//! How a connection ends: media says BYE, the association is aborted, then DTLS says close_notify, then nothing more is sent.

use super::Secured;
use std::time::Instant;

/// What the peer is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Nobody has said goodbye.
    None,
    /// BYE, for each stream of media that was sent.
    Media,
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
            *self = Self::Media;
            // RFC 3550 §6.6, and W3C's "stop sending and receiving": a BYE for each stream that was sent.
            secured.rtp.end();
            if let Some(sctp) = &mut secured.sctp {
                sctp.abort();
            }
        }
    }

    /// Appends the next packet of the farewell, or says `false`.
    pub(super) fn append(&mut self, secured: &mut Secured, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if *self == Self::Media {
            if secured.rtp.is_goodbye_owed() && secured.append_feedback(now, limit, out) {
                return true;
            }
            *self = Self::Association;
        }
        if *self == Self::Association {
            if secured.append_data(now, limit, out) {
                return true;
            }
            *self = Self::Security;
            if let Some(dtls) = &mut secured.dtls {
                dtls.close();
            }
        }
        if *self == Self::Security {
            if secured.append_handshake(now, limit, out) {
                return true;
            }
            *self = Self::Done;
        }
        false
    }

    /// There is no path to the peer.
    pub(super) fn give_up(&mut self) {
        if self.is_owed() {
            *self = Self::Done;
        }
    }

    pub(super) const fn is_owed(self) -> bool {
        matches!(self, Self::Media | Self::Association | Self::Security)
    }
}
