//! Scripts in packetdrill's language: those of ETSI TS 102 369, which are read from `$WIGWAG_TESTDATA`, if that is set,
//! and our own in `scripts/`. Each says what a user does, what arrives, and what the machine must send, and when.

mod calls;
mod check;
mod encode;
mod errno;
mod host;
mod lexer;
mod numbers;
mod options;
mod runner;
mod schema;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

/// Scripts that are about what an association on one path below DTLS does not have, and the rule that says so.
const LEFT_OUT: &[(&str, &str)] = &[
    // RFC 8261 §6: an association inside DTLS has one path, and addresses say nothing.
    ("sctp-as-o-1-9-2", "multi-homing: RFC 9260 §5.2.2, a restart that adds addresses"),
    ("sctp-rt-i-11-3", "multi-homing: RFC 9260 §6.4.1, retransmissions to an alternate address"),
    ("sctp-fh-o-5-3-5", "kernel: RFC 9260 §8.4 1, a packet whose source address is not unicast"),
];

/// All scripts below a folder, by their names.
fn scripts(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    found.sort();
    found
}

fn run(path: &Path) -> Result<(), String> {
    runner::run(&fs::read_to_string(path).map_err(|error| error.to_string())?)
}

#[test]
fn the_scripts_of_etsi_ts_102_369_pass() {
    #[expect(clippy::disallowed_methods, reason = "where the data of others lies is no configuration of ours")]
    let testdata = std::env::var("WIGWAG_TESTDATA").ok();
    let Some(testdata) = testdata else { return println!("skipped: WIGWAG_TESTDATA is not set") };
    let folder = Path::new(&testdata).join("etsi-sctp");
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, path) in scripts(&folder) {
        let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        match run(&path) {
            Ok(()) => passed += 1,
            Err(_) if is_left_out => {}
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    println!("{passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed >= 68, "only {passed} scripts were there");
}

#[test]
fn every_script_left_out_says_why() {
    for (name, rule) in LEFT_OUT {
        assert!(rule.starts_with("multi-homing: RFC") || rule.starts_with("kernel: RFC"), "{name}");
    }
}

#[test]
fn our_own_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packetdrill/scripts");
    let scripts = scripts(&folder);
    assert!(scripts.len() >= 4);
    let failed: Vec<_> =
        scripts.iter().filter_map(|(name, path)| run(path).err().map(|error| format!("{name}: {error}"))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A script that passes, and what each change of a line of it leads to.
const GOOD: &str = "
+0.0 socket(..., SOCK_STREAM, IPPROTO_SCTP) = 3
+0.0 listen(3, 1) = 0
+0.0 < sctp: INIT[flgs=0, tag=1, a_rwnd=1500, os=1, is=1, tsn=1]
+0.0 > sctp: INIT_ACK[flgs=0, tag=2, a_rwnd=..., os=..., is=..., tsn=1, ...]
+0.1 < sctp: COOKIE_ECHO[flgs=0, len=..., val=...]
+0.0 > sctp: COOKIE_ACK[flgs=0]
+0.0 accept(3, ..., ...) = 4
+0.0 write(4, ..., 100) = 100
+0.0 > sctp: DATA[flgs=BE, len=116, tsn=1, sid=0, ssn=0, ppid=0]
+0.0 < sctp: SACK[flgs=0, cum_tsn=1, a_rwnd=1500, gaps=[], dups=[]]
+0.5 < sctp: DATA[flgs=BE, len=116, tsn=1, sid=0, ssn=0, ppid=0]
+0.0 > sctp: SACK[flgs=0, cum_tsn=1, a_rwnd=..., gaps=[], dups=[]]
+0.0 read(4, ..., 200) = 100
";

#[test]
fn what_is_not_known_and_what_is_not_so_fails() {
    assert_eq!(runner::run(GOOD), Ok(()));
    for (from, to) in [
        ("listen(3, 1)", "ioctl(3, 1)"),
        ("SOCK_STREAM", "SOCK_DGRAM"),
        ("sctp: COOKIE_ACK", "tcp: COOKIE_ACK"),
        ("sctp: COOKIE_ACK", "COOKIE_ACK"),
        ("COOKIE_ACK", "COOKIE_NACK"),
        ("COOKIE_ACK[flgs=0]", "COOKIE_ACK[flgs=0, len=4]"),
        ("COOKIE_ACK[flgs=0]", "COOKIE_ACK[flgs=1]"),
        ("COOKIE_ACK[flgs=0]", "COOKIE_ACK[]"),
        ("COOKIE_ACK[flgs=0]", "COOKIE_ACK[flgs=0]; SHUTDOWN_ACK[flgs=0]"),
        ("+0.0 > sctp: DATA", "+0.1 > sctp: DATA"),
        ("+0.0 > sctp: DATA", "+0.0 < sctp: DATA"),
        ("flgs=BE", "flgs=B"),
        ("flgs=BE", "flgs=BX"),
        ("len=116, tsn=1, sid=0", "len=116, sid=0, tsn=1"),
        ("len=116", "len=117"),
        ("tsn=1, sid=0", "tsn=2, sid=0"),
        ("sid=0", "sid=1"),
        ("ssn=0", "ssn=1"),
        ("ppid=0", "ppid=7"),
        ("a_rwnd=..., gaps=[], dups=[]", "a_rwnd=..., gaps=[2:2], dups=[]"),
        ("a_rwnd=..., gaps=[], dups=[]", "a_rwnd=..., gaps=[], dups=[1]"),
        ("a_rwnd=..., gaps=[], dups=[]", "a_rwnd=7, gaps=[], dups=[]"),
        ("200) = 100", "200) = 99"),
        ("200) = 100", "200) = -1 EAGAIN"),
        ("write(4, ..., 100) = 100", "write(4, ..., 100) = -1 ESOMETHING"),
        ("write(4", "write(9"),
        ("+0.0 listen", "#pragma once\n+0.0 listen"),
        ("+0.0 listen", "--verbose\n+0.0 listen"),
        ("+0.0 listen", "+0.0 `rm x`\n+0.0 listen"),
        ("+0.0 listen", "* listen"),
        ("+0.0 listen(3, 1) = 0", "+0.0 listen(3, 1) = 0\n+0.0 setsockopt(3, IPPROTO_SCTP, SCTP_HMAC, [1], 4) = 0"),
        (
            "+0.0 listen(3, 1) = 0",
            "+0.0 listen(3, 1) = 0\n+0.0 setsockopt(3, IPPROTO_SCTP, SCTP_RTOINFO, {srto_last=1}, 4) = 0",
        ),
    ] {
        let bad = GOOD.replacen(from, to, 1);
        assert_ne!(bad, GOOD, "{from}");
        assert!(runner::run(&bad).is_err(), "{to}");
    }
}
