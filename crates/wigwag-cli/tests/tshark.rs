//! What `--keylog` and `--pcap` write, read by somebody else's program.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A run of `wigwag loopback`, recorded.
struct Recorded {
    folder: PathBuf,
    capture: PathBuf,
    key_log: PathBuf,
    result: Value,
}

impl Recorded {
    fn loopback(name: &str, options: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("wigwag-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (capture, key_log) = (folder.join("call.pcapng"), folder.join("keys"));
        let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
        wigwag.args(["loopback", "--seconds", "1", "--json"]).args(options);
        wigwag.arg("--pcap").arg(&capture).arg("--keylog").arg(&key_log);
        let output = wigwag.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder, capture, key_log, result: serde_json::from_slice(&output.stdout).unwrap() }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether there is a tshark; says so if not.
fn has_tshark() -> bool {
    let is_there = ["tshark", "editcap"].iter().all(|program| Command::new(program).arg("--version").output().is_ok());
    if !is_there {
        println!("skipped: there is no tshark: cargo xtask setup");
    }
    is_there
}

/// A packet as tshark sees it.
struct Seen {
    interface: String,
    /// As `raw:ip:udp:dtls:data`.
    protocols: String,
    chunk_types: Vec<String>,
    /// 0 is bad, 1 is good.
    checksums: Vec<String>,
    /// RFC 9653 §5.3: inside DTLS, none is right, too.
    has_zero_checksum: bool,
    direction: String,
}

const FIELDS: [&str; 8] = [
    "frame.interface_name",
    "frame.protocols",
    "sctp.chunk_type",
    "sctp.checksum",
    "ip.checksum.status",
    "udp.checksum.status",
    "sctp.checksum.status",
    "frame.packet_flags_direction",
];

fn read(capture: &Path, options: &[&str]) -> Vec<Seen> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).args(options);
    for check in ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE", "sctp.checksum:CRC 32c"] {
        tshark.args(["-o", check]);
    }
    tshark.args(["-T", "fields"]).args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [interface, protocols, chunk_types, sctp, checksums @ .., direction] = &fields[..] else {
            panic!("{line}")
        };
        Seen {
            interface: (*interface).to_owned(),
            protocols: (*protocols).to_owned(),
            chunk_types: chunk_types.split(',').map(str::to_owned).collect(),
            checksums: checksums
                .iter()
                .filter(|status| !status.is_empty())
                .map(|status| (*status).to_owned())
                .collect(),
            has_zero_checksum: *sctp == "0x00000000",
            direction: (*direction).to_owned(),
        }
    };
    String::from_utf8(output.stdout).unwrap().lines().map(seen).collect()
}

/// How many records of application data there are, and how many could be opened.
fn opened(seen: &[Seen]) -> [usize; 2] {
    let on_wire = seen.iter().filter(|seen| seen.interface == "wire");
    let records = on_wire.filter(|seen| seen.protocols.starts_with("raw:ip:udp:dtls"));
    [records.clone().count(), records.filter(|seen| seen.protocols.contains(":dtls:data")).count()]
}

#[test]
fn the_key_log_opens_the_datagrams_and_without_it_they_stay_closed() {
    if !has_tshark() {
        return;
    }
    // The oldest tshark that is still about does not know the records of 1.3.
    let recorded = Recorded::loopback("keylog", &["--dtls", "1.2"]);
    assert_eq!(recorded.result["dtls"], "1.2");
    let lines = std::fs::read_to_string(&recorded.key_log).unwrap();
    assert!(!lines.is_empty() && lines.ends_with('\n'));
    for line in lines.lines() {
        assert!(line.split(' ').count() == 3 && line.starts_with(char::is_uppercase), "{line}");
    }
    let closed = recorded.folder.join("closed.pcapng");
    let editcap = Command::new("editcap").arg("--discard-all-secrets").args([&recorded.capture, &closed]).status();
    assert!(editcap.unwrap().success());
    let [records, decrypted] = opened(&read(&closed, &[]));
    assert!(records > 100 && decrypted == 0, "nobody reads them who has no keys: {decrypted} of {records}");
    let keys = format!("tls.keylog_file:{}", recorded.key_log.display());
    for read in [read(&closed, &["-o", &keys]), read(&recorded.capture, &[])] {
        let [records, decrypted] = opened(&read);
        assert!(records - decrypted < 10, "all but the handshake and its end: {decrypted} of {records}");
    }
}

#[test]
fn what_is_in_the_datagrams_can_be_read_beside_them() {
    if !has_tshark() {
        return;
    }
    for dtls in ["1.2", "1.3"] {
        read_beside(&Recorded::loopback(&format!("plain-{dtls}"), &["--dtls", dtls]));
    }
}

fn read_beside(recorded: &Recorded) {
    let seen = read(&recorded.capture, &[]);
    let count = |interface: &str, protocol: &str| {
        let of_interface = seen.iter().filter(|seen| seen.interface == interface);
        of_interface.filter(|seen| seen.protocols.split(':').any(|found| found == protocol)).count()
    };
    for (interface, protocol) in
        [("wire", "stun"), ("wire", "dtls"), ("plain", "sctp"), ("plain", "rtcdc"), ("plain", "rtp"), ("plain", "rtcp")]
    {
        assert!(count(interface, protocol) > 0, "{protocol}");
    }
    // RFC 9260 §3.2: INIT, SACK, and DATA or I-DATA (RFC 8260 §2.1).
    for kinds in [["1"].as_slice(), &["3"], &["0", "64"]] {
        let has_one = |seen: &Seen| seen.chunk_types.iter().any(|found| kinds.contains(&found.as_str()));
        assert!(seen.iter().any(has_one), "chunk {kinds:?}");
    }
    // Of both ends together, as the program counts them.
    let sent = recorded.result["media"]["packets_sent"].as_u64().unwrap();
    assert_eq!(count("plain", "rtp") as u64, sent);
    for seen in &seen {
        assert!(!seen.protocols.contains("_ws.malformed"), "{}", seen.protocols);
        let is_good = seen.has_zero_checksum || seen.checksums.iter().all(|status| status == "1");
        assert!(is_good, "{} {:?}", seen.protocols, seen.checksums);
        let has_checksum = seen.interface == "wire" || seen.protocols.contains("sctp");
        assert_eq!(has_checksum, !seen.checksums.is_empty(), "{}", seen.protocols);
        assert_ne!(seen.direction, "0x00000000", "each says which way it went");
    }
    assert!(recorded.result["drops"]["tap.no_room"].as_u64().is_none_or(|count| count == 0), "nothing was left out");
}

/// The page for people: whoever types what it says gets something to read.
#[test]
fn every_command_of_the_page_about_debugging_works() {
    if !has_tshark() {
        return;
    }
    let page = include_str!("../../../docs/debugging.md");
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let commands: Vec<_> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() > 8 && commands[0].starts_with("wigwag loopback "), "{commands:?}");
    let folder = std::env::temp_dir().join(format!("wigwag-debugging-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_wigwag")).parent().unwrap();
    let path = std::env::join_paths(
        [program.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    for command in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&folder).env("PATH", path.as_ref().unwrap());
        let output = shell.stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
        let writes = command.contains(" -w ") || command.starts_with("editcap");
        assert!(writes || output.stdout.iter().filter(|byte| **byte == b'\n').count() > 1, "{command} says nothing");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
