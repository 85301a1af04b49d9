//! Two peers over real sockets, started as a user would.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::process::{Command, Stdio};

fn loopback(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wigwag"))
        .arg("loopback")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// How fast it is says a release build; here it must be right.
#[test]
fn all_data_arrive_unchanged_and_the_result_is_one_line() {
    let text = loopback(&["--seconds", "1", "--json"]);
    assert_eq!(text.lines().count(), 1, "{text}");
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["connected"], true);
    assert_eq!(result["dtls"], "1.3");
    assert!(result["setup_ms"].as_f64().unwrap() > 0.0);
    assert!(result["pair"].as_str().unwrap().starts_with("127.0.0.1:"), "{text}");
    for name in ["suite", "srtp"] {
        assert!(result[name].is_string(), "{name}: {text}");
    }
    let data = &result["data"];
    assert_eq!(data["equal"], true);
    assert_eq!(data["bytes_sent"], data["bytes_received"]);
    for way in ["a_to_z", "z_to_a"] {
        assert!(data[way]["bytes_sent"].as_u64().unwrap() > 1_000_000, "{text}");
        assert_eq!(data[way]["sha256_sent"], data[way]["sha256_received"]);
        assert_eq!(data[way]["sha256_sent"].as_str().unwrap().len(), 64);
    }
    let media = &result["media"];
    let [sent, received] = ["packets_sent", "packets_received"].map(|name| media[name].as_u64().unwrap());
    assert!(sent > 300 && received > 0 && received <= sent, "{text}");
    assert!(result["drops"].is_object());
    if cfg!(target_os = "linux") {
        assert!(data["cpu_s_per_gb"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_person_gets_a_table_and_a_recording() {
    let path = std::env::temp_dir().join(format!("wigwag-test-{}.pcapng", std::process::id()));
    let text = loopback(&["--seconds", "1", "--dtls", "1.2", "--pcap", path.to_str().unwrap()]);
    for word in ["path", "set-up", "DTLS 1.2", "identical", "MB/s", "packets arrived", "drops"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let recording = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let kinds = blocks(&recording).unwrap();
    // A section, two interfaces, packets, and the keys among them.
    assert_eq!(kinds[..3], [0x0A0D_0D0A, 1, 1]);
    let count = |wanted: u32| kinds.iter().filter(|kind| **kind == wanted).count();
    assert!(count(6) > 1000 && count(10) >= 1 && count(6) + count(10) + 3 == kinds.len());
}

/// The types of the blocks, each of which says at both ends how long it is.
fn blocks(mut rest: &[u8]) -> Result<Vec<u32>, String> {
    let mut kinds = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| rest.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let (kind, len) = word(0).zip(word(4)).ok_or("a block without header")?;
        let len = len as usize;
        if len < 12 || word(len - 4) != Some(len as u32) {
            return Err(format!("a block is cut, or does not end as it begins: {len}"));
        }
        kinds.push(kind);
        rest = &rest[len..];
    }
    Ok(kinds)
}
