//! BoringSSL, in process: DTLS 1.2 and 1.3, as Chromium has them.

use crate::case::{Case, Closer, LABEL, ROLES, with_certificates, with_suites};
use crate::certificates;
use crate::simulated::{self, Other};
use boring::ssl::{
    ErrorCode, Ssl, SslContextBuilder, SslFiletype, SslMethod, SslOptions, SslSignatureAlgorithm, SslStream,
    SslVerifyMode, SslVersion,
};
use foreign_types::ForeignTypeRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;
use wigwag_dtls::{Group, Role, SrtpProfile, Version};

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

/// BoringSSL's clock, and its timers: what the crate `boring` does not wrap.
mod clock {
    use boring::ssl::SslContextBuilder;
    use boring_sys as ffi;
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    /// When the virtual time began, for a clock that counts from 1970.
    const BEGIN: Duration = Duration::from_secs(1_790_000_000);

    thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(BEGIN) };
    }

    /// What time it is in this thread, from now on.
    pub(super) fn set(now: Instant) {
        NOW.set(BEGIN + now.duration_since(wigwag_sim::origin()));
    }

    extern "C" fn tell(_ssl: *const ffi::SSL, out: *mut ffi::timeval) {
        let now = NOW.get();
        // SAFETY: BoringSSL hands over a place for the time.
        unsafe {
            (*out).tv_sec = now.as_secs().cast_signed();
            (*out).tv_usec = now.subsec_micros().into();
        }
    }

    pub(super) fn install(context: &mut SslContextBuilder) {
        // SAFETY: the context lives, and the callback borrows nothing.
        unsafe { ffi::SSL_CTX_set_current_time_cb(context.as_ptr(), Some(tell)) }
    }

    /// How long until it wants to be woken.
    pub(super) fn timeout(ssl: *mut ffi::SSL) -> Option<Duration> {
        let mut left = ffi::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: the connection lives, and `left` takes what is told.
        let is_running = unsafe { ffi::DTLSv1_get_timeout(ssl, &mut left) } == 1;
        let duration = Duration::new(left.tv_sec.cast_unsigned(), left.tv_usec.cast_unsigned() as u32 * 1000);
        is_running.then_some(duration)
    }

    pub(super) fn handle_timeout(ssl: *mut ffi::SSL) {
        // SAFETY: the connection lives.
        let result = unsafe { ffi::DTLSv1_handle_timeout(ssl) };
        assert!(result >= 0, "it has given up");
    }
}

/// Datagrams on their way to it, and from it.
#[derive(Debug, Default)]
struct Pipe {
    input: VecDeque<Vec<u8>>,
    output: VecDeque<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.input.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let len = datagram.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.output.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Boring {
    stream: SslStream<Pipe>,
    /// Ours.
    role: Role,
    exported_len: usize,
    exported: Option<Vec<u8>>,
    wake: Option<Instant>,
    received: Vec<u8>,
    is_closed: bool,
}

/// As BoringSSL calls it.
fn profile(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
        SrtpProfile::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_SHA1_32",
        SrtpProfile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        SrtpProfile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        other => unreachable!("{other:?}"),
    }
}

/// In 1.2, a certificate of P-256 needs that among the groups.
fn groups(case: &Case) -> String {
    let name = match case.group {
        Some(Group::X25519MlKem768) => "X25519MLKEM768",
        Some(Group::X25519) => "X25519",
        Some(Group::Secp256r1) => "P-256",
        Some(Group::Secp384r1) => "P-384",
        _ => "X25519MLKEM768:X25519:P-256:P-384",
    };
    match case.version {
        Version::Dtls12 if case.group.is_some_and(|group| group != Group::Secp256r1) => format!("{name}:P-256"),
        _ => name.to_owned(),
    }
}

fn boring(case: &Case, now: Instant) -> Box<dyn Other> {
    clock::set(now);
    let version = match case.version {
        Version::Dtls13 => SslVersion::DTLS1_3,
        _ => SslVersion::DTLS1_2,
    };
    let mut context = SslContextBuilder::new(SslMethod::dtls()).expect("a context");
    clock::install(&mut context);
    let pem = certificates::path(case.theirs);
    let set = |context: &mut SslContextBuilder| {
        context.set_min_proto_version(Some(version))?;
        context.set_max_proto_version(Some(version))?;
        context.set_certificate_file(&pem, SslFiletype::PEM)?;
        context.set_private_key_file(&pem, SslFiletype::PEM)?;
        context.set_curves_list(&groups(case))?;
        context.set_verify_algorithm_prefs(&[
            SslSignatureAlgorithm::ECDSA_SECP256R1_SHA256,
            SslSignatureAlgorithm::ECDSA_SECP384R1_SHA384,
            SslSignatureAlgorithm::ED25519,
            SslSignatureAlgorithm::RSA_PSS_RSAE_SHA256,
        ])?;
        context.set_tlsext_use_srtp(profile(case.profile))
    };
    set(&mut context).expect("settings that it knows");
    // Certificates sign themselves here.
    context.set_custom_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_| Ok(()));
    let mut ssl = Ssl::new(&context.build()).expect("a connection");
    ssl.set_options(SslOptions::NO_QUERY_MTU);
    ssl.set_mtu(case.mtu as u32).expect("an MTU");
    let mut boring = Boring {
        stream: SslStream::new(ssl, Pipe::default()).expect("a stream"),
        role: case.role,
        exported_len: case.exported_len(),
        exported: None,
        wake: None,
        received: Vec::new(),
        is_closed: false,
    };
    boring.go_on(now);
    Box::new(boring)
}

