//! What the caller may not ask for.

use super::Session;
use crate::config::{PayloadType, ReceiverConfig, RtxPayloadType, SenderConfig};
use crate::error::Error;
use crate::event::SenderId;

/// One-byte header extensions hold no more.
const IDENTIFIER_LEN_MAX: usize = 16;

impl Session {
    /// Whether the sources of a sender are free: of one that is there already, for itself.
    pub(super) fn check_sources(&self, config: &SenderConfig, id: Option<SenderId>) -> Result<(), Error> {
        let rtx = config.rtx.as_ref().map(|rtx| rtx.ssrc);
        if rtx == Some(config.ssrc) {
            return Err(Error::SsrcInUse(config.ssrc));
        }
        let used = [Some(config.ssrc), rtx].into_iter().flatten().find(|ssrc| self.is_ours(*ssrc, id));
        used.map_or(Ok(()), |ssrc| Err(Error::SsrcInUse(ssrc)))
    }

    /// Whether a sender has this source, but for that one.
    pub(super) fn is_ours(&self, ssrc: u32, but: Option<SenderId>) -> bool {
        [&self.by_ssrc, &self.by_rtx_ssrc].iter().any(|ids| ids.get(&ssrc).is_some_and(|id| Some(*id) != but))
    }

    /// A sender is described so from now on, or is gone, and was described otherwise, or was not there.
    pub(super) fn describe_sender(&mut self, id: SenderId, before: Option<Traits>, after: Option<Traits>) {
        let is_reported = |traits: Option<Traits>| usize::from(traits.is_some_and(|traits| traits.is_reported));
        self.reported_senders = self.reported_senders + is_reported(after) - is_reported(before);
        before.and_then(|traits| traits.rtx_ssrc).into_iter().for_each(|ssrc| _ = self.by_rtx_ssrc.remove(&ssrc));
        after.and_then(|traits| traits.rtx_ssrc).into_iter().for_each(|ssrc| _ = self.by_rtx_ssrc.insert(ssrc, id));
    }
}

/// What a session knows of its senders without looking at each.
#[derive(Clone, Copy)]
pub(super) struct Traits {
    /// Whether the peer reports when its packets arrive.
    is_reported: bool,
    rtx_ssrc: Option<u32>,
}

impl From<&SenderConfig> for Traits {
    fn from(config: &SenderConfig) -> Self {
        let rtx_ssrc = config.rtx.as_ref().map(|rtx| rtx.ssrc);
        Self { is_reported: config.is_reported(), rtx_ssrc }
    }
}

/// The configuration, without what cannot be written.
pub(super) fn checked(config: SenderConfig) -> Result<SenderConfig, Error> {
    let is_short = |identifier: &Option<String>| {
        identifier.as_ref().is_none_or(|identifier| (1..=IDENTIFIER_LEN_MAX).contains(&identifier.len()))
    };
    if !is_short(&config.mid) || !is_short(&config.rid) {
        return Err(Error::IdentifierLength);
    }
    check_payload_types(&config.payload_types)?;
    check_rtx(config.rtx.iter().flat_map(|rtx| &rtx.payload_types))?;
    let mut extensions = config.extensions.distinct();
    extensions.transport_cc = extensions.transport_cc.filter(|_| !config.ccfb);
    Ok(SenderConfig { extensions, ..config })
}

fn check_payload_types(payload_types: &[PayloadType]) -> Result<(), Error> {
    let is_impossible = |payload_type: &&PayloadType| payload_type.number > 127 || payload_type.clock_rate_hz == 0;
    payload_types.iter().find(is_impossible).map_or(Ok(()), |payload_type| Err(Error::PayloadType(payload_type.number)))
}

fn check_rtx<'a>(mut payload_types: impl Iterator<Item = &'a RtxPayloadType>) -> Result<(), Error> {
    let impossible = payload_types.find(|rtx| rtx.number > 127);
    impossible.map_or(Ok(()), |rtx| Err(Error::PayloadType(rtx.number)))
}

/// Whether what a media section describes can be.
pub(super) fn check_receiver(config: &ReceiverConfig) -> Result<(), Error> {
    check_payload_types(&config.payload_types)?;
    check_rtx(config.rtx.iter())
}
