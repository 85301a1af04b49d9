//! What the hellos of DTLS 1.3 say (RFC 8446 §4.1, §4.2, RFC 9147 §5.3, §5.4).

use crate::alert::AlertDescription;
use crate::crypto::hash;
use crate::crypto::signature::SignatureScheme;
use crate::handshake::Failure;
use crate::handshake::first_flight::Retry;
use crate::handshake::hello::{NO_COMPRESSION, Random};
use crate::message::extension::key_share::{self, Share};
use crate::message::extension::{
    Extensions, certificate_authorities, cookie, early_data, ec_point_formats, extended_master_secret, padding,
    pre_shared_key, psk_key_exchange_modes, put, renegotiation_info, signature_algorithms, supported_groups,
    supported_versions, use_srtp,
};
use crate::message::{ClientHello, EncryptedExtensions, ServerHello};
use crate::{CipherSuite, Config, Group, HashAlgorithm, SrtpProfile, Version};

/// RFC 8446 §4.1.3: "the Random value in the ServerHello … set to the special value of the SHA-256 of "HelloRetryRequest""
pub(crate) const RETRY_RANDOM: Random = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11,
    0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

pub(super) const fn illegal(why: &'static str) -> Failure {
    Failure::refused(AlertDescription::IllegalParameter, why)
}

pub(crate) const fn missing(why: &'static str) -> Failure {
    Failure::refused(AlertDescription::MissingExtension, why)
}

/// What the server chooses of what the client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection<'a> {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) group: Group,
    /// What the client told for this group, if it did.
    pub(crate) share: Option<&'a [u8]>,
    /// It told nothing for any other.
    pub(crate) is_only_share: bool,
    pub(crate) signature_scheme: SignatureScheme,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) takes_tickets: bool,
}

impl<'a> Selection<'a> {
    /// A server's choice, by its own preferences.
    pub(crate) fn new(hello: &ClientHello<'a>, config: &Config) -> Result<Self, Failure> {
        let extensions = hello.extensions;
        // RFC 9147 §5.3: "If a DTLS 1.3 ClientHello is received with any other value in this field, the server MUST abort the
        // handshake with an "illegal_parameter" alert."
        if !hello.cookie.is_empty() {
            return Err(illegal("a cookie of 1.2 in a hello of 1.3"));
        }
        // RFC 8446 §4.1.2: "For every TLS 1.3 ClientHello, this vector MUST contain exactly one byte, set to zero"
        if hello.compression_methods != [NO_COMPRESSION] {
            return Err(illegal("compression is offered"));
        }
        let failure = |why| Failure::refused(AlertDescription::HandshakeFailure, why);
        let cipher_suite = config.suites(Version::Dtls13).find(|suite| hello.cipher_suites.contains(suite.wire()));
        let cipher_suite = cipher_suite.ok_or(failure("no cipher suite is common"))?;

        let groups = extensions.get(supported_groups::NUMBER, supported_groups::decode)?;
        let groups = groups.ok_or(missing("no groups are offered"))?;
        let shares = extensions.get(key_share::NUMBER, key_share::decode_client)?;
        let shares = shares.ok_or(missing("no key share, not even none, is offered"))?;
        check_shares(&shares)?;
        let group = config.groups(Version::Dtls13).find(|group| groups.contains(group.wire()));
        let group = group.ok_or(failure("no group is common"))?;
        let share = shares.iter().find(|share| share.group == group.wire()).map(|share| share.key_exchange);

        let schemes = extensions.get(signature_algorithms::NUMBER, signature_algorithms::decode)?;
        let schemes = schemes.ok_or(missing("no signature algorithms are offered"))?;
        let signature_scheme = config.certificate.key().choose(Version::Dtls13, schemes);
        let signature_scheme = signature_scheme.ok_or(failure("no signature algorithm is common"))?;
        check_pre_shared_key(extensions)?;
        extensions.get(certificate_authorities::NUMBER, certificate_authorities::decode)?;
        let use_srtp = extensions.get(use_srtp::NUMBER, use_srtp::decode)?;
        let is_offered = |profile: &SrtpProfile| use_srtp.is_some_and(|offer| offer.profiles.contains(profile.wire()));
        let srtp_profile = config.srtp_profiles.iter().copied().find(is_offered);
        let cookie = extensions.get(cookie::NUMBER, cookie::decode)?;
        let is_only_share = share.is_some() && shares.len() == 1;
        let takes_tickets = extensions.get(psk_key_exchange_modes::NUMBER, psk_key_exchange_modes::decode)?;
        let takes_tickets = takes_tickets.unwrap_or(false);
        Ok(Self { cipher_suite, group, share, is_only_share, signature_scheme, srtp_profile, cookie, takes_tickets })
    }

