//! How wolfSSL is built, from the sources that a crate carries. It is under the GPL: nothing of it is in the repository, and
//! nothing of ours is linked with it but a small program of the tests.

use crate::{Error, Tally, fetch};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The crate; the folder is named for it, so that another version is built anew.
const SOURCES: (&str, &str) = ("wolfssl-sys", "5.3.0");
/// What WebRTC uses of DTLS 1.3, and nothing older than 1.2.
const OPTIONS: [&str; 13] = [
    "--enable-dtls",
    "--enable-dtls13",
    "--enable-dtls-frag-ch",
    "--enable-dtls-mtu",
    "--enable-srtp",
    "--enable-mlkem",
    "--enable-keying-material",
    "--enable-supportedcurves",
    "--enable-curve25519",
    "--disable-shared",
    "--enable-static",
    "--disable-oldtls",
    "--disable-examples",
];
const LIBRARY: &str = "libwolfssl.a";

/// Where the library and its headers are, once they are built.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let (name, version) = SOURCES;
    Ok(fetch::cache("wolfssl")?.join(format!("{name}-{version}")))
}

pub(crate) fn is_built() -> Result<bool, Error> {
    Ok(folder()?.join(LIBRARY).is_file())
}

/// Builds the library, if it is not there.
pub(super) fn install(is_dry: bool) -> Result<Tally, Error> {
    let folder = folder()?;
    if is_built()? {
        println!("present:   wolfSSL ({})", folder.display());
        return Ok(Tally::of(true));
    }
    println!("missing:   wolfSSL (cargo xtask long --part peers)");
    if is_dry {
        println!("to do:     cargo xtask setup --compiled (fetches 20 MB, builds for some minutes)");
        return Ok(Tally::skipped());
    }
    let work = fetch::cache("wolfssl")?.join("building");
    fetch::empty(&work)?;
    let tree = work.join("wolfssl");
    fetch::copy(&fetch::unpacked(&work, SOURCES)?.join("wolfssl-src"), &tree)?;
    let step = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(&tree);
        command
    };
    fetch::run(step("sh").arg("./autogen.sh"))?;
    fetch::run(step("sh").arg("./configure").arg("--quiet").args(OPTIONS))?;
    // All that there is would take tests that the crate leaves out.
    fetch::run(step("make").args(["-s", "src/libwolfssl.la"]))?;
    let built = work.join("built");
    fs::create_dir_all(&built)?;
    fetch::copy(&tree.join("wolfssl"), &built.join("include/wolfssl"))?;
    fs::copy(tree.join("src/.libs").join(LIBRARY), built.join(LIBRARY))?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(built, &folder)?;
    fs::remove_dir_all(&work)?;
    println!("built:     {}", folder.display());
    Ok(Tally::of(true))
}
