//! What a user of our crates depends on: types that may grow, and types of others in our signatures.

use super::policy::{CLOSED, FOREIGN, SIMULATOR};
use super::source::{Source, lines_with};
use super::workspace::{Package, Workspace};

/// Files whose types grow: a setting, an event, a reason, a counter is added without breaking anybody.
const GROWING: [&str; 4] = ["config.rs", "event.rs", "error.rs", "stats.rs"];

fn libraries(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    workspace.crates().filter(|package| package.is_library && package.name != SIMULATOR)
}

/// Public types of settings, events, errors and counters are `#[non_exhaustive]`.
pub(super) fn growing(workspace: &Workspace) -> Vec<String> {
    let sources = libraries(workspace).flat_map(|package| package.sources.iter().map(move |source| (package, source)));
    let growing = sources.filter(|(_, source)| GROWING.iter().any(|file| source.path.ends_with(&format!("/{file}"))));
    growing.flat_map(|(package, source)| growing_in(package, source)).collect()
}

fn growing_in(package: &Package, source: &Source) -> Vec<String> {
    let lines: Vec<_> = source.product.lines().collect();
    let types = lines.iter().enumerate().filter_map(|(at, line)| {
        let name = line.strip_prefix("pub enum ").or_else(|| line.strip_prefix("pub struct "))?;
        let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
        (!line.contains('(') && !line.ends_with(';')).then_some((at, name))
    });
    let wrong = types.filter(|(at, name)| {
        // Attributes stand before it, after the end of the item before; a type with a private field nobody can build.
        let before = lines[..*at].iter().rev().take_while(|line| !line.starts_with('}') && !line.ends_with(';'));
        let body = lines[at + 1..].iter().take_while(|line| !line.starts_with('}'));
        let is_private = |line: &&&str| {
            let field = line.trim_start();
            lines[*at].starts_with("pub struct")
                && field.contains(": ")
                && !field.starts_with("pub ")
                && line.starts_with("    ")
        };
        let is_listed = CLOSED.iter().any(|(listed, _)| *listed == format!("{}::{name}", package.name));
        !is_listed
            && !before.clone().any(|line| line.contains("non_exhaustive"))
            && !body.clone().any(|line| is_private(&line))
    });
    wrong.map(|(at, name)| format!("{}:{}: {name} will grow: #[non_exhaustive]", source.path, at + 1)).collect()
}

/// Signatures name our types, those of `std`, and of others only the few that the policy lists.
pub(super) fn foreign(workspace: &Workspace) -> Vec<String> {
    let ours = |name: &str| workspace.packages.iter().any(|package| package.name == name);
    libraries(workspace)
        .flat_map(|package| {
            let others = package.dependencies.iter().filter(|to| !to.is_dev && !ours(&to.name));
            let others: Vec<_> = others.map(|to| to.name.replace('-', "_")).collect();
            let sources = package.sources.iter().filter(|source| !source.product.is_empty());
            sources.flat_map(move |source| foreign_in(source, &others)).collect::<Vec<_>>()
        })
        .collect()
}

fn foreign_in(source: &Source, others: &[String]) -> Vec<String> {
    let mut names: Vec<String> = others.iter().map(|other| format!("{other}::")).collect();
    for other in others {
        let imports = source.product.split(';').filter_map(|statement| statement.trim().strip_prefix("use "));
        let imports = imports.filter(|import| import.starts_with(&format!("{other}::")));
        let words = imports.flat_map(|import| import.split(|c: char| !c.is_alphanumeric() && c != '_'));
        // Types begin with a capital letter.
        names.extend(words.filter(|word| word.starts_with(|c: char| c.is_uppercase())).map(str::to_owned));
    }
    names.retain(|name| !FOREIGN.iter().any(|(listed, _)| listed == name));
    public_lines(source)
        .flat_map(|(at, text)| {
            let found = names.iter().filter(move |name| !lines_with(text, name).is_empty());
            found.map(move |name| format!("{}:{at}: {name} is another crate's, and in public", source.path))
        })
        .collect()
}

/// Signatures, up to where their body begins, and fields.
fn public_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let begins = source.product.match_indices("pub ").filter(|(at, _)| {
        source.product[..*at].ends_with(|c: char| c.is_whitespace() || c == '(')
            && !source.product[*at..].starts_with("pub use ")
    });
    begins.map(|(at, _)| {
        let rest = &source.product[at..];
        let end = rest.find(['{', ';', '=']).unwrap_or(rest.len());
        let is_field =
            !["fn ", "struct ", "enum ", "type ", "const ", "trait "].iter().any(|word| rest[..end].contains(word));
        let end = if is_field { rest.find('\n').unwrap_or(rest.len()).min(end) } else { end };
        // The fields of a tuple are private unless they say otherwise, and then they are found themselves.
        let end = if rest.starts_with("pub struct ") { rest.find('(').unwrap_or(end).min(end) } else { end };
        (source.product[..at].lines().count(), &rest[..end])
    })
}
