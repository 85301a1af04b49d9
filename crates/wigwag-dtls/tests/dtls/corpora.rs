//! What the fuzzers of other stacks have found, read from `$WIGWAG_TESTDATA`, if that is set: no panic, no answer to it,
//! and a connection that lives.

use crate::common::{A, Pair, Z, as_it_is, established};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WIGWAG_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WIGWAG_TESTDATA is not set");
    }
    folder
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(std::fs::read(path).expect("a file")) }
    }
    files
}

/// The datagrams in a corpus of BoringSSL: each after its length in 3 bytes, after tags of 2 bytes.
fn framed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while let [0, tag, rest @ ..] = bytes
        && [0, 1, 5].contains(tag)
    {
        bytes = rest;
        if *tag == 0 {
            break;
        }
        bytes = bytes.get(3 + len(bytes)..).unwrap_or_default();
    }
    while let Some(datagram) = bytes.get(3..3 + len(bytes)) {
        datagrams.push(datagram.to_vec());
        bytes = &bytes[3 + datagram.len()..];
    }
    datagrams
}

fn len(bytes: &[u8]) -> usize {
    bytes.iter().take(3).fold(0, |len, byte| len << 8 | usize::from(*byte))
}

/// The literal in a file of Go's fuzzer.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let Some((_, literal)) = text.split_once("[]byte(\"") else { return Vec::new() };
    let (mut bytes, mut chars) = (Vec::new(), literal.chars());
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('x')) => {
                let hex: String = chars.by_ref().take(2).collect();
                bytes.extend(u8::from_str_radix(&hex, 16));
            }
            (_, Some(other)) => bytes.push(other as u8),
            ('"', None) => break,
            (c, None) => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}

fn corpora(folder: &Path) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    for name in ["openssl-dtls", "boringssl-dtls"] {
        for file in files(&folder.join(name)) {
            datagrams.extend(framed(&file));
            datagrams.push(file);
        }
    }
    datagrams.extend(files(&folder.join("pion-dtls")).iter().map(|file| unquoted(file)));
    datagrams.iter_mut().for_each(|datagram| datagram.truncate(65_507));
    assert!(datagrams.len() > 3_000, "{}", datagrams.len());
    datagrams
}

#[test]
fn a_connection_neither_answers_nor_minds() {
    let Some(folder) = folder() else { return };
    let mut pair = established(1);
    let (data, sent) = (pair.data.clone(), pair.sent);
    for datagram in corpora(&folder) {
        pair.deliver(A, &datagram);
        pair.deliver(Z, &datagram);
        assert_eq!((pair.poll(A), pair.poll(Z)), (0, 0));
    }
    assert!(pair.sent == sent && pair.data == data);
    pair.assert_alive();
}

#[test]
fn a_handshake_does_not_panic_wherever_it_is() {
    let Some(folder) = folder() else { return };
    let datagrams = corpora(&folder);
    let mut pair = Pair::new(1);
    for (n, datagram) in datagrams.iter().enumerate() {
        // Some of the genuine datagrams first, and a new pair when the old one has come to its end.
        if n % 40 == 0 || pair.closed.iter().any(Option::is_some) {
            pair = Pair::new(n as u64);
            let mut left = n / 40 % 4;
            pair.exchange(|_, genuine| {
                left = left.saturating_sub(1);
                if left > 0 { vec![genuine] } else { vec![] }
            });
        }
        pair.deliver(A, datagram);
        pair.deliver(Z, datagram);
        pair.exchange(|_, _| vec![]);
        assert_eq!(pair.connected, [false; 2]);
    }
}

/// The flights of others, as if they were meant for us: whatever comes of it, it comes to an end.
#[test]
fn a_server_that_hears_other_clients_first_does_not_panic() {
    let Some(folder) = folder() else { return };
    for file in files(&folder.join("boringssl-dtls")).iter().filter(|file| file.len() < 20_000) {
        let mut pair = Pair::new(1);
        for datagram in framed(file) {
            pair.deliver(Z, &datagram);
            pair.exchange(|_, _| vec![]);
            pair.now += Duration::from_millis(100);
            pair.peers.iter_mut().for_each(|peer| peer.handle_timeout(pair.now));
        }
        pair.run(Duration::from_secs(1), as_it_is);
    }
}
