//! A tiny workspace is clean until something breaks one rule, and then that rule says so and no other.

use super::rules::RULES;
use super::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

const CLEAN_LIB: &str =
    "#![forbid(unsafe_code)]\n#![cfg_attr(not(test), warn(clippy::indexing_slicing))]\nmod a;\npub mod b;\n";

/// A workspace in a temporary folder, gone when dropped.
struct Fixture(PathBuf);

impl Fixture {
    /// Three crates with which nothing is wrong.
    fn clean() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wigwag-tidy-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let fixture = Self(env::temp_dir().join(name));
        fixture.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
        fixture.write("docs/architecture.md", "`wigwag-sansio` `wigwag-stun` `wigwag-srtp` `wigwag-sim`");
        fixture.write("xtask/mutants/none.txt", "");
        for (name, dependencies) in [
            ("wigwag-sansio", ""),
            ("wigwag-stun", "[dependencies]\nwigwag-sansio = { path = \"../wigwag-sansio\" }\n"),
            ("wigwag-srtp", "[dev-dependencies]\nwigwag-sim = { path = \"../wigwag-sim\" }\n"),
            ("wigwag-sim", ""),
        ] {
            fixture.manifest(name, dependencies);
            fixture.write(&format!("crates/{name}/src/lib.rs"), CLEAN_LIB);
            fixture.write(&format!("crates/{name}/src/a.rs"), "// Instant::now, unsafe and aes:: in a comment.\n");
            fixture.write(&format!("crates/{name}/src/b/mod.rs"), "mod c;\n#[cfg(test)]\nmod tests;\n");
            fixture.write(&format!("crates/{name}/src/b/c.rs"), "use {wigwag_sansio, wigwag_stun, wigwag_sim};\n");
            fixture.write(&format!("crates/{name}/src/b/tests.rs"), "use std::collections::HashMap;\n");
            fixture.write(&format!("crates/{name}/README.md"), "# A crate\n\n```rust\nassert!(true);\n```\n");
        }
        fixture
    }

    fn manifest(&self, name: &str, dependencies: &str) {
        let package =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}");
        self.write(&format!("crates/{name}/Cargo.toml"), &package);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The rules that are broken, with what they say.
    fn broken(&self) -> Vec<(&'static str, Vec<String>)> {
        let workspace = Workspace::load(&self.0).unwrap();
        let results = RULES.iter().map(|(name, rule)| (*name, rule(&workspace)));
        results.filter(|(_, wrong)| !wrong.is_empty()).collect()
    }

    /// Asserts that one rule alone is broken, at one place, and says `text`.
    #[track_caller]
    fn breaks(&self, rule: &str, text: &str) {
        let broken = self.broken();
        assert!(
            matches!(broken.as_slice(), [(name, wrong)] if *name == rule && matches!(wrong.as_slice(), [line] if line.contains(text))),
            "{broken:?}"
        );
    }

    /// Asserts that one rule alone is broken, in these ways and no others.
    #[track_caller]
    fn breaks_with(&self, rule: &str, texts: &[&str]) {
        let broken = self.broken();
        let [(name, wrong)] = broken.as_slice() else { panic!("{broken:?}") };
        let is_told = |text: &&str| wrong.iter().any(|line| line.contains(*text));
        assert!(*name == rule && wrong.len() == texts.len() && texts.iter().all(is_told), "{wrong:?}");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn nothing_is_wrong_with_a_clean_workspace() {
    assert_eq!(Fixture::clean().broken(), []);
}

#[test]
fn finds_a_forbidden_arrow() {
    let fixture = Fixture::clean();
    fixture.manifest("wigwag-srtp", "[dependencies]\nwigwag-stun = { path = \"../wigwag-stun\" }\n");
    fixture.breaks("arrows between crates", "wigwag-srtp must not depend on wigwag-stun");
}

#[test]
fn finds_a_forbidden_arrow_of_tests() {
    let fixture = Fixture::clean();
    fixture.manifest("wigwag-srtp", "[dev-dependencies]\nwigwag-stun = { path = \"../wigwag-stun\" }\n");
    fixture.breaks("arrows between crates", "wigwag-srtp must not depend on wigwag-stun");
}

#[test]
fn finds_the_simulator_outside_of_tests() {
    let fixture = Fixture::clean();
    fixture.manifest("wigwag-srtp", "[dependencies]\nwigwag-sim = { path = \"../wigwag-sim\" }\n");
    fixture.breaks("arrows between crates", "wigwag-srtp must not depend on wigwag-sim");
}

#[test]
fn finds_a_crate_that_nobody_has_placed() {
    let fixture = Fixture::clean();
    fixture.manifest("wigwag-srtp", "");
    let moved = fs::read_to_string(fixture.0.join("crates/wigwag-srtp/Cargo.toml")).unwrap();
    fixture.write("crates/wigwag-srtp/Cargo.toml", &moved.replace("wigwag-srtp", "wigwag-common"));
    fixture.write("docs/architecture.md", "`wigwag-sansio` `wigwag-stun` `wigwag-common` `wigwag-sim`");
    fixture.breaks("arrows between crates", "wigwag-common: no arrow is known");
}

#[test]
fn finds_a_dependency_that_nobody_needs() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/src/b/c.rs", "// wigwag_sansio, my_wigwag_sansio\n");
    fixture.breaks("every dependency is used", "wigwag-stun does not name wigwag-sansio");
}

