//! Session descriptions.

use wigwag_sdp::{Candidate, SctpInit, SessionDescription};

/// What parses prints, and what was printed parses to the same.
pub fn sdp_session(data: &[u8]) {
    let Ok(session) = SessionDescription::parse_bytes(data) else { return };
    let text = session.to_string();
    assert_eq!(SessionDescription::parse(&text).as_ref(), Ok(&session), "{text}");
    for media in &session.media {
        let _ = media.is_rejected();
        if let Some(chunk) = media.attributes.sctp_init().and_then(SctpInit::chunk) {
            assert_eq!(media.attributes.sctp_init(), Some(&SctpInit::new(&chunk)), "{text}");
        }
        media.formats.iter().filter_map(|format| format.payload_type()).for_each(|payload_type| {
            let _ = (media.attributes.rtpmap(payload_type), media.attributes.fmtp(payload_type));
        });
    }
    let _ = session.bundled().filter_map(|mid| session.section(mid)).count();
}

/// As [`sdp_session`], for a candidate alone, as trickled.
pub fn sdp_candidate(data: &[u8]) {
    let Ok(candidate) = String::from_utf8_lossy(data).parse::<Candidate>() else { return };
    let text = candidate.to_string();
    assert_eq!(Candidate::parse(&text).as_ref(), Ok(&candidate), "{text}");
    candidate.extensions.iter().for_each(|(name, _)| assert!(candidate.extensions.get(name).is_some(), "{name}"));
}
