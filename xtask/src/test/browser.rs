//! One call with a browser, if there is one.

use crate::{Error, Tally, interop, process};

/// The smallest call that shows that a browser and wigwag agree.
pub(super) fn smoke() -> Result<Tally, Error> {
    if !interop::exists() {
        return Err("there is no interop/Cargo.toml".into());
    }
    let is_there = ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| process::find(name).is_some());
    if !is_there {
        println!("skipped: no Chromium is installed; `cargo xtask setup` provides it");
        return Ok(Tally::skipped());
    }
    interop::run(&["--browser", "chromium", "--smoke"])
}
