//! What the runner asks of us. A flag that nothing here acts on is not accepted.

use std::time::Duration;
use wigwag_dtls::{ClientAuthentication, Group, Role, SignatureScheme, SrtpProfile, Version};

/// A flag, or a value of one, that we do not act on.
pub(crate) struct Unknown(pub(crate) String);

/// How versions of DTLS are counted on the wire: downwards.
const DTLS_1_0: u16 = 0xFEFF;
const DTLS_1_2: u16 = 0xFEFD;
const DTLS_1_3: u16 = 0xFEFC;

/// BoringSSL's own first timeout, for which the runner's tests are written.
const INITIAL_TIMEOUT: Duration = Duration::from_millis(400);

/// BoringSSL takes chains of certificates of 100 KB, of which we take what we can.
const MESSAGE_LEN_MAX: usize = 100 * 1024;

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) role: Role,
    pub(crate) port: u16,
    pub(crate) shim_id: u64,
    pub(crate) is_ipv6: bool,
    /// Names of files.
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) trusted: Option<String>,
    pub(crate) client_authentication: ClientAuthentication,
    pub(crate) verify_fails: bool,
    /// How BoringSSL's callback says that a certificate is not believed.
    pub(crate) has_custom_verify: bool,
    pub(crate) signature_schemes: Vec<SignatureScheme>,
    pub(crate) groups: Vec<Group>,
    pub(crate) srtp_profiles: Vec<SrtpProfile>,
    pub(crate) mtu: Option<usize>,
    pub(crate) message_len_max: usize,
    pub(crate) initial_timeout: Duration,
    /// Nothing is written or read at once: each attempt is refused first.
    pub(crate) is_async: bool,
    pub(crate) writes_first: bool,
    pub(crate) shuts_down: bool,
    pub(crate) checks_close_notify: bool,
    pub(crate) sends_alert: bool,
    /// A client takes them, a server sends them.
    pub(crate) has_tickets: bool,
    /// Before each message of the runner.
    pub(crate) updates_keys: bool,
    pub(crate) export: Export,
    /// Of versions, on the wire.
    oldest: u16,
    newest: u16,
    without: Vec<u16>,
}

/// Keying material to send to the runner.
#[derive(Debug, Default)]
pub(crate) struct Export {
    pub(crate) len: usize,
    pub(crate) label: String,
    pub(crate) context: String,
    pub(crate) has_context: bool,
}

