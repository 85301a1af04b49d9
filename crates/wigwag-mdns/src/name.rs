//! Names that hide an address (draft-ietf-mmusic-mdns-ice-candidates §3.1).
//!
//! The draft: "The unique name MUST consist of a version 4 UUID as defined in [RFC4122], followed by ".local"." And: "ICE agents
//! SHOULD NOT resolve mDNS names if they are not in the format defined" so: whoever could have any name looked up could have checks
//! sent to devices whose names everybody knows.

use crate::Error;
use std::fmt;
use std::str::FromStr;
use wigwag_sansio::Rng;

/// The domain of names that are of a link alone.
pub(crate) const DOMAIN: &[u8] = b"local";

/// The name of an address on a link: a UUID and `.local`, in lower case. What is not of this form is no such name.
///
/// ```
/// use wigwag_mdns::Name;
/// let name: Name = "1F4712DB-ea17-4bcf-a596-105139dfd8bf.local".parse()?;
/// assert_eq!(name.to_string(), "1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
/// assert!("printer.local".parse::<Name>().is_err());
/// # Ok::<(), wigwag_mdns::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; Name::LABEL_LEN]);

impl Name {
    /// 32 digits and four hyphens.
    pub(crate) const LABEL_LEN: usize = 36;

    /// A new name: a version 4 UUID (RFC 4122 §4.4), 122 random bits.
    pub fn random(rng: &mut Rng) -> Self {
        let number = u128::from_be_bytes(rng.bytes());
        let version = 0xf_u128 << 76;
        let variant = 0b11_u128 << 62;
        let number = number & !version & !variant | 0x4 << 76 | 0b10 << 62;
        let digits = format!("{number:032x}");
        let mut digits = digits.bytes();
        let mut label = [b'-'; Self::LABEL_LEN];
        for (at, byte) in label.iter_mut().enumerate() {
            if !is_hyphen(at) {
                *byte = digits.next().unwrap_or(b'0');
            }
        }
        Self(label)
    }

    /// The name whose first label this is, if it is a UUID, of whatever version: whoever has made it knows best.
    pub(crate) fn from_label(label: &[u8]) -> Option<Self> {
        let mut label: [u8; Self::LABEL_LEN] = label.try_into().ok()?;
        label.make_ascii_lowercase();
        let is_right = |(at, byte): (usize, &u8)| if is_hyphen(at) { *byte == b'-' } else { byte.is_ascii_hexdigit() };
        label.iter().enumerate().all(is_right).then_some(Self(label))
    }

    /// The bytes before `.local`.
    pub(crate) const fn label(&self) -> &[u8; Self::LABEL_LEN] {
        &self.0
    }
}

const fn is_hyphen(at: usize) -> bool {
    matches!(at, 8 | 13 | 18 | 23)
}

impl FromStr for Name {
    type Err = Error;

    /// # Errors
    /// [`Error::NotAName`]
    fn from_str(text: &str) -> Result<Self, Error> {
        let label = text.as_bytes().split_at_checked(Self::LABEL_LEN);
        let found = label.filter(|(_, rest)| rest.strip_prefix(b".").is_some_and(|it| it.eq_ignore_ascii_case(DOMAIN)));
        let shown = || text.chars().take(64).collect();
        found.and_then(|(label, _)| Self::from_label(label)).ok_or_else(|| Error::NotAName(shown()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))?;
        f.write_str(".local")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Seed;

    #[test]
    fn a_random_name_is_a_uuid_of_version_4_and_no_two_are_the_same() {
        let mut rng = Rng::new(Seed::for_test(1));
        let names: std::collections::BTreeSet<_> = (0..1000).map(|_| Name::random(&mut rng)).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            let text = name.to_string();
            assert_eq!(text.parse(), Ok(name));
            assert!(text.as_bytes()[14] == b'4' && b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_name() {
        let uuid = "1f4712db-ea17-4bcf-a596-105139dfd8bf";
        for text in [
            "printer.local".into(),
            uuid.into(),
            format!("{uuid}.local."),
            format!("{uuid}.locals"),
            format!("{uuid}.example"),
            format!("a.{uuid}.local"),
            format!("{uuid}.a.local"),
            format!("{}.local", uuid.replace('-', "0")),
            format!("{}.local", uuid.replace("db", "dg")),
            format!("{}.local", uuid.replace("db", "é")),
            format!("{uuid}\0local"),
            String::new(),
        ] {
            assert_eq!(text.parse::<Name>(), Err(Error::NotAName(text.clone())));
        }
    }

    #[test]
    fn a_long_text_is_not_repeated_in_an_error() {
        let Err(Error::NotAName(shown)) = "é".repeat(100_000).parse::<Name>() else { panic!("no name") };
        assert_eq!(shown.chars().count(), 64);
    }
}
