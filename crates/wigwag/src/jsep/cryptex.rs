//! Whether RTP headers are encrypted (RFC 9335): `a=cryptex`, which is one answer for all that is bundled.

use super::Jsep;
use super::config::Config;
use super::error::Error;
use super::view::{View, describing};
use wigwag_sdp::{Attribute, SessionDescription};

/// Whether the CSRCs and the header extensions of RTP packets, which tell for instance how loud somebody speaks, are encrypted
/// (cryptex, RFC 9335): W3C `RTCRtpHeaderEncryptionPolicy` of webrtc-extensions, and `Disable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HeaderEncryption {
    /// Never: nothing is said of it.
    #[default]
    Disable,
    /// With peers that say that they do, too. With others they are in the clear, as ever. But some (libdatachannel, as an answerer of media) repeat each line
    /// of an offer that they do not know, and decipher nothing then: offer it to peers that you know.
    Negotiate,
    /// Always: descriptions of a peer that does not are refused, and packets with headers in the clear are neither sent nor taken.
    Require,
}

impl HeaderEncryption {
    pub(super) fn is_wanted(self) -> bool {
        self != Self::Disable
    }
}

impl Jsep {
    /// Whether both sides have said that headers of RTP may be encrypted (RFC 9335), in the last answer.
    #[must_use]
    pub const fn is_header_encrypted(&self) -> bool {
        self.now.cryptex
    }
}

/// Whether all sections of sound and pictures that live say it, and there is one.
// RFC 9335 §4: "If BUNDLE is in use as per [RFC9143] and the "a=cryptex" attribute is present for a media line, it MUST be present for
// all RTP-based "m=" sections belonging to the same bundle group."
pub(super) fn is_said(session: &SessionDescription, tagged: Option<usize>, lives: impl Fn(usize) -> bool) -> bool {
    let has_media = View::all(session).enumerate().any(|(index, view)| lives(index) && view.kind().is_some());
    has_media && lacking(session, tagged, lives).is_none()
}

/// The first section of sound or pictures that does not say it.
///
/// RFC 9335 §4 has it in the TRANSPORT category of RFC 8859: in a bundle, what the first section says it says for all (RFC 9143 §7.1.3),
/// if that is one of media.
fn lacking(session: &SessionDescription, tagged: Option<usize>, lives: impl Fn(usize) -> bool) -> Option<usize> {
    let first = tagged.and_then(|index| describing(session, index)).filter(|view| view.kind().is_some());
    if first.is_some_and(|view| view.has(&Attribute::Cryptex)) {
        return None;
    }
    let lacks =
        |(index, view): &(usize, View<'_>)| lives(*index) && view.kind().is_some() && !view.has(&Attribute::Cryptex);
    View::all(session).enumerate().find(lacks).map(|(index, _)| index)
}

/// W3C webrtc-extensions, `require`: if "the description does not support [[RFC9335]]", it is refused.
pub(super) fn required(
    config: &Config,
    session: &SessionDescription,
    tagged: Option<usize>,
    lives: impl Fn(usize) -> bool,
) -> Result<(), Error> {
    const PROBLEM: &str = "a=cryptex is missing: header_encryption requires that headers are encrypted (RFC 9335)";
    let lacking = lacking(session, tagged, lives).filter(|_| config.header_encryption == HeaderEncryption::Require);
    lacking.map_or(Ok(()), |index| Err(Error::section(index, PROBLEM)))
}
