//! Messages of other people, where `WIGWAG_TESTDATA` says that they are.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it skipped")]

use std::path::PathBuf;
use wigwag_stun::{IntegrityKey, Message};

#[expect(clippy::disallowed_methods, reason = "test data is found by the environment")]
fn folder(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("WIGWAG_TESTDATA").ok().map(|root| PathBuf::from(root).join(name));
    if folder.is_none() {
        println!("skipped: WIGWAG_TESTDATA is not set");
    }
    folder
}

/// The string of a field in the text after `at`: all that these files need of JSON.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.split_once(&format!("\"{name}\":"))?.1;
    value.split('"').nth(1)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

#[test]
fn positive_vectors_are_authentic() {
    let Some(folder) = folder("stun-vectors") else { return };
    let text = std::fs::read_to_string(folder.join("stun_positive.json")).unwrap();
    let mut count = 0;
    for vector in text.split("\"name\":").skip(1) {
        let bytes = hex(field(vector, "hex").unwrap());
        let message = Message::decode(&bytes).unwrap();
        if field(vector, "cred") == Some("short-term") {
            assert!(message.is_authentic(&IntegrityKey::short_term(field(vector, "password").unwrap())));
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

/// Those of libwebrtc are read from 44 bytes each, whatever stands behind them in memory.
#[test]
fn negative_vectors_do_not_decode() {
    let Some(folder) = folder("stun-vectors") else { return };
    let text = std::fs::read_to_string(folder.join("webrtc_stun_unittest.json")).unwrap();
    let negative = ["ZeroLength", "ExcessLength", "SmallLength", "BadHmacAtEnd"];
    let mut refused = 0;
    for vector in text.split("\"name\":").skip(1) {
        let name = vector.split('"').nth(1).unwrap();
        let mut bytes = hex(field(vector, "hex").unwrap());
        let is_negative = negative.iter().any(|negative| name.ends_with(negative));
        if is_negative {
            bytes.resize(44, 0);
        }
        if is_negative || name == "kRtcpPacket" {
            assert!(Message::decode(&bytes).is_err(), "{name}");
            refused += 1;
        }
    }
    assert_eq!(refused, 5);
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte| ALPHABET.iter().position(|letter| *letter == byte);
    let bits: Vec<u8> = text
        .bytes()
        .map_while(value)
        .flat_map(|value| (0..6).rev().map(move |bit| u8::from(value >> bit & 1 == 1)))
        .collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

#[test]
fn messages_of_browsers_decode() {
    let Some(folder) = folder("pion-stun") else { return };
    let text = std::fs::read_to_string(folder.join("frombrowsers.csv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let messages: Vec<_> = lines.map(|line| base64(line.split(',').nth(1).unwrap())).collect();
    assert!(!messages.is_empty());
    for message in &messages {
        Message::decode(message).unwrap();
    }
    Message::decode(&std::fs::read(folder.join("ex1_chrome.stun")).unwrap()).unwrap();
}

#[test]
fn findings_of_fuzzers_are_survived() {
    let seeds = folder("libwebrtc-fuzz").map(|folder| folder.join("stun-corpus"));
    let findings = folder("pion-stun").map(|folder| folder.join("fuzz"));
    let Some((seeds, findings)) = seeds.zip(findings) else { return };
    let folders = std::iter::once(seeds).chain(std::fs::read_dir(findings).unwrap().map(|entry| entry.unwrap().path()));
    for file in folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let _ = Message::decode(&bytes).map(|message| message.is_authentic(&IntegrityKey::short_term("")));
    }
}
