//! The one transport that all sections share: what we say of ours and hear of the peer's.

use std::collections::BTreeSet;
use std::fmt;
use wigwag_sctp::PeerInit;
use wigwag_sdp::{Candidate, Fingerprint};

/// Our end of the transport, as the caller knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalTransport {
    /// ICE's name.
    pub ufrag: String,
    /// ICE's password.
    pub pwd: String,
    /// Of our certificate.
    pub fingerprints: Vec<Fingerprint>,
    /// Those gathered by now; the others trickle.
    pub candidates: Vec<Candidate>,
    /// Whether no other follows.
    pub end_of_candidates: bool,
    /// The INIT chunk of our SCTP association, if it may be told (`a=sctp-init`): the same for as long as there is one association.
    pub sctp_init: Option<Vec<u8>>,
}

/// The peer's end of the transport.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteTransport {
    /// The section that it is described in: only candidates for it, for the bundle's first section, or for none in particular, are
    /// ours to take.
    pub mid: String,
    /// ... and its place, from 0.
    pub m_line_index: usize,
    /// The mid and the place of the bundle's first section, if we refuse that: what is told for it is of the same transport.
    pub(super) refused_first: Option<(String, usize)>,
    /// ICE's name.
    pub ufrag: String,
    /// ICE's password.
    pub pwd: String,
    /// Of the peer's certificate; at least one.
    pub fingerprints: Vec<Fingerprint>,
    /// Those of component 1 that stand in the description.
    pub candidates: Vec<Candidate>,
    /// Whether no other follows.
    pub end_of_candidates: bool,
    /// Whether the peer only answers checks (RFC 8445 §2.5).
    pub ice_lite: bool,
    /// Whether the peer takes candidates later (RFC 8838).
    pub trickle: bool,
    /// How often the peer has restarted ICE: grows with each change of name or password.
    pub generation: u32,
}

/// What both sides say of data channels (RFC 8841).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataParameters {
    /// Our SCTP port.
    pub local_port: u16,
    /// The peer's SCTP port.
    pub remote_port: u16,
    /// The largest message that the peer takes, in bytes; `u64::MAX` if any.
    pub max_message_size: u64,
    /// The INIT chunk of the peer's SCTP association, if each side has told the other its own.
    pub(crate) peer_init: Option<PeerInit>,
}

/// Whether these are the same fingerprints, in whatever order.
pub(super) fn are_same(these: &[Fingerprint], those: &[Fingerprint]) -> bool {
    let set = |fingerprints: &[Fingerprint]| -> BTreeSet<(String, Vec<u8>)> {
        let key = |found: &Fingerprint| (found.hash.to_string().to_ascii_lowercase(), found.digest.clone());
        fingerprints.iter().map(key).collect()
    };
    set(these) == set(those)
}

// Passwords are not printed.

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport")
            .field("ufrag", &self.ufrag)
            .field("candidates", &self.candidates.len())
            .field("end_of_candidates", &self.end_of_candidates)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RemoteTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTransport")
            .field("mid", &self.mid)
            .field("ufrag", &self.ufrag)
            .field("candidates", &self.candidates.len())
            .field("end_of_candidates", &self.end_of_candidates)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
