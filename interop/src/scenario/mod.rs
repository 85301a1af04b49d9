//! What is tried with every browser, in both roles: one scenario a file.

mod attributes;
mod buffered;
mod churn;
mod close_by_browser;
mod close_by_wigwag;
mod conference;
mod consent;
mod cryptex;
mod dtls_roles;
mod frames;
mod hello_retry;
mod largest;
mod layers;
mod lossy;
mod media;
mod modes;
mod names_hidden;
mod narrow_path;
mod negotiated;
mod network_change;
mod relayed;
mod relayed_by_wigwag;
mod reports_by_stream;
mod restart;
mod retransmission;
mod simulcast;
mod sizes;
mod streams;
mod temporal_layers;
mod thousand_channels;
mod trickle;
mod unreliable;

use crate::browser::{Browser, Options};
use crate::call::Role;
use anyhow::Result;
use std::path::Path;

/// What a scenario is given.
pub(crate) struct Stage<'a> {
    pub(crate) browser: &'a mut dyn Browser,
    /// The URL of the page.
    pub(crate) page: &'a str,
    pub(crate) role: Role,
    /// The wigwag program, where a scenario needs it.
    pub(crate) program: Option<&'a Path>,
}

/// A thing that must work.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether it needs media, which is not asked of every browser.
    pub(crate) has_media: bool,
    /// Whether that media is asked of Firefox as well.
    pub(crate) has_media_in_firefox: bool,
    /// How the browser is started.
    pub(crate) options: Options,
    /// The one browser that does this, if it is not all of them.
    pub(crate) only: Option<&'static str>,
    /// Whether it is part of the short run.
    pub(crate) is_smoke: bool,
    /// Whether it takes too long for every change.
    pub(crate) is_long: bool,
    /// Whether it does little but wait, so that others can go on beside it.
    pub(crate) is_quiet: bool,
    /// Whether it needs other people's TURN server.
    pub(crate) needs_coturn: bool,
    /// Whether it needs the wigwag program.
    pub(crate) needs_program: bool,
    pub(crate) run: fn(&mut Stage<'_>) -> Result<String>,
}

const fn data(name: &'static str, run: fn(&mut Stage<'_>) -> Result<String>) -> Scenario {
    let (has_media, has_media_in_firefox, needs_coturn, needs_program) = (false, false, false, false);
    let (is_smoke, is_long, is_quiet) = (false, false, false);
    let (options, only) = (Options::USUAL, None);
    Scenario {
        name,
        has_media,
        has_media_in_firefox,
        options,
        only,
        is_smoke,
        is_long,
        is_quiet,
        needs_coturn,
        needs_program,
        run,
    }
}

/// What every browser is asked for.
const fn of_all(name: &'static str, run: fn(&mut Stage<'_>) -> Result<String>) -> Scenario {
    Scenario { has_media: true, has_media_in_firefox: true, ..data(name, run) }
}

