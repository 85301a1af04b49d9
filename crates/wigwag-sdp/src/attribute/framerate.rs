//! `a=framerate`: the most frames in a second (RFC 8866 §6.13).

use super::Value;
use crate::error::Expected;
use std::fmt;

/// The most frames in a second, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framerate(String);

impl Framerate {
    /// As a number.
    #[must_use]
    pub fn frames_per_second(&self) -> Option<f64> {
        self.0.parse().ok()
    }
}

impl Value for Framerate {
    fn parse(value: &str) -> Result<Self, Expected> {
        let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits(whole) && is_digits(fraction) {
            Ok(Self(value.to_owned()))
        } else {
            Err(Expected("framerate with a decimal number"))
        }
    }
}

impl fmt::Display for Framerate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
