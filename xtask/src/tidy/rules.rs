//! The rules: each looks at the workspace and says what breaks it.

use super::attacks;
use super::policy::{
    self, ARROWS, BANNED, BANNED_IN_MACHINES, CIPHERS, DEV_ARROWS, DOORS, LONG_FILE, LONG_FILES, SIMULATOR, STACKS,
};
use super::public;
use super::source::{Source, lines_with};
use super::workspace::{Dependency, Package, Workspace};
use std::collections::BTreeSet;

pub(super) type Rule = fn(&Workspace) -> Vec<String>;

/// Every rule with its name.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("arrows between crates", arrows),
    ("no other stack", stacks),
    ("every dependency is used", unused),
    ("doors of ciphers", doors),
    ("nothing banned in machines", machines),
    ("nothing banned anywhere", banned),
    ("unsafe code is forbidden", forbids_unsafe),
    ("every file is a module", dead_files),
    ("no file is too long", long_files),
    ("every crate has a README with an example", readmes),
    ("no two crates are documented in one folder", documented),
    ("what will grow is non-exhaustive", public::growing),
    ("types of others in public are few", public::foreign),
    ("docs/architecture.md knows every crate", architecture),
    ("docs/security.md names what exists", attacks::functions),
    ("docs/security.md names its mutants", attacks::mutants),
    ("secrets are compared in constant time", attacks::constant_time),
    ("whoever reads bytes indexes nothing", attacks::indexing),
];

fn arrows(workspace: &Workspace) -> Vec<String> {
    workspace.packages.iter().flat_map(|package| arrows_from(workspace, package)).collect()
}

fn arrows_from(workspace: &Workspace, package: &Package) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{}: no arrow is known of this crate (xtask/src/tidy/policy.rs)", package.name)];
    };
    let ours = |name: &str| workspace.packages.iter().any(|package| package.name == name);
    let is_for_tests = |name: &str| name == SIMULATOR || DEV_ARROWS.contains(&(package.name.as_str(), name));
    let is_wrong = |name: &str, is_dev: bool| !(allowed.contains(&name) || is_dev && is_for_tests(name));
    let wrong = package
        .dependencies
        .iter()
        .filter(|to| (ours(&to.name) || to.name == SIMULATOR) && is_wrong(&to.name, to.is_dev));
    wrong.map(|to| format!("{} must not depend on {}", package.name, to.name)).collect()
}

fn stacks(workspace: &Workspace) -> Vec<String> {
    let lock = workspace.read("Cargo.lock");
    let locked = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let named = workspace.packages.iter().flat_map(|package| &package.dependencies).map(|to| to.name.as_str());
    let found: BTreeSet<_> = locked.chain(named).filter(|name| STACKS.contains(name)).collect();
    found
        .into_iter()
        .map(|name| format!("{name} is another stack, or brings one: only interop/ and bench/ may have it"))
        .collect()
}

fn unused(workspace: &Workspace) -> Vec<String> {
    workspace.packages.iter().flat_map(unused_by).collect()
}

/// Dependencies that no source names: those of the product in `src`, those of tests anywhere.
fn unused_by(package: &Package) -> Vec<String> {
    let names = |source: &Source, name: &str| !lines_with(&source.code, &name.replace('-', "_")).is_empty();
    let is_product = |source: &Source| source.path.starts_with(&format!("{}/src/", package.folder));
    let is_used = |to: &Dependency| {
        package.sources.iter().any(|source| (to.is_dev || is_product(source)) && names(source, &to.alias))
    };
    let unused = package.dependencies.iter().filter(|to| !is_used(to));
    unused.map(|to| format!("{} does not name {}", package.name, to.name)).collect()
}

fn doors(workspace: &Workspace) -> Vec<String> {
    let is_door =
        |path: &str| DOORS.iter().any(|(door, _)| path == *door || (door.ends_with('/') && path.starts_with(door)));
    let outside = workspace.crates().flat_map(|package| &package.sources).filter(|source| !is_door(&source.path));
    outside.flat_map(ciphers).collect()
}

/// The ciphers that a file names: as the beginning of a path or in a `use`.
fn ciphers(source: &Source) -> Vec<String> {
    let named = |name: &str| {
        let [path, whole] = [format!("{name}::"), format!("use {name}")];
        let is_own = |line: usize| {
            let line = source.product.lines().nth(line - 1).unwrap_or_default();
            line.contains(&format!("::{path}")) || line.trim_start().starts_with("mod ")
        };
        let lines = lines_with(&source.product, &path).into_iter().chain(lines_with(&source.product, &whole));
        lines.filter(|line| !is_own(*line)).collect::<BTreeSet<_>>()
    };
    let found = CIPHERS.iter().flat_map(|name| named(name).into_iter().map(move |line| (name, line)));
    found.map(|(name, line)| format!("{}:{line}: {name} is named outside its door", source.path)).collect()
}

