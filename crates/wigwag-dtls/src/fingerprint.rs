//! Fingerprints of certificates (RFC 8122 §5).

use crate::crypto::hash;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// A hash function that is trusted to tell certificates apart. The greater one is preferred.
///
/// RFC 8122 §5 forbids MD2 and MD5; SHA-1 and SHA-224 are not accepted either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashAlgorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The length of its output, in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Its name in a session description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }
}

/// The hash of a certificate's DER. Written as in a session description: `sha-256 12:DF:3E:…`.
///
/// ```
/// use wigwag_dtls::{Fingerprint, HashAlgorithm};
///
/// let text = "SHA-256 12:df:3e:5d:49:6b:19:e5:7c:ab:4a:ad:b9:b1:3f:82:18:3b:54:02:12:df:3e:5d:49:6b:19:e5:7c:ab:4a:ad";
/// let fingerprint: Fingerprint = text.parse()?;
/// assert_eq!(fingerprint.algorithm(), HashAlgorithm::Sha256);
/// assert_eq!(fingerprint.digest()[..2], [0x12, 0xDF]);
/// assert!(fingerprint.to_string().starts_with("sha-256 12:DF:3E:"));
/// # Ok::<(), wigwag_dtls::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    /// As many as the algorithm's length count, the others are zero.
    digest: [u8; 64],
}

impl Fingerprint {
    /// A fingerprint that was signalled.
    ///
    /// # Errors
    /// [`Error::InvalidFingerprint`] if the digest has not the length of the algorithm's.
    pub fn new(algorithm: HashAlgorithm, digest: &[u8]) -> Result<Self, Error> {
        if digest.len() != algorithm.digest_len() {
            return Err(Error::InvalidFingerprint);
        }
        let mut padded = [0; 64];
        for (to, from) in padded.iter_mut().zip(digest) {
            *to = *from;
        }
        Ok(Self { algorithm, digest: padded })
    }

    /// The fingerprint of a certificate in DER.
    pub fn of(algorithm: HashAlgorithm, der: &[u8]) -> Self {
        let mut digest = [0; 64];
        if let Some(digest) = digest.get_mut(..algorithm.digest_len()) {
            hash::digest(algorithm, der, digest);
        }
        Self { algorithm, digest }
    }

    /// The hash function.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash.
    pub fn digest(&self) -> &[u8] {
        self.digest.get(..self.algorithm.digest_len()).unwrap_or_default()
    }

    /// Whether it is that of this certificate; takes the same time for every answer.
    pub fn matches(&self, der: &[u8]) -> bool {
        *self == Self::of(self.algorithm, der)
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && crate::crypto::equal(&self.digest, &other.digest)
    }
}

impl Eq for Fingerprint {}

impl FromStr for Fingerprint {
    type Err = Error;

    // RFC 8122 §5: "fingerprint = 2UHEX *(":" 2UHEX)"
    // Old implementations write lower case, which is understood.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, digest) = text.split_once(' ').ok_or(Error::InvalidFingerprint)?;
        let algorithm = HashAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name));
        let algorithm = algorithm.ok_or(Error::InvalidFingerprint)?;
        let byte = |pair: &str| match pair.as_bytes() {
            [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        };
        let digest: Option<Vec<u8>> = digest.split(':').take(algorithm.digest_len() + 1).map(byte).collect();
        Self::new(algorithm, &digest.ok_or(Error::InvalidFingerprint)?)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        for (i, byte) in self.digest().iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2 appendix B.1, C.1 and D.1: the digests of "abc", by RFC 6234.
    const ABC: [&str; 3] = [
        "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD",
        "sha-384 CB:00:75:3F:45:A3:5E:8B:B5:A0:3D:69:9A:C6:50:07:27:2C:32:AB:0E:DE:D1:63:1A:8B:60:5A:43:FF:5B:ED:\
         80:86:07:2B:A1:E7:CC:23:58:BA:EC:A1:34:C8:25:A7",
        "sha-512 DD:AF:35:A1:93:61:7A:BA:CC:41:73:49:AE:20:41:31:12:E6:FA:4E:89:A9:7E:A2:0A:9E:EE:E6:4B:55:D3:9A:\
         21:92:99:2A:27:4F:C1:A8:36:BA:3C:23:A3:FE:EB:BD:45:4D:44:23:64:3C:E8:0E:2A:9A:C9:4F:A5:4C:A4:9F",
    ];

    #[test]
    fn is_the_hash_that_it_names_in_any_case() {
        for text in ABC {
            let fingerprint: Fingerprint = text.parse().unwrap();
            assert!(fingerprint.matches(b"abc") && !fingerprint.matches(b"abd"));
            assert_eq!(fingerprint.to_string(), text);
            assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
        }
    }

    #[test]
    fn one_wrong_nibble_does_not_match() {
        for (i, c) in ABC[0].char_indices().skip(8).filter(|(_, c)| *c != ':') {
            let mut text = ABC[0].to_owned();
            text.replace_range(i..=i, if c == '0' { "1" } else { "0" });
            assert!(!text.parse::<Fingerprint>().unwrap().matches(b"abc"));
        }
    }

    #[test]
    fn other_text_is_refused() {
        let long = format!("{}:00", ABC[0]);
        let wrong =
            ["", "sha-256", "sha-256 ", "sha-256 BA", "sha-1 A9:99", "md5 00", &ABC[0][..ABC[0].len() - 3], &long];
        for text in wrong.into_iter().chain([&*ABC[0].replace(':', ""), &*ABC[0].replace("BA", "+A")]) {
            assert_eq!(text.parse::<Fingerprint>(), Err(Error::InvalidFingerprint), "{text}");
        }
    }
}