    /// Writes the body of a ServerHello. There is no session to come back to.
    ///
    /// RFC 9147 §5: "DTLS servers MUST NOT echo the "legacy_session_id" value from the client"
    pub(crate) fn write_server_hello(&self, random: Random, share: &[u8], out: &mut Vec<u8>) {
        let mut extensions = Vec::new();
        supported_versions::encode_server(Version::Dtls13, &mut extensions);
        key_share::encode_server(&Share { group: self.group.wire(), key_exchange: share }, &mut extensions);
        write_hello(random, self.cipher_suite, &extensions, out);
    }

    /// Writes the body of EncryptedExtensions.
    pub(crate) fn write_encrypted_extensions(&self, out: &mut Vec<u8>) {
        let mut extensions = Vec::new();
        if let Some(profile) = self.srtp_profile {
            // Without an MKI, whatever was offered (RFC 5764 §4.1.3, RFC 8827 §6.5).
            use_srtp::encode(&[profile], &mut extensions);
        }
        EncryptedExtensions { extensions: Extensions::written(&extensions) }.encode(out);
    }
}

/// Writes the body of a HelloRetryRequest (RFC 8446 §4.1.4).
pub(crate) fn write_retry(retry: &Retry, cookie: Option<&[u8]>, out: &mut Vec<u8>) {
    let mut extensions = Vec::new();
    supported_versions::encode_server(Version::Dtls13, &mut extensions);
    if let Some(group) = retry.group {
        key_share::encode_retry(group, &mut extensions);
    }
    if let Some(cookie) = cookie {
        cookie::encode(cookie, &mut extensions);
    }
    write_hello(RETRY_RANDOM, retry.cipher_suite, &extensions, out);
}

fn write_hello(random: Random, cipher_suite: CipherSuite, extensions: &[u8], out: &mut Vec<u8>) {
    let hello = ServerHello {
        // RFC 9147 §5.4: "the legacy_version field is set to 0xfefd, indicating DTLS 1.2."
        version: Version::Dtls12.wire(),
        random,
        session_id: &[],
        cipher_suite: cipher_suite.wire(),
        compression_method: NO_COMPRESSION,
        extensions: Extensions::written(extensions),
    };
    hello.encode(out);
}

