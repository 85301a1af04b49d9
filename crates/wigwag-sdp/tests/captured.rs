//! Descriptions of browsers and other stacks, found by `WIGWAG_TESTDATA`.

use std::fs;
use std::path::{Path, PathBuf};
use wigwag_sdp::{Attribute, Candidate, SessionDescription};

#[expect(clippy::print_stdout, reason = "whoever reads the output shall know what was not tested")]
#[expect(clippy::disallowed_methods, reason = "where the data of others lies is no configuration of ours")]
fn testdata() -> Option<PathBuf> {
    let found = std::env::var("WIGWAG_TESTDATA").ok();
    if found.is_none() {
        println!("skipped: WIGWAG_TESTDATA is not set");
    }
    found.map(PathBuf::from)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("the file is readable")))
        .collect();
    files.sort();
    files
}

fn unknown(session: &SessionDescription) -> Vec<&str> {
    let media = session.media.iter().map(|section| &section.attributes);
    let all = [&session.attributes].into_iter().chain(media).flat_map(|attributes| attributes.iter());
    all.filter(|attribute| matches!(attribute, Attribute::Unknown(_))).map(Attribute::name).collect()
}

#[test]
fn prints_what_browsers_and_other_stacks_send_as_it_was() {
    let Some(testdata) = testdata() else { return };
    let folder = testdata.join("../interop/sdp");
    if !folder.exists() {
        return println!("skipped: no captured descriptions beside WIGWAG_TESTDATA");
    }
    for (name, bytes) in files(&folder) {
        let session = SessionDescription::parse_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.to_string().as_bytes(), bytes, "{name}");
        assert_eq!(unknown(&session), [""; 0], "{name}: each attribute has a type");
    }
}

#[test]
fn reads_the_examples_of_rfc_9429_and_prints_them_as_they_were() {
    let Some(testdata) = testdata() else { return };
    for (name, bytes) in files(&testdata.join("sdp-jsep")) {
        let text = String::from_utf8(bytes).expect("UTF-8");
        if name.contains("-candidate-") {
            let candidate = text.lines().find_map(|line| line.strip_prefix("attr")).expect("a candidate").trim();
            assert_eq!(Candidate::parse(candidate).expect(&name).to_string(), candidate);
        } else if name.ends_with(".sdp") {
            let session = SessionDescription::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(session.to_string(), text, "{name}");
        }
    }
}

#[test]
fn whatever_a_fuzzer_keeps_is_refused_or_reads_the_same_when_printed() {
    let Some(testdata) = testdata() else { return };
    let (mut read, mut refused) = (0, Vec::new());
    for (name, bytes) in files(&testdata.join("libwebrtc-fuzz/sdp-corpus")) {
        match SessionDescription::parse_bytes(&bytes) {
            Ok(session) => {
                assert_eq!(SessionDescription::parse(&session.to_string()).as_ref(), Ok(&session), "{name}");
                read += 1;
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    println!("{read} read, {} refused:\n{}", refused.len(), refused.join("\n"));
    assert!(read > 50, "{}", refused.join("\n"));
}
