//! A session description: text to values and back (RFC 8866).

use crate::address::Connection;
use crate::attribute::{Attribute, Attributes};
use crate::error::{Error, Expected};
use crate::fields::{Fields, number};
use crate::line::{Line, MAX_ATTRIBUTES, MAX_BYTES, MAX_MEDIA, lines, write_line};
use crate::media::{MediaDescription, take_attribute};
use std::fmt;
use std::str::FromStr;

/// `o=`: who made the description, and which version it is (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A name, or `-`.
    pub username: String,
    /// The session.
    pub session_id: u64,
    /// Grows with every change.
    pub session_version: u64,
    /// Where it was made; browsers hide it.
    pub connection: Connection,
}

impl Origin {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "o= with a name, a session number, a version number, IN, IP4 or IP6, and an address";
        let mut fields = Fields::new(value);
        let origin = Self {
            username: fields.word(EXPECTED)?.to_owned(),
            session_id: fields.number(EXPECTED)?,
            session_version: fields.number(EXPECTED)?,
            connection: Connection::read(&mut fields)?,
        };
        fields.end(EXPECTED)?;
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.session_id, self.session_version, self.connection)
    }
}

/// `t=` with its `r=` lines (RFC 8866 §5.9, §5.10): when the session takes place, 0 and 0 if that is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Seconds since 1900, or 0.
    pub start: u64,
    /// Seconds since 1900, or 0.
    pub stop: u64,
    /// The values of the `r=` lines, as they came.
    pub repeats: Vec<String>,
}

impl Timing {
    fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "t= with a start and a stop, in seconds";
        let mut fields = Fields::new(value);
        let timing = Self { start: fields.number(EXPECTED)?, stop: fields.number(EXPECTED)?, repeats: Vec::new() };
        fields.end(EXPECTED)?;
        Ok(timing)
    }
}

/// `b=`: a limit of bandwidth (RFC 8866 §5.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// `AS` in kilobits per second, `TIAS` in bits per second (RFC 3890), `CT` and others.
    pub kind: String,
    /// In the unit of the kind.
    pub value: u64,
}

impl Bandwidth {
    pub(crate) fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: Expected = Expected("b= with a kind, a colon and a number");
        let (kind, value) = value.split_once(':').ok_or(EXPECTED)?;
        Ok(Self { kind: kind.to_owned(), value: number(value.trim_end_matches(' ')).ok_or(EXPECTED)? })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}

/// A session description. Unknown attributes are kept as they came; printing ends lines with CR LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`
    pub origin: Origin,
    /// `s=`, by custom `-`.
    pub session_name: String,
    /// `i=`
    pub information: Option<String>,
    /// `u=`
    pub uri: Option<String>,
    /// `e=`
    pub emails: Vec<String>,
    /// `p=`
    pub phones: Vec<String>,
    /// `c=`
    pub connection: Option<Connection>,
    /// `b=`
    pub bandwidths: Vec<Bandwidth>,
    /// `t=` and `r=`, at least one in a right description.
    pub timings: Vec<Timing>,
    /// `z=`, kept as it came.
    pub zones: Option<String>,
    /// `k=`: an obsolete key, kept as it came.
    pub key: Option<String>,
    /// `a=` above the first `m=`, in their order.
    pub attributes: Attributes,
    /// The `m=` lines with what follows them.
    pub media: Vec<MediaDescription>,
}

impl SessionDescription {
    /// Gives back the memory that lists were given in case they grow: for a description that is kept.
    pub fn shrink_to_fit(&mut self) {
        self.attributes.shrink_to_fit();
        self.media.shrink_to_fit();
        for media in &mut self.media {
            media.attributes.shrink_to_fit();
            media.formats.shrink_to_fit();
        }
    }