fn machines(workspace: &Workspace) -> Vec<String> {
    let machines = workspace.crates().filter(|package| policy::is_machine(&package.name));
    machines
        .flat_map(|package| &package.sources)
        .flat_map(|source| bans(source, &source.product, BANNED_IN_MACHINES))
        .collect()
}

fn banned(workspace: &Workspace) -> Vec<String> {
    let sources = workspace.packages.iter().flat_map(|package| &package.sources);
    sources.flat_map(|source| bans(source, &source.code, BANNED)).collect()
}

fn bans(source: &Source, code: &str, banned: &[(&str, &str)]) -> Vec<String> {
    let lines =
        banned.iter().flat_map(|(word, why)| lines_with(code, word).into_iter().map(move |line| (line, word, why)));
    lines.map(|(line, word, why)| format!("{}:{line}: {word}: {why}", source.path)).collect()
}

fn forbids_unsafe(workspace: &Workspace) -> Vec<String> {
    let forbids = |root: &String| {
        let source = workspace.packages.iter().flat_map(|package| &package.sources).find(|source| source.path == *root);
        source.is_some_and(|source| source.code.contains("#![forbid(unsafe_code)]"))
    };
    let roots = workspace.packages.iter().flat_map(|package| &package.roots);
    roots.filter(|root| !forbids(root)).map(|root| format!("{root}: #![forbid(unsafe_code)] is missing")).collect()
}

/// Of two that `cargo doc` writes into one folder, at the same time, one deletes what the other writes.
fn documented(workspace: &Workspace) -> Vec<String> {
    let writers = |folder: &String| {
        let writes = workspace.packages.iter().filter(|package| package.documented.contains(folder));
        writes.map(|package| package.name.as_str()).collect::<Vec<_>>()
    };
    let folders: BTreeSet<_> = workspace.packages.iter().flat_map(|package| &package.documented).collect();
    let shared = folders.into_iter().map(|folder| (folder, writers(folder))).filter(|(_, names)| names.len() > 1);
    shared
        .map(|(folder, names)| {
            format!("{} are all documented in doc/{folder}: doc = false for a program", names.join(", "))
        })
        .collect()
}

fn dead_files(workspace: &Workspace) -> Vec<String> {
    workspace.crates().flat_map(dead_files_of).collect()
}

fn dead_files_of(package: &Package) -> Vec<String> {
    let in_src = format!("{}/src/", package.folder);
    let find = |path: &str| package.sources.iter().find(|source| source.path == path);
    let mut alive = BTreeSet::new();
    let mut new: Vec<_> = package.roots.clone();
    while let Some(path) = new.pop() {
        if let Some(source) = find(&path)
            && alive.insert(path)
        {
            new.extend(modules(source, &package.roots));
        }
    }
    let files = package.sources.iter().filter(|source| source.path.starts_with(&in_src));
    let dead = files.filter(|source| !alive.contains(&source.path));
    dead.map(|source| format!("{}: no module of {}", source.path, package.name)).collect()
}

/// Where the modules that a file declares may lie.
fn modules(source: &Source, roots: &[String]) -> Vec<String> {
    let stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    let owns_folder = roots.contains(&source.path) || stem.ends_with("/mod");
    let folder = if owns_folder { stem.rsplit_once('/').map_or("", |(folder, _)| folder) } else { stem };
    let statements = source.code.split([';', '{', '}']);
    let names = statements
        .filter_map(|statement| statement.rsplit_once("mod ").or(statement.strip_prefix("mod ").map(|n| ("", n))));
    let names =
        names.filter(|(before, name)| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && is_name(name));
    names
        .flat_map(|(_, name)| [format!("{folder}/{}.rs", name.trim()), format!("{folder}/{}/mod.rs", name.trim())])
        .collect()
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn long_files(workspace: &Workspace) -> Vec<String> {
    let is_listed = |path: &str| LONG_FILES.iter().any(|(listed, _)| path == *listed);
    let sources = workspace.packages.iter().flat_map(|package| &package.sources);
    let long = sources.filter(|source| source.lines > LONG_FILE && !is_listed(&source.path));
    let long = long.map(|source| format!("{}: {} lines: does it hold two ideas?", source.path, source.lines));
    let gone = LONG_FILES.iter().filter(|(path, _)| workspace.read(path).lines().count() <= LONG_FILE);
    long.chain(gone.map(|(path, _)| format!("{path}: listed as long, but is not"))).collect()
}

fn readmes(workspace: &Workspace) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in workspace.crates() {
        let readme = workspace.read(&format!("{}/README.md", package.folder));
        if readme.is_empty() {
            wrong.push(format!("{}: has no README.md", package.folder));
        } else if package.is_library && !readme.lines().any(|line| line.starts_with("```rust")) {
            wrong.push(format!("{}/README.md: has no example (```rust)", package.folder));
        }
    }
    wrong
}

fn architecture(workspace: &Workspace) -> Vec<String> {
    let page = workspace.read("docs/architecture.md");
    let unknown = workspace.crates().filter(|package| !page.contains(&format!("`{}`", package.name)));
    unknown.map(|package| format!("docs/architecture.md does not mention `{}`", package.name)).collect()
}
