//! The first flight, which the versions share: what is offered, what is chosen (RFC 5246 §7.4.1, RFC 8446 §4.1).

use super::Failure;
use crate::alert::AlertDescription;
use crate::codec::Numbers;
use crate::crypto::signature::SignatureScheme;
use crate::message::extension::key_share::{self, Share};
use crate::message::extension::{
    Extensions, cookie, ec_point_formats, extended_master_secret, psk_key_exchange_modes, renegotiation_info,
    signature_algorithms, supported_groups, supported_versions, use_srtp,
};
use crate::message::{ClientHello, ServerHello, extension};
use crate::{CipherSuite, Config, Group, SrtpProfile, Version};

pub(crate) type Random = [u8; 32];

/// CompressionMethod null: there is no other.
pub(crate) const NO_COMPRESSION: u8 = 0;

/// What a ClientHello says beside what the configuration offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) random: Random,
    /// What a HelloVerifyRequest brought (RFC 6347 §4.2.1).
    pub(crate) legacy_cookie: &'a [u8],
    /// What a HelloRetryRequest brought (RFC 8446 §4.2.2).
    pub(crate) cookie: Option<&'a [u8]>,
    /// Of DTLS 1.3.
    pub(crate) shares: &'a [Share<'a>],
}

/// Writes the body of a ClientHello.
///
/// RFC 6347 §4.2.1: "When responding to a HelloVerifyRequest, the client MUST use the same parameter values (version,
/// random, session_id, cipher_suites, compression_method) as it did in the original ClientHello."
///
/// So a second one differs in its cookie alone, and after a HelloRetryRequest in its share as well (RFC 8446 §4.1.2).
pub(crate) fn write_client_hello(offer: &Offer<'_>, config: &Config, out: &mut Vec<u8>) {
    let suites = config.versions().flat_map(|version| config.suites(version));
    let cipher_suites: Vec<u8> = suites.flat_map(|suite| suite.wire().to_be_bytes()).collect();
    let Ok(cipher_suites) = Numbers::new(&cipher_suites) else { return };
    let shares_len: usize = offer.shares.iter().map(|share| share.key_exchange.len()).sum();
    let mut extensions = Vec::with_capacity(extension::USUAL_LEN + shares_len);
    if config.speaks(Version::Dtls12) {
        extended_master_secret::encode(&mut extensions);
        renegotiation_info::encode(&mut extensions);
    }
    let groups: Vec<Group> =
        config.groups.iter().copied().filter(|group| config.versions().any(|version| group.is_for(version))).collect();
    supported_groups::encode(&groups, &mut extensions);
    if config.speaks(Version::Dtls12) {
        ec_point_formats::encode(&mut extensions);
    }
    signature_algorithms::encode(&config.signature_schemes, &mut extensions);
    if !config.srtp_profiles.is_empty() {
        use_srtp::encode(&config.srtp_profiles, &mut extensions);
    }
    if config.speaks(Version::Dtls13) {
        supported_versions::encode(config.versions(), &mut extensions);
        if config.takes_tickets {
            psk_key_exchange_modes::encode(&mut extensions);
        }
        // Before the shares, which may be long: a server that keeps nothing looks for it in the first fragment.
        if let Some(cookie) = offer.cookie {
            cookie::encode(cookie, &mut extensions);
        }
        key_share::encode_client(offer.shares, &mut extensions);
    }
    let hello = ClientHello {
        // RFC 9147 §5.3: "the legacy_version field MUST be set to {254, 253}, which was the version number for DTLS 1.2."
        version: Version::Dtls12.wire(),
        random: offer.random,
        session_id: &[],
        cookie: offer.legacy_cookie,
        cipher_suites,
        compression_methods: &[NO_COMPRESSION],
        extensions: Extensions::written(&extensions),
    };
    hello.encode(out);
}

/// A server's choice of a version: the newest that both speak.
///
/// RFC 8446 §4.2.1: "If this extension is not present, servers which are compliant with this specification and which also
/// support TLS 1.2 MUST negotiate TLS 1.2 or prior"
pub(crate) fn choose_version(hello: &ClientHello<'_>, config: &Config) -> Result<Version, Failure> {
    let offered = hello.extensions.get(supported_versions::NUMBER, supported_versions::decode)?;
    let is_offered = |version: &Version| match offered {
        Some(versions) => versions.contains(version.wire()),
        // Versions of DTLS count downwards from 0xFEFF, and whoever has a newer one has the older ones as well.
        None => *version == Version::Dtls12 && hello.version <= Version::Dtls12.wire(),
    };
    let failure = Failure::refused(AlertDescription::ProtocolVersion, "no version is common");
    config.versions().find(is_offered).ok_or(failure)
}

