//! What a member of a dictionary can be, in JSON (RFC 8259).

use std::fmt::Write;
use std::time::Duration;

/// A value that a member can have. What is not known has none, and is left out.
pub(super) trait Member {
    /// Appends the value; `false` if there is none.
    fn write(&self, out: &mut String) -> bool;
}

impl<T: Member> Member for Option<T> {
    fn write(&self, out: &mut String) -> bool {
        self.as_ref().is_some_and(|value| value.write(out))
    }
}

macro_rules! as_displayed {
    ($($kind:ty),*) => {$(
        impl Member for $kind {
            fn write(&self, out: &mut String) -> bool {
                let _ = write!(out, "{self}");
                true
            }
        }
    )*};
}
as_displayed!(bool, u8, u16, u32, u64, i64);

impl Member for String {
    fn write(&self, out: &mut String) -> bool {
        quote(self, out);
        true
    }
}

impl Member for &'static str {
    fn write(&self, out: &mut String) -> bool {
        quote(self, out);
        true
    }
}

/// JSON has no other numbers than these.
impl Member for f64 {
    fn write(&self, out: &mut String) -> bool {
        if self.is_finite() {
            let _ = write!(out, "{self}");
        }
        self.is_finite()
    }
}

/// In seconds, as all durations of webrtc-stats are.
impl Member for Duration {
    fn write(&self, out: &mut String) -> bool {
        self.as_secs_f64().write(out)
    }
}

/// A moment: milliseconds since 1970 (W3C `DOMHighResTimeStamp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Timestamp(pub Duration);

impl Member for Timestamp {
    fn write(&self, out: &mut String) -> bool {
        (self.0.as_secs_f64() * 1000.0).write(out)
    }
}

/// RFC 8259 §7.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(member: &impl Member) -> Option<String> {
        let mut out = String::new();
        member.write(&mut out).then_some(out)
    }

    #[test]
    fn values_are_written_as_json_has_them() {
        let told = [
            json(&"a\"b\\c\n\u{1}é"),
            json(&Duration::from_millis(1_250)),
            json(&Timestamp(Duration::from_micros(1_700_000_000_123_456))),
            json(&-7_i64),
            json(&Some(true)),
            json(&0.000_000_1),
        ];
        let expected = ["\"a\\\"b\\\\c\\u000a\\u0001é\"", "1.25", "1700000000123.456", "-7", "true", "0.0000001"];
        assert_eq!(told.map(Option::unwrap), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert_eq!([json(&None::<u8>), json(&f64::NAN), json(&f64::INFINITY)], [None, None, None]);
    }
}
