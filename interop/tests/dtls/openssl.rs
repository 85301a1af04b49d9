//! OpenSSL: `openssl s_server` and `s_client`, DTLS 1.2.

use crate::call::{self, Program, hex_after};
use crate::case::{Case, LABEL, ROLES, exported, with_certificates, with_suites};
use crate::certificates;
use crate::ours::Ours;
use crate::process::{Process, is_there};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::process::Command;
use wigwag_dtls::{Group, Role, SrtpProfile, Version};

struct OpenSsl;

/// As OpenSSL calls it.
fn profile(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
        SrtpProfile::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_SHA1_32",
        SrtpProfile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        SrtpProfile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        other => unreachable!("{other:?}"),
    }
}

fn openssl(program: &str, case: &Case) -> Command {
    let mut command = Command::new("openssl");
    let pem = certificates::path(case.theirs);
    command.arg(program).args(["-dtls1_2", "-timeout", "-mtu", "1200"]);
    command.arg("-cert").arg(&pem).arg("-key").arg(pem);
    command.args(["-use_srtp", profile(case.profile), "-keymatexport", LABEL]);
    command.args(["-keymatexportlen", &case.exported_len().to_string()]);
    command
}

impl Program for OpenSsl {
    fn server(&self, case: &Case, port: u16) -> Command {
        let mut command = openssl("s_server", case);
        command.args(["-accept", &format!("127.0.0.1:{port}"), "-verify", "1"]);
        command.args(case.has_cookie.then_some("-listen"));
        command
    }

    fn is_ready(&self, output: &str) -> bool {
        output.contains("\nACCEPT")
    }

    fn client(&self, case: &Case, address: SocketAddr) -> Command {
        let mut command = openssl("s_client", case);
        command.args(["-connect", &address.to_string()]);
        command
    }

    fn agrees(&self, case: &Case, output: &str, ours: &Ours) -> Result<bool> {
        let theirs = hex_after(output, "Keying material: ").context("no keying material yet")?;
        let negotiated = format!("SRTP Extension negotiated, profile={}", profile(case.profile));
        ensure!(output.contains(&negotiated), "no line `{negotiated}`");
        Ok(theirs == exported(case, &ours.connection)?)
    }

    /// Its server closes the socket first, so that nothing can be said any more.
    fn says_goodbye(&self, case: &Case) -> bool {
        case.role == Role::Server
    }

    fn close(&self, process: &mut Process) {
        process.say("Q");
    }

    fn has_noticed(&self, case: &Case, output: &str) -> bool {
        output.contains(if case.role == Role::Client { "\nDONE" } else { "\nclosed" })
    }
}

fn case(role: Role) -> Case {
    Case::new(role, Version::Dtls12)
}

#[test]
fn each_cipher_suite_and_either_goodbye() {
    if is_there("openssl") {
        let cases = ROLES.into_iter().flat_map(|role| with_suites(case(role)));
        call::all(&OpenSsl, &call::with_closers(&OpenSsl, cases));
    }
}

#[test]
fn each_kind_of_certificate_on_either_side() {
    if is_there("openssl") {
        // Its server has no cipher suite for Ed25519 in DTLS: it looks for TLS 1.2 by its number.
        let takes = |case: &Case| (case.role, case.theirs) != (Role::Client, "ed25519");
        call::all(&OpenSsl, &with_certificates(case, takes));
    }
}

#[test]
fn each_group_and_each_profile_of_srtp() {
    if is_there("openssl") {
        let groups = [Group::X25519, Group::Secp256r1, Group::Secp384r1];
        let groups = groups.into_iter().flat_map(|group| ROLES.map(|role| Case { group: Some(group), ..case(role) }));
        let profiles = SrtpProfile::ALL.iter().flat_map(|&profile| ROLES.map(|role| Case { profile, ..case(role) }));
        call::all(&OpenSsl, &groups.chain(profiles).collect::<Vec<_>>());
    }
}

#[test]
fn cookies_of_either_server() {
    if is_there("openssl") {
        call::all(&OpenSsl, &ROLES.map(|role| Case { has_cookie: true, ..case(role) }));
    }
}

#[test]
fn loss_only_delays() {
    if is_there("openssl") {
        call::all_through_loss(&OpenSsl, &call::with_closers(&OpenSsl, ROLES.map(case)), 3);
    }
}