fn check_shares(shares: &[Share<'_>]) -> Result<(), Failure> {
    let mut groups: Vec<u16> = shares.iter().map(|share| share.group).collect();
    groups.sort_unstable();
    let is_double = groups.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    if is_double { Err(illegal("two key shares of one group")) } else { Ok(()) }
}

/// There are no sessions to come back to, but one that is asked for in a wrong way is a mistake all the same.
///
/// RFC 8446 §4.2.11: "The "pre_shared_key" extension MUST be the last extension in the ClientHello … Servers MUST check that it
/// is the last extension and otherwise fail the handshake with an "illegal_parameter" alert."
///
/// RFC 8446 §4.2.9: "If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers MUST abort the
/// handshake."
fn check_pre_shared_key(extensions: Extensions<'_>) -> Result<(), Failure> {
    if extensions.find(pre_shared_key::NUMBER).is_none() {
        return Ok(());
    }
    if extensions.iter().last().is_some_and(|(number, _)| number != pre_shared_key::NUMBER) {
        return Err(illegal("a pre-shared key is not the last that is offered"));
    }
    let modes = extensions.find(psk_key_exchange_modes::NUMBER);
    modes.map(|_| ()).ok_or(missing("a pre-shared key is offered without its modes"))
}

/// A hash of what of a ClientHello must be the same in the one after a HelloRetryRequest.
///
/// RFC 8446 §4.1.2: "In that case, the client MUST send the same ClientHello without modification, except as follows": its
/// shares, early data, cookie, pre-shared keys, and padding.
pub(crate) fn unchanging(hello: &ClientHello<'_>) -> Vec<u8> {
    const CHANGING: [u16; 5] =
        [key_share::NUMBER, early_data::NUMBER, cookie::NUMBER, pre_shared_key::NUMBER, padding::NUMBER];
    let mut bytes = Vec::new();
    hello.encode_parameters(&mut bytes);
    for (number, data) in hello.extensions.iter().filter(|(number, _)| !CHANGING.contains(number)) {
        put(&mut bytes, number, |out| out.extend_from_slice(data));
    }
    hash::hash(HashAlgorithm::Sha256, &bytes)
}

/// What a server answers, be it a ServerHello or a HelloRetryRequest.
pub(crate) struct Answer {
    pub(crate) cipher_suite: CipherSuite,
}

impl Answer {
    /// `expected` are the extensions that this message may have.
    pub(crate) fn new(hello: &ServerHello<'_>, expected: &[u16], config: &Config) -> Result<Self, Failure> {
        if hello.version != Version::Dtls12.wire() {
            return Err(illegal("the server says another version than it chose"));
        }
        if !hello.session_id.is_empty() {
            return Err(illegal("the server comes back to a session that there was not"));
        }
        if hello.compression_method != NO_COMPRESSION {
            return Err(illegal("the server chose compression"));
        }
        let cipher_suite = config.suites(Version::Dtls13).find(|suite| suite.wire() == hello.cipher_suite);
        let cipher_suite = cipher_suite.ok_or(illegal("the server chose a cipher suite not offered"))?;
        check_extensions(hello.extensions, expected, config)?;
        Ok(Self { cipher_suite })
    }
}

/// Whether a CertificateRequest has nothing that we know from other messages (RFC 8446 §4.2, the table).
pub(super) fn check_certificate_request(extensions: Extensions<'_>) -> Result<(), Failure> {
    const ELSEWHERE: [u16; 9] = [
        cookie::NUMBER,
        early_data::NUMBER,
        key_share::NUMBER,
        padding::NUMBER,
        pre_shared_key::NUMBER,
        psk_key_exchange_modes::NUMBER,
        supported_groups::NUMBER,
        supported_versions::NUMBER,
        use_srtp::NUMBER,
    ];
    match extensions.iter().any(|(number, _)| ELSEWHERE.contains(&number)) {
        true => Err(illegal("the server sent an extension where it does not belong")),
        false => Ok(()),
    }
}

/// Whether a message of the server has no other extensions than it may have.
///
/// RFC 8446 §4.2: "Implementations MUST NOT send extension responses if the remote endpoint did not send the corresponding
/// extension requests, with the exception of the "cookie" extension in the HelloRetryRequest. Upon receiving such an
/// extension, an endpoint MUST abort the handshake with an "unsupported_extension" alert. … If an implementation receives an
/// extension which it recognizes and which is not specified for the message in which it appears, it MUST abort the handshake
/// with an "illegal_parameter" alert."
pub(super) fn check_extensions(extensions: Extensions<'_>, expected: &[u16], config: &Config) -> Result<(), Failure> {
    let is_offered = |number| match number {
        supported_versions::NUMBER | key_share::NUMBER | supported_groups::NUMBER | signature_algorithms::NUMBER => {
            true
        }
        extended_master_secret::NUMBER | renegotiation_info::NUMBER | ec_point_formats::NUMBER => {
            config.speaks(Version::Dtls12)
        }
        use_srtp::NUMBER => !config.srtp_profiles.is_empty(),
        // Ours to bring back, not to ask for; where a server may send it, it is expected.
        cookie::NUMBER => expected.contains(&cookie::NUMBER),
        _ => false,
    };
    for (number, _) in extensions.iter() {
        if !is_offered(number) {
            let why = "the server sent an extension not offered";
            return Err(Failure::refused(AlertDescription::UnsupportedExtension, why));
        }
        if !expected.contains(&number) {
            return Err(illegal("the server sent an extension where it does not belong"));
        }
    }
    Ok(())
}
