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
    assert_eq!(result["dtls"], "1.2");
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
    let path = std::env::temp_dir().join(format!("wigwag-test-{}.pcap", std::process::id()));
    let text = loopback(&["--seconds", "1", "--pcap", path.to_str().unwrap()]);
    for word in ["path", "set-up", "DTLS 1.2", "identical", "MB/s", "packets arrived", "drops"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let recording = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(recording[..4], [0xA1, 0xB2, 0xC3, 0xD4]);
    assert_eq!(count_packets(&recording[24..]), Ok(()));
}

/// Every record is as long as it says, and is an IPv4 packet with UDP inside.
fn count_packets(mut rest: &[u8]) -> Result<(), String> {
    while !rest.is_empty() {
        let (header, after) = rest.split_at_checked(16).ok_or("a record without header")?;
        let len = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
        let (packet, after) = after.split_at_checked(len).ok_or("a record is cut")?;
        if packet[0] != 0x45 || packet[9] != 17 || usize::from(u16::from_be_bytes([packet[2], packet[3]])) != len {
            return Err(format!("no IPv4 packet: {packet:02x?}"));
        }
        rest = after;
    }
    Ok(())
}
