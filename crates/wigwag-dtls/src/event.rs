//! What a connection tells.

use crate::{AlertDescription, SrtpKeys};

/// What has happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete, and the peer is who the fingerprints say. Comes once at most.
    Connected {
        /// The keys of SRTP, if a profile was negotiated.
        srtp: Option<SrtpKeys>,
    },
    /// The connection is over. The last event.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`close`](crate::Connection::close) was called.
    #[error("closed by us")]
    Local,
    /// The peer has closed.
    #[error("closed by the peer")]
    CloseNotify,
    /// The peer gave up, with this alert.
    #[error("the peer gave up: {0}")]
    Alert(AlertDescription),
    /// The peer's certificate has none of [`Config::remote_fingerprints`](crate::Config::remote_fingerprints), those of the
    /// session description (RFC 8122 §6.2); as when there are none.
    #[error("the peer's certificate has none of the fingerprints that were signalled, or none were")]
    FingerprintMismatch,
    /// We gave up, because of something that the peer did or did not offer.
    #[error("refused: {why} ({alert})")]
    Refused {
        /// The alert that was sent.
        alert: AlertDescription,
        /// What was wrong.
        why: &'static str,
    },
    /// The configuration contradicts itself ([`Config::check`](crate::Config::check)), so that no connection can be made: nothing was sent.
    #[error("Config::{field}: {problem}")]
    InvalidConfig {
        /// The name of the field.
        field: &'static str,
        /// What would be right.
        problem: &'static str,
    },
    /// The peer did not answer.
    #[error("the peer did not answer")]
    TimedOut,
    /// The keys have protected as much as they may, and there are none after them: in DTLS 1.2 never, in 1.3 if the peer does
    /// not answer (RFC 9147 §4.5.3; about 390 GB with AES-GCM in 1.2, and no end with ChaCha20-Poly1305).
    #[error("the keys have protected as much as they may")]
    KeysWornOut,
    /// There are no sequence numbers left. They must not be used twice.
    #[error("all sequence numbers are used")]
    SequenceExhausted,
    /// So many records were forged that the next might not be noticed (RFC 9147 §4.5.3).
    #[error("too many records were forged")]
    ForgeriesExceeded,
}
