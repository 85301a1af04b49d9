//! What a layer of simulcast may be at most, as the peer says it (RFC 8851 §5).

use super::transceiver::NegotiatedCodec;
use wigwag_sdp::Rid;

/// A layer of simulcast that both sides know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedLayer {
    /// Its name.
    pub rid: String,
    /// What its packets may be: all that were negotiated in its direction, or those of them that the peer restricts it to.
    pub payload_types: Vec<u8>,
    /// What else the peer restricts it to: of a layer that we send, the encoder has to obey.
    pub restrictions: Restrictions,
}

/// What pictures of a layer may be at most (RFC 8851 §5). `None` of what the peer does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restrictions {
    /// In pixels (`max-width`).
    pub width_max: Option<u32>,
    /// In pixels (`max-height`).
    pub height_max: Option<u32>,
    /// Of width times height (`max-fs`).
    pub pixels_max: Option<u32>,
    /// (`max-fps`).
    pub frames_per_second_max: Option<u32>,
    /// Of all pictures of a second together (`max-pps`).
    pub pixels_per_second_max: Option<u64>,
    /// Of payloads, without any header (`max-br`).
    pub bits_per_second_max: Option<u64>,
    /// On an average of a picture (`max-bpp`, which has four digits behind the point).
    pub bits_per_10_000_pixels_max: Option<u32>,
}

impl Restrictions {
    /// And whether there is no other: `depend`, what others invented, or what is no number.
    pub(super) fn read(rid: &Rid) -> (Self, bool) {
        let mut read = Self::default();
        let mut is_whole = true;
        for (name, value) in rid.iter() {
            is_whole &= match name {
                "pt" => true,
                "max-width" => number(value, &mut read.width_max),
                "max-height" => number(value, &mut read.height_max),
                "max-fs" => number(value, &mut read.pixels_max),
                "max-fps" => number(value, &mut read.frames_per_second_max),
                "max-pps" => number(value, &mut read.pixels_per_second_max),
                "max-br" => number(value, &mut read.bits_per_second_max),
                "max-bpp" => bits_per_pixel(value, &mut read.bits_per_10_000_pixels_max),
                _ => false,
            };
        }
        (read, is_whole)
    }
}

/// Whether it is one, or nothing: RFC 8851 §10 has restrictions that are named without a value, and restrict nothing.
fn number<T: std::str::FromStr>(value: &str, into: &mut Option<T>) -> bool {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
    *into = value.parse().ok().filter(|_| is_plain);
    value.is_empty() || into.is_some()
}

/// RFC 8851 §5: no more than four digits behind the point.
fn bits_per_pixel(value: &str, into: &mut Option<u32>) -> bool {
    let (whole, behind) = value.split_once('.').unwrap_or((value, ""));
    let is_decimal = behind.len() <= 4 && behind.bytes().all(|byte| byte.is_ascii_digit());
    let digits = format!("{whole}{behind:0<4}");
    is_decimal && number(if value.is_empty() { "" } else { &digits }, into)
}

/// The payload types of those of `codecs` that a line restricts its layer to. `None` if it leaves none of them.
pub(super) fn payload_types<'a>(rid: &Rid, codecs: impl Iterator<Item = (&'a NegotiatedCodec, u8)>) -> Option<Vec<u8>> {
    let is_restricted = rid.iter().any(|(name, _)| name == "pt");
    let is_left = |named: u8| !is_restricted || rid.payload_types().any(|left| left == named);
    let left = codecs.filter(|(_, named)| is_left(*named)).map(|(codec, _)| codec.payload_type);
    let left: Vec<u8> = left.collect();
    (!left.is_empty()).then_some(left)
}