#[test]
fn takes_a_dependency_for_what_its_manifest_calls_it() {
    let fixture = Fixture::clean();
    fixture.manifest(
        "wigwag-srtp",
        "[dependencies]\nwords = { package = \"wigwag-sansio\", path = \"../wigwag-sansio\" }\n",
    );
    fixture.breaks("every dependency is used", "wigwag-srtp does not name wigwag-sansio");
    fixture.write("crates/wigwag-srtp/src/b/c.rs", "use words::Seed;\n");
    assert_eq!(fixture.broken(), []);
}

#[test]
fn finds_another_stack() {
    let fixture = Fixture::clean();
    fixture.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"openssl-sys\"\nversion = \"0.9.0\"\n");
    fixture.breaks("no other stack", "openssl-sys");
}

#[test]
fn finds_a_file_that_is_no_module() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/src/b/forgotten.rs", "");
    fixture.breaks("every file is a module", "crates/wigwag-stun/src/b/forgotten.rs");
}

#[test]
fn finds_a_missing_readme_and_a_readme_without_example() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/README.md", "# A crate\n");
    fixture.breaks("every crate has a README with an example", "crates/wigwag-stun/README.md: has no example");
    fs::remove_file(fixture.0.join("crates/wigwag-stun/README.md")).unwrap();
    fixture.breaks("every crate has a README with an example", "crates/wigwag-stun: has no README.md");
}

#[test]
fn finds_a_program_that_is_documented_over_a_library() {
    let fixture = Fixture::clean();
    let program = "[[bin]]\nname = \"wigwag_stun\"\npath = \"src/b/main.rs\"\n";
    fixture.write("crates/wigwag-sim/src/b/main.rs", "#![forbid(unsafe_code)]\nfn main() {}\n");
    fixture.manifest("wigwag-sim", program);
    fixture.breaks(
        "no two crates are documented in one folder",
        "wigwag-sim, wigwag-stun are all documented in doc/wigwag_stun",
    );
    fixture.manifest("wigwag-sim", &format!("{program}doc = false\n"));
    assert_eq!(fixture.broken(), []);
}

#[test]
fn finds_a_clock_in_a_machine() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/src/a.rs", "\nfn now() -> Instant {\n    std::time::Instant::now()\n}\n");
    fixture.breaks("nothing banned in machines", "crates/wigwag-stun/src/a.rs:3: Instant::now");
}

#[test]
fn lets_what_is_no_machine_have_a_clock() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-sim/src/a.rs", "fn now() -> Instant {\n    Instant::now()\n}\n");
    assert_eq!(fixture.broken(), []);
}

#[test]
fn finds_a_cipher_outside_its_door() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-srtp/src/a.rs", "use aes::Aes128;\n");
    fixture.breaks("doors of ciphers", "crates/wigwag-srtp/src/a.rs:1: aes");
    fixture.write("crates/wigwag-srtp/src/a.rs", "fn a() {\n    hmac::Hmac::new();\n}\n");
    fixture.breaks("doors of ciphers", "crates/wigwag-srtp/src/a.rs:2: hmac");
}

#[test]
fn lets_a_cipher_through_its_door_and_a_module_have_its_name() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-srtp/src/lib.rs", &format!("{CLEAN_LIB}mod crypto;\n"));
    fixture.write("crates/wigwag-srtp/src/crypto/mod.rs", "use aes::Aes128;\npub mod hmac {}\n");
    fixture.write("crates/wigwag-srtp/src/a.rs", "use crate::crypto::hmac::Key;\n");
    assert_eq!(fixture.broken(), []);
}

