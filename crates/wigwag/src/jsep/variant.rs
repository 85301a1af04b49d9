//! Parameters (`a=fmtp`) that make one codec of a name another: those that both sides have to say the same of.

use super::h264;
use wigwag_sdp::{Fmtp, Format};

/// Such parameters, with their defaults: RFC 6184 §8.1, RFC 7798 §7.1, RFC 9628 §6.1, and the RTP payload format for AV1,
/// §7.2.
const VARIANTS: [(&str, &str, &str); 4] = [
    ("H264", "packetization-mode", "0"),
    ("H265", "profile-id", "1"),
    ("VP9", "profile-id", "0"),
    ("AV1", "profile", "0"),
];

fn is_h264(name: &str) -> bool {
    name.eq_ignore_ascii_case("H264")
}

/// Whether what they describe is what we know by this name.
pub(super) fn same(name: &str, ours: &str, theirs: &str) -> bool {
    let read = |parameters: &str| Fmtp { format: Format::PayloadType(0), parameters: parameters.to_owned() };
    let (ours, theirs) = (read(ours), read(theirs));
    let same = VARIANTS.iter().filter(|(codec, ..)| codec.eq_ignore_ascii_case(name)).all(|(_, parameter, default)| {
        ours.get(parameter).unwrap_or(default) == theirs.get(parameter).unwrap_or(default)
    });
    same && (!is_h264(name) || h264::same_profile(&ours, &theirs))
}

/// Our parameters beside theirs: the same as without them, but where an answer has to follow the offer.
pub(super) fn answered(name: &str, ours: &str, theirs: &str) -> String {
    if is_h264(name) { h264::answered(ours, theirs) } else { ours.to_owned() }
}
