//! The attributes of a session or section, in their order, and the questions asked of them.

use super::{
    Attribute, Candidate, Direction, Extmap, Fingerprint, Fmtp, IceOptions, Msid, RtcpFb, Rtpmap, SctpInit, Setup,
    Ssrc, SsrcGroup,
};
use crate::media::Format;
use std::ops::{Deref, DerefMut};

/// Attributes in their order: a `Vec`, with a question for each attribute that is asked for often.
///
/// Where an attribute should stand once and stands twice, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<Attribute>);

macro_rules! first {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $kind:ty = $value:ident => $read:expr;)*) => {
        impl Attributes {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Option<$kind> {
                self.iter().find_map(|attribute| match attribute {
                    Attribute::$variant($value) => Some($read),
                    _ => None,
                })
            }
        )*}
    };
}

first! {
    /// `a=mid`
    mid: Mid -> &str = mid => mid.as_str();
    /// `a=sendrecv` and its relatives.
    direction: Direction -> Direction = direction => *direction;
    /// `a=setup`
    setup: Setup -> Setup = setup => *setup;
    /// `a=ice-ufrag`
    ice_ufrag: IceUfrag -> &str = ufrag => ufrag.as_str();
    /// `a=ice-pwd`
    ice_pwd: IcePwd -> &str = pwd => pwd.0.as_str();
    /// `a=ice-options`
    ice_options: IceOptions -> &IceOptions = options => options;
    /// `a=sctp-port`
    sctp_port: SctpPort -> u16 = port => *port;
    /// `a=max-message-size`
    max_message_size: MaxMessageSize -> u64 = size => *size;
    /// `a=sctp-init`
    sctp_init: SctpInit -> &SctpInit = init => init;
    /// `a=tls-id`
    tls_id: TlsId -> &str = id => id.as_str();
}

macro_rules! every {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $kind:ty;)*) => {
        impl Attributes {$(
            $(#[$doc])*
            pub fn $name(&self) -> impl Iterator<Item = &$kind> {
                self.iter().filter_map(|attribute| match attribute {
                    Attribute::$variant(value) => Some(value),
                    _ => None,
                })
            }
        )*}
    };
}

every! {
    /// `a=extmap`
    extmaps: Extmap -> Extmap;
    /// `a=fingerprint`
    fingerprints: Fingerprint -> Fingerprint;
    /// `a=fmtp`
    fmtps: Fmtp -> Fmtp;
    /// `a=msid`
    msids: Msid -> Msid;
    /// `a=rtcp-fb`
    rtcp_fbs: RtcpFb -> RtcpFb;
    /// `a=rtpmap`
    rtpmaps: Rtpmap -> Rtpmap;
    /// `a=ssrc`
    ssrcs: Ssrc -> Ssrc;
    /// `a=ssrc-group`
    ssrc_groups: SsrcGroup -> SsrcGroup;
}

impl Attributes {
    /// `a=candidate`
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.iter().filter_map(|attribute| match attribute {
            Attribute::Candidate(candidate) => Some(&**candidate),
            _ => None,
        })
    }

    /// The codec of a payload type.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<&Rtpmap> {
        self.rtpmaps().find(|rtpmap| rtpmap.payload_type == payload_type)
    }

    /// The parameters of a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&Fmtp> {
        self.fmtps().find(|fmtp| fmtp.format == Format::PayloadType(payload_type))
    }
}

impl Deref for Attributes {
    type Target = Vec<Attribute>;

    fn deref(&self) -> &Vec<Attribute> {
        &self.0
    }
}

impl DerefMut for Attributes {
    fn deref_mut(&mut self) -> &mut Vec<Attribute> {
        &mut self.0
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<T: IntoIterator<Item = Attribute>>(attributes: T) -> Self {
        Self(attributes.into_iter().collect())
    }
}
