//! A media description: an `m=` line and what follows it (RFC 8866 §5.14).

use crate::address::Connection;
use crate::attribute::{Attribute, Attributes};
use crate::error::{Error, Expected};
use crate::fields::{Fields, number};
use crate::line::{Line, MAX_ATTRIBUTES, write_line};
use crate::session::Bandwidth;
use std::fmt;

/// A payload type, or the name of another format such as `webrtc-datachannel`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// An RTP payload type, 0 to 127 if the other side is right.
    PayloadType(u8),
    /// Any other word.
    Name(String),
}

impl Format {
    /// The payload type, if it is one.
    #[must_use]
    pub fn payload_type(&self) -> Option<u8> {
        match self {
            Self::PayloadType(number) => Some(*number),
            Self::Name(_) => None,
        }
    }

    pub(crate) fn parse(word: &str) -> Self {
        // A number that would be printed otherwise stays the word that it was.
        match number(word) {
            Some(number) if word == "0" || !word.starts_with('0') => Self::PayloadType(number),
            Some(_) | None => Self::Name(word.to_owned()),
        }
    }
}

impl From<u8> for Format {
    fn from(payload_type: u8) -> Self {
        Self::PayloadType(payload_type)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadType(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A media description (an "m-section").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video` or `application`.
    pub media: String,
    /// The port; 0 rejects the section, or asks to bundle it if `a=bundle-only` stands there.
    pub port: u16,
    /// How many ports, which only layered multicast says.
    pub port_count: Option<u16>,
    /// The transport, as `UDP/TLS/RTP/SAVPF` or `UDP/DTLS/SCTP`.
    pub protocol: String,
    /// What may be sent, the preferred first.
    pub formats: Vec<Format>,
    /// `i=`: a title.
    pub information: Option<String>,
    /// `c=`: the address of the default candidate.
    pub connections: Vec<Connection>,
    /// `b=`: limits of bandwidth.
    pub bandwidths: Vec<Bandwidth>,
    /// `k=`: an obsolete key, kept as it came.
    pub key: Option<String>,
    /// `a=`, in their order.
    pub attributes: Attributes,
}

impl MediaDescription {
    /// A section without formats, addresses and attributes.
    #[must_use]
    pub fn new(media: &str, port: u16, protocol: &str) -> Self {
        Self {
            media: media.to_owned(),
            port,
            port_count: None,
            protocol: protocol.to_owned(),
            formats: Vec::new(),
            information: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes: Attributes::default(),
        }
    }

    /// Whether the section is refused: its port is 0 and it does not ask to be bundled (RFC 9143 §6).
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.attributes.contains(&Attribute::BundleOnly)
    }

    pub(crate) fn parse(value: &str) -> Result<Self, Expected> {
        const EXPECTED: &str = "m= with a medium, a port, a transport and at least one format";
        let mut fields = Fields::new(value);
        let media = fields.word(EXPECTED)?;
        let port = fields.word(EXPECTED)?;
        let (port, port_count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(number(count).ok_or(Expected(EXPECTED))?)),
            None => (port, None),
        };
        let port = number(port).ok_or(Expected(EXPECTED))?;
        let mut section = Self { port_count, ..Self::new(media, port, fields.word(EXPECTED)?) };
        section.formats.push(Format::parse(fields.word(EXPECTED)?));
        section.formats.extend(std::iter::from_fn(|| fields.next()).map(Format::parse));
        Ok(section)
    }

    /// Takes a line that stands below the `m=` line. RFC 8866 orders them, but people insert `b=` anywhere.
    pub(crate) fn take(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let error = |expected| line.error(expected);
        match line.kind {
            'a' => take_attribute(&mut self.attributes, line)?,
            'c' if self.connections.len() < MAX_ATTRIBUTES => {
                self.connections.push(Connection::parse(line.value).map_err(error)?);
            }
            'b' if self.bandwidths.len() < MAX_ATTRIBUTES => {
                self.bandwidths.push(Bandwidth::parse(line.value).map_err(error)?);
            }
            'i' if self.information.is_none() => self.information = Some(line.value.to_owned()),
            'k' if self.key.is_none() => self.key = Some(line.value.to_owned()),
            _ => return Err(error(Expected("one of m=, i=, c=, b=, k=, a=, and i= and k= once only"))),
        }
        Ok(())
    }
}

pub(crate) fn take_attribute(attributes: &mut Attributes, line: &Line<'_>) -> Result<(), Error> {
    if attributes.len() >= MAX_ATTRIBUTES {
        return Err(line.error(Expected("at most 2048 attributes of the session and of each m=")));
    }
    attributes.push(Attribute::parse(line.value).map_err(|expected| line.error(expected))?);
    Ok(())
}

impl fmt::Display for MediaDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, 'm', MediaLine(self))?;
        self.information.iter().try_for_each(|title| write_line(f, 'i', title))?;
        self.connections.iter().try_for_each(|connection| write_line(f, 'c', connection))?;
        self.bandwidths.iter().try_for_each(|bandwidth| write_line(f, 'b', bandwidth))?;
        self.key.iter().try_for_each(|key| write_line(f, 'k', key))?;
        self.attributes.iter().try_for_each(|attribute| write_line(f, 'a', attribute))
    }
}

struct MediaLine<'a>(&'a MediaDescription);

impl fmt::Display for MediaLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = self.0;
        write!(f, "{} {}", section.media, section.port)?;
        section.port_count.iter().try_for_each(|count| write!(f, "/{count}"))?;
        write!(f, " {}", section.protocol)?;
        section.formats.iter().try_for_each(|format| write!(f, " {format}"))
    }
}
