//! Alerts (RFC 5246 §7.2).

use crate::codec::Reader;
use crate::error::DecodeError;
use std::fmt;

macro_rules! descriptions {
    ($($number:literal $name:ident $text:literal),* $(,)?) => {
        /// What an alert says (RFC 5246 §7.2, RFC 8446 §6).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the names are those of the RFC")]
        pub enum AlertDescription {
            $($name,)*
            /// A number that no name belongs to.
            Unknown(u8),
        }

        impl AlertDescription {
            /// The alert of this number.
            pub const fn from_wire(number: u8) -> Self {
                match number {
                    $($number => Self::$name,)*
                    number => Self::Unknown(number),
                }
            }

            /// The number in IANA's registry.
            pub const fn wire(self) -> u8 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Unknown(number) => number,
                }
            }
        }

        impl fmt::Display for AlertDescription {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Unknown(number) => write!(f, "alert {number}"),
                }
            }
        }
    };
}

descriptions! {
    0 CloseNotify "close_notify",
    10 UnexpectedMessage "unexpected_message",
    20 BadRecordMac "bad_record_mac",
    22 RecordOverflow "record_overflow",
    30 DecompressionFailure "decompression_failure",
    40 HandshakeFailure "handshake_failure",
    42 BadCertificate "bad_certificate",
    43 UnsupportedCertificate "unsupported_certificate",
    44 CertificateRevoked "certificate_revoked",
    45 CertificateExpired "certificate_expired",
    46 CertificateUnknown "certificate_unknown",
    47 IllegalParameter "illegal_parameter",
    48 UnknownCa "unknown_ca",
    49 AccessDenied "access_denied",
    50 DecodeError "decode_error",
    51 DecryptError "decrypt_error",
    70 ProtocolVersion "protocol_version",
    71 InsufficientSecurity "insufficient_security",
    80 InternalError "internal_error",
    86 InappropriateFallback "inappropriate_fallback",
    90 UserCanceled "user_canceled",
    100 NoRenegotiation "no_renegotiation",
    109 MissingExtension "missing_extension",
    110 UnsupportedExtension "unsupported_extension",
    116 CertificateRequired "certificate_required",
}

/// Level and description.
pub(crate) const ALERT_LEN: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertLevel {
    Warning,
    Fatal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) level: AlertLevel,
    pub(crate) description: AlertDescription,
}

impl Alert {
    pub(crate) const fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Fatal, description }
    }

    pub(crate) const fn warning(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Warning, description }
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let level = match reader.u8()? {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            _ => return Err(DecodeError),
        };
        let description = AlertDescription::from_wire(reader.u8()?);
        reader.end()?;
        Ok(Self { level, description })
    }

    pub(crate) const fn encode(self) -> [u8; ALERT_LEN] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.wire()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives() {
        for number in 0..=255 {
            for level in [1, 2] {
                let alert = Alert::decode(&[level, number]).unwrap();
                assert_eq!(alert.encode(), [level, number]);
            }
        }
    }

    #[test]
    fn an_alert_is_two_bytes_of_a_known_level() {
        for wrong in [&[][..], &[2], &[2, 40, 0], &[0, 40], &[3, 40]] {
            assert_eq!(Alert::decode(wrong), Err(DecodeError));
        }
    }
}
