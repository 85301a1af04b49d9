//! What others wrote, out of cargo's registry, to be built outside the repository.

use crate::{Error, process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where things are kept that take long to build: outside the repository, so that all working copies share them.
pub(crate) fn cache(name: &str) -> Result<PathBuf, Error> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    Ok(base.ok_or("neither XDG_CACHE_HOME nor HOME says where a cache may be")?.join("wigwag").join(name))
}

/// A folder that begins empty: what was cut off before is not trusted.
pub(crate) fn empty(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// Has cargo fetch a crate, working in `folder`, and returns where it was unpacked; that is not to be written to.
pub(crate) fn unpacked(folder: &Path, (name, version): (&str, &str)) -> Result<PathBuf, Error> {
    let fetch = folder.join("fetch");
    fs::create_dir_all(fetch.join("src"))?;
    fs::write(fetch.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n{name} = \"={version}\"\n[workspace]\n"
    );
    fs::write(fetch.join("Cargo.toml"), manifest)?;
    let metadata = process::output(process::cargo(&["metadata", "--format-version", "1"]).current_dir(&fetch))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == name).ok_or("cargo did not fetch the sources")?;
    let manifest = Path::new(package["manifest_path"].as_str().ok_or("cargo does not say where the sources are")?);
    Ok(manifest.parent().ok_or("no folder of sources")?.to_owned())
}

pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?)
}

/// Copies a folder with all that is in it; what may be run may be run in the copy, too.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to)?;
    for path in entries(from)? {
        let to = to.join(path.file_name().ok_or("no name")?);
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(path, to)?;
        }
    }
    Ok(())
}

/// A step without which nothing more can be done.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    process::announce(command);
    if command.status()?.success() { Ok(()) } else { Err(format!("{} failed", command.get_program().display()).into()) }
}