    /// A description without sections and attributes, of no particular time.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            session_name: "-".to_owned(),
            information: None,
            uri: None,
            emails: Vec::new(),
            phones: Vec::new(),
            connection: None,
            bandwidths: Vec::new(),
            timings: vec![Timing::default()],
            zones: None,
            key: None,
            attributes: Attributes::default(),
            media: Vec::new(),
        }
    }

    /// Reads a description whose lines end with CR LF or LF.
    ///
    /// # Errors
    /// The first line that is wrong, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_bytes(text.as_bytes())
    }

    /// Reads a description from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// The first line that is wrong, and what was expected there.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::new(1, "", Expected("a description of at most 1048576 bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
        let mut lines = lines(text);
        let mut next = |kind, expected| match lines.next().transpose()? {
            Some(line) if line.kind == kind => Ok(line),
            Some(line) => Err(line.error(Expected(expected))),
            None => Err(end(text, expected)),
        };
        let version = next('v', "v=0")?;
        if version.value.trim_end_matches(' ') != "0" {
            return Err(version.error(Expected("v=0")));
        }
        let origin = next('o', "o=, the origin")?;
        let mut session = Self::new(Origin::parse(origin.value).map_err(|expected| origin.error(expected))?);
        session.session_name = next('s', "s=, the name of the session")?.value.to_owned();
        session.timings.clear();
        session.take_all(lines)?;
        if session.timings.is_empty() { Err(end(text, "t= before the end")) } else { Ok(session) }
    }

    fn take_all<'a>(&mut self, lines: impl Iterator<Item = Result<Line<'a>, Error>>) -> Result<(), Error> {
        let mut last = 's';
        for line in lines {
            let line = line?;
            match self.media.last_mut() {
                _ if line.kind == 'm' => self.take_media(&line)?,
                Some(section) => section.take(&line)?,
                None => {
                    in_order(last, line.kind).map_err(|expected| line.error(expected))?;
                    self.take(&line)?;
                    last = line.kind;
                }
            }
        }
        Ok(())
    }

    fn take_media(&mut self, line: &Line<'_>) -> Result<(), Error> {
        if self.media.len() >= MAX_MEDIA {
            return Err(line.error(Expected("at most 256 m= lines")));
        }
        self.media.push(MediaDescription::parse(line.value).map_err(|expected| line.error(expected))?);
        Ok(())
    }

    /// Takes a line above the first `m=`, whose order has been checked.
    fn take(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let error = |expected| line.error(expected);
        let text = || line.value.to_owned();
        match line.kind {
            'i' => self.information = Some(text()),
            'u' => self.uri = Some(text()),
            'e' if self.emails.len() < MAX_ATTRIBUTES => self.emails.push(text()),
            'p' if self.phones.len() < MAX_ATTRIBUTES => self.phones.push(text()),
            'c' => self.connection = Some(Connection::parse(line.value).map_err(error)?),
            'b' if self.bandwidths.len() < MAX_ATTRIBUTES => {
                self.bandwidths.push(Bandwidth::parse(line.value).map_err(error)?);
            }
            't' if self.timings.len() < MAX_ATTRIBUTES => {
                self.timings.push(Timing::parse(line.value).map_err(error)?);
            }
            'r' => match self.timings.last_mut() {
                Some(timing) if timing.repeats.len() < MAX_ATTRIBUTES => timing.repeats.push(text()),
                Some(_) | None => return Err(error(Expected("t= before r=, and at most 2048 r= after it"))),
            },
            'z' => self.zones = Some(text()),
            'k' => self.key = Some(text()),
            'a' => take_attribute(&mut self.attributes, line)?,
            _ => return Err(error(Expected("at most 2048 lines of a kind"))),
        }
        Ok(())
    }

    /// The section that `mid` names.
    #[must_use]
    pub fn section(&self, mid: &str) -> Option<&MediaDescription> {
        self.media.iter().find(|section| section.attributes.mid() == Some(mid))
    }

    /// The mids of the first `a=group:BUNDLE` (RFC 9143).
    pub fn bundled(&self) -> impl Iterator<Item = &str> {
        self.attributes
            .iter()
            .find_map(|attribute| match attribute {
                Attribute::Group(group) if group.semantics == "BUNDLE" => Some(group.mids.iter().map(String::as_str)),
                _ => None,
            })
            .into_iter()
            .flatten()
    }
}

/// RFC 8866 §5: "Some lines in each description are required and some are optional, but when present, they must appear
/// in exactly the order given here. (The fixed order greatly enhances error detection and allows for a simple parser)."
fn in_order(last: char, kind: char) -> Result<(), Expected> {
    const ORDER: &str = "vosiuepcbtrzka";
    let rank = |kind| ORDER.find(kind);
    let Some(new) = rank(kind) else {
        // RFC 8866 §5: "an SDP parser MUST completely ignore or reject any session description that contains a
        // type letter that it does not understand."
        return Err(Expected("one of the letters v o s i u e p c b t r z k a m"));
    };
    let follows = rank(last).is_some_and(|last| last < new);
    let repeats = kind == last && "epbtra".contains(kind);
    if follows || repeats || (last, kind) == ('r', 't') {
        Ok(())
    } else {
        Err(Expected("lines in the order v o s i u e p c b t r z k a m, each once but e p b t r a m"))
    }
}

fn end(text: &str, expected: &'static str) -> Error {
    Error::new(text.split('\n').count(), "", Expected(expected))
}

fn not_utf8(bytes: &[u8], valid: usize) -> Error {
    let (before, _) = bytes.split_at_checked(valid).unwrap_or_default();
    let text = std::str::from_utf8(before).unwrap_or_default();
    let found = text.rsplit('\n').next().unwrap_or_default();
    Error::new(text.split('\n').count(), found, Expected("UTF-8 after that"))
}

impl FromStr for SessionDescription {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, 'v', 0)?;
        write_line(f, 'o', &self.origin)?;
        write_line(f, 's', &self.session_name)?;
        self.information.iter().try_for_each(|text| write_line(f, 'i', text))?;
        self.uri.iter().try_for_each(|uri| write_line(f, 'u', uri))?;
        self.emails.iter().try_for_each(|email| write_line(f, 'e', email))?;
        self.phones.iter().try_for_each(|phone| write_line(f, 'p', phone))?;
        self.connection.iter().try_for_each(|connection| write_line(f, 'c', connection))?;
        self.bandwidths.iter().try_for_each(|bandwidth| write_line(f, 'b', bandwidth))?;
        for timing in &self.timings {
            write_line(f, 't', format_args!("{} {}", timing.start, timing.stop))?;
            timing.repeats.iter().try_for_each(|repeat| write_line(f, 'r', repeat))?;
        }
        self.zones.iter().try_for_each(|zones| write_line(f, 'z', zones))?;
        self.key.iter().try_for_each(|key| write_line(f, 'k', key))?;
        self.attributes.iter().try_for_each(|attribute| write_line(f, 'a', attribute))?;
        self.media.iter().try_for_each(|section| write!(f, "{section}"))
    }
}
