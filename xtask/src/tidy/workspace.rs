//! What tidy looks at: the packages of a workspace and their files.

use super::source::Source;
use crate::{Error, process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Workspace {
    pub(super) root: PathBuf,
    pub(super) packages: Vec<Package>,
}

pub(super) struct Package {
    pub(super) name: String,
    /// From the root, with `/`.
    pub(super) folder: String,
    pub(super) is_library: bool,
    pub(super) is_published: bool,
    pub(super) dependencies: Vec<Dependency>,
    /// The files at which its library and its programs begin, from the root.
    pub(super) roots: Vec<String>,
    /// The folders into which `cargo doc` writes its library and its programs.
    pub(super) documented: BTreeSet<String>,
    /// Its targets of the kind `test`, with the file at which each begins, from the root.
    pub(super) tests: Vec<(String, String)>,
    pub(super) sources: Vec<Source>,
}

pub(super) struct Dependency {
    pub(super) name: String,
    /// What sources call it: its name, if the manifest gives no other.
    pub(super) alias: String,
    pub(super) is_dev: bool,
}

impl Workspace {
    pub(super) fn load(root: &Path) -> Result<Self, Error> {
        let mut cargo = process::cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let metadata: Value = serde_json::from_str(&process::output(cargo.current_dir(root))?)?;
        let root = fs::canonicalize(root)?;
        let packages =
            list(&metadata, "packages").map(|package| Package::load(&root, package)).collect::<Result<_, _>>()?;
        Ok(Self { root, packages })
    }

    /// A file of the repository, empty if there is none.
    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    /// The packages in `crates/`.
    pub(super) fn crates(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.folder.starts_with("crates/"))
    }
}

impl Package {
    fn load(root: &Path, package: &Value) -> Result<Self, Error> {
        let manifest = fs::canonicalize(text(package, "manifest_path"))?;
        let folder = relative(root, manifest.parent().unwrap_or(root));
        let targets = |kind: &'static str| {
            list(package, "targets")
                .filter(move |target| list(target, "kind").any(|value| value.as_str() == Some(kind)))
        };
        let is_documented = |target: &&Value| target.get("doc").and_then(Value::as_bool) == Some(true);
        let path = |target: &Value| fs::canonicalize(text(target, "src_path")).map(|path| relative(root, &path));
        let mut files = Vec::new();
        for part in ["src", "tests", "benches", "examples"] {
            walk(&root.join(&folder).join(part), &mut files)?;
        }
        let read = |file: PathBuf| Ok(Source::new(relative(root, &file), &fs::read_to_string(&file)?));
        Ok(Self {
            name: text(package, "name").to_owned(),
            is_library: targets("lib").next().is_some(),
            is_published: package.get("publish").is_none_or(Value::is_null),
            dependencies: list(package, "dependencies").map(Dependency::load).collect(),
            roots: targets("lib").chain(targets("bin")).map(path).collect::<Result<_, _>>()?,
            documented: targets("lib")
                .chain(targets("bin"))
                .filter(is_documented)
                .map(|target| text(target, "name").replace('-', "_"))
                .collect(),
            tests: targets("test")
                .map(|target| Ok((text(target, "name").to_owned(), path(target)?)))
                .collect::<Result<_, Error>>()?,
            sources: files.into_iter().map(read).collect::<Result<_, Error>>()?,
            folder,
        })
    }
}

impl Package {
    /// The integration tests of which a file draws from seeds.
    pub(super) fn drawing_tests(&self) -> impl Iterator<Item = &str> {
        let draws = |source: &Source| ["seeds(", "proptest!"].iter().any(|word| source.code.contains(word));
        let is_of = |source: &Source, root: &str| match root.strip_suffix("main.rs") {
            Some(folder) => source.path.starts_with(folder),
            None => source.path == root,
        };
        let tests = self.tests.iter();
        let tests =
            tests.filter(move |(_, root)| self.sources.iter().any(|source| is_of(source, root) && draws(source)));
        tests.map(|(name, _)| name.as_str())
    }
}

impl Dependency {
    fn load(dependency: &Value) -> Self {
        let is_dev = dependency.get("kind").and_then(Value::as_str) == Some("dev");
        let name = text(dependency, "name");
        let alias = dependency.get("rename").and_then(Value::as_str).unwrap_or(name);
        Self { name: name.to_owned(), alias: alias.to_owned(), is_dev }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string().replace('\\', "/")
}

/// All files of Rust in `folder`, in order; none if there is no such folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    if !folder.is_dir() {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The files in `crates/*/src`, with their text.
pub(super) fn sources(root: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut files = Vec::new();
    walk(&root.join("crates"), &mut files)?;
    let root = fs::canonicalize(root)?;
    let files = files.iter().map(|file| (relative(&root, file), file));
    let in_src = files.filter(|(path, _)| path.split('/').nth(2) == Some("src"));
    in_src.map(|(path, file)| Ok((path, fs::read_to_string(file)?))).collect()
}