/// All of them. Those that need another browser come last.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { is_smoke: true, ..data("messages of 0, 1, 1,200 and 65,536 bytes", sizes::run) },
    data("the largest message, and one byte more", largest::run),
    data("sixteen messages of 262,144 bytes at once", largest::at_once),
    data("unordered and unreliable", unreliable::run),
    data("every mode, opened by either side, with the largest message", modes::run),
    data("every mode through a loss of 20 %", lossy::run),
    data("a thousand channels, twice, closed by either side and by both", thousand_channels::run),
    Scenario {
        is_long: true,
        ..data("a thousand channels, twice, and what is held at rest", thousand_channels::at_rest)
    },
    data("label, protocol and reliability seen by the peer", attributes::run),
    data("negotiated channels in every mode", negotiated::run),
    data("bufferedAmount and its low threshold", buffered::run),
    data("channels closed from alternating sides, ids used again", churn::run),
    data("trickled candidates", trickle::run),
    data("DTLS active", dtls_roles::active),
    data("DTLS passive", dtls_roles::passive),
    data("DTLS 1.2 active", dtls_roles::active_12),
    data("DTLS 1.2 passive", dtls_roles::passive_12),
    data("the browser closes", close_by_browser::run),
    data("wigwag closes", close_by_wigwag::run),
    data("ICE restarted by the browser", restart::by_browser),
    data("ICE restarted by wigwag", restart::by_wigwag),
    Scenario {
        only: Some("chromium"),
        ..data("network change, from one address to the next", network_change::handover)
    },
    Scenario { only: Some("chromium"), ..data("network change, with no address for 2 s", network_change::gap) },
    data("network change, and ICE restarted by wigwag", network_change::wigwag_restarts),
    data("network change, and ICE restarted by the browser", network_change::browser_restarts),
    // Behind those that take the addresses away from under everybody.
    Scenario { is_quiet: true, ..data("consent lost and found", consent::run) },
    Scenario { needs_coturn: true, ..data("relayed by coturn", relayed::data) },
    Scenario { needs_coturn: true, ..data("relayed by coturn over TCP", relayed::data_over_tcp) },
    Scenario { needs_coturn: true, ..data("relayed by coturn over TLS", relayed::data_over_tls) },
    Scenario { needs_coturn: true, ..data("relayed by coturn on either side", relayed::both) },
    Scenario {
        needs_coturn: true,
        ..data("relayed by coturn over TLS: wrong certificates", relayed::wrong_certificates)
    },
    Scenario {
        needs_coturn: true,
        ..data("relayed by coturn: a wrong password, and the end", relayed::refused_and_released)
    },
    Scenario { needs_coturn: true, has_media: true, ..data("Opus and VP8 relayed by coturn", relayed::media) },
    Scenario {
        needs_coturn: true,
        has_media: true,
        ..data("Opus and VP8 relayed by coturn over TCP", relayed::media_over_tcp)
    },
    Scenario {
        needs_coturn: true,
        has_media: true,
        ..data("Opus and VP8 relayed by coturn over TLS", relayed::media_over_tls)
    },
    Scenario {
        needs_program: true,
        ..data("the browser relayed by wigwag's server, over UDP and TCP", relayed_by_wigwag::run)
    },
    data("over TCP alone", streams::data),
    Scenario { has_media: true, ..data("Opus and VP8 over TCP alone", streams::media) },
    Scenario { has_media: true, ..data("Opus and VP8 through a restart from either side", restart::with_media) },
    Scenario { has_media: true, is_smoke: true, ..data("Opus and VP8 echoed", media::both) },
    Scenario { has_media: true, ..data("Opus and VP8 echoed over DTLS 1.2", media::over_dtls_12) },
    Scenario { has_media: true, ..data("Opus alone", media::audio) },
    Scenario { has_media: true, ..data("VP8 alone", media::video) },
    of_all("lost pictures come again in a stream of their own", retransmission::run),
    Scenario { is_long: true, ..of_all("pictures on a path that becomes narrow and wide again", narrow_path::run) },
    of_all("frames of VP8 echoed", frames::vp8),
    Scenario { has_media: true, ..data("frames of H.264 echoed", frames::h264) },
    Scenario { has_media: true, ..data("frames of H.264 echoed, a NAL unit in each packet", frames::h264_single) },
    of_all("frames of VP9 echoed", frames::vp9),
    of_all("frames of AV1 echoed", frames::av1),
    of_all("frames of Opus echoed", frames::opus),
    of_all("frames of PCMU echoed", frames::pcmu),
    of_all("frames of PCMA echoed", frames::pcma),
    of_all("frames of G.722 echoed", frames::g722),
    of_all("keys of a telephone, pressed in the browser", frames::keys),
    Scenario {
        has_media: true,
        ..data("a conference of three pages through a server, one goes and another comes", conference::run)
    },
    Scenario { has_media: true, ..data("layers on a path that loses, offered and asked for", layers::run) },
    Scenario {
        only: Some("chromium"),
        has_media: true,
        options: Options::TELLS_LAYERS,
        ..data("temporal layers told by the browser, the lowest forwarded and then all", temporal_layers::run)
    },
    of_all("a camera in two sizes, and the one that the path takes", simulcast::run),
    Scenario {
        only: Some("firefox"),
        options: Options::WITHHOLDS_SHARE,
        ..data("a share that is asked for: HelloRetryRequest", hello_retry::run)
    },
    Scenario {
        has_media: true,
        only: Some("chromium"),
        options: Options::ENCRYPTS_HEADERS,
        ..data("Opus and VP8 whose headers are encrypted (cryptex)", cryptex::run)
    },
    Scenario {
        has_media: true,
        only: Some("chromium"),
        options: Options::REPORTS_BY_STREAM,
        ..data("Opus and VP8 whose arrivals are reported by stream (RFC 8888)", reports_by_stream::echoed)
    },
    Scenario {
        has_media: true,
        is_long: true,
        only: Some("chromium"),
        options: Options::REPORTS_BY_STREAM,
        ..data("pictures on a path that becomes narrow, reported by stream (RFC 8888)", reports_by_stream::narrow)
    },
    Scenario { options: Options::HIDES_ADDRESSES, ..data("names hidden by mDNS", names_hidden::run) },
    Scenario {
        options: Options::HIDES_ADDRESSES,
        ..data("names hidden by mDNS, resolved by wigwag, which alone knows where to", names_hidden::reached)
    },
    Scenario {
        options: Options::HIDES_ADDRESSES,
        ..data("names hidden by mDNS, on both sides", names_hidden::by_both)
    },
    Scenario {
        options: Options::HIDES_ADDRESSES,
        ..data("names hidden by mDNS, resolved by the browser, which alone knows where to", names_hidden::by_wigwag)
    },
];