/// A server that could have spoken 1.3 says so in its random of 1.2, which its signature covers.
///
/// RFC 8446 §4.1.3: "If negotiating TLS 1.2, TLS 1.3 servers MUST set the last 8 bytes of their Random value to the bytes:
/// 44 4F 57 4E 47 52 44 01"
pub(crate) const DOWNGRADE: [u8; 8] = *b"DOWNGRD\x01";
/// Of a server that negotiates something older still.
const DOWNGRADE_FURTHER: [u8; 8] = *b"DOWNGRD\x00";

/// RFC 8446 §4.1.3: "TLS 1.3 clients receiving a ServerHello indicating TLS 1.2 or below MUST check that the last 8 bytes are
/// not equal to either of these values. … If a match is found, the client MUST abort the handshake with an
/// "illegal_parameter" alert."
pub(crate) fn check_downgrade(server_random: &Random, config: &Config) -> Result<(), Failure> {
    let is_marked = [DOWNGRADE, DOWNGRADE_FURTHER].iter().any(|mark| server_random.ends_with(mark));
    if config.speaks(Version::Dtls13) && is_marked {
        let why = "somebody between us and the server made the versions fewer";
        return Err(Failure::refused(AlertDescription::IllegalParameter, why));
    }
    Ok(())
}

/// What the server chooses of what the client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) group: Group,
    pub(crate) signature_scheme: SignatureScheme,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    has_renegotiation_info: bool,
    has_point_formats: bool,
}

impl Selection {
    /// A server's choice, by its own preferences.
    pub(crate) fn new(hello: &ClientHello<'_>, config: &Config) -> Result<Self, Failure> {
        let extensions = hello.extensions;
        if choose_version(hello, config)? != Version::Dtls12 {
            return Err(Failure::refused(AlertDescription::ProtocolVersion, "DTLS 1.2 is not what is chosen"));
        }
        if !hello.compression_methods.contains(&NO_COMPRESSION) {
            return Err(Failure::refused(AlertDescription::IllegalParameter, "no uncompressed records are offered"));
        }
        let failure = |why| Failure::refused(AlertDescription::HandshakeFailure, why);
        let key = config.certificate.key();
        let mut cipher_suites = config.suites(Version::Dtls12).filter(|suite| suite.is_rsa() == key.is_rsa());
        let cipher_suite = cipher_suites.find(|suite| hello.cipher_suites.contains(suite.wire()));
        let cipher_suite = cipher_suite.ok_or(failure("no cipher suite is common"))?;

        // RFC 8422 §4: a client without the extension leaves the choice to the server; P-256 is the one that all have.
        let group = match extensions.get(supported_groups::NUMBER, supported_groups::decode)? {
            Some(groups) => config.groups(Version::Dtls12).find(|group| groups.contains(group.wire())),
            None => config.groups(Version::Dtls12).find(|group| *group == Group::Secp256r1),
        };
        let group = group.ok_or(failure("no group is common"))?;

        // RFC 5246 §7.4.1.4.1: a client without the extension means SHA-1, which proves nothing any more.
        let schemes = extensions.get(signature_algorithms::NUMBER, signature_algorithms::decode)?;
        let signature_scheme = schemes.and_then(|schemes| key.choose(Version::Dtls12, schemes));
        let signature_scheme = signature_scheme.ok_or(failure("no signature algorithm is common"))?;
        let point_formats = extensions.get(ec_point_formats::NUMBER, ec_point_formats::decode)?;
        if point_formats == Some(false) {
            return Err(Failure::refused(AlertDescription::IllegalParameter, "uncompressed points are not offered"));
        }
        check_extended_master_secret(extensions)?;
        let renegotiation_info = check_renegotiation_info(extensions)?;
        let has_renegotiation_info = renegotiation_info || hello.cipher_suites.contains(renegotiation_info::SCSV);

        let use_srtp = extensions.get(use_srtp::NUMBER, use_srtp::decode)?;
        let is_offered = |profile: &SrtpProfile| use_srtp.is_some_and(|offer| offer.profiles.contains(profile.wire()));
        let srtp_profile = config.srtp_profiles.iter().copied().find(is_offered);
        let has_point_formats = point_formats.is_some();
        Ok(Self { cipher_suite, group, signature_scheme, srtp_profile, has_renegotiation_info, has_point_formats })
    }

    /// Writes the body of a ServerHello. There is no session to come back to, so it has no name.
    pub(crate) fn write_server_hello(&self, random: Random, out: &mut Vec<u8>) {
        let mut extensions = Vec::with_capacity(extension::USUAL_LEN);
        extended_master_secret::encode(&mut extensions);
        if self.has_renegotiation_info {
            renegotiation_info::encode(&mut extensions);
        }
        if self.has_point_formats {
            ec_point_formats::encode(&mut extensions);
        }
        if let Some(profile) = self.srtp_profile {
            // Without an MKI, whatever was offered (RFC 5764 §4.1.3, RFC 8827 §6.5).
            use_srtp::encode(&[profile], &mut extensions);
        }
        let hello = ServerHello {
            version: Version::Dtls12.wire(),
            random,
            session_id: &[],
            cipher_suite: self.cipher_suite.wire(),
            compression_method: NO_COMPRESSION,
            extensions: Extensions::written(&extensions),
        };
        hello.encode(out);
    }
}

