//! REMB: how much the receiver believes it can take (draft-alvestrand-rmcat-remb-03 §2.2).

use crate::DecodeError;
use crate::read::Reader;

pub(super) const FORMAT: u8 = 15;

/// How much the receiver believes it can take.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverEstimate<'a> {
    /// For all sources together, in bits per second.
    pub bitrate_bps: u64,
    sources: &'a [u8],
}

impl<'a> ReceiverEstimate<'a> {
    /// `None` if this is another application-layer feedback message (RFC 4585 §6.4).
    pub(super) fn parse(mut body: Reader<'a>) -> Result<Option<Self>, DecodeError> {
        body.take(8)?;
        if body.array() != Ok(*b"REMB") {
            return Ok(None);
        }
        let (count, number) = (body.u8()?, body.u24()?);
        let (exponent, mantissa) = (number >> 18, u64::from(number & 0x3_ffff));
        // The exponent goes to 63: what does not fit is as much as can be said.
        let bitrate_bps = if mantissa.leading_zeros() >= exponent { mantissa << exponent } else { u64::MAX };
        Ok(Some(Self { bitrate_bps, sources: body.take(4 * usize::from(count))? }))
    }

    /// The sources.
    pub fn sources(&self) -> impl Iterator<Item = u32> + 'a {
        self.sources.as_chunks().0.iter().map(|ssrc| u32::from_be_bytes(*ssrc))
    }
}
