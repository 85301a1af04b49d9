//! A network of our own: loopback, one address, and a default route that leads nowhere.
//!
//! Firefox gathers nothing without a default route on an address that is not 127.x, and nothing leaves the machine.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// The one address inside.
pub(crate) const ADDRESS: &str = "10.98.0.1";
const MARK: &str = "WIGWAG_INTEROP_NAMESPACE";

/// Whether this process runs inside already.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(MARK).is_some()
}

/// A network namespace, named with the process id and removed at the end.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn create() -> Result<Self> {
        let namespace = Self { name: format!("wigwag-{}", std::process::id()) };
        run(&["ip", "netns", "add", &namespace.name])?;
        namespace.exec(&["ip", "link", "set", "lo", "up"])?;
        namespace.exec(&["ip", "link", "add", "wigwag0", "type", "bridge"])?;
        namespace.exec(&["ip", "address", "add", &format!("{ADDRESS}/24"), "dev", "wigwag0"])?;
        namespace.exec(&["ip", "link", "set", "wigwag0", "up"])?;
        namespace.exec(&["ip", "route", "add", "default", "via", "10.98.0.2", "dev", "wigwag0"])?;
        Ok(namespace)
    }

    fn exec(&self, arguments: &[&str]) -> Result<()> {
        run(&[&["ip", "netns", "exec", &self.name], arguments].concat())
    }

    /// Runs this program again inside, with the same arguments and the wigwag `program`; returns its exit code.
    pub(crate) fn run_again(&self, program: Option<&Path>) -> Result<i32> {
        let mut rest: Vec<_> = std::env::args_os().skip(1).collect();
        if let Some(program) = program
            && !rest.iter().any(|argument| argument.to_string_lossy().starts_with("--program"))
        {
            rest.extend(["--program".into(), program.into()]);
        }
        let program = std::env::current_exe()?;
        let status =
            Command::new("ip").args(["netns", "exec", &self.name]).arg(program).args(rest).env(MARK, "1").status()?;
        Ok(status.code().unwrap_or(1))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(&["ip", "netns", "delete", &self.name]);
    }
}

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (program, rest) = arguments.split_first().context("no program")?;
    let output =
        Command::new(program).args(rest).stdin(Stdio::null()).output().with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        bail!("`{}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
