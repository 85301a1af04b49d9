//! Running other programs.

use crate::{Error, Tally};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The cargo that runs us, in the root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Cargo, for a workspace of its own beside ours; it shares our build folder, so that what both need is built once.
pub(crate) fn cargo_beside(args: &[&str]) -> Command {
    let mut command = cargo(args);
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        command.env("CARGO_TARGET_DIR", root().join("target"));
    }
    command
}

/// Builds the workspace's programs and examples as its tests have them, so that what those have built is not built again: with fewer
/// packages, or without what only tests need, their dependencies would have other features.
pub(crate) fn build_programs() -> Result<Tally, Error> {
    step(&mut cargo(&["build", "--quiet", "--workspace", "--bins", "--examples"]))
}

/// What was built, in our build folder: `examples/sfu`, `wigwag`.
pub(crate) fn built(path: &str) -> Command {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    program(target.join("debug").join(path), &[])
}

/// `program`, in the root.
pub(crate) fn program(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Where `program` is, if the system has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Says what is run, as somebody would type it.
pub(crate) fn announce(command: &Command) {
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let variables = variables.map(|(name, value)| format!("{}={} ", name.display(), value.display()));
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let args: Vec<_> = command.get_args().map(|arg| format!(" {}", arg.display())).collect();
    println!("\n$ {}{}{}", variables.collect::<String>(), program.display(), args.concat());
}

/// One part of a check: passes if the program says so.
pub(crate) fn step(command: &mut Command) -> Result<Tally, Error> {
    announce(command);
    let start = Instant::now();
    let passed = command.status()?.success();
    println!("{} in {:.1} s", if passed { "passed" } else { "FAILED" }, start.elapsed().as_secs_f64());
    Ok(Tally::of(passed))
}

/// Runs to the end, telling `each` every line of its output as it comes; errors go where ours go.
pub(crate) fn stream(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus, Error> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
    Ok(child.wait()?)
}

/// Runs a check that can count for itself: its last tally in JSON is the result, and is not printed again.
pub(crate) fn counted(command: &mut Command) -> Result<Tally, Error> {
    let mut tally = None;
    let status = stream(command, |line| match Tally::from_json(line) {
        Some(found) => tally = Some(found),
        None => println!("{line}"),
    })?;
    let mut tally = tally.unwrap_or_else(|| Tally::of(status.success()));
    if !status.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// What a program prints.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        announce(command);
        return Err(format!("{} ended with {}", command.get_program().display(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