#[test]
fn finds_unsafe_code_even_in_tests() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-sim/src/b/tests.rs", "fn a() {\n    unsafe { b() }\n}\n");
    fixture.breaks("nothing banned anywhere", "crates/wigwag-sim/src/b/tests.rs:2: unsafe");
}

#[test]
fn finds_an_allowed_lint_and_unfinished_code() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-sim/src/a.rs", "#[allow(dead_code)]\nfn a() {}\n");
    fixture.breaks("nothing banned anywhere", "#[allow(");
    fixture.write("crates/wigwag-sim/src/a.rs", "fn a() {\n    todo!()\n}\n");
    fixture.breaks("nothing banned anywhere", "todo!");
}

#[test]
fn finds_a_crate_that_does_not_forbid_unsafe_code() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-sim/src/lib.rs", "mod a;\nmod b;\n// #![forbid(unsafe_code)]\n");
    fixture.breaks("unsafe code is forbidden", "crates/wigwag-sim/src/lib.rs");
}

#[test]
fn finds_a_file_that_is_too_long() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-sim/src/a.rs", &"fn a() {}\n".repeat(601));
    fixture.breaks("no file is too long", "601 lines");
}

#[test]
fn finds_a_type_that_will_grow_and_is_not_marked() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/src/lib.rs", &format!("{CLEAN_LIB}mod event;\n"));
    let write = |text: &str| fixture.write("crates/wigwag-stun/src/event.rs", text);
    for open in [
        "pub enum Event {\n    A,\n}\n",
        "#[non_exhaustive]\npub enum First {\n    A,\n}\n\n#[derive(Debug)]\npub struct Event {\n    pub a: u8,\n}\n",
    ] {
        write(open);
        fixture.breaks("what will grow is non-exhaustive", "Event will grow");
    }
    for closed in [
        "#[non_exhaustive]\n#[derive(Debug)]\npub enum Event {\n    A,\n}\n",
        "pub struct Event {\n    pub a: u8,\n    b: u8,\n}\n",
        "pub struct Event(u8);\n",
        "pub(crate) enum Event {\n    A,\n}\n",
    ] {
        write(closed);
        assert_eq!(fixture.broken(), [], "{closed}");
    }
}

#[test]
fn finds_a_type_of_others_in_public() {
    let fixture = Fixture::clean();
    fixture.manifest("wigwag-srtp", "[dependencies]\nzeroize = \"1\"\nbytes = \"1\"\n");
    let write = |text: &str| fixture.write("crates/wigwag-srtp/src/a.rs", &format!("use bytes::Bytes;\n{text}"));
    for open in [
        "use zeroize::Zeroizing;\npub fn key(\n    &self,\n) -> Zeroizing<u8> {}\n",
        "use zeroize::{Zeroize, Zeroizing};\npub struct Key {\n    pub key: Zeroizing<u8>,\n}\n",
        "pub struct Key(pub zeroize::Zeroizing<u8>);\n",
    ] {
        write(open);
        fixture.breaks("types of others in public are few", "crates/wigwag-srtp/src/a.rs");
    }
    for closed in [
        "use zeroize::Zeroizing;\npub struct Key(Zeroizing<u8>);\n",
        "use zeroize::Zeroizing;\npub fn key() -> Bytes {\n    Zeroizing::new(1)\n}\n",
        "use zeroize::Zeroizing;\npub(crate) fn key() -> Zeroizing<u8> {}\n",
    ] {
        write(closed);
        assert_eq!(fixture.broken(), [], "{closed}");
    }
}

#[test]
fn finds_a_crate_that_the_architecture_does_not_mention() {
    let fixture = Fixture::clean();
    fixture.write("docs/architecture.md", "`wigwag-sansio` `wigwag-stun` `wigwag-srtp`");
    fixture.breaks("docs/architecture.md knows every crate", "wigwag-sim");
}

const ROW: &str = "| # | attack | shown by | guarded by |\n|---|---|---|---|\n\
    | 1 | an attack | `wigwag-stun/src/b/tests.rs: it_is_refused` | `wigwag-stun/src/b/mod.rs: read`: `unread` |\n";