impl Boring {
    /// Goes as far as what has come allows.
    fn go_on(&mut self, now: Instant) {
        clock::set(now);
        if self.exported.is_none() {
            let result = match self.role {
                Role::Client => self.stream.accept(),
                Role::Server => self.stream.connect(),
            };
            match result {
                Ok(()) => {
                    let mut exported = vec![0; self.exported_len];
                    self.stream.ssl().export_keying_material(&mut exported, LABEL, None).expect("connected");
                    self.exported = Some(exported);
                }
                Err(error) => assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}"),
            }
        }
        let mut buffer = [0; 4096];
        while self.exported.is_some() && !self.is_closed {
            match self.stream.ssl_read(&mut buffer) {
                Ok(len) => self.received.extend(&buffer[..len]),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => self.is_closed = true,
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}");
                    break;
                }
            }
        }
        self.wake = clock::timeout(self.stream.ssl().as_ptr()).map(|left| now + left);
    }
}

impl Other for Boring {
    fn handle_input(&mut self, datagram: &[u8], now: Instant) {
        self.stream.get_mut().input.push_back(datagram.to_vec());
        self.go_on(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        clock::set(now);
        clock::handle_timeout(self.stream.ssl().as_ptr());
        self.go_on(now);
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.stream.get_mut().output.pop_front()
    }

    fn owes(&self) -> bool {
        !self.stream.get_ref().output.is_empty()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    fn exported(&self) -> Option<Vec<u8>> {
        self.exported.clone()
    }

    fn send(&mut self, data: &[u8], now: Instant) {
        clock::set(now);
        self.stream.ssl_write(data).expect("connected");
        self.go_on(now);
    }

    fn received(&self) -> &[u8] {
        &self.received
    }

    fn close(&mut self, now: Instant) {
        clock::set(now);
        self.stream.shutdown().expect("connected");
        self.go_on(now);
    }

    fn is_closed(&self) -> bool {
        self.is_closed
    }
}

fn cases() -> impl Iterator<Item = Case> {
    VERSIONS.into_iter().flat_map(|version| ROLES.map(|role| Case::new(role, version)))
}

#[test]
fn each_cipher_suite_in_both_roles_and_either_goodbye() {
    let cases = cases().flat_map(with_suites);
    let cases = cases.flat_map(|case| [Closer::Ours, Closer::Theirs].map(|closer| Case { closer, ..case }));
    simulated::all(&cases.collect::<Vec<_>>(), 3, boring);
}

#[test]
fn small_datagrams() {
    simulated::all(&cases().map(|case| Case { mtu: 400, ..case }).collect::<Vec<_>>(), 10, boring);
}

#[test]
fn each_group_and_each_profile_of_srtp() {
    let groups = cases().flat_map(|case| {
        let groups =
            Group::ALL.iter().filter(move |group| **group != Group::X25519MlKem768 || case.version == Version::Dtls13);
        groups.map(move |&group| Case { group: Some(group), ..case })
    });
    let profiles = cases().flat_map(|case| SrtpProfile::ALL.iter().map(move |&profile| Case { profile, ..case }));
    simulated::all(&groups.chain(profiles).collect::<Vec<_>>(), 3, boring);
}

/// A share that the server prefers, and was not sent, is asked for (RFC 8446 §4.1.4).
#[test]
fn another_hello_brings_another_share() {
    let case = Case { share: Some(Group::X25519), ..Case::new(Role::Client, Version::Dtls13) };
    let groups = [Group::X25519MlKem768, Group::Secp384r1];
    simulated::all(&groups.map(|group| Case { group: Some(group), ..case }), 10, boring);
}

#[test]
fn each_kind_of_certificate_on_either_side() {
    for version in VERSIONS {
        simulated::all(&with_certificates(|role| Case::new(role, version), |_| true), 2, boring);
    }
}

#[test]
fn a_cookie_of_ours_is_brought_back() {
    let servers = cases().filter(|case| case.role == Role::Server);
    simulated::all(&servers.map(|case| Case { has_cookie: true, ..case }).collect::<Vec<_>>(), 3, boring);
}
