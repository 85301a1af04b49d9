//! What is tried with a peer.

use crate::certificates::{self, KINDS};
use crate::ours::MTU;
use std::sync::Arc;
use wigwag_dtls::{
    CipherSuite, Config, Connection, CookieExchange, CookieSecret, Error, Group, HashAlgorithm, Role, SrtpKeys,
    SrtpProfile, Version,
};
use wigwag_sansio::Seed;

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];
/// The label of the exporter for SRTP (RFC 5764 §4.2).
pub(crate) const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Who says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closer {
    Ours,
    Theirs,
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Ours.
    pub(crate) role: Role,
    pub(crate) version: Version,
    /// The only one that we have, or all.
    pub(crate) suite: Option<CipherSuite>,
    /// The one that we prefer: a certificate may need another.
    pub(crate) group: Option<Group>,
    /// The one whose share a client sends at first, if the server shall have to ask for that of `group`.
    pub(crate) share: Option<Group>,
    pub(crate) profile: SrtpProfile,
    /// Kinds of certificates.
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    /// Whether the server asks for a cookie.
    pub(crate) has_cookie: bool,
    pub(crate) closer: Closer,
    /// Of a hundred datagrams.
    pub(crate) loss: u64,
    pub(crate) seed: u64,
    /// The largest datagram, in bytes above UDP.
    pub(crate) mtu: usize,
}

impl Case {
    pub(crate) const fn new(role: Role, version: Version) -> Self {
        Self {
            role,
            version,
            suite: None,
            group: None,
            share: None,
            profile: SrtpProfile::AeadAes128Gcm,
            ours: "p256",
            theirs: "p256",
            has_cookie: false,
            closer: Closer::Ours,
            loss: 0,
            seed: 1,
            mtu: MTU,
        }
    }

    /// The length of what the exporter gives for SRTP, in bytes.
    pub(crate) const fn exported_len(&self) -> usize {
        2 * (self.profile.key_len() + self.profile.salt_len())
    }

    /// That of our side.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.role, Arc::new(certificates::certificate(self.ours)));
        let theirs = certificates::certificate(self.theirs);
        config.remote_fingerprints = vec![theirs.fingerprint(HashAlgorithm::Sha256)];
        (config.min_version, config.max_version) = (self.version, self.version);
        config.srtp_profiles = vec![self.profile];
        config.cipher_suites = self.suite.map_or(config.cipher_suites, |suite| vec![suite]);
        config.groups.sort_by_key(|group| Some(*group) != self.share.or(self.group));
        config.key_log = true;
        if self.has_cookie && self.role == Role::Server {
            let secret = CookieSecret::new(Seed::for_test(self.seed));
            config.cookie_exchange = Some(CookieExchange::new(Arc::new(secret), b"whoever comes first".to_vec()));
        }
        config
    }
}

/// Each kind of certificate on either side, where the program takes it.
pub(crate) fn with_certificates(case: impl Fn(Role) -> Case, takes: impl Fn(&Case) -> bool) -> Vec<Case> {
    let all = ROLES.into_iter().flat_map(|role| KINDS.map(|kind| (role, kind)));
    let cases = all.flat_map(|(role, kind)| [Case { ours: kind, ..case(role) }, Case { theirs: kind, ..case(role) }]);
    cases.filter(takes).collect()
}

/// Each cipher suite of the version, with the certificate that the server needs for it.
pub(crate) fn with_suites(case: Case) -> impl Iterator<Item = Case> {
    let suites = CipherSuite::ALL.iter().copied().filter(move |suite| suite.version() == case.version);
    suites.map(move |suite| {
        let (kind, case) = (certificates::kind_for(suite), Case { suite: Some(suite), ..case });
        match case.role {
            Role::Client => Case { theirs: kind, ..case },
            Role::Server => Case { ours: kind, ..case },
        }
    })
}

/// What our exporter gives for SRTP.
pub(crate) fn exported(case: &Case, ours: &Connection) -> Result<Vec<u8>, Error> {
    let mut material = vec![0; case.exported_len()];
    ours.export_keying_material(LABEL, None, &mut material)?;
    Ok(material)
}

/// Keys of SRTP in the order of RFC 5764 §4.2: those of the client and of the server, and their salts.
pub(crate) fn in_order(role: Role, keys: &SrtpKeys) -> Vec<u8> {
    let (mut parts, mut salts) = ([keys.local_key(), keys.remote_key()], [keys.local_salt(), keys.remote_salt()]);
    if role == Role::Server {
        parts.reverse();
        salts.reverse();
    }
    [parts.concat(), salts.concat()].concat()
}
