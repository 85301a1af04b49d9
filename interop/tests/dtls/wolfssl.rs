//! wolfSSL: DTLS 1.3, by a program of ours that is compiled with the library that `cargo xtask setup --compiled` builds.

use crate::call::{self, Program, hex_after};
use crate::case::{Case, ROLES, exported, with_certificates, with_suites};
use crate::certificates;
use crate::ours::Ours;
use crate::process::Process;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wigwag_dtls::{Group, Role, SrtpProfile, Version};

struct WolfSsl {
    program: PathBuf,
}

/// As wolfSSL calls it.
fn profile(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
        SrtpProfile::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_SHA1_32",
        SrtpProfile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        SrtpProfile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        other => unreachable!("{other:?}"),
    }
}

/// The program, compiled once; none where nobody says where the library is.
fn wolfssl() -> Option<&'static WolfSsl> {
    static COMPILED: OnceLock<Option<WolfSsl>> = OnceLock::new();
    let compiled =
        COMPILED.get_or_init(|| std::env::var_os("WIGWAG_WOLFSSL").map(|folder| compile(Path::new(&folder))));
    if compiled.is_none() {
        println!("skipped: WIGWAG_WOLFSSL names no folder with wolfSSL: cargo xtask long --part peers");
    }
    compiled.as_ref()
}

fn compile(library: &Path) -> WolfSsl {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/wolfssl_peer.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wolfssl_peer");
    let mut command = Command::new("cc");
    command.args(["-Wall", "-Wextra", "-Werror", "-O1", "-I"]).arg(library.join("include")).arg(source);
    command.arg(library.join("libwolfssl.a")).args(["-lm", "-pthread", "-o"]).arg(&program);
    assert!(command.status().expect("a compiler of C").success(), "{command:?}");
    WolfSsl { program }
}

impl WolfSsl {
    fn command(&self, role: &str, case: &Case, port: u16) -> Command {
        let mut command = Command::new(&self.program);
        command.args([role, &port.to_string()]).arg(certificates::path(case.theirs));
        command.arg(case.group.unwrap_or(Group::X25519).wire().to_string());
        command.args([profile(case.profile), &case.exported_len().to_string()]);
        command.args(case.has_cookie.then_some("cookie"));
        command
    }
}

impl Program for WolfSsl {
    fn server(&self, case: &Case, port: u16) -> Command {
        self.command("server", case, port)
    }

    fn is_ready(&self, output: &str) -> bool {
        output.contains("\nREADY")
    }

    fn client(&self, case: &Case, address: SocketAddr) -> Command {
        self.command("client", case, address.port())
    }

    fn agrees(&self, case: &Case, output: &str, ours: &Ours) -> Result<bool> {
        let theirs = hex_after(output, "\nKEYS ").context("no keys yet")?;
        let connected = output.lines().find(|line| line.starts_with("CONNECTED DTLSv1.3")).context("not connected")?;
        ensure!(connected.ends_with(profile(case.profile)), "{connected}");
        Ok(theirs == exported(case, &ours.connection)?)
    }

    fn says_goodbye(&self, _case: &Case) -> bool {
        true
    }

    fn close(&self, process: &mut Process) {
        process.say("Q");
    }

    fn has_noticed(&self, _case: &Case, output: &str) -> bool {
        output.contains("\nCLOSED")
    }
}

/// Its server takes a ClientHello in several datagrams, as one with a post-quantum share is, only from a client that has brought
/// back a cookie: the share is sent when the server asks for it.
fn with_group(group: Group, case: Case) -> Case {
    match (group, case.role) {
        (Group::X25519MlKem768, Role::Client) => {
            Case { group: Some(group), share: Some(Group::X25519), has_cookie: true, ..case }
        }
        _ => Case { group: Some(group), ..case },
    }
}

fn case(role: Role) -> Case {
    // Its server is not asked for anything but one group.
    Case { group: Some(Group::X25519), ..Case::new(role, Version::Dtls13) }
}

#[test]
fn each_cipher_suite_and_either_goodbye() {
    if let Some(wolfssl) = wolfssl() {
        let cases = ROLES.into_iter().flat_map(|role| with_suites(case(role)));
        call::all(wolfssl, &call::with_closers(wolfssl, cases));
    }
}

#[test]
fn each_group_and_each_profile_of_srtp() {
    if let Some(wolfssl) = wolfssl() {
        let groups = Group::ALL.iter().flat_map(|&group| ROLES.map(|role| with_group(group, case(role))));
        let profiles = SrtpProfile::ALL.iter().flat_map(|&profile| ROLES.map(|role| Case { profile, ..case(role) }));
        call::all(wolfssl, &groups.chain(profiles).collect::<Vec<_>>());
    }
}

#[test]
fn each_kind_of_certificate_on_either_side() {
    if let Some(wolfssl) = wolfssl() {
        // Built as it is, it has no Ed25519.
        call::all(wolfssl, &with_certificates(case, |case| ![case.ours, case.theirs].contains(&"ed25519")));
    }
}

#[test]
fn cookies_of_either_server() {
    if let Some(wolfssl) = wolfssl() {
        let groups = [Group::X25519, Group::X25519MlKem768];
        let cases = groups.map(|group| ROLES.map(|role| with_group(group, Case { has_cookie: true, ..case(role) })));
        call::all(wolfssl, &cases.concat());
    }
}

#[test]
fn loss_only_delays() {
    if let Some(wolfssl) = wolfssl() {
        let groups = [Group::X25519, Group::X25519MlKem768];
        let cases = groups.map(|group| {
            ROLES.map(|role| with_group(group, Case { has_cookie: group == Group::X25519, ..case(role) }))
        });
        call::all_through_loss(wolfssl, &call::with_closers(wolfssl, cases.concat()), 2);
    }
}
