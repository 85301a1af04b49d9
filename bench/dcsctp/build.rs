//! Copies dcsctp's source from where cargo has it, with one change: what is written into its packet log is made only if that is on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const LOG: &str = "pub fn log_packet(name: &str, ts: SocketTime, sent: bool, data: &[u8]) {\n";
const GATE: &str = "        if !log::log_enabled!(log::Level::Info) {\n            return;\n        }\n";

fn main() {
    let out = PathBuf::from(variable("OUT_DIR")).join("src");
    copy(&source(), &out);
    let path = out.join("lib.rs");
    let text = fs::read_to_string(&path).expect("a library");
    assert_eq!(text.matches(LOG).count(), 1, "dcsctp's packet log is not where it was");
    fs::write(path, text.replace(LOG, &format!("{LOG}{GATE}"))).expect("a file to write");
    println!("cargo:rerun-if-changed=build.rs");
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it")
}

/// Where the source of the dependency is.
fn source() -> PathBuf {
    let manifest = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--features=data", "--filter-platform"])
        .arg(variable("TARGET"))
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let package = packages.find(|package| package["name"] == "dcsctp").expect("dcsctp is a dependency");
    let manifest = package["manifest_path"].as_str().expect("a path");
    Path::new(manifest).with_file_name("src")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::write(to, fs::read(&path).expect("a file")).expect("a file to write");
        }
    }
}
