//! GnuTLS: `gnutls-serv` and `gnutls-cli`, DTLS 1.2.

use crate::call::{self, Program, hex_after};
use crate::case::{Case, LABEL, ROLES, exported, with_certificates, with_suites};
use crate::certificates;
use crate::ours::Ours;
use crate::process::{Process, is_there};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::process::Command;
use wigwag_dtls::{Group, Role, SrtpProfile, Version};

struct GnuTls;

/// As GnuTLS calls them: it has no profile with GCM.
const PROFILE: (SrtpProfile, &str) = (SrtpProfile::Aes128CmHmacSha1_80, "SRTP_AES128_CM_HMAC_SHA1_80");

fn gnutls(program: &str, case: &Case) -> Command {
    let mut command = Command::new(program);
    let pem = certificates::path(case.theirs);
    command.args(["--udp", "--mtu", "1200", "--srtp-profiles", PROFILE.1]);
    command.arg("--x509certfile").arg(&pem).arg("--x509keyfile").arg(pem);
    command
}

impl Program for GnuTls {
    fn server(&self, case: &Case, port: u16) -> Command {
        let mut command = gnutls("gnutls-serv", case);
        // It says what became of a connection when it is asked for every detail, and its keys to a file of that name.
        command.args(["--echo", "--require-client-cert", "--debug", "5", "--port", &port.to_string()]);
        command.args((!case.has_cookie).then_some("--nocookie")).env("SSLKEYLOGFILE", "/dev/stderr");
        command
    }

    fn is_ready(&self, output: &str) -> bool {
        output.contains("UDP Echo Server listening on IPv4") && output.contains("...done")
    }

    fn client(&self, case: &Case, address: SocketAddr) -> Command {
        let mut command = gnutls("gnutls-cli", case);
        command.args(["--insecure", "--keymatexport", LABEL, "--keymatexportsize", &case.exported_len().to_string()]);
        command.args(["--port", &address.port().to_string(), &address.ip().to_string()]);
        command
    }

    fn echoes(&self, case: &Case) -> bool {
        case.role == Role::Client
    }

    /// The client exports; the server tells its secret, from which everything else follows.
    fn agrees(&self, case: &Case, output: &str, ours: &Ours) -> Result<bool> {
        if case.role == Role::Client {
            let theirs = output.lines().find(|line| line.starts_with("CLIENT_RANDOM ")).context("no secret yet")?;
            return Ok(ours.key_log.iter().any(|line| line.eq_ignore_ascii_case(theirs)));
        }
        let theirs = hex_after(output, "Key material: ").context("no keying material yet")?;
        ensure!(output.contains(&format!("SRTP profile: {}", PROFILE.1)), "no profile of SRTP");
        Ok(theirs == exported(case, &ours.connection)?)
    }

    /// Its server never ends a connection.
    fn says_goodbye(&self, case: &Case) -> bool {
        case.role == Role::Server
    }

    fn close(&self, process: &mut Process) {
        process.close_input();
    }

    fn has_noticed(&self, case: &Case, output: &str) -> bool {
        output.contains(match case.role {
            Role::Client => "Close notify - was received",
            Role::Server => "Peer has closed the GnuTLS connection",
        })
    }
}

fn case(role: Role) -> Case {
    Case { profile: PROFILE.0, ..Case::new(role, Version::Dtls12) }
}

fn are_there() -> bool {
    is_there("gnutls-serv") && is_there("gnutls-cli")
}

#[test]
fn each_cipher_suite_and_either_goodbye() {
    if are_there() {
        let cases = ROLES.into_iter().flat_map(|role| with_suites(case(role)));
        call::all(&GnuTls, &call::with_closers(&GnuTls, cases));
    }
}

#[test]
fn each_kind_of_certificate_on_either_side() {
    if are_there() {
        call::all(&GnuTls, &with_certificates(case, |_| true));
    }
}

#[test]
fn each_group() {
    if are_there() {
        let groups = [Group::X25519, Group::Secp256r1, Group::Secp384r1];
        let cases = groups.into_iter().flat_map(|group| ROLES.map(|role| Case { group: Some(group), ..case(role) }));
        call::all(&GnuTls, &cases.collect::<Vec<_>>());
    }
}

#[test]
fn cookies_of_either_server() {
    if are_there() {
        call::all(&GnuTls, &ROLES.map(|role| Case { has_cookie: true, ..case(role) }));
    }
}

#[test]
fn loss_only_delays() {
    if are_there() {
        call::all_through_loss(&GnuTls, &call::with_closers(&GnuTls, ROLES.map(case)), 3);
    }
}