/// What the server chose of what we, the client, offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) random: Random,
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) srtp_profile: Option<SrtpProfile>,
}

impl Answer {
    pub(crate) fn new(hello: &ServerHello<'_>, config: &Config) -> Result<Self, Failure> {
        let srtp_profiles = &config.srtp_profiles;
        let illegal = |why| Failure::refused(AlertDescription::IllegalParameter, why);
        if hello.version != Version::Dtls12.wire() {
            return Err(Failure::refused(AlertDescription::ProtocolVersion, "the server chose a version not offered"));
        }
        let cipher_suite = config.suites(Version::Dtls12).find(|suite| suite.wire() == hello.cipher_suite);
        let cipher_suite = cipher_suite.ok_or(illegal("the server chose a cipher suite not offered"))?;
        if hello.compression_method != NO_COMPRESSION {
            return Err(illegal("the server chose compression"));
        }
        // RFC 5246 §7.4.1.4: "If a client receives an extension type in ServerHello that it did not request in the
        // associated ClientHello, it MUST abort the handshake with an unsupported_extension fatal alert."
        let is_offered = |number| match number {
            extended_master_secret::NUMBER
            | renegotiation_info::NUMBER
            | supported_groups::NUMBER
            | ec_point_formats::NUMBER
            | signature_algorithms::NUMBER => true,
            use_srtp::NUMBER => !srtp_profiles.is_empty(),
            _ => false,
        };
        if hello.extensions.iter().any(|(number, _)| !is_offered(number)) {
            return Err(Failure::refused(
                AlertDescription::UnsupportedExtension,
                "the server sent an extension not offered",
            ));
        }
        if hello.extensions.get(ec_point_formats::NUMBER, ec_point_formats::decode)? == Some(false) {
            return Err(illegal("the server does not take uncompressed points"));
        }
        check_extended_master_secret(hello.extensions)?;
        check_renegotiation_info(hello.extensions)?;
        let srtp_profile = match hello.extensions.get(use_srtp::NUMBER, use_srtp::decode)? {
            None => None,
            Some(chosen) => Some(
                chosen_profile(&chosen, srtp_profiles).ok_or(illegal("the server chose no SRTP profile of ours"))?,
            ),
        };
        Ok(Self { random: hello.random, cipher_suite, srtp_profile })
    }
}

/// The server chooses exactly one (RFC 5764 §4.1.1).
///
/// RFC 5764 §4.1.3: "If the client detects a nonzero-length MKI in the server's response that is different than the one
/// the client offered, then the client MUST abort the handshake"
pub(crate) fn chosen_profile(chosen: &use_srtp::UseSrtp<'_>, offered: &[SrtpProfile]) -> Option<SrtpProfile> {
    let mut numbers = chosen.profiles.iter();
    let (first, second) = (numbers.next()?, numbers.next());
    let is_legal = second.is_none() && chosen.mki.is_empty();
    offered.iter().copied().find(|profile| is_legal && profile.wire() == first)
}

/// Keys without it can be made equal on two connections by a man in the middle, and with them those of SRTP; all peers of
/// WebRTC have it.
///
/// RFC 7627 §5.2: "If a server receives a ClientHello without the extension, it SHOULD abort the handshake if it does not
/// wish to interoperate with legacy clients."
///
/// The same section says so of clients.
fn check_extended_master_secret(extensions: Extensions<'_>) -> Result<(), Failure> {
    match extensions.get(extended_master_secret::NUMBER, extended_master_secret::decode)? {
        Some(()) => Ok(()),
        None => Err(Failure::refused(AlertDescription::HandshakeFailure, "the peer has no extended master secret")),
    }
}

/// Whether it is there.
///
/// RFC 5746 §3.4: "The client MUST then verify that the length of the "renegotiated_connection" field is zero, and if it is
/// not, MUST abort the handshake (by sending a fatal handshake_failure alert)."
///
/// §3.6 says the same of the server.
fn check_renegotiation_info(extensions: Extensions<'_>) -> Result<bool, Failure> {
    match extensions.get(renegotiation_info::NUMBER, renegotiation_info::decode)? {
        None => Ok(false),
        Some([]) => Ok(true),
        Some(_) => Err(Failure::refused(AlertDescription::HandshakeFailure, "this is not a renegotiation")),
    }
}
