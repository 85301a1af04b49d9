//! The program as its users start it: what it says, and with which code it ends.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output, Stdio};

fn wigwag(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wigwag")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a failure says: one line, after the program's name.
fn complaint(output: &Output) -> String {
    let text = text(&output.stderr);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("wigwag: ") && !text.contains("panicked"), "{text}");
    text
}

#[test]
fn help_names_commands_options_and_examples() {
    let output = wigwag(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for word in ["demo", "loopback", "turn-server", "Examples:", "--verbose", "http://127.0.0.1:8080"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for (command, options) in [
        ("demo", ["--listen", "--tls", "--media-port", "--keylog", "--pcap"].as_slice()),
        ("loopback", &["--seconds", "--json", "--dtls", "--keylog", "--pcap"]),
        ("turn-server", &["--listen", "--relay", "--ports", "--user", "--secret", "--realm", "--allow", "--deny"]),
    ] {
        let help = text(&wigwag(&[command, "--help"]).stdout);
        assert!(options.iter().all(|option| help.contains(option)), "{help}");
    }
}

#[test]
fn without_a_command_it_says_what_there_is() {
    let output = wigwag(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: wigwag"));
}

#[test]
fn the_version_is_the_crates() {
    assert_eq!(text(&wigwag(&["--version"]).stdout), format!("wigwag {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_cannot_be_understood_is_refused_with_code_2() {
    for arguments in [
        ["demo", "--listen", "nowhere"].as_slice(),
        &["demo", "--listen", "example.org:80"],
        &["demo", "--media-port", "65536"],
        &["turn-server"],
        &["turn-server", "--user", "alice"],
        &["turn-server", "--user", "alice:secret", "--listen", "0.0.0.0:3478"],
        &["turn-server", "--user", "alice:secret", "--relay", "0.0.0.0"],
        &["turn-server", "--user", "alice:secret", "--ports", "2000-1000"],
        &["turn-server", "--user", "alice:secret", "--allow", "10.0.0.0/33"],
        &["loopback", "--seconds", "0"],
        &["loopback", "--seconds", "many"],
        &["loopback", "--dtls", "1.1"],
        &["dance"],
    ] {
        let output = wigwag(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = text(&output.stderr);
        assert!(text.starts_with("error: ") && !text.contains("panicked"), "{text}");
    }
    let text = text(&wigwag(&["demo", "--listen", "nowhere"]).stderr);
    assert!(text.contains("such as 127.0.0.1:8080"), "{text}");
}

#[test]
fn a_taken_port_is_a_line_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = wigwag(&["demo", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains(&address) && complaint.contains("choose another port with --listen"), "{complaint}");
}

#[test]
fn an_address_of_another_machine_is_a_line_that_says_so() {
    let output = wigwag(&["demo", "--listen", "192.0.2.77:0"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains("192.0.2.77") && complaint.contains("no such address"), "{complaint}");
}

#[test]
fn a_taken_media_port_is_a_line_that_names_its_option() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = wigwag(&["demo", "--listen", "127.0.0.1:0", "--media-port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains(&port) && complaint.contains("--media-port"), "{complaint}");
}

#[test]
fn a_file_that_cannot_be_written_is_a_line_that_says_why() {
    let folder = std::env::temp_dir();
    let missing = folder.join("there-is-no-such-folder").join("run.pcap");
    for (path, reason) in [(missing.as_path(), "does not exist"), (folder.as_path(), "folder")] {
        let path = path.to_str().unwrap();
        for option in ["--pcap", "--keylog"] {
            for command in [["loopback", "--seconds", "1"], ["demo", "--listen", "127.0.0.1:0"]] {
                let output = wigwag(&[command.as_slice(), &[option, path]].concat());
                assert_eq!(output.status.code(), Some(1));
                let complaint = complaint(&output);
                for word in [path, reason, option] {
                    assert!(complaint.contains(word), "{complaint}");
                }
            }
        }
    }
}

/// The first byte of a capture is written before the call, the key log in the midst of it.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_line_that_says_so() {
    for option in ["--pcap", "--keylog"] {
        let output = wigwag(&["loopback", "--seconds", "1", option, "/dev/full"]);
        assert_eq!(output.status.code(), Some(1));
        let text = text(&output.stderr);
        let last = text.lines().last().unwrap();
        let words = ["wigwag: cannot write /dev/full", option, "the disk is full"];
        assert!(words.iter().all(|word| last.contains(word)) && !text.contains("panicked"), "{text}");
    }
}

/// Secrets are their owner's, and a key log goes on where the last one ended.
#[test]
#[cfg(unix)]
fn a_key_log_grows_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("wigwag-keys-{}", std::process::id()));
    for runs in 1..=2 {
        let output = wigwag(&["loopback", "--seconds", "1", "--keylog", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let lines = std::fs::read_to_string(&path).unwrap();
        let connections: std::collections::BTreeSet<_> = lines.lines().map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(connections.len(), runs, "one client random a call: {lines}");
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wigwag"))
        .args(["loopback", "--seconds", "1", "--json"])
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("cannot write the result"));
}

#[test]
fn a_filter_that_makes_no_sense_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_wigwag"))
        .arg("loopback")
        .env("WIGWAG_LOG", "wigwag=loud=er")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("WIGWAG_LOG"));
}

#[test]
fn seconds_are_explained() {
    for seconds in ["0", "-1", "1.5", "many", "3601"] {
        let output = wigwag(&["loopback", "--seconds", seconds]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("from 1 to 3600"), "{seconds}: {}", text(&output.stderr));
    }
}

/// Whoever ends a long run gets its result, and a recording that is whole.
#[test]
#[cfg(unix)]
fn a_signal_ends_a_run_early_with_its_result() {
    let child = Command::new(env!("CARGO_BIN_EXE_wigwag"))
        .args(["loopback", "--seconds", "600", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("{\"connected\":true"), "{}", text(&output.stdout));
}
