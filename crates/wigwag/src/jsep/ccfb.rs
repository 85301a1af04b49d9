//! In which way arrivals are reported (RFC 8888 §6): `a=rtcp-fb:* ack ccfb`, or `transport-cc`, one of them for all that is bundled.

use super::codecs::known;
use super::config::{Config, HeaderExtension};
use super::view::View;
use std::collections::BTreeSet;
use wigwag_sdp::{Feedback, SessionDescription};

/// Whether all sections of sound and pictures that live say it of all payload types that are ours, and there is one.
// RFC 8888 §6: "The payload type used with "ccfb" feedback MUST be the wildcard type ("*")."
// Chromium 156 names each payload type all the same, so it is read both ways.
pub(super) fn is_said(config: &Config, session: &SessionDescription, lives: impl Fn(usize) -> bool) -> bool {
    let media = View::all(session).enumerate().filter(|(index, view)| lives(*index) && view.kind().is_some());
    let mut media = media.map(|(_, view)| says(config, view)).peekable();
    media.peek().is_some() && media.all(|says| says)
}

fn says(config: &Config, view: View<'_>) -> bool {
    let lines = view.section.attributes.rtcp_fbs().filter(|line| line.feedback == Feedback::AckCcfb);
    let payload_types: BTreeSet<_> = lines.map(|line| line.payload_type).collect();
    let is_said = |payload_type: u8| payload_types.contains(&Some(payload_type));
    payload_types.contains(&None) || known(config, view).iter().all(|codec| is_said(codec.payload_type))
}

/// What is not said, or not meant, where it was agreed upon.
pub(super) fn replaces(feedback: &Feedback) -> bool {
    *feedback == Feedback::TransportCc
}

/// The same of header extensions.
pub(super) fn replaces_extension(uri: &str) -> bool {
    uri == HeaderExtension::TRANSPORT_CC
}
