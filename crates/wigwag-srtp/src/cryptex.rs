//! The rule of RFC 9335 (cryptex): CSRCs and header extensions are encrypted with the payload.
//!
//! ```text
//! as it is sent          fixed header │ CSRCs │ 0xC0DE, length │ extension │ payload
//! as a cipher takes it   fixed header │ 0xC0DE, length │ CSRCs │ extension │ payload
//!                        └──────── authenticated ─────┘└──────── encrypted ────────┘
//! ```

use crate::Error;
use crate::context::Refused;
use crate::crypto::Portions;
use crate::rtp::{FIXED_LEN, Header};

/// Whether a packet's CSRCs and header extensions are encrypted with its payload (RFC 9335), as both sides have agreed (`a=cryptex`).
///
/// A packet that has neither is the same with and without. RTCP is not concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cryptex {
    /// We have not said that we take them: they are sent in the clear, and 0xC0DE and 0xC2DE are extensions that nobody knows.
    #[default]
    Off,
    /// We have said that we take them, and the peer has not, or not yet, or does not any more: ours are sent in the clear, and of the peer's, either is taken.
    Received,
    /// The peer takes them, and so do we: ours are encrypted, and of the peer's, either is taken, for each packet may be either (§4).
    Negotiated,
    /// The same, and what is in the clear is neither sent nor taken.
    Required,
}

/// What RFC 8285 writes before extensions, and what RFC 9335 §5 writes instead. What RFC 8285 calls "appbits" is 0 in the former: the
/// latter has no room for them.
const FORMS: [(u16, u16); 2] = [(0xbede, 0xc0de), (0x1000, 0xc2de)];
/// The tag and the length.
pub(crate) const EXTENSION_HEADER_LEN: usize = 4;

fn sealed(plain: u16) -> Option<u16> {
    FORMS.into_iter().find(|(form, _)| *form == plain).map(|(_, sealed)| sealed)
}

fn opened(sealed: u16) -> Option<u16> {
    FORMS.into_iter().find(|(_, form)| *form == sealed).map(|(plain, _)| plain)
}

impl Cryptex {
    /// By how many bytes an RTP packet may grow beside its tag: one of ours that has CSRCs and no extension gets an empty one.
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::Off | Self::Received => 0,
            Self::Negotiated | Self::Required => EXTENSION_HEADER_LEN,
        }
    }

    /// Whether a packet of ours is to be sealed so.
    pub(crate) fn seals(self, header: &Header) -> Result<bool, Refused> {
        let is_clear = header.csrcs_len == 0 && header.extension.is_none();
        match (self, header.extension) {
            (Self::Off, _) => Ok(false),
            // The peer would take it for what it is not.
            (_, Some(tag)) if opened(tag).is_some() => Err(Refused::Malformed),
            (Self::Received, _) => Ok(false),
            _ if is_clear => Ok(false),
            // RFC 9335 §5.1: "This mechanism MUST NOT be used with header extensions other than the …"
            (_, Some(tag)) if sealed(tag).is_none() => match self {
                Self::Required => Err(Refused::HeaderInClear),
                Self::Off | Self::Received | Self::Negotiated => Ok(false),
            },
            (Self::Negotiated | Self::Required, _) => Ok(true),
        }
    }

    /// Whether a packet of the peer's is sealed so.
    // RFC 9335 §5.2: "If the field does not match one of the values defined above, the implementation MUST instead handle it
    // according to the specification that defines that value."
    pub(crate) fn opens(self, header: &Header) -> Result<bool, Error> {
        let is_sealed = header.extension.is_some_and(|tag| opened(tag).is_some());
        let is_clear = header.csrcs_len > 0 || header.extension.is_some();
        match self {
            Self::Off => Ok(false),
            Self::Received | Self::Negotiated => Ok(is_sealed),
            // CSRCs without an extension are in the clear, too.
            // RFC 9335 §5.2: "Alternatively, if the implementation considers the use of this specification mandatory and the "defined by
            // profile" field does not match one of the values defined above, it MUST stop the processing of the RTP packet and report an
            // error for the RTP stream."
            Self::Required if !is_sealed && is_clear => Err(Error::HeaderInClear),
            Self::Required => Ok(is_sealed),
        }
    }
}

/// Makes a packet that lies from `start` on say that it is sealed so.
pub(crate) fn mark(out: &mut Vec<u8>, start: usize, header: &mut Header) -> Option<()> {
    let at = start.checked_add(header.csrcs_end())?;
    // RFC 9335 §5.1: "If the packet contains CSRCs but no header extensions, an empty extension block consisting of the 0xC0DE tag
    // and a 16-bit length field set to zero (explicitly permitted by [RFC3550]) MUST be appended, and the X bit MUST be set to 1 to
    // indicate an extension block is present."
    let Some(tag) = header.extension else {
        out.extend_from_slice(&[0; EXTENSION_HEADER_LEN]);
        out.get_mut(at..)?.rotate_right(EXTENSION_HEADER_LEN);
        *out.get_mut(start)? |= Header::EXTENSION;
        header.len += EXTENSION_HEADER_LEN;
        header.extension = Some(0xbede);
        return put(out.get_mut(at..)?, 0xc0de);
    };
    put(out.get_mut(at..)?, sealed(tag)?)
}

/// Makes a packet that was opened say no more that it is sealed so.
pub(crate) fn unmark(packet: &mut [u8], header: &Header) -> Option<()> {
    put(packet.get_mut(header.csrcs_end()..)?, opened(header.extension?)?)
}

fn put(extension: &mut [u8], tag: u16) -> Option<()> {
    *extension.first_chunk_mut()? = tag.to_be_bytes();
    Some(())
}

/// What of a packet a cipher only authenticates, and what it also encrypts.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// RFC 3711's: all of the header is only authenticated.
    Plain { header_len: usize },
    /// RFC 9335's: CSRCs are encrypted, and what is in the extension.
    Cryptex { csrcs_len: usize },
}

impl Layout {
    pub(crate) const fn new(header: &Header, is_cryptex: bool) -> Self {
        match is_cryptex {
            true => Self::Cryptex { csrcs_len: header.csrcs_len },
            false => Self::Plain { header_len: header.len },
        }
    }

    /// Gives the packet as a cipher takes it, and lays it out as before.
    ///
    // RFC 9335 §6.2: "Implementations can rearrange a packet so that the AAD and plaintext are contiguous by swapping the order of
    // the extension header and the CSRC identifiers"
    pub(crate) fn apply<R>(self, packet: &mut [u8], cipher: impl FnOnce(Portions<'_>) -> R) -> Option<R> {
        match self {
            Self::Plain { header_len } => {
                let (header, body) = packet.split_at_mut_checked(header_len)?;
                Some(cipher(Portions { header, body, csrcs_len: 0 }))
            }
            Self::Cryptex { csrcs_len } => {
                let swapped = FIXED_LEN..FIXED_LEN.checked_add(EXTENSION_HEADER_LEN)?.checked_add(csrcs_len)?;
                packet.get_mut(swapped.clone())?.rotate_right(EXTENSION_HEADER_LEN);
                let (header, body) = packet.split_at_mut_checked(FIXED_LEN + EXTENSION_HEADER_LEN)?;
                let result = cipher(Portions { header, body, csrcs_len });
                packet.get_mut(swapped)?.rotate_left(EXTENSION_HEADER_LEN);
                Some(result)
            }
        }
    }
}
