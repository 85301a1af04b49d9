//! Lines `x=value`, their limits, and a writer that cannot be made to write one more (RFC 8866 §5, §9).

use crate::error::{Error, Expected};
use std::fmt::{self, Write};

/// The longest description that is read, in bytes: 256 sections of 4 KiB, what the codecs of a browser's video take.
pub const MAX_BYTES: usize = 1 << 20;
/// The longest line that is read, in bytes: an identity assertion (RFC 8827 §7.4) is the longest in use, a few KiB.
pub const MAX_LINE_BYTES: usize = 16 << 10;
/// The most `m=` lines that are read: a conference of a hundred people with picture and sound has 201.
pub const MAX_MEDIA: usize = 256;
/// The most attributes that are read, of the session and of each `m=` line: browsers send 200 with every codec.
pub const MAX_ATTRIBUTES: usize = 2048;

/// One line: its number from 1, its letter and what follows the equals sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) kind: char,
    pub(crate) value: &'a str,
}

impl Line<'_> {
    pub(crate) fn error(&self, expected: Expected) -> Error {
        Error::new(self.number, self.text, expected)
    }
}

/// The lines of a text, which may end with LF or CR LF; empty lines are left out.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Result<Line<'_>, Error>> {
    // RFC 8866 §5: "The sequence CRLF (0x0d0a) is used to end a line, although parsers SHOULD be tolerant and also
    // accept lines terminated with a single newline character."
    text.split('\n')
        .zip(1..)
        .map(|(line, number)| (line.strip_suffix('\r').unwrap_or(line), number))
        .filter(|(line, _)| !line.is_empty())
        .map(|(text, number)| {
            split(text).map_err(|expected| Error::new(number, text, expected)).map(|(kind, value)| Line {
                number,
                text,
                kind,
                value,
            })
        })
}

fn split(text: &str) -> Result<(char, &str), Expected> {
    if text.len() > MAX_LINE_BYTES {
        return Err(Expected("a line of at most 16384 bytes"));
    }
    // RFC 8866 §9: "any byte except NUL, CR, or LF"
    if has(text, |byte| byte == 0 || byte == b'\r') {
        return Err(Expected("a line without NUL and without CR but at its end"));
    }
    // RFC 8866 §5: "Whitespace separators are not used on either side of the '=' sign, however, the value can contain a
    // leading whitespace as part of its syntax"
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(kind), Some('=')) => Ok((kind, chars.as_str())),
        _ => Err(Expected("a line of the form x=value")),
    }
}

/// Whether a byte is such a one. All are looked at, for that goes many at a time.
fn has(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is(byte))
}

/// Writes `x=value` and CR LF.
///
/// A value given by somebody who builds a description cannot end its line: NUL, CR and LF are left out, or a track's
/// name could add an attribute.
pub(crate) fn write_line(f: &mut fmt::Formatter<'_>, kind: char, value: impl fmt::Display) -> fmt::Result {
    write!(f, "{kind}=")?;
    write!(OneLine(f), "{value}")?;
    f.write_str("\r\n")
}

struct OneLine<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !has(text, |byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return self.0.write_str(text);
        }
        text.split(['\0', '\r', '\n']).try_for_each(|part| self.0.write_str(part))
    }
}
