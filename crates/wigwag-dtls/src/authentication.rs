//! Whom a connection believes.

use crate::AlertDescription;
use std::fmt;

/// Whether a server asks its client for a certificate. A client always checks that of its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// It does, and refuses a client without one, as WebRTC needs it: both sides know each other's fingerprints.
    #[default]
    Required,
    /// It does, and a client may have none; but one that it has must be believed.
    Requested,
    /// It does not, and a client is anybody.
    None,
}

/// Decides in place of fingerprints whom to believe, for those who know their peers in another way.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Whether this certificate, in DER, is that of a peer to believe; that the peer has its key is checked afterwards. What
    /// is said instead is the alert that the peer gets.
    ///
    /// `intermediates` are the certificates that the peer has sent with it: at most 99, whatever they are and in whatever
    /// order, together no longer than [`Config::message_len_max`](crate::Config::message_len_max). Nothing of them was looked
    /// at.
    ///
    /// # Errors
    /// The alert: [`AlertDescription::BadCertificate`], [`AlertDescription::UnknownCa`] and their kin.
    fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), AlertDescription>;
}