impl Flags {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Unknown> {
        let mut flags = Self::default();
        let (mut is_dtls, mut verifies, mut requires) = (false, false, false);
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            let unknown = || Unknown(flag.clone());
            let mut value = || rest.next().ok_or_else(unknown);
            match &**flag {
                "-dtls" => is_dtls = true,
                "-server" => flags.role = Role::Server,
                "-port" => flags.port = number(value()?)?,
                "-shim-id" => flags.shim_id = number(value()?)?,
                "-ipv6" => flags.is_ipv6 = true,
                "-cert-file" => flags.certificate = Some(value()?.clone()),
                "-key-file" => flags.key = Some(value()?.clone()),
                "-trust-cert" => flags.trusted = Some(value()?.clone()),
                "-verify-peer" => verifies = true,
                "-require-any-client-certificate" => requires = true,
                "-verify-fail" => flags.verify_fails = true,
                "-use-custom-verify-callback" => flags.has_custom_verify = true,
                "-verify-prefs" => flags.signature_schemes.push(scheme(value()?)?),
                "-curves" => flags.groups.push(group(value()?)?),
                "-srtp-profiles" => flags.srtp_profiles = profiles(value()?),
                "-mtu" => flags.mtu = Some(number(value()?)?),
                "-max-cert-list" => flags.message_len_max = number(value()?)?,
                "-initial-timeout-duration-ms" => flags.initial_timeout = Duration::from_millis(number(value()?)?),
                "-async" => flags.is_async = true,
                "-shim-writes-first" => flags.writes_first = true,
                "-shim-shuts-down" => flags.shuts_down = true,
                "-check-close-notify" => flags.checks_close_notify = true,
                "-key-update-before-read" => flags.updates_keys = true,
                "-send-alert" => flags.sends_alert = true,
                "-export-keying-material" => flags.export.len = number(value()?)?,
                "-export-label" => flags.export.label = value()?.clone(),
                "-export-context" => flags.export.context = value()?.clone(),
                "-use-export-context" => flags.export.has_context = true,
                "-min-version" => flags.oldest = number(value()?)?,
                "-max-version" => flags.newest = number(value()?)?,
                "-no-tls12" => flags.without.push(DTLS_1_2),
                "-no-tls13" => flags.without.push(DTLS_1_3),
                "-no-ticket" => flags.has_tickets = false,
                // What we always do: a machine whose handshake goes on whenever it is given something has no call that
                // would be left out; there is no version before 1.2, and no session is kept.
                "-implicit-handshake" | "-no-tls1" | "-no-tls11" | "-expect-no-session" => {}
                _ => return Err(unknown()),
            }
        }
        flags.client_authentication = match (requires, verifies) {
            (true, _) => ClientAuthentication::Required,
            (false, true) => ClientAuthentication::Requested,
            (false, false) => ClientAuthentication::None,
        };
        if !is_dtls {
            return Err(Unknown("TLS".into()));
        }
        Ok(flags)
    }

    /// The oldest and the newest version to speak, if there is any.
    pub(crate) fn versions(&self) -> Option<(Version, Version)> {
        let all = [Version::Dtls12, Version::Dtls13];
        let mut spoken = all.into_iter().filter(|version| self.speaks(version.wire()));
        let oldest = spoken.next()?;
        Some((oldest, spoken.next_back().unwrap_or(oldest)))
    }

    /// Whether a version may be spoken, by its number on the wire.
    fn speaks(&self, version: u16) -> bool {
        self.newest <= version && version <= self.oldest && !self.without.contains(&version)
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            role: Role::Client,
            port: 0,
            shim_id: 0,
            is_ipv6: false,
            certificate: None,
            key: None,
            trusted: None,
            client_authentication: ClientAuthentication::None,
            verify_fails: false,
            has_custom_verify: false,
            signature_schemes: Vec::new(),
            groups: Vec::new(),
            srtp_profiles: Vec::new(),
            mtu: None,
            message_len_max: MESSAGE_LEN_MAX,
            initial_timeout: INITIAL_TIMEOUT,
            is_async: false,
            writes_first: false,
            shuts_down: false,
            checks_close_notify: false,
            sends_alert: false,
            has_tickets: true,
            updates_keys: false,
            export: Export::default(),
            oldest: DTLS_1_0,
            newest: DTLS_1_3,
            without: Vec::new(),
        }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Unknown> {
    text.parse().map_err(|_| Unknown(text.to_owned()))
}

fn scheme(text: &str) -> Result<SignatureScheme, Unknown> {
    let wire: u16 = number(text)?;
    let scheme = SignatureScheme::ALL.iter().copied().find(|scheme| scheme.wire() == wire);
    scheme.ok_or_else(|| Unknown(format!("-verify-prefs {text}")))
}

fn group(text: &str) -> Result<Group, Unknown> {
    let wire: u16 = number(text)?;
    Group::ALL.iter().copied().find(|group| group.wire() == wire).ok_or_else(|| Unknown(format!("-curves {text}")))
}

/// Of the names that OpenSSL has for them, those that we have; what we have not cannot be offered.
fn profiles(text: &str) -> Vec<SrtpProfile> {
    let profile = |name| match name {
        "SRTP_AES128_CM_SHA1_80" => Some(SrtpProfile::Aes128CmHmacSha1_80),
        "SRTP_AES128_CM_SHA1_32" => Some(SrtpProfile::Aes128CmHmacSha1_32),
        "SRTP_AEAD_AES_128_GCM" => Some(SrtpProfile::AeadAes128Gcm),
        "SRTP_AEAD_AES_256_GCM" => Some(SrtpProfile::AeadAes256Gcm),
        _ => None,
    };
    text.split(':').filter_map(profile).collect()
}