const MUTANT: &str = "unread\nguards wigwag-stun/src/b/mod.rs: read\ncaught by wigwag-stun/src/b/tests.rs: it_is_refused\n\
    - return;\n";

/// A workspace in which one attack is shown as it should be.
fn attacked() -> Fixture {
    let fixture = Fixture::clean();
    let guarded = "mod c;\n#[cfg(test)]\nmod tests;\nfn read() {\n    return;\n}\n";
    fixture.write("crates/wigwag-stun/src/b/mod.rs", guarded);
    fixture.write("crates/wigwag-stun/src/b/tests.rs", "fn it_is_refused() {}\n");
    fixture.write("docs/security.md", ROW);
    fixture.write("xtask/mutants/stun.txt", MUTANT);
    assert_eq!(fixture.broken(), []);
    fixture
}

#[test]
fn finds_a_test_of_an_attack_that_is_gone() {
    let fixture = attacked();
    fixture.write("crates/wigwag-stun/src/b/tests.rs", "fn it_is_taken() {}\n");
    fixture.breaks("docs/security.md names what exists", "no it_is_refused in wigwag-stun/src/b/tests.rs");
}

#[test]
fn finds_a_row_without_mutants_and_mutants_without_a_row() {
    let rule = "docs/security.md names its mutants";
    attacked_with(&ROW.replace("`unread`", "`read`")).breaks_with(rule, &["no mutant read", "no row names unread"]);
    attacked_with(&ROW.replace(": `unread`", "")).breaks_with(rule, &["an attack: no mutant shows", "no row names"]);
    let other = ROW.replace("tests.rs: it_is_refused", "mod.rs: read");
    attacked_with(&other).breaks_with(rule, &["seen by wigwag-stun/src/b/tests.rs: it_is_refused, which its row"]);
    let other = ROW.replace("mod.rs: read`: ", "tests.rs: it_is_refused`: ");
    attacked_with(&other).breaks_with(rule, &["unread breaks wigwag-stun/src/b/mod.rs: read, not"]);
    attacked_with(&ROW.replace("`wigwag-stun/src/b/mod.rs: read`: `unread`", "`cargo xtask tidy`"))
        .breaks_with(rule, &["no row names unread"]);
}

#[test]
fn finds_a_mutant_that_drifted_away_from_what_it_guards() {
    let fixture = attacked();
    fixture.write("xtask/mutants/stun.txt", &MUTANT.replace("- return;", "- return 1;"));
    fixture
        .breaks("docs/security.md names its mutants", "unread: \"return 1;\" is not in wigwag-stun/src/b/mod.rs: read");
    fixture.write("xtask/mutants/stun.txt", "nonsense\n");
    fixture.breaks("docs/security.md names its mutants", "not a mutant: nonsense");
}

#[test]
fn finds_bytes_that_may_be_indexed() {
    let fixture = Fixture::clean();
    let warned =
        "#![forbid(unsafe_code)]\n#![cfg_attr(not(test), warn(clippy::indexing_slicing))]\nmod a;\npub mod b;\n";
    fixture.write("crates/wigwag-stun/src/lib.rs", &warned.replace("clippy::indexing_slicing", "clippy::todo"));
    fixture.breaks("whoever reads bytes indexes nothing", "crates/wigwag-stun/src/lib.rs");
    fixture.write("crates/wigwag-stun/src/lib.rs", warned);
    assert_eq!(fixture.broken(), []);
}

#[test]
fn finds_secrets_that_are_compared_byte_by_byte() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-srtp/src/a.rs", "fn f() { tag == other; }\n");
    fixture.breaks("secrets are compared in constant time", "crates/wigwag-srtp/src/a.rs:1: compared byte by byte");
}

fn attacked_with(page: &str) -> Fixture {
    let fixture = attacked();
    fixture.write("docs/security.md", page);
    fixture
}

#[test]
fn tests_that_draw_are_known_by_what_they_say() {
    let fixture = Fixture::clean();
    fixture.write("crates/wigwag-stun/tests/worlds/main.rs", "mod a;\n");
    fixture.write("crates/wigwag-stun/tests/worlds/a.rs", "fn f() { for seed in seeds(50) {} }\n");
    fixture.write("crates/wigwag-stun/tests/properties.rs", "proptest! {}\n");
    fixture.write("crates/wigwag-stun/tests/plain.rs", "// Not seeds(50).\n");
    assert_eq!(super::drawing_tests(&fixture.0).unwrap(), ["properties", "worlds"]);
}
