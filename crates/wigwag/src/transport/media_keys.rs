//! The keys of media, which many connections never use.

use crate::mapping;
use wigwag_dtls::SrtpKeys;
use wigwag_srtp::{Context, Cryptex};

/// What DTLS has exported, and from the first packet of media on what SRTP makes of it.
#[derive(Debug, Default)]
pub(crate) enum MediaKeys {
    /// No handshake has ended, or it agreed on no profile of ours.
    #[default]
    None,
    Exported(SrtpKeys),
    InUse(Box<Context>),
}

impl MediaKeys {
    pub(super) fn new(keys: Option<SrtpKeys>) -> Self {
        keys.filter(|keys| mapping::srtp_profile(keys.profile()).is_some()).map_or(Self::None, Self::Exported)
    }

    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) const fn is_unused(&self) -> bool {
        matches!(self, Self::Exported(_))
    }

    /// What protects media, made if it was not needed before, and what was agreed upon for headers.
    pub(super) fn context(&mut self, cryptex: Cryptex) -> Option<&mut Context> {
        if let Self::Exported(keys) = self {
            *self = mapping::srtp_context(keys).map_or(Self::None, |context| Self::InUse(Box::new(context)));
        }
        match self {
            Self::InUse(context) => {
                context.set_cryptex(cryptex);
                Some(context)
            }
            Self::None | Self::Exported(_) => None,
        }
    }

    /// What was counted; nothing before there are keys.
    pub(crate) fn stats(&self) -> Option<wigwag_srtp::Stats> {
        match self {
            Self::None => None,
            Self::Exported(_) => Some(wigwag_srtp::Stats::default()),
            Self::InUse(context) => Some(context.stats()),
        }
    }
}
